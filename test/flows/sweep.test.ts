/** Dates that are set and reached, the sweep that writes down what they did, and the clock that both go by. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Key, KeyManager } from "../../sdk/index.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { parseRecord } from "../../sdk/crypto/records.js";
import { decodeHistory } from "../../sdk/keys/history.js";
import { MIN_CHECKS, MIN_MUTATIONS } from "../../sdk/storage/adapter.js";
import { keyspace, PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "./support.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let keys: KeyManager;
let clock: VirtualClock;
let space: MemorySpace;
let start: number;

beforeEach(async () => {
  ({ keys, clock, space } = await openMemory());
  start = clock.now();
});

const at = (ms: number): Date => new Date(start + ms);
const versionOf = async (name: string, index = 0): Promise<Key["versions"][number]> =>
  (await keys.get(name))!.versions[index]!;

async function count(prefix: number): Promise<number> {
  let found = 0;
  for await (const { key } of memoryStorage({ space }).list(ranges.everything(), { keysOnly: true }))
    if (key[0] === prefix) found++;
  return found;
}

describe("setting dates", () => {
  it("moves what lies ahead, and a key's state follows them", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: null });
    await keys.setDates("k", { activation: at(10), protectStop: at(20), deactivation: at(30) });
    clock.advance(10);
    const sealed = await keys.encrypt("k", text("x"));
    await keys.setDates("k", { protectStop: at(15), processStart: at(18) });
    clock.advance(5);
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_NOT_USABLE");
    clock.advance(3);
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    await keys.setDates("k", { deactivation: null });
    clock.advance(100);
    expect(await versionOf("k")).toMatchObject({ state: "active", dates: { protectStop: at(15) } });
    expect((await versionOf("k")).dates).not.toHaveProperty("deactivation");
    expect(await auditOperations(keys)).toContain("set-dates");
  });

  it("is refused for what has been reached, for states that have left a date behind, and out of order", async () => {
    const dates = { activation: at(10), processStart: at(20), protectStop: at(30), deactivation: at(40) };
    await keys.create({ name: "k", algorithm: AEAD, ...dates });
    const set = (more: Parameters<KeyManager["setDates"]>[1]): Promise<string> =>
      codeOf(async () => keys.setDates("k", more));
    expect(await set({})).toBe("KEY_INVALID_OPTION");
    expect(await set({ activation: at(-1) })).toBe("KEY_INVALID_OPTION");
    expect(await set({ activation: at(25) })).toBe("KEY_INVALID_OPTION");
    expect(await set({ protectStop: at(41) })).toBe("KEY_INVALID_OPTION");
    clock.advance(10);
    expect(await set({ activation: at(15) })).toBe("KEY_DATE_FROZEN");
    expect(await set({ processStart: at(15) })).toBe("no error");
    clock.advance(5);
    expect(await set({ processStart: at(25) })).toBe("KEY_DATE_FROZEN");
    expect(await set({ processStart: null })).toBe("KEY_DATE_FROZEN");
    await keys.suspend("k");
    expect(await set({ deactivation: at(50) })).toBe("KEY_DATE_FROZEN");
    expect(await set({ protectStop: at(35) })).toBe("no error");
    await keys.resume("k");
    clock.advance(20);
    expect(await set({ protectStop: at(38) })).toBe("KEY_DATE_FROZEN");
    expect(await set({ deactivation: at(50) })).toBe("no error");
    clock.advance(15);
    await expect(keys.setDates("k", { deactivation: at(60) })).rejects.toMatchObject({
      code: "KEY_DATE_FROZEN",
      details: { date: "deactivation", state: "deactivated" },
    });
  });

  // The order of all dates was checked, so the one that activating had left behind stood in the way of every other.
  it("minds only the dates that it sets", async () => {
    await keys.create({
      name: "k",
      algorithm: AEAD,
      activation: null,
      processStart: at(1),
      protectStop: at(3),
    });
    clock.advance(5);
    await keys.activate("k");
    expect((await keys.setDates("k", { deactivation: at(50) })).versions[0]!.dates.deactivation).toEqual(
      at(50),
    );
    expect(await codeOf(keys.setDates("k", { protectStop: at(60) }))).toBe("KEY_DATE_FROZEN");
  });

  it("reaches other processes within their freshness", async () => {
    const other = (await openMemory({ space, clock, seed: 9 })).keys;
    await keys.create({ name: "k", algorithm: AEAD });
    await other.encrypt("k", text("x"));
    await keys.setDates("k", { protectStop: at(500) });
    clock.advance(1001);
    expect(await codeOf(other.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
  });
});

describe("a cryptoperiod", () => {
  it("sets protect-stop and deactivation from the activation on, and a successor has one of its own", async () => {
    const activation = new Date("2032-02-29T12:00:00Z");
    const utc = (date: Date | undefined): string | undefined => date?.toISOString().slice(0, 10);
    const key = await keys.create({ name: "k", algorithm: AEAD, activation, cryptoperiod: "data" });
    const { dates } = key.versions[0]!;
    expect([utc(dates.protectStop), utc(dates.deactivation)]).toEqual(["2034-03-01", "2037-03-01"]);
    const other = await keys.create({ algorithm: AEAD, cryptoperiod: "master", deactivation: at(DAY * 500) });
    expect(other.versions[0]!.dates).toMatchObject({
      protectStop: new Date(Date.UTC(2031, 0, 1)),
      deactivation: at(DAY * 500),
    });
    expect((await keys.rotate(other, { offsetMs: DAY })).versions[1]!.dates.protectStop).toEqual(
      new Date(Date.UTC(2031, 0, 2)),
    );
    const job = keys.createMany(2, { algorithm: AEAD, cryptoperiod: "signature" });
    await job;
    clock.advance(5);
    const again = { algorithm: AEAD, cryptoperiod: "signature", job: job.id } as const;
    expect(await keys.createMany(2, again)).toMatchObject({ created: 2 });
  });

  it("needs a beginning, and a name that exists", async () => {
    const create = (more: object): Promise<string> => codeOf(keys.create({ algorithm: AEAD, ...more }));
    expect(await create({ cryptoperiod: "data", activation: null })).toBe("KEY_INVALID_OPTION");
    expect(await create({ cryptoperiod: "forever" })).toBe("KEY_INVALID_OPTION");
    expect(await create({ cryptoperiod: "data", protectStop: at(DAY * 9999) })).toBe("KEY_INVALID_OPTION");
  });
});

describe("a sweep", () => {
  it("writes down what dates did, each dated by itself, and clears the index of due dates", async () => {
    const { id } = await keys.create({
      name: "k",
      algorithm: AEAD,
      activation: at(10),
      deactivation: at(20),
    });
    await keys.create({ name: "later", algorithm: AEAD, deactivation: at(9999) });
    await keys.create({ name: "never", algorithm: AEAD, activation: null, deactivation: at(5) });
    clock.advance(100);
    const before = await keys.list();
    const job = keys.sweep();
    expect(await job).toEqual({ job: job.id, moved: 1, exposed: 0 });
    expect(await keys.list()).toEqual(before);
    expect(await versionOf("k")).toMatchObject({ state: "deactivated", cause: "expired" });
    const entries: unknown[] = [];
    for await (const { value } of memoryStorage({ space }).list(ranges.history(parseId(id), 1))) {
      const { event, at: when, recorded } = decodeHistory(parseRecord(value).body);
      entries.push([event, when - start, recorded - start]);
    }
    expect(entries).toEqual([
      ["create", 0, 0],
      ["activation-due", 10, 100],
      ["deactivation-due", 20, 100],
    ]);
    // Of a version that waits for a person, the end waits with it.
    expect(await count(PREFIX.indexDue)).toBe(2);
    expect(await keys.sweep()).toMatchObject({ moved: 0 });
    expect(await keys.sweep({ job: job.id })).toMatchObject({ moved: 1 });
  });

  it("takes many keys and many versions of one, in a store that takes little at once", async () => {
    const limits = { maxChecks: MIN_CHECKS, maxMutations: MIN_MUTATIONS };
    const { keys: narrow } = await openMemory({ storage: memoryStorage({ limits }), clock });
    await narrow.createMany(30, { algorithm: AEAD, activation: at(10), deactivation: at(20) });
    await narrow.create({ name: "k", algorithm: AEAD, deactivation: at(30) });
    for (let i = 0; i < 20; i++) await narrow.rotate("k");
    clock.advance(60);
    const seen: number[] = [];
    const job = narrow.sweep();
    for await (const { done } of job) seen.push(done);
    expect(await job).toMatchObject({ moved: 51 });
    expect(seen.length).toBeGreaterThan(2);
    expect((await narrow.list({ state: "active" })).keys).toEqual([]);
  });

  it("is resumed where it was cancelled, and shares its work with one that runs beside it", async () => {
    await keys.createMany(300, { algorithm: AEAD, deactivation: at(10) });
    clock.advance(20);
    const job = keys.sweep();
    const cancelled = codeOf(async () => {
      for await (const { done } of job) if (done > 0) job.cancel();
    });
    expect(await cancelled).toBe("JOB_CANCELLED");
    expect(await keys.sweep({ job: job.id })).toMatchObject({ moved: 300 });
    await keys.createMany(300, { algorithm: AEAD, deactivation: at(30) });
    clock.advance(20);
    const other = (await openMemory({ space, clock, seed: 4 })).keys;
    const both = await Promise.all([keys.sweep(), other.sweep()]);
    expect(both[0].moved + both[1].moved).toBe(300);
  });

  it("takes away entries that no key confirms", async () => {
    const key = await keys.create({ name: "k", algorithm: AEAD });
    const stray = [
      keyspace.indexDue(start + 1, parseId(key.id), 1),
      keyspace.indexDue(start + 2, new Uint8Array(16).fill(7), 1),
    ];
    await memoryStorage({ space }).commit({
      id: new Uint8Array(16),
      checks: [],
      mutations: stray.map((entry) => ({ kind: "put", key: entry, value: new Uint8Array(0) })),
    });
    clock.advance(10);
    expect(await keys.sweep()).toMatchObject({ moved: 0 });
    expect(await count(PREFIX.indexDue)).toBe(0);
    expect((await versionOf("k")).state).toBe("active");
  });

  it("finishes the marking that an interrupted revocation left", async () => {
    const kek = await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    await keys.revoke("kek", { reason: "key-compromise" });
    await keys.create({ name: "other", ...KEK });
    const entry = {
      kind: "put",
      key: keyspace.indexExposing(parseId(kek.id), 1),
      value: new Uint8Array(0),
    } as const;
    const forged = { ...entry, key: keyspace.indexExposing(parseId((await keys.get("other"))!.id), 1) };
    await keys.create({ name: "clean", algorithm: AEAD, under: "other" });
    const storage = memoryStorage({ space });
    await storage.commit({ id: new Uint8Array(16), checks: [], mutations: [entry, forged] });
    expect(await keys.sweep()).toMatchObject({ exposed: 0 });
    expect((await versionOf("k")).exposed).toBe(true);
    expect((await versionOf("clean")).exposed).toBe(false);
    expect(await count(PREFIX.indexExposing)).toBe(0);
  });
});

describe("a clock", () => {
  it("that steps back takes nothing back once a sweep has been, here or elsewhere", async () => {
    await keys.create({ name: "k", algorithm: AEAD, deactivation: at(10) });
    const slow = await openMemory({ space, seed: 6 });
    slow.clock.set(start);
    clock.advance(20);
    expect((await slow.keys.get("k"))!.versions[0]!.state).toBe("active");
    await keys.sweep();
    clock.set(start - DAY);
    expect((await versionOf("k")).state).toBe("deactivated");
    slow.clock.advance(1001);
    slow.clock.set(start);
    expect((await slow.keys.get("k"))!.versions[0]!.state).toBe("deactivated");
    await slow.keys.create({ name: "new", algorithm: AEAD });
    expect((await slow.keys.get("new"))!.versions[0]!.dates.initial).toEqual(at(20));
  });

  it("that leaps ahead can't expire a store: what can't be undone waits for an administrator", async () => {
    await keys.create({ name: "k", algorithm: AEAD, deactivation: at(40 * DAY) });
    await keys.create({ name: "other", algorithm: AEAD });
    await keys.create({ name: "waits", algorithm: AEAD, activation: null });
    const sealed = await keys.encrypt("other", text("x"));
    const year = 365 * DAY;
    clock.advance(year);
    const refused: (() => PromiseLike<unknown>)[] = [
      () => keys.sweep(),
      () => keys.deactivate("other"),
      () => keys.deactivate("other", { versions: "all" }),
      () => keys.revoke("other", { reason: "key-compromise" }),
      () => keys.suspend("other"),
      () => keys.archive("other"),
      () => keys.activate("waits"),
      () => keys.rotate("other"),
      () => keys.destroy("waits"),
      () => keys.setDates("other", { deactivation: null }),
    ];
    for (const run of refused) expect(await codeOf(run)).toBe("CLOCK_AHEAD");
    await expect(keys.rotate("other")).rejects.toMatchObject({
      details: { clock: start + year, mark: start },
    });
    // Everybody believes the clock as long as nothing is written: use is refused, and comes back.
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    clock.set(start + 1);
    expect(await keys.decrypt(await keys.encrypt("k", text("x")))).toEqual(text("x"));
    clock.set(start + year);
    expect(await keys.confirmClock()).toEqual({ from: at(0), to: at(year) });
    expect(await keys.sweep()).toMatchObject({ moved: 1 });
    for (const run of refused.slice(1, 2)) expect(await codeOf(run)).toBe("no error");
    const operations = await auditOperations(keys);
    expect(operations.filter((operation) => operation === "confirm-clock")).toHaveLength(1);
    clock.set(start);
    expect((await versionOf("k")).state).toBe("deactivated");
    expect(await keys.confirmClock()).toEqual({ from: at(year), to: at(year) });
  });

  it("of a store that lay idle is believed for a month, when nothing fell due meanwhile", async () => {
    await keys.create({ name: "k", algorithm: AEAD, deactivation: at(50 * DAY) });
    clock.advance(30 * DAY);
    await keys.rotate("k");
    expect(await auditOperations(keys)).toContain("mark");
    clock.advance(30 * DAY);
    // Now the end of version 1 lies between.
    expect(await codeOf(keys.rotate("k"))).toBe("CLOCK_AHEAD");
    await keys.confirmClock();
    expect(await codeOf(keys.rotate("k"))).toBe("no error");
    clock.advance(32 * DAY);
    expect(await codeOf(keys.rotate("k"))).toBe("CLOCK_AHEAD");
  });

  // For as long as it was fresh, a manager took the store's mark for what it had last heard.
  it("that steps back elsewhere moves nothing that a sweep has seen reached", async () => {
    const other = (await openMemory({ space, clock, seed: 6 })).keys;
    await keys.create({ name: "k", algorithm: AEAD, protectStop: at(10) });
    await other.encrypt("k", text("x"));
    clock.advance(20);
    await keys.sweep();
    clock.set(start);
    expect(await codeOf(other.setDates("k", { protectStop: at(50) }))).toBe("KEY_DATE_FROZEN");
    expect((await other.create({ name: "new", algorithm: AEAD })).versions[0]!.dates.initial).toEqual(at(20));
  });

  // The mark followed the clock before the command was looked at, so that a refusal wrote all the same.
  it("is followed by no mark when the command that looked at it is refused", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const stored = async (): Promise<unknown[]> => {
      const all: unknown[] = [];
      for await (const { key, value } of memoryStorage({ space }).list(ranges.everything()))
        all.push([key.slice(), value.slice()]);
      return all;
    };
    const before = await stored();
    clock.advance(2 * HOUR);
    const refused: (() => PromiseLike<unknown>)[] = [
      () => keys.activate("k"),
      () => keys.resume("k"),
      () => keys.recover("k"),
      () => keys.destroy("k"),
      () => keys.rotate("nobody"),
      () => keys.deactivate("nobody", { versions: "all" }),
      () => keys.setDates("k", { activation: at(DAY) }),
      () => keys.exportInsecureCleartext("k"),
    ];
    for (const run of refused) expect(await codeOf(run)).not.toBe("no error");
    expect(await stored()).toEqual(before);
    await keys.suspend("k");
    expect(await auditOperations(keys)).toContain("mark");
  });

  it("of a store in use is followed by the mark, by changes once an hour and by every sweep", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const marks = async (): Promise<number> =>
      (await auditOperations(keys)).filter((operation) => operation === "mark").length;
    await keys.suspend("k");
    clock.advance(HOUR);
    await keys.resume("k");
    expect(await marks()).toBe(0);
    clock.advance(1);
    await keys.suspend("k");
    await keys.resume("k");
    expect(await marks()).toBe(1);
    for (let day = 0; day < 40; day++) {
      clock.advance(DAY);
      await keys.sweep();
    }
    expect(await marks()).toBe(41);
    await keys.rotate("k");
  });
});
