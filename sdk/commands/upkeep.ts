/** Changes that are no command on a key: each a named operation in one table, committed with its event. */
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import type { UnsealedRecord } from "../crypto/records.js";
import type { KeyRecord } from "../keys/record.js";
import { gateRecord, readGate } from "../keys/store-records.js";
import type { Check, Entry, Mutation } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import type { Committer, Plan } from "./committer.js";
import { authorize, commandTime, eventBy, execute, type StoreContext } from "./execute.js";

/** The operations of this room as they stand in events. */
export const UPKEEP_OPERATIONS = {
  init: "the store came into being",
  "renew-slot": "a root slot was made anew with a stronger key derivation, under the same passphrase",
  "close-gate": "nothing can be put under a wrapping-key version any more",
  "open-gate": "material can be put under a wrapping-key version again",
  sweep: "what dates have brought about was made durable",
  mark: "the store's mark followed the clock",
  "confirm-clock": "an administrator confirmed that the clock, far ahead of the store's mark, is right",
  "reserve-usage": "a writer reserved uses of a version with limits: they count as spent",
  "return-usage": "a writer gave back what it had reserved and not used",
  checkpoint: "the audit log's size and root were signed",
  share: "a range of a job was given out, taken over from a worker that stood still, or given back",
  expose: "what was ever wrapped under a compromised wrapping-key version is marked",
  backup: "a backup was begun; its id stands as the job",
  restore: "the store came into being from a backup, whose id stands as the job",
  repair: "index entries that did not agree with their records were made anew",
} as const;

export type UpkeepOperation = keyof typeof UPKEEP_OPERATIONS;

/**
 * Opens or closes the gate of a wrapping-key version. Does nothing where it already is so.
 *
 * @returns the check that the gate is still as it is now
 */
export async function setGate(
  context: StoreContext,
  record: KeyRecord,
  version: number,
  open: boolean,
): Promise<Check> {
  const key = keyspace.gate(record.id, version);
  const operation: UpkeepOperation = open ? "open-gate" : "close-gate";
  const gate = await readGate(context.storage, context.records, record.id, version);
  if (gate?.open === open) return { key, version: gate.storageVersion };
  const { commit } = await execute(context, async () => {
    const decision = authorize(context, "destroy", record, version);
    const current = await readGate(context.storage, context.records, record.id, version);
    if (current === null) {
      throw new KeyloomError("STORE_DAMAGED", {
        message: `the gate of version ${version} is missing`,
        keyId: idToString(record.id),
      });
    }
    return {
      result: undefined,
      plan: {
        checks: [{ key, version: current.storageVersion }],
        records: [gateRecord(record.id, version, open, current.revision + 1)],
        mutations: [],
        time: commandTime(context, record.time),
        event: {
          ...eventBy(context, "destroy", decision),
          operation,
          subjects: [{ key: record.id, version }],
        },
      },
    };
  });
  const put = commit.versionOf(key);
  // Where the reply was lost the version is not known: look.
  return put === undefined ? setGate(context, record, version, open) : { key, version: put };
}

/** An event but for its operation, which the functions of this room put in. */
export type UpkeepEvent = Omit<Plan["event"], "operation">;

/** What a new store is made of: records, and the slot table, which is sealed under a key of its own. */
export interface InitialStore {
  records: readonly UnsealedRecord[];
  slotTable: Mutation;
  time: number;
  event: UpkeepEvent;
}

/**
 * Writes a new store in one commit that checks the header absent.
 *
 * @throws {KeyloomError} `STORE_EXISTS` when another process was first
 */
export async function initStore(committer: Committer, initial: InitialStore): Promise<void> {
  const result = await committer.commit({
    checks: [{ key: keyspace.header(), version: null }],
    records: initial.records,
    mutations: [initial.slotTable],
    time: initial.time,
    event: { ...initial.event, operation: "init" satisfies UpkeepOperation },
    resend: true,
  });
  if (!result.committed) {
    throw new KeyloomError("STORE_EXISTS", {
      message: "the store was initialised by another process meanwhile",
    });
  }
}

/**
 * Writes another slot table, if the one that was read is still there. Where it can't be written (the store is read-only, full,
 * changed meanwhile, out of reach) it stays as it was: whoever unlocks next may do it.
 */
export async function replaceSlotTable(
  committer: Committer,
  read: Entry,
  change: Omit<InitialStore, "records">,
): Promise<void> {
  try {
    await committer.commit({
      checks: [{ key: read.key, version: read.version }],
      records: [],
      mutations: [change.slotTable],
      time: change.time,
      event: { ...change.event, operation: "renew-slot" satisfies UpkeepOperation },
    });
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
  }
}
