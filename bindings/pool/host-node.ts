/** A worker thread of Node, Deno or Bun. */
import { Worker } from "node:worker_threads";
import type { FromWorker, PoolWorker } from "./protocol.js";

/** Starts a module in a worker thread that doesn't keep the process alive unless it is held. */
export function nodeWorker(url: URL): PoolWorker {
  // Without the parent's arguments for the engine: some of them (a debugger's, a test runner's) suit no second thread.
  const worker = new Worker(url, { execArgv: [] });
  let receive: (message: FromWorker) => void = () => undefined;
  // Before `unref`: a listener takes a reference of its own.
  worker.on("message", (message: FromWorker) => receive(message));
  worker.unref();
  let ended = false;
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => (receive = listener),
    onFailure(listener) {
      const fail = (cause: unknown): void => {
        if (!ended) listener(cause);
        ended = true;
      };
      worker.on("error", fail);
      worker.on("messageerror", fail);
      worker.on("exit", (code) => fail(new Error(`the worker ended with ${code}`)));
    },
    hold(waiting) {
      if (waiting) worker.ref();
      else worker.unref();
    },
    terminate() {
      ended = true;
      void worker.terminate();
    },
  };
}
