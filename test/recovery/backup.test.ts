/** Backups: what comes back, what is refused, and what nobody can change unseen. */
import { beforeAll, describe, expect, it } from "vitest";
import { doctor } from "../../sdk/entries/maintenance.js";
import { backup, restore } from "../../sdk/entries/recovery.js";
import { concat, toHex } from "../../sdk/foundation/bytes.js";
import type { Core } from "../../sdk/crypto/core.js";
import { KeyManager, rawKey, type StorageAdapter } from "../../sdk/index.js";
import { keyspace, prefixOf } from "../../sdk/storage/keyspace.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { faultyStorage, virtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory, SECRET, text } from "../flows/support.js";
import { edit, imageOf, of, sample, storeOf } from "../maintenance/support.js";
import { backupOf, chunksOf, countOf, empty, joined, newCore, restored } from "./support.js";

const unlock = rawKey(() => SECRET.slice());
const accepting = (storage: StorageAdapter): Parameters<typeof restore>[1] => ({
  storage,
  unlock,
  acceptRollback: true,
});

let core: Core;
/** A new store with one key, and its backup. */
let small: Uint8Array;
beforeAll(async () => {
  core = await newCore();
  const { keys } = await openMemory({ seed: 1 });
  await keys.create({ name: "only", algorithm: AEAD });
  small = await backupOf(keys);
  await keys.close();
});

describe("a store from a backup", () => {
  it("has every key, opens every message, and goes on", async () => {
    const { keys, space } = await openMemory({ seed: 2 });
    await keys.create({ name: "kek", ...KEK });
    await keys.createMany(20, { algorithm: AEAD, under: "kek", tags: ["many"] });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    await keys.rotate("kek");
    await keys.rewrap("kek");
    const sealed = await keys.encrypt("k", text("message"));
    const bytes = await backupOf(keys);
    const before = await keys.list({ limit: 1000 });
    await keys.close();

    const target = new MemorySpace();
    const summary = await restore(bytes, accepting(memoryStorage({ space: target })));
    expect(summary.damaged).toBe(0);
    expect(summary.entries).toBe((await countOf(memoryStorage({ space }))) - 2);
    expect(summary.store).not.toBe(summary.from);
    const { keys: back } = await openMemory({ space: target, create: false });
    expect((await back.list({ limit: 1000 })).keys).toEqual(before.keys);
    expect(await back.decrypt(sealed)).toEqual(text("message"));
    await back.rotate("k");
    await back.rewrap("kek");
    expect((await doctor(back)).findings).toEqual([]);
    const events: string[] = [];
    for await (const { operation, job } of back.audit()) {
      if (operation === "backup" || operation === "restore") events.push(`${operation} ${job}`);
    }
    expect(events.sort()).toEqual([`backup ${summary.backup}`, `restore ${summary.backup}`]);
    await back.close();
  });

  it("has records of every kind, under MACs of its own: none of the old store's is one of the new", async () => {
    const { now } = await sample();
    const source = await openMemory({ space: await storeOf(now), create: false, clock: virtualClock() });
    const bytes = await backupOf(source.keys);
    await source.keys.close();
    const space = new MemorySpace();
    await restored(core, bytes, memoryStorage({ space }));
    const { keys } = await openMemory({ space, create: false, clock: virtualClock() });
    expect((await doctor(keys)).findings).toEqual([]);
    await keys.close();
    const [gate] = of(now, "gate");
    await edit(space, gate!.key, gate!.value);
    const again = await openMemory({ space, create: false, clock: virtualClock() });
    expect((await doctor(again.keys)).kinds).toEqual({ "record-damaged": 1 });
    await again.keys.close();
  });

  it("has the log of the old one, with its checkpoints, and goes on from them", async () => {
    const { keys } = await openMemory({ seed: 21 });
    await keys.create({ name: "first", algorithm: AEAD });
    const old = await keys.checkpointAudit();
    const bytes = await backupOf(keys);
    await keys.close();
    const space = new MemorySpace();
    await restored(core, bytes, memoryStorage({ space }));
    const { keys: back } = await openMemory({ space, create: false });
    expect((await back.verifyAudit()).checkpoints).toBe(1);
    const next = await back.checkpointAudit();
    expect(next.size).toBeGreaterThan(old.size);
    expect(next.origin).not.toBe(old.origin);
    const report = await back.verifyAudit({ checkpoint: old.note });
    expect(report).toMatchObject({ checkpoints: 2, checkpoint: { note: next.note } });
    await back.close();
  });

  it("is of one instant, although others write while the backup is read", async () => {
    const { keys } = await openMemory({ seed: 3 });
    await keys.createMany(500, { algorithm: AEAD });
    const reader = backup(keys).getReader();
    const parts = [(await reader.read()).value!];
    await keys.create({ name: "later", algorithm: AEAD });
    for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
    await keys.close();
    expect(parts.length).toBeGreaterThan(5);
    const space = new MemorySpace();
    await restored(core, joined(parts), memoryStorage({ space }));
    const { keys: back } = await openMemory({ space, create: false });
    expect(await back.get("later")).toBeNull();
    expect((await doctor(back)).found).toBe(0);
    await back.close();
  });

  it("keeps what was damaged as damaged, and says how much", async () => {
    const { now } = await sample();
    const space = await storeOf(now);
    const [history] = of(now, "history");
    const value = history!.value.slice();
    value[9]! ^= 1;
    await edit(space, history!.key, value);
    const source = await openMemory({ space, create: false, clock: virtualClock() });
    const bytes = await backupOf(source.keys);
    await source.keys.close();
    const target = new MemorySpace();
    expect((await restored(core, bytes, memoryStorage({ space: target }))).damaged).toBe(1);
    const { keys } = await openMemory({ space: target, create: false, clock: virtualClock() });
    expect((await doctor(keys)).kinds).toEqual({ "record-damaged": 1 });
    await keys.close();
  });

  it("holds no material in clear", async () => {
    const { keys } = await openMemory({ seed: 6 });
    const material = new Uint8Array(32).map((_, i) => 200 - i);
    await keys.import(material, { algorithm: AEAD, name: "known", exportable: true });
    const bytes = await backupOf(keys);
    await keys.close();
    expect(toHex(bytes)).not.toContain(toHex(material));
    expect(toHex(bytes)).toContain(toHex(text("known")));
  });
});

