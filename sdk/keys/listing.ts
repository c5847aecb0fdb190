/** Pages of keys, filtered, with stable cursors. A page examines a bounded number of entries and may be short. */
import { equalBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import { STATE_NAMES, STATES, type State } from "../lifecycle/states.js";
import { effectiveState } from "../lifecycle/transition.js";
import type { Entry, Range, StorageAdapter } from "../storage/adapter.js";
import { keyspace, ranges, trailingId } from "../storage/keyspace.js";
import { openKeyEntries, type StoredKey } from "./reads.js";

/** A page examines at most so many entries, however few of them match. */
export const MAX_EXAMINED = 10_000;
export const MAX_PAGE = 1000;
const READ_AT_ONCE = 256;

export interface KeyFilter {
  tag?: string | undefined;
  owner?: Id | undefined;
  wrappedBy?: Id | undefined;
  algorithm?: number | undefined;
  /** Some version is in this state at `time`. */
  state?: State | undefined;
}

export interface StoredPage {
  keys: StoredKey[];
  /** Where the next page begins; `null` after the last. */
  next: Uint8Array | null;
}

function matches(stored: StoredKey, filter: KeyFilter, time: number): boolean {
  const { record } = stored;
  if (filter.tag !== undefined && !record.tags.includes(filter.tag)) return false;
  if (filter.owner !== undefined && !equalBytes(record.owner, filter.owner)) return false;
  if (filter.wrappedBy !== undefined && !equalBytes(record.wrappedBy, filter.wrappedBy)) return false;
  if (filter.algorithm !== undefined && record.algorithm !== filter.algorithm) return false;
  if (filter.state === undefined) return true;
  const now = Math.max(time, record.time);
  return record.versions.some((row) => effectiveState(row.state, row.dates, now) === filter.state);
}

/** What a listing goes through: the key records themselves, or an index that narrows most. */
function listingRange({ tag, owner }: KeyFilter, after?: Uint8Array): { range: Range; byIndex: boolean } {
  if (tag !== undefined) return { range: ranges.byTag(tag, after), byIndex: true };
  if (owner !== undefined) return { range: ranges.byOwner(owner, after), byIndex: true };
  return { range: ranges.keys(after), byIndex: false };
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for a state that doesn't exist, instead of an empty page */
function checkState(state: unknown): void {
  if (state === undefined) return;
  if (typeof state !== "string") throw new TypeError("state must be a string");
  if (Object.hasOwn(STATES, state)) return;
  throw new KeyloomError("KEY_INVALID_OPTION", { message: `state is one of ${STATE_NAMES.join(", ")}` });
}

/** A position of another listing, or none at all, would bring up entries that are no keys. */
function checkPosition(filter: KeyFilter, after: Uint8Array): void {
  const { start } = listingRange(filter).range;
  if (after.length === start.length + ID_LENGTH && equalBytes(after.subarray(0, start.length), start)) return;
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: "a cursor comes from a page before of the same listing and is not changed",
  });
}

/** Key entries in listing order. */
async function* candidates(
  storage: StorageAdapter,
  filter: KeyFilter,
  after: Uint8Array | undefined,
  limit: number,
): AsyncGenerator<{ position: Uint8Array; entry: Entry | null }[]> {
  const { range, byIndex } = listingRange(filter, after);
  const read = async (found: Entry[]): Promise<{ position: Uint8Array; entry: Entry | null }[]> => {
    const entries = byIndex
      ? await storage.getMany(found.map(({ key }) => keyspace.key(trailingId(key))))
      : found;
    return found.map(({ key }, i) => ({ position: key, entry: entries[i] ?? null }));
  };
  let batch: Entry[] = [];
  for await (const entry of storage.list(range, { limit, keysOnly: byIndex })) {
    batch.push(entry);
    if (batch.length < READ_AT_ONCE) continue;
    yield await read(batch);
    batch = [];
  }
  if (batch.length > 0) yield await read(batch);
}

/**
 * One page of keys.
 *
 * @param after - the position that the page before gave as `next`
 * @param time - at which states are evaluated
 */
export async function listKeys(
  storage: StorageAdapter,
  records: Records,
  filter: KeyFilter,
  time: number,
  limit: number,
  after?: Uint8Array,
): Promise<StoredPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new KeyloomError("KEY_INVALID_OPTION", { message: `limit must be from 1 to ${MAX_PAGE}` });
  }
  checkState(filter.state);
  if (after !== undefined) checkPosition(filter, after);
  const keys: StoredKey[] = [];
  let examined = 0;
  let position: Uint8Array | null = null;
  for await (const batch of candidates(storage, filter, after, MAX_EXAMINED)) {
    const present = batch.filter((item) => item.entry !== null);
    const opened = openKeyEntries(
      records,
      present.map((item) => item.entry!),
    );
    const byItem = new Map(present.map((item, i) => [item, opened[i]!]));
    for (const item of batch) {
      examined++;
      position = item.position;
      const stored = byItem.get(item);
      if (stored !== undefined && matches(stored, filter, time)) keys.push(stored);
      if (keys.length === limit) return { keys, next: position };
    }
  }
  return { keys, next: examined === MAX_EXAMINED ? position : null };
}
