import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { moveKeys } from "./engines.js";

it("moves 2,000 keys from LMDB to memory, whose commits are smaller", { timeout: 120_000 }, async () => {
  const space = new MemorySpace();
  const limits = { maxMutations: 300, maxChecks: 300 };
  await moveKeys(2000, () => memoryStorage({ space, limits }));
  expect(space.snapshots.size).toBe(0);
});

it("moves keys from LMDB to LMDB", { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "keyloom-target-"));
  try {
    await moveKeys(300, () => lmdbStorage({ path: join(folder, "to") }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
