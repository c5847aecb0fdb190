/**
 * Many cores behind the vault's batch calls. A batch is cut in pieces; each worker takes the next one as soon as it has
 * room, so that at most two pieces a worker are copied out of the batch at any time. Where there are no workers the same
 * pieces run here, with a turn of the event loop between them.
 *
 * Keys reach a worker sealed to an X25519 pair that was made in its own core: what is posted is ciphertext.
 */
import { CoreError } from "../../sdk/foundation/errors.js";
import { nextTurn } from "../../sdk/foundation/turn.js";
import { ATTRIBUTES_LENGTH } from "../attributes.js";
import { bytes } from "../primitives/checks.js";
import { failures, type Handle, type RewrapResult, type Statuses, type Vault } from "../vault.js";
import { CALLS, type BatchCall, type PieceResult } from "./calls.js";
import type { PoolWorker, Spawn } from "./protocol.js";
import { startWorker, type StartedWorker, type WorkerListener } from "./start.js";

export interface BatchOptions {
  /** Ends the batch after the pieces under way; the promise is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface PoolOptions {
  /** How many workers; by default one for each core of the machine, at most 8. 0: everything runs here. */
  workers?: number | undefined;
  /** As for `loadCore`. */
  simd?: boolean | undefined;
}

/** The batch calls of the vault, divided among workers. Records come back in order. */
export interface VaultPool {
  /** How many workers there are. 0: the calls run here. */
  readonly workers: number;
  generateAndWrapBatch(
    kek: Handle,
    attributes: Uint8Array,
    count: number,
    options?: BatchOptions,
  ): Promise<Uint8Array>;
  openCheckBatch(
    kek: Handle,
    attributes: Uint8Array,
    wrapped: Uint8Array,
    count: number,
    options?: BatchOptions,
  ): Promise<Statuses>;
  rewrapBatch(
    oldKek: Handle,
    newKek: Handle,
    attributes: Uint8Array,
    wrapped: Uint8Array,
    count: number,
    options?: BatchOptions,
  ): Promise<RewrapResult>;
  deriveBatch(
    parent: Handle,
    kek: Handle,
    attributes: Uint8Array,
    infos: Uint8Array,
    infoLength: number,
    count: number,
    options?: BatchOptions,
  ): Promise<Uint8Array>;
  /** Ends all workers; batches under way are rejected with `CORE_POOL_CLOSED`. */
  close(): Promise<void>;
}

/** Records of one piece: a worker is busy with it for about a millisecond. */
const PIECE = 4096;
/** Pieces that a worker holds at once: one that it works on, one that waits. */
const DEPTH = 2;
/** How often a piece is done again after its worker died. */
const ATTEMPTS = 3;
/** After so many deaths in a row, without a piece done in between, a worker is not replaced. */
const DEATHS = 3;

interface Piece {
  from: number;
  count: number;
  attempts: number;
}

/** A batch under way. */
interface Batch {
  id: number;
  call: BatchCall;
  keys: readonly Handle[];
  inputs: readonly Uint8Array[];
  count: number;
  /** Pieces to do again. */
  again: Piece[];
  /** The first record that no piece has taken yet. */
  next: number;
  /** Why no further piece is taken. */
  ended: { reason: unknown } | null;
}

/** The answer of one piece, or that its worker is gone. */
type Outcome = PieceResult | { lost: unknown };

class Crew {
  readonly #worker: PoolWorker;
  readonly #publicKey: Uint8Array;
  readonly #waiting = new Map<string, { resolve(outcome: Outcome): void; reject(error: Error): void }>();
  #lost: { cause: unknown } | null = null;

  private constructor({ worker, publicKey }: StartedWorker) {
    this.#worker = worker;
    this.#publicKey = publicKey;
  }

  /** @throws when the worker doesn't come up */
  static async start(spawn: Spawn, simd: boolean): Promise<Crew | null> {
    let crew: Crew | null = null;
    const started = await startWorker(spawn, simd, {
      receive: (message) => crew?.receive(message),
      fail: (cause) => crew?.fail(cause),
    });
    if (started !== null) crew = new Crew(started);
    return crew;
  }

  get lost(): boolean {
    return this.#lost !== null;
  }

