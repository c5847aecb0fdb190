/** Reads from the LMDB engine: one key, or a page of a range; in a transaction given, or the current one. */
import { compareBytes, type Entry, MAX_KEY_BYTES } from "./adapter.js";
import type { OpenLmdb } from "./lmdb-open.js";
import type { CopiedRange } from "./pages.js";

export type ReadTransaction = import("lmdb").Transaction;

/** The engine keeps a read transaction over a turn of the event loop: other processes' commits lie after it. */
export function fresh(store: OpenLmdb): OpenLmdb {
  store.entries.resetReadTxn();
  return store;
}

export function read(
  store: OpenLmdb,
  key: Uint8Array,
  transaction: ReadTransaction | undefined,
): Entry | null {
  if (!(key instanceof Uint8Array)) throw new TypeError("a storage key is a Uint8Array");
  if (key.length === 0 || key.length > MAX_KEY_BYTES) return null;
  const options = transaction === undefined ? undefined : { transaction };
  const value = store.entries.get(key, options);
  if (value === undefined) return null;
  const version = decimal(store.driver.getLastVersion());
  return { key: new Uint8Array(key), value, version };
}

interface EngineRange {
  readonly start: Uint8Array;
  readonly end?: Uint8Array;
}

export type PageReader = (
  store: OpenLmdb,
  count: number,
  transaction: ReadTransaction | undefined,
) => Entry[];

/** Reads page after page, each in a transaction of its own unless it is given one. */
export function pageReader(range: CopiedRange): PageReader {
  const { reverse, keysOnly } = range;
  let start = clip(range.start);
  let end = range.end === null ? null : clip(range.end);
  return (store, count, transaction) => {
    if (end !== null && compareBytes(end, start) <= 0) return [];
    const bounds: EngineRange = reverse
      ? { start: end ?? AFTER_ALL, end: start }
      : { start, ...(end === null ? {} : { end }) };
    const listing = store.entries.getRange({
      ...bounds,
      ...(transaction === undefined ? {} : { transaction }),
      reverse,
      exclusiveStart: reverse,
      inclusiveEnd: reverse,
      limit: count,
      versions: true,
    } as import("lmdb").RangeOptions);
    const page: Entry[] = [];
    // Not the engine's own way of leaving values out: it loses the versions with them.
    store.reading.keysOnly = keysOnly;
    try {
      for (const { key, value, version } of listing) {
        page.push({ key, value, version: decimal(version as number) });
      }
    } finally {
      store.reading.keysOnly = false;
    }
    const last = page[page.length - 1]?.key;
    if (last !== undefined) {
      if (reverse) end = last.slice();
      else start = successor(last);
    }
    return page;
  };
}

/** How many keys lie in a range. */
export function countKeys(
  store: OpenLmdb,
  range: CopiedRange,
  transaction: ReadTransaction | undefined,
): number {
  const start = clip(range.start);
  const end = range.end === null ? null : clip(range.end);
  if (end !== null && compareBytes(end, start) <= 0) return 0;
  const options = {
    start,
    ...(end === null ? {} : { end }),
    ...(transaction === undefined ? {} : { transaction }),
  };
  return store.entries.getKeysCount(options as import("lmdb").RangeOptions);
}

/** After every key: none is as long. */
const AFTER_ALL = new Uint8Array(MAX_KEY_BYTES + 1).fill(0xff);

/** A bound that the engine can hold and that cuts the keys (at most 480 bytes, none empty) in the same place. */
function clip(bound: Uint8Array): Uint8Array {
  if (bound.length === 0) return new Uint8Array(1);
  return bound.length > MAX_KEY_BYTES ? successor(bound.subarray(0, MAX_KEY_BYTES)) : bound;
}

function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

let lastNumber = 0;
let lastDecimal = "0";

/** Neighbours often come from one commit. */
export function decimal(version: number): string {
  if (version !== lastNumber) {
    lastDecimal = String(version);
    lastNumber = version;
  }
  return lastDecimal;
}
