import { beforeEach, describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import { PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory, text } from "./support.js";

let keys: KeyManager;
let clock: VirtualClock;
let space: MemorySpace;

beforeEach(async () => {
  ({ keys, clock, space } = await openMemory());
});

const inMs = (ms: number): Date => new Date(clock.now() + ms);
const states = async (name: string): Promise<string[]> =>
  (await keys.get(name))!.versions.map(({ state }) => state);

async function dueEntries(): Promise<number> {
  let count = 0;
  for await (const { key } of memoryStorage({ space }).list(ranges.everything(), { keysOnly: true })) {
    if (key[0] === PREFIX.indexDue) count++;
  }
  return count;
}

describe("two dates on one instant", () => {
  // They had two equal entries in the index of due dates, and a commit takes no key twice.
  it("are one entry in the index, for one key and for many", async () => {
    const at = inMs(50);
    await keys.create({ name: "k", algorithm: AEAD, activation: at, deactivation: at });
    expect(await dueEntries()).toBe(1);
    expect(await keys.createMany(3, { algorithm: AEAD, activation: at, deactivation: at })).toMatchObject({
      created: 3,
    });
    expect(await dueEntries()).toBe(4);
    clock.advance(50);
    expect(await states("k")).toEqual(["deactivated"]);
    await keys.destroy("k");
    expect(await dueEntries()).toBe(3);
  });

  it("do not stop a rotation whose successor has them", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    await keys.deactivate("k");
    expect((await keys.rotate("k", { offsetMs: 40 })).versions[1]).toMatchObject({ state: "pre-active" });
  });
});

describe("a version whose end has passed", () => {
  // Activating it put the activation behind the deactivation, and a successor's state then depended on who looked.
  it("can't be activated any more, only destroyed", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: null, deactivation: inMs(10) });
    clock.advance(9);
    expect(await states("k")).toEqual(["pre-active"]);
    clock.advance(1);
    let thrown: unknown;
    try {
      await keys.activate("k");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: "KEY_TRANSITION_NOT_ALLOWED",
      details: { state: "pre-active", event: "activate", instead: "destroy" },
    });
    expect(await states("k")).toEqual(["pre-active"]);
    expect((await keys.destroy("k")).key.versions[0]!.state).toBe("destroyed");
  });

  it("can be, up to the last moment before it", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: null, deactivation: inMs(10) });
    clock.advance(9);
    await keys.activate("k");
    await keys.encrypt("k", text("x"));
    clock.advance(1);
    expect(await states("k")).toEqual(["deactivated"]);
  });
});

describe("a key made with dates that have passed", () => {
  it("is in the state that they lead to, and says why", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: inMs(-20), deactivation: inMs(-10) });
    expect((await keys.get("k"))!.versions[0]).toMatchObject({ state: "deactivated", cause: "expired" });
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    await keys.destroy("k");
    expect(await states("k")).toEqual(["destroyed"]);
  });

  it("protects while only its activation and process-start have", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: inMs(-20), processStart: inMs(-10) });
    expect(await keys.decrypt(await keys.encrypt("k", text("x")))).toEqual(text("x"));
  });
});

describe("a wrapping key's dates", () => {
  it("end its wrapping, not the use of what it wrapped", async () => {
    await keys.create({ name: "kek", ...KEK, protectStop: inMs(10), deactivation: inMs(20) });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    const sealed = await keys.encrypt("k", text("x"));
    clock.advance(10);
    expect(await codeOf(keys.create({ algorithm: AEAD, under: "kek" }))).toBe("KEY_NOT_USABLE");
    expect(await codeOf(keys.rotate("k"))).toBe("KEY_NOT_USABLE");
    clock.advance(10);
    const again = (await openMemory({ space, clock })).keys;
    expect(await again.decrypt(sealed)).toEqual(text("x"));
    expect(await codeOf(again.destroy("kek"))).toBe("KEY_HAS_DEPENDENTS");
  });

  it("bar reading what it wrapped until its process-start", async () => {
    await keys.create({ name: "kek", ...KEK, processStart: inMs(10) });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    const again = (await openMemory({ space, clock })).keys;
    expect(await codeOf(again.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    clock.advance(10);
    expect(await again.decrypt(await again.encrypt("k", text("x")))).toEqual(text("x"));
  });
});