  begin(vault: Vault, batch: Batch): void {
    const keys = batch.keys.map((key) => vault.sealTo(key, this.#publicKey));
    this.#worker.post({ kind: "begin", batch: batch.id, keys }, []);
  }

  end(batch: Batch): void {
    if (!this.lost) this.#worker.post({ kind: "end", batch: batch.id }, []);
  }

  run(batch: Batch, piece: Piece): Promise<Outcome> {
    const { from, count } = piece;
    if (this.#lost !== null) return Promise.resolve({ lost: this.#lost.cause });
    // Copies: their buffers are handed over.
    const inputs = pieceInputs(batch, piece).map((input) => new Uint8Array(input));
    return new Promise((resolve, reject) => {
      this.#waiting.set(`${batch.id}/${from}`, { resolve, reject });
      this.#worker.hold(true);
      const { id, call } = batch;
      const transfer = inputs.map((input) => input.buffer);
      this.#worker.post({ kind: "piece", batch: id, piece: from, call, inputs, count }, transfer);
    });
  }

  receive(message: Parameters<WorkerListener["receive"]>[0]): void {
    if (message.kind !== "done" && message.kind !== "refused") return;
    // Keys that were refused: so will be each piece of the batch, with the same error.
    if (message.piece === null) return;
    const key = `${message.batch}/${message.piece}`;
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (this.#waiting.size === 0) this.#worker.hold(false);
    if (message.kind === "done") waiting?.resolve(message);
    else waiting?.reject(new CoreError(message.code, { message: message.message }));
  }

  fail(cause: unknown): void {
    this.#lost = { cause };
    for (const { resolve } of this.#waiting.values()) resolve({ lost: cause });
    this.#waiting.clear();
  }

  terminate(): void {
    this.#worker.terminate();
    this.fail(closedError());
  }
}

function closedError(): CoreError {
  return new CoreError("CORE_POOL_CLOSED", { message: "the pool of workers is closed" });
}

/** A piece's records of each of a batch's inputs, as views of them. */
function pieceInputs({ inputs, count: total }: Batch, { from, count }: Piece): Uint8Array[] {
  return inputs.map((all) => {
    const each = all.length / total;
    return all.subarray(from * each, (from + count) * each);
  });
}

class Pool implements VaultPool {
  readonly #vault: Vault;
  readonly #spawn: Spawn;
  readonly #simd: boolean;
  readonly #crews: (Crew | null)[];
  readonly #batches = new Set<Batch>();
  #nextId = 0;
  #closed = false;

  constructor(vault: Vault, spawn: Spawn, simd: boolean, crews: readonly Crew[]) {
    this.#vault = vault;
    this.#spawn = spawn;
    this.#simd = simd;
    this.#crews = [...crews];
  }

  get workers(): number {
    return this.#crews.filter((crew) => crew !== null && !crew.lost).length;
  }

  async generateAndWrapBatch(
    kek: Handle,
    attributes: Uint8Array,
    count: number,
    options?: BatchOptions,
  ): Promise<Uint8Array> {
    divisible(attributes, count, ATTRIBUTES_LENGTH, "attributes");
    if (count === 0) return this.#vault.generateAndWrapBatch(kek, attributes, count);
    return (await this.#run("generateAndWrapBatch", [kek], [attributes], count, options)).output;
  }

  async openCheckBatch(
    kek: Handle,
    attributes: Uint8Array,
    wrapped: Uint8Array,
    count: number,
    options?: BatchOptions,
  ): Promise<Statuses> {
    divisible(attributes, count, ATTRIBUTES_LENGTH, "attributes");
    divisible(wrapped, count, null, "wrapped");
    if (count === 0) return this.#vault.openCheckBatch(kek, attributes, wrapped, count);
    const { statuses } = await this.#run("openCheckBatch", [kek], [attributes, wrapped], count, options);
    return failures(statuses!);
  }

  async rewrapBatch(
    oldKek: Handle,
    newKek: Handle,
    attributes: Uint8Array,
    wrapped: Uint8Array,
    count: number,
    options?: BatchOptions,
  ): Promise<RewrapResult> {
    divisible(attributes, count, ATTRIBUTES_LENGTH, "attributes");
    divisible(wrapped, count, null, "wrapped");
    if (count === 0) return this.#vault.rewrapBatch(oldKek, newKek, attributes, wrapped, count);
    const keys = [oldKek, newKek];
    const { output, statuses } = await this.#run("rewrapBatch", keys, [attributes, wrapped], count, options);
    return { wrapped: output, ...failures(statuses!) };
  }

  async deriveBatch(
    parent: Handle,
    kek: Handle,
    attributes: Uint8Array,
    infos: Uint8Array,
    infoLength: number,
    count: number,
    options?: BatchOptions,
  ): Promise<Uint8Array> {
    divisible(attributes, count, ATTRIBUTES_LENGTH, "attributes");
    divisible(infos, count, infoLength, "infos");
    if (count === 0) return this.#vault.deriveBatch(parent, kek, attributes, infos, infoLength, count);
    return (await this.#run("deriveBatch", [parent, kek], [attributes, infos], count, options)).output;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const batch of this.#batches) batch.ended ??= { reason: closedError() };
    for (const crew of this.#crews) crew?.terminate();
    this.#crews.length = 0;
  }

  async #run(
    call: BatchCall,
    keys: readonly Handle[],
    inputs: readonly Uint8Array[],
    count: number,
    { signal }: BatchOptions = {},
  ): Promise<PieceResult> {
    if (this.#closed) throw closedError();
    signal?.throwIfAborted();
    const batch: Batch = { id: this.#nextId++, call, keys, inputs, count, again: [], next: 0, ended: null };
    const results = new Results(count);
    let cancel: (reason: unknown) => void = () => undefined;
    const cancelled = new Promise<never>((_, reject) => (cancel = reject));
    cancelled.catch(() => undefined);
    const onAbort = (): void => {
      batch.ended ??= { reason: signal?.reason };
      cancel(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#batches.add(batch);
    try {
      const lanes = this.#crews.map((_, place) => this.#drive(place, batch, results));
      // What workers leave, or all of it where there are none, is done here.
      await Promise.race([Promise.all(lanes), cancelled]);
      await Promise.race([this.#runHere(batch, results), cancelled]);
      return results.all();
    } catch (error) {
      batch.ended ??= { reason: error };
      throw error;
    } finally {
      this.#batches.delete(batch);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Keeps one worker busy with a batch until no piece is left; replaces it when it dies. */
  async #drive(place: number, batch: Batch, results: Results): Promise<void> {
    for (let deaths = 0; deaths < DEATHS;) {
      const crew = this.#crews[place];
      if (crew === null || crew === undefined || crew.lost) return;
      crew.begin(this.#vault, batch);
      const lane = async (): Promise<void> => {
        for (let piece = take(batch); piece !== null; piece = take(batch)) {
          const outcome = await crew.run(batch, piece);
          if ("lost" in outcome) {
            if (++piece.attempts >= ATTEMPTS) throw lostError(outcome.lost);
            batch.again.push(piece);
            return;
          }
          deaths = 0;
          results.put(piece, outcome);
        }
      };
      const stop = (reason: unknown): void => void (batch.ended ??= { reason });
      await Promise.all(Array.from({ length: DEPTH }, () => lane().catch(stop)));
      crew.end(batch);
      if (!crew.lost) return;
      if (this.#closed) return stop(closedError());
      deaths++;
      await this.#replace(place, crew);
    }
  }

  /** Puts a new worker in the place of one that died; where none comes up the place stays empty. */
  async #replace(place: number, dead: Crew): Promise<void> {
    // Another batch may have replaced it already.
    if (this.#crews[place] !== dead) return;
    const crew = await Crew.start(this.#spawn, this.#simd).catch(() => null);
    if (this.#closed) crew?.terminate();
    else this.#crews[place] = crew;
  }

  async #runHere(batch: Batch, results: Results): Promise<void> {
    for (let piece = take(batch); piece !== null; piece = take(batch)) {
      const inputs = pieceInputs(batch, piece);
      results.put(piece, CALLS[batch.call](this.#vault, batch.keys, inputs, piece.count));
      await nextTurn();
    }
    if (batch.ended !== null) throw batch.ended.reason;
  }
}

function take(batch: Batch): Piece | null {
  if (batch.ended !== null) return null;
  const again = batch.again.pop();
  if (again !== undefined) return again;
  if (batch.next === batch.count) return null;
  const piece = { from: batch.next, count: Math.min(PIECE, batch.count - batch.next), attempts: 0 };
  batch.next += piece.count;
  return piece;
}

function lostError(cause: unknown): CoreError {
  return new CoreError("CORE_WORKER_LOST", {
    message: `a worker died ${ATTEMPTS} times over the same records`,
    cause,
  });
}

/** Where the pieces of a batch come together, in order. */
class Results {
  readonly #count: number;
  #output: Uint8Array | null = null;
  #statuses: Uint8Array | null = null;

  constructor(count: number) {
    this.#count = count;
  }

  put({ from, count }: Piece, { output, statuses }: PieceResult): void {
    const each = output.length / count;
    this.#output ??= new Uint8Array(each * this.#count);
    this.#output.set(output, from * each);
    if (statuses === null) return;
    this.#statuses ??= new Uint8Array(this.#count);
    this.#statuses.set(statuses, from);
  }

  all(): PieceResult {
    return { output: this.#output!, statuses: this.#statuses };
  }
}

function divisible(all: Uint8Array, count: number, each: number | null, what: string): void {
  bytes(all, what);
  const whole = Number.isInteger(count) && count >= 0;
  if (whole && (each === null ? count === 0 || all.length % count === 0 : all.length === count * each))
    return;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `${what} can't be divided into ${count} records`,
    length: all.length,
    count,
  });
}

/** Starts a pool with workers that `spawn` makes; fewer, or none, where they don't come up. */
export async function startPool(
  vault: Vault,
  spawn: Spawn,
  workers: number,
  simd: boolean,
): Promise<VaultPool> {
  const starting = Array.from({ length: workers }, () => Crew.start(spawn, simd).catch(() => null));
  const crews = (await Promise.all(starting)).filter((crew) => crew !== null);
  return new Pool(vault, spawn, simd, crews);
}
