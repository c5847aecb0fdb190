/** The storage adapter that keeps everything in memory: for browsers, tests and throw-away stores. */
import {
  type Check,
  type Commit,
  type Committed,
  type Conflict,
  closedError,
  type Entry,
  type Found,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Mutation,
  type Range,
  type Snapshot,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "./adapter.js";
import { RunCopier } from "../foundation/bytes.js";
import { aliveAt, Fingers, type Item, OrderedItems, type Origin } from "./ordered-items.js";
import { Arena, copyRange, LARGEST_RUN, NO_VALUE, pagedList } from "./pages.js";

export interface MemoryStorageOptions {
  /** What the adapter works on; its own empty space where not given. A space outlives its adapters. */
  readonly space?: MemorySpace | undefined;
  /** Narrower limits than its own, as other stores have them. */
  readonly limits?:
    Partial<Pick<StorageCapabilities, "maxChecks" | "maxMutations" | "maxCommitBytes">> | undefined;
}

/**
 * Opens a store in memory. Nothing is durable; limits are wide (65,536 checks and mutations, 64 MiB).
 *
 * A deleted value's bytes are dropped, not wiped, and stay as long as another entry of the same commit.
 */
export function memoryStorage(options: MemoryStorageOptions = {}): StorageAdapter {
  return new MemoryStorage(options.space ?? new MemorySpace(), options.limits ?? {});
}

/**
 * The contents of a memory store: give one to several adapters, one after the other (a restart) or at the
 * same time (several writers).
 */
export class MemorySpace {
  /** @internal */
  readonly ordered = new OrderedItems();
  /** @internal Reads and checks, deletes, and puts each go their own way through the keys. */
  readonly fingers = { reads: new Fingers(), deletes: new Fingers(), puts: new Fingers() };
  /** @internal Number of the last commit that wrote; its decimal form is the version of its puts. */
  sequence = 0;
  /** @internal What is read is copied here. */
  readonly arena = new Arena();
  /** @internal */
  readonly snapshots = new Set<Snapshot>();
}

class MemoryStorage implements StorageAdapter {
  readonly capabilities: StorageCapabilities;
  readonly #space: MemorySpace;
  readonly #snapshots = new Set<Snapshot>();
  #closed = false;

  constructor(space: MemorySpace, limits: Partial<StorageCapabilities>) {
    this.#space = space;
    this.capabilities = Object.freeze({
      maxChecks: 65_536,
      maxMutations: 65_536,
      maxCommitBytes: 64 * 1024 * 1024,
      maxKeyBytes: MAX_KEY_BYTES,
      maxValueBytes: MAX_VALUE_BYTES,
      ...limits,
      durable: false,
      multiProcess: false,
      snapshot: true,
      watch: false,
    });
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    this.#assertOpen();
    return entryOf(living(this.#space, key), this.#space.arena);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    this.#assertOpen();
    return keys.map((key) => entryOf(living(this.#space, key), this.#space.arena));
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    return listItems(this.#space, null, range, options, () => this.#assertOpen());
  }

  async count(range: Range): Promise<number> {
    this.#assertOpen();
    return countItems(this.#space, null, range);
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    this.#assertOpen();
    validateCommit(this.capabilities, commit);
    const { checks, mutations } = commit;
    const conflicts: Found[] = [];
    const names: string[] = [];
    for (const { key, version } of checks) {
      const name = nameOf(key);
      const found = this.#space.ordered.find(name, this.#space.fingers.reads)?.origin.version ?? null;
      if (found !== version) conflicts.push({ key: new Uint8Array(key), found, expected: version });
      names.push(name);
    }
    if (conflicts.length > 0) return { committed: false, conflicts };
    return { committed: true, versions: apply(this.#space, mutations, namesOf(checks, names)) };
  }

  async snapshot(): Promise<Snapshot> {
    this.#assertOpen();
    const snapshot = new MemorySnapshot(this.#space, () => this.#snapshots.delete(snapshot));
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}

class MemorySnapshot implements Snapshot {
  readonly #space: MemorySpace;
  readonly #sequence: number;
  readonly #onClose: () => void;

  constructor(space: MemorySpace, onClose: () => void) {
    this.#space = space;
    this.#sequence = space.sequence;
    this.#onClose = onClose;
    space.snapshots.add(this);
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return (await this.getMany([key]))[0] ?? null;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    this.#assertOpen();
    return keys.map((key) => entryOf(this.#find(key), this.#space.arena));
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    return listItems(this.#space, this.#sequence, range, options, () => this.#assertOpen());
  }

  async count(range: Range): Promise<number> {
    this.#assertOpen();
    return countItems(this.#space, this.#sequence, range);
  }

  async close(): Promise<void> {
    const { snapshots, ordered } = this.#space;
    if (snapshots.delete(this) && snapshots.size === 0) ordered.sweep();
    this.#onClose();
  }

  #find(key: Uint8Array): Item | undefined {
    const item = living(this.#space, key);
    if (item !== undefined && aliveAt(item, this.#sequence)) return item;
    return this.#space.ordered.findAt(nameOf(key), this.#sequence);
  }

  #assertOpen(): void {
    if (!this.#space.snapshots.has(this)) throw closedError("snapshot");
  }
}

function living(space: MemorySpace, key: Uint8Array): Item | undefined {
  return space.ordered.find(nameOf(key), space.fingers.reads);
}

/** The names of keys; those of checks are known already, and mutations of the same keys come in the same order. */
function namesOf(checks: readonly Check[], names: readonly string[]): (key: Uint8Array) => string {
  let next = 0;
  return (key) => (checks[next]?.key === key ? (names[next++] as string) : nameOf(key));
}

/** Applies mutations whose checks have held. Nothing in here may fail half-way. */
function apply(
  space: MemorySpace,
  mutations: readonly Mutation[],
  name: (key: Uint8Array) => string,
): string[] {
  if (mutations.length === 0) return [];
  let bytes = 0;
  for (const mutation of mutations) {
    if (mutation.kind === "put") bytes += mutation.key.length + mutation.value.length;
  }
  const { ordered, fingers } = space;
  const sequence = ++space.sequence;
  const version = String(sequence);
  const origin: Origin = { sequence, version, slab: new Uint8Array(bytes) };
  const kept = space.snapshots.size > 0;
  const versions: string[] = [];
  const copier = new RunCopier(origin.slab);
  let offset = 0;
  for (const mutation of mutations) {
    const { key } = mutation;
    const named = name(key);
    if (mutation.kind === "delete") {
      const old = ordered.find(named, fingers.deletes);
      if (old !== undefined) ordered.bury(old, sequence, kept);
      continue;
    }
    const { value } = mutation;
    const keyLength = key.length;
    const valueLength = value.length;
    copier.add(key);
    copier.add(value);
    const old = ordered.find(named, fingers.puts);
    if (old !== undefined && !kept) {
      old.origin = origin;
      old.offset = offset;
      old.valueLength = valueLength;
    } else {
      if (old !== undefined) ordered.bury(old, sequence, kept);
      ordered.insert(named, { origin, offset, keyLength, valueLength, died: 0 }, fingers.puts);
    }
    versions.push(version);
    offset += keyLength + valueLength;
  }
  copier.end();
  return versions;
}

/** `sequence: null` lists the living. */
function listItems(
  space: MemorySpace,
  sequence: number | null,
  range: Range,
  options: ListOptions,
  assertOpen: () => void,
): AsyncIterable<Entry> {
  const { limit, reverse, keysOnly, ...bounds } = copyRange(range, options);
  return pagedList(limit, () => {
    let start = nameOf(bounds.start);
    let end = bounds.end === null ? null : nameOf(bounds.end);
    return (count) => {
      assertOpen();
      if (end !== null && end <= start) return [];
      const at = sequence ?? space.sequence;
      const { items, last } = space.ordered.collect({ start, end, reverse }, count, at);
      if (reverse) end = last;
      else start = `${last}\0`;
      return keysOnly ? items.map((item) => keyOf(item, space.arena)) : entriesOf(items, space.arena);
    };
  });
}

function countItems(space: MemorySpace, sequence: number | null, range: Range): number {
  const { start, end } = copyRange(range, {});
  const bounds = { start: nameOf(start), end: end === null ? null : nameOf(end), reverse: false };
  return space.ordered.count(bounds, sequence);
}

function entryOf(item: Item | undefined, arena: Arena): Entry | null {
  return item === undefined ? null : (entriesOf([item], arena)[0] as Entry);
}

function keyOf({ origin, offset, keyLength }: Item, arena: Arena): Entry {
  return {
    key: arena.copy(origin.slab, offset, offset + keyLength),
    value: NO_VALUE,
    version: origin.version,
  };
}

/** Copies entries out. Those that one commit put side by side, as bulk commands do, are copied together. */
function entriesOf(items: readonly Item[], arena: Arena): Entry[] {
  const entries: Entry[] = [];
  for (let from = 0; from < items.length;) {
    const { origin, offset } = items[from] as Item;
    let end = offset;
    let to = from;
    for (; to < items.length; to++) {
      const item = items[to] as Item;
      const length = item.keyLength + item.valueLength;
      if (item.origin !== origin || item.offset !== end) break;
      if (to > from && end + length - offset > LARGEST_RUN) break;
      end += length;
    }
    const copy = arena.copy(origin.slab, offset, end);
    const { buffer } = copy;
    for (let at = copy.byteOffset; from < to; from++) {
      const { keyLength, valueLength } = items[from] as Item;
      const key = new Uint8Array(buffer, at, keyLength);
      const value = new Uint8Array(buffer, at + keyLength, valueLength);
      entries.push({ key, value, version: origin.version });
      at += keyLength + valueLength;
    }
  }
  return entries;
}

type Latin1Slice = (this: Uint8Array, start: number, end: number) => string;
// Node's own conversion takes a quarter of the time. Reached through globalThis: bundlers polyfill the bare name.
const latin1Slice = (globalThis as { Buffer?: { prototype: { latin1Slice?: Latin1Slice } } }).Buffer
  ?.prototype.latin1Slice;

/** One character per byte. Keys are short, but a range's bound may be of any length. */
function nameOf(key: Uint8Array): string {
  if (!(key instanceof Uint8Array)) throw new TypeError("a storage key is a Uint8Array");
  if (latin1Slice !== undefined) return latin1Slice.call(key, 0, key.length);
  let name = "";
  for (let at = 0; at < key.length; at += 8192) {
    name += String.fromCharCode.apply(null, key.subarray(at, at + 8192) as unknown as number[]);
  }
  return name;
}
