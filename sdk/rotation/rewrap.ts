/**
 * Moving wrapped material from a wrapping key's old versions to its current one, in batches that resume: what is
 * moved no longer lies in the old range, so a job that begins anew finds only the rest.
 */
import { getU32, putU32 } from "../foundation/bytes.js";
import { cborMap } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import { USAGES } from "../crypto/algorithms.js";
import { ATTRIBUTES_LENGTH, type Handle } from "../crypto/core.js";
import { attributesInto, FIXED_ATTRIBUTES } from "../crypto/material.js";
import { MAC_LENGTH } from "../crypto/records.js";
import {
  checkUniform,
  raiseRevision,
  rowKey,
  rowsOfEntries,
  rowValue,
  sealUniform,
} from "../crypto/uniform.js";
import { BULK_ROW_LENGTH, putBulkRow } from "../audit/event.js";
import { authorize, commandTime, type StoreContext } from "../commands/execute.js";
import {
  batchSize,
  commitBatch,
  openJob,
  type ItemCost,
  type JobControl,
  type StoredJob,
} from "../commands/jobs.js";
import { openWrappingVersion } from "../commands/wrapping.js";
import type { StoredKey } from "../keys/reads.js";
import type { Check, Entry, Mutation } from "../storage/adapter.js";
import { MATERIAL_KEY, ranges } from "../storage/keyspace.js";

export interface RewrapSummary {
  job: string;
  /** How many versions' material was moved, in this run and before. */
  rewrapped: number;
}

const RETRIES = 16;
/** Per key: its path is checked, deleted and put anew, with a value of at most 180 bytes. */
const MOVE_COST: ItemCost = { checks: 1, mutations: 2, bytes: 3 * MATERIAL_KEY.length + 180 };

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
  authorize(context, "rewrap", stored.record.owner);
  if ((stored.record.usages & USAGES.wrap) === 0) {
    throw new KeyloomError("KEY_NOT_USABLE", { message: "this key wraps no other keys", reason: "usage" });
  }
  let job = await openJob(context, jobId, "rewrap", cborMap([1, kek]));
  const total = await countBehind(context, kek);
  const before = job.record.done;
  control.report(before, before + total);
  for (;;) {
    await control.pause();
    const batch = await nextBatch(context, kek);
    if (batch === null) break;
    job = await moveBatch(context, job, kek, batch);
    control.report(job.record.done, Math.max(before + total, job.record.done));
  }
  return job.record.done;
}

/** The versions that material has to leave, oldest first. */
async function oldVersions(context: StoreContext, kek: Id): Promise<number[]> {
  const wrapping = await openWrappingVersion(context, kek);
  const live = await context.ring.wrappingVersions(kek);
  return live.filter((version) => version !== wrapping.version).sort((a, b) => a - b);
}

async function countBehind(context: StoreContext, kek: Id): Promise<number> {
  let count = 0;
  for (const version of await oldVersions(context, kek)) {
    for await (const entry of context.storage.list(ranges.materialUnder(kek, version), { keysOnly: true })) {
      if (entry.key.length > 0) count++;
    }
  }
  return count;
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
    const decision = authorize(context, "rewrap", null);
    const { stored, version, gateCheck } = await openWrappingVersion(context, kek);
    const { oldVersion, entries } = batch;
    const time = commandTime(context);
    const moved = await context.ring.usePair(stored!, oldVersion, version, (from, to) =>
      buildMove(context, entries, from, version, to),
    );
    const result = await commitBatch(context, job, {
      ...moved,
      checks: [...moved.checks, gateCheck],
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
  checks: Check[];
  mutations: Mutation[];
  rows: Uint8Array;
}

/** The records at their new paths: same key and attributes, the next revision, the new wrapping. */
function buildMove(
  context: StoreContext,
  entries: readonly Entry[],
  from: Handle,
  toVersion: number,
  to: Handle,
): Move {
  const { vault, records } = context;
  const count = entries.length;
  const rows = rowsOfEntries(entries);
  checkUniform(vault, records.key, rows);
  const { buffer, stride } = rows;
  const wrappedAt = rows.bodyAt + FIXED_ATTRIBUTES;
  const wrappedLength = stride - MAC_LENGTH - wrappedAt;
  const attributes = new Uint8Array(count * ATTRIBUTES_LENGTH);
  const wrapped = new Uint8Array(count * wrappedLength);
  for (let i = 0; i < count; i++) {
    const at = i * stride;
    attributesInto(buffer, at, at + rows.bodyAt, attributes, i * ATTRIBUTES_LENGTH);
    wrapped.set(buffer.subarray(at + wrappedAt, at + wrappedAt + wrappedLength), i * wrappedLength);
  }
  const rewrapped = vault.rewrapBatch(from, to, attributes, wrapped, count);
  if (rewrapped.failed > 0) {
    const index = rewrapped.statuses.findIndex((status: number) => status !== 0);
    throw new KeyloomError("STORE_DAMAGED", {
      message: `${rewrapped.failed} wrapped keys of a batch do not open`,
      storageKey: entries[index]!.key,
    });
  }
  for (let i = 0; i < count; i++) {
    const at = i * stride;
    putU32(buffer, at + MATERIAL_KEY.kekVersion, toVersion);
    raiseRevision(rows, i);
    buffer.set(rewrapped.wrapped.subarray(i * wrappedLength, (i + 1) * wrappedLength), at + wrappedAt);
  }
  const digests = sealUniform(vault, records.key, rows);
  const move: Move = { checks: [], mutations: [], rows: new Uint8Array(count * BULK_ROW_LENGTH) };
  for (let i = 0; i < count; i++) {
    const { key, version } = entries[i]!;
    move.checks.push({ key, version });
    move.mutations.push({ kind: "delete", key });
    move.mutations.push({ kind: "put", key: rowKey(rows, i), value: rowValue(rows, i) });
    putBulkRow(move.rows, i, key, MATERIAL_KEY.key, getU32(key, MATERIAL_KEY.version), digests, i * 32);
  }
  return move;
}
