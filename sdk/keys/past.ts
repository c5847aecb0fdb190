/** A version's past, read from its history and that of its key. */
import { KeyloomError } from "../foundation/errors.js";
import { ownUsages, USAGES, type Usage } from "../crypto/algorithms.js";
import type { Records } from "../crypto/records.js";
import type { VersionPast } from "../lifecycle/valid-at.js";
import type { StorageAdapter } from "../storage/adapter.js";
import { ranges } from "../storage/keyspace.js";
import { decodeHistory, KEY_HISTORY, type HistoryEntry } from "./history.js";
import type { KeyRecord, KeyVersion } from "./record.js";
import { USE_KINDS } from "./use.js";

/** The bits of the usages that protect. */
export const PROTECTING = (Object.keys(USAGES) as Usage[])
  .filter((usage) => USE_KINDS[usage] === "protect")
  .reduce((mask, usage) => mask | USAGES[usage], 0);

/** @throws {KeyloomError} `STORE_DAMAGED` where entries are missing: the record says how many there are */
async function historyOf(
  storage: StorageAdapter,
  records: Records,
  id: Uint8Array,
  version: number,
  length: number,
): Promise<HistoryEntry[]> {
  const entries = [];
  for await (const entry of storage.list(ranges.history(id, version))) entries.push(entry);
  // More of them: the key was changed since its record was read, and what is asked for lies before that.
  if (entries.length < length) {
    throw new KeyloomError("STORE_DAMAGED", { message: "a version's history is incomplete" });
  }
  return records.open(entries.slice(0, length)).map(({ body }) => decodeHistory(body));
}

export async function readPast(
  storage: StorageAdapter,
  records: Records,
  record: KeyRecord,
  row: KeyVersion,
): Promise<VersionPast> {
  const own = await historyOf(storage, records, record.id, row.version, row.history);
  const ofKey = await historyOf(storage, records, record.id, KEY_HISTORY, record.history ?? 0);
  return {
    state: row.state,
    dates: row.dates,
    changes: own.map(({ at, to }) => ({ at, to: to! })),
    archivings: ofKey.map(({ at, event }) => ({ at, archived: event === "archive" })),
    usages: ownUsages(record.algorithm, record.usages),
    protecting: PROTECTING,
  };
}
