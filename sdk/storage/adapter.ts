/**
 * The storage contract: an ordered key–value store with one-shot, strictly serializable optimistic commit.
 *
 * Keys order bytewise (unsigned; a prefix comes before its extensions). What an adapter may do beyond
 * these words is not to be relied on; what it must do is checked by `storageConformance`.
 */
import { KeyloomError } from "../foundation/errors.js";

/** Bounds that every adapter keeps to, whatever its engine could do. */
export const MAX_KEY_BYTES = 480;
export const MAX_VALUE_BYTES = 65_536;
/** What every adapter offers at least: a command over one key version fits. */
export const MIN_CHECKS = 64;
export const MIN_MUTATIONS = 64;

/** The length of a {@link CommitId}. */
export const COMMIT_ID_BYTES = 16;

/** 16 bytes that name one attempt to commit in traces. Adapters give it no other meaning. */
export type CommitId = Uint8Array;

/** What an adapter can do, and how much of it at once. Constant over its life. */
export interface StorageCapabilities {
  /** Checks in one commit, at least {@link MIN_CHECKS}. */
  readonly maxChecks: number;
  /** Mutations in one commit, at least {@link MIN_MUTATIONS}. */
  readonly maxMutations: number;
  /** Sum of the lengths of all keys and values of one commit, keys of checks included. */
  readonly maxCommitBytes: number;
  /** Longest key; at least one byte is required. */
  readonly maxKeyBytes: number;
  /** Longest value; an empty value is a value. */
  readonly maxValueBytes: number;
  /** An acknowledged commit survives a killed process and a loss of power. */
  readonly durable: boolean;
  /** Several processes may hold the store open at the same time. */
  readonly multiProcess: boolean;
  /** `snapshot` is there. */
  readonly snapshot: boolean;
  /** `watch` is there. */
  readonly watch: boolean;
}

/** A stored entry. Its bytes belong to the caller; they may be views of a larger buffer. */
export interface Entry {
  readonly key: Uint8Array;
  /** Empty where the listing asked for `keysOnly`. */
  readonly value: Uint8Array;
  /** Opaque; compared for equality only. Never given to the same key twice, not even after a delete. */
  readonly version: string;
}

/** All keys from `start` on and before `end`, bytewise; `end: null` has no upper bound. */
export interface Range {
  readonly start: Uint8Array;
  readonly end: Uint8Array | null;
}

export interface ListOptions {
  /** From the last key of the range down to the first. */
  readonly reverse?: boolean | undefined;
  /** At most so many entries; 0 gives none. */
  readonly limit?: number | undefined;
  /** Leaves the values out: every `value` is empty. Versions are given all the same. */
  readonly keysOnly?: boolean | undefined;
}

/** The key must have this version at the instant of the commit; `null`: it must be absent. */
export interface Check {
  readonly key: Uint8Array;
  readonly version: string | null;
}

/** Deleting an absent key changes nothing and is no failure. */
export type Mutation =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: Uint8Array };

export interface Commit {
  readonly id: CommitId;
  readonly checks: readonly Check[];
  /** A key stands here at most once. May be empty: then the checks are compared, at one instant. */
  readonly mutations: readonly Mutation[];
}

export interface Committed {
  readonly committed: true;
  /** The new version of each put, in the order of the puts (deletes take no place). */
  readonly versions: readonly string[];
}

/** A check that failed. */
export interface Found {
  readonly key: Uint8Array;
  /** The version found; `null`: the key is absent. */
  readonly found: string | null;
  readonly expected: string | null;
}

/** Some check failed, and nothing was written. */
export interface Conflict {
  readonly committed: false;
  /** Every failed check, in the order of the checks. */
  readonly conflicts: readonly Found[];
}

/** The reads that a store and a snapshot of it have in common. */
export interface StorageReads {
  /**
   * Reads one key.
   *
   * @returns the entry; `null` where the key is absent.
   * @throws {KeyloomError} `STORAGE_CLOSED`, `STORAGE_IO`, `STORE_DAMAGED`.
   */
  get(key: Uint8Array): Promise<Entry | null>;

  /**
   * Reads many keys as they stood at one instant.
   *
   * @returns one item per key, in the order of the keys; `null` where a key is absent.
   * @throws {KeyloomError} as {@link get}.
   */
  getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]>;

  /**
   * Lists a range in bytewise order (or against it).
   *
   * On a store the listing is no snapshot: an entry that stays unchanged for the whole listing appears
   * exactly once, one that is written meanwhile may appear as before, as after, or (put or deleted) not
   * at all. No engine transaction is held while the caller works on an entry.
   *
   * @param range - copied at the call.
   * @throws {KeyloomError} as {@link get}, out of the iteration.
   */
  list(range: Range, options?: ListOptions): AsyncIterable<Entry>;

  /**
   * How many keys lie in a range, at one instant. Engines count without handing entries out.
   *
   * @throws {KeyloomError} as {@link get}.
   */
  count(range: Range): Promise<number>;
}

/** A view of the store as it stood at one instant. Close it: engines keep old pages for it. */
export interface Snapshot extends StorageReads {
  /** Closing twice is no failure. Reading after it is `STORAGE_CLOSED`. */
  close(): Promise<void>;
}

export type Unsubscribe = () => void;

export interface StorageAdapter extends StorageReads {
  readonly capabilities: StorageCapabilities;

