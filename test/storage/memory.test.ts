import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { compareBytes, type Entry, type Mutation, type StorageReads } from "../../sdk/storage/adapter.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import { commitId } from "../../sdk/storage/conformance-kit.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { MemorySpace, memoryStorage } from "../../sdk/storage/memory.js";

async function factory() {
  const space = new MemorySpace();
  return {
    storage: memoryStorage({ space }),
    reopen: async () => memoryStorage({ space }),
    second: async () => memoryStorage({ space }),
  };
}

storageConformance({ test: it, expect, name: "memory", factory });

storageConformance({
  test: it,
  name: "memory behind a quiet fault layer",
  factory: async () => ({ storage: faultyStorage(memoryStorage(), []) }),
  lacks: ["reopen", "second"],
});

storageConformance({
  test: it,
  expect,
  name: "memory with the narrowest limits",
  factory: async () => ({ storage: memoryStorage({ limits: { maxChecks: 64, maxMutations: 64 } }) }),
  lacks: ["reopen", "second"],
});

type Model = Map<string, { key: Uint8Array; value: Uint8Array }>;

describe("memory storage against a plain map", () => {
  // Few distinct keys, so that puts, deletes and re-puts meet each other.
  const key = fc
    .array(fc.constantFrom(0, 1, 127, 128, 255), { minLength: 1, maxLength: 4 })
    .map((k) => Uint8Array.from(k));
  const mutation = fc.record({ key, value: fc.uint8Array({ maxLength: 3 }), remove: fc.boolean() });
  const commits = fc.array(fc.array(mutation, { maxLength: 40 }), { maxLength: 12 });

  it("lists, gets and keeps snapshots as the map does after every commit", async () => {
    await fc.assert(
      fc.asyncProperty(
        commits,
        key,
        key,
        fc.boolean(),
        fc.nat(9),
        async (batches, start, end, reverse, snapshotAt) => {
          const storage = memoryStorage();
          const model: Model = new Map();
          let frozen: { model: Model; reads: StorageReads } | null = null;
          for (const [i, batch] of batches.entries()) {
            if (i === snapshotAt) frozen = { model: new Map(model), reads: await storage.snapshot!() };
            const unique = new Map(batch.map((one) => [String(one.key), one]));
            const mutations = [...unique.values()].map((one): Mutation =>
              one.remove ? { kind: "delete", key: one.key } : { kind: "put", key: one.key, value: one.value },
            );
            for (const one of unique.values()) {
              if (one.remove) model.delete(String(one.key));
              else model.set(String(one.key), one);
            }
            await storage.commit({ id: commitId(), checks: [], mutations });
            for (const view of frozen === null
              ? [{ model, reads: storage }]
              : [{ model, reads: storage }, frozen]) {
              await expectSame(view.reads, view.model, start, end, reverse);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("keeps its order over many chunks of scattered, rising and deleted keys", async () => {
    const storage = memoryStorage();
    const model: Model = new Map();
    let state = 1;
    const random = (below: number): number => (state = (Math.imul(state, 48271) >>> 0) % 0x7fffffff) % below;
    for (let round = 0; round < 60; round++) {
      const mutations = new Map<string, Mutation>();
      for (let i = 0; i < 150; i++) {
        const rising = Uint8Array.from([1, round, i]);
        const scattered = Uint8Array.from([2, random(8), random(40)]);
        const old = Uint8Array.from([1, random(round + 1), random(150)]);
        for (const put of [rising, scattered])
          mutations.set(String(put), { kind: "put", key: put, value: put });
        if (i % 2 === 0) mutations.set(String(old), { kind: "delete", key: old });
      }
      for (const [name, mutation] of mutations) {
        if (mutation.kind === "put") model.set(name, mutation);
        else model.delete(name);
      }
      await storage.commit({ id: commitId(), checks: [], mutations: [...mutations.values()] });
      const start = Uint8Array.from([1, random(60)]);
      await expectSame(storage, model, start, Uint8Array.from([2, random(8)]), round % 2 === 0);
    }
    await expectSame(storage, model, new Uint8Array(0), Uint8Array.from([255]), false);
    expect(model.size).toBeGreaterThan(3000);
  });
});

async function expectSame(
  reads: StorageReads,
  model: Model,
  start: Uint8Array,
  end: Uint8Array,
  reverse: boolean,
) {
  const expected = [...model.values()]
    .filter(({ key }) => compareBytes(start, key) <= 0 && compareBytes(key, end) < 0)
    .sort((a, b) => compareBytes(a.key, b.key) * (reverse ? -1 : 1));
  const listed: Entry[] = [];
  for await (const entry of reads.list({ start, end }, { reverse })) listed.push(entry);
  expect(listed.map(({ key, value }) => [[...key], [...value]])).toEqual(
    expected.map(({ key, value }) => [[...key], [...value]]),
  );
  const keys = [...expected.map(({ key }) => key), start, end];
  const got = await reads.getMany(keys);
  expect(got.map((entry) => entry && [...entry.value])).toEqual(
    keys.map((key) => {
      const found = model.get(String(key));
      return found === undefined ? null : [...found.value];
    }),
  );
}

describe("memory storage", () => {
  it("hands out bytes that stay as they were when the entry is put again", async () => {
    const storage = memoryStorage();
    const key = Uint8Array.from([1]);
    const put = (value: number) =>
      storage.commit({
        id: commitId(),
        checks: [],
        mutations: [{ kind: "put", key, value: Uint8Array.from([value]) }],
      });
    await put(1);
    const before = await storage.get(key);
    await put(2);
    expect([...before!.value]).toEqual([1]);
  });

  it("answers calls of next that don't wait for each other in order", async () => {
    const storage = memoryStorage();
    const mutations = Array.from({ length: 100 }, (_, i): Mutation => {
      return { kind: "put", key: Uint8Array.from([i]), value: new Uint8Array(0) };
    });
    await storage.commit({ id: commitId(), checks: [], mutations });
    const iterator = storage.list({ start: new Uint8Array(0), end: null })[Symbol.asyncIterator]();
    const results = await Promise.all(Array.from({ length: 102 }, () => iterator.next()));
    expect(results.map(({ done, value }) => (done === true ? null : (value as Entry).key[0]))).toEqual([
      ...mutations.map(({ key }) => key[0]),
      null,
      null,
    ]);
  });

  it("a space outlives its adapters, and two spaces share nothing", async () => {
    const space = new MemorySpace();
    const first = memoryStorage({ space });
    const key = Uint8Array.from([1]);
    await first.commit({ id: commitId(), checks: [], mutations: [{ kind: "put", key, value: key }] });
    await first.close();
    expect(await memoryStorage({ space }).get(key)).not.toBeNull();
    expect(await memoryStorage().get(key)).toBeNull();
  });

  it("refuses what is no bytes", async () => {
    const storage = memoryStorage();
    await expect(storage.get("a" as never)).rejects.toThrow(TypeError);
    await expect(
      storage.commit({
        id: commitId(),
        checks: [],
        mutations: [{ kind: "put", key: commitId(), value: "a" as never }],
      }),
    ).rejects.toThrow(TypeError);
    expect(() => storage.list({ start: "a" as never, end: null })).toThrow(TypeError);
  });
});
