/** The storage adapter for browsers over IndexedDB, by way of `idb`. */
import type { IDBPDatabase, IDBPTransaction } from "idb";

import { KeyloomError } from "../foundation/errors.js";
import {
  type Commit,
  type Committed,
  compareBytes,
  type Conflict,
  type Entry,
  type Found,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Mutation,
  type Range,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "./adapter.js";
import {
  ABOUT,
  type Driver,
  ENTRIES,
  indexeddbError,
  noop,
  type OpenDatabase,
  openDatabase,
  type Schema,
  VERSION_BYTES,
} from "./indexeddb-open.js";
import { loadDriver, Opening } from "./opening.js";
import { type CopiedRange, copyRange, NO_VALUE, pagedList, type ReadPage } from "./pages.js";

export interface IndexeddbStorageOptions {
  /** The database's name within the page's origin; `keyloom` where not given. */
  readonly name?: string | undefined;
  /** Make the database where it is missing (default); `false`: `STORE_NOT_FOUND` instead. */
  readonly create?: boolean | undefined;
  /**
   * `strict` (default): a commit is acknowledged after the browser has flushed it to the device. `relaxed`: after
   * it was handed to the operating system; a loss of power may undo the last commits, never a part of one.
   */
  readonly durability?: "strict" | "relaxed" | undefined;
  /** Loads `idb`, for pages that can't `import("idb")`. */
  readonly driver?: (() => Promise<Driver>) | undefined;
}

/**
 * A store in an IndexedDB database. Nothing is opened before the first call. Several tabs and workers of one
 * origin may hold it open; their commits run one after the other.
 *
 * A browser may evict a site's data when the device runs short of room, unless the page has asked for
 * persistent storage: call `await navigator.storage.persist()` and tell the user when it answers false. An
 * adapter whose database went away meanwhile answers `STORE_NOT_FOUND` and doesn't make an empty one in its
 * place. There are no snapshots: IndexedDB ends a transaction that waits.
 *
 * The first call throws what opening throws: `STORAGE_DRIVER_MISSING`, `STORE_NOT_FOUND`, `STORE_UNREADABLE` (a
 * database of another program), `STORE_NEWER_FORMAT`, `STORAGE_FULL`, `STORAGE_READ_ONLY` (the page may not use
 * IndexedDB), `STORAGE_IO`. The next call tries again.
 */
export function indexeddbStorage(options: IndexeddbStorageOptions = {}): StorageAdapter {
  return new IndexeddbStorage(options);
}

type Reading = IDBPTransaction<Schema, [typeof ENTRIES], "readonly">;

class IndexeddbStorage implements StorageAdapter {
  readonly capabilities: StorageCapabilities;
  readonly #options: IndexeddbStorageOptions;
  readonly #name: string;
  readonly #durability: "strict" | "relaxed";
  readonly #opening = new Opening(() => this.#openNow());
  /** Of the database that this adapter has seen first. */
  #origin: number | null = null;

  constructor(options: IndexeddbStorageOptions) {
    const { name = "keyloom", durability = "strict" } = options;
    if (typeof name !== "string" || name === "") throw new TypeError("a database's name is a text");
    if (durability !== "strict" && durability !== "relaxed") {
      throw new TypeError("durability is strict or relaxed");
    }
    this.#options = options;
    this.#name = name;
    this.#durability = durability;
    this.capabilities = Object.freeze({
      maxChecks: 16_384,
      maxMutations: 16_384,
      maxCommitBytes: 16 * 1024 * 1024,
      maxKeyBytes: MAX_KEY_BYTES,
      maxValueBytes: MAX_VALUE_BYTES,
      durable: durability === "strict",
      multiProcess: true,
      snapshot: false,
      watch: false,
    });
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return (await this.getMany([key]))[0] as Entry | null;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    for (const key of keys) {
      if (!(key instanceof Uint8Array)) throw new TypeError("a storage key is a Uint8Array");
    }
    const copies = keys.map((key) => new Uint8Array(key));
    return this.#read(async (transaction) => {
      const entries = transaction.objectStore(ENTRIES);
      const stored = await Promise.all(
        copies.map((key) => (key.length === 0 ? undefined : entries.get(key))),
      );
      return copies.map((key, i) => {
        const record = stored[i];
        return record === undefined ? null : entryOf(key, record);
      });
    });
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => this.#pageReader(copied));
  }

  async count(range: Range): Promise<number> {
    const { start, end } = copyRange(range, {});
    const bounds = boundsOf(start, end);
    return this.#read(async (transaction) =>
      bounds === null ? 0 : transaction.objectStore(ENTRIES).count(bounds),
    );
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    const opened = await this.#opening.get();
    validateCommit(this.capabilities, commit);
    // Every byte is ready before the transaction opens: it would end while it waited for anything else.
    const records = commit.mutations.map(recordOf);
    const mode = commit.mutations.length === 0 ? "readonly" : "readwrite";
    const attempt = ({ db }: OpenDatabase): Promise<Committed | Conflict> =>
      apply(db, commit, records, mode, this.#durability);
    return this.#run(opened, "cannot commit to the store", attempt);
  }

  async close(): Promise<void> {
    (await this.#opening.close())?.db.close();
  }

  async #openNow(): Promise<OpenDatabase> {
    const { create = true, driver = () => import("idb") } = this.#options;
    const name = this.#name;
    if (!("indexedDB" in globalThis)) {
      throw new KeyloomError("STORAGE_IO", { message: "this host has no IndexedDB", database: name });
    }
    const idb = await loadDriver(driver, "IndexedDB", "run `npm i idb`");
    try {
      // Once seen, the database is never made anew: an empty one would pass for the user's keys.
      const mayCreate = create && this.#origin === null;
      const opened = await openDatabase(idb, name, mayCreate, (gone) => this.#opening.drop(gone));
      if (this.#origin !== null && this.#origin !== opened.origin) {
        opened.db.close();
        const message = `the store in the database ${name} was removed, and another made in its place`;
        throw new KeyloomError("STORE_NOT_FOUND", { message, database: name });
      }
      this.#origin = opened.origin;
      return opened;
    } catch (error) {
      throw indexeddbError(error, "cannot open the store", name);
    }
  }

  async #read<T>(work: (transaction: Reading) => Promise<T>): Promise<T> {
    return this.#run(await this.#opening.get(), "cannot read the store", async ({ db }) => {
      const transaction = db.transaction(ENTRIES, "readonly");
      transaction.done.catch(noop); // its requests tell
      return work(transaction);
    });
  }

  /** Once more on a new connection where this one had ended before any transaction was begun. */
  async #run<T>(opened: OpenDatabase, doing: string, work: (opened: OpenDatabase) => Promise<T>): Promise<T> {
    try {
      return await work(opened).catch(async (error: unknown) => {
        if ((error as DOMException | null)?.name !== "InvalidStateError") throw error;
        this.#opening.drop(opened);
        return work(await this.#opening.get());
      });
    } catch (error) {
      throw indexeddbError(error, doing, this.#name);
    }
  }

  #pageReader({ start, end, reverse, keysOnly }: CopiedRange): ReadPage {
    let from = start;
    let to = end;
    return (count) => {
      const bounds = boundsOf(from, to);
      return this.#read(async (transaction) => {
        if (bounds === null) return [];
        const page = await (reverse ? pageBackwards : pageForwards)(transaction, bounds, count);
        const last = page[page.length - 1]?.key;
        if (last !== undefined) {
          if (reverse) to = last.slice();
          else from = successor(last);
        }
        return keysOnly ? page.map(({ key, version }) => ({ key, value: NO_VALUE, version })) : page;
      });
    };
  }
}

