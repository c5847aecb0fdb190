#!/usr/bin/env node
/** The program `keyloom`. */
import { readFileSync } from "node:fs";
import { main } from "./main.js";

const interrupt = new AbortController();
// The first interrupt ends the work in good order, the second at once.
process.once("SIGINT", () => interrupt.abort());

function packageVersion(): string {
  // From dist/node/cli.js as from sdk/cli/index.ts, package.json lies two folders up.
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

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
