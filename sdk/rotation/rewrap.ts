/**
 * Moving wrapped material from a wrapping key's old versions to its current one, in batches that resume: what is
 * moved no longer lies in the old range, so a job that begins anew finds only the rest. Workers that are told the same
 * job share it.
 */
import { copyInto, getU32 } from "../foundation/bytes.js";
import { cborMap } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Handle } from "../crypto/core.js";
import { moveMaterial } from "../crypto/material.js";
import { rowKey, rowValue } from "../crypto/uniform.js";
import { BULK_ROW_LENGTH, MAX_BULK_KEYS, putBulkRow } from "../audit/event.js";
import { authorize, commandTime, type StoreContext } from "../commands/execute.js";
import type { ItemCost } from "../commands/committer.js";
import {
  batchSize,
  commitBatch,
  openJob,
  type BatchChange,
  type JobControl,
  type StoredJob,
} from "../commands/jobs.js";
import { SharedJob, type JobRange } from "../commands/shared-jobs.js";
import { exposing, markExposed } from "../commands/expose.js";
import { countUnder, openWrappingVersion, spendWrapping, wrapsKeys } from "../commands/wrapping.js";
import type { StoredKey } from "../keys/reads.js";
import { TRAIL_ROW_LENGTH, trailRecord } from "../keys/store-records.js";
import { compareBytes, type Check, type Entry, type Mutation, type Range } from "../storage/adapter.js";
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
  const open = (): Promise<StoredJob> => openJob(context, jobId, "rewrap", cborMap([1, kek]));
  const limit = batchSize(context, MOVE_COST);
  const job = await open();
  const total = await countUnder(context, kek, await oldVersions(context, kek));
  const share = job.record.given !== undefined || total > limit;
  const done = await (share ? moveShared : moveAlone)(context, control, stored, job, total, open);
  await markExposed(context);
  return done;
}

/** What fits in a commit or two is not worth sharing. */
async function moveAlone(
  context: StoreContext,
  control: JobControl,
  { record: { id: kek } }: StoredKey,
  first: StoredJob,
  total: number,
): Promise<number> {
  let job = first;
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

/** Batches in a range: a worker that dies leaves as many to be done by another. */
const BATCHES_A_RANGE = 16;

/** As one of several workers, perhaps in other processes, which are told the same job. */
async function moveShared(
  context: StoreContext,
  control: JobControl,
  { record }: StoredKey,
  { id }: StoredJob,
  total: number,
  open: () => Promise<StoredJob>,
): Promise<number> {
  const kek = record.id;
  const size = BATCHES_A_RANGE * batchSize(context, MOVE_COST);
  const shared = new SharedJob(context, {
    operation: "rewrap",
    key: record,
    open,
    next: (behind) => nextRange(context, kek, behind, size),
  });
  let all: number | null = null;
  const report = (): void => {
    all ??= shared.done + total;
    control.report(shared.done, Math.max(all, shared.done));
  };
  try {
    for (;;) {
      await control.pause();
      await context.ring.refresh();
      const range = await shared.claim();
      report();
      if (range === null) return shared.done;
      if (range === "others") await shared.wait();
      else await moveRange(context, control, shared, id, kek, range, report);
    }
  } catch (error) {
    await shared.giveBack(id);
    throw error;
  }
}

/** The next so many keys that lie under one old version, behind a storage key. */
async function nextRange(
  context: StoreContext,
  kek: Id,
  behind: Uint8Array | null,
  size: number,
): Promise<JobRange["range"] | null> {
  for (const version of await oldVersions(context, kek)) {
    const under = ranges.materialUnder(kek, version);
    const rest = behind === null ? under : ranges.behind(under, behind);
    if (compareBytes(rest.start, rest.end!) >= 0) continue;
    let first: Uint8Array | null = null;
    let last: Uint8Array | null = null;
    for await (const { key } of context.storage.list(rest, { limit: size, keysOnly: true })) {
      first ??= key;
      last = key;
    }
    if (first === null || last === null) continue;
    return { start: first.slice(), end: ranges.behind(under, last).start };
  }
  return null;
}

async function moveRange(
  context: StoreContext,
  control: JobControl,
  shared: SharedJob,
  job: Id,
  kek: Id,
  claimed: JobRange,
  report: () => void,
): Promise<void> {
  const limit = batchSize(context, MOVE_COST);
  const oldVersion = getU32(claimed.range.start, MATERIAL_KEY.kekVersion);
  let range = claimed;
  // Not from the beginning each time: some stores step over everything that was deleted there.
  let rest: Range = claimed.range;
  for (let attempt = 0; attempt < RETRIES;) {
    const live = await oldVersions(context, kek);
    const entries = live.includes(oldVersion) ? await uniform(context, rest, limit) : [];
    if (entries.length === 0) return shared.finish(job, range);
    const next = ranges.behind(rest, entries.at(-1)!.key);
    const last = compareBytes(next.start, claimed.range.end) >= 0;
    const change = await planMove(context, kek, { oldVersion, entries }, job, trailOf(range));
    const result = await shared.commitBatch(job, range, { ...change, last });
    if (result === "lost") return;
    if ("range" in result) {
      ({ range } = result);
      rest = next;
      attempt = 0;
      report();
      if (last) return;
    } else attempt++;
    await control.pause();
    await context.ring.refresh();
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same keys; try again" });
}

/** A number of its own for each batch's trail: apart from those of a job that isn't shared, which count what is done. */
function trailOf({ n, done }: JobRange): number {
  return (0x8000_0000 + n * BATCHES_A_RANGE * MAX_BULK_KEYS + done) >>> 0;
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
    const entries = await uniform(context, ranges.materialUnder(kek, oldVersion), limit);
    if (entries.length > 0) return { oldVersion, entries };
  }
  return null;
}

/** The first entries of a range that have one length: another algorithm's material makes the next batch. */
async function uniform(context: StoreContext, range: Range, limit: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of context.storage.list(range, { limit })) {
    if (entries.length > 0 && entry.value.length !== entries[0]!.value.length) break;
    entries.push(entry);
  }
  return entries;
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
    const result = await commitBatch(
      context,
      job,
      await planMove(context, kek, batch, job.id, job.record.done),
    );
    if ("job" in result) return result.job;
    // Another process destroyed, rotated or moved something of this batch: look again.
    batch = await nextBatch(context, kek);
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same keys; try again" });
}

/** The change that moves a batch under the current version. @param trail - the number of its trail record */
async function planMove(
  context: StoreContext,
  kek: Id,
  { oldVersion, entries }: RewrapBatch,
  job: Id,
  trail: number,
): Promise<BatchChange> {
  const wrapping = await openWrappingVersion(context, kek);
  const { stored, version, exposed, gateCheck } = wrapping;
  const decision = authorize(context, "rewrap", stored!.record);
  await spendWrapping(context, wrapping, entries.length);
  const time = commandTime(context);
  const moved = await context.ring.usePair(stored!, oldVersion, version, (from, to) =>
    buildMove(context, entries, from, to),
  );
  return {
    ...moved,
    checks: [...moved.checks, gateCheck],
    // What comes to lie under an exposed version is exposed.
    mutations: exposed ? [...moved.mutations, exposing(kek, version)] : moved.mutations,
    records: [trailRecord(keyspace.trail(kek, oldVersion, job, trail), moved.trail)],
    size: entries.length,
    last: false,
    operation: "rewrap",
    decision,
    time,
  };
}

/** The records at their new paths: same key and attributes, the next revision, the new wrapping. */
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
