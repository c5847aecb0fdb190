/** Batches divided among workers: same bytes, same order, nothing secret posted, whatever dies. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  ALGORITHM,
  encodeAttributes,
  loadCore,
  USAGE,
  type Core,
  type Handle,
} from "../../../bindings/index.js";
import { startPool, type VaultPool } from "../../../bindings/pool/pool.js";
import { createVaultPool } from "../../../bindings/pool/index.js";
import type { Spawn } from "../../../bindings/pool/protocol.js";
import { ALL_CIPHER, ALL_WRAP, at, bytes, template } from "../support.js";
import { Loopback } from "./loopback.js";

const KEK_ID = bytes(16, 50);
const COUNT = 20_000;
const KEK_MATERIAL = bytes(32, 60);

function attributes(count: number, version = 1): Uint8Array {
  const out = new Uint8Array(count * 48);
  for (let i = 0; i < count; i++) {
    const id = new Uint8Array(16);
    new DataView(id.buffer).setUint32(12, i);
    encodeAttributes(template(ALL_CIPHER, { id }), KEK_ID, version, out, i * 48);
  }
  return out;
}

const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: { code?: string }) => error.code ?? error,
  );

describe("a pool of workers", () => {
  let core: Core;
  let kek: Handle;
  let next: Handle;
  let loopback: Loopback;
  let pool: VaultPool;
  const all = attributes(COUNT);

  beforeEach(async () => {
    core = await loadCore();
    kek = core.vault.import(template(ALL_WRAP, { id: KEK_ID, version: 1 }), KEK_MATERIAL);
    next = core.vault.import(template(ALL_WRAP, { id: KEK_ID, version: 2 }), bytes(32, 61));
    loopback = new Loopback();
    pool = await startPool(core.vault, loopback.spawn, 3, core.simd);
  });

  it("gives what the vault gives, in order, for every count around its pieces", async () => {
    expect(pool.workers).toBe(3);
    for (const count of [0, 1, 5, 4095, 4096, 4097, COUNT]) {
      const some = all.subarray(0, count * 48);
      const wrapped = await pool.generateAndWrapBatch(kek, some, count);
      expect(wrapped.length).toBe(count * 104);
      expect(core.vault.openCheckBatch(kek, some, wrapped, count).failed).toBe(0);
      if (count > 0) wrapped[(count - 1) * 104 + 70]! ^= 1;
      const checked = await pool.openCheckBatch(kek, some, wrapped, count);
      expect(checked).toEqual(core.vault.openCheckBatch(kek, some, wrapped, count));
      expect(checked.failed).toBe(count === 0 ? 0 : 1);
      const moved = await pool.rewrapBatch(kek, next, some, wrapped, count);
      expect(moved.statuses).toEqual(checked.statuses);
      const opened = core.vault.openCheckBatch(next, attributes(count, 2), moved.wrapped, count);
      expect(opened.statuses).toEqual(checked.statuses);
    }
  });

  it("derives what the vault derives", async () => {
    const parent = core.vault.import(
      template(USAGE.DERIVE | ALL_CIPHER, { algorithm: ALGORITHM.HKDF_SHA256 }),
      bytes(32, 62),
    );
    const infos = bytes(COUNT * 20, 63);
    const wrapped = await pool.deriveBatch(parent, kek, all, infos, 20, COUNT);
    expect((await pool.openCheckBatch(kek, all, wrapped, COUNT)).failed).toBe(0);
    for (const i of [0, 4096, COUNT - 1]) {
      const one = core.vault.unwrap(kek, at(all, i, 48), at(wrapped, i, 104));
      const direct = core.vault.derive(
        parent,
        template(ALL_CIPHER, { id: at(all, i, 48).slice(8, 24) }),
        at(infos, i, 20),
      );
      const aad = bytes(3);
      expect(core.vault.open(direct, aad, core.vault.seal(one, aad, bytes(9)))).toEqual(bytes(9));
    }
  });

  it("posts no key, and takes keys away when a batch ends", async () => {
    await pool.generateAndWrapBatch(kek, all, COUNT);
    const begun = loopback.posted.filter((message) => message.kind === "begin");
    expect(begun.length).toBe(3);
    for (const { keys } of begun) {
      for (const sealed of keys) {
        const text = Array.from(sealed).join();
        for (let i = 0; i + 8 <= 32; i++) expect(text).not.toContain(KEK_MATERIAL.subarray(i, i + 8).join());
      }
    }
    expect(new Set(begun.map(({ keys }) => keys[0]!.join())).size).toBe(3);
    expect(loopback.posted.filter((message) => message.kind === "end").length).toBe(3);
    // The key is gone there: a piece of a batch that has ended is refused.
    expect(core.vault.liveCount()).toBe(2);
  });

  it("copies no more out of a batch than two pieces a worker", async () => {
    let open = (): void => undefined;
    loopback.gate = new Promise((resolve) => (open = resolve));
    const batch = pool.openCheckBatch(kek, attributes(60_000), bytes(60_000 * 104), 60_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(loopback.held).toBe(6);
    open();
    expect((await batch).failed).toBe(60_000);
    expect(loopback.mostHeld).toBe(6);
  });

  it("does a piece again, on a new worker, when its worker dies", async () => {
    const deaths = new Set([0, 2]);
    loopback.dies = (_, worker) => deaths.delete(worker);
    const wrapped = await pool.generateAndWrapBatch(kek, all, COUNT);
    expect(core.vault.openCheckBatch(kek, all, wrapped, COUNT).failed).toBe(0);
    expect(deaths.size).toBe(0);
    expect([loopback.started, pool.workers]).toEqual([5, 3]);
  });

  it("gives up on records over which a worker dies again and again", async () => {
    loopback.dies = ({ piece }) => piece === 4096;
    expect(await codeOf(pool.generateAndWrapBatch(kek, all, COUNT))).toBe("CORE_WORKER_LOST");
    loopback.dies = () => false;
    const wrapped = await pool.generateAndWrapBatch(kek, all, COUNT);
    expect(core.vault.openCheckBatch(kek, all, wrapped, COUNT).failed).toBe(0);
  });

  it("finishes here what workers leave that are not to be had again", async () => {
    loopback.dies = (_, worker) => worker < 3;
    loopback.exhausted = true;
    const wrapped = await pool.generateAndWrapBatch(kek, all, COUNT);
    expect(core.vault.openCheckBatch(kek, all, wrapped, COUNT).failed).toBe(0);
    expect(pool.workers).toBe(0);
  });

  it("runs several batches at once", async () => {
    const batches = await Promise.all([1, 2, 3].map(() => pool.generateAndWrapBatch(kek, all, COUNT)));
    for (const wrapped of batches) {
      expect(core.vault.openCheckBatch(kek, all, wrapped, COUNT).failed).toBe(0);
    }
  });

  it("is cancelled by a signal, at once, and is of use afterwards", async () => {
    const controller = new AbortController();
    loopback.gate = new Promise(() => undefined);
    const batch = pool.generateAndWrapBatch(kek, all, COUNT, { signal: controller.signal });
    controller.abort("enough");
    expect(await codeOf(batch)).toBe("enough");
    const late = pool.generateAndWrapBatch(kek, all, COUNT, { signal: controller.signal });
    expect(await codeOf(late)).toBe("enough");
    const taken = loopback.posted.filter((message) => message.kind === "piece").length;
    expect(taken).toBeLessThanOrEqual(6);
  });

  it("refuses what the vault refuses, with the same codes", async () => {
    const cipher = core.vault.generate(template(ALL_CIPHER));
    expect(await codeOf(pool.generateAndWrapBatch(cipher, all, COUNT))).toBe("CORE_HANDLE_MISUSE");
    expect(await codeOf(pool.generateAndWrapBatch(77 as Handle, all, COUNT))).toBe("CORE_HANDLE_STALE");
    expect(await codeOf(pool.generateAndWrapBatch(kek, all, COUNT - 1))).toBe("CORE_INVALID_LENGTH");
    expect(await codeOf(pool.openCheckBatch(kek, all, bytes(7), COUNT))).toBe("CORE_INVALID_LENGTH");
    expect(await codeOf(pool.rewrapBatch(kek, next, all, bytes(7), -1))).toBe("CORE_INVALID_LENGTH");
    await expect(pool.generateAndWrapBatch(kek, "a" as never, 1)).rejects.toBeInstanceOf(TypeError);
  });

  it("ends batches under way when it is closed", async () => {
    loopback.gate = new Promise(() => undefined);
    const batch = pool.generateAndWrapBatch(kek, all, COUNT);
    await Promise.resolve();
    await pool.close();
    expect(await codeOf(batch)).toBe("CORE_POOL_CLOSED");
    expect(await codeOf(pool.generateAndWrapBatch(kek, all, COUNT))).toBe("CORE_POOL_CLOSED");
  });

  it("does without workers where there are none, and gives the event loop its turns", async () => {
    const none: Spawn = async () => null;
    const alone = await startPool(core.vault, none, 4, core.simd);
    expect(alone.workers).toBe(0);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const wrapped = await alone.generateAndWrapBatch(kek, all, COUNT);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    expect(core.vault.openCheckBatch(kek, all, wrapped, COUNT).failed).toBe(0);
    const controller = new AbortController();
    const batch = alone.generateAndWrapBatch(kek, all, COUNT, { signal: controller.signal });
    controller.abort("enough");
    expect(await codeOf(batch)).toBe("enough");
  });

  it("works with the host's own workers", async () => {
    const real = await createVaultPool(core.vault, { workers: 2 });
    try {
      expect(real.workers).toBe(2);
      const wrapped = await real.generateAndWrapBatch(kek, all, COUNT);
      expect(core.vault.openCheckBatch(kek, all, wrapped, COUNT).failed).toBe(0);
      const moved = await real.rewrapBatch(kek, next, all, wrapped, COUNT);
      expect(moved.failed).toBe(0);
    } finally {
      await real.close();
    }
  });

  it("refuses a number of workers that is none", async () => {
    for (const workers of [-1, 1.5, 65, Number.NaN, "2" as never])
      await expect(createVaultPool(core.vault, { workers })).rejects.toBeInstanceOf(TypeError);
  });
});
