/**
 * The one place that commits. A committer is one writer: every commit carries its event as the next link of the
 * writer's chain, and checks and puts the writer's head.
 *
 * The event's own entry is the marker of a commit: it is checked absent, so after a lost reply a look at the head, which
 * has its hash, tells whether the commit took effect, and an abandoned entry put in its place keeps a late original out.
 * Once the head has moved on, the entry may move to the log: a late original fails on the head.
 */
import { equalBytes } from "../foundation/bytes.js";
import type { Clock } from "../foundation/clock.js";
import { isKeyloomError, KeyloomError, type ErrorCode } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Records, SealedRecord, UnsealedRecord } from "../crypto/records.js";
import type { Check, Commit, Conflict, Mutation, StorageAdapter } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import {
  encodeIntake,
  leafInput,
  MAX_ENTRY_LENGTH,
  type EventBody,
  type IntakeBody,
} from "../audit/event.js";
import {
  addWriter,
  decodeHead,
  decodeWriters,
  EMPTY_HEAD,
  encodeHead,
  encodeWriters,
  NO_WRITERS,
  writerKeys,
  type Head,
  type Sha256,
  type Writers,
} from "../audit/intake.js";

/** What a command wants changed. Records are sealed here; `mutations` are index entries, deletes and bulk records. */
export interface Plan {
  checks: readonly Check[];
  records: readonly UnsealedRecord[];
  mutations: readonly Mutation[];
  event: Omit<EventBody, "kind" | "previous" | "time" | "records">;
  time: number;
  /** It says what has been done already, by the policy of that time: no other one undoes it. */
  past?: true;
  /**
   * After a lost reply the same commit is sent again, and no abandoned entry is put: for the commit that makes a store,
   * where an entry without the rest would be a store that never opens. It must check something absent that it puts.
   */
  resend?: true;
}

/** What one item adds to a commit. */
export interface ItemCost {
  checks: number;
  mutations: number;
  /** Of all keys and values, keys of checks included. Left out where a commit is never large. */
  bytes?: number;
}

/** What a commit holds besides its items: records of the key, job, epoch or gate, the event, head and list of writers. */
const BASE_COST = { checks: 8, mutations: 8, bytes: 2048 };

/** How many items, at most `most`, one commit of a store takes; at least one. */
export function itemsPerCommit({ capabilities }: StorageAdapter, item: ItemCost, most: number): number {
  const { maxChecks, maxMutations, maxCommitBytes } = capabilities;
  const fit = Math.min(
    most,
    (maxChecks - BASE_COST.checks) / item.checks,
    (maxMutations - BASE_COST.mutations) / item.mutations,
    item.bytes === undefined ? Infinity : (maxCommitBytes - BASE_COST.bytes) / item.bytes,
  );
  return Math.max(1, Math.floor(fit));
}

export type CommitResult =
  | {
      committed: true;
      /** The storage version of a put; `undefined` where the reply was lost and the version is unknown. */
      versionOf(storageKey: Uint8Array): string | undefined;
    }
  | Conflict;

/** Failures that say for certain that nothing was written. Anything else leaves the outcome unknown. */
const DEFINITE: readonly ErrorCode[] = [
  "STORAGE_CLOSED",
  "STORAGE_COMMIT_TOO_LARGE",
  "STORAGE_FULL",
  "STORAGE_INVALID_COMMIT",
  "STORAGE_READ_ONLY",
];

/** Was nothing written, and will nothing be? */
export function isDefinite(error: KeyloomError): boolean {
  return DEFINITE.includes(error.code);
}

const RESOLVE_ATTEMPTS = 5;
const RETRIES = 8;

export interface CommitterParts {
  storage: StorageAdapter;
  records: Records;
  sha256: Sha256;
  clock: Clock;
  newId: () => Id;
}

interface Prepared {
  commit: Commit;
  head: Head;
  keys: { head: Uint8Array; entry: Uint8Array };
  resend: boolean;
}

