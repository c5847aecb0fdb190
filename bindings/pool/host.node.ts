/** Workers in Node, Deno and Bun: threads that run the file beside this module. */
import { availableParallelism } from "node:os";
import { nodeWorker } from "./host-node.js";
import type { Spawn } from "./protocol.js";

/** @see host.ts */
export const spawnWorker: Spawn | null = async () => nodeWorker(new URL("./pool-worker.js", import.meta.url));

/** How many workers can run at once. */
export function coreCount(): number {
  return availableParallelism();
}
