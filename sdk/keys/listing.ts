/**
 * Pages of keys, filtered, with stable cursors. A page examines a bounded number of entries and may be short.
 *
 * A listing goes through the index that narrows most, in the order of ids: an index of several ranges (states, versions of
 * a wrapping key) is merged. What an index says is believed once the record agrees.
 */
import { concat, equalBytes, getU64, putU64 } from "../foundation/bytes.js";
import { cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import { STATE_NAMES, STATES, type State } from "../lifecycle/states.js";
import { effectiveState, statesLeadingTo } from "../lifecycle/transition.js";
import { compareBytes, type Entry, type Range, type StorageAdapter } from "../storage/adapter.js";
import { idOfKey, keyspace, parseDueKey, ranges, trailingId } from "../storage/keyspace.js";
import { indexKeys } from "./indexes.js";
import { openKeyEntries, readKeys, type StoredKey } from "./reads.js";

/** A page examines at most so many entries, however few of them match. */
export const MAX_EXAMINED = 10_000;
export const MAX_PAGE = 1000;
const READ_AT_ONCE = 256;

export interface KeyFilter {
  tag?: string | undefined;
  owner?: Id | undefined;
  /** A wrapping key, with the versions it has. */
  wrappedBy?: { id: Id; versions: readonly number[] } | undefined;
  algorithm?: number | undefined;
  archived?: boolean | undefined;
  /** Some version is exposed. */
  exposed?: true | undefined;
  /** Some version is in this state at the listing's time. */
  state?: State | undefined;
}

/** Where a page begins, and the time at which all pages of its listing evaluate states. */
export interface ListPosition {
  time: number;
  after?: Id | undefined;
}

export interface StoredPage {
  keys: StoredKey[];
  /** Where the next page begins; `null` after the last. */
  next: ListPosition | null;
}

function matches({ record }: StoredKey, filter: KeyFilter, time: number): boolean {
  const { tag, owner, wrappedBy, algorithm, archived, exposed, state } = filter;
  if (tag !== undefined && !record.tags.includes(tag)) return false;
  if (owner !== undefined && !equalBytes(record.owner, owner)) return false;
  if (wrappedBy !== undefined && !equalBytes(record.wrappedBy, wrappedBy.id)) return false;
  if (algorithm !== undefined && record.algorithm !== algorithm) return false;
  if (archived !== undefined && archived !== (record.archived !== undefined)) return false;
  if (exposed === true && !record.versions.some((row) => row.exposed)) return false;
  if (state === undefined) return true;
  const now = Math.max(time, record.time);
  return record.versions.some((row) => effectiveState(row.state, row.dates, now) === state);
}

/** One range of an index, in the order of the ids in it. */
interface Source {
  range(after: Id | undefined): Range;
  idOf(key: Uint8Array): Id;
}

const LAST = 0xffff_ffff;
const STATE_ID = 2;
const MATERIAL_ID = 21;

/** Of index keys that end in an id, and of ones in which a version follows it. */
const ending = (range: Source["range"]): Source => ({ range, idOf: trailingId });
const within = (at: number, range: Source["range"]): Source => ({
  range,
  idOf: (key) => key.slice(at, at + ID_LENGTH),
});

/** What a listing goes through; `null`: the key records themselves. */
function sourcesOf({ tag, owner, wrappedBy, exposed, state }: KeyFilter): Source[] | null {
  if (tag !== undefined) {
    return [ending((after) => ranges.byTag(tag, after && keyspace.indexTag(tag, after)))];
  }
  if (wrappedBy !== undefined) {
    const { id, versions } = wrappedBy;
    return versions.map((version) =>
      within(MATERIAL_ID, (after) =>
        ranges.materialUnder(id, version, after && keyspace.material(id, version, after, LAST)),
      ),
    );
  }
  if (exposed === true) {
    return [within(1, (after) => ranges.exposed(after && keyspace.indexExposed(after, LAST)))];
  }
  if (state !== undefined) {
    return statesLeadingTo(state).map((stored) => {
      const code = STATES[stored];
      return within(STATE_ID, (after) =>
        ranges.byState(code, after && keyspace.indexState(code, after, LAST)),
      );
    });
  }
  if (owner !== undefined) {
    return [ending((after) => ranges.byOwner(owner, after && keyspace.indexOwner(owner, after)))];
  }
  return null;
}

interface Candidate {
  id: Id;
  /** Where the listing goes through the key records themselves. */
  entry?: Entry;
  /** How many entries were examined for it. */
  examined: number;
}

/** The ids of a merge of sources, each once, in their order. */
async function* merged(
  storage: StorageAdapter,
  sources: readonly Source[],
  after: Id | undefined,
): AsyncGenerator<Candidate> {
  const options = { limit: MAX_EXAMINED, keysOnly: true };
  const heads = sources.map(({ range, idOf }) => ({
    iterator: storage.list(range(after), options)[Symbol.asyncIterator](),
    idOf,
    id: null as Id | null,
  }));
  try {
    const advance = async (head: (typeof heads)[number]): Promise<void> => {
      const step = await head.iterator.next();
      head.id = step.done === true ? null : head.idOf(step.value.key);
    };
    for (const head of heads) await advance(head);
    for (;;) {
      let least: Id | null = null;
      for (const { id } of heads)
        if (id !== null && (least === null || compareBytes(id, least) < 0)) least = id;
      if (least === null) return;
      let examined = 0;
      for (const head of heads) {
        while (head.id !== null && equalBytes(head.id, least)) {
          examined++;
          await advance(head);
        }
      }
      yield { id: least, examined };
    }
  } finally {
    for (const { iterator } of heads) await iterator.return?.(undefined);
  }
}

async function* records(storage: StorageAdapter, after: Id | undefined): AsyncGenerator<Candidate> {
  const range = ranges.keys(after === undefined ? undefined : keyspace.key(after));
  for await (const entry of storage.list(range, { limit: MAX_EXAMINED })) {
    yield { id: idOfKey(entry.key), entry, examined: 1 };
  }
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for a state that doesn't exist, instead of an empty page */
function checkState(state: unknown): void {
  if (state === undefined) return;
  if (typeof state !== "string") throw new TypeError("state must be a string");
  if (Object.hasOwn(STATES, state)) return;
  throw new KeyloomError("KEY_INVALID_OPTION", { message: `state is one of ${STATE_NAMES.join(", ")}` });
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` */
function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return;
  throw new KeyloomError("KEY_INVALID_OPTION", { message: `limit must be from 1 to ${MAX_PAGE}` });
}

/** One page of keys. @param position - what the page before gave as `next`, or the time of the first one */
export async function listKeys(
  storage: StorageAdapter,
  opener: Records,
  filter: KeyFilter,
  position: ListPosition,
  limit: number,
): Promise<StoredPage> {
  checkLimit(limit);
  checkState(filter.state);
  const { time } = position;
  const sources = sourcesOf(filter);
  const candidates =
    sources === null ? records(storage, position.after) : merged(storage, sources, position.after);
  const keys: StoredKey[] = [];
  let examined = 0;
  let after: Id | undefined;

  /** Reads a batch and takes what matches. @returns whether the page is full */
  const take = async (batch: readonly Candidate[]): Promise<boolean> => {
    const stored =
      sources === null
        ? openKeyEntries(
            opener,
            batch.map(({ entry }) => entry!),
          )
        : await readKeys(
            storage,
            opener,
            batch.map(({ id }) => id),
          );
    for (const [i, candidate] of batch.entries()) {
      after = candidate.id;
      const key = stored[i]!;
      if (key !== null && matches(key, filter, time)) keys.push(key);
      if (keys.length === limit) return true;
    }
    return false;
  };

  let batch: Candidate[] = [];
  for await (const candidate of candidates) {
    batch.push(candidate);
    examined += candidate.examined;
    const size = Math.min(READ_AT_ONCE, limit - keys.length);
    if (batch.length < size && examined < MAX_EXAMINED) continue;
    if ((await take(batch)) || examined >= MAX_EXAMINED) return { keys, next: { time, after } };
    batch = [];
  }
  if (batch.length > 0 && (await take(batch))) return { keys, next: { time, after } };
  return { keys, next: null };
}

const CURSOR_FORMAT = 1;
const DIGEST_BYTES = 8;
const CURSOR_LENGTH = 1 + 8 + DIGEST_BYTES + ID_LENGTH;

/** What a cursor says of the listing that it belongs to. */
function digestOf(filter: KeyFilter, sha256: (data: Uint8Array) => Uint8Array): Uint8Array {
  const { tag, owner, wrappedBy, algorithm, archived, exposed, state } = filter;
  const map = cborMap([1, tag], [2, owner], [3, wrappedBy?.id], [4, algorithm], [5, archived], [6, exposed]);
  if (state !== undefined) map.set(7, STATES[state]);
  return sha256(encodeCbor(map)).subarray(0, DIGEST_BYTES);
}

export function encodeCursor(
  { time, after }: ListPosition,
  filter: KeyFilter,
  sha256: (data: Uint8Array) => Uint8Array,
): Uint8Array {
  const head = new Uint8Array(9);
  head[0] = CURSOR_FORMAT;
  putU64(head, 1, time);
  return concat(head, digestOf(filter, sha256), after!);
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for what is no cursor of this listing */
export function decodeCursor(
  cursor: Uint8Array,
  filter: KeyFilter,
  sha256: (data: Uint8Array) => Uint8Array,
): ListPosition {
  checkState(filter.state);
  const digest = cursor.subarray(9, 9 + DIGEST_BYTES);
  const known = cursor.length === CURSOR_LENGTH && cursor[0] === CURSOR_FORMAT;
  const time = known ? getU64(cursor, 1) : NaN;
  if (Number.isSafeInteger(time) && equalBytes(digest, digestOf(filter, sha256))) {
    return { time, after: cursor.slice(9 + DIGEST_BYTES) };
  }
  throw foreignCursor();
}

function foreignCursor(): KeyloomError {
  return new KeyloomError("KEY_INVALID_OPTION", {
    message: "a cursor comes from a page before of the same listing and is not changed",
  });
}

/** A date that will move a version's stored state, or has and waits for a sweep. */
export interface StoredDue {
  at: number;
  version: number;
  stored: StoredKey;
}

export interface DuePage {
  due: StoredDue[];
  next: Uint8Array | null;
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for a position of another listing */
function checkDuePosition(after: Uint8Array, { start, end }: Range): void {
  const within = compareBytes(after, start) >= 0 && compareBytes(after, end!) < 0;
  if (within && after.length === start.length + ID_LENGTH + 4) return;
  throw foreignCursor();
}

/** One page of the due dates from `from` to `until`, both included, in their order. */
export async function listDue(
  storage: StorageAdapter,
  opener: Records,
  { from, until }: { from: number; until: number },
  limit: number,
  after?: Uint8Array,
): Promise<DuePage> {
  checkLimit(limit);
  const all = ranges.dueBetween(from - 1, until);
  if (after !== undefined) checkDuePosition(after, all);
  const range = after === undefined ? all : { start: concat(after, new Uint8Array(1)), end: all.end };
  const due: StoredDue[] = [];
  const found: Uint8Array[] = [];
  for await (const { key } of storage.list(range, { limit, keysOnly: true })) found.push(key.slice());
  const keys = await readKeys(
    storage,
    opener,
    found.map((key) => parseDueKey(key).key),
  );
  for (const [i, key] of found.entries()) {
    const stored = keys[i]!;
    if (stored === null) continue;
    if (!indexKeys(stored.record).some((own) => equalBytes(own, key))) continue;
    const { time, version } = parseDueKey(key);
    due.push({ at: time, version, stored });
  }
  return { due, next: found.length === limit ? found.at(-1)! : null };
}
