/** A worker thread of Node, Deno or Bun. */
import { Worker } from "node:worker_threads";
import type { FromWorker, PoolWorker } from "./protocol.js";

/** Starts a module in a worker thread that doesn't keep the process alive. */
export function nodeWorker(url: URL): PoolWorker {
  // Without the parent's arguments for the engine: some of them (a debugger's, a test runner's) suit no second thread.
  const worker = new Worker(url, { execArgv: [] });
  worker.unref();
  let ended = false;
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => void worker.on("message", (message: FromWorker) => listener(message)),
    onFailure(listener) {
      const fail = (cause: unknown): void => {
        if (!ended) listener(cause);
        ended = true;
      };
      worker.on("error", fail);
      worker.on("messageerror", fail);
      worker.on("exit", (code) => fail(new Error(`the worker ended with ${code}`)));
    },
    terminate() {
      ended = true;
      void worker.terminate();
    },
  };
}
