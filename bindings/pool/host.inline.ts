/** No workers in a bundler that takes no files along: the pool's calls and derivations run where they are asked for. */

/** @see host.ts */
export const spawnWorker = null;

/** How many workers can run at once. */
export function coreCount(): number {
  return 0;
}
