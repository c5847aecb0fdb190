import { describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { keyspace, PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import { hooked, type Hooks } from "./hooks.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "./support.js";

async function ids(keys: KeyManager): Promise<string[]> {
  const all: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await keys.list({ limit: 1000, cursor });
    all.push(...page.keys.filter(({ usages }) => usages.includes("encrypt")).map(({ id }) => id));
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

describe("many uses at once", () => {
  it("of more keys than the core has room for all succeed", async () => {
    const { keys } = await openMemory();
    await keys.createMany(2000, { algorithm: AEAD });
    const outcomes = await Promise.all(
      (await ids(keys)).map((id) => codeOf(keys.encrypt(id, text("x")).then((it) => keys.decrypt(it)))),
    );
    expect(outcomes).toEqual(outcomes.map(() => "no error"));
  });

  it("beside rotations and re-wraps of their wrapping key all succeed", async () => {
    const { keys } = await openMemory();
    await keys.create({ name: "kek", ...KEK });
    await keys.createMany(60, { algorithm: AEAD, under: "kek" });
    const all = await ids(keys);
    const outcomes: Promise<string>[] = [];
    for (let round = 0; round < 8; round++) {
      outcomes.push(codeOf(keys.rotate("kek")), codeOf(keys.rewrap("kek")));
      outcomes.push(...all.map((id) => codeOf(keys.encrypt(id, text("x")).then((it) => keys.decrypt(it)))));
      outcomes.push(codeOf(keys.create({ algorithm: AEAD, under: "kek" })));
      outcomes.push(codeOf(keys.createMany(5, { algorithm: AEAD, under: "kek" })));
      await new Promise((resolve) => setTimeout(resolve));
    }
    expect((await Promise.all(outcomes)).filter((code) => code !== "no error")).toEqual([]);
    await keys.rewrap("kek");
    for (const id of await ids(keys)) {
      expect(await keys.decrypt(await keys.encrypt(id, text("x")))).toEqual(text("x"));
    }
  });
});

describe("a record that was read before a restriction", () => {
  it("is not remembered after it, however late it arrives", async () => {
    const a = await openMemory({ seed: 1 });
    await a.keys.create({ name: "k", algorithm: AEAD });
    await a.keys.create({ name: "other", algorithm: AEAD });
    const hooks: Hooks = {};
    const b = await openMemory({ storage: hooked(a.space, hooks), clock: a.clock, seed: 2 });
    await b.keys.get("other");
    let arrive = (): void => undefined;
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    hooks.afterGet = (key) => {
      if (key[0] !== PREFIX.key) return undefined;
      hooks.afterGet = null;
      asked();
      return new Promise((resolve) => (arrive = resolve));
    };
    const slow = codeOf(b.keys.encrypt("k", text("x")));
    await isAsked;
    await a.keys.deactivate("k");
    a.clock.advance(1001);
    // Another use looks at the epoch meanwhile, and drops what was cached.
    await b.keys.get("other");
    arrive();
    expect(await slow).toBe("KEY_NOT_USABLE");
    expect(await codeOf(b.keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
  });
});

describe("a key that others move at every look", () => {
  /** Each time that the wrapping key's record is read here, another process has replaced its version by the time it arrives. */
  async function replacedAtEveryRead(
    times: number,
  ): Promise<{ a: KeyManager; b: KeyManager; space: MemorySpace }> {
    const a = await openMemory({ seed: 1 });
    const kek = await a.keys.create({ name: "kek", ...KEK });
    await a.keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    const path = keyspace.key(parseId(kek.id));
    let left = times;
    const hooks: Hooks = {
      afterGet(key) {
        if (left === 0 || key.length !== path.length || !key.every((byte, i) => byte === path[i]))
          return undefined;
        left--;
        return a.keys.rotate("kek").then(async () => void (await a.keys.rewrap("kek")));
      },
    };
    const b = await openMemory({ storage: hooked(a.space, hooks), clock: a.clock, seed: 2 });
    return { a: a.keys, b: b.keys, space: a.space };
  }

  it("can be used: a miss counts only where the wrapping key has no version that was not looked under", async () => {
    const { b } = await replacedAtEveryRead(4);
    expect(await codeOf(b.encrypt("k", text("x")))).toBe("no error");
  });

  it("is destroyed with its material, wherever that has gone", async () => {
    const { a, b, space } = await replacedAtEveryRead(4);
    await a.deactivate("k");
    expect(await b.destroy("k")).toMatchObject({ erasure: "deleted" });
    const { id } = (await a.get("kek"))!;
    expect(await memoryStorage({ space }).count(ranges.materialUnder(parseId(id)))).toBe(0);
  });
});

describe("destroying a wrapping key while another process works", () => {
  const gateOf = async (space: MemorySpace, id: string): Promise<string | undefined> =>
    (await memoryStorage({ space }).get(keyspace.gate(parseId(id), 1)))?.version;

  it("refuses a key that was to be put under it after its gate closed", async () => {
    const a = await openMemory({ seed: 1 });
    const hooks: Hooks = {};
    const b = await openMemory({ storage: hooked(a.space, hooks), clock: a.clock, seed: 2 });
    await a.keys.create({ name: "kek", ...KEK });
    await b.keys.get("kek");
    // Everything is read, the gate was open; then, right before the commit, the version goes.
    hooks.beforeCommit = async () => {
      await a.keys.deactivate("kek");
      expect(await a.keys.destroy("kek")).toMatchObject({ shredded: 0 });
    };
    expect(await codeOf(b.keys.create({ name: "child", algorithm: AEAD, under: "kek" }))).toBe(
      "KEY_DESTROYED",
    );
    expect(await a.keys.get("child")).toBeNull();
  });

  it("is refused, with the count and the gate open again, when a key came in before it closed", async () => {
    const a = await openMemory({ seed: 1 });
    const b = await openMemory({ space: a.space, clock: a.clock, seed: 2 });
    const kek = await b.keys.create({ name: "kek", ...KEK });
    const hooks: Hooks = {};
    const c = await openMemory({ storage: hooked(a.space, hooks), clock: a.clock, seed: 3 });
    await b.keys.get("kek");
    await c.keys.deactivate("kek");
    // The first scan finds nothing; then a key is made by a process that has not yet heard of the deactivation.
    hooks.afterScan = async () => {
      await b.keys.createMany(3, { algorithm: AEAD, under: "kek" });
    };
    const before = await gateOf(a.space, kek.id);
    await expect(c.keys.destroy("kek")).rejects.toMatchObject({
      code: "KEY_HAS_DEPENDENTS",
      details: { dependents: 3, version: 1 },
    });
    expect(await gateOf(a.space, kek.id)).not.toBe(before);
    expect(await auditOperations(a.keys)).toEqual(
      expect.arrayContaining(["close-gate", "open-gate"]) as unknown as string[],
    );
    a.clock.advance(1001);
    for (const id of await ids(a.keys)) {
      expect(await a.keys.decrypt(await a.keys.encrypt(id, text("x")))).toEqual(text("x"));
    }
    // By name all of them go; their own destruction then is cryptographic.
    expect(await c.keys.destroy("kek", { cryptoShred: true })).toMatchObject({ shredded: 3 });
    a.clock.advance(1001);
    const [child] = await ids(a.keys);
    expect(await codeOf(a.keys.encrypt(child!, text("x")))).toBe("KEY_MATERIAL_MISSING");
    await a.keys.deactivate(child!);
    expect(await a.keys.destroy(child!)).toMatchObject({ erasure: "cryptographic" });
  });

  it("counts a key that came in while another process had the gate open again", async () => {
    const a = await openMemory({ seed: 1 });
    const shared = { space: a.space, clock: a.clock };
    const b = await openMemory({ ...shared, seed: 2 });
    const cHooks: Hooks = {};
    const c = await openMemory({ ...shared, storage: hooked(a.space, cHooks), seed: 3 });
    const dHooks: Hooks = {};
    const d = await openMemory({ ...shared, storage: hooked(a.space, dHooks), seed: 4 });
    await a.keys.create({ name: "kek", ...KEK });
    // B does not hear of the deactivation before its freshness is over.
    await b.keys.get("kek");
    await a.keys.deactivate("kek");
    const create = (name: string): Promise<string> =>
      codeOf(b.keys.create({ name, algorithm: AEAD, under: "kek" }));

    // C's first scan finds nothing. Then B puts a key in, and D, who shreds, closes the gate, scans, and waits.
    let shredding: ReturnType<KeyManager["destroy"]> | undefined;
    let goOn = (): void => undefined;
    cHooks.afterScan = async () => {
      expect(await create("first")).toBe("no error");
      await new Promise<void>((waits) => {
        dHooks.beforeCommit = async () => {
          dHooks.beforeCommit = () => {
            waits();
            return new Promise((resolve) => (goOn = resolve));
          };
        };
        shredding = d.keys.destroy("kek", { cryptoShred: true });
      });
    };
    // C's second scan finds it: C opens the gate again, and another key comes in.
    expect(await codeOf(c.keys.destroy("kek"))).toBe("KEY_HAS_DEPENDENTS");
    expect(await create("second")).toBe("no error");
    goOn();
    expect(await shredding).toMatchObject({ shredded: 2 });
  });
});
