/**
 * `npm run generate`: the files that are made from tables of the source. They are committed, so that they can
 * be read where they lie; `.ci/run` makes them again and fails when one is stale.
 */
import { readFileSync, writeFileSync } from "node:fs";

import { ERROR_CODES } from "../sdk/foundation/errors.js";
import { buildWasm } from "./build-wasm.mjs";

const ROOT = new URL("../", import.meta.url);
const NOTE = "<!-- Made by `npm run generate`; change the source it names instead. -->";

const GENERATED: Record<string, () => string> = {
  // The compiler's own description of what the core exports.
  "bindings/generated/abi.d.ts": () => readFileSync(new URL("build/keyloom-simd.d.ts", ROOT), "utf8"),
  "docs/ERRORS.md": errors,
};

await buildWasm({ targets: ["simd"], onlyIfOutdated: true });
for (const [path, make] of Object.entries(GENERATED)) {
  writeFileSync(new URL(path, ROOT), make());
  console.log(`generated ${path}`);
}

function errors(): string {
  return [
    NOTE,
    "",
    "# Errors",
    "",
    "What Keyloom throws on purpose is a `KeyloomError` with one of these codes (`sdk/foundation/errors.ts`). Codes are",
    "part of semver, messages are not. The class decides the exit code of the command line. A value of a wrong JavaScript",
    "type is a `TypeError`.",
    "",
    ...table(
      ["Code", "Class"],
      Object.entries(ERROR_CODES).map(([code, group]) => [`\`${code}\``, group]),
    ),
    "",
  ].join("\n");
}

/** A Markdown table with its columns aligned, as the formatter would leave it. */
function table(head: string[], rows: string[][]): string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}
