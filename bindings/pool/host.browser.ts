/** Workers in a browser: the module beside this one, which bundlers find by exactly this expression. */
import { webWorker } from "./host-web.js";
import type { Spawn } from "./protocol.js";

/** @see host.ts */
export const spawnWorker: Spawn | null = async () =>
  webWorker(() => new Worker(new URL("./pool-worker.js", import.meta.url), { type: "module" }));

/** How many workers can run at once. */
export function coreCount(): number {
  return navigator.hardwareConcurrency;
}
