/**
 * What workers and those who start them say to each other. Nothing in it is secret: keys travel sealed to a pair that was
 * made in the other core, passwords under such a key, records wrapped.
 */
import type { ErrorCode } from "../../sdk/foundation/errors.js";
import { ALGORITHM, USAGE, type KeyTemplate } from "../attributes.js";
import type { BatchCall } from "./calls.js";
import type { Derivation } from "./derivation.js";

/** The pair to which keys are sealed. */
export const PAIR: KeyTemplate = {
  algorithm: ALGORITHM.X25519,
  usages: USAGE.AGREE,
  exportable: false,
  id: new Uint8Array(16),
  version: 1,
};

export type ToWorker =
  | { kind: "start"; simd: boolean; module: WebAssembly.Module }
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
  | { kind: "end"; batch: number }
  /** `password`: under a key that is `passwordKey` sealed to this worker. The answer is sealed to `recipient`. */
  | {
      kind: "derive";
      password: Uint8Array;
      passwordKey: Uint8Array;
      recipient: Uint8Array;
      derivation: Derivation;
    };

export type DerivationAnswer =
  | { kind: "derived"; key: Uint8Array }
  /** The core refused: `code` and `message` are those of its error. */
  | { kind: "underived"; code: ErrorCode; message: string };

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
  /** As `underived`. `piece: null`: the batch's keys. */
  | { kind: "refused"; batch: number; piece: number | null; code: ErrorCode; message: string }
  | DerivationAnswer;

/** One end of the connection, whatever the host calls it. */
export interface Port<Out, In> {
  post(message: Out, transfer: ArrayBuffer[]): void;
  onMessage(listener: (message: In) => void): void;
}

/** A worker as those hold it who started it. */
export interface PoolWorker extends Port<ToWorker, FromWorker> {
  /** Called at most once, when the worker is gone without having been asked to. */
  onFailure(listener: (cause: unknown) => void): void;
  /** Is its answer waited for? Only then it keeps a process alive. */
  hold(waiting: boolean): void;
  terminate(): void;
}

/** Starts a worker; `null` where the host has none, or a page's policy forbids them. */
export type Spawn = () => Promise<PoolWorker | null>;
