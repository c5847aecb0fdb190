// `npm start` runs the main job; `npm start -- <command> …` is the command line.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const program = join(ROOT, "dist/node", process.argv.length > 2 ? "cli.js" : "main-job.js");
if (existsSync(program)) {
  process.argv[1] = program;
  await import(pathToFileURL(program).href);
} else {
  console.error(`${program} is missing: run npm ci (or npm run build) first`);
  process.exitCode = 1;
}
