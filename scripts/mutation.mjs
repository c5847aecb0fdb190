// `npm run test:mutation`: changes the host side of the core, one place at a time, and reports what no test noticed.
//
//   node scripts/mutation.mjs                                             all groups below: hours on two cores
//   node scripts/mutation.mjs bindings/vault.ts -- test/core/room.test.ts these files, by these tests
//
// Stryker brings 170 packages, so it is no dependency: it is installed, at this version (the last one for Node 20), into a
// copy of the working tree. Its reports lie in build/mutation/. Texts of messages and the fields of errors are left as they are.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const VERSION = "9.6.1";
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LEFT_OUT = new Set([".git", "dist", "bench"]);

const core = (...names) => names.map((name) => `test/core/${name}.test.ts`);
/** What is changed, and the quick tests that look at it. */
const GROUPS = {
  vault: [
    ["bindings/vault.ts", "bindings/vault-curve.ts", "bindings/status.ts", "bindings/attributes.ts"],
    core("room", "vault-batches", "vault-uses", "vault-curve", "vault", "vault-wrap-algorithms", "bindings"),
  ],
  primitives: [
    ["bindings/primitives/*.ts", "bindings/staging.ts", "bindings/instantiate.ts", "bindings/load.ts"],
    core(
      "room",
      "primitives",
      "aes",
      "curve",
      "kbkdf",
      "merkle",
      "pbkdf2-batch",
      "sha512",
      "blake2b",
      "bindings",
    ),
  ],
  derivation: [["bindings/memory-hard.ts"], core("memory-hard")],
  pool: [["bindings/pool/{pool,calls,serve,index}.ts"], core("pool/pool")],
  crypto: [["sdk/crypto/*.ts"], core("records", "algorithms", "evicting", "formats")],
};

const args = process.argv.slice(2);
const split = args.indexOf("--");
const groups =
  split < 0 ? Object.entries(GROUPS) : [["chosen", [args.slice(0, split), args.slice(split + 1)]]];

const reports = join(ROOT, "build/mutation");
mkdirSync(reports, { recursive: true });
const copy = mkdtempSync(join(tmpdir(), "keyloom-mutation-"));
try {
  cpSync(ROOT, copy, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !LEFT_OUT.has(relative(ROOT, path).split("/")[0]),
  });
  const packages = ["core", "vitest-runner"].map((name) => `@stryker-mutator/${name}@${VERSION}`);
  run("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ...packages]);
  for (const [name, [mutate, tests]] of groups) {
    writeFileSync(join(copy, "vitest.mutation.config.mjs"), vitestConfig(tests));
    writeFileSync(join(copy, "stryker.conf.json"), JSON.stringify(strykerConfig(name, mutate)));
    run("npx", ["stryker", "run"]);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}

function run(command, commandArgs) {
  const { status } = spawnSync(command, commandArgs, { cwd: copy, stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ${commandArgs.join(" ")} ended with ${status}`);
}

function vitestConfig(include) {
  const adapter = join(copy, "sdk/storage/authoring.ts");
  return `export default ${JSON.stringify({
    resolve: { alias: { "keyloom/storage/adapter": adapter } },
    test: { include, testTimeout: 60_000, hookTimeout: 60_000 },
  })};\n`;
}

function strykerConfig(name, mutate) {
  return {
    mutate,
    mutator: { excludedMutations: ["StringLiteral", "ObjectLiteral"] },
    plugins: ["@stryker-mutator/vitest-runner"],
    testRunner: "vitest",
    vitest: { configFile: "vitest.mutation.config.mjs", related: false },
    coverageAnalysis: "perTest",
    // Cores that tests load while they are collected make most places static; each is tried by the tests that reach it.
    ignoreStatic: true,
    inPlace: true,
    concurrency: 2,
    timeoutMS: 20_000,
    reporters: ["clear-text", "json", "progress-append-only"],
    clearTextReporter: { reportTests: false },
    jsonReporter: { fileName: join(reports, `${name}.json`) },
  };
}
