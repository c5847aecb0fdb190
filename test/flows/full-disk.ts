/** A store on a device that runs full in the middle of a job: a typed error, nothing lost, and on as soon as there is room. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { KeyManager, rawKey, type StorageAdapter } from "../../sdk/index.js";
import { agreement } from "../crash/agreement.js";
import { cannotRun } from "../newer-node.js";
import { AEAD, codeOf, KEK, text } from "./support.js";

function mount(...args: string[]): string | null {
  const { status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" });
  return status === 0 ? null : (error?.message ?? stderr);
}

/** @param open - opens the store at a path, which is made where it is missing. */
export function fullDisk(name: string, open: (path: string) => StorageAdapter): void {
  const folder = mkdtempSync(join(tmpdir(), "keyloom-full-"));
  const refused = mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", folder);
  if (refused !== null) {
    rmSync(folder, { recursive: true, force: true });
    cannotRun(`${name} on a full device`, refused, false);
    return;
  }
  it(
    `${name} on a full device fails typed, loses nothing, and goes on when there is room`,
    { timeout: 120_000 },
    async () => {
      const path = join(folder, "store");
      const manager = (): Promise<KeyManager> =>
        KeyManager.open({ storage: open(path), unlock: rawKey(new Uint8Array(32).fill(7)) });
      try {
        let keys = await manager();
        await keys.create({ name: "kek", ...KEK });
        const first = await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
        const sealed = await keys.encrypt(first, text("still here"));
        const COUNT = 20_000;
        const options = { algorithm: AEAD, under: "kek" };
        const job = keys.createMany(COUNT, options);
        expect(await codeOf(job)).toBe("STORAGE_FULL");
        // What was there can be used, by this manager and by one that is opened now.
        expect(await keys.decrypt(sealed)).toEqual(text("still here"));
        await keys.close();
        keys = await manager();
        expect(await keys.decrypt(sealed)).toEqual(text("still here"));
        expect(mount("-o", "remount,size=128m", folder)).toBe(null);
        expect(await keys.createMany(COUNT, { ...options, job: job.id })).toMatchObject({ created: COUNT });
        await keys.rotate("kek");
        expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: COUNT + 1 });
        await keys.close();
        const storage = open(path);
        expect((await agreement(storage)).keys.size).toBe(COUNT + 2);
        await storage.close();
      } finally {
        spawnSync("umount", ["-l", folder]);
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
}