/** What a backup that was tampered with may be refused with, before or after its opening is believed. */
const REFUSALS = ["BACKUP_DAMAGED", "BACKUP_NEWER_FORMAT", "UNLOCK_FAILED", "UNLOCK_KDF_OUT_OF_BOUNDS"];

async function outcomeOf(bytes: Uint8Array): Promise<string> {
  const space = new MemorySpace();
  const code = await codeOf(restored(core, bytes, memoryStorage({ space })));
  // Whatever was written, it is no store.
  if (code !== "no error" && (await memoryStorage({ space }).get(keyspace.header())) !== null)
    return "a store";
  return code;
}

describe("a backup that was changed", () => {
  it("is found out whichever byte it is", { timeout: 60_000 }, async () => {
    expect(await outcomeOf(small)).toBe("no error");
    const outcomes = new Set<string>();
    for (let at = 0; at < small.length; at++) {
      const changed = small.slice();
      changed[at]! ^= 1 << (at % 8);
      const outcome = await outcomeOf(changed);
      if (!REFUSALS.includes(outcome)) throw new Error(`byte ${at}: ${outcome}`);
      outcomes.add(outcome);
    }
    expect(outcomes).toContain("BACKUP_DAMAGED");
  });

  it("is found out wherever it is cut", { timeout: 60_000 }, async () => {
    for (let length = 0; length < small.length; length += length < 64 ? 1 : 7) {
      expect(await outcomeOf(small.subarray(0, length))).toBe("BACKUP_DAMAGED");
    }
    expect(await outcomeOf(small.subarray(0, small.length - 1))).toBe("BACKUP_DAMAGED");
    expect(await outcomeOf(concat(small, new Uint8Array(1)))).toBe("BACKUP_DAMAGED");
  });

  it("is found out when chunks are left out, repeated, moved, or of another backup", async () => {
    const { keys } = await openMemory({ seed: 4 });
    await keys.createMany(400, { algorithm: AEAD });
    const chunks = chunksOf(await backupOf(keys));
    const others = chunksOf(await backupOf(keys));
    await keys.close();
    expect(chunks.length).toBeGreaterThan(6);
    const [line, opening, a, b, ...rest] = chunks as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const end = chunks.at(-1)!;
    const changed: Record<string, readonly Uint8Array[]> = {
      "left out": [line, opening, b, ...rest],
      repeated: [line, opening, a, a, b, ...rest],
      swapped: [line, opening, b, a, ...rest],
      "ended early": [line, opening, a, end],
      "without its end": chunks.slice(0, -1),
      "ended twice": [...chunks, end],
      "of another backup": [line, opening, others[2]!, b, ...rest],
      "with another's opening": [line, others[1]!, a, b, ...rest],
      "with another's end": [...chunks.slice(0, -1), others.at(-1)!],
    };
    for (const [what, parts] of Object.entries(changed)) {
      expect([what, await outcomeOf(joined(parts))]).toEqual([what, "BACKUP_DAMAGED"]);
    }
    expect(await outcomeOf(joined(chunks))).toBe("no error");
  });

  it("is told from one of a newer format, and from something else", async () => {
    const rest = small.subarray(18);
    for (const version of ["2", "10", "123456789"]) {
      expect(await outcomeOf(concat(text(`keyloom backup v${version}\n`), rest))).toBe("BACKUP_NEWER_FORMAT");
    }
    for (const line of [
      "keyloom backup v0\n",
      "keyloom backup v01\n",
      "age-encryption.org/v1\n",
      "",
      "\n\n\n",
    ]) {
      expect(await outcomeOf(concat(text(line), rest))).toBe("BACKUP_DAMAGED");
    }
  });

  it("does not open with another secret", async () => {
    const code = await codeOf(restored(core, small, empty(), new Uint8Array(32).fill(8)));
    expect(code).toBe("UNLOCK_FAILED");
  });
});

