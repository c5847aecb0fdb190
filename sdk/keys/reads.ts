/** Reads of key records: authenticated, decoded, with what a later change has to check. */
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, isIdText, parseId, type Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import type { Entry, StorageAdapter } from "../storage/adapter.js";
import { idOfKey, keyspace } from "../storage/keyspace.js";
import { decodeKeyRecord, type KeyRecord } from "./record.js";

export interface StoredKey {
  record: KeyRecord;
  revision: number;
  /** The storage version of the record: what a change checks. */
  storageVersion: string;
}

export function openKeyEntries(records: Records, entries: readonly Entry[]): StoredKey[] {
  const opened = records.open(entries);
  return entries.map((entry, i) => ({
    record: decodeKeyRecord(idOfKey(entry.key), opened[i]!.body),
    revision: opened[i]!.revision,
    storageVersion: entry.version,
  }));
}

/** `null` where there is no such key. @throws {KeyloomError} `STORE_DAMAGED` when the record is not authentic */
export async function readKey(storage: StorageAdapter, records: Records, id: Id): Promise<StoredKey | null> {
  const entry = await storage.get(keyspace.key(id));
  return entry === null ? null : openKeyEntries(records, [entry])[0]!;
}

/** As `readKey`, of many keys from one snapshot, in the order of the ids. */
export async function readKeys(
  storage: StorageAdapter,
  records: Records,
  ids: readonly Id[],
): Promise<(StoredKey | null)[]> {
  const entries = await storage.getMany(ids.map((id) => keyspace.key(id)));
  const present = entries.filter((entry) => entry !== null);
  const stored = openKeyEntries(records, present).values();
  return entries.map((entry) => (entry === null ? null : stored.next().value!));
}

/** The key's current name holder, or `null`. An index entry that the record doesn't confirm is no hit. */
export async function readKeyByName(
  storage: StorageAdapter,
  records: Records,
  name: string,
): Promise<StoredKey | null> {
  const entry = await storage.get(keyspace.indexName(name));
  if (entry === null || entry.value.length !== ID_LENGTH) return null;
  const key = await readKey(storage, records, entry.value);
  return key !== null && key.record.name === name ? key : null;
}

export function keyNotFound(reference: string): KeyloomError {
  return new KeyloomError("KEY_NOT_FOUND", { message: `there is no key ${reference}`, reference });
}

/** Resolves a reference: a UUID is an id, anything else a name. */
export function readKeyByReference(
  storage: StorageAdapter,
  records: Records,
  reference: string,
): Promise<StoredKey | null> {
  return isIdText(reference)
    ? readKey(storage, records, parseId(reference))
    : readKeyByName(storage, records, reference.normalize("NFC"));
}
