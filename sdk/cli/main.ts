/** The command line: a thin layer over the public API. */
import { isKeyloomError, KeyloomError, KeyManager, type Profile, type UnlockMethod } from "../index.js";
import { keyspace } from "../storage/keyspace.js";
import { storageFromUrl } from "../storage/url.js";
import { asksForJson, checkArguments, DEFAULT_STORE, parse } from "./arguments.js";
import type { CommandInput, Output } from "./command.js";
import { EXIT_CODES, failureOf, type ExitCode } from "./exit-codes.js";
import { commandHelp, generalHelp } from "./help.js";
import { jsonLine, safe, usage, type Io } from "./io.js";
import { exclude, text, type Values } from "./options.js";
import { fetched, unlockMethod } from "./secret.js";

/**
 * Runs one command.
 *
 * @param argv - the arguments, without interpreter and program
 * @param version - of the package, for `--version`
 * @returns the exit code
 */
export async function main(argv: readonly string[], io: Io, version: string): Promise<ExitCode> {
  const json = asksForJson(argv);
  try {
    const { text: shown, exit = "done" } = await run(argv, io, version, json);
    if (shown !== "") io.stdout.write(shown);
    return EXIT_CODES[exit];
  } catch (error) {
    const { failure, exit } = failureOf(error);
    io.stderr.write(
      json ? jsonLine({ error: failure }) : `keyloom: ${safe(failure.message)} (${failure.code})\n`,
    );
    return exit;
  }
}

/** @returns what goes to stdout, and what to exit with */
async function run(
  argv: readonly string[],
  io: Io,
  version: string,
  json: boolean,
): Promise<Pick<Output, "text" | "exit">> {
  const { name, command, args, values } = parse(argv);
  if (values["version"] === true) return { text: `${version}\n` };
  if (name === undefined) {
    if (values["help"] === true) return { text: `${generalHelp()}\n` };
    throw usage("no command; see --help");
  }
  if (command === undefined) throw usage(`there is no command ${name}; see --help`);
  if (values["help"] === true) return { text: `${commandHelp(name, command)}\n` };
  checkArguments(name, command, args);
  exclude(values, "passphrase-file", "raw-key-file");
  const open = (create: boolean): Promise<KeyManager> => openStore(io, values, create);
  const place = (): ReturnType<CommandInput["place"]> => placeOf(io, values);
  const output = await command.run({ io, open, place, args, values, json });
  if (output.result === undefined) return { text: "" };
  return { ...output, text: json ? jsonLine(output.result) : `${output.text}\n` };
}

function storeUrl(io: Io, values: Values): string {
  return text(values, "store") ?? (io.env["KEYLOOM_STORE"] || DEFAULT_STORE);
}

function unlockOf(io: Io, values: Values, confirm: boolean): UnlockMethod {
  const options = {
    passphraseFile: text(values, "passphrase-file"),
    rawKeyFile: text(values, "raw-key-file"),
  };
  return unlockMethod(io, options, confirm);
}

/** Where a store is to be, made if it is missing, and what will open it. The secret is fetched first. */
async function placeOf(io: Io, values: Values): ReturnType<CommandInput["place"]> {
  const unlock = await fetched(unlockOf(io, values, false));
  return { unlock, storage: await storageFromUrl(storeUrl(io, values), { create: true }) };
}

async function openStore(io: Io, values: Values, create: boolean): Promise<KeyManager> {
  const url = storeUrl(io, values);
  if (create) await requireNoStore(url);
  const storage = await storageFromUrl(url, { create });
  const unlock = unlockOf(io, values, create);
  return KeyManager.open({
    storage,
    unlock: create ? await fetched(unlock) : unlock,
    create: create ? "new" : false,
    profile: text(values, "profile") as Profile | undefined,
  });
}

/** Nobody should think up a passphrase for a store that is there already. Makes nothing where there is none. */
async function requireNoStore(url: string): Promise<void> {
  const storage = await storageFromUrl(url, { create: false });
  try {
    if ((await storage.get(keyspace.header())) === null) return;
  } catch (error) {
    if (isKeyloomError(error, "STORE_NOT_FOUND")) return;
    throw error;
  } finally {
    await storage.close();
  }
  throw new KeyloomError("STORE_EXISTS", { message: "there is a store here already" });
}
