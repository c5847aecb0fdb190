/** The texts of `--help`, made from the tables of commands, options and exit codes. */
import { GLOBAL_OPTIONS } from "./arguments.js";
import type { Command } from "./command.js";
import { COMMANDS } from "./commands.js";
import { EXIT_CODES } from "./exit-codes.js";
import { columns } from "./io.js";
import type { OptionTable } from "./options.js";

function optionLines(options: OptionTable): string {
  const rows = Object.entries(options).map(([name, { type, short, about }]) => [
    `  ${short === undefined ? "" : `-${short}, `}--${name}${type === "string" ? " …" : ""}`,
    about,
  ]);
  return columns(rows);
}

const EVERYWHERE = ["options everywhere:", optionLines(GLOBAL_OPTIONS)];

export function generalHelp(): string {
  const commands = Object.entries<Command>(COMMANDS).map(([name, { args, about }]) => [
    `  ${[name, ...args].join(" ")}`,
    about,
  ]);
  const exits = Object.entries(EXIT_CODES).map(([name, code]) => `${code} ${name}`);
  return [
    "keyloom <command> [options]",
    "",
    "commands:",
    columns(commands),
    "",
    ...EVERYWHERE,
    "",
    "keyloom <command> --help shows a command's own options.",
    `exit codes: ${exits.join(", ")}`,
  ].join("\n");
}

export function commandHelp(name: string, { args, about, options }: Command): string {
  const own = Object.keys(options).length === 0 ? [] : ["options:", optionLines(options), ""];
  return [`keyloom ${[name, ...args].join(" ")}: ${about}`, "", ...own, ...EVERYWHERE].join("\n");
}
