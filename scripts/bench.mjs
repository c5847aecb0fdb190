// `npm run bench [-- <names>]`: runs bench/run.ts from source, with the core compiled as it is published;
// `npm run bench:storage`: bench/storage.ts.

import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildWasm } from "./build-wasm.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

process.chdir(ROOT);
await buildWasm({ onlyIfOutdated: true });
const asked = process.argv.slice(2);
const file = asked[0] === "--storage" ? "storage.ts" : "run.ts";
const names = asked.filter((name) => name !== "--storage");
const args = ["--expose-gc", "--import", "tsx", join("bench", file), ...names];
process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
