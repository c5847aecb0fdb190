/** The command line: a thin layer over the public API. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { KeyloomError, KeyManager } from "../index.js";
import { storageFromUrl } from "../storage/url.js";
import { COMMANDS, type Command, type Values } from "./commands.js";
import { EXIT_CODES, failureOf, type ExitCode } from "./exit-codes.js";
import { columns, safe, type Io } from "./io.js";
import { unlockMethod } from "./secret.js";

const DEFAULT_STORE = "lmdb:./keys";

const GLOBAL_OPTIONS = {
  store: {
    type: "string",
    about: `the store's URL, lmdb:PATH or memory: (or KEYLOOM_STORE; default ${DEFAULT_STORE})`,
  },
  "passphrase-file": {
    type: "string",
    about: "read the passphrase from the first line of a file (or KEYLOOM_PASSPHRASE)",
  },
  "raw-key-file": { type: "string", about: "unlock with the 32 bytes of a file instead of a passphrase" },
  json: { type: "boolean", about: "one JSON result on stdout, progress and errors as JSON lines on stderr" },
  help: { type: "boolean", short: "h", about: "show this" },
  version: { type: "boolean", about: "show the version" },
} as const;

type OptionTable = Readonly<Record<string, { type: "string" | "boolean"; short?: string; about: string }>>;

function optionLines(options: OptionTable): string {
  const rows = Object.entries(options).map(([name, { type, short, about }]) => [
    `  ${short === undefined ? "" : `-${short}, `}--${name}${type === "string" ? " …" : ""}`,
    about,
  ]);
  return columns(rows);
}

function help(name: string | undefined): string {
  const global = ["options everywhere:", optionLines(GLOBAL_OPTIONS)];
  const command = name === undefined ? undefined : lookup(name);
  if (command === undefined) {
    const rows = Object.entries<Command>(COMMANDS).map(([key, { args, about }]) => [
      `  ${[key, ...args].join(" ")}`,
      about,
    ]);
    const exits = Object.entries(EXIT_CODES).map(([key, code]) => `${code} ${key}`);
    return [
      "keyloom <command> [options]",
      "",
      "commands:",
      columns(rows),
      "",
      ...global,
      "",
      `exit codes: ${exits.join(", ")}`,
    ].join("\n");
  }
  const own = Object.keys(command.options).length === 0 ? [] : ["options:", optionLines(command.options), ""];
  return [`keyloom ${[name, ...command.args].join(" ")}: ${command.about}`, "", ...own, ...global].join("\n");
}

function lookup(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? (COMMANDS as Readonly<Record<string, Command>>)[name] : undefined;
}

function usage(message: string): KeyloomError {
  return new KeyloomError("CLI_USAGE", { message });
}

interface Parsed {
  name: string | undefined;
  command: Command | undefined;
  args: string[];
  values: Values;
}

function parse(argv: readonly string[]): Parsed {
  const name = argv.find((word) => !word.startsWith("-"));
  const command = name === undefined ? undefined : lookup(name);
  const options = { ...GLOBAL_OPTIONS, ...command?.options } as ParseArgsConfig["options"];
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: options!,
      allowPositionals: true,
      strict: true,
    });
    return {
      name: positionals[0],
      command: lookup(positionals[0] ?? ""),
      args: positionals.slice(1),
      values: values as Values,
    };
  } catch (error) {
    if (name !== undefined && command === undefined)
      throw usage(`there is no command ${safe(name)}; see --help`);
    throw usage(safe((error as Error).message.split(". ")[0]!));
  }
}

function checkArguments(name: string, command: Command, args: readonly string[]): void {
  const required = command.args.filter((arg) => !arg.startsWith("["));
  if (args.length < required.length) throw usage(`${name} needs ${required.join(" ")}`);
  if (args.length > command.args.length)
    throw usage(`${name} takes no further argument ${safe(args.at(-1)!)}`);
}

/**
 * Runs one command.
 *
 * @param argv - the arguments, without interpreter and program
 * @param version - of the package, for `--version`
 * @returns the exit code
 */
export async function main(argv: readonly string[], io: Io, version: string): Promise<ExitCode> {
  const json = argv.includes("--json");
  try {
    const { name, command, args, values } = parse(argv);
    if (values["version"] === true) {
      io.stdout.write(`${version}\n`);
      return EXIT_CODES.done;
    }
    if (values["help"] === true) {
      io.stdout.write(`${help(name)}\n`);
      return EXIT_CODES.done;
    }
    if (name === undefined) throw usage("no command; see --help");
    if (command === undefined) throw usage(`there is no command ${safe(name)}; see --help`);
    checkArguments(name, command, args);
    const open = async (create: boolean): Promise<KeyManager> => {
      const url = (values["store"] as string | undefined) ?? (io.env["KEYLOOM_STORE"] || DEFAULT_STORE);
      const unlock = unlockMethod(
        io,
        {
          passphraseFile: values["passphrase-file"] as string | undefined,
          rawKeyFile: values["raw-key-file"] as string | undefined,
        },
        create,
      );
      const storage = await storageFromUrl(url, { create });
      return KeyManager.open({ storage, unlock, create: create ? "new" : false });
    };
    const { result, text } = await command.run({ io, open, args, values, json });
    if (result !== undefined) io.stdout.write(json ? `${JSON.stringify(result)}\n` : `${text}\n`);
    return EXIT_CODES.done;
  } catch (error) {
    const { code, message, exit } = failureOf(error);
    const line = safe(message);
    io.stderr.write(
      json ? `${JSON.stringify({ error: { code, message } })}\n` : `keyloom: ${line} (${code})\n`,
    );
    return exit;
  }
}
