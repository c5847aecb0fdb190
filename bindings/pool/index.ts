/** A pool of workers behind the vault's batch calls. */
import { chooseKind } from "../instantiate.js";
import type { Vault } from "../vault.js";
import { coreCount, spawnWorker } from "./host.js";
import { startPool, type PoolOptions, type VaultPool } from "./pool.js";

export type { BatchOptions, PoolOptions, VaultPool } from "./pool.js";

const MOST_WORKERS = 8;

/**
 * Starts workers, each with a core and a memory of its own, that share the vault's batch calls. Workers that don't come up
 * (a Content-Security-Policy without `worker-src`, workerd) are done without: the same calls then run here.
 *
 * @param vault - whose keys the batches use: they are handed to the workers sealed, and are gone from there when the batch ends
 * @throws {TypeError} for a number of workers that is not a whole number from 0 to 64
 */
export async function createVaultPool(vault: Vault, options: PoolOptions = {}): Promise<VaultPool> {
  const { workers = Math.min(coreCount(), MOST_WORKERS), simd } = options;
  if (!Number.isInteger(workers) || workers < 0 || workers > 64)
    throw new TypeError("workers must be a whole number from 0 to 64");
  return startPool(vault, spawnWorker ?? (async () => null), workers, (await chooseKind(simd)) === "simd");
}
