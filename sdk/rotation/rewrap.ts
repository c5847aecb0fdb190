/**
 * Moving wrapped material from a wrapping key's old versions to its current one, in batches that resume: what is
 * moved no longer lies in the old range, so a job that begins anew finds only the rest.
 */
import { copyInto, getU32 } from "../foundation/bytes.js";
import { cborMap } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Handle } from "../crypto/core.js";
import { moveMaterial } from "../crypto/material.js";
import { rowKey, rowValue } from "../crypto/uniform.js";
import { BULK_ROW_LENGTH, putBulkRow } from "../audit/event.js";
import { authorize, commandTime, type StoreContext } from "../commands/execute.js";
import type { ItemCost } from "../commands/committer.js";
import { batchSize, commitBatch, openJob, type JobControl, type StoredJob } from "../commands/jobs.js";
import { exposing, markExposed } from "../commands/expose.js";
import { countUnder, openWrappingVersion, spendWrapping, wrapsKeys } from "../commands/wrapping.js";
import type { StoredKey } from "../keys/reads.js";
import { TRAIL_ROW_LENGTH, trailRecord } from "../keys/store-records.js";
import type { Check, Entry, Mutation } from "../storage/adapter.js";
import { keyspace, MATERIAL_KEY, ranges } from "../storage/keyspace.js";

export interface RewrapSummary {
  job: string;
  /** How many versions' material was moved, in this run and before. */
  rewrapped: number;
}

const RETRIES = 16;
/** Per key: its path is checked, deleted and put anew, with a value of at most 180 bytes, and it stands in the trail. */
const MOVE_COST: Required<ItemCost> = {
  checks: 1,
  mutations: 2,
  bytes: 3 * MATERIAL_KEY.length + 180 + TRAIL_ROW_LENGTH,
};

/**
 * @throws {KeyloomError} `KEY_NOT_USABLE` when the key doesn't wrap or its current version may not protect,
 * `STORE_DAMAGED` when material under an old version does not open, `JOB_CANCELLED`
 */
export async function rewrapKey(
  context: StoreContext,
  control: JobControl,
  jobId: Id,
  stored: StoredKey,
): Promise<number> {
  const kek = stored.record.id;
  authorize(context, "rewrap", stored.record);
  if (!wrapsKeys(stored.record)) {
    throw new KeyloomError("KEY_NOT_USABLE", { message: "this key wraps no other keys", reason: "usage" });
  }
  let job = await openJob(context, jobId, "rewrap", cborMap([1, kek]));
  const total = await countUnder(context, kek, await oldVersions(context, kek));
  const before = job.record.done;
  control.report(before, before + total);
  for (;;) {
    await control.pause();
    const batch = await nextBatch(context, kek);
    if (batch === null) break;
    job = await moveBatch(context, job, kek, batch);
    control.report(job.record.done, Math.max(before + total, job.record.done));
  }
  await markExposed(context);
  return job.record.done;
}

/** The versions that material has to leave, oldest first. */
async function oldVersions(context: StoreContext, kek: Id): Promise<number[]> {
  const wrapping = await openWrappingVersion(context, kek);
  const live = await context.ring.wrappingVersions(kek);
  return live.filter((version) => version !== wrapping.version).sort((a, b) => a - b);
}

interface RewrapBatch {
  oldVersion: number;
  entries: Entry[];
}

async function nextBatch(context: StoreContext, kek: Id): Promise<RewrapBatch | null> {
  await context.ring.refresh();
  const limit = batchSize(context, MOVE_COST);
  for (const oldVersion of await oldVersions(context, kek)) {
    const entries: Entry[] = [];
    const range = ranges.materialUnder(kek, oldVersion);
    for await (const entry of context.storage.list(range, { limit })) {
      // Rows of a batch have one length; another algorithm's material makes the next batch.
      if (entries.length > 0 && entry.value.length !== entries[0]!.value.length) break;
      entries.push(entry);
    }
    if (entries.length > 0) return { oldVersion, entries };
  }
  return null;
}

async function moveBatch(
  context: StoreContext,
  job: StoredJob,
  kek: Id,
  first: RewrapBatch,
): Promise<StoredJob> {
  let batch: RewrapBatch | null = first;
  for (let attempt = 0; attempt < RETRIES; attempt++) {
    if (batch === null) return job;
    const wrapping = await openWrappingVersion(context, kek);
    const { stored, version, exposed, gateCheck } = wrapping;
    const decision = authorize(context, "rewrap", stored!.record);
    const { oldVersion, entries } = batch;
    await spendWrapping(context, wrapping, entries.length);
    const time = commandTime(context);
    const moved = await context.ring.usePair(stored!, oldVersion, version, (from, to) =>
      buildMove(context, entries, from, to),
    );
    const result = await commitBatch(context, job, {
      ...moved,
      checks: [...moved.checks, gateCheck],
      // What comes to lie under an exposed version is exposed.
      mutations: exposed ? [...moved.mutations, exposing(kek, version)] : moved.mutations,
      records: [trailRecord(keyspace.trail(kek, oldVersion, job.id, job.record.done), moved.trail)],
      size: entries.length,
      last: false,
      operation: "rewrap",
      decision,
      time,
    });
    if ("job" in result) return result.job;
    // Another process destroyed, rotated or moved something of this batch: look again.
    batch = await nextBatch(context, kek);
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same keys; try again" });
}

interface Move {
  /** What was read, unchanged. */
  checks: readonly Check[];
  mutations: Mutation[];
  rows: Uint8Array;
  /** Which key versions are moved. */
  trail: Uint8Array;
}

/** The records at their new paths: same key and attributes, the next revision, the new wrapping. */
function buildMove(
  { vault, records }: StoreContext,
  entries: readonly Entry[],
  from: Handle,
  to: Handle,
): Move {
  const { rows, digests } = moveMaterial(vault, records.key, from, to, entries);
  const count = entries.length;
  const move: Move = {
    checks: entries,
    mutations: [],
    rows: new Uint8Array(count * BULK_ROW_LENGTH),
    trail: new Uint8Array(count * TRAIL_ROW_LENGTH),
  };
  for (let i = 0; i < count; i++) {
    const { key } = entries[i]!;
    move.mutations.push({ kind: "delete", key });
    move.mutations.push({ kind: "put", key: rowKey(rows, i), value: rowValue(rows, i) });
    // Key id and version stand side by side in the path, as in the trail.
    copyInto(key, MATERIAL_KEY.key, TRAIL_ROW_LENGTH, move.trail, i * TRAIL_ROW_LENGTH);
    putBulkRow(move.rows, i, key, MATERIAL_KEY.key, getU32(key, MATERIAL_KEY.version), digests, i * 32);
  }
  return move;
}