/** One transaction: gets together, compare, then puts. Nothing but its own requests is awaited in it. */
async function apply(
  db: IDBPDatabase<Schema>,
  { checks, mutations }: Commit,
  records: readonly (Uint8Array<ArrayBuffer> | null)[],
  mode: "readonly" | "readwrite",
  durability: "strict" | "relaxed",
): Promise<Committed | Conflict> {
  const transaction = db.transaction([ENTRIES, ABOUT], mode, { durability });
  const { done } = transaction;
  done.catch(noop); // awaited below, unless a request fails first
  try {
    const entries = transaction.objectStore(ENTRIES);
    const about = transaction.objectStore(ABOUT);
    const [sequence, ...stored] = await Promise.all([
      about.get("sequence"),
      ...checks.map(({ key }) => entries.get(key as Uint8Array<ArrayBuffer>)),
    ]);
    const conflicts: Found[] = [];
    for (const [i, { key, version }] of checks.entries()) {
      const record = stored[i];
      const found = record === undefined ? null : versionOf(record);
      if (found !== version) conflicts.push({ key: new Uint8Array(key), found, expected: version });
    }
    if (conflicts.length > 0) {
      transaction.abort();
      return { committed: false, conflicts };
    }
    if (mode === "readonly") return { committed: true, versions: [] };
    if (sequence === undefined) {
      throw new KeyloomError("STORE_DAMAGED", { message: "the store's count of commits is missing" });
    }
    const next = sequence + 1;
    const writes: (Promise<unknown> | undefined)[] = [about.put?.(next, "sequence")];
    const versions: string[] = [];
    for (const [i, { key }] of mutations.entries()) {
      const record = records[i];
      if (record == null) {
        writes.push(entries.delete?.(key as Uint8Array<ArrayBuffer>));
        continue;
      }
      new DataView(record.buffer).setFloat64(0, next);
      writes.push(entries.put?.(record, key as Uint8Array<ArrayBuffer>));
      versions.push(String(next));
    }
    transaction.commit();
    await Promise.all([...writes, done]);
    return { committed: true, versions };
  } catch (error) {
    abort(transaction);
    // A request that fails because its transaction was aborted doesn't say why; the transaction does.
    const reason = await done.then(noop, (cause: unknown) => cause);
    throw (error as DOMException | null)?.name === "AbortError" && reason != null ? reason : error;
  }
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}

