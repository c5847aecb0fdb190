/**
 * The sequencer: moves the entries of all writers' chains, in batches, into the one log, under a lease. What it commits
 * checks the log's head, so each entry is moved once whoever moves it; it puts no record that a command puts, so no command
 * ever conflicts with it; and it leaves no event, which would have to be moved in its turn.
 */
import { equalBytes } from "../foundation/bytes.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Entry, Mutation } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges, sequenceOfIntake } from "../storage/keyspace.js";
import { decodeIntake } from "../audit/event.js";
import { brokenChain, decodeHead, EMPTY_HEAD, type Head } from "../audit/intake.js";
import {
  damagedLog,
  LogEdge,
  readLogHead,
  type LoggedEntry,
  type LogReads,
  type StoredLogHead,
} from "../audit/log.js";
import { isDefinite } from "./committer.js";
import type { StoreContext } from "./execute.js";
import type { JobControl } from "./jobs.js";
import { Lease, type LeaseContext } from "./leases.js";

export interface SequenceSummary {
  job: string;
  /** How many entries this job has moved. */
  moved: number;
  /** How many the log has now. */
  size: number;
}

/** A batch: so many entries at most, and so many bytes of them, lest others wait for it. */
const MAX_BATCH = 1024;
const MAX_BATCH_BYTES = 1_048_576;
/** What a commit puts besides entries: the log's head, tiles, the last part so far, beat and fence. */
const BASE_MUTATIONS = 16;
const BASE_BYTES = 131_072;
const RETRIES = 16;
const POLL_MS = 100;

type Row = LoggedEntry & { link: Uint8Array };

interface Batch {
  rows: Row[];
  /** Nothing was left behind. */
  last: boolean;
}

/** What a sequencer needs of an open store. */
export type SequencerContext = LeaseContext & LogReads & Pick<StoreContext, "newId">;

const sequencers = new WeakMap<StoreContext, Sequencer>();

/** The one of an open manager: it knows what it saw of the lease before. */
export function sequencerOf(context: StoreContext): Sequencer {
  let sequencer = sequencers.get(context);
  if (sequencer === undefined) sequencers.set(context, (sequencer = new Sequencer(context)));
  return sequencer;
}

