/** A Web Worker. */
import type { FromWorker, PoolWorker } from "./protocol.js";

/** Wraps a worker; `null` where the host has none or refuses this one (a Content-Security-Policy without `worker-src`). */
export function webWorker(make: () => Worker): PoolWorker | null {
  if (typeof Worker !== "function") return null;
  let worker: Worker;
  try {
    worker = make();
  } catch {
    return null;
  }
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage(listener) {
      worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => listener(data));
    },
    onFailure(listener) {
      let failed = false;
      const fail = (event: Event): void => {
        if (!failed) listener(new Error((event as ErrorEvent).message || "the worker failed"));
        failed = true;
      };
      worker.addEventListener("error", fail);
      worker.addEventListener("messageerror", fail);
    },
    hold: () => undefined,
    terminate: () => worker.terminate(),
  };
}
