/**
 * Every storage key, one table. A storage key is one prefix byte and fixed-width big-endian fields;
 * only a name or a tag has a variable length, and then it is followed by a zero byte (which neither can
 * hold), so that no storage key is the beginning of another and a key's fields are never ambiguous.
 */
import { concat, getU32, getU64, putU32, putU64, utf8 } from "../foundation/bytes.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { compareBytes, type Range } from "./adapter.js";

/** Prefix bytes. Gaps leave room beside their relatives; a byte never changes its meaning. */
export const PREFIX = {
  header: 0x01,
  unlockSlots: 0x02,
  mark: 0x03,
  epoch: 0x04,
  restoring: 0x05,
  entity: 0x10,
  policy: 0x11,
  proposal: 0x12,
  key: 0x20,
  history: 0x21,
  material: 0x30,
  gate: 0x31,
  trail: 0x32,
  usage: 0x33,
  auditWriters: 0x40,
  auditHead: 0x41,
  auditIntake: 0x42,
  auditLog: 0x43,
  auditTile: 0x44,
  auditBundle: 0x45,
  auditMoved: 0x46,
  auditCheckpoint: 0x47,
  job: 0x50,
  leaseBeat: 0x51,
  leaseFence: 0x52,
  leaseRange: 0x53,
  indexName: 0x60,
  indexTag: 0x61,
  indexOwner: 0x62,
  indexState: 0x63,
  indexDue: 0x64,
  indexExposed: 0x65,
  indexExposing: 0x66,
} as const;

export type Prefix = keyof typeof PREFIX;

/** Prefixes whose values end in a MAC; the others are index entries, which carry no authority. */
export const RECORD_PREFIXES = [
  "header",
  "unlockSlots",
  "mark",
  "epoch",
  "restoring",
  "entity",
  "policy",
  "proposal",
  "key",
  "history",
  "material",
  "gate",
  "trail",
  "usage",
  "auditWriters",
  "auditHead",
  "auditIntake",
  "auditLog",
  "auditTile",
  "auditBundle",
  "auditMoved",
  "auditCheckpoint",
  "job",
  "leaseBeat",
  "leaseFence",
  "leaseRange",
] as const satisfies readonly Prefix[];

const ZERO = new Uint8Array(1);

function build(prefix: Prefix, ...fields: readonly (Uint8Array | number)[]): Uint8Array {
  let length = 1;
  for (const field of fields) length += typeof field === "number" ? 4 : field.length;
  const key = new Uint8Array(length);
  key[0] = PREFIX[prefix];
  let offset = 1;
  for (const field of fields) {
    if (typeof field === "number") {
      putU32(key, offset, field);
      offset += 4;
    } else {
      key.set(field, offset);
      offset += field.length;
    }
  }
  return key;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  putU64(bytes, 0, value);
  return bytes;
}

