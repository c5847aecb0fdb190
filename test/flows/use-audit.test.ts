/** The audit of cryptographic use: none, each, or counted, as the key's record says. */
import { describe, expect, it } from "vitest";
import type { AuditEntry, KeyManager } from "../../sdk/index.js";
import { COUNT_WINDOW, MAX_COUNTED } from "../../sdk/commands/use-audit.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { AEAD, codeOf, collect, openMemory, text } from "./support.js";

const USES = ["encrypt", "decrypt", "sign"];

/** What events say of uses: "operation version × count". */
async function usesOf(keys: KeyManager): Promise<string[]> {
  const uses: AuditEntry[] = [];
  for await (const entry of keys.audit()) if (USES.includes(entry.operation ?? "")) uses.push(entry);
  return uses.map(({ operation, keys: subjects, count = 1 }) => {
    expect(subjects).toHaveLength(1);
    return `${operation} ${subjects![0]!.version} × ${count}`;
  });
}

describe("the use of a key", () => {
  it("leaves nothing by default", async () => {
    const { keys } = await openMemory();
    expect((await keys.create({ name: "k", algorithm: AEAD })).audit).toBe("none");
    await keys.decrypt(await keys.encrypt("k", text("x")));
    expect(await usesOf(keys)).toEqual([]);
  });

  it("leaves an event each where its record says so: messages, streams and signatures", async () => {
    const { keys } = await openMemory();
    expect((await keys.create({ name: "k", algorithm: AEAD, audit: "each" })).audit).toBe("each");
    await keys.create({ name: "pair", algorithm: "Ed25519", audit: "each" });
    const sealed = await keys.encrypt("k", text("x"));
    await keys.rotate("k");
    await keys.decrypt(sealed);
    const file = await collect(keys.encryptStream("k", text("file")));
    await collect(keys.decryptStream(file));
    await keys.sign("pair", text("x"));
    expect(await usesOf(keys)).toEqual([
      "encrypt 1 × 1",
      "decrypt 1 × 1",
      "encrypt 2 × 1",
      "decrypt 2 × 1",
      "sign 1 × 1",
    ]);
  });

  it("gives no result that is not in the log", async () => {
    const space = new MemorySpace();
    const { keys } = await openMemory({ space });
    await keys.create({ name: "k", algorithm: AEAD, audit: "each" });
    const sealed = await keys.encrypt("k", text("x"));
    const broken = faultyStorage(memoryStorage({ space }), []);
    const { keys: other } = await openMemory({ space, storage: broken });
    expect(await other.decrypt(sealed)).toEqual(text("x"));
    const before = await usesOf(keys);
    for (const use of [() => other.decrypt(sealed), () => other.encrypt("k", text("y"))]) {
      broken.commit = () => Promise.reject(new Error("the store is gone"));
      await expect(use()).rejects.toThrow();
    }
    expect(await usesOf(keys)).toEqual(before);
  });

  it("is counted in one event for many that are alike", async () => {
    const { keys } = await openMemory();
    await keys.create({ name: "k", algorithm: AEAD, audit: "counted" });
    const sealed = await keys.encrypt("k", text("x"));
    for (let i = 1; i < MAX_COUNTED; i++) await keys.encrypt("k", text("x"));
    expect(await usesOf(keys)).toEqual([`encrypt 1 × ${MAX_COUNTED}`]);
    await keys.decrypt(sealed);
    await keys.decrypt(sealed);
    expect(await usesOf(keys)).toHaveLength(1);
  });

  it("that was counted is written when a counted key is used later, and on closing", async () => {
    const { keys, clock, space } = await openMemory();
    await keys.create({ name: "a", algorithm: AEAD, audit: "counted" });
    await keys.create({ name: "b", algorithm: AEAD, audit: "counted" });
    const sealed = await keys.encrypt("a", text("x"));
    await keys.decrypt(sealed);
    await keys.decrypt(sealed);
    clock.advance(COUNT_WINDOW);
    await keys.encrypt("b", text("x"));
    expect(await usesOf(keys)).toEqual(["encrypt 1 × 1", "decrypt 1 × 2"]);
    await keys.close();
    const { keys: again } = await openMemory({ space });
    expect(await usesOf(again)).toEqual(["encrypt 1 × 1", "decrypt 1 × 2", "encrypt 1 × 1"]);
  });

  it("that could not be written is not forgotten", async () => {
    const space = new MemorySpace();
    const storage = memoryStorage({ space });
    const { keys, clock } = await openMemory({ space, storage });
    await keys.create({ name: "k", algorithm: AEAD, audit: "counted" });
    await keys.encrypt("k", text("x"));
    clock.advance(COUNT_WINDOW);
    const commit = storage.commit.bind(storage);
    storage.commit = () => Promise.reject(new Error("the store is gone"));
    await expect(keys.encrypt("k", text("x"))).rejects.toThrow();
    storage.commit = commit;
    await keys.encrypt("k", text("x"));
    // Of the second use only its result was lost.
    expect(await usesOf(keys)).toEqual(["encrypt 1 × 3"]);
  });

  it("is counted at least where it is limited", async () => {
    const { keys } = await openMemory();
    const limits = { operations: 3 };
    expect((await keys.create({ algorithm: AEAD, limits })).audit).toBe("counted");
    expect((await keys.create({ algorithm: AEAD, limits, audit: "each" })).audit).toBe("each");
    expect(await codeOf(keys.create({ algorithm: AEAD, limits, audit: "none" }))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.create({ algorithm: AEAD, audit: "some" as "each" }))).toBe(
      "KEY_INVALID_OPTION",
    );
  });

  it("is audited alike for keys made in bulk", async () => {
    const { keys } = await openMemory();
    await keys.createMany(3, { algorithm: AEAD, audit: "each", tags: ["t"] });
    const [key] = (await keys.list({ tag: "t" })).keys;
    expect(key!.audit).toBe("each");
    await keys.encrypt(key!, text("x"));
    expect(await usesOf(keys)).toEqual(["encrypt 1 × 1"]);
  });
});
