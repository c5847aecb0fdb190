/** Starting a worker, for a pool or for one derivation. */
import { compile } from "../instantiate.js";
import type { FromWorker, PoolWorker, Spawn } from "./protocol.js";

/** What becomes of a worker that is up. */
export interface WorkerListener {
  receive(message: Exclude<FromWorker, { kind: "ready" }>): void;
  /** Called at most once, when the worker is gone without having been asked to. */
  fail(cause: unknown): void;
}

export interface StartedWorker {
  worker: PoolWorker;
  /** X25519, of the pair in its core. */
  publicKey: Uint8Array;
}

const START_TIMEOUT_MS = 10_000;

/**
 * Starts a worker and its core, which is compiled already.
 *
 * @returns `null` where there are no workers
 * @throws when the worker doesn't come up; the signal's reason when it is aborted
 */
export async function startWorker(
  spawn: Spawn,
  simd: boolean,
  listener: WorkerListener,
  signal?: AbortSignal,
): Promise<StartedWorker | null> {
  const [worker, module] = await Promise.all([spawn(), compile(simd ? "simd" : "scalar")]);
  if (worker === null) return null;
  let ended = (): void => undefined;
  try {
    const publicKey = await new Promise<Uint8Array>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the worker does not start")), START_TIMEOUT_MS);
      const onAbort = (): void => reject(signal?.reason as Error);
      ended = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      signal?.addEventListener("abort", onAbort);
      worker.onMessage((message) => {
        if (message.kind === "ready") resolve(message.publicKey);
        else listener.receive(message);
      });
      worker.onFailure((cause) => {
        listener.fail(cause);
        reject(cause as Error);
      });
      worker.post({ kind: "start", simd, module }, []);
    });
    return { worker, publicKey };
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    ended();
  }
}