export class Committer {
  readonly writer: Id;
  readonly #parts: CommitterParts;
  #head: Head = EMPTY_HEAD;
  #headVersion: string | null = null;
  /** Before the first commit: the list of writers that it has to join. */
  #writers: { value: Writers; version: string | null } | null = null;
  /** A commit whose outcome could not be found out; the next commit settles it first. */
  #unsettled: Prepared | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.writer = parts.newId();
  }

  /** How many entries this writer's chain has. */
  get length(): number {
    return this.#head.sequence;
  }

  /**
   * Commits a plan, one at a time in the order of the calls.
   *
   * @returns a conflict as a value, when a check of the plan failed
   * @throws {KeyloomError} `STORAGE_OUTCOME_UNKNOWN` when the store can't be reached to find out what happened
   */
  commit(plan: Plan): Promise<CommitResult> {
    const run = this.#queue.then(() => this.#run(plan));
    this.#queue = run.catch(() => undefined);
    return run;
  }

  async #run(plan: Plan): Promise<CommitResult> {
    if (this.#unsettled !== null) await this.#settle(this.#unsettled);
    for (let attempt = 0; attempt < RETRIES; attempt++) {
      if (this.#headVersion === null) await this.#readWriters();
      const prepared = { ...this.#prepare(plan), resend: plan.resend === true };
      const outcome = await this.#attempt(prepared);
      if (outcome === "abandoned") continue;
      if (outcome === "landed") return { committed: true, versionOf: () => undefined };
      if (outcome.committed)
        return { committed: true, versionOf: versionsOf(prepared.commit, outcome.versions) };
      // Only the list of writers can fail here without the plan's fault: another new writer was first.
      const own = keyspace.auditWriters();
      const foreign = outcome.conflicts.filter((conflict) => !equalBytes(conflict.key, own));
      if (foreign.length > 0) return { ...outcome, conflicts: foreign };
    }
    throw new KeyloomError("STORE_CONFLICT", { message: "the store is too busy to commit" });
  }

  async #attempt(
    prepared: Prepared,
  ): Promise<{ committed: true; versions: readonly string[] } | Conflict | "landed" | "abandoned"> {
    try {
      const outcome = await this.#parts.storage.commit(prepared.commit);
      if (outcome.committed) {
        this.#advance(prepared.head, versionsOf(prepared.commit, outcome.versions)(prepared.keys.head)!);
      }
      return outcome;
    } catch (error) {
      if (isKeyloomError(error) && isDefinite(error)) throw error;
      this.#unsettled = prepared;
      return this.#settle(prepared, error);
    }
  }

  /** Finds out whether a commit landed; if not, makes sure that it never will. */
  async #settle(prepared: Prepared, cause?: unknown): Promise<"landed" | "abandoned" | Conflict> {
    const { storage, clock } = this.#parts;
    let last = cause;
    for (let attempt = 0; attempt < RESOLVE_ATTEMPTS; attempt++) {
      if (attempt > 0) await clock.sleep(20 << attempt);
      try {
        const next = prepared.resend ? prepared : this.#prepareAbandon(clock.now());
        const outcome = await storage.commit(next.commit);
        if (outcome.committed) {
          this.#advance(next.head, versionsOf(next.commit, outcome.versions)(next.keys.head)!);
          this.#unsettled = null;
          return prepared.resend ? "landed" : "abandoned";
        }
        const settled = await this.#readMarker(prepared);
        if (settled !== null || prepared.resend) {
          this.#unsettled = null;
          return settled ?? outcome;
        }
        // Neither is there: only the list of writers has moved.
        await this.#readWriters();
      } catch (error) {
        if (isKeyloomError(error, "STORE_DAMAGED")) throw error;
        last = error;
      }
    }
    throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", {
      message: "the store did not answer, and whether the change took effect can't be found out now",
      cause: last,
    });
  }

  /**
   * Looks after a conflict what stands in the marker's place: the head's link is its hash, also once the entry itself has
   * moved to the log. `null`: nothing does.
   */
  async #readMarker({ head, keys }: Prepared): Promise<"landed" | "abandoned" | null> {
    const entry = await this.#parts.storage.get(keys.head);
    if (entry === null) return null;
    const stored = decodeHead(this.#parts.records.open([entry])[0]!.body);
    if (stored.sequence < head.sequence) return null;
    this.#advance(stored, entry.version);
    return equalBytes(stored.link, head.link) ? "landed" : "abandoned";
  }

  #advance(head: Head, version: string): void {
    this.#head = head;
    this.#headVersion = version;
    this.#writers = null;
  }

  async #readWriters(): Promise<void> {
    const entry = await this.#parts.storage.get(keyspace.auditWriters());
    this.#writers =
      entry === null
        ? { value: NO_WRITERS, version: null }
        : { value: decodeWriters(this.#parts.records.open([entry])[0]!.body), version: entry.version };
  }

  #prepare(plan: Plan): Omit<Prepared, "resend"> {
    const sealed = this.#parts.records.seal(plan.records);
    return this.#link(
      {
        ...plan.event,
        kind: "event",
        previous: this.#head.link,
        time: plan.time,
        records: sealed.map(({ storageKey, digest }) => ({ storageKey, digest })),
      },
      plan.checks,
      [...plan.mutations, ...sealed.map(putOf)],
    );
  }

  #prepareAbandon(time: number): Prepared {
    return { ...this.#link({ kind: "abandoned", previous: this.#head.link, time }, [], []), resend: false };
  }

  /** Makes a body the next link: the entry, the head, and, at the writer's first, its place among the writers. */
  #link(
    body: IntakeBody,
    checks: readonly Check[],
    mutations: readonly Mutation[],
  ): Omit<Prepared, "resend"> {
    const { records, sha256, newId } = this.#parts;
    const bytes = encodeIntake(body);
    if (bytes.length > MAX_ENTRY_LENGTH) {
      throw new KeyloomError("KEY_INVALID_OPTION", {
        message: `an audit event has at most ${MAX_ENTRY_LENGTH} bytes, this one would have ${bytes.length}`,
      });
    }
    const head: Head = { sequence: this.#head.sequence + 1, link: sha256(leafInput(bytes)) };
    const keys = writerKeys(this.writer, head.sequence);
    const chain: UnsealedRecord[] = [
      { storageKey: keys.entry, revision: 1, body: bytes },
      { storageKey: keys.head, revision: head.sequence, body: encodeHead(head) },
    ];
    const chainChecks: Check[] = [
      { key: keys.entry, version: null },
      { key: keys.head, version: this.#headVersion },
    ];
    if (this.#writers !== null) {
      const writers = addWriter(this.#writers.value, this.writer, sha256);
      chain.push({
        storageKey: keyspace.auditWriters(),
        revision: writers.count,
        body: encodeWriters(writers),
      });
      chainChecks.push({ key: keyspace.auditWriters(), version: this.#writers.version });
    }
    return {
      head,
      keys,
      commit: {
        id: newId(),
        checks: [...checks, ...chainChecks],
        mutations: [...mutations, ...records.seal(chain, false).map(putOf)],
      },
    };
  }
}

function putOf(record: SealedRecord): Mutation {
  return { kind: "put", key: record.storageKey, value: record.value };
}

/** Looks up the version that a committed put was given: the adapter lists them in the order of the puts. */
function versionsOf(
  commit: Commit,
  versions: readonly string[],
): (storageKey: Uint8Array) => string | undefined {
  return (storageKey) => {
    // From the end: the records of a command and its chain come after a bulk command's thousands of puts.
    let index = versions.length;
    for (let i = commit.mutations.length - 1; i >= 0; i--) {
      const mutation = commit.mutations[i]!;
      if (mutation.kind !== "put") continue;
      index--;
      if (equalBytes(mutation.key, storageKey)) return versions[index];
    }
    return undefined;
  };
}
