#!/usr/bin/env node
/** The program `keyloom`. */
import { readFileSync } from "node:fs";
import { EXIT_CODES } from "./exit-codes.js";
import { main } from "./main.js";

const interrupt = new AbortController();
// The first signal ends the work in good order, the second at once.
process.once("SIGINT", () => interrupt.abort("interrupted"));
process.once("SIGTERM", () => interrupt.abort("asked to end"));
process.once("SIGHUP", () => interrupt.abort("the terminal is gone"));
process.stdout.on("error", () => interrupt.abort("nobody reads the output any more"));
process.stderr.on("error", () => undefined);

function packageVersion(): string {
  // From dist/node/cli.js as from sdk/cli/index.ts, package.json lies two folders up.
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

// Should the process run out of things to wait for before `main` has ended, that is no success.
process.exitCode = EXIT_CODES.failed;

void main(
  process.argv.slice(2),
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: interrupt.signal,
  },
  packageVersion(),
).then((code) => {
  process.exitCode = code;
});
