/** No workers in a bundler that takes no files along: the pool's calls run where they are made. */
import type { Spawn } from "./protocol.js";

/** @see host.ts */
export const spawnWorker: Spawn = async () => null;

/** How many workers can run at once. */
export function coreCount(): number {
  return 0;
}
