/** A layer of faults over any adapter, for tests: what goes wrong, and when, is decided by the caller. */
import { type ErrorCode, KeyloomError } from "../foundation/errors.js";
import type {
  Commit,
  Committed,
  Conflict,
  Entry,
  ListOptions,
  Mutation,
  Range,
  Snapshot,
  StorageAdapter,
  StorageCapabilities,
  Unsubscribe,
} from "./adapter.js";

interface FaultRow {
  readonly code: ErrorCode;
  /** Whether the commit takes effect at the call. */
  readonly now: boolean;
  /** Whether it is applied (once more) when the test releases it. */
  readonly later: boolean;
  readonly message: string;
}

/** Every fault, one table. On a read only `code` matters, and an unknown outcome is a failed read. */
export const FAULTS = {
  "fail-before": { code: "STORAGE_IO", now: false, later: false, message: "the call failed" },
  full: { code: "STORAGE_FULL", now: false, later: false, message: "no space is left" },
  closed: { code: "STORAGE_CLOSED", now: false, later: false, message: "the store is closed" },
  "lost-request": { code: "STORAGE_OUTCOME_UNKNOWN", now: false, later: false, message: "no reply came" },
  "lost-reply": { code: "STORAGE_OUTCOME_UNKNOWN", now: true, later: false, message: "no reply came" },
  late: { code: "STORAGE_OUTCOME_UNKNOWN", now: false, later: true, message: "no reply came" },
  duplicate: { code: "STORAGE_OUTCOME_UNKNOWN", now: true, later: true, message: "no reply came" },
} as const satisfies Readonly<Record<string, FaultRow>>;

/** `lost-request`: never arrives. `late`: arrives when released. `duplicate`: arrives now, and again then. */
export type Fault = keyof typeof FAULTS;

export type FaultyOperation = "get" | "getMany" | "list" | "count" | "snapshot" | "commit";

export interface FaultyCall {
  readonly operation: FaultyOperation;
  /** Calls of any operation before this one. */
  readonly index: number;
  /** Calls of this operation before this one. */
  readonly indexOfOperation: number;
  readonly commit?: Commit;
}

/** Decides the fault of a call; `null` or `undefined`: none. */
export type FaultSchedule = (call: FaultyCall) => Fault | null | undefined;

export interface FaultyStorage extends StorageAdapter {
  /** Commits that wait to arrive late, oldest first. */
  readonly held: readonly Commit[];
  /**
   * Lets the oldest held commits arrive, in order.
   *
   * @param count - how many; all where not given.
   * @returns what became of each.
   */
  release(count?: number): Promise<(Committed | Conflict)[]>;
}

/**
 * Wraps an adapter so that calls fail as the schedule says. Deterministic if the schedule is.
 *
 * @param schedule - a function, or a script: the fault of the first commit, the second, and so on, with
 *   `null` for none; beyond its end, and for reads, there is none.
 */
export function faultyStorage(
  inner: StorageAdapter,
  schedule: FaultSchedule | readonly (Fault | null)[],
): FaultyStorage {
  return new FaultyLayer(inner, typeof schedule === "function" ? schedule : scripted(schedule));
}

/**
 * A schedule that draws faults by chance, the same ones for the same seed.
 *
 * @param rates - per fault the probability of its striking a call; their sum is at most 1.
 * @param operations - which calls are struck; commits only where not given.
 */
export function seededFaults(
  seed: number,
  rates: Partial<Readonly<Record<Fault, number>>>,
  operations: readonly FaultyOperation[] = ["commit"],
): FaultSchedule {
  let state = seed >>> 0;
  return ({ operation }) => {
    if (!operations.includes(operation)) return null;
    // mulberry32: small, and good enough to place faults.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    let chance = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    for (const [fault, rate] of Object.entries(rates)) {
      if (chance < rate) return fault as Fault;
      chance -= rate;
    }
    return null;
  };
}

function scripted(faults: readonly (Fault | null)[]): FaultSchedule {
  return ({ operation, indexOfOperation }) => (operation === "commit" ? faults[indexOfOperation] : null);
}

class FaultyLayer implements FaultyStorage {
  readonly capabilities: StorageCapabilities;
  readonly held: Commit[] = [];
  readonly snapshot?: () => Promise<Snapshot>;
  readonly watch?: (key: Uint8Array, onChange: () => void) => Unsubscribe;
  readonly #inner: StorageAdapter;
  readonly #schedule: FaultSchedule;
  readonly #counts = new Map<FaultyOperation, number>();
  #index = 0;

  constructor(inner: StorageAdapter, schedule: FaultSchedule) {
    this.#inner = inner;
    this.#schedule = schedule;
    this.capabilities = inner.capabilities;
    if (inner.snapshot !== undefined) {
      this.snapshot = async () => {
        this.#strikeRead("snapshot");
        return (inner.snapshot as () => Promise<Snapshot>).call(inner);
      };
    }
    if (inner.watch !== undefined) this.watch = inner.watch.bind(inner);
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    this.#strikeRead("get");
    return this.#inner.get(key);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    this.#strikeRead("getMany");
    return this.#inner.getMany(keys);
  }

  list(range: Range, options?: ListOptions): AsyncIterable<Entry> {
    const listing = this.#inner.list(range, options);
    return {
      [Symbol.asyncIterator]: () => {
        const error = this.#readError("list");
        if (error === null) return listing[Symbol.asyncIterator]();
        return { next: () => Promise.reject(error) };
      },
    };
  }

  async count(range: Range): Promise<number> {
    this.#strikeRead("count");
    return this.#inner.count(range);
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    const fault = this.#next("commit", commit);
    if (fault === null) return this.#inner.commit(commit);
    const { code, now, later, message }: FaultRow = FAULTS[fault];
    // The caller may reuse its bytes once it has an answer, and this is one.
    if (later) this.held.push(copyOf(commit));
    if (now) await this.#inner.commit(commit);
    throw new KeyloomError(code, { message, fault });
  }

  async release(count = this.held.length): Promise<(Committed | Conflict)[]> {
    const outcomes: (Committed | Conflict)[] = [];
    for (const commit of this.held.splice(0, count)) outcomes.push(await this.#inner.commit(commit));
    return outcomes;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #next(operation: FaultyOperation, commit?: Commit): Fault | null {
    const indexOfOperation = this.#counts.get(operation) ?? 0;
    this.#counts.set(operation, indexOfOperation + 1);
    const index = this.#index++;
    const call = { operation, index, indexOfOperation };
    return this.#schedule(commit === undefined ? call : { ...call, commit }) ?? null;
  }

  #readError(operation: FaultyOperation): KeyloomError | null {
    const fault = this.#next(operation);
    if (fault === null) return null;
    const { code, message }: FaultRow = FAULTS[fault];
    return new KeyloomError(code === "STORAGE_OUTCOME_UNKNOWN" ? "STORAGE_IO" : code, { message, fault });
  }

  #strikeRead(operation: FaultyOperation): void {
    const error = this.#readError(operation);
    if (error !== null) throw error;
  }
}

function copyOf({ id, checks, mutations }: Commit): Commit {
  return {
    id: new Uint8Array(id),
    checks: checks.map(({ key, version }) => ({ key: new Uint8Array(key), version })),
    mutations: mutations.map((mutation): Mutation =>
      mutation.kind === "put"
        ? { kind: "put", key: new Uint8Array(mutation.key), value: new Uint8Array(mutation.value) }
        : { kind: "delete", key: new Uint8Array(mutation.key) },
    ),
  };
}
