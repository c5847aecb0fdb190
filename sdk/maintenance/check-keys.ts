/** Key records, and what must agree with each: its histories, index entries, material and gates. */
import { equalBytes, getU32, toHex } from "../foundation/bytes.js";
import { CborReader } from "../foundation/cbor.js";
import type { Id } from "../foundation/ids.js";
import { USAGES } from "../crypto/algorithms.js";
import { ROOT_ID } from "../crypto/material.js";
import { decodeHistory, KEY_HISTORY } from "../keys/history.js";
import { indexKeys } from "../keys/indexes.js";
import type { KeyRecord, KeyVersion } from "../keys/record.js";
import type { State } from "../lifecycle/states.js";
import type { Entry } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges, versionOfKey } from "../storage/keyspace.js";
import type { Found } from "./findings.js";
import {
  decodeEach,
  keysOf,
  openEach,
  readAll,
  readRecords,
  type Examination,
  type KeyRecords,
} from "./reading.js";

/** Where `history/<key>/<version>/<n>` has its last field. */
const HISTORY_N = 21;
const HISTORY_PAGE = 256;

export const isDestroyed = (state: State): boolean =>
  state === "destroyed" || state === "destroyed-compromised";

/**
 * Checks a page of key records.
 *
 * @param after - the last key of the page before, `null` for the first page
 */
export async function checkKeys(
  examination: Examination,
  entries: readonly Entry[],
  after: Id | null,
): Promise<Found[]> {
  const found: Found[] = [];
  const keys = keysOf(examination, entries, found);
  const records = [...keys.values()].filter((record) => record !== null);
  found.push(...(await checkHistories(examination, keys, after, idOfKey(entries.at(-1)!.key))));
  await checkIndexes(examination, records, found);
  await checkMaterial(examination, records, found);
  await checkGates(examination, records, found);
  return found;
}

/** How far a version's history was followed. `null`: from a damaged entry on nothing is known of the state. */
interface Followed {
  n: number;
  state: State | null | undefined;
}

/** Checks the histories of the keys of a page, and finds those of keys that are not there. `until` null: to the end. */
export async function checkHistories(
  examination: Examination,
  keys: KeyRecords,
  after: Id | null,
  until: Id | null,
): Promise<Found[]> {
  const found: Found[] = [];
  const followed = new Map<string, Followed>();
  let page: Entry[] = [];
  const take = (): void => {
    const opened = openEach(examination, page, found);
    page.forEach(({ key }, i) => followHistory(keys, followed, key, opened[i]?.body, found));
    page = [];
  };
  for await (const entry of examination.reads.list(ranges.historiesBetween(after, until))) {
    page.push(entry);
    if (page.length === HISTORY_PAGE) take();
  }
  take();
  for (const [id, record] of keys) {
    if (record === null) continue;
    const own = { version: KEY_HISTORY, history: record.history ?? 0, state: undefined };
    for (const { version, history, state } of [own, ...record.versions]) {
      const last = followed.get(`${id}/${version}`);
      if ((last?.n ?? 0) < history) {
        found.push(
          gap(record.id, version, `of ${history} entries those from ${(last?.n ?? 0) + 1} on are missing`),
        );
      } else if (state !== undefined && last?.state !== undefined && last.state !== state) {
        found.push(gap(record.id, version, `history ends in ${last.state}, the record says ${state}`));
      }
    }
  }
  return found;
}

function gap(key: Id, version: number, detail: string, storageKey?: Uint8Array): Found {
  return { kind: "history-gap", detail, key, version, ...(storageKey === undefined ? {} : { storageKey }) };
}

function followHistory(
  keys: KeyRecords,
  followed: Map<string, Followed>,
  storageKey: Uint8Array,
  body: Uint8Array | undefined,
  found: Found[],
): void {
  const key = idOfKey(storageKey);
  const version = versionOfKey(storageKey);
  const n = getU32(storageKey, HISTORY_N);
  const record = keys.get(toHex(key));
  if (record === null) return;
  const row = record?.versions.find((candidate) => candidate.version === version);
  const history = version === KEY_HISTORY ? record?.history : row?.history;
  if (history === undefined || n > history || n === 0) {
    const detail = "a history entry that no key's record counts";
    return void found.push({ kind: "record-unowned", detail, storageKey, key, version });
  }
  const name = `${toHex(key)}/${version}`;
  const before = followed.get(name) ?? { n: 0, state: null };
  const next: Followed = { n, state: undefined };
  followed.set(name, next);
  if (n !== before.n + 1)
    found.push(gap(key, version, `entries ${before.n + 1} to ${n - 1} are missing`, storageKey));
  const entry = body === undefined ? null : decodeEach(storageKey, found, () => decodeHistory(body));
  if (entry === null || version === KEY_HISTORY) return;
  next.state = entry.to;
  if (n === before.n + 1 && before.state !== undefined && entry.from !== before.state) {
    found.push(
      gap(
        key,
        version,
        `an entry begins in ${entry.from}, the one before ended in ${before.state}`,
        storageKey,
      ),
    );
  }
}