  /**
   * Compares all checks, then applies all mutations, at one instant, or does nothing.
   *
   * Checks on keys that it doesn't write, and on absent keys, hold as firmly as the others. The commit's
   * bytes must stay unchanged until the promise settles, and are not referred to afterwards.
   *
   * @returns what was committed, or every check that failed: a conflict is a value.
   * @throws {KeyloomError} `STORAGE_OUTCOME_UNKNOWN`: it may have taken effect, or may still do so.
   *   After any other code nothing was written and nothing will be: `STORAGE_COMMIT_TOO_LARGE` and
   *   `STORAGE_INVALID_COMMIT` (see {@link validateCommit}), `STORAGE_FULL`, `STORAGE_READ_ONLY`,
   *   `STORAGE_IO`, `STORAGE_LOCKED`, `STORAGE_CLOSED`.
   */
  commit(commit: Commit): Promise<Committed | Conflict>;

  /** Opens a view of this instant. */
  snapshot?(): Promise<Snapshot>;

  /** Calls `onChange` after the key may have changed; may call too often, and may join several changes. */
  watch?(key: Uint8Array, onChange: () => void): Unsubscribe;

  /**
   * Ends the use of the store through this adapter; calls that follow reject with `STORAGE_CLOSED`.
   * Closing twice is no failure.
   */
  close(): Promise<void>;
}

/** Bytewise order: negative, zero or positive as `a` stands before, at or after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * Checks a commit's form and size before anything is written. Every adapter calls it first.
 *
 * @returns the sum of the lengths of all keys and values.
 * @throws {TypeError} where a key or a value is not a `Uint8Array`.
 * @throws {KeyloomError} `STORAGE_COMMIT_TOO_LARGE` over a limit on the commit as a whole;
 *   `STORAGE_INVALID_COMMIT` for an id of another length, a key that stands twice in `mutations`, an empty
 *   or oversized key, or an oversized value.
 */
export function validateCommit(capabilities: StorageCapabilities, commit: Commit): number {
  const { id, checks, mutations } = commit;
  if (!(id instanceof Uint8Array)) throw new TypeError("a commit's id is a Uint8Array");
  if (id.length !== COMMIT_ID_BYTES) refuse("a commit's id has 16 bytes", { length: id.length });
  atMost("checks", checks.length, capabilities.maxChecks);
  atMost("mutations", mutations.length, capabilities.maxMutations);
  const { maxKeyBytes, maxValueBytes } = capabilities;
  let bytes = 0;
  for (const { key } of checks) bytes += keyBytes(key, maxKeyBytes);
  for (const mutation of mutations) {
    bytes += keyBytes(mutation.key, maxKeyBytes);
    if (mutation.kind === "delete") continue;
    if (mutation.kind !== "put") throw new TypeError("a mutation is a put or a delete");
    const { value } = mutation;
    if (!(value instanceof Uint8Array)) throw new TypeError("a value is a Uint8Array");
    if (value.length > maxValueBytes) {
      refuse(`a value has at most ${maxValueBytes} bytes`, { length: value.length });
    }
    bytes += value.length;
  }
  atMost("bytes", bytes, capabilities.maxCommitBytes);
  const twice = repeatedKey(mutations);
  if (twice !== -1) refuse("a key stands twice among a commit's mutations", { index: twice });
  return bytes;
}

function keyBytes(key: Uint8Array, limit: number): number {
  if (!(key instanceof Uint8Array)) throw new TypeError("a storage key is a Uint8Array");
  if (key.length === 0 || key.length > limit) {
    refuse(`a storage key has 1 to ${limit} bytes`, { length: key.length });
  }
  return key.length;
}

function refuse(message: string, details: object): never {
  throw new KeyloomError("STORAGE_INVALID_COMMIT", { message, ...details });
}

function atMost(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  const message = `a commit of this store holds at most ${limit} ${what}, this one has ${count}`;
  throw new KeyloomError("STORAGE_COMMIT_TOO_LARGE", { message, what, count, limit });
}

/** The position of the first mutation whose key stood before, or -1. */
function repeatedKey(mutations: readonly Mutation[]): number {
  // Open addressing over FNV-1a: a Set would need every key as a string first.
  let slots = 8;
  while (slots < mutations.length * 2) slots *= 2;
  const table = new Int32Array(slots);
  for (let i = 0; i < mutations.length; i++) {
    const { key } = mutations[i] as Mutation;
    let hash = 0x811c9dc5;
    // A third of a long key's bytes tells most keys apart; those it doesn't are compared.
    const step = key.length > 24 ? 3 : 1;
    for (let j = step - 1; j < key.length; j += step) hash = Math.imul(hash ^ (key[j] as number), 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & (slots - 1);
    for (let taken = table[slot]; taken !== 0; taken = table[slot]) {
      const other = (mutations[(taken as number) - 1] as Mutation).key;
      if (other.length === key.length && compareBytes(other, key) === 0) return i;
      slot = (slot + 1) & (slots - 1);
    }
    table[slot] = i + 1;
  }
  return -1;
}

/** The error of every call on an adapter or a snapshot after its `close`. */
export function closedError(what: "store" | "snapshot" = "store"): KeyloomError {
  return new KeyloomError("STORAGE_CLOSED", { message: `the ${what} is closed` });
}
