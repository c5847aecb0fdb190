// Compiles the core: assembly/ → build/keyloom-{scalar,simd,test}.wasm.
//
//   node scripts/build-wasm.mjs               the targets of a release: scalar and simd
//   node scripts/build-wasm.mjs simd test     these targets
//   buildWasm({ onlyIfOutdated: true })       for the tests: nothing to do when sources are older

import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = ["assembly", "asconfig.json"];

/**
 * @param {object} [options]
 * @param {string[]} [options.targets] names from asconfig.json
 * @param {boolean} [options.onlyIfOutdated] skip a target whose output is newer than every source
 */
export async function buildWasm({ targets = ["scalar", "simd"], onlyIfOutdated = false } = {}) {
  const { targets: known } = JSON.parse(readFileSync(join(ROOT, "asconfig.json"), "utf8"));
  const newest = Math.max(...SOURCES.map((path) => newestChange(join(ROOT, path))));
  for (const target of targets) {
    if (known[target] === undefined) throw new Error(`asconfig.json has no target ${target}`);
    const outFile = join(ROOT, known[target].outFile);
    const built = statSync(outFile, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (onlyIfOutdated && built > newest) continue;
    await compile(target, outFile);
  }
}

/** Compiles beside the output and renames, so that a reader never meets half a file. */
async function compile(target, outFile) {
  const folder = join(dirname(outFile), `.${target}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    const asc = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
    await run(process.execPath, [
      asc,
      "--config",
      "asconfig.json",
      "--target",
      target,
      "--outFile",
      join(folder, basename(outFile)),
    ]);
    for (const name of readdirSync(folder)) renameSync(join(folder, name), join(dirname(outFile), name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function newestChange(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))));
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`asc ended with ${code}`))));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const targets = process.argv.slice(2);
  await buildWasm(targets.length > 0 ? { targets } : {}).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
