/** Turns a changed key record into the checks, records and index entries of a plan. */
import type { UnsealedRecord } from "../crypto/records.js";
import { encodeHistory } from "../keys/history.js";
import { indexMutations } from "../keys/indexes.js";
import { encodeKeyRecord, type KeyRecord } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { epochRecord, readEpoch } from "../keys/store-records.js";
import type { Advanced } from "../keys/versions.js";
import type { Subject } from "../audit/event.js";
import type { Check, Mutation } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Decision, Operation } from "../policy/model.js";
import type { Plan } from "./committer.js";
import { eventBy, type StoreContext } from "./execute.js";
import { spendingFor } from "./spend.js";

export interface Change {
  checks: Check[];
  records: UnsealedRecord[];
  mutations: Mutation[];
  subjects: Subject[];
}

export function noChange(): Change {
  return { checks: [], records: [], mutations: [], subjects: [] };
}

/** The plan that commits a change. @param more - what its event says besides */
export function planOf(
  context: StoreContext,
  operation: Operation,
  decision: Decision,
  { subjects, ...change }: Change,
  time: number,
  more: Partial<Plan["event"]> = {},
): Plan {
  const event = { ...eventBy(context, operation, decision), subjects, ...more };
  const spending = spendingFor(context, operation);
  if (spending === null) return { ...change, time, event };
  const checks = [...change.checks, ...spending.checks];
  return { ...change, checks, records: [...change.records, spending.record], time, event };
}

/** A key as a change will leave it in the store. Its storage version is not known before. */
export function changed(before: StoredKey, record: KeyRecord): StoredKey {
  return { record, revision: before.revision + 1, storageVersion: "" };
}

/**
 * The change of one key: its record, its index entries, and the history of the versions that moved.
 *
 * @param before - `null` for a new key, which is checked absent together with its name
 */
export function changeOf(before: StoredKey | null, after: KeyRecord, moved: readonly Advanced[]): Change {
  const storageKey = keyspace.key(after.id);
  const change: Change = {
    checks: [{ key: storageKey, version: before?.storageVersion ?? null }],
    records: [{ storageKey, revision: (before?.revision ?? 0) + 1, body: encodeKeyRecord(after) }],
    mutations: indexMutations(before?.record ?? null, after),
    subjects: [],
  };
  if (before === null && after.name !== undefined) {
    change.checks.push({ key: keyspace.indexName(after.name), version: null });
  }
  for (const { row, entries } of moved) {
    const first = row.history - entries.length;
    entries.forEach((entry, i) => {
      const key = keyspace.history(after.id, row.version, first + i + 1);
      change.checks.push({ key, version: null });
      change.records.push({ storageKey: key, revision: 1, body: encodeHistory(entry) });
    });
    change.subjects.push({
      key: after.id,
      version: row.version,
      before: entries[0]?.from ?? undefined,
      after: row.state,
    });
  }
  return change;
}

/** Adds the epoch to a change that other processes must hear of. */
export async function announce(context: StoreContext, change: Change): Promise<void> {
  const epoch = await readEpoch(context.storage, context.records);
  if (epoch === null) throw new KeyloomError("STORE_DAMAGED", { message: "the store's epoch is missing" });
  change.checks.push({ key: keyspace.epoch(), version: epoch.storageVersion });
  change.records.push(epochRecord(epoch.revision + 1));
}
