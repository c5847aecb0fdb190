/** Making keys by the thousand: one template, one call of the core and one commit per batch. */
import { concat, copyInto, putU32 } from "../foundation/bytes.js";
import { cborMap, type CborMap } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import { halvesOf, PUBLIC_KEY_LENGTH } from "../crypto/algorithms.js";
import { ATTRIBUTES_LENGTH, type Handle, type Vault } from "../crypto/core.js";
import { encodeMaterialAttributes, FIXED_ATTRIBUTES, materialBody } from "../crypto/material.js";
import { rowKey, rowValue, sealUniform, uniformRows, type UniformRows } from "../crypto/uniform.js";
import { encodeHistory } from "../keys/history.js";
import { indexKeys } from "../keys/indexes.js";
import { encodeKeyRecord } from "../keys/record.js";
import { gateRecord } from "../keys/store-records.js";
import { BULK_ROW_LENGTH, putBulkRow } from "../audit/event.js";
import type { Check, Mutation } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import type { CheckedOptions } from "./create.js";
import { newKeyRecord, newSubject } from "./create.js";
import type { ItemCost } from "./committer.js";
import { authorize, commandTime, type StoreContext } from "./execute.js";
import { batchSize, commitBatch, openJob, type JobControl, type StoredJob } from "./jobs.js";
import {
  openWrappingVersion,
  spendWrapping,
  withPublicKey,
  withWrapping,
  wrapsKeys,
  type WrappingVersion,
} from "./wrapping.js";

/** The most items that one job may have: they are numbered with 32 bits. */
export const MAX_ITEMS = 0xffff_ffff;

export interface CreateManySummary {
  job: string;
  /** How many keys the job has made, in this run and before. */
  created: number;
}

function requestOf(options: CheckedOptions, kek: Id, count: number): CborMap {
  const { dates } = options;
  return cborMap(
    [1, count],
    [2, options.algorithm],
    [3, options.usages],
    [4, options.exportable],
    [5, options.tags],
    [6, options.activation],
    [7, dates.processStart],
    [8, dates.protectStop],
    [9, dates.deactivation],
    [10, kek],
    [11, options.limits?.operations],
    [12, options.limits?.bytes],
    [13, options.cryptoperiod],
  );
}

/**
 * Creates `count` keys of one kind. Each batch's commit also puts the job's record, so item n exists once.
 *
 * @throws {KeyloomError} `JOB_CANCELLED`, `JOB_REQUEST_MISMATCH`, `STORE_CONFLICT` when the same job runs elsewhere
 */
export async function createMany(
  context: StoreContext,
  control: JobControl,
  jobId: Id,
  options: CheckedOptions,
  kek: Id,
  count: number,
): Promise<number> {
  let job = await openJob(context, jobId, "create-many", requestOf(options, kek, count));
  control.report(job.record.done, count);
  const most = batchSize(context, costOfItem(context, jobId, options, kek));
  while (!job.record.finished) {
    await control.pause();
    await context.ring.refresh();
    const size = Math.min(most, count - job.record.done);
    job = await createBatch(context, job, options, kek, size, job.record.done + size === count);
    control.report(job.record.done, count);
  }
  return job.record.done;
}

/** What a key of this kind adds to a commit: its record, history and material, index entries, perhaps a gate. */
function costOfItem(context: StoreContext, job: Id, options: CheckedOptions, kek: Id): Required<ItemCost> {
  const { record, first } = newKeyRecord(
    context,
    options,
    context.newId(),
    // What an exposed wrapping key adds is counted for all.
    { kek, exposed: true },
    commandTime(context),
  );
  const indexes = indexKeys(record);
  const isPair = halvesOf(options.algorithm) !== null;
  const bodies = [
    encodeKeyRecord({ ...(isPair ? withPublicKey(record, 1, NO_KEY) : record), origin: { job, item: 0 } }),
    ...first.entries.map(encodeHistory),
    ...indexes,
  ];
  // Paths, heads, MACs, the material and a gate are of fixed size and come to less than 512 bytes.
  const bytes = bodies.reduce((sum, body) => sum + body.length, 512);
  return { checks: 1, mutations: 3 + indexes.length + (wrapsKeys(record) ? 1 : 0), bytes };
}