export const keyspace = {
  header: (): Uint8Array => build("header"),
  unlockSlots: (): Uint8Array => build("unlockSlots"),
  mark: (): Uint8Array => build("mark"),
  epoch: (): Uint8Array => build("epoch"),
  restoring: (): Uint8Array => build("restoring"),
  entity: (id: Id): Uint8Array => build("entity", id),
  policy: (version: number): Uint8Array => build("policy", version),
  proposal: (id: Id): Uint8Array => build("proposal", id),
  key: (id: Id): Uint8Array => build("key", id),
  history: (key: Id, version: number, n: number): Uint8Array => build("history", key, version, n),
  material: (kek: Id, kekVersion: number, key: Id, version: number): Uint8Array =>
    build("material", kek, kekVersion, key, version),
  gate: (kek: Id, kekVersion: number): Uint8Array => build("gate", kek, kekVersion),
  trail: (kek: Id, kekVersion: number, job: Id, done: number): Uint8Array =>
    build("trail", kek, kekVersion, job, done),
  usage: (key: Id, version: number): Uint8Array => build("usage", key, version),
  auditWriters: (): Uint8Array => build("auditWriters"),
  auditHead: (writer: Id): Uint8Array => build("auditHead", writer),
  auditIntake: (writer: Id, sequence: number): Uint8Array => build("auditIntake", writer, u64(sequence)),
  auditLog: (): Uint8Array => build("auditLog"),
  auditTile: (level: number, index: number): Uint8Array =>
    build("auditTile", new Uint8Array([level]), u64(index)),
  auditBundle: (first: number): Uint8Array => build("auditBundle", u64(first)),
  auditMoved: (writer: Id): Uint8Array => build("auditMoved", writer),
  auditCheckpoint: (size: number): Uint8Array => build("auditCheckpoint", u64(size)),
  job: (id: Id): Uint8Array => build("job", id),
  leaseBeat: (lease: number): Uint8Array => build("leaseBeat", new Uint8Array([lease])),
  leaseFence: (lease: number): Uint8Array => build("leaseFence", new Uint8Array([lease])),
  leaseRange: (job: Id, n: number): Uint8Array => build("leaseRange", job, n),
  indexName: (name: string): Uint8Array => build("indexName", utf8(name), ZERO),
  indexTag: (tag: string, key: Id): Uint8Array => build("indexTag", utf8(tag), ZERO, key),
  indexOwner: (owner: Id, key: Id): Uint8Array => build("indexOwner", owner, key),
  indexState: (state: number, key: Id, version: number): Uint8Array =>
    build("indexState", new Uint8Array([state]), key, version),
  indexDue: (time: number, key: Id, version: number): Uint8Array =>
    build("indexDue", u64(time), key, version),
  indexExposed: (key: Id, version: number): Uint8Array => build("indexExposed", key, version),
  indexExposing: (kek: Id, kekVersion: number): Uint8Array => build("indexExposing", kek, kekVersion),
} as const;

/** Every key that begins with `start`; `after`, a key in it, moves the beginning just behind that key. */
function rangeOf(start: Uint8Array, after?: Uint8Array): Range {
  const end = start.slice();
  // A prefix byte is below 0xff, so the carry always ends.
  let i = end.length - 1;
  while (end[i] === 0xff) i--;
  end[i]!++;
  return { start: after === undefined ? start : concat(after, ZERO), end: end.slice(0, i + 1) };
}

/** Ranges of whole families. `after` continues a listing behind a key already seen. */
export const ranges = {
  everything: (after?: Uint8Array): Range => ({
    start: after === undefined ? new Uint8Array(0) : concat(after, ZERO),
    end: null,
  }),
  family: (prefix: Prefix): Range => rangeOf(build(prefix)),
  keys: (after?: Uint8Array): Range => rangeOf(build("key"), after),
  entities: (): Range => rangeOf(build("entity")),
  policies: (): Range => rangeOf(build("policy")),
  proposals: (): Range => rangeOf(build("proposal")),
  history: (key: Id, version?: number): Range =>
    rangeOf(version === undefined ? build("history", key) : build("history", key, version)),
  /** The histories of all keys behind one up to and including another; `null`: from the first on, to the last. */
  historiesBetween: (after: Id | null, until: Id | null): Range => ({
    start: after === null ? build("history") : (rangeOf(build("history", after)).end as Uint8Array),
    end: rangeOf(until === null ? build("history") : build("history", until)).end,
  }),
  materialUnder: (kek: Id, kekVersion?: number, after?: Uint8Array): Range =>
    rangeOf(kekVersion === undefined ? build("material", kek) : build("material", kek, kekVersion), after),
  gates: (kek: Id): Range => rangeOf(build("gate", kek)),
  trail: (kek: Id, kekVersion: number, after?: Uint8Array): Range =>
    rangeOf(build("trail", kek, kekVersion), after),
  auditIntake: (writer?: Id): Range =>
    rangeOf(writer === undefined ? build("auditIntake") : build("auditIntake", writer)),
  /** Entries of writers that come after this one. */
  auditIntakeBehind: (writer: Id): Range => ({
    start: rangeOf(build("auditIntake", writer)).end!,
    end: rangeOf(build("auditIntake")).end,
  }),
  /** Parts of bundles whose first entry has an index from `from` on and below `end`. */
  auditBundles: (from = 0, end?: number): Range => ({
    start: build("auditBundle", u64(from)),
    end: end === undefined ? rangeOf(build("auditBundle")).end : build("auditBundle", u64(end)),
  }),
  auditTiles: (): Range => rangeOf(build("auditTile")),
  auditMoved: (): Range => rangeOf(build("auditMoved")),
  auditCheckpoints: (): Range => rangeOf(build("auditCheckpoint")),
  auditHeads: (): Range => rangeOf(build("auditHead")),
  jobs: (): Range => rangeOf(build("job")),
  leaseRanges: (job: Id): Range => rangeOf(build("leaseRange", job)),
  /** The part of a range that begins behind a key of it or before it. */
  behind: ({ start, end }: Range, key: Uint8Array): Range => ({
    start: compareBytes(start, key) > 0 ? start : concat(key, ZERO),
    end,
  }),
  byTag: (tag: string, after?: Uint8Array): Range => rangeOf(build("indexTag", utf8(tag), ZERO), after),
  byOwner: (owner: Id, after?: Uint8Array): Range => rangeOf(build("indexOwner", owner), after),
  byState: (state: number, after?: Uint8Array): Range =>
    rangeOf(build("indexState", new Uint8Array([state])), after),
  /** Due dates up to and including `until`. */
  due: (until: number, after?: Uint8Array): Range => ({
    start: after === undefined ? build("indexDue") : concat(after, ZERO),
    end: build("indexDue", u64(until + 1)),
  }),
  /** Due dates after `from`, up to and including `until`. */
  dueBetween: (from: number, until: number): Range => ({
    start: build("indexDue", u64(from + 1)),
    end: build("indexDue", u64(until + 1)),
  }),
  exposed: (after?: Uint8Array): Range => rangeOf(build("indexExposed"), after),
  exposing: (after?: Uint8Array): Range => rangeOf(build("indexExposing"), after),
} as const;

