/**
 * `npm run generate`: the files that are made from tables of the source. They are committed, so that they can
 * be read where they lie; `.ci/run` makes them again and fails when one is stale.
 */
import { readFileSync, writeFileSync } from "node:fs";

import { ERROR_CODES } from "../sdk/foundation/errors.js";
import {
  dateRows,
  permissionRows,
  stateDiagram,
  transitionRows,
  USE_COLUMNS,
} from "../sdk/lifecycle/diagram.js";
import { buildWasm } from "./build-wasm.mjs";

const ROOT = new URL("../", import.meta.url);
const NOTE = "<!-- Made by `npm run generate`; change the source it names instead. -->";

const GENERATED: Record<string, () => string> = {
  // The compiler's own description of what the core exports.
  "bindings/generated/abi.d.ts": () => readFileSync(new URL("build/keyloom-simd.d.ts", ROOT), "utf8"),
  "docs/ERRORS.md": errors,
  "docs/LIFECYCLE.md": lifecycle,
  "README.md": () => withTable(readFileSync(new URL("README.md", ROOT), "utf8"), "states", permissions()),
};

await buildWasm({ targets: ["simd"], onlyIfOutdated: true });
for (const [path, make] of Object.entries(GENERATED)) {
  writeFileSync(new URL(path, ROOT), make());
  console.log(`generated ${path}`);
}

function errors(): string {
  return [
    NOTE,
    "",
    "# Errors",
    "",
    "What Keyloom throws on purpose is a `KeyloomError` with one of these codes (`sdk/foundation/errors.ts`). Codes are",
    "part of semver, messages are not. The class decides the exit code of the command line. A value of a wrong JavaScript",
    "type is a `TypeError`.",
    "",
    ...table(
      ["Code", "Class"],
      Object.entries(ERROR_CODES).map(([code, group]) => [`\`${code}\``, group]),
    ),
    "",
  ].join("\n");
}

function permissions(): string[] {
  return table(["State", ...Object.values(USE_COLUMNS)], permissionRows());
}

function lifecycle(): string {
  return [
    NOTE,
    "",
    "# The lifecycle",
    "",
    "The states of a key version and what leads from one to the other, from `sdk/lifecycle/states.ts`. K: the transitions",
    "that KMIP 2.1 §4.57 numbers; N: those of NIST SP 800-57 part 1, which the profile `kmip-2.1` switches off. What is not",
    "here is refused.",
    "",
    "```mermaid",
    ...stateDiagram(),
    "```",
    "",
    ...table(["Row", "From", "To", "By", ""], transitionRows()),
    "",
    "## What each state permits",
    "",
    "The usage mask is always asked besides, and while a key is archived its material can't be used at all.",
    "",
    ...permissions(),
    "",
    "## Dates",
    "",
    "From `sdk/lifecycle/dates.ts`. Activation ≤ process-start and protect-stop ≤ deactivation.",
    "",
    ...table(["Date", "Set by", "", "A command can change it in"], dateRows()),
    "",
  ].join("\n");
}

/** A page with the table between its two marks made anew. */
function withTable(page: string, name: string, lines: string[]): string {
  const marks = new RegExp(`(<!-- ${name}: .*? -->\\n)[^]*?(<!-- end of ${name} -->)`);
  if (!marks.test(page)) throw new Error(`the page has no marks for ${name}`);
  return page.replace(marks, (_, begin: string, end: string) => `${begin}\n${lines.join("\n")}\n\n${end}`);
}

/** A Markdown table with its columns aligned, as the formatter would leave it. */
function table(head: string[], rows: string[][]): string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}
