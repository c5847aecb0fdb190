import { describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { memoryStorage } from "../../sdk/storage/memory.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "./support.js";

describe("two managers on one store", () => {
  it("obey each other's restrictions within the freshness, and not before they look", async () => {
    const a = await openMemory();
    const b = await openMemory({ space: a.space, clock: a.clock, freshness: 1000 });
    await a.keys.create({ name: "k", algorithm: AEAD });
    const sealed = await b.keys.encrypt("k", text("x"));
    await a.keys.deactivate("k");
    a.clock.advance(999);
    await b.keys.encrypt("k", text("still cached"));
    a.clock.advance(2);
    expect(await codeOf(b.keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    await a.keys.destroy("k");
    a.clock.advance(1001);
    expect(await codeOf(b.keys.decrypt(sealed))).toBe("KEY_DESTROYED");
  });

  it("with a freshness of 0 look at every use", async () => {
    const a = await openMemory();
    const b = await openMemory({ space: a.space, clock: a.clock, freshness: 0 });
    await a.keys.create({ name: "k", algorithm: AEAD });
    await b.keys.encrypt("k", text("x"));
    await a.keys.deactivate("k");
    expect(await codeOf(b.keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
  });

  it("use the new version after a rotation by the other", async () => {
    const a = await openMemory();
    const b = await openMemory({ space: a.space, clock: a.clock });
    await a.keys.create({ name: "k", algorithm: AEAD });
    expect((await b.keys.encrypt("k", text("x")))[20]).toBe(1);
    await a.keys.rotate("k");
    a.clock.advance(1001);
    expect((await b.keys.encrypt("k", text("x")))[20]).toBe(2);
  });

  // What a cached record refused was refused, for as long as it was fresh.
  it("may use at once what the other has made usable, although what was forbidden is believed a while", async () => {
    const a = await openMemory({ seed: 1 });
    const b = await openMemory({ space: a.space, clock: a.clock, seed: 2 });
    await a.keys.create({ name: "kek", ...KEK });
    await a.keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    const sealed = await b.keys.encrypt("k", text("first"));
    await a.keys.rotate("k");
    expect(await b.keys.decrypt(await a.keys.encrypt("k", text("second")))).toEqual(text("second"));
    for (const [restrict, lift] of [
      ["suspend", "resume"],
      ["archive", "recover"],
    ] as const) {
      await a.keys[restrict]("k");
      a.clock.advance(1001);
      expect(await codeOf(b.keys.decrypt(sealed))).toBe("KEY_NOT_USABLE");
      await a.keys[lift]("k");
      expect(await b.keys.decrypt(sealed)).toEqual(text("first"));
      expect(await b.keys.decrypt(await b.keys.encrypt("k", text("x")))).toEqual(text("x"));
    }
    await a.keys.rotate("kek");
    await a.keys.rewrap("kek");
    await a.keys.deactivate("kek", { version: 1 });
    await a.keys.destroy("kek", { version: 1 });
    expect((await b.keys.rotate("k")).versions).toHaveLength(3);
    await b.keys.create({ name: "other", algorithm: AEAD, under: "kek" });
  });

  it("refuse use when the epoch can't be read, and work again when it can", async () => {
    const a = await openMemory();
    await a.keys.create({ name: "k", algorithm: AEAD });
    let broken = false;
    const storage = faultyStorage(memoryStorage({ space: a.space }), ({ operation }) =>
      broken && operation === "get" ? "fail-before" : null,
    );
    const b = await openMemory({ storage, clock: a.clock });
    const sealed = await b.keys.encrypt("k", text("x"));
    broken = true;
    expect(await b.keys.decrypt(sealed)).toEqual(text("x"));
    a.clock.advance(1001);
    expect(await codeOf(b.keys.encrypt("k", text("x")))).toBe("STORAGE_IO");
    expect(await codeOf(b.keys.decrypt(sealed))).toBe("STORAGE_IO");
    broken = false;
    expect(await b.keys.decrypt(sealed)).toEqual(text("x"));
  });

  it("never make two current versions, two names, or lose an event, however they race", async () => {
    const a = await openMemory({ seed: 1 });
    const b = await openMemory({ space: a.space, clock: a.clock, seed: 2 });
    await a.keys.create({ name: "k", algorithm: AEAD });
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => [
        (i % 2 ? a : b).keys.rotate("k"),
        (i % 2 ? b : a).keys.rotate("k"),
      ]).flat(),
    );
    const versions = (await a.keys.get("k"))!.versions;
    expect(versions.map(({ version }) => version)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
    expect(versions.filter(({ current }) => current)).toHaveLength(1);
    const outcomes = await Promise.all(
      [a, b].map(({ keys }) => codeOf(keys.create({ name: "same", algorithm: AEAD }))),
    );
    expect(outcomes.sort()).toEqual(["KEY_NAME_TAKEN", "no error"]);
    const operations = await auditOperations(b.keys);
    expect(operations.filter((operation) => operation === "rotate")).toHaveLength(20);
    expect(operations.filter((operation) => operation === "create")).toHaveLength(2);
  });

  it("never lose a key to the destruction of its wrapping key", async () => {
    for (let round = 0; round < 20; round++) {
      const a = await openMemory({ seed: round + 1 });
      const b = await openMemory({ space: a.space, clock: a.clock, seed: 100 + round });
      await a.keys.create({ name: "kek", ...KEK });
      await b.keys.get("kek");
      const create = b.keys.create({ name: "child", algorithm: AEAD, under: "kek" });
      const end = a.keys.deactivate("kek").then(() => a.keys.destroy("kek"));
      const [made, destroyed] = await Promise.all([codeOf(create), codeOf(end)]);
      if (made === "no error") {
        expect(destroyed).toBe("KEY_HAS_DEPENDENTS");
        expect(await b.keys.decrypt(await b.keys.encrypt("child", text("x")))).toEqual(text("x"));
      } else {
        expect(["KEY_NOT_USABLE", "KEY_DESTROYED"]).toContain(made);
        expect(destroyed).toBe("no error");
      }
    }
  });

  it("running one job at once make every item of it once", async () => {
    const a = await openMemory({ seed: 1 });
    const b = await openMemory({ space: a.space, clock: a.clock, seed: 2 });
    const job = crypto.randomUUID();
    const run = (keys: KeyManager): Promise<string> =>
      codeOf(keys.createMany(3000, { algorithm: AEAD, job }));
    const outcomes = await Promise.all([run(a.keys), run(b.keys)]);
    expect(outcomes).toContain("STORE_CONFLICT");
    expect(await run(a.keys)).toBe("no error");
    const items: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await a.keys.list({ limit: 1000, cursor });
      items.push(...page.keys.map(({ origin }) => origin!.item));
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    expect(items.sort((x, y) => x - y)).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  });

  it("initialise a store once", async () => {
    const a = await openMemory();
    await a.keys.create({ name: "k", algorithm: AEAD });
    const again = await openMemory({ space: a.space, clock: a.clock });
    expect(await again.keys.get("k")).not.toBeNull();
    expect(await codeOf(openMemory({ create: false }))).toBe("STORE_NOT_FOUND");
  });
});