/** A put's record, its version still to come; null for a delete. */
function recordOf(mutation: Mutation): Uint8Array<ArrayBuffer> | null {
  if (mutation.kind === "delete") return null;
  const record = new Uint8Array(VERSION_BYTES + mutation.value.length);
  record.set(mutation.value, VERSION_BYTES);
  return record;
}

async function pageForwards(transaction: Reading, bounds: IDBKeyRange, count: number): Promise<Entry[]> {
  const entries = transaction.objectStore(ENTRIES);
  const [keys, records] = await Promise.all([
    entries.getAllKeys(bounds, count),
    entries.getAll(bounds, count),
  ]);
  return keys.map((key, i) => entryOf(key, records[i] as Uint8Array));
}

async function pageBackwards(transaction: Reading, bounds: IDBKeyRange, count: number): Promise<Entry[]> {
  const page: Entry[] = [];
  let cursor = await transaction.objectStore(ENTRIES).openCursor(bounds, "prev");
  while (cursor !== null) {
    page.push(entryOf(cursor.key, cursor.value));
    if (page.length === count) break;
    cursor = await cursor.continue();
  }
  return page;
}

/** @param key - as the engine gives it: an ArrayBuffer, whatever kind of bytes was put. */
function entryOf(key: Uint8Array | ArrayBuffer, record: Uint8Array): Entry {
  return {
    key: key instanceof Uint8Array ? key : new Uint8Array(key),
    value: record.subarray(VERSION_BYTES),
    version: versionOf(record),
  };
}

function versionOf(record: Uint8Array): string {
  return String(new DataView(record.buffer, record.byteOffset).getFloat64(0));
}

/** @returns null for a range without keys, which the engine refuses. */
function boundsOf(start: Uint8Array, end: Uint8Array | null): IDBKeyRange | null {
  if (end === null) return IDBKeyRange.lowerBound(start);
  return compareBytes(start, end) < 0 ? IDBKeyRange.bound(start, end, false, true) : null;
}

function successor(key: Uint8Array): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
