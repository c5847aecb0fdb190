/**
 * The sweep: what dates have brought about by now is made durable, found by the index of due dates. Everybody sees it
 * without that, for every read evaluates the dates; the sweep writes down the same, so that indexes and history say it
 * too, and it raises the store's mark, so that a clock that steps back takes none of it back.
 */
import { equalBytes, toHex } from "../foundation/bytes.js";
import { cborMap } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import { indexKeys } from "../keys/indexes.js";
import { readKeys, type StoredKey } from "../keys/reads.js";
import { applyDueDates, withRow } from "../keys/versions.js";
import { keyspace, parseDueKey, ranges } from "../storage/keyspace.js";
import { announce, changeOf, noChange, planOf, type Change } from "./change.js";
import { settleClock } from "./clock.js";
import { itemsPerCommit } from "./committer.js";
import { authorize, commandTime, type StoreContext } from "./execute.js";
import { markExposed } from "./expose.js";
import { commitWithJob, openJob, type JobControl, type StoredJob } from "./jobs.js";

export interface SweepSummary {
  job: string;
  /** How many versions were moved to the state that their dates had led to, in this run and before. */
  moved: number;
  /** How many versions were marked exposed: what an interrupted revocation had left. */
  exposed: number;
}

/** Due entries of one commit at most. What one adds: its key's record, two history entries, four index entries. */
const MAX_ROWS = 128;
const ROW_COST = { checks: 3, mutations: 7 };
const RETRIES = 16;

interface DueEntry {
  position: Uint8Array;
  key: Id;
  version: number;
}

/** @throws {KeyloomError} `CLOCK_AHEAD`, `JOB_CANCELLED`, `STORE_CONFLICT` */
export async function sweep(context: StoreContext, control: JobControl, jobId: Id): Promise<SweepSummary> {
  await context.ring.refresh();
  authorize(context, "sweep", null);
  let job = await openJob(context, jobId, "sweep", cborMap([1, "sweep"]));
  await settleClock(context);
  const time = commandTime(context);
  const before = job.record.done;
  const total = await context.storage.count(ranges.due(time));
  control.report(before, before + total);
  let after: Uint8Array | undefined;
  for (;;) {
    await control.pause();
    const batch = await nextBatch(context, time, after);
    if (batch.length === 0) break;
    job = await sweepBatch(context, job, batch, time);
    control.report(job.record.done, Math.max(before + total, job.record.done));
    after = batch.at(-1)!.position;
  }
  const exposed = await markExposed(context);
  context.ring.invalidate();
  return { job: idToString(jobId), moved: job.record.done, exposed };
}

async function nextBatch({ storage }: StoreContext, time: number, after?: Uint8Array): Promise<DueEntry[]> {
  const limit = itemsPerCommit(storage, ROW_COST, MAX_ROWS);
  const batch: DueEntry[] = [];
  for await (const { key } of storage.list(ranges.due(time, after), { limit, keysOnly: true })) {
    const { key: id, version } = parseDueKey(key);
    batch.push({ position: key.slice(), key: id, version });
  }
  return batch;
}

async function sweepBatch(
  context: StoreContext,
  job: StoredJob,
  batch: readonly DueEntry[],
  time: number,
): Promise<StoredJob> {
  const ids = [...new Map(batch.map(({ key }) => [toHex(key), key])).values()];
  for (let attempt = 0; attempt < RETRIES; attempt++) {
    const decision = authorize(context, "sweep", null);
    const stored = await readKeys(context.storage, context.records, ids);
    const change = noChange();
    for (const [i, id] of ids.entries()) {
      const own = batch.filter(({ key }) => equalBytes(key, id));
      sweepKey(context, change, id, stored[i]!, own, time);
    }
    if (change.mutations.length === 0) return job;
    // Nothing is restricted that was not by its dates; but whose clock is behind should hear of it.
    await announce(context, change);
    const record = { ...job.record, done: job.record.done + change.subjects.length };
    const plan = planOf(context, "sweep", decision, change, time);
    const commit = await commitWithJob(context, plan, job, record);
    if ("job" in commit) return commit.job;
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same keys; try again" });
}

/** Adds to the change what one key needs, for the versions that the batch names. */
function sweepKey(
  context: StoreContext,
  change: Change,
  id: Id,
  before: StoredKey | null,
  batch: readonly DueEntry[],
  time: number,
): void {
  // An entry that the record does not confirm is no entry of any key: it goes.
  const own = new Set(before === null ? [] : indexKeys(before.record).map(toHex));
  const stale = batch.filter(({ position }) => !own.has(toHex(position)));
  for (const { position } of stale) change.mutations.push({ kind: "delete", key: position });
  if (before === null) {
    change.checks.push({ key: keyspace.key(id), version: null });
    return;
  }
  const versions = new Set(batch.map(({ version }) => version));
  const moved = before.record.versions
    .filter(({ version }) => versions.has(version))
    .map((row) => applyDueDates(row, Math.max(time, before.record.time), context.principal.entity))
    .filter(({ entries }) => entries.length > 0);
  if (moved.length > 0) {
    const record = moved.reduce((all, { row }) => withRow(all, row, time), before.record);
    const one = changeOf(before, record, moved);
    change.checks.push(...one.checks);
    change.records.push(...one.records);
    change.mutations.push(...one.mutations);
    change.subjects.push(...one.subjects);
  } else if (stale.length > 0) {
    change.checks.push({ key: keyspace.key(id), version: before.storageVersion });
  }
}
