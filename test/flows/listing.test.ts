/** Look-ups through the indexes: merged ranges, pages, cursors, and what is believed. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { STATE_NAMES, type Key, type KeyManager, type ListOptions } from "../../sdk/index.js";
import { parseId } from "../../sdk/foundation/ids.js";
import type { StorageAdapter } from "../../sdk/storage/adapter.js";
import { keyspace } from "../../sdk/storage/keyspace.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory } from "./support.js";

let keys: KeyManager;
let clock: VirtualClock;
let space: MemorySpace;
let start: number;

beforeEach(async () => {
  ({ keys, clock, space } = await openMemory());
  start = clock.now();
});

const at = (ms: number): Date => new Date(start + ms);

async function all(options: ListOptions, manager = keys): Promise<Key[]> {
  const found: Key[] = [];
  let cursor: string | undefined;
  do {
    const page = await manager.list({ ...options, cursor });
    found.push(...page.keys);
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

const names = async (options: ListOptions): Promise<(string | undefined)[]> =>
  (await all(options)).map(({ name }) => name);

describe("a look-up", () => {
  it("goes by tag, owner, wrapping key, exposure, archiving, algorithm and state, and by several at once", async () => {
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "a", algorithm: AEAD, tags: ["red"], under: "kek" });
    await keys.create({ name: "b", algorithm: "HMAC-SHA256", tags: ["red", "blue"], under: "kek" });
    await keys.create({ name: "c", algorithm: AEAD, tags: ["blue"] });
    await keys.rotate("kek");
    await keys.rotate("a");
    await keys.archive("c");
    expect(await names({ tag: "red" })).toEqual(["a", "b"]);
    expect(await names({ tag: "red", algorithm: AEAD })).toEqual(["a"]);
    expect(await names({ under: "kek" })).toEqual(["a", "b"]);
    expect(await names({ under: "kek", tag: "blue" })).toEqual(["b"]);
    expect(await names({ archived: true })).toEqual(["c"]);
    expect(await names({ archived: false, tag: "blue" })).toEqual(["b"]);
    const { owner } = (await keys.get("a"))!;
    expect(await names({ owner })).toEqual(["kek", "a", "b", "c"]);
    expect(await names({ owner: "01890000-0000-7000-8000-000000000001" })).toEqual([]);
    expect(await codeOf(keys.list({ owner: "me" }))).toBe("KEY_INVALID_OPTION");
    expect(await names({ exposed: true })).toEqual([]);
    await keys.revoke("kek", { reason: "key-compromise", version: 1 });
    expect(await names({ exposed: true })).toEqual(["a", "b"]);
    expect(await names({ exposed: true, algorithm: AEAD, state: "active" })).toEqual(["a"]);
    expect(await names({ state: "compromised" })).toEqual(["kek"]);
    // A key with versions in several states, under several wrapping versions, is listed once.
    expect(await names({ state: "active", under: "kek" })).toEqual(["a", "b"]);
    await keys.deactivate("b");
    await keys.destroy("b");
    expect(await names({ under: "kek" })).toEqual(["a"]);
    expect(await names({ state: "destroyed" })).toEqual(["b"]);
  });

  it("by state keeps the time of its first page, through changes of the clock and a sweep", async () => {
    await keys.createMany(5, { algorithm: AEAD, deactivation: at(10) });
    await keys.createMany(5, { algorithm: AEAD, activation: at(5) });
    clock.advance(7);
    const first = await keys.list({ state: "active", limit: 4 });
    clock.advance(10);
    const second = await keys.list({ state: "active", limit: 3, cursor: first.cursor! });
    await keys.sweep();
    // What has been written down since is later than the listing's time: it is seen as it is now.
    const rest = await keys.list({ state: "active", cursor: second.cursor! });
    expect([first, second].map((page) => page.keys.map(({ versions }) => versions[0]!.state))).toEqual([
      ["active", "active", "active", "active"],
      ["active", "active", "active"],
    ]);
    expect(rest.keys).toHaveLength(3);
    expect(await all({ state: "active" })).toHaveLength(5);
    expect(await all({ state: "deactivated" })).toHaveLength(5);
  });

  it("refuses the cursor of another look-up, and what is none", async () => {
    await keys.createMany(3, { algorithm: AEAD, tags: ["t"] });
    const cursor = (await keys.list({ tag: "t", limit: 1 })).cursor!;
    const list = (options: ListOptions): Promise<string> => codeOf(keys.list(options));
    expect(await list({ tag: "t", cursor })).toBe("no error");
    for (const other of [
      {},
      { tag: "u" },
      { tag: "t", state: "active" },
      { tag: "t", archived: false },
    ] as const)
      expect(await list({ ...other, cursor })).toBe("KEY_INVALID_OPTION");
    for (const wrong of ["", "00", "zz", `${cursor}00`, `02${cursor.slice(2)}`])
      expect(await list({ tag: "t", cursor: wrong })).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.due({ cursor }))).toBe("KEY_INVALID_OPTION");
  });

  it("believes no index entry that the record does not confirm", async () => {
    const { id, owner } = await keys.create({ name: "k", algorithm: AEAD });
    const key = parseId(id);
    const forged = [
      keyspace.indexTag("t", key),
      keyspace.indexState(6, key, 1),
      keyspace.indexExposed(key, 1),
      keyspace.indexOwner(parseId(owner), new Uint8Array(16).fill(9)),
      keyspace.indexDue(start + 5, key, 1),
    ];
    await memoryStorage({ space }).commit({
      id: new Uint8Array(16),
      checks: [],
      mutations: forged.map((entry) => ({ kind: "put", key: entry, value: new Uint8Array(0) })),
    });
    for (const options of [{ tag: "t" }, { state: "destroyed" }, { exposed: true }] as const)
      expect(await all(options)).toEqual([]);
    expect(await all({ owner })).toHaveLength(1);
    expect((await keys.due()).due).toEqual([]);
  });

  it("examines no more than it says, and goes on in the next page", async () => {
    await keys.createMany(9_000, { algorithm: AEAD, activation: null });
    await keys.createMany(3_000, { algorithm: AEAD });
    await keys.create({ name: "last", algorithm: "HMAC-SHA256" });
    const listed: number[] = [];
    const inner = memoryStorage({ space });
    const counting: StorageAdapter = {
      ...inner,
      capabilities: inner.capabilities,
      get: (key) => inner.get(key),
      getMany: (wanted) => {
        listed.push(wanted.length);
        return inner.getMany(wanted);
      },
      list: (range, options) => inner.list(range, options),
      count: (range) => inner.count(range),
      commit: (commit) => inner.commit(commit),
      close: () => inner.close(),
    };
    const { keys: reader } = await openMemory({ storage: counting, clock, create: false });
    const page = await reader.list({ state: "active", algorithm: "HMAC-SHA256" });
    expect(page).toMatchObject({ keys: [], cursor: expect.any(String) });
    const sum = listed.reduce((total, count) => total + count, 0);
    expect(sum).toBeGreaterThan(9_000);
    expect(sum).toBeLessThan(10_100);
    expect(await all({ state: "active", algorithm: "HMAC-SHA256" }, reader)).toHaveLength(1);
    // And reads no more than it needs where everything matches.
    listed.length = 0;
    expect((await reader.list({ state: "pre-active", limit: 5 })).keys).toHaveLength(5);
    expect(listed.reduce((total, count) => total + count, 0)).toBeLessThan(20);
  });
});

describe("due dates", () => {
  it("are listed in their order, with the key and the version that they move, in pages", async () => {
    await keys.create({ name: "a", algorithm: AEAD, activation: at(30), deactivation: at(40) });
    await keys.create({ name: "b", algorithm: AEAD, deactivation: at(10) });
    await keys.create({ name: "c", algorithm: AEAD, deactivation: at(30) });
    await keys.create({ name: "d", algorithm: AEAD, protectStop: at(5) });
    const due = async (options: Parameters<KeyManager["due"]>[0]): Promise<unknown[]> =>
      (await keys.due(options)).due.map((one) => [one.at.getTime() - start, one.key.name, one.version]);
    const everything = [
      [10, "b", 1],
      [30, "a", 1],
      [30, "c", 1],
      [40, "a", 1],
    ];
    expect(await due({})).toEqual(everything);
    expect(await due({ from: at(11), until: at(30) })).toEqual(everything.slice(1, 3));
    const first = await keys.due({ limit: 2 });
    expect(await due({ cursor: first.cursor! })).toEqual(everything.slice(2));
    expect(await codeOf(keys.due({ from: at(50), cursor: first.cursor! }))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.due({ limit: 0 }))).toBe("KEY_INVALID_OPTION");
    clock.advance(10);
    // What has passed is there until a sweep.
    expect(await due({ until: at(20) })).toHaveLength(1);
    await keys.sweep();
    expect(await due({})).toEqual(everything.slice(1));
  });
});

it("pages of any length give together what one page gives", { timeout: 120_000 }, async () => {
  await keys.create({ name: "kek", ...KEK });
  for (let i = 0; i < 24; i++) {
    const name = `k${i}`;
    await keys.create({
      name,
      algorithm: AEAD,
      tags: i % 2 === 0 ? ["even"] : [],
      under: i % 3 === 0 ? "kek" : undefined,
      activation: i % 5 === 0 ? at(10 + i) : undefined,
      deactivation: i % 4 === 0 ? at(20 + i) : undefined,
    });
    if (i % 4 === 1 && i % 5 !== 0) await keys.rotate(name);
    if (i % 6 === 1 && i % 5 !== 0) await keys.suspend(name);
    if (i % 7 === 1) await keys.revoke(name, { reason: "key-compromise", version: 1 });
    if (i === 12) await keys.rotate("kek");
  }
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 0, max: 60 }),
      fc.option(fc.constantFrom(...STATE_NAMES), { nil: undefined }),
      fc.record(
        { tag: fc.constant("even"), under: fc.constant("kek"), archived: fc.constant(false) },
        { requiredKeys: [] },
      ),
      async (limit, now, state, more) => {
        clock.set(start + now);
        const options: ListOptions = { ...more, ...(state === undefined ? {} : { state }) };
        const paged = await all({ ...options, limit });
        const whole = (await keys.list({ ...options, limit: 1000 })).keys;
        expect(paged.map(({ id }) => id)).toEqual(whole.map(({ id }) => id));
        // And that is what looking at every key finds.
        const every = (await keys.list({ limit: 1000 })).keys.filter(
          (key) =>
            (state === undefined || key.versions.some((version) => version.state === state)) &&
            (more.tag === undefined || key.tags.includes("even")) &&
            (more.under === undefined || key.wrappedBy !== null),
        );
        expect(whole.map(({ id }) => id)).toEqual(every.map(({ id }) => id));
      },
    ),
    { numRuns: 150 },
  );
});
