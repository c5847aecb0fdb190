/** How the doctor reads: nothing is believed, and nothing that is damaged ends the examination. */
import { toHex } from "../foundation/bytes.js";
import { isKeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import {
  checkRecords,
  MAC_LENGTH,
  parseRecord,
  RECORD_HEAD_LENGTH,
  recordPrefix,
  type OpenedRecord,
} from "../crypto/records.js";
import { decodeKeyRecord, type KeyRecord } from "../keys/record.js";
import type { StoreContext } from "../commands/execute.js";
import type { Entry, StorageReads } from "../storage/adapter.js";
import { idOfKey, keyspace, PREFIX } from "../storage/keyspace.js";
import type { Found } from "./findings.js";

/** An examination: a view of the store, one instant of it where the engine has such. */
export interface Examination {
  context: StoreContext;
  reads: StorageReads;
  /** `reads` is of one instant. */
  exact: boolean;
}

/** So many keys are asked for at once. */
const LARGEST_READ = 1024;

/** Records, each as it opens; `null` for one that is damaged, which is a finding. */
export function openEach(
  { context }: Examination,
  entries: readonly Entry[],
  found: Found[],
): (OpenedRecord | null)[] {
  const { vault, records, ring } = context;
  const opened: (OpenedRecord | null)[] = new Array<OpenedRecord | null>(entries.length).fill(null);
  const tooShort = RECORD_HEAD_LENGTH + MAC_LENGTH;
  const places = entries.flatMap(({ value }, i) => (value.length < tooShort ? [] : [i]));
  for (const isSlots of [false, true]) {
    const own = places.filter((i) => (entries[i]!.key[0] === PREFIX.unlockSlots) === isSlots);
    if (own.length === 0) continue;
    const prefix = recordPrefix("keyloom slot table v1", records.key.prefix.slice(48));
    const key = isSlots ? { handle: ring.root.handle, prefix } : records.key;
    const statuses = checkRecords(
      vault,
      key,
      own.map((i) => entries[i]!),
    );
    own.forEach((place, i) => {
      if (statuses[i] === 0) opened[place] = attempt(() => parseRecord(entries[place]!.value));
    });
  }
  entries.forEach(({ key }, i) => {
    if (opened[i] === null)
      found.push({ kind: "record-damaged", detail: "a record's MAC is wrong", storageKey: key });
  });
  return opened;
}

/** Decodes what is authentic; `null` where it makes no sense, which is a finding. */
export function decodeEach<T>(storageKey: Uint8Array, found: Found[], decode: () => T): T | null {
  const decoded = attempt(decode);
  if (decoded === null) {
    found.push({ kind: "record-damaged", detail: "an authentic record does not decode", storageKey });
  }
  return decoded;
}

/** `null` where something typed is thrown. */
function attempt<T>(run: () => T): T | null {
  try {
    return run();
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    return null;
  }
}

/** As `getMany`, of any number of keys. */
export async function readAll(reads: StorageReads, keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
  const entries: (Entry | null)[] = [];
  for (let at = 0; at < keys.length; at += LARGEST_READ) {
    entries.push(...(await reads.getMany(keys.slice(at, at + LARGEST_READ))));
  }
  return entries;
}

/** Key records by id in hexadecimal. `null`: it is there and damaged; not in the map: it is not there. */
export type KeyRecords = Map<string, KeyRecord | null>;

/** Decodes entries of key records. What is damaged is told by whoever walks over them. */
export function keysOf(examination: Examination, entries: readonly Entry[], found: Found[] = []): KeyRecords {
  const opened = openEach(examination, entries, found);
  return new Map(
    entries.map(({ key }, i) => {
      const body = opened[i]?.body;
      const id = idOfKey(key);
      return [toHex(id), body === undefined ? null : decodeEach(key, found, () => decodeKeyRecord(id, body))];
    }),
  );
}

export async function readRecords(examination: Examination, ids: readonly Id[]): Promise<KeyRecords> {
  const wanted = new Map(ids.map((id) => [toHex(id), keyspace.key(id)]));
  const entries = await readAll(examination.reads, [...wanted.values()]);
  return keysOf(
    examination,
    entries.filter((entry) => entry !== null),
  );
}
