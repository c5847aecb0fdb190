/**
 * Moving wrapped material from a wrapping key's old versions to its current one, in batches that resume: what is
 * moved no longer lies in the old range, so a job that begins anew finds only the rest.
 */
import { copyInto, getU32 } from "../foundation/bytes.js";
import { cborMap } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import { USAGES } from "../crypto/algorithms.js";
import { ATTRIBUTES_LENGTH, type Handle } from "../crypto/core.js";
import { attributesInto, FIXED_ATTRIBUTES } from "../crypto/material.js";
import type { OpenedRecord } from "../crypto/records.js";
import { encodeHead } from "../crypto/records.js";
import { rowKey, rowValue, sealUniform, uniformRows, type UniformRows } from "../crypto/uniform.js";
import { BULK_ROW_LENGTH, MAX_BULK_KEYS, putBulkRow } from "../audit/event.js";
import { authorize, commandTime, eventBy, type StoreContext } from "../commands/execute.js";
import { jobRecord, openJob, type JobControl, type StoredJob } from "../commands/jobs.js";
import { openWrappingVersion, type WrappingVersion } from "../commands/wrapping.js";
import type { StoredKey } from "../keys/reads.js";
import type { Check, Entry, Mutation } from "../storage/adapter.js";
import { keyspace, MATERIAL_KEY, ranges } from "../storage/keyspace.js";

export interface RewrapSummary {
  job: string;
  /** How many versions' material was moved, in this run and before. */
  rewrapped: number;
}

const RETRIES = 16;

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
    control.throwIfCancelled();
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
  for (const oldVersion of await oldVersions(context, kek)) {
    const entries: Entry[] = [];
    const range = ranges.materialUnder(kek, oldVersion);
    for await (const entry of context.storage.list(range, { limit: MAX_BULK_KEYS })) {
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
    const wrapping = await openWrappingVersion(context, kek);
    const oldHandle = await context.ring.wrappingHandle(kek, batch.oldVersion);
    // Loading the second handle may have pushed the first one out.
    const newHandle = await context.ring.wrappingHandle(kek, wrapping.version);
    const time = commandTime(context);
    const moved = buildMove(context, batch, oldHandle, { ...wrapping, handle: newHandle });
    const after: StoredJob = {
      ...job,
      record: { ...job.record, done: job.record.done + batch.entries.length },
    };
    const jobKey = keyspace.job(job.id);
    const result = await context.committer.commit({
      checks: [...moved.checks, wrapping.gateCheck, { key: jobKey, version: job.storageVersion }],
      records: [jobRecord(after)],
      mutations: moved.mutations,
      time,
      event: { ...eventBy(context, "rewrap", decision), subjects: [], bulk: moved.rows, job: job.id },
    });
    if (result.committed) {
      const version = result.versionOf(jobKey) ?? (await context.storage.get(jobKey))?.version ?? null;
      return { ...after, revision: job.revision + 1, storageVersion: version };
    }
    if (
      result.conflicts.some(
        (conflict) => conflict.key.length === jobKey.length && conflict.key[0] === jobKey[0],
      )
    ) {
      throw new KeyloomError("STORE_CONFLICT", { message: "the same job runs elsewhere" });
    }
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

function buildMove(
  context: StoreContext,
  batch: RewrapBatch,
  oldHandle: Handle,
  wrapping: WrappingVersion,
): Move {
  const { vault, records } = context;
  const { entries } = batch;
  const count = entries.length;
  const opened = records.open(entries);
  const wrappedLength = opened[0]!.body.length - FIXED_ATTRIBUTES;
  const attributes = new Uint8Array(count * ATTRIBUTES_LENGTH);
  const wrapped = new Uint8Array(count * wrappedLength);
  for (let i = 0; i < count; i++) {
    attributesInto(entries[i]!.key, opened[i]!.body, attributes, i * ATTRIBUTES_LENGTH);
    wrapped.set(opened[i]!.body.subarray(FIXED_ATTRIBUTES), i * wrappedLength);
  }
  const rewrapped = vault.rewrapBatch(oldHandle, wrapping.handle, attributes, wrapped, count);
  if (rewrapped.failed > 0) {
    const index = rewrapped.statuses.findIndex((status) => status !== 0);
    throw new KeyloomError("STORE_DAMAGED", {
      message: `${rewrapped.failed} wrapped keys of a batch do not open`,
      storageKey: entries[index]!.key,
    });
  }
  const rows = moveRows(entries, opened, wrapping, rewrapped.wrapped, wrappedLength);
  const digests = sealUniform(vault, records.key, rows);
  const move: Move = { checks: [], mutations: [], rows: new Uint8Array(count * BULK_ROW_LENGTH) };
  for (let i = 0; i < count; i++) {
    const { key, version } = entries[i]!;
    move.checks.push({ key, version });
    move.mutations.push({ kind: "delete", key });
    move.mutations.push({ kind: "put", key: rowKey(rows, i), value: rowValue(rows, i) });
    const id = key.subarray(MATERIAL_KEY.key, MATERIAL_KEY.version);
    putBulkRow(move.rows, i, id, getU32(key, MATERIAL_KEY.version), digests, i * 32);
  }
  return move;
}

/** The records at their new paths: same key and attributes, the next revision, the new wrapping. */
function moveRows(
  entries: readonly Entry[],
  opened: readonly OpenedRecord[],
  wrapping: WrappingVersion,
  wrapped: Uint8Array,
  wrappedLength: number,
): UniformRows {
  const template = keyspace.material(wrapping.kek, wrapping.version, wrapping.kek, 0);
  const rows = uniformRows(template, 1, opened[0]!.body, entries.length);
  const { buffer, stride, bodyAt } = rows;
  const wrappedAt = bodyAt + FIXED_ATTRIBUTES;
  for (let i = 0; i < entries.length; i++) {
    const at = i * stride;
    copyInto(entries[i]!.key, MATERIAL_KEY.key, 20, buffer, at + MATERIAL_KEY.key);
    copyInto(encodeHead(opened[i]!.revision + 1), 0, 8, buffer, at + rows.keyLength);
    copyInto(opened[i]!.body, 0, FIXED_ATTRIBUTES, buffer, at + bodyAt);
    buffer.set(wrapped.subarray(i * wrappedLength, (i + 1) * wrappedLength), at + wrappedAt);
  }
  return rows;
}
