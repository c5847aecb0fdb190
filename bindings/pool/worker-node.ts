/** The program of a worker thread. */
import { parentPort } from "node:worker_threads";
import type { ToWorker } from "./protocol.js";
import { serve } from "./serve.js";

serve({
  post: (message, transfer) => parentPort?.postMessage(message, transfer),
  onMessage: (listener) => void parentPort?.on("message", (message: ToWorker) => listener(message)),
});
