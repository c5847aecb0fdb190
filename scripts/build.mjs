// Builds everything that is published: the core (asc), the four outputs and the declarations (rollup).

import { chmodSync, existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { rollup } from "rollup";

import { buildWasm } from "./build-wasm.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

process.chdir(ROOT);
try {
  await buildWasm();
  const { default: configurations } = await import("../rollup.config.mjs");
  rmSync("dist", { recursive: true, force: true });
  for (const { output, ...input } of configurations) {
    if (Object.keys(input.input).length === 0) continue;
    const bundle = await rollup({ ...input, onwarn: refuse });
    await bundle.write(output);
    await bundle.close();
    console.log(`built ${output.dir}`);
  }
  const program = join("dist", "node", "cli.js");
  if (existsSync(program)) chmodSync(program, 0o755);
} catch (error) {
  console.error(error.stack ?? error);
  process.exitCode = 1;
}

/** A warning of the bundler (a missing export, a circular import, an unresolved module) stops the build. */
function refuse(warning) {
  // Types that an entry uses and doesn't export: advice about the declarations, which work all the same.
  if (warning.plugin === "dts") return console.warn(`declarations: ${warning.message}`);
  throw new Error(`${warning.code}: ${warning.message}`);
}