async function checkIndexes(
  { reads }: Examination,
  records: readonly KeyRecord[],
  found: Found[],
): Promise<void> {
  const expected = records.flatMap((record) =>
    indexKeys(record).map((storageKey) => ({ record, storageKey })),
  );
  const entries = await readAll(
    reads,
    expected.map(({ storageKey }) => storageKey),
  );
  for (const [i, { record, storageKey }] of expected.entries()) {
    const entry = entries[i]!;
    const { id, name } = record;
    if (entry === null) {
      const detail = "a record's index entry is missing: look-ups pass it by";
      found.push({ kind: "index-missing", detail, storageKey, key: id });
    } else if (
      name !== undefined &&
      equalBytes(storageKey, keyspace.indexName(name)) &&
      !equalBytes(entry.value, id)
    ) {
      found.push({ kind: "index-wrong", detail: "a name leads to another key", storageKey, key: id });
    }
  }
}

/** The versions under which a key's material may lie, and which of them are destroyed; `null`: nobody can tell. */
async function wrappingVersions(
  examination: Examination,
  records: readonly KeyRecord[],
): Promise<(record: KeyRecord) => { version: number; destroyed: boolean }[] | null> {
  const { root } = examination.context.ring;
  const keks = await readRecords(
    examination,
    records.map(({ wrappedBy }) => wrappedBy),
  );
  return ({ wrappedBy }) => {
    if (equalBytes(wrappedBy, ROOT_ID)) return [{ version: root.version, destroyed: false }];
    const kek = keks.get(toHex(wrappedBy));
    if (kek === null) return null;
    return (kek?.versions ?? []).map(({ version, state }) => ({ version, destroyed: isDestroyed(state) }));
  };
}

async function checkMaterial(
  examination: Examination,
  records: readonly KeyRecord[],
  found: Found[],
): Promise<void> {
  const versionsOf = await wrappingVersions(examination, records);
  const places: { record: KeyRecord; row: KeyVersion; path: Uint8Array; destroyed: boolean }[] = [];
  for (const record of records) {
    for (const row of record.versions) {
      for (const { version, destroyed } of versionsOf(record) ?? []) {
        const path = keyspace.material(record.wrappedBy, version, record.id, row.version);
        places.push({ record, row, path, destroyed });
      }
    }
  }
  const entries = await readAll(
    examination.reads,
    places.map(({ path }) => path),
  );
  const there = new Map<KeyVersion, typeof places>();
  places.forEach((place, i) => {
    if (entries[i] !== null) there.set(place.row, [...(there.get(place.row) ?? []), place]);
  });
  for (const record of records) {
    if (versionsOf(record) === null) continue;
    for (const row of record.versions) {
      const own = there.get(row) ?? [];
      const about = { key: record.id, version: row.version };
      if (isDestroyed(row.state)) {
        // What was shredded with its wrapping key stays, as it opens no more.
        const back = own.find(({ destroyed }) => !destroyed);
        if (back === undefined) continue;
        const detail = "a destroyed version has material: somebody put it back";
        found.push({ kind: "material-returned", detail, storageKey: back.path, ...about });
      } else if (own.length === 0) {
        found.push({ kind: "material-missing", detail: "a version's material is gone", ...about });
      } else if (own.length > 1) {
        const detail = `a version's material lies in ${own.length} places`;
        found.push({ kind: "material-duplicate", detail, storageKey: own[0]!.path, ...about });
      }
    }
  }
}

async function checkGates(
  examination: Examination,
  records: readonly KeyRecord[],
  found: Found[],
): Promise<void> {
  const wrapping = records.filter(({ usages }) => (usages & USAGES.wrap) !== 0);
  const gates = wrapping.flatMap(({ id, versions }) =>
    versions.map((row) => ({ id, row, storageKey: keyspace.gate(id, row.version) })),
  );
  const entries = await readAll(
    examination.reads,
    gates.map(({ storageKey }) => storageKey),
  );
  // Damage is told where gates are walked over.
  const opened = openEach(
    examination,
    entries.filter((entry) => entry !== null),
    [],
  ).values();
  for (const [i, { id, row, storageKey }] of gates.entries()) {
    const about = { storageKey, key: id, version: row.version };
    if (entries[i] === null) {
      found.push({
        kind: "record-missing",
        detail: "the gate of a wrapping-key version is missing",
        ...about,
      });
      continue;
    }
    const body = opened.next().value?.body;
    if (body === undefined) continue;
    const mustBeClosed = isDestroyed(row.state) || row.state === "compromised";
    const open = decodeEach(storageKey, [], () => CborReader.decode(body, "a gate").bool(1));
    if (mustBeClosed && open === true) {
      found.push({ kind: "gate-open", detail: `the gate of a ${row.state} version is open`, ...about });
    }
  }
}
