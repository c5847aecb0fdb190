/** Reads over a PostgreSQL connection, each in one statement, which is one instant. */
import { type Entry, MAX_KEY_BYTES } from "./adapter.js";
import { Arena, type CopiedRange, NO_VALUE } from "./pages.js";
import type { Queryable } from "./postgres-commit.js";
import { byteaArray, nameOf } from "./postgres-wire.js";

type Row = [key: Buffer, version: string, value?: Buffer];

export class PostgresReader {
  readonly #table: string;
  readonly #arena = new Arena();

  constructor(table: string) {
    this.#table = table;
  }

  async getMany(client: Queryable, keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    for (const key of keys) {
      if (!(key instanceof Uint8Array)) throw new TypeError("a storage key is a Uint8Array");
    }
    const copies = keys.map((key) => new Uint8Array(key));
    const distinct = new Map(copies.map((key) => [nameOf(key), key]));
    if (distinct.size === 0) return [];
    const { rows } = await client.query<Row>({
      text: `SELECT key, version, value FROM ${this.#table} WHERE key = ANY($1::bytea[])`,
      values: [byteaArray([...distinct.values()])],
      rowMode: "array",
    });
    const found = new Map(rows.map((row) => [nameOf(row[0]), row]));
    return copies.map((key) => {
      const row = found.get(nameOf(key));
      return row === undefined ? null : { key, version: row[1], value: this.#plain(row[2] as Buffer) };
    });
  }

  /** The next entries of a range, and what remains of it. */
  async page(
    client: Queryable,
    range: CopiedRange,
    count: number,
  ): Promise<{ entries: Entry[]; rest: CopiedRange }> {
    const { reverse, keysOnly } = range;
    const { where, values } = boundsOf(range);
    const { rows } = await client.query<Row>({
      text:
        `SELECT key, version${keysOnly ? "" : ", value"} FROM ${this.#table} WHERE ${where} ` +
        `ORDER BY key${reverse ? " DESC" : ""} LIMIT ${count}`,
      values,
      rowMode: "array",
    });
    const entries = rows.map(([key, version, value]): Entry => ({
      key: this.#plain(key),
      value: value === undefined ? NO_VALUE : this.#plain(value),
      version,
    }));
    const last = entries.at(-1)?.key;
    if (last === undefined) return { entries, rest: range };
    // The caller may change what it is given.
    const rest = reverse ? { ...range, end: new Uint8Array(last) } : { ...range, start: successor(last) };
    return { entries, rest };
  }

  async count(client: Queryable, range: CopiedRange): Promise<number> {
    const { where, values } = boundsOf(range);
    const { rows } = await client.query<[string]>({
      text: `SELECT count(*) FROM ${this.#table} WHERE ${where}`,
      values,
      rowMode: "array",
    });
    return Number(rows[0]?.[0]);
  }

  #plain(bytes: Uint8Array): Uint8Array {
    return this.#arena.copy(bytes, 0, bytes.length);
  }
}

function boundsOf({ start, end }: CopiedRange): { where: string; values: Buffer[] } {
  if (end === null) return { where: "key >= $1", values: [bufferOf(start)] };
  return { where: "key >= $1 AND key < $2", values: [bufferOf(start), bufferOf(end)] };
}

/** A bound of any length cuts the keys in the same place when it is clipped after their longest and one byte more. */
function bufferOf(bound: Uint8Array): Buffer {
  return Buffer.from(bound.subarray(0, MAX_KEY_BYTES + 1));
}

function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
