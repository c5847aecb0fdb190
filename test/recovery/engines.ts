/** Moving a store from LMDB to another engine: a backup, and a restore of it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { doctor } from "../../sdk/entries/maintenance.js";
import { backup, restore } from "../../sdk/entries/recovery.js";
import { KeyManager, rawKey, type StorageAdapter } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { AEAD, KEK, SECRET, text } from "../flows/support.js";

const unlock = rawKey(() => SECRET.slice());

/** Makes so many keys in LMDB, moves them, and looks whether all is there and agrees. */
export async function moveKeys(count: number, target: () => StorageAdapter): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keyloom-move-"));
  try {
    const from = await KeyManager.open({ storage: lmdbStorage({ path: join(folder, "from") }), unlock });
    await from.create({ name: "kek", ...KEK });
    await from.createMany(count, { algorithm: AEAD, under: "kek", tags: ["moved"] });
    await from.create({ name: "k", algorithm: AEAD, under: "kek" });
    const sealed = await from.encrypt("k", text("before the move"));
    const summary = await restore(backup(from), { storage: target(), unlock, acceptRollback: true });
    expect(summary.entries).toBeGreaterThan(count * 5);
    const first = await from.list({ tag: "moved", limit: 1000 });
    await from.close();

    const to = await KeyManager.open({ storage: target(), unlock, create: false });
    expect(await to.decrypt(sealed)).toEqual(text("before the move"));
    expect((await to.list({ tag: "moved", limit: 1000 })).keys).toEqual(first.keys);
    const { found, kinds } = await doctor(to);
    expect([found, kinds]).toEqual([0, {}]);
    await to.rotate("kek");
    expect((await to.rewrap("kek")).rewrapped).toBe(count + 1);
    await to.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
