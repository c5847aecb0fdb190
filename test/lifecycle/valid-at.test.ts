import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { keyspace } from "../../sdk/storage/keyspace.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, openMemory } from "../flows/support.js";

let keys: KeyManager;
let clock: VirtualClock;
let space: MemorySpace;
let start: number;

beforeEach(async () => {
  ({ keys, clock, space } = await openMemory());
  start = clock.now();
});

const at = (ms: number): Date => new Date(start + ms);
const then = (ms: number, evidence?: "time-stamp" | "inclusion"): ReturnType<KeyManager["validAt"]> =>
  keys.validAt("k", 1, at(ms), evidence);

describe("whether a version was valid at a time", () => {
  it("follows its states, its protect-stop and its archiving, as they were then", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: at(10), protectStop: at(80) });
    clock.advance(20);
    await keys.suspend("k");
    clock.advance(10);
    await keys.resume("k");
    clock.advance(10);
    await keys.archive("k");
    clock.advance(10);
    await keys.recover("k");
    clock.advance(50);
    await keys.deactivate("k");
    await keys.destroy("k");
    expect(await then(-1)).toEqual({ valid: false, state: null, reason: "not-yet-made" });
    expect(await then(9)).toEqual({ valid: false, state: "pre-active", reason: "not-yet-active" });
    expect(await then(10)).toEqual({ valid: true, state: "active" });
    expect(await then(19)).toEqual({ valid: true, state: "active" });
    expect(await then(20)).toEqual({ valid: false, state: "suspended", reason: "state" });
    expect(await then(30)).toEqual({ valid: true, state: "active" });
    expect(await then(40)).toEqual({ valid: false, state: "active", reason: "archived" });
    expect(await then(50)).toEqual({ valid: true, state: "active" });
    expect(await then(80)).toEqual({ valid: false, state: "active", reason: "after-protect-stop" });
    expect(await then(100)).toMatchObject({ valid: false, state: "destroyed" });
    expect(await codeOf(then(101))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.validAt("k", 2, at(10)))).toBe("KEY_VERSION_NOT_FOUND");
    expect(await codeOf(keys.validAt("nobody", 1, at(10)))).toBe("KEY_NOT_FOUND");
  });

  it("is judged by when a compromise happened, not by when it was learned, and only on trusted evidence", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    clock.advance(50);
    expect(await then(30)).toMatchObject({ valid: true });
    await keys.revoke("k", { reason: "key-compromise", occurrence: at(20) });
    expect(await then(30, "time-stamp")).toMatchObject({ valid: false, reason: "after-compromise" });
    expect(await then(20, "inclusion")).toMatchObject({ valid: false, reason: "after-compromise" });
    expect(await then(19, "time-stamp")).toEqual({ valid: true, state: "active" });
    expect(await then(19)).toMatchObject({ valid: false, reason: "evidence-too-weak" });
    expect(await then(50, "time-stamp")).toMatchObject({ valid: false, state: "compromised" });
    // Destroyed with it, the answers stay.
    await keys.destroy("k");
    expect(await then(19, "time-stamp")).toEqual({ valid: true, state: "active" });
  });

  it("is not answered from a history with holes", async () => {
    const { id } = await keys.create({ name: "k", algorithm: AEAD });
    clock.advance(10);
    await keys.suspend("k");
    const key = keyspace.history(parseId(id), 1, 1);
    await memoryStorage({ space }).commit({
      id: new Uint8Array(16),
      checks: [],
      mutations: [{ kind: "delete", key }],
    });
    expect(await codeOf(then(5))).toBe("STORE_DAMAGED");
  });
});

const name = "k";
const COMMANDS: Record<string, (now: number) => PromiseLike<unknown>> = {
  activate: () => keys.activate(name),
  suspend: () => keys.suspend(name),
  resume: () => keys.resume(name),
  archive: () => keys.archive(name),
  recover: () => keys.recover(name),
  deactivate: () => keys.deactivate(name),
  destroy: () => keys.destroy(name),
  sweep: () => keys.sweep(),
  end: (now) => keys.setDates(name, { deactivation: new Date(now + 15) }),
  stop: (now) => keys.setDates(name, { protectStop: new Date(now + 7) }),
  nothing: async () => undefined,
};

it("is what everybody saw at that time, over random histories", { timeout: 120_000 }, async () => {
  const steps = fc.array(
    fc.tuple(fc.constantFrom(...Object.keys(COMMANDS)), fc.integer({ min: 1, max: 9 })),
    {
      maxLength: 25,
      size: "max",
    },
  );
  const dates = fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(steps, dates, dates, async (commands, activation, length) => {
      ({ keys, clock, space } = await openMemory());
      start = clock.now();
      const begin = activation ?? 0;
      await keys.create({
        name,
        algorithm: AEAD,
        activation: activation === undefined ? null : at(begin),
        protectStop: length === undefined ? undefined : at(begin + length),
      });
      const seen: { time: Date; valid: boolean; state: string }[] = [];
      for (const [command, ms] of commands) {
        await codeOf(() => COMMANDS[command]!(clock.now()));
        const key = (await keys.get(name))!;
        const { state, dates: now } = key.versions[0]!;
        const stopped = now.protectStop !== undefined && clock.now() >= now.protectStop.getTime();
        const valid = state === "active" && !stopped && key.archived === undefined;
        seen.push({ time: new Date(clock.now()), valid, state });
        clock.advance(ms);
      }
      for (const { time, valid, state } of seen)
        expect(await keys.validAt(name, 1, time)).toMatchObject({ valid, state });
      await keys.close();
    }),
    { numRuns: 60 },
  );
});
