/**
 * Jobs that several processes share: work over a part of the key space, given out in ranges. A range has a record of its own,
 * which every batch in it checks and puts, so that workers don't meet at the job's record; that is touched where a range
 * is given out.
 *
 * The record is the range's lease. Its worker's batches are the beat; and since each of them checks the record as it was, what a
 * worker that was taken for dead still does fails: no separate fence is needed. A worker that was taken for dead too early
 * loses one batch of work, nothing else.
 */
import { equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { UnsealedRecord } from "../crypto/records.js";
import type { Operation } from "../policy/model.js";
import type { Check, Conflict, Entry, Mutation, Range } from "../storage/adapter.js";
import { keyspace, ranges, versionOfKey } from "../storage/keyspace.js";
import {
  authorize,
  commandTime,
  commitPlan,
  eventBy,
  type KeySubject,
  type StoreContext,
} from "./execute.js";
import { storageKeyOf, withJob, type BatchChange, type JobRecord, type StoredJob } from "./jobs.js";
import type { UpkeepOperation } from "./upkeep.js";

/** A range that has stood still for so long, on the clock of whoever watches it, may be taken over. */
export const RANGE_LEASE_MS = 2_000;
const POLL_MS = 50;
const RETRIES = 64;

export interface JobRange {
  /** From 1, in the order in which they were given out. */
  n: number;
  range: Range & { end: Uint8Array };
  done: number;
  finished: boolean;
  /** The writer that works on it; `undefined`: given back. */
  holder: Id | undefined;
  revision: number;
  storageVersion: string | null;
}

function rangeRecord(job: Id, range: JobRange): UnsealedRecord {
  const { start, end } = range.range;
  return {
    storageKey: keyspace.leaseRange(job, range.n),
    revision: range.revision + 1,
    body: encodeCbor(cborMap([1, start], [2, end], [3, range.done], [4, range.finished], [5, range.holder])),
  };
}

function openRange(context: StoreContext, entry: Entry): JobRange {
  const { revision, body } = context.records.open([entry])[0]!;
  const reader = CborReader.decode(body, "a range of a job");
  return {
    n: versionOfKey(entry.key),
    range: { start: storageKeyOf(reader, 1), end: storageKeyOf(reader, 2) },
    done: reader.uint(3),
    finished: reader.bool(4),
    holder: reader.optionalBytes(5, ID_LENGTH),
    revision,
    storageVersion: entry.version,
  };
}

interface Shared {
  operation: Operation;
  /** What the job is about, for policy. */
  key: KeySubject;
  /** Reads the job's record. */
  open(): Promise<StoredJob>;
  /** The range to give out behind a storage key (`null`: from the beginning); `null`: nothing lies there. */
  next(behind: Uint8Array | null): Promise<JobRange["range"] | null>;
}

/** One worker's side of a shared job. */
export class SharedJob {
  readonly #context: StoreContext;
  readonly #shared: Shared;
  /** Ranges of others, and for how long each has stood still. */
  readonly #watched = new Map<number, { storageVersion: string | null; forMs: number }>();
  /** What others had done when it was last looked at; and the range at hand. */
  #others = 0;
  #own: JobRange | null = null;

  constructor(context: StoreContext, shared: Shared) {
    this.#context = context;
    this.#shared = shared;
  }

  /** How many items all workers have done, as far as this one knows. */
  get done(): number {
    return this.#others + (this.#own?.done ?? 0);
  }

  /**
   * Gives this worker a range: a new one, one that was given back, or one whose worker stands still.
   *
   * @returns "others": all that is left is being worked on; look again. `null`: nothing is left at all.
   * @throws {KeyloomError} `STORE_CONFLICT` where others are first every time
   */
  async claim(): Promise<JobRange | "others" | null> {
    this.#own = null;
    for (let attempt = 0; attempt < RETRIES; attempt++) {
      const job = await this.#shared.open();
      const all = await this.#ranges(job.id);
      const open = all.filter(({ finished }) => !finished);
      this.#others = all.reduce((sum, { done }) => sum + done, job.record.done);
      const given = job.record.given ?? { ranges: 0, upTo: new Uint8Array(0) };
      let range = await this.#shared.next(given.upTo.length === 0 ? null : given.upTo);
      if (range === null) {
        const left = open.find((each) => this.#isFree(each));
        if (left !== undefined) {
          const claimed = await this.#put(job.id, { ...left, holder: this.#context.committer.writer });
          if (claimed === null) continue;
          return this.#take(claimed);
        }
        if (open.length > 0) return "others";
        // All are done. What has come to lie there meanwhile is given out from the beginning.
        range = await this.#shared.next(null);
        if (range === null && all.length === 0) return null;
      }
      const claimed = await this.#give(
        job,
        all.filter(({ finished }) => finished),
        given.ranges,
        range,
      );
      if (claimed === "again") continue;
      return claimed === null ? null : this.#take(claimed);
    }
    throw new KeyloomError("STORE_CONFLICT", { message: "others keep taking the job's ranges; try again" });
  }

  #take(range: JobRange): JobRange {
    this.#own = range;
    this.#others -= range.done;
    return range;
  }

  async #ranges(job: Id): Promise<JobRange[]> {
    const all: JobRange[] = [];
    for await (const entry of this.#context.storage.list(ranges.leaseRanges(job))) {
      all.push(openRange(this.#context, entry));
    }
    return all;
  }

  #isFree({ n, holder, storageVersion }: JobRange): boolean {
    if (holder === undefined || equalBytes(holder, this.#context.committer.writer)) return true;
    const seen = this.#watched.get(n);
    if (seen?.storageVersion === storageVersion) return seen.forMs >= RANGE_LEASE_MS;
    this.#watched.set(n, { storageVersion, forMs: 0 });
    return false;
  }

  /** Lets time pass before the next look at what others are working on. */
  async wait(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    for (const seen of this.#watched.values()) seen.forMs += POLL_MS;
  }

  /** Gives out a new range, if any, and adds up what finished ranges did: their records go. */
  async #give(
    job: StoredJob,
    finished: readonly JobRange[],
    before: number,
    range: JobRange["range"] | null,
  ): Promise<JobRange | null | "again"> {
    const folded = finished.slice(0, MAX_FOLDED);
    const keys = folded.map(({ n }) => keyspace.leaseRange(job.id, n));
    const given: JobRecord["given"] =
      range === null
        ? { ranges: before, upTo: new Uint8Array(0) }
        : { ranges: before + 1, upTo: lastOf(range) };
    const record: JobRecord = {
      ...job.record,
      done: folded.reduce((sum, { done }) => sum + done, job.record.done),
      given,
    };
    const fresh: JobRange | null =
      range === null
        ? null
        : {
            n: given.ranges,
            range,
            done: 0,
            finished: false,
            holder: this.#context.committer.writer,
            revision: 0,
            storageVersion: null,
          };
    const checks: Check[] = keys.map((key, i) => ({ key, version: folded[i]!.storageVersion }));
    const mutations: Mutation[] = keys.map((key) => ({ kind: "delete", key }));
    const records: UnsealedRecord[] = [];
    if (fresh !== null) {
      checks.push({ key: keyspace.leaseRange(job.id, fresh.n), version: null });
      records.push(rangeRecord(job.id, fresh));
    }
    const plan = withJob({ ...this.#plan(job.id), checks, mutations, records }, job, record);
    const result = await commitPlan(this.#context, plan);
    if (!result.committed) return "again";
    if (fresh === null) return folded.length < finished.length ? "again" : null;
    return this.#stored(job.id, fresh, result.versionOf(keyspace.leaseRange(job.id, fresh.n)));
  }

  #plan(job: Id): Parameters<typeof withJob>[0] {
    const decision = authorize(this.#context, this.#shared.operation, this.#shared.key);
    const event = eventBy(this.#context, this.#shared.operation, decision);
    const operation = "share" satisfies UpkeepOperation;
    const time = commandTime(this.#context);
    return {
      checks: [],
      mutations: [],
      records: [],
      time,
      event: { ...event, operation, subjects: [], job },
    };
  }

  /** The range as it is after a commit that put it. */
  async #stored(job: Id, range: JobRange, version: string | undefined): Promise<JobRange> {
    const storageVersion =
      version ?? (await this.#context.storage.get(keyspace.leaseRange(job, range.n)))?.version ?? null;
    return { ...range, revision: range.revision + 1, storageVersion };
  }

  /** @returns `null` where somebody else was first */
  async #put(job: Id, range: JobRange): Promise<JobRange | null> {
    const key = keyspace.leaseRange(job, range.n);
    const result = await commitPlan(this.#context, {
      ...this.#plan(job),
      checks: [{ key, version: range.storageVersion }],
      records: [rangeRecord(job, range)],
    });
    return result.committed ? this.#stored(job, range, result.versionOf(key)) : null;
  }

  /**
   * Commits one batch of a range with the range's record and its event.
   *
   * @param change - its `last`: the range is done with it
   * @returns the conflicts, as a value; "lost" where the range has been taken over
   */
  async commitBatch(
    job: Id,
    range: JobRange,
    change: BatchChange,
  ): Promise<{ range: JobRange } | Conflict | "lost"> {
    const { checks, records = [], mutations, time, operation, decision, rows } = change;
    const key = keyspace.leaseRange(job, range.n);
    const next: JobRange = { ...range, done: range.done + change.size, finished: change.last };
    const result = await commitPlan(this.#context, {
      checks: [...checks, { key, version: range.storageVersion }],
      records: [...records, rangeRecord(job, next)],
      mutations,
      time,
      event: { ...eventBy(this.#context, operation, decision), subjects: [], bulk: rows, job },
    });
    if (result.committed) {
      this.#own = await this.#stored(job, next, result.versionOf(key));
      return { range: this.#own };
    }
    return result.conflicts.some((conflict) => equalBytes(conflict.key, key)) ? "lost" : result;
  }

  /** Says that nothing is left in a range. */
  async finish(job: Id, range: JobRange): Promise<void> {
    await this.#put(job, { ...range, finished: true });
  }

  /** Lets go of the range at hand, so that nobody has to wait for it. What can't be given back is taken over. */
  async giveBack(job: Id): Promise<void> {
    if (this.#own === null || this.#own.finished) return;
    await this.#put(job, { ...this.#own, holder: undefined }).catch(() => null);
  }
}

/** Records of finished ranges that go in one commit: every store takes as many mutations. */
const MAX_FOLDED = 32;

/** The last key of a range that ends right behind it. */
function lastOf({ end }: { end: Uint8Array }): Uint8Array {
  return end.subarray(0, end.length - 1);
}
