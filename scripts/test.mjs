// `npm test`: types, lint, then the suite in Node and in Chromium.
//
//   node scripts/test.mjs             everything that is not slow
//   node scripts/test.mjs --slow      test/**/*.slow.test.ts
//   node scripts/test.mjs --crash     the crash rounds among them
//
// Further arguments go to vitest (`npm test -- test/lifecycle --project node`) and leave the checks out.
// The last line says how many tests passed and failed; the exit code is 0 only if none failed and,
// with KEYLOOM_REQUIRE_BROWSER=1, Chromium ran.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { buildWasm } from "./build-wasm.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const REPORT = join(ROOT, "build/test-report.json");

process.chdir(ROOT);
const args = process.argv.slice(2);
const slow = args.some((arg) => arg === "--slow" || arg === "--crash");
const selected = args.filter((arg) => arg !== "--slow" && arg !== "--crash");
// One engine after the other: they share the time that they are given.
if (args.includes("--crash")) selected.push("test/crash/", "--no-file-parallelism");

if (!slow && selected.length === 0) {
  step("types", "typescript/bin/tsc", ["--noEmit", "-p", "."]);
  step("lint", "oxlint/bin/oxlint", []);
}
await buildWasm({ targets: ["scalar", "simd", "test"], onlyIfOutdated: true }).catch((error) =>
  fail(error.message),
);

mkdirSync(dirname(REPORT), { recursive: true });
rmSync(REPORT, { force: true });
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`];
const env = slow ? { ...process.env, KEYLOOM_TESTS: "slow" } : process.env;
const status = tool("vitest/vitest.mjs", ["run", ...reporters, ...selected], env);
if (!existsSync(REPORT)) fail("vitest ended without a report");
process.exitCode = summarise(JSON.parse(readFileSync(REPORT, "utf8"))) && status === 0 ? 0 : 1;

/** Prints what failed, and the one line that a reader in a hurry looks for. */
function summarise(report) {
  const outcomes = report.testResults.flatMap((file) => file.assertionResults.map((test) => test.status));
  const count = (...statuses) => outcomes.filter((status) => statuses.includes(status)).length;
  // A file that could not be loaded has no tests to count, but it has failed.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  for (const file of broken) console.error(`could not run ${relative(ROOT, file.name)}`);
  for (const file of report.testResults) {
    for (const test of file.assertionResults.filter(({ status }) => status === "failed")) {
      const [why = ""] = test.failureMessages ?? [];
      console.error(`failed: ${relative(ROOT, file.name)}: ${test.fullName}\n  ${why.slice(0, 500)}`);
    }
  }
  const failed = count("failed") + broken.length;
  const skipped = count("pending", "skipped", "todo", "disabled");
  console.log(`\n${count("passed")} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed === 0 && count("passed") > 0;
}

function step(name, path, toolArgs) {
  console.log(`${name}: ${path} ${toolArgs.join(" ")}`);
  if (tool(path, toolArgs) !== 0) fail(`${name} failed`);
}

function tool(path, toolArgs, env = process.env) {
  return spawnSync(process.execPath, [join("node_modules", path), ...toolArgs], { stdio: "inherit", env })
    .status;
}

function fail(message) {
  console.error(message);
  console.log("\n0 passed, 1 failed");
  process.exit(1);
}
