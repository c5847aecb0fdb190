/** The storage adapter over one SQLite connection, wherever the file lies. */
import { KeyloomError } from "../foundation/errors.js";
import {
  type Commit,
  type Committed,
  type Conflict,
  type Entry,
  type Found,
  type ListOptions,
  type Range,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "./adapter.js";
import { Opening } from "./opening.js";
import { copyRange, pagedList } from "./pages.js";
import { resultOf, rollBack, type SqliteDatabase } from "./sqlite-engine.js";
import { SqliteReader } from "./sqlite-reads.js";

/** Where a store lies, and how its file is reached there. */
export interface SqliteHost {
  readonly capabilities: StorageCapabilities;
  /** For messages: the file's path. */
  readonly where: string;
  /** How long a call waits for other connections, in ms. */
  readonly patience: number;
  /** Opens the store's file; what `openLayout` throws, untranslated. */
  open(): Promise<SqliteDatabase>;
  /** Closes it again. */
  close(db: SqliteDatabase): unknown;
  /** The error to throw for what the engine or the host threw. @param doing - "cannot open the store" */
  error(error: unknown, doing: string): KeyloomError;
}

interface OpenSqlite {
  readonly db: SqliteDatabase;
  readonly reader: SqliteReader;
}

export class SqliteStorage implements StorageAdapter {
  readonly capabilities: StorageCapabilities;
  readonly #host: SqliteHost;
  readonly #opening: Opening<OpenSqlite>;

  constructor(host: SqliteHost) {
    this.capabilities = host.capabilities;
    this.#host = host;
    this.#opening = new Opening(() =>
      this.patiently("cannot open the store", async () => {
        const db = await host.open();
        return { db, reader: new SqliteReader(db) };
      }),
    );
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
    validateCommit(this.capabilities, commit);
    return this.patiently("cannot commit to the store", () => {
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

  /** Opens the store if it isn't open yet. */
  protected async ready(): Promise<void> {
    await this.#opening.get();
  }

  async close(): Promise<void> {
    const opened = await this.#opening.close();
    if (opened !== null) this.#host.close(opened.db);
  }

  async #read<T>(work: (opened: OpenSqlite) => T): Promise<T> {
    const opened = await this.#opening.get();
    return this.patiently("cannot read the store", () => work(opened));
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
      this.#host.close(opened.db);
      const { where } = this.#host;
      const message = `cannot tell whether the commit to the store at ${where} took effect`;
      throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", { message, path: where, cause: error });
    }
  }

  /** Tries again, with the event loop going on, while other connections are in the way. */
  protected async patiently<T>(doing: string, work: () => T | Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#host.patience;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (resultOf(error) !== "SQLITE_BUSY" || performance.now() >= deadline) {
          throw this.#host.error(error, doing);
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
