// `npm run bench [-- <names>]`: runs bench/run.ts from source, with the core compiled as it is published.

import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildWasm } from "./build-wasm.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

process.chdir(ROOT);
await buildWasm({ onlyIfOutdated: true });
const args = ["--expose-gc", "--import", "tsx", join("bench", "run.ts"), ...process.argv.slice(2)];
process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
