/**
 * Jobs: unbounded work in batches, each batch one commit that also puts the job's record. So a job is always a
 * whole number of batches, its record says which, and the same id with the same request resumes it.
 */
import { equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor, type CborMap } from "../foundation/cbor.js";
import type { Clock } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import { nextTurn } from "../foundation/turn.js";
import type { UnsealedRecord } from "../crypto/records.js";
import { keyspace } from "../storage/keyspace.js";
import { MAX_KEY_BYTES, type Check, type Conflict, type Mutation } from "../storage/adapter.js";
import type { Decision, Operation } from "../policy/model.js";
import { BULK_ROW_LENGTH, MAX_BULK_KEYS } from "../audit/event.js";
import { itemsPerCommit, type ItemCost, type Plan } from "./committer.js";
import { commitPlan, eventBy, type StoreContext } from "./execute.js";

export interface JobRecord {
  kind: string;
  /** SHA-256 of the request: the same id with another request is refused. */
  request: Uint8Array;
  /** How many items are done: always the first `done` ones, or as many as were moved or changed. */
  done: number;
  finished: boolean;
  /** What the summary tells besides, summed over the batches; its meaning is its kind's. */
  sums?: readonly number[] | undefined;
  /** Of a job that several share: how many ranges have been given out, and behind which storage key the next begins. */
  given?: { ranges: number; upTo: Uint8Array } | undefined;
}

/** The most sums that a record has. */
const MAX_SUMS = 8;

export interface StoredJob {
  id: Id;
  record: JobRecord;
  revision: number;
  /** `null`: not yet in the store. */
  storageVersion: string | null;
}

/** What a batch's commit puts: the job's record, one revision on. */
function jobRecord(job: StoredJob): UnsealedRecord {
  const { kind, request, done, finished, sums, given } = job.record;
  return {
    storageKey: keyspace.job(job.id),
    revision: job.revision + 1,
    body: encodeCbor(
      cborMap(
        [1, kind],
        [2, request],
        [3, done],
        [4, finished],
        [5, sums && [...sums]],
        [6, given?.ranges],
        [7, given?.upTo],
      ),
    ),
  };
}

/**
 * Reads a job's record, or makes the one of a new job.
 *
 * @param request - the request as a CBOR map: what has to be the same for the job to be resumed
 * @throws {KeyloomError} `JOB_REQUEST_MISMATCH` when the id belongs to another request
 */
export async function openJob(
  context: StoreContext,
  id: Id,
  kind: string,
  request: CborMap,
): Promise<StoredJob> {
  const digest = context.sha256(encodeCbor(request));
  const entry = await context.storage.get(keyspace.job(id));
  if (entry === null) {
    const record = { kind, request: digest, done: 0, finished: false };
    return { id, record, revision: 0, storageVersion: null };
  }
  const { revision, body } = context.records.open([entry])[0]!;
  const reader = CborReader.decode(body, "a job record");
  const record: JobRecord = {
    kind: reader.text(1, 64),
    request: reader.bytes(2, 32),
    done: reader.uint(3),
    finished: reader.bool(4),
  };
  if (reader.has(5)) record.sums = reader.uints(5, MAX_SUMS);
  if (reader.has(6)) record.given = { ranges: reader.uint(6, 0xffff_ffff), upTo: storageKeyOf(reader, 7) };
  if (record.kind !== kind || !equalBytes(record.request, digest)) {
    throw new KeyloomError("JOB_REQUEST_MISMATCH", {
      message: `job ${idToString(id)} was started with another request`,
      job: idToString(id),
    });
  }
  return { id, record, revision, storageVersion: entry.version };
}

/** A field that holds a storage key, or nothing. */
export function storageKeyOf(reader: CborReader, field: number): Uint8Array {
  const key = reader.bytes(field);
  if (key.length <= MAX_KEY_BYTES) return key;
  throw new KeyloomError("STORE_DAMAGED", { message: "a job record has too long a storage key" });
}

/** How many items one commit of this store takes; never more than an event lists. */
export function batchSize({ storage }: StoreContext, item: Required<ItemCost>): number {
  return itemsPerCommit(storage, { ...item, bytes: item.bytes + BULK_ROW_LENGTH }, MAX_BULK_KEYS);
}

/** A plan with its job in it: checked, and put as it is after this commit. */
export function withJob(plan: Plan, job: StoredJob, record: JobRecord): Plan {
  return {
    ...plan,
    checks: [...plan.checks, { key: keyspace.job(job.id), version: job.storageVersion }],
    records: [...plan.records, jobRecord({ ...job, record })],
    event: { ...plan.event, job: job.id },
  };
}

/**
 * Commits a plan together with its job's record.
 *
 * @returns the job as it is now stored, or the conflicts, as a value, when a check of the plan failed
 * @throws {KeyloomError} `STORE_CONFLICT` when the job's own record changed: it runs elsewhere too
 */