/** What family a storage key is of; `null` for one that this version does not know. */
export function prefixOf(key: Uint8Array): Prefix | null {
  return PREFIX_NAMES.get(key[0] ?? 0) ?? null;
}

const PREFIX_NAMES = new Map<number, Prefix>(
  (Object.keys(PREFIX) as Prefix[]).map((name) => [PREFIX[name], name]),
);

/** `material/<kek>/<kek version>/<key>/<version>`: where each field stands. */
export const MATERIAL_KEY = { kek: 1, kekVersion: 17, key: 21, version: 37, length: 41 } as const;

export interface MaterialPath {
  kek: Id;
  kekVersion: number;
  key: Id;
  version: number;
}

export function parseMaterialKey(key: Uint8Array): MaterialPath {
  return {
    kek: key.slice(MATERIAL_KEY.kek, MATERIAL_KEY.kek + ID_LENGTH),
    kekVersion: getU32(key, MATERIAL_KEY.kekVersion),
    key: key.slice(MATERIAL_KEY.key, MATERIAL_KEY.key + ID_LENGTH),
    version: getU32(key, MATERIAL_KEY.version),
  };
}

/** The version right behind the id of `idOfKey`: of `history`, `gate`, `trail`, `leaseRange`, `indexExposed`, `indexExposing`. */
export function versionOfKey(key: Uint8Array): number {
  return getU32(key, 1 + ID_LENGTH);
}

/** `policy/<version>`. */
export function versionOfPolicyKey(key: Uint8Array): number {
  return getU32(key, 1);
}

/** `due/<time>/<key>/<version>`. */
export function parseDueKey(key: Uint8Array): { time: number; key: Id; version: number } {
  return { time: getU64(key, 1), key: key.slice(9, 9 + ID_LENGTH), version: getU32(key, 9 + ID_LENGTH) };
}

/** The id right behind the prefix byte: of `key`, `entity`, `proposal`, `job`, `auditHead`, `auditIntake`. */
export function idOfKey(key: Uint8Array): Id {
  return key.slice(1, 1 + ID_LENGTH);
}

/** The id at the end of an index entry by tag or owner. */
export function trailingId(key: Uint8Array): Id {
  return key.slice(key.length - ID_LENGTH);
}

export function placeOfTile(key: Uint8Array): { level: number; index: number } {
  return { level: key[1]!, index: getU64(key, 2) };
}

/** The index of a bundle part's first entry, or the size that a checkpoint is about. */
export function numberOfKey(key: Uint8Array): number {
  return getU64(key, 1);
}

export function sequenceOfIntake(key: Uint8Array): number {
  return getU64(key, 1 + ID_LENGTH);
}
