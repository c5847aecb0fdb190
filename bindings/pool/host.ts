/**
 * Workers when the library runs from its sources (tests, benches). The published builds replace this module by one of its
 * neighbours, as they do with `wasm-source.ts`.
 */
import type { Spawn } from "./protocol.js";

/** Starts `worker-web.ts` or `worker-node.ts` in a worker. `null` on platforms that have none. */
export const spawnWorker: Spawn | null = async () => {
  if (new URL(import.meta.url).protocol === "file:") {
    const { nodeWorker } = await import("./host-node.js");
    return nodeWorker(new URL("./worker-source.mjs", import.meta.url));
  }
  const { webWorker } = await import("./host-web.js");
  return webWorker(() => new Worker(new URL("./worker-web.ts", import.meta.url), { type: "module" }));
};

/** How many workers can run at once. */
export function coreCount(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 2;
}
