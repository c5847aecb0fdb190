/** Interleavings on purpose: what another process does while a call is on its way to the store. */
import type { Entry, StorageAdapter } from "../../sdk/index.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";

/** Something to do at the turn at which a call reaches the store, or at which its answer leaves it. */
export interface Hooks {
  beforeCommit?: (() => Promise<void>) | null;
  afterGet?: ((key: Uint8Array) => Promise<void> | undefined) | null;
  afterScan?: (() => Promise<void>) | null;
}

/** A store in memory with hooks; those on a commit and on a listing or a count run once. */
export function hooked(space: MemorySpace, hooks: Hooks): StorageAdapter {
  const inner = memoryStorage({ space });
  const scanned = async (): Promise<void> => {
    const { afterScan } = hooks;
    hooks.afterScan = null;
    await afterScan?.();
  };
  return {
    capabilities: inner.capabilities,
    async get(key): Promise<Entry | null> {
      const entry = await inner.get(key);
      await hooks.afterGet?.(key);
      return entry;
    },
    getMany: (keys) => inner.getMany(keys),
    async *list(range, options) {
      yield* inner.list(range, options);
      // Backwards one looks for the newest of something; that is no scan.
      if (options?.reverse !== true) await scanned();
    },
    async count(range) {
      const count = await inner.count(range);
      await scanned();
      return count;
    },
    async commit(commit) {
      const { beforeCommit } = hooks;
      hooks.beforeCommit = null;
      await beforeCommit?.();
      return inner.commit(commit);
    },
    close: () => inner.close(),
  };
}
