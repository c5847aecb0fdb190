/** The storage adapter for Node over SQLite: one file, which every tool can read. */
import { KeyloomError } from "../foundation/errors.js";
import {
  type Commit,
  type Committed,
  type Conflict,
  closedError,
  type Entry,
  type Found,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Range,
  type Snapshot,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "./adapter.js";
import { Opening } from "./opening.js";
import { copyRange, pagedList } from "./pages.js";
import {
  loadSqlite,
  openSqlite,
  prepareFile,
  resultOf,
  rollBack,
  type SqliteDatabase,
  type SqliteDriver,
  type SqliteDriverName,
  sqliteError,
} from "./sqlite-open.js";
import { SqliteReader } from "./sqlite-reads.js";

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
  return new SqliteStorage(options);
}

interface OpenSqlite {
  readonly db: SqliteDatabase;
  readonly driver: SqliteDriver;
  readonly reader: SqliteReader;
}

class SqliteStorage implements StorageAdapter {
  readonly capabilities = CAPABILITIES;
  readonly #path: string;
  readonly #lockTimeoutMs: number;
  readonly #opening: Opening<OpenSqlite>;
  readonly #snapshots = new Set<SqliteSnapshot>();

  constructor({ path, create = true, driver, lockTimeoutMs = 10_000 }: SqliteStorageOptions) {
    this.#path = path;
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#opening = new Opening(async () => {
      const open = await loadSqlite(driver);
      return this.#patiently("cannot open the store", async () => {
        await prepareFile(path, create);
        const db = openSqlite(open, path, create);
        return { db, driver: open, reader: new SqliteReader(db) };
      });
    });
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return this.#read(({ reader }) => reader.get(key));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    return this.#read(({ db, reader }) => {
      db.exec("BEGIN");
      try {
        return keys.map((key) => reader.get(key));
      } finally {
        rollBack(db);
      }
    });
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => {
      let rest = copied;
      return (count) =>
        this.#read(({ reader }) => {
          const page = reader.page(rest, count);
          rest = page.rest;
          return page.entries;
        });
    });
  }

  async count(range: Range): Promise<number> {
    const copied = copyRange(range, {});
    return this.#read(({ reader }) => reader.count(copied));
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    const opened = await this.#opening.get();
    validateCommit(CAPABILITIES, commit);
    return this.#patiently("cannot commit to the store", () => {
      const { db } = opened;
      db.exec("BEGIN IMMEDIATE");
      let outcome: Committed | Conflict;
      try {
        outcome = apply(opened.reader, commit);
      } catch (error) {
        rollBack(db);
        throw error;
      }
      if (!outcome.committed || commit.mutations.length === 0) rollBack(db);
      else this.#finish(opened);
      return outcome;
    });
  }

  async snapshot(): Promise<Snapshot> {
    const { driver } = await this.#opening.get();
    return this.#patiently("cannot read the store", () => {
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

  async close(): Promise<void> {
    const opened = await this.#opening.close();
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
    opened?.db.close();
  }

  async #read<T>(work: (opened: OpenSqlite) => T): Promise<T> {
    const opened = await this.#opening.get();
    return this.#patiently("cannot read the store", () => work(opened));
  }

  /** Ends a transaction that has written. */
  #finish(opened: OpenSqlite): void {
    try {
      opened.db.exec("COMMIT");
    } catch (error) {
      const result = resultOf(error);
      rollBack(opened.db);
      // The log's last page was not written whole: nobody will take it for a commit.
      if (result === "SQLITE_BUSY" || result === "SQLITE_FULL") throw error;
      // It may lie in the log, synced or not. Whoever reads the log anew decides; this connection must not go on.
      this.#opening.drop(opened);
      opened.db.close();
      const message = `cannot tell whether the commit to the store at ${this.#path} took effect`;
      throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", { message, path: this.#path, cause: error });
    }
  }

  /** Tries again, with the event loop going on, while other connections are in the way. */
  async #patiently<T>(doing: string, work: () => T | Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#lockTimeoutMs;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (resultOf(error) !== "SQLITE_BUSY" || performance.now() >= deadline) {
          throw sqliteError(error, doing, this.#path);
        }
      }
      // By chance: several that wait should not come back together.
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 15));
    }
  }
}

/** Inside a transaction: compares every check, then writes. */
function apply(reader: SqliteReader, { checks, mutations }: Commit): Committed | Conflict {
  const conflicts: Found[] = [];
  for (const { key, version } of checks) {
    const found = reader.version(key);
    if (found !== version) conflicts.push({ key: new Uint8Array(key), found, expected: version });
  }
  if (conflicts.length > 0) return { committed: false, conflicts };
  if (mutations.length === 0) return { committed: true, versions: [] };
  const { value: sequence } = reader
    .statement("UPDATE keyloom_about SET value = value + 1 WHERE name = 'sequence' RETURNING value")
    .get() as { value: number };
  // A driver may bind an empty value as NULL.
  const put = reader.statement(`
    INSERT INTO keyloom_entries (key, version, value) VALUES (?, ?, coalesce(?, x''))
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value`);
  const remove = reader.statement("DELETE FROM keyloom_entries WHERE key = ?");
  const version = String(sequence);
  const versions: string[] = [];
  for (const mutation of mutations) {
    if (mutation.kind === "put") {
      put.run(mutation.key, sequence, mutation.value);
      versions.push(version);
    } else {
      remove.run(mutation.key);
    }
  }
  return { committed: true, versions };
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
      throw sqliteError(error, "cannot read the store", this.#path);
    }
  }
}
