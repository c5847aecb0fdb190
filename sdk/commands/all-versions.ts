/**
 * `versions: "all"`: a job that moves every version of a key that can be moved, oldest first, one commit each, so that
 * the current version goes last. What was moved can't be moved again, so a job that begins anew finds only the rest.
 */
import { cborMap, type CborValue } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import type { LifecycleEvent } from "../lifecycle/states.js";
import { effectiveState, next } from "../lifecycle/transition.js";
import type { Revocation } from "../keys/versions.js";
import { readKey, type StoredKey } from "../keys/reads.js";
import type { KeyRecord, KeyVersion } from "../keys/record.js";
import { eventOf, planChange, readForChange, type StateChange } from "./change-state.js";
import { believeClock } from "./clock.js";
import type { Plan } from "./committer.js";
import { planDestruction, requireNoDependents, type DestroyResult } from "./destroy.js";
import { authorize, commandTime, commitPlan, type StoreContext } from "./execute.js";
import { markExposed } from "./expose.js";
import {
  openJob,
  withJob,
  type JobControl,
  type JobOptions,
  type JobRecord,
  type StoredJob,
} from "./jobs.js";

export interface AllVersionsOption extends JobOptions {
  /** Every version, in a job. */
  versions: "all";
}

export interface DeactivateAllSummary {
  job: string;
  /** How many versions the job has deactivated, in this run and before. */
  deactivated: number;
  /** How many others the key has: not active then, so there was nothing to end. */
  skipped: number;
}

export interface RevokeAllSummary {
  job: string;
  /** How many versions the job has revoked, in this run and before. */
  revoked: number;
  /** How many others the key has: there was nothing to revoke. */
  skipped: number;
}

export interface DestroyAllOptions extends AllVersionsOption {
  /** Destroy wrapping-key versions although keys still lie under them: all of those become unreadable. */
  cryptoShred?: boolean | undefined;
}

export interface DestroyAllSummary {
  job: string;
  /** How many versions the job has destroyed, in this run and before. */
  destroyed: number;
  /** How many others the key has: destroyed already, or active. */
  skipped: number;
  /** As of a single version: `cryptographic` only where it is for each of them. `null`: none was destroyed. */
  erasure: DestroyResult["erasure"] | null;
  /** How many keys became unreadable with them (`cryptoShred`). */
  shredded: number;
}

const RETRIES = 16;

interface Step {
  plan: Plan;
  /** What it adds to the job's sums. */
  adds: readonly number[];
}

interface Task {
  operation: "deactivate" | "revoke" | "destroy";
  event: LifecycleEvent;
  /** What has to be the same for the job to be resumed, beside the key. */
  request: readonly (readonly [number, CborValue | undefined])[];
  /** What may refuse the whole before anything is changed. */
  begin?(record: KeyRecord, rows: readonly KeyVersion[]): Promise<void>;
  plan(before: StoredKey, row: KeyVersion): Promise<Step>;
}

interface Done {
  done: number;
  skipped: number;
  sums: readonly number[];
}

/** What one version's move to another state adds to its job: nothing but itself. */
function moving(context: StoreContext, change: StateChange): Task["plan"] {
  return async (before, row) => {
    const time = commandTime(context, before.record.time);
    const { plan } = await planChange(context, before, row, change, time);
    return { plan, adds: [] };
  };
}

/** @throws {KeyloomError} `KEY_NOT_FOUND`, `JOB_CANCELLED`, `JOB_REQUEST_MISMATCH` */
export async function deactivateAll(
  context: StoreContext,
  control: JobControl,
  jobId: Id,
  reference: string,
): Promise<DeactivateAllSummary> {
  const { done, skipped } = await changeAll(context, control, jobId, reference, {
    operation: "deactivate",
    event: "deactivate",
    request: [[2, false]],
    plan: moving(context, { operation: "deactivate" }),
  });
  return { job: idToString(jobId), deactivated: done, skipped };
}