/** One batch. A closed gate is found by the commit's checks. */
async function createBatch(
  context: StoreContext,
  job: StoredJob,
  options: CheckedOptions,
  kek: Id,
  size: number,
  last: boolean,
): Promise<StoredJob> {
  const decision = authorize(context, "create", newSubject(context, options));
  const wrapping = await openWrappingVersion(context, kek);
  await spendWrapping(context, wrapping, size);
  const time = commandTime(context);
  const batch = await withWrapping(context, wrapping, (handle) =>
    buildBatch(context, job.id, options, wrapping, handle, job.record.done, size, time),
  );
  const result = await commitBatch(context, job, {
    ...batch,
    checks: [...batch.checks, wrapping.gateCheck],
    size,
    last,
    operation: "create",
    decision,
    time,
  });
  if ("job" in result) return result.job;
  throw new KeyloomError("STORE_CONFLICT", {
    message: "the job's wrapping key or policy changed meanwhile; the same id resumes it",
  });
}

interface Batch {
  checks: Check[];
  mutations: Mutation[];
  rows: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const NO_KEY = new Uint8Array(PUBLIC_KEY_LENGTH);
/** So many slots are asked for at once. */
const PAIRS_AT_ONCE = 64;

/**
 * Records and index entries of `size` new keys. Everything but the ids, the item number and the wrapped bytes is
 * the same for all, so it is encoded once; the rows are byte-equal to what the encoders give for each key.
 */
export function buildBatch(
  context: StoreContext,
  job: Id,
  options: CheckedOptions,
  wrapping: WrappingVersion,
  kek: Handle,
  firstItem: number,
  size: number,
  time: number,
): Batch {
  const { vault, records } = context;
  const ids = Array.from({ length: size }, () => context.newId());
  const template = newKeyRecord(context, options, ids[0]!, wrapping, time);
  const { materials, publicKeys } = generateRows(context, options, wrapping, kek, ids);
  const firstPublicKey = publicKeys?.subarray(0, PUBLIC_KEY_LENGTH);
  const record = {
    ...(firstPublicKey === undefined ? template.record : withPublicKey(template.record, 1, firstPublicKey)),
    origin: { job, item: firstItem },
  };

  const body = encodeKeyRecord(record);
  const keys = uniformRows(keyspace.key(record.id), 1, body, size);
  const itemAt = keys.bodyAt + findItem(body, job);
  const publicKeyAt =
    firstPublicKey === undefined ? 0 : keys.bodyAt + positionOf(firstPublicKey, body, "a key record");
  const histories = uniformRows(
    keyspace.history(record.id, 1, 1),
    1,
    encodeHistory(template.first.entries[0]!),
    size,
  );
  for (let i = 0; i < size; i++) {
    copyInto(ids[i]!, 0, 16, keys.buffer, i * keys.stride + 1);
    copyInto(ids[i]!, 0, 16, histories.buffer, i * histories.stride + 1);
    putU32(keys.buffer, i * keys.stride + itemAt, firstItem + i);
    if (publicKeys !== null) {
      const at = i * keys.stride + publicKeyAt;
      copyInto(publicKeys, i * PUBLIC_KEY_LENGTH, PUBLIC_KEY_LENGTH, keys.buffer, at);
    }
  }
  const digests = sealUniform(vault, records.key, keys);
  // A create's event has the digests of the key records, whose version tables vouch for the rest.
  sealUniform(vault, records.key, materials, false);
  sealUniform(vault, records.key, histories, false);

  const entries = indexTemplates(record);
  const gates = wrapsKeys(record) ? sealGates(context, ids) : null;
  const batch: Batch = { checks: [], mutations: [], rows: new Uint8Array(size * BULK_ROW_LENGTH) };
  // Family by family: rows of one buffer are neighbours in the commit, and in the store's own order.
  for (const rows of [keys, materials, histories, ...(gates === null ? [] : [gates])]) {
    for (let i = 0; i < size; i++)
      batch.mutations.push({ kind: "put", key: rowKey(rows, i), value: rowValue(rows, i) });
  }
  for (const { entry, idAt } of entries) {
    const { length } = entry;
    const all = new Uint8Array(length * size);
    for (let i = 0; i < size; i++) {
      all.set(entry, i * length);
      copyInto(ids[i]!, 0, 16, all, i * length + idAt);
      const key = all.subarray(i * length, (i + 1) * length);
      batch.mutations.push({ kind: "put", key, value: EMPTY });
    }
  }
  for (let i = 0; i < size; i++) {
    batch.checks.push({ key: batch.mutations[i]!.key, version: null });
    putBulkRow(batch.rows, i, ids[i]!, 0, 1, digests, i * 32);
  }
  return batch;
}

/** Where `part`, which is random, stands in `whole`. */
function positionOf(part: Uint8Array, whole: Uint8Array, what: string): number {
  for (let at = whole.length - part.length; at >= 0; at--) {
    if (part.every((byte, i) => whole[at + i] === byte)) return at;
  }
  throw new KeyloomError("CORE_INTERNAL", { message: `${what} does not hold what is to be patched in it` });
}

/** Where the 4 bytes of the item number stand in an encoded key record: behind the job's id and two heads. */
function findItem(body: Uint8Array, job: Id): number {
  // Field 11, a byte string of 16; field 12, a byte string of 4: see `record.ts`.
  for (let at = 0; at + 24 <= body.length; at++) {
    if (body[at] !== 0x0b || body[at + 1] !== 0x50 || body[at + 18] !== 0x0c || body[at + 19] !== 0x44)
      continue;
    if (job.every((byte, i) => body[at + 2 + i] === byte)) return at + 20;
  }
  throw new KeyloomError("CORE_INTERNAL", { message: "a key record's template has no item number" });
}

function generateRows(
  context: StoreContext,
  options: CheckedOptions,
  wrapping: WrappingVersion,
  kek: Handle,
  ids: readonly Id[],
): { materials: UniformRows; publicKeys: Uint8Array | null } {
  const attributes = encodeMaterialAttributes({
    algorithm: options.algorithm,
    usages: options.usages,
    exportable: options.exportable,
    key: ids[0]!,
    version: 1,
    kek: wrapping.kek,
    kekVersion: wrapping.version,
    kekAlgorithm: wrapping.algorithm,
  });
  const { wrapped, publicKeys } = generateWrapped(context.vault, options, kek, attributes, ids);
  const length = wrapped.length / ids.length;
  const rows = uniformRows(
    keyspace.material(wrapping.kek, wrapping.version, ids[0]!, 1),
    1,
    materialBody(attributes, wrapped.subarray(0, length)),
    ids.length,
  );
  const wrappedAt = rows.bodyAt + FIXED_ATTRIBUTES;
  for (let i = 0; i < ids.length; i++) {
    copyInto(ids[i]!, 0, 16, rows.buffer, i * rows.stride + 21);
    rows.buffer.set(wrapped.subarray(i * length, (i + 1) * length), i * rows.stride + wrappedAt);
  }
  return { materials: rows, publicKeys };
}

/** Pairs go through slots, some at a time: their public halves have to be computed. */
function generateWrapped(
  vault: Vault,
  { algorithm, usages, exportable }: CheckedOptions,
  kek: Handle,
  attributes: Uint8Array,
  ids: readonly Id[],
): { wrapped: Uint8Array; publicKeys: Uint8Array | null } {
  if (halvesOf(algorithm) === null) {
    const all = new Uint8Array(ids.length * ATTRIBUTES_LENGTH);
    ids.forEach((id, i) => {
      all.set(attributes, i * ATTRIBUTES_LENGTH);
      copyInto(id, 0, 16, all, i * ATTRIBUTES_LENGTH + 8);
    });
    return { wrapped: vault.generateAndWrapBatch(kek, all, ids.length), publicKeys: null };
  }
  const wrapped: Uint8Array[] = [];
  const publicKeys: Uint8Array[] = [];
  for (let from = 0; from < ids.length; from += PAIRS_AT_ONCE) {
    const pairs: Handle[] = [];
    try {
      for (const id of ids.slice(from, from + PAIRS_AT_ONCE)) {
        const pair = vault.generate({ algorithm, usages, exportable, id, version: 1 });
        pairs.push(pair);
        publicKeys.push(vault.publicKey(pair));
      }
      wrapped.push(vault.wrapBatch(kek, pairs));
    } finally {
      for (const pair of pairs) vault.dispose(pair);
    }
  }
  return { wrapped: concat(...wrapped), publicKeys: concat(...publicKeys) };
}

function sealGates(context: StoreContext, ids: readonly Id[]): UniformRows {
  const gate = gateRecord(ids[0]!, 1, true, 1);
  const rows = uniformRows(gate.storageKey, 1, gate.body, ids.length);
  ids.forEach((id, i) => copyInto(id, 0, 16, rows.buffer, i * rows.stride + 1));
  sealUniform(context.vault, context.records.key, rows, false);
  return rows;
}

/** The index entries of a record and where each has the key's id: it is patched for every key. */
function indexTemplates(record: Parameters<typeof indexKeys>[0]): { entry: Uint8Array; idAt: number }[] {
  return indexKeys(record).map((entry) => ({ entry, idAt: positionOf(record.id, entry, "an index entry") }));
}