export class Sequencer {
  readonly #context: SequencerContext;
  readonly #lease: Lease;
  /** The log's edge after this manager's last commit, as long as nobody else has moved anything. */
  #known: { version: string; edge: LogEdge } | null = null;
  /** The lease was not given back with the last batch. */
  #kept = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(context: SequencerContext) {
    this.#context = context;
    this.#lease = new Lease(context, "sequencer");
  }

  /** Moves everything that waits, and waits itself while another process does so. @throws as `step` */
  async run(control: Pick<JobControl, "pause" | "report">): Promise<{ moved: number; size: number }> {
    let moved = 0;
    try {
      for (;;) {
        await control.pause();
        const step = await this.step();
        if (step === "held") {
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
          if (!(await this.#waits())) return { moved, size: (await this.#head()).size };
          continue;
        }
        moved += step.moved;
        control.report(moved, step.last ? moved : null);
        if (step.last) return { moved, size: step.size };
      }
    } finally {
      // What can't be given back runs out by itself.
      await this.release().catch(() => undefined);
    }
  }

  /**
   * Moves one batch. One at a time in a manager.
   *
   * @returns "held": another process has the lease
   * @throws {KeyloomError} `STORE_DAMAGED` for a chain that doesn't go on where it was left; `STORE_CONFLICT`
   */
  step(): Promise<{ moved: number; size: number; last: boolean } | "held"> {
    const run = this.#queue.then(() => this.#step());
    this.#queue = run.catch(() => undefined);
    return run;
  }

  /** Gives the lease back, where a batch before the last one kept it. */
  async release(): Promise<void> {
    await this.#queue;
    if (!this.#kept) return;
    await this.#lease.look();
    if (this.#lease.held) await this.#commit(this.#lease.step(true), []);
    this.#kept = false;
  }

  async #waits(): Promise<boolean> {
    const { storage } = this.#context;
    for await (const entry of storage.list(ranges.auditIntake(), { limit: 1, keysOnly: true })) {
      return entry.key.length > 0;
    }
    return false;
  }

  #head(): Promise<StoredLogHead> {
    return readLogHead(this.#context);
  }

  async #step(): Promise<{ moved: number; size: number; last: boolean } | "held"> {
    let failure: KeyloomError | undefined;
    for (let attempt = 0; attempt < RETRIES; attempt++) {
      if (attempt > 3) await new Promise((resolve) => setTimeout(resolve, 1 << (attempt % 8)));
      if (!(await this.#lease.look())) return "held";
      const head = await this.#head();
      try {
        const { rows, last } = await this.#nextBatch();
        if (rows.length === 0 && last) {
          return { moved: 0, size: head.size, last: true };
        }
        const edge = await this.#edgeAt(head);
        if (rows.length > 0 && (await this.#append(head, edge, rows, last))) {
          return { moved: rows.length, size: edge.size, last };
        }
      } catch (error) {
        if (!isKeyloomError(error) || isDefinite(error)) throw error;
        // What doesn't fit together is damage, unless the log has grown since its head was read.
        if (error.code === "STORE_DAMAGED" && (await this.#head()).storageVersion === head.storageVersion) {
          throw error;
        }
        // Whether it landed or not is seen by the log's head: at most one commit passes the check of it.
        failure = error;
        this.#known = null;
      }
    }
    throw (
      failure ??
      new KeyloomError("STORE_CONFLICT", { message: "others keep appending to the audit log; try again" })
    );
  }

  async #edgeAt(head: StoredLogHead): Promise<LogEdge> {
    const known = this.#known;
    this.#known = null;
    if (known !== null && known.version === head.storageVersion) return known.edge;
    const edge = await LogEdge.read(this.#context, head.size);
    if (!equalBytes(edge.root, head.root)) throw damagedLog("its tiles don't lead to its root");
    return edge;
  }

  async #append(head: StoredLogHead, edge: LogEdge, rows: readonly Row[], last: boolean): Promise<boolean> {
    const step = this.#lease.step(last);
    const key = keyspace.auditLog();
    step.checks.push({ key, version: head.storageVersion });
    step.records.push(...edge.append(rows));
    const deletes = rows.map(({ writer, sequence }): Mutation => ({
      kind: "delete",
      key: keyspace.auditIntake(writer, sequence),
    }));
    const version = await this.#commit(step, deletes);
    if (version === null) return false;
    this.#known = { version, edge };
    this.#kept = !last;
    return true;
  }

  /** @returns the new version of the record put last; `null`: some check failed */
  async #commit(
    { checks, records }: ReturnType<Lease["step"]>,
    deletes: readonly Mutation[],
  ): Promise<string | null> {
    const { storage, records: sealer, newId } = this.#context;
    const sealed = sealer.seal(records, false);
    const puts = sealed.map(({ storageKey, value }): Mutation => ({ kind: "put", key: storageKey, value }));
    const outcome = await storage.commit({ id: newId(), checks, mutations: [...deletes, ...puts] });
    return outcome.committed ? outcome.versions.at(-1)! : null;
  }

  /** The first entries that wait, each the next of its writer's chain. */
  async #nextBatch(): Promise<Batch> {
    const { storage, records } = this.#context;
    const { maxMutations, maxCommitBytes } = storage.capabilities;
    // An entry is deleted, and may come with a part and a cursor of its own.
    const most = Math.max(1, Math.min(MAX_BATCH, Math.floor((maxMutations - BASE_MUTATIONS) / 3)));
    const room = Math.min(MAX_BATCH_BYTES, maxCommitBytes - BASE_BYTES);
    const entries: Entry[] = [];
    let bytes = 0;
    let last = true;
    for await (const entry of storage.list(ranges.auditIntake(), { limit: most + 1 })) {
      bytes += entry.value.length;
      last = entries.length < most && (bytes <= room || entries.length === 0);
      if (!last) break;
      entries.push(entry);
    }
    const opened = records.open(entries);
    const cursors = await this.#cursorsOf(entries);
    const rows: Row[] = [];
    for (const [i, entry] of entries.entries()) {
      const row = this.#rowOf(entry, opened[i]!.body, cursors);
      if (row === null) {
        // Listings are no snapshots: what was put meanwhile may be seen in part.
        if (rows.length === 0) await this.#requireNext(idOfKey(entry.key), cursors);
        return { rows, last: false };
      }
      rows.push(row);
    }
    return { rows, last };
  }

  /** The entry as a row, and its writer's cursor moved on. `null`: one before it was not seen */
  #rowOf(entry: Entry, bytes: Uint8Array, cursors: Map<string, Head>): Row | null {
    const writer = idOfKey(entry.key);
    const sequence = sequenceOfIntake(entry.key);
    const before = cursors.get(String(writer))!;
    if (sequence > before.sequence + 1) return null;
    if (sequence <= before.sequence || !equalBytes(decodeIntake(bytes).previous, before.link)) {
      throw brokenChain(writer, sequence);
    }
    const link = this.#context.tree.merkleLeafHash(bytes);
    cursors.set(String(writer), { sequence, link });
    return { writer, sequence, bytes, link };
  }

  async #requireNext(writer: Id, cursors: ReadonlyMap<string, Head>): Promise<void> {
    const next = cursors.get(String(writer))!.sequence + 1;
    const entry = await this.#context.storage.get(keyspace.auditIntake(writer, next));
    if (entry === null) throw brokenChain(writer, next);
  }

  /** How far the chains of these entries have moved. */
  async #cursorsOf(entries: readonly Entry[]): Promise<Map<string, Head>> {
    const { storage, records } = this.#context;
    const writers = [...new Map(entries.map(({ key }) => [String(idOfKey(key)), idOfKey(key)])).values()];
    const cursors = new Map<string, Head>();
    const found = await storage.getMany(writers.map((writer) => keyspace.auditMoved(writer)));
    found.forEach((entry, i) => {
      const head = entry === null ? EMPTY_HEAD : decodeHead(records.open([entry])[0]!.body);
      cursors.set(String(writers[i]), head);
    });
    return cursors;
  }
}
