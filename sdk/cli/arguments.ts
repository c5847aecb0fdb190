/** From the words of a command line to a command, its arguments and its options. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { Command } from "./command.js";
import { COMMANDS } from "./commands.js";
import { usage } from "./io.js";
import type { OptionTable, Values } from "./options.js";

export const DEFAULT_STORE = "lmdb:./keys";

export const GLOBAL_OPTIONS = {
  store: {
    type: "string",
    about: `the store's URL: lmdb:PATH, sqlite:PATH, postgres://… or memory: (or KEYLOOM_STORE; default ${DEFAULT_STORE})`,
  },
  "passphrase-file": {
    type: "string",
    about: "read the passphrase from the first line of a file (or KEYLOOM_PASSPHRASE)",
  },
  "raw-key-file": { type: "string", about: "unlock with the 32 bytes of a file instead of a passphrase" },
  profile: { type: "string", about: "kmip-2.1: only the transitions that KMIP numbers" },
  json: { type: "boolean", about: "one JSON result on stdout, progress and errors as JSON lines on stderr" },
  help: { type: "boolean", short: "h", about: "show this" },
  version: { type: "boolean", about: "show the version" },
} as const satisfies OptionTable;

/** Every option there is: enough to tell the command's name from the value of an option before it. */
const ALL_OPTIONS: OptionTable = Object.assign(
  {},
  ...Object.values<Command>(COMMANDS).map(({ options }) => options),
  GLOBAL_OPTIONS,
);

export interface Parsed {
  /** `undefined`: none was given. */
  name: string | undefined;
  /** `undefined`: there is none of this name. */
  command: Command | undefined;
  args: readonly string[];
  values: Values;
}

export function lookup(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? (COMMANDS as Readonly<Record<string, Command>>)[name] : undefined;
}

function tokensOf(argv: readonly string[]): { kind: string; name?: string; value?: string | undefined }[] {
  const options = ALL_OPTIONS as NonNullable<ParseArgsConfig["options"]>;
  return parseArgs({ args: [...argv], options, allowPositionals: true, strict: false, tokens: true }).tokens;
}

/** Whether `--json` stands on the command line, however wrong the rest is. */
export function asksForJson(argv: readonly string[]): boolean {
  return tokensOf(argv).some(({ kind, name }) => kind === "option" && name === "json");
}

/** @throws {KeyloomError} `CLI_USAGE` for an option that the command doesn't have, or one without its value */
export function parse(argv: readonly string[]): Parsed {
  const name = tokensOf(argv).find(({ kind }) => kind === "positional")?.value;
  const command = lookup(name ?? "");
  const options = command === undefined ? ALL_OPTIONS : { ...command.options, ...GLOBAL_OPTIONS };
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: options as NonNullable<ParseArgsConfig["options"]>,
      allowPositionals: true,
      strict: true,
    });
    return { name, command, args: positionals.slice(1), values: values as Values };
  } catch (error) {
    // Its first sentence says it; the others are advice about dashes.
    throw usage((error as Error).message.split(/\.\s/)[0]!);
  }
}

export function checkArguments(name: string, command: Command, args: readonly string[]): void {
  const required = command.args.filter((arg) => !arg.startsWith("["));
  if (args.length < required.length) throw usage(`${name} needs ${required.join(" ")}`);
  if (args.length > command.args.length) throw usage(`${name} takes no further argument ${args.at(-1)!}`);
}
