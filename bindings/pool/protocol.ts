/**
 * What a pool and its workers say to each other. Nothing in it is secret: keys travel sealed to a pair that the worker made
 * in its own core, records travel wrapped.
 */
import type { ErrorCode } from "../../sdk/foundation/errors.js";
import type { BatchCall } from "./calls.js";

export type ToWorker =
  | { kind: "start"; simd: boolean }
  /** The keys of a batch, sealed to this worker. They live in its vault until the batch ends. */
  | { kind: "begin"; batch: number; keys: Uint8Array[] }
  | {
      kind: "piece";
      batch: number;
      piece: number;
      call: BatchCall;
      inputs: Uint8Array<ArrayBuffer>[];
      count: number;
    }
  | { kind: "end"; batch: number };

export type FromWorker =
  /** Its core is there; `publicKey` is X25519. */
  | { kind: "ready"; publicKey: Uint8Array }
  | {
      kind: "done";
      batch: number;
      piece: number;
      output: Uint8Array<ArrayBuffer>;
      statuses: Uint8Array<ArrayBuffer> | null;
    }
  /** The core refused: `code` and `message` are those of its error. `piece: null`: the batch's keys. */
  | { kind: "refused"; batch: number; piece: number | null; code: ErrorCode; message: string };

/** One end of the connection, whatever the host calls it. */
export interface Port<Out, In> {
  post(message: Out, transfer: ArrayBuffer[]): void;
  onMessage(listener: (message: In) => void): void;
}

/** A worker as the pool holds it. */
export interface PoolWorker extends Port<ToWorker, FromWorker> {
  /** Called at most once, when the worker is gone without having been asked to. */
  onFailure(listener: (cause: unknown) => void): void;
  terminate(): void;
}

/** Starts a worker; `null` where the host has none, or a page's policy forbids them. */
export type Spawn = () => Promise<PoolWorker | null>;