export async function commitWithJob(
  context: StoreContext,
  plan: Plan,
  job: StoredJob,
  record: JobRecord,
): Promise<{ job: StoredJob } | Conflict> {
  const key = keyspace.job(job.id);
  const result = await commitPlan(context, withJob(plan, job, record));
  if (result.committed) {
    const storageVersion = result.versionOf(key) ?? (await context.storage.get(key))?.version ?? null;
    return { job: { ...job, record, revision: job.revision + 1, storageVersion } };
  }
  if (!result.conflicts.some((conflict) => equalBytes(conflict.key, key))) return result;
  throw new KeyloomError("STORE_CONFLICT", {
    message: `job ${idToString(job.id)} runs elsewhere too`,
    job: idToString(job.id),
  });
}

/** What one batch changes, beside the job's own record and event. */
export interface BatchChange {
  checks: readonly Check[];
  mutations: readonly Mutation[];
  records?: readonly UnsealedRecord[];
  /** Packed rows of the bulk event. */
  rows: Uint8Array;
  /** How many items it does. */
  size: number;
  /** Is it the last one? */
  last: boolean;
  operation: Operation;
  decision: Decision;
  time: number;
}

/**
 * Commits one batch together with the job's record and its event.
 *
 * @returns as `commitWithJob`
 */
export async function commitBatch(
  context: StoreContext,
  job: StoredJob,
  batch: BatchChange,
): Promise<{ job: StoredJob } | Conflict> {
  const record: JobRecord = { ...job.record, done: job.record.done + batch.size, finished: batch.last };
  const { checks, records = [], mutations, time, operation, decision, rows } = batch;
  const event = { ...eventBy(context, operation, decision), subjects: [], bulk: rows };
  return commitWithJob(context, { checks, records, mutations, time, event }, job, record);
}

export interface JobProgress {
  job: string;
  done: number;
  /** `null` where the number isn't known beforehand. */
  total: number | null;
  elapsedMs: number;
  /** `null` until there is something to reckon with, or where the total isn't known. */
  remainingMs: number | null;
}

export interface JobOptions {
  /** The id of the job, a UUID: pass the id of an interrupted job, with the same request, to resume it. */
  job?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Work that runs by itself, from the moment it was made: await it for the summary, or iterate over its progress.
 * An error is thrown wherever the job is awaited or iterated; a job that nobody looks at fails silently.
 */
export class Job<S> implements PromiseLike<S>, AsyncIterable<JobProgress> {
  readonly id: string;
  readonly #promise: Promise<S>;
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #startedAt: number;
  #startedWith: number | null = null;
  #progress: JobProgress | null = null;
  #ended = false;
  #wake: (() => void)[] = [];

  /** @internal Jobs are made by the manager's methods. */
  constructor(
    id: string,
    clock: Clock,
    signal: AbortSignal | undefined,
    run: (control: JobControl) => Promise<S>,
  ) {
    this.id = id;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    if (signal?.aborted) this.#controller.abort(signal.reason);
    const onAbort = (): void => this.cancel(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const control: JobControl = {
      report: (done, total) => this.#report(done, total),
      pause: async () => {
        await nextTurn();
        this.#throwIfCancelled();
      },
    };
    this.#promise = Promise.resolve()
      .then(() => run(control))
      .finally(() => {
        signal?.removeEventListener("abort", onAbort);
        this.#ended = true;
        this.#notify();
      });
    this.#promise.catch(() => undefined);
  }

  /** Stops the job after the batch under way. What is done stays done; the same id resumes it. */
  cancel(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  then<A = S, B = never>(
    onFulfilled?: ((value: S) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#promise.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected: (reason: unknown) => B | PromiseLike<B>): Promise<S | B> {
    return this.#promise.catch(onRejected);
  }

  finally(onFinally: () => void): Promise<S> {
    return this.#promise.finally(onFinally);
  }

  /** Yields the latest progress, at most once per batch; a slow reader skips what it missed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<JobProgress, void> {
    let seen: JobProgress | null = null;
    for (;;) {
      if (this.#progress !== null && this.#progress !== seen) {
        seen = this.#progress;
        yield seen;
      } else if (this.#ended) {
        await this.#promise;
        return;
      } else {
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    }
  }

  #report(done: number, total: number | null): void {
    this.#startedWith ??= done;
    const elapsedMs = this.#clock.monotonic() - this.#startedAt;
    // Only what this run did says how fast it is: a resumed job did its first part some other time.
    const doneNow = done - this.#startedWith;
    const remainingMs = total === null || doneNow === 0 ? null : ((total - done) * elapsedMs) / doneNow;
    this.#progress = { job: this.id, done, total, elapsedMs, remainingMs };
    this.#notify();
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #throwIfCancelled(): void {
    if (!this.#controller.signal.aborted) return;
    throw new KeyloomError("JOB_CANCELLED", {
      message: `job ${this.id} was cancelled; the same id resumes it`,
      job: this.id,
      cause: this.#controller.signal.reason,
    });
  }
}

/** What a job's work is handed. */
export interface JobControl {
  report(done: number, total: number | null): void;
  /** Awaited between batches, so that a signal or a timer can cancel. @throws {KeyloomError} `JOB_CANCELLED` */
  pause(): Promise<void>;
}
