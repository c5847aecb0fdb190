/** Everything but key records and the log: each entry against the record that it speaks of. */
import { concat, equalBytes, toHex } from "../foundation/bytes.js";
import type { Id } from "../foundation/ids.js";
import { MAC_ID, ROOT_ID } from "../crypto/material.js";
import { indexKeys } from "../keys/indexes.js";
import type { KeyVersion } from "../keys/record.js";
import { readTrail } from "../keys/store-records.js";
import type { Entry, Range } from "../storage/adapter.js";
import {
  idOfKey,
  keyspace,
  parseDueKey,
  parseMaterialKey,
  prefixOf,
  trailingId,
  versionOfKey,
  type Prefix,
} from "../storage/keyspace.js";
import type { Found } from "./findings.js";
import { openEach, readAll, readRecords, type Examination, type KeyRecords } from "./reading.js";

/** The key that an index entry speaks of. */
const KEY_OF_INDEX = {
  indexName: ({ value }) => value,
  indexTag: ({ key }) => trailingId(key),
  indexOwner: ({ key }) => trailingId(key),
  indexState: ({ key }) => key.slice(2, 18),
  indexDue: ({ key }) => parseDueKey(key).key,
  indexExposed: ({ key }) => idOfKey(key),
  indexExposing: ({ key }) => idOfKey(key),
} as const satisfies Partial<Record<Prefix, (entry: Entry) => Id>>;

type Check = (examination: Examination, entries: readonly Entry[]) => Promise<Found[]>;

/** What is looked at in the entries of a family, beside the MAC of those that are records. */
export const FAMILY_CHECKS: Partial<Record<Prefix, Check>> = {
  material: checkMaterials,
  trail: checkTrails,
  gate: checkOwned,
  usage: checkOwned,
  ...(Object.fromEntries(
    Object.entries(KEY_OF_INDEX).map(([name, keyOf]) => [
      name,
      (examination: Examination, entries: readonly Entry[]) => checkIndexes(examination, entries, keyOf),
    ]),
  ) as Record<keyof typeof KEY_OF_INDEX, Check>),
};

/** Records that every store has. */
export async function checkStore({ context, reads }: Examination): Promise<Found[]> {
  const { version } = context.ring.root;
  const required = {
    "the header": keyspace.header(),
    "the slot table": keyspace.unlockSlots(),
    "the store's mark": keyspace.mark(),
    "the epoch": keyspace.epoch(),
    "the owner's record": keyspace.entity(context.storeOwner),
    "the MAC key": keyspace.material(ROOT_ID, version, MAC_ID, 1),
    "the root key's gate": keyspace.gate(ROOT_ID, version),
  };
  const entries = await reads.getMany(Object.values(required));
  return Object.entries(required).flatMap(([what, storageKey], i): Found[] =>
    entries[i] === null ? [{ kind: "record-missing", detail: `${what} is missing`, storageKey }] : [],
  );
}

function rowOf(keys: KeyRecords, id: Id, version: number): KeyVersion | null | undefined {
  const record = keys.get(toHex(id));
  return record === null ? null : record?.versions.find((row) => row.version === version);
}

/** Gates and usage counts are of a version. */
async function checkOwned(examination: Examination, entries: readonly Entry[]): Promise<Found[]> {
  const found: Found[] = [];
  openEach(examination, entries, found);
  const keys = await readRecords(
    examination,
    entries.map(({ key }) => idOfKey(key)),
  );
  for (const { key: storageKey } of entries) {
    const key = idOfKey(storageKey);
    const version = versionOfKey(storageKey);
    if (equalBytes(key, ROOT_ID) || rowOf(keys, key, version) !== undefined) continue;
    found.push({
      kind: "record-unowned",
      detail: "a record of a version that does not exist",
      storageKey,
      key,
      version,
    });
  }
  return found;
}

async function checkMaterials(examination: Examination, entries: readonly Entry[]): Promise<Found[]> {
  const found: Found[] = [];
  openEach(examination, entries, found);
  const paths = entries.map(({ key }) => parseMaterialKey(key));
  const keys = await readRecords(
    examination,
    paths.flatMap(({ kek, key }) => [kek, key]),
  );
  const unmarked: Unmarked[] = [];
  for (const [i, { kek, kekVersion, key, version }] of paths.entries()) {
    const storageKey = entries[i]!.key;
    const misplaced = (detail: string): Found => ({
      kind: "material-misplaced",
      detail,
      storageKey,
      key,
      version,
    });
    if (equalBytes(key, MAC_ID) && equalBytes(kek, ROOT_ID)) continue;
    const row = rowOf(keys, key, version);
    if (row === undefined) {
      const detail = "material of a version that does not exist";
      found.push({ kind: "record-unowned", detail, storageKey, key, version });
    }
    if (row === undefined || row === null) continue;
    if (!equalBytes(keys.get(toHex(key))!.wrappedBy, kek)) {
      found.push(misplaced("material lies under a wrapping key that is not its own"));
    } else if (equalBytes(kek, ROOT_ID)) {
      if (kekVersion === examination.context.ring.root.version) continue;
      found.push(misplaced("material lies under another version of the root key"));
    } else {
      const kekRow = rowOf(keys, kek, kekVersion);
      if (kekRow === undefined)
        found.push(misplaced("material lies under a version that its wrapping key has not"));
      else if (isExposing(kekRow) && !row.exposed) unmarked.push({ kek, kekVersion, key, version });
    }
  }
  return [...found, ...(await notPending(examination, unmarked))];
}

