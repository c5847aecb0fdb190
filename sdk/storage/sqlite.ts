/** The storage adapter for Node over SQLite: one file, which every tool can read. */
import {
  closedError,
  type Entry,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Range,
  type Snapshot,
  type StorageAdapter,
  type StorageCapabilities,
} from "./adapter.js";
import { FILE_ERRORS } from "./node-files.js";
import { copyRange, pagedList } from "./pages.js";
import { type SqliteDatabase, sqliteError } from "./sqlite-engine.js";
import {
  loadSqlite,
  openSqlite,
  prepareFile,
  type SqliteDriver,
  type SqliteDriverName,
} from "./sqlite-open.js";
import { SqliteReader } from "./sqlite-reads.js";
import { SqliteStorage } from "./sqlite-store.js";

export interface SqliteStorageOptions {
  /** The store's file; the engine keeps `-wal` and `-shm` beside it. Not on a network file system. */
  readonly path: string;
  /** Make the file and its folders where they are missing (default); `false`: `STORE_NOT_FOUND` instead. */
  readonly create?: boolean | undefined;
  /** How long a call waits for other processes' commits, in ms, before it is `STORAGE_LOCKED`; 10,000 by default. */
  readonly lockTimeoutMs?: number | undefined;
  /** `node:sqlite` (Node ≥ 22.13) or `better-sqlite3`; the first of them that loads where not given. */
  readonly driver?: SqliteDriverName | (() => Promise<SqliteDriver>) | undefined;
}

const CAPABILITIES: StorageCapabilities = Object.freeze({
  maxChecks: 65_536,
  maxMutations: 65_536,
  maxCommitBytes: 64 * 1024 * 1024,
  maxKeyBytes: MAX_KEY_BYTES,
  maxValueBytes: MAX_VALUE_BYTES,
  durable: true,
  multiProcess: true,
  snapshot: true,
  watch: false,
});

/**
 * A store in a SQLite file. Nothing is opened before the first call.
 *
 * Durable: the write-ahead log is synced to the device before a commit is acknowledged (`synchronous=FULL`). One
 * commit at a time, other processes' too (`BEGIN IMMEDIATE`); a commit blocks the event loop while it works, and
 * waits for others without blocking it. Readers never wait; the log grows while a snapshot is held.
 *
 * The first call throws what opening throws: `STORAGE_DRIVER_MISSING`, `STORE_NOT_FOUND`, `STORE_UNREADABLE`
 * (a foreign file), `STORE_DAMAGED`, `STORE_NEWER_FORMAT`, `STORAGE_READ_ONLY`, `STORAGE_FULL`,
 * `STORAGE_LOCKED`, `STORAGE_IO`. The next call tries again.
 */
export function sqliteStorage(options: SqliteStorageOptions): StorageAdapter {
  if (typeof options.path !== "string" || options.path === "") {
    throw new TypeError("sqliteStorage needs a path");
  }
  return new FileStorage(options);
}

/** Adds what a file allows: a second connection, which sees the store as it was. */
class FileStorage extends SqliteStorage {
  readonly #path: string;
  readonly #driver: () => Promise<SqliteDriver>;
  readonly #snapshots = new Set<SqliteSnapshot>();

  constructor({ path, create = true, driver, lockTimeoutMs = 10_000 }: SqliteStorageOptions) {
    const load = (): Promise<SqliteDriver> => loadSqlite(driver);
    super({
      capabilities: CAPABILITIES,
      where: path,
      patience: lockTimeoutMs,
      async open() {
        const open = await load();
        await prepareFile(path, create);
        return openSqlite(open, path, create);
      },
      close: (db) => db.close(),
      error: (error, doing) => sqliteError(error, doing, path, FILE_ERRORS),
    });
    this.#path = path;
    this.#driver = load;
  }

  async snapshot(): Promise<Snapshot> {
    await this.ready();
    const driver = await this.#driver();
    return this.patiently("cannot read the store", () => {
      const db = openSqlite(driver, this.#path, false);
      try {
        db.exec("BEGIN");
        const snapshot = new SqliteSnapshot(db, this.#path, () => this.#snapshots.delete(snapshot));
        this.#snapshots.add(snapshot);
        return snapshot;
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  override async close(): Promise<void> {
    await super.close();
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
  }
}

/** A connection of its own, in a read transaction that began with the first read: here, at once. */
class SqliteSnapshot implements Snapshot {
  readonly #path: string;
  readonly #onClose: () => void;
  #open: { db: SqliteDatabase; reader: SqliteReader } | null;

  constructor(db: SqliteDatabase, path: string, onClose: () => void) {
    this.#path = path;
    this.#onClose = onClose;
    this.#open = { db, reader: new SqliteReader(db) };
    this.#open.reader.version(Uint8Array.of(0));
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return this.#read((reader) => reader.get(key));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    return this.#read((reader) => keys.map((key) => reader.get(key)));
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => {
      let rest = copied;
      return (count) =>
        this.#read((reader) => {
          const page = reader.page(rest, count);
          rest = page.rest;
          return page.entries;
        });
    });
  }

  async count(range: Range): Promise<number> {
    const copied = copyRange(range, {});
    return this.#read((reader) => reader.count(copied));
  }

  async close(): Promise<void> {
    this.#open?.db.close();
    this.#open = null;
    this.#onClose();
  }

  #read<T>(work: (reader: SqliteReader) => T): T {
    if (this.#open === null) throw closedError("snapshot");
    try {
      return work(this.#open.reader);
    } catch (error) {
      throw sqliteError(error, "cannot read the store", this.#path, FILE_ERRORS);
    }
  }
}
