/**
 * Leases: work that one process at a time should do. `beat` is renewed by the holder with each commit; `fence` is put only
 * when the lease changes hands, and every commit of leased work checks it, so what a holder that was taken for dead still
 * does fails. A lease saves work; what keeps the store right are the checks of each commit.
 */
import { equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { UnsealedRecord } from "../crypto/records.js";
import type { Check } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import type { StoreContext } from "./execute.js";

/** Every lease, with its number in storage keys. */
export const LEASES = { sequencer: 1 } as const;
export type LeaseName = keyof typeof LEASES;

/** A holder whose beat stands still for so long, on the clock of whoever watches, is taken for dead. */
export const LEASE_MS = 10_000;

interface Stored {
  holder: Id;
  /** Of a beat: given back. */
  free: boolean;
  revision: number;
  version: string;
}

/** What a commit of leased work checks and puts besides. */
export interface LeaseStep {
  checks: Check[];
  records: UnsealedRecord[];
}

function bodyOf(holder: Id, free = false): Uint8Array {
  return encodeCbor(cborMap([1, holder], [2, free ? true : undefined]));
}

export type LeaseContext = Pick<StoreContext, "storage" | "records" | "clock" | "committer">;

/** One lease as one manager sees it. */
export class Lease {
  readonly #context: LeaseContext;
  readonly #keys: { beat: Uint8Array; fence: Uint8Array };
  readonly #holder: Id;
  #beat: Stored | null = null;
  #fence: Stored | null = null;
  /** The beat of another holder, and since when it has stood still. */
  #watched: { version: string; since: number } | null = null;

  constructor(context: LeaseContext, name: LeaseName) {
    this.#context = context;
    this.#keys = { beat: keyspace.leaseBeat(LEASES[name]), fence: keyspace.leaseFence(LEASES[name]) };
    this.#holder = context.committer.writer;
  }

  /** Reads how the lease stands. @returns may this manager do the next step? */
  async look(): Promise<boolean> {
    const { storage, records, clock } = this.#context;
    const { beat, fence } = this.#keys;
    const entries = await storage.getMany([beat, fence]);
    [this.#beat = null, this.#fence = null] = entries.map((entry) => {
      if (entry === null) return null;
      const { body, revision } = records.open([entry])[0]!;
      const reader = CborReader.decode(body, "a lease");
      const [holder, free] = [reader.bytes(1, ID_LENGTH), reader.has(2) && reader.bool(2)];
      return { holder, free, revision, version: entry.version };
    });
    if (this.#beat === null || this.#beat.free || this.#isOwn()) return true;
    const now = clock.monotonic();
    if (this.#watched?.version !== this.#beat.version) {
      this.#watched = { version: this.#beat.version, since: now };
    }
    return now - this.#watched.since >= LEASE_MS;
  }

  #isOwn(): boolean {
    return this.#fence !== null && equalBytes(this.#fence.holder, this.#holder);
  }

  /**
   * The next step of the work, as the lease stands: it renews the beat, and takes the lease where it is another's.
   *
   * @param last - gives the lease back
   */
  step(last: boolean): LeaseStep {
    const beat = { storageKey: this.#keys.beat, revision: (this.#beat?.revision ?? 0) + 1 };
    const step: LeaseStep = {
      checks: [{ key: this.#keys.fence, version: this.#fence?.version ?? null }],
      records: [{ ...beat, body: bodyOf(this.#holder, last) }],
    };
    if (!this.#isOwn()) {
      // The holder may have come back to life, or given it to somebody else.
      step.checks.push({ key: this.#keys.beat, version: this.#beat?.version ?? null });
      const revision = (this.#fence?.revision ?? 0) + 1;
      step.records.push({ storageKey: this.#keys.fence, revision, body: bodyOf(this.#holder) });
    }
    return step;
  }

  /** Is there something to give back? */
  get held(): boolean {
    return this.#isOwn() && this.#beat !== null && !this.#beat.free;
  }
}