/** @throws {KeyloomError} as `deactivateAll` */
export async function revokeAll(
  context: StoreContext,
  control: JobControl,
  jobId: Id,
  reference: string,
  revocation: Revocation,
): Promise<RevokeAllSummary> {
  const change = { operation: "revoke", revocation } as const;
  const event = eventOf(change);
  const { done, skipped } = await changeAll(context, control, jobId, reference, {
    operation: "revoke",
    event,
    request: [
      [2, revocation.reason],
      [3, revocation.occurrence],
    ],
    plan: moving(context, change),
  });
  if (event === "revoke-compromised") await markExposed(context);
  return { job: idToString(jobId), revoked: done, skipped };
}

/** @throws {KeyloomError} as `deactivateAll`, and `KEY_HAS_DEPENDENTS` with the count under all versions together */
export async function destroyAll(
  context: StoreContext,
  control: JobControl,
  jobId: Id,
  reference: string,
  cryptoShred: boolean,
): Promise<DestroyAllSummary> {
  const { done, skipped, sums } = await changeAll(context, control, jobId, reference, {
    operation: "destroy",
    event: "destroy",
    request: [[2, cryptoShred]],
    async begin(record, rows) {
      const versions = rows.map(({ version }) => version);
      if (!cryptoShred) await requireNoDependents(context, record, versions);
    },
    async plan(before, row) {
      const { plan, result } = await planDestruction(context, before, row, { cryptoShred });
      return { plan, adds: [result.shredded, result.erasure === "deleted" ? 1 : 0] };
    },
  });
  const [shredded = 0, deleted = 0] = sums;
  const erasure = done === 0 ? null : deleted > 0 ? "deleted" : "cryptographic";
  return { job: idToString(jobId), destroyed: done, skipped, erasure, shredded };
}

async function changeAll(
  context: StoreContext,
  control: JobControl,
  jobId: Id,
  reference: string,
  task: Task,
): Promise<Done> {
  const { operation, event } = task;
  const followClock = await believeClock(context);
  const { record } = await readForChange(context, reference);
  const { id } = record;
  authorize(context, operation, record);
  const request = cborMap([1, id], ...task.request);
  let conflicts = 0;
  for (let first = true; ; first = false) {
    // All is read anew each time: another process may change the key, or run this very job.
    const before = await readKey(context.storage, context.records, id);
    if (before === null) throw new KeyloomError("STORE_DAMAGED", { message: "a key's record is missing" });
    const job = await openJob(context, jobId, `${operation}-versions`, request);
    const rows = job.record.finished ? [] : movable(context, before.record, event);
    const { done } = job.record;
    control.report(done, done + rows.length);
    if (rows.length === 0) {
      await followClock();
      return outcomeOf(job, before.record);
    }
    await control.pause();
    if (first) await task.begin?.(before.record, rows);
    const { plan, adds } = await task.plan(before, rows[0]!);
    const skipped = before.record.versions.length - done - 1;
    const record = oneMore(job, { finished: rows.length === 1, skipped, adds });
    const commit = await commitPlan(context, withJob(plan, job, record));
    context.ring.invalidate();
    conflicts = commit.committed ? 0 : conflicts + 1;
    if (conflicts === RETRIES) {
      throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same key; try again" });
    }
  }
}

/** The versions that an event can happen to now. */
function movable(context: StoreContext, record: KeyRecord, event: Task["event"]): KeyVersion[] {
  const time = commandTime(context, record.time);
  return record.versions.filter(
    ({ state, dates }) => next(effectiveState(state, dates, time), event, context.transitions) !== null,
  );
}

/** The job one version on. Its sums begin with the number of those skipped. */
function oneMore(
  { record }: StoredJob,
  { finished, skipped, adds }: { finished: boolean; skipped: number; adds: readonly number[] },
): JobRecord {
  const [, ...before] = record.sums ?? [];
  const sums = [skipped, ...adds.map((add, i) => add + (before[i] ?? 0))];
  return { ...record, done: record.done + 1, finished, sums };
}

function outcomeOf({ record }: StoredJob, { versions }: KeyRecord): Done {
  const [skipped = 0, ...sums] = record.sums ?? [];
  return { done: record.done, skipped: record.finished ? skipped : versions.length - record.done, sums };
}
