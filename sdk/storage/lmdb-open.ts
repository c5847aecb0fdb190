/** Opens the LMDB engine on a path, and makes sure that what lies there is a Keyloom store. */
import { KeyloomError } from "../foundation/errors.js";
import { inspectDataFile } from "./lmdb-file.js";
import { type FileSystem, syncFolder } from "./node-files.js";
import { Arena, NO_VALUE } from "./pages.js";

export type Driver = typeof import("lmdb");
type Database = import("lmdb").Database<Uint8Array, Uint8Array>;
type RootDatabase = import("lmdb").RootDatabase<Uint8Array, Uint8Array>;

/** Names of the two trees inside the LMDB environment, and of the records in the first. */
const ABOUT_TREE = "keyloom.about";
const ENTRIES_TREE = "keyloom.entries";
const FORMAT = ascii("format");
const SEQUENCE = ascii("sequence");
const FORMAT_1 = ascii("keyloom-lmdb 1");

export interface OpenLmdb {
  readonly driver: Driver;
  readonly root: RootDatabase;
  /** The entries; the engine keeps each one's version (a commit's number) before its value. */
  readonly entries: Database;
  /** How the entries' values are read: a listing of keys needs the engine's versions, but no values. */
  readonly reading: Reading;
  /** Number of the last commit that wrote. */
  readSequence(): number;
  /** Inside a transaction only. */
  writeSequence(sequence: number): void;
}

/** What the codecs below go by. */
export interface Reading {
  /** What is read is copied here. */
  readonly arena: Arena;
  /** Leave values out: every value reads as empty. */
  keysOnly: boolean;
}

/**
 * Opens the store in the folder `path`.
 *
 * @param create - make the folder and the store where they are missing.
 * @throws {KeyloomError} `STORE_NOT_FOUND`, `STORE_UNREADABLE`, `STORE_NEWER_FORMAT`, `STORE_DAMAGED`; and what
 *   the file system and the engine throw, not yet translated.
 */
export async function openLmdb(driver: Driver, path: string, create: boolean): Promise<OpenLmdb> {
  const [fs, { join }] = await Promise.all([import("node:fs"), import("node:path")]);
  const isNew = await prepare(fs, path, join(path, "data.mdb"), create);
  const root = driver.open<Uint8Array, Uint8Array>({
    path,
    noSubdir: false,
    maxDbs: 4,
    cache: false,
    keyEncoding: "binary",
    encoding: "binary",
    // A transaction's pages are synced, and its header written through, before it is visible and before
    // the call returns: no reader acts on what a loss of power could undo, and every error has its commit.
    overlappingSync: false,
    // Metadata is nobody else's business, though secrets are wrapped.
    permissionsMode: 0o600,
  } as import("lmdb").RootDatabaseOptionsWithPath);
  try {
    root.readerCheck(); // a killed process leaves its reader's slot behind, and old pages with it
    const open = openTrees(driver, root, path, create);
    if (isNew) for (const folder of [path, join(path, "..")]) syncFolder(fs, folder);
    return open;
  } catch (error) {
    await root.close();
    throw error;
  }
}

/** @returns whether the data file is about to be made. */
async function prepare(fs: FileSystem, path: string, file: string, create: boolean): Promise<boolean> {
  if (!create && !fs.existsSync(file)) {
    throw new KeyloomError("STORE_NOT_FOUND", { message: `there is no store at ${path}`, path });
  }
  if (fs.existsSync(path)) {
    if (!fs.statSync(path).isDirectory()) {
      throw new KeyloomError("STORE_UNREADABLE", { message: `${path} is no folder`, path });
    }
    // The engine crashes where it can't open its files: try first.
    fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  } else {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  }
  for (const name of [file, `${path}/lock.mdb`]) {
    if (fs.existsSync(name)) fs.accessSync(name, fs.constants.R_OK | fs.constants.W_OK);
  }
  const exists = await inspectPatiently(fs, file);
  if (!exists) probeSpace(fs, path, 0);
  return !exists;
}

