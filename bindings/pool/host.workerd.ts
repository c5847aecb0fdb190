/** No workers in workerd, which has none: the pool's calls run where they are made. */
import type { Spawn } from "./protocol.js";

/** @see host.ts */
export const spawnWorker: Spawn = async () => null;

/** How many workers can run at once. */
export function coreCount(): number {
  return 0;
}