/** What lies under such a version counts as known to somebody else. */
function isExposing(row: KeyVersion | null | undefined): boolean {
  return row !== null && row !== undefined && (row.exposed || row.dates.compromise !== undefined);
}

interface Unmarked {
  kek: Id;
  kekVersion: number;
  key: Id;
  version: number;
}

/** Those whose marking nobody has left for the next sweep. */
async function notPending({ reads }: Examination, unmarked: readonly Unmarked[]): Promise<Found[]> {
  const entries = unmarked.map(({ kek, kekVersion }) => keyspace.indexExposing(kek, kekVersion));
  const pending = await readAll(reads, entries);
  return unmarked.flatMap(({ key, version }, i): Found[] => {
    if (pending[i] !== null) return [];
    const detail = "it was wrapped under an exposed wrapping-key version and is not marked";
    return [{ kind: "exposure-missing", detail, storageKey: entries[i]!, key, version }];
  });
}

async function checkTrails(examination: Examination, entries: readonly Entry[]): Promise<Found[]> {
  const found: Found[] = [];
  const opened = openEach(examination, entries, found);
  const keks = await readRecords(
    examination,
    entries.map(({ key }) => idOfKey(key)),
  );
  const moved: Unmarked[] = [];
  for (const [i, { key: storageKey }] of entries.entries()) {
    const kek = idOfKey(storageKey);
    const kekVersion = versionOfKey(storageKey);
    const row = rowOf(keks, kek, kekVersion);
    if (row === undefined) {
      const detail = "the trail of a wrapping-key version that does not exist";
      found.push({ kind: "record-unowned", detail, storageKey, key: kek, version: kekVersion });
    }
    const body = opened[i]?.body;
    if (body === undefined || !isExposing(row)) continue;
    for (const { key, version } of readTrail(body)) moved.push({ kek, kekVersion, key, version });
  }
  const keys = await readRecords(
    examination,
    moved.map(({ key }) => key),
  );
  const unmarked = moved.filter(({ key, version }) => rowOf(keys, key, version)?.exposed === false);
  return [...found, ...(await notPending(examination, unmarked))];
}

async function checkIndexes(
  examination: Examination,
  entries: readonly Entry[],
  keyOf: (entry: Entry) => Id,
): Promise<Found[]> {
  const ids = entries.map(keyOf);
  const keys = await readRecords(
    examination,
    ids.filter(({ length }) => length === 16),
  );
  const found: Found[] = [];
  const expected = new Map<string, Set<string>>();
  for (const [i, { key: storageKey }] of entries.entries()) {
    const key = ids[i]!;
    const id = toHex(key);
    const record = keys.get(id);
    if (record === null) continue;
    if (record === undefined) {
      const detail = "an index entry of a key that does not exist";
      found.push({ kind: "index-dangling", detail, storageKey, key });
      continue;
    }
    let own = expected.get(id);
    if (own === undefined) expected.set(id, (own = new Set(indexKeys(record).map(toHex))));
    const confirmed =
      prefixOf(storageKey) === "indexExposing"
        ? isExposing(rowOf(keys, key, versionOfKey(storageKey)))
        : own.has(toHex(storageKey));
    if (confirmed) continue;
    const detail = "an index entry that the key's record does not confirm";
    found.push({ kind: "index-extra", detail, storageKey, key });
  }
  return found;
}

/** The storage keys between the families, where nothing may lie. */
export function gapsBetween(prefixes: Readonly<Record<Prefix, number>>): Range[] {
  const known = Object.values(prefixes).sort((a, b) => a - b);
  const byte = (value: number): Uint8Array => new Uint8Array([value]);
  const inner = known.flatMap((prefix, i): Range[] => {
    const next = known[i + 1];
    if (next === undefined) return [{ start: byte(prefix + 1), end: null }];
    return next === prefix + 1 ? [] : [{ start: byte(prefix + 1), end: byte(next) }];
  });
  return [{ start: concat(), end: byte(known[0]!) }, ...inner];
}