/** Another process may be writing the very first pages at this moment. */
async function inspectPatiently(fs: FileSystem, file: string): Promise<boolean> {
  for (let attempt = 0; ; attempt++) {
    try {
      // The headers are written in the machine's byte order; elsewhere the engine must do.
      if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) return fs.existsSync(file);
      return inspectDataFile(fs, file);
    } catch (error) {
      if (attempt === 5 || fs.statSync(file).size >= 8192) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/**
 * Writes 64 KiB at `position` of a file of its own beside the store, and removes it.
 *
 * For the first pages: a device without room for them would be a crash in the engine. And after a failed
 * commit: to the engine a write that came to its end too early is an I/O error, for which a full disk is the
 * most frequent reason.
 *
 * @throws what the file system throws where there is no room.
 */
export function probeSpace(fs: FileSystem, path: string, position: number): void {
  const file = `${path}/.space-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const fd = fs.openSync(file, "wx", 0o600);
  try {
    const bytes = new Uint8Array(65_536);
    for (let written = 0; written < bytes.length;) {
      written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written);
    }
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
    fs.unlinkSync(file);
  }
}

function openTrees(driver: Driver, root: RootDatabase, path: string, create: boolean): OpenLmdb {
  // The engine ends a tree's name with a zero byte.
  const trees = [...root.getKeys({ start: new Uint8Array([0]), limit: 3 })];
  const names = trees.map((name) => String.fromCharCode(...name).replace(/\0$/, ""));
  const foreign = names.find((name) => name !== ABOUT_TREE && name !== ENTRIES_TREE);
  if (foreign !== undefined) {
    const message = `${path} holds an LMDB database of another program`;
    throw new KeyloomError("STORE_UNREADABLE", { message, path });
  }
  if (names.length < 2 && !create) {
    throw new KeyloomError("STORE_NOT_FOUND", { message: `there is no store at ${path}`, path });
  }
  const reading: Reading = { arena: new Arena(), keysOnly: false };
  const entries = root.openDB<Uint8Array, Uint8Array>(ENTRIES_TREE, {
    cache: false,
    useVersions: true,
    keyEncoder: keyCodec(reading),
    encoder: valueCodec(reading),
  } as import("lmdb").DatabaseOptions);
  const about = root.openDB<Uint8Array, Uint8Array>(ABOUT_TREE, {
    cache: false,
    keyEncoding: "binary",
    encoding: "binary",
  });
  const format = about.getBinary(FORMAT) ?? root.transactionSync(() => writeFormat(about, entries, path));
  if (String.fromCharCode(...format) !== String.fromCharCode(...FORMAT_1)) {
    const message = `the store at ${path} has a newer format than this version of Keyloom knows`;
    throw new KeyloomError("STORE_NEWER_FORMAT", { message, path });
  }
  const sequence = new Uint8Array(8);
  return {
    driver,
    root,
    entries,
    reading,
    readSequence() {
      const stored = about.getBinary(SEQUENCE);
      return stored === undefined
        ? 0
        : Number(new DataView(stored.buffer, stored.byteOffset).getBigUint64(0));
    },
    writeSequence(value) {
      new DataView(sequence.buffer).setBigUint64(0, BigInt(value));
      about.put(SEQUENCE, sequence);
    },
  };
}

function writeFormat(about: Database, entries: Database, path: string): Uint8Array {
  const found = about.getBinary(FORMAT); // another process may have been first
  if (found !== undefined) return found;
  if ([...entries.getKeys({ start: new Uint8Array([0]), limit: 1 })].length > 0) {
    const message = `the store at ${path} has entries but no format record`;
    throw new KeyloomError("STORE_DAMAGED", { message, path });
  }
  about.put(FORMAT, FORMAT_1);
  return FORMAT_1;
}

/** Keys as they are: the engine's own binary keys would come back as a `Buffer`. */
function keyCodec({ arena }: Reading): object {
  const plain = plainViews();
  return {
    writeKey(key: Uint8Array, target: Uint8Array, start: number): number {
      target.set(key, start);
      return start + key.length;
    },
    readKey: (source: Uint8Array, start: number, end: number) => arena.copy(plain(source), start, end),
  };
}

/**
 * Values as they are, through one buffer whose address the engine keeps: it would ask V8 for the address of
 * each value's own buffer, at the price of a third of the put.
 */
function valueCodec(reading: Reading): object {
  const plain = plainViews();
  const scratch = Object.assign(Buffer.allocUnsafeSlow(65_536), { start: 0, end: 0 });
  return {
    copyBuffers: true, // the engine takes scratch[start, end) and is done with it before the next call
    encode(value: Uint8Array): Uint8Array {
      scratch.set(value);
      scratch.end = value.length;
      return scratch;
    },
    decode: (source: Uint8Array) =>
      reading.keysOnly ? NO_VALUE : reading.arena.copy(plain(source), 0, source.length),
  };
}

/** The engine's buffers have a `length` of their own making; copies are taken from a plain view. */
function plainViews(): (source: Uint8Array) => Uint8Array {
  let seen: Uint8Array | null = null;
  let view: Uint8Array = new Uint8Array(0);
  return (source) => {
    if (source !== seen) {
      view = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
      seen = source;
    }
    return view;
  };
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
