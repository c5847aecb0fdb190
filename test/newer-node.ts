/** Test files that need a newer Node than the one at hand: they run there, and their tests are reported here. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { it } from "vitest";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** From the npm registry, or from npm's cache. */
const NODE = ["--yes", "--prefer-offline", "--fetch-retries=1", "-p", "node@24", "node"];

interface Report {
  testResults: { message: string; assertionResults: Outcome[] }[];
}

interface Outcome {
  fullName: string;
  status: string;
  failureMessages: string[];
}

/**
 * Runs the file under Node 24 and registers one test for each of its tests. Where no newer Node can be had, one
 * skipped test and a line say so; with KEYLOOM_REQUIRE_STORES=1 that is a failure.
 */
export async function inNewerNode(fileUrl: string): Promise<void> {
  const file = relative(ROOT, fileURLToPath(fileUrl));
  const version = await run([...NODE, "--version"]);
  if (version.status !== 0) return cannotRun(file, `npx ${NODE.join(" ")}: ${version.output.slice(-500)}`);
  const folder = mkdtempSync(join(tmpdir(), "keyloom-newer-node-"));
  try {
    const json = join(folder, "report.json");
    const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "node", file];
    const { output } = await run([...NODE, ...vitest, "--reporter=json", `--outputFile=${json}`]);
    const { testResults } = JSON.parse(readFileSync(json, "utf8")) as Report;
    const outcomes = testResults.flatMap(({ assertionResults }) => assertionResults);
    const broken = testResults.filter(({ assertionResults }) => assertionResults.length === 0);
    if (outcomes.length === 0 || broken.length > 0) {
      throw new Error(`could not run ${file}: ${broken[0]?.message}\n${output.slice(-2000)}`);
    }
    for (const { fullName, status, failureMessages } of outcomes) {
      it.skipIf(status !== "passed" && status !== "failed")(fullName, () => {
        if (status === "failed") throw new Error(failureMessages.join("\n"));
      });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * What needs something that this machine doesn't have is skipped where everybody sees it.
 *
 * @param required - fails instead, where KEYLOOM_REQUIRE_STORES=1.
 */
export function cannotRun(what: string, reason: string, required = true): void {
  const line = `SKIPPED: ${what}: ${reason}`;
  if (required && process.env["KEYLOOM_REQUIRE_STORES"] === "1") throw new Error(line);
  console.warn(`\n${line}\n`);
  it.skip(line, () => {});
}

function run(args: readonly string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn("npx", args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => (output += String(chunk)));
    child.on("error", (error) => resolve({ status: null, output: error.message }));
    child.on("close", (status) => resolve({ status, output }));
  });
}
