/** Reads over one SQLite connection, in whatever transaction it is in. */
import { compareBytes, type Entry, MAX_KEY_BYTES } from "./adapter.js";
import { Arena, type CopiedRange, NO_VALUE } from "./pages.js";
import type { SqliteDatabase, SqliteStatement } from "./sqlite-engine.js";

interface Row {
  readonly key: Uint8Array;
  readonly version: number;
  readonly value: Uint8Array;
}

/** After every key: none is as long. */
const AFTER_ALL = new Uint8Array(MAX_KEY_BYTES + 1).fill(0xff);
/** At or before every key: none is empty. An empty bound itself might reach the engine as NULL. */
const FIRST = new Uint8Array(1);

export class SqliteReader {
  readonly #db: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();
  readonly #arena = new Arena();

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  /** Prepared once. */
  statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  get(key: Uint8Array): Entry | null {
    if (!(key instanceof Uint8Array)) throw new TypeError("a storage key is a Uint8Array");
    if (key.length === 0 || key.length > MAX_KEY_BYTES) return null;
    const row = this.statement("SELECT version, value FROM keyloom_entries WHERE key = ?").get(key) as
      Row | null | undefined;
    if (row == null) return null;
    return { key: new Uint8Array(key), value: this.#plain(row.value), version: String(row.version) };
  }

  version(key: Uint8Array): string | null {
    const row = this.statement("SELECT version FROM keyloom_entries WHERE key = ?").get(key) as
      Row | null | undefined;
    return row == null ? null : String(row.version);
  }

  /** The next entries of a range, and what remains of it. */
  page(range: CopiedRange, count: number): { entries: Entry[]; rest: CopiedRange } {
    const { reverse, keysOnly } = range;
    const [start, end] = boundsOf(range);
    if (compareBytes(start, end) >= 0) return { entries: [], rest: range };
    const sql =
      `SELECT key, version${keysOnly ? "" : ", value"} FROM keyloom_entries ` +
      `WHERE key >= ? AND key < ? ORDER BY key${reverse ? " DESC" : ""} LIMIT ?`;
    const rows = this.statement(sql).all(start, end, count) as Row[];
    const entries = rows.map(({ key, version, value }): Entry => ({
      key: this.#plain(key),
      value: keysOnly ? NO_VALUE : this.#plain(value),
      version: String(version),
    }));
    const last = entries.at(-1)?.key;
    if (last === undefined) return { entries, rest: range };
    // The caller may change what it is given.
    const rest = reverse ? { ...range, end: new Uint8Array(last) } : { ...range, start: successor(last) };
    return { entries, rest };
  }

  count(range: CopiedRange): number {
    const [start, end] = boundsOf(range);
    if (compareBytes(start, end) >= 0) return 0;
    const sql = "SELECT count(*) AS entries FROM keyloom_entries WHERE key >= ? AND key < ?";
    return (this.statement(sql).get(start, end) as { entries: number }).entries;
  }

  /** One driver gives a Buffer. */
  #plain(bytes: Uint8Array): Uint8Array {
    return this.#arena.copy(bytes, 0, bytes.length);
  }
}

function boundsOf({ start, end }: CopiedRange): [Uint8Array, Uint8Array] {
  return [start.length === 0 ? FIRST : start, end === null ? AFTER_ALL : end];
}

function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
