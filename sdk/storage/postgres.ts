/** The storage adapter for services that outgrow one machine: PostgreSQL, over `pg`. */
import type { Client, PoolClient, PoolConfig } from "pg";

import { KeyloomError } from "../foundation/errors.js";
import {
  type Commit,
  type Committed,
  type Conflict,
  closedError,
  type Entry,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Range,
  type Snapshot,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "./adapter.js";
import { loadDriver, Opening } from "./opening.js";
import { copyRange, pagedList } from "./pages.js";
import { applyPlan, committed, conflict, failedChecks, type Plan, planOf } from "./postgres-commit.js";
import { DEFAULT_TABLE, type Driver, type OpenPostgres, openPostgres, readUrl } from "./postgres-open.js";
import { PostgresReader } from "./postgres-reads.js";
import { isContention, isDisconnection, isRefusal, postgresError } from "./postgres-wire.js";

export interface PostgresStorageOptions {
  /** `postgres://user:password@host:port/database`, with the driver's settings in its query (`sslmode`, …). */
  readonly url?: string | undefined;
  /**
   * The driver's own settings, over those of the URL: `ssl` for TLS with a CA of one's own, `password` as a function,
   * `max` for the number of connections (10).
   */
  readonly connection?: PoolConfig | undefined;
  /** The table of the entries, with its schema if need be; lower case. `keyloom_entries` where not given. */
  readonly table?: string | undefined;
  /** Make the tables where they are missing (default); `false`: `STORE_NOT_FOUND` instead. */
  readonly create?: boolean | undefined;
  /** How long a commit waits for another one's locks, in ms, before it is `STORAGE_LOCKED`; 10,000 by default. */
  readonly lockTimeoutMs?: number | undefined;
  /** How long any answer is waited for, in ms; 60,000 by default. */
  readonly answerTimeoutMs?: number | undefined;
  /** Loads the driver, for hosts that can't `import("pg")`. */
  readonly driver?: (() => Promise<Driver>) | undefined;
}

const CAPABILITIES: StorageCapabilities = Object.freeze({
  maxChecks: 16_384,
  maxMutations: 16_384,
  maxCommitBytes: 32 * 1024 * 1024,
  maxKeyBytes: MAX_KEY_BYTES,
  maxValueBytes: MAX_VALUE_BYTES,
  durable: true,
  multiProcess: true,
  snapshot: true,
  watch: false,
});

/**
 * A store in two tables of a PostgreSQL database. Nothing is connected before the first call.
 *
 * Durable as the server is: a commit waits for its log to be on the server's disk (a server set to
 * `synchronous_commit = off` is told to), and for its standbys where the server waits for them. After a failover to
 * a standby that was not waited for, acknowledged commits may be missing; versions are random, so that none of
 * the lost ones comes back.
 *
 * A commit that meets a deadlock or a lost connection before its end is tried again, a bounded number of times.
 * When the connection is lost at the end itself it throws `STORAGE_OUTCOME_UNKNOWN`.
 *
 * The first call throws what opening throws: `STORAGE_DRIVER_MISSING`, `STORE_NOT_FOUND`, `STORE_UNREADABLE` (a
 * foreign table), `STORE_NEWER_FORMAT`, `STORAGE_READ_ONLY`, `STORAGE_IO`. The next call tries again.
 */
export function postgresStorage(options: PostgresStorageOptions): StorageAdapter {
  const { url, connection } = options;
  if (url === undefined && connection === undefined) {
    throw new TypeError("postgresStorage needs a url or a connection");
  }
  return new PostgresStorage(options);
}

/** Attempts where the connection is lost (about two seconds), and where other commits get in between. */
const ATTEMPTS_TO_CONNECT = 8;
const ATTEMPTS_TO_PASS = 40;
/** Longest waits between attempts, in ms. */
const LONGEST_RECONNECT_MS = 500;
const LONGEST_PASSING_MS = 60;

class PostgresStorage implements StorageAdapter {
  readonly capabilities = CAPABILITIES;
  readonly #table: string;
  readonly #reader: PostgresReader;
  readonly #opening: Opening<OpenPostgres>;
  readonly #snapshots = new Set<PostgresSnapshot>();

  constructor(options: PostgresStorageOptions) {
    const { connection, create = true, lockTimeoutMs = 10_000, answerTimeoutMs = 60_000 } = options;
    const fromUrl = options.url === undefined ? null : readUrl(options.url);
    const table = options.table ?? fromUrl?.table ?? DEFAULT_TABLE;
    if (!/^([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,50}$/.test(table)) {
      throw new TypeError(
        "a table's name is of lower-case letters, digits and _, with at most one schema before",
      );
    }
    if (!Number.isInteger(lockTimeoutMs)) throw new TypeError("lockTimeoutMs is a whole number");
    const config: PoolConfig = {
      application_name: "keyloom",
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
      query_timeout: answerTimeoutMs,
      allowExitOnIdle: true,
      ...(fromUrl === null ? {} : { connectionString: fromUrl.url }),
      ...connection,
    };
    this.#table = table;
    this.#reader = new PostgresReader(table);
    this.#opening = new Opening(async () => {
      const { driver: load = () => import("pg") } = options;
      const driver = await loadDriver(load, "PostgreSQL", "run `npm i pg`");
      const open = () => openPostgres(driver, config, table, { create, lockTimeoutMs });
      return this.#persistently("cannot open the store", open);
    });
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return (await this.getMany([key]))[0] as Entry | null;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    return this.#read(({ pool }) => this.#reader.getMany(pool, keys));
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => {
      let rest = copied;
      return async (count) => {
        const page = await this.#read(({ pool }) => this.#reader.page(pool, rest, count));
        rest = page.rest;
        return page.entries;
      };
    });
  }

  async count(range: Range): Promise<number> {
    const copied = copyRange(range, {});
    return this.#read(({ pool }) => this.#reader.count(pool, copied));
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    const opened = await this.#opening.get();
    validateCommit(CAPABILITIES, commit);
    const { checks, mutations } = commit;
    const plan = planOf(commit);
    const { pool } = opened;
    return this.#persistently("cannot commit to the store", async () => {
      // Without mutations one statement says it all.
      if (mutations.length > 0 && !plan.contradictory) {
        // Random, so that a server that lost its last commits never gives their versions again.
        const version = crypto.randomUUID();
        if (await this.#transact(opened, plan, version)) return committed(commit, version);
      }
      const conflicts = await failedChecks(pool, this.#table, checks);
      if (conflicts.length > 0) return conflict(conflicts);
      // What stood in the way has gone already.
      return mutations.length === 0 ? committed(commit, "") : null;
    });
  }

  async snapshot(): Promise<Snapshot> {
    const { driver, config } = await this.#opening.get();
    return this.#persistently("cannot read the store", async () => {
      // Not of the pool: a snapshot may be held for long.
      const client = new driver.Client(config);
      client.on("error", () => {});
      try {
        await client.connect();
        await client.query(
          "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0",
        );
        // The instant is that of the first statement that reads.
        await client.query(`SELECT 1 FROM ${this.#table} LIMIT 1`);
      } catch (error) {
        await client.end().catch(() => {});
        throw error;
      }
      const snapshot = new PostgresSnapshot(client, this.#reader, this.#table, () =>
        this.#snapshots.delete(snapshot),
      );
      this.#snapshots.add(snapshot);
      return snapshot;
    });
  }

  async close(): Promise<void> {
    const opened = await this.#opening.close();
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
    await opened?.pool.end();
  }

  async #read<T>(work: (opened: OpenPostgres) => Promise<T>): Promise<T> {
    const opened = await this.#opening.get();
    return this.#persistently("cannot read the store", () => work(opened));
  }

  /** @returns whether it was committed; `false`: something failed a check or got in between. */
  async #transact({ pool, begin }: OpenPostgres, plan: Plan, version: string): Promise<boolean> {
    const client = await pool.connect();
    let sound = false;
    try {
      await client.query(begin);
      const mayCommit = await applyPlan(client, this.#table, plan, version);
      if (mayCommit) await this.#finish(client);
      else await client.query("ROLLBACK");
      sound = true;
      return mayCommit;
    } finally {
      // After any error the connection goes, and its transaction with it.
      client.release(!sound);
    }
  }

  async #finish(client: PoolClient): Promise<void> {
    try {
      const { command } = await client.query("COMMIT");
      if (command === "COMMIT") return;
    } catch (error) {
      if (isRefusal(error)) throw error;
      const message = `cannot tell whether the commit in the table ${this.#table} took effect: no answer came`;
      throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", { message, table: this.#table, cause: error });
    }
    const message = `the server rolled the commit in the table ${this.#table} back`;
    throw new KeyloomError("STORAGE_IO", { message, table: this.#table });
  }

  /**
   * Tries again, at growing and random distances, what met other commits or a lost connection with nothing
   * committed.
   *
   * @param work - `null` as its answer asks for another attempt.
   */
  async #persistently<T>(doing: string, work: () => Promise<T | null>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      let longest = LONGEST_PASSING_MS;
      try {
        const answer = await work();
        if (answer !== null) return answer;
        if (attempt >= ATTEMPTS_TO_PASS) {
          const message = `${doing} in the table ${this.#table}: other commits were in the way at every attempt`;
          throw new KeyloomError("STORAGE_LOCKED", { message, table: this.#table });
        }
      } catch (error) {
        if (error instanceof TypeError) throw error;
        const lost = isDisconnection(error);
        if (lost && this.#opening.closed) throw closedError();
        const attempts = lost ? ATTEMPTS_TO_CONNECT : isContention(error) ? ATTEMPTS_TO_PASS : 1;
        if (attempt >= attempts) throw postgresError(error, doing, this.#table);
        if (lost) longest = LONGEST_RECONNECT_MS;
      }
      const wait = Math.min(2 ** attempt * 5, longest);
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)));
    }
  }
}

/** A connection of its own, in a read-only transaction. */
class PostgresSnapshot implements Snapshot {
  readonly #reader: PostgresReader;
  readonly #table: string;
  readonly #onClose: () => void;
  #client: Client | null;

  constructor(client: Client, reader: PostgresReader, table: string, onClose: () => void) {
    this.#client = client;
    this.#reader = reader;
    this.#table = table;
    this.#onClose = onClose;
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return (await this.getMany([key]))[0] as Entry | null;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    return this.#read((client) => this.#reader.getMany(client, keys));
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => {
      let rest = copied;
      return async (count) => {
        const page = await this.#read((client) => this.#reader.page(client, rest, count));
        rest = page.rest;
        return page.entries;
      };
    });
  }

  async count(range: Range): Promise<number> {
    const copied = copyRange(range, {});
    return this.#read((client) => this.#reader.count(client, copied));
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    this.#onClose();
    await client?.end();
  }

  async #read<T>(work: (client: Client) => Promise<T>): Promise<T> {
    if (this.#client === null) throw closedError("snapshot");
    try {
      return await work(this.#client);
    } catch (error) {
      if (error instanceof TypeError) throw error;
      throw postgresError(error, "cannot read a snapshot of the store", this.#table);
    }
  }
}
