/** What a command is, and what several of them do alike. */
import type { Key, KeyManager, StorageAdapter, UnlockMethod } from "../index.js";
import type { EXIT_CODES } from "./exit-codes.js";
import { requireFree, requireReadable, source, writeOut } from "./files.js";
import { safe, type Io } from "./io.js";
import { text, type OptionTable, type Values } from "./options.js";
import { keyDetails } from "./tables.js";

export interface CommandInput {
  io: Io;
  /** Opens the store when the command needs it; `true` initialises it. */
  open: (create: boolean) => Promise<KeyManager>;
  /** An empty place for a store, and what will open it. */
  place: () => Promise<{ storage: StorageAdapter; unlock: UnlockMethod }>;
  args: readonly string[];
  values: Values;
  json: boolean;
}

export interface Output {
  /** One JSON value for `--json`; `undefined`: the command wrote its result itself (to stdout). */
  result: unknown;
  text: string;
  /** What the program exits with although the command did its work; default: done. */
  exit?: keyof typeof EXIT_CODES;
}

export interface Command {
  /** Arguments as help shows them; a `[…]` one may be left out. */
  args: readonly string[];
  about: string;
  options: OptionTable;
  /** What is wrong with the command line is said before the store is opened. */
  run(input: CommandInput): Promise<Output>;
}

/** With the manager open, whatever happens it is closed. */
export async function using<T>(
  input: CommandInput,
  use: (keys: KeyManager) => Promise<T>,
  create = false,
): Promise<T> {
  const keys = await input.open(create);
  try {
    return await use(keys);
  } finally {
    await keys.close();
  }
}

/** A command that does one thing with one key and shows the key. */
export function withKey(
  input: CommandInput,
  use: (keys: KeyManager, key: string) => Promise<Key>,
): Promise<Output> {
  return using(input, async (keys) => {
    const key = await use(keys, input.args[0]!);
    return { result: key, text: keyDetails(key) };
  });
}

/** Makes a stream of a source. */
export type Conversion = (source: AsyncIterable<Uint8Array>) => ReadableStream<Uint8Array>;

/** `encrypt` and `decrypt`: everything that can be refused beforehand is. @returns what puts a stream to its place */
export async function conversion(
  input: CommandInput,
  defaultName: (path: string) => string,
): Promise<(convert: Conversion) => Promise<Output>> {
  const { io, values } = input;
  const path = input.args[0]!;
  const target = text(values, "output") ?? defaultName(path);
  const force = values["force"] === true;
  await requireReadable(path);
  await requireFree(target, force);
  return async (convert) => {
    const bytes = await writeOut(io, target, convert(source(io, path)), force);
    if (target === "-") return { result: undefined, text: "" };
    return {
      result: { output: target, bytes },
      text: `${safe(target)}: ${bytes.toLocaleString("en")} bytes`,
    };
  };
}
