/** The program of a Web Worker. */
import type { ToWorker } from "./protocol.js";
import { serve } from "./serve.js";

/** What the library is typed for has no window of a worker's own. */
const self = globalThis as unknown as {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: "message", listener: (event: { data: ToWorker }) => void): void;
};

serve({
  post: (message, transfer) => self.postMessage(message, transfer),
  onMessage: (listener) => self.addEventListener("message", ({ data }) => listener(data)),
});