describe("a restore", () => {
  it("is refused where something is, and leaves it as it was", async () => {
    const { keys, space } = await openMemory();
    await keys.close();
    const before = await imageOf(space);
    expect(await codeOf(restore(small, accepting(memoryStorage({ space }))))).toBe("STORE_EXISTS");
    expect(await imageOf(space)).toEqual(before);
    const foreign = new MemorySpace();
    await edit(foreign, new Uint8Array([0x99]), new Uint8Array(1));
    expect(await codeOf(restore(small, accepting(memoryStorage({ space: foreign }))))).toBe("STORE_EXISTS");
    expect((await imageOf(foreign)).size).toBe(1);
  });

  it("that would undo what came later needs somebody who says so", async () => {
    const space = new MemorySpace();
    expect(await codeOf(restore(small, { storage: memoryStorage({ space }), unlock }))).toBe(
      "BACKUP_ROLLBACK",
    );
    expect((await imageOf(space)).size).toBe(0);
  });

  it("goes on where it was interrupted, and until then there is no store", async () => {
    const { keys } = await openMemory({ seed: 5 });
    await keys.createMany(600, { algorithm: AEAD });
    const bytes = await backupOf(keys);
    await keys.close();
    const space = new MemorySpace();
    const limits = { maxMutations: 128, maxChecks: 64 };
    const job = restore(bytes, accepting(memoryStorage({ space, limits })));
    for await (const { done } of job) {
      if (done >= 500) break;
    }
    job.cancel();
    expect(await codeOf(job)).toBe("JOB_CANCELLED");
    const half = (await imageOf(space)).size;
    expect(half).toBeGreaterThan(500);
    expect(await codeOf(KeyManager.open({ storage: memoryStorage({ space }), unlock }))).toBe(
      "STORE_DAMAGED",
    );
    expect(await codeOf(restore(small, accepting(memoryStorage({ space }))))).toBe("STORE_EXISTS");

    let first: number | undefined;
    const again = restore(bytes, accepting(memoryStorage({ space, limits })));
    for await (const { done } of again) first ??= done;
    expect(first).toBeGreaterThanOrEqual(500);
    await again;
    const { keys: back } = await openMemory({ space, create: false });
    expect((await doctor(back)).findings).toEqual([]);
    await back.close();
    expect([...(await imageOf(space)).values()].filter(({ key }) => prefixOf(key) === "restoring")).toEqual(
      [],
    );
  });

  it("lands each batch once, although replies are lost", async () => {
    const { keys } = await openMemory({ seed: 8 });
    await keys.createMany(100, { algorithm: AEAD });
    const bytes = await backupOf(keys);
    await keys.close();
    const space = new MemorySpace();
    const schedule = Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0 ? null : i % 4 === 1 ? ("lost-reply" as const) : ("lost-request" as const),
    );
    const storage = faultyStorage(
      memoryStorage({ space, limits: { maxMutations: 64, maxChecks: 64 } }),
      schedule,
    );
    await restored(core, bytes, storage);
    const { keys: back } = await openMemory({ space, create: false });
    expect((await doctor(back)).findings).toEqual([]);
    await back.close();
  });

  it("is refused where what it left behind was changed", async () => {
    const space = new MemorySpace();
    const job = restore(small, accepting(memoryStorage({ space, limits: { maxMutations: 64 } })));
    job.cancel();
    await codeOf(job);
    const target = new MemorySpace();
    await edit(target, keyspace.restoring(), new Uint8Array(120));
    expect(await codeOf(restore(small, accepting(memoryStorage({ space: target }))))).not.toBe("no error");
  });
});

describe("taking a backup", () => {
  it("is refused where the engine has no snapshots, before anything is written", async () => {
    const space = new MemorySpace();
    const storage = memoryStorage({ space });
    Object.defineProperty(storage, "snapshot", { value: undefined });
    const { keys } = await openMemory({ storage });
    const before = await countOf(memoryStorage({ space }));
    expect(await codeOf(backupOf(keys))).toBe("BACKUP_UNSUPPORTED");
    expect(await countOf(memoryStorage({ space }))).toBe(before);
    await keys.close();
  });

  it("gives its snapshot back when nobody reads on, and when the manager is closed", async () => {
    const { keys, space } = await openMemory({ seed: 9 });
    await keys.createMany(500, { algorithm: AEAD });
    const left = backup(keys).getReader();
    await left.read();
    expect(space.snapshots.size).toBe(1);
    await left.cancel();
    expect(space.snapshots.size).toBe(0);
    const open = backup(keys).getReader();
    await open.read();
    await keys.close();
    expect(await codeOf(open.read())).toBe("STORE_CLOSED");
    expect(space.snapshots.size).toBe(0);
  });
});
