// Runs at the end of `npm ci`, and before `npm pack`: builds dist/.
//
// Where the package is installed without its development tools there is nothing to build with; then a
// dist/ that is already there is what there is.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TOOLS = ["assemblyscript", "rollup", "rollup-plugin-dts", "typescript"];

const missing = TOOLS.filter((name) => !existsSync(join(ROOT, "node_modules", name, "package.json")));
if (missing.length === 0) {
  await import("./build.mjs");
} else if (!existsSync(join(ROOT, "dist"))) {
  console.error(
    `keyloom can't be built: ${missing.join(", ")} not installed (run npm ci with dev dependencies)`,
  );
  process.exitCode = 1;
}
