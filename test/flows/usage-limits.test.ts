/** Usage limits: never over-spent, whoever writes at once and whatever is lost on the way. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { NO_USAGE, reservation } from "../../sdk/lifecycle/limits.js";
import { faultyStorage, seededFaults } from "../../sdk/storage/faulty.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { virtualClock } from "../../sdk/testing/clock.js";
import { AEAD, auditOperations, codeOf, collect, KEK, openMemory, text } from "./support.js";

const RATES = { "fail-before": 0.05, "lost-request": 0.1, "lost-reply": 0.1, late: 0.05, duplicate: 0.05 };

async function reasonOf(promise: PromiseLike<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { code, details } = error as { code: string; details: { reason?: string } };
    return details.reason ?? code;
  }
  return "no error";
}

describe("a limit of operations", () => {
  it("lets so many messages pass and no more, and the successor begins anew", async () => {
    const { keys } = await openMemory();
    const key = await keys.create({ name: "k", algorithm: AEAD, limits: { operations: 40 } });
    expect(key.versions[0]!.limits).toEqual({ operations: 40 });
    const sealed = await keys.encrypt("k", text("x"));
    for (let i = 1; i < 40; i++) await keys.encrypt("k", text("x"));
    expect(await reasonOf(keys.encrypt("k", text("x")))).toBe("usage-limit");
    expect(await keys.usage("k", 1)).toEqual({ operations: 40, bytes: 0 });
    // Processing is not counted.
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    expect((await keys.rotate("k")).versions[1]!.limits).toEqual({ operations: 40 });
    await keys.encrypt("k", text("x"));
    expect((await auditOperations(keys)).filter((name) => name === "reserve-usage").length).toBeLessThan(41);
  });

  it("counts streams, and the keys that a wrapping key takes, one by one and by the thousand", async () => {
    const { keys } = await openMemory();
    await keys.create({ name: "s", algorithm: AEAD, limits: { operations: 1 } });
    await collect(keys.encryptStream("s", text("x")));
    expect(await reasonOf(collect(keys.encryptStream("s", text("x"))))).toBe("usage-limit");
    await keys.create({ name: "kek", ...KEK, limits: { operations: 100 } });
    await keys.create({ name: "under", algorithm: AEAD, under: "kek" });
    await keys.createMany(60, { algorithm: AEAD, under: "kek" });
    expect(await reasonOf(keys.createMany(40, { algorithm: AEAD, under: "kek" }))).toBe("usage-limit");
    await keys.rotate("under");
    await keys.rotate("kek");
    // 62 versions move to the new version of the wrapping key, which has its own count.
    expect((await keys.rewrap("kek")).rewrapped).toBe(62);
    expect((await keys.usage("kek", 2)).operations).toBeGreaterThanOrEqual(62);
  });

  // Uses were reserved before it was known whether they could be made.
  it("is not touched by a use that is refused", async () => {
    const { keys, space, clock } = await openMemory();
    await keys.create({ name: "kek", ...KEK });
    await keys.create({
      name: "k",
      algorithm: AEAD,
      under: "kek",
      limits: { operations: 10, bytes: 2 ** 30 },
    });
    const fresh = (await openMemory({ space, clock, seed: 3 })).keys;
    expect(await codeOf(fresh.encrypt("k", new Uint8Array(2 ** 20 + 1)))).toBe("MESSAGE_TOO_LARGE");
    await keys.suspend("kek");
    expect(await codeOf(fresh.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    expect(await fresh.usage("k", 1)).toEqual({ operations: 0, bytes: 0 });
    expect(await auditOperations(keys)).not.toContain("reserve-usage");
  });

  it("that makes no sense is refused", async () => {
    const { keys } = await openMemory();
    for (const limits of [{}, { operations: 0 }, { bytes: -1 }, { operations: 1.5 }, { bytes: 2 ** 60 }])
      expect(await codeOf(keys.create({ algorithm: AEAD, limits }))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.create({ algorithm: AEAD, limits: 5 as unknown as object }))).toMatch(
      /^TypeError/,
    );
  });
});

describe("a limit of bytes", () => {
  it("counts plaintexts, beside a limit of operations, and refuses what it could not stop in time", async () => {
    const { keys } = await openMemory();
    await keys.create({ name: "k", algorithm: AEAD, limits: { bytes: 1000, operations: 50 } });
    await keys.encrypt("k", new Uint8Array(600));
    expect(await reasonOf(keys.encrypt("k", new Uint8Array(401)))).toBe("usage-limit");
    await keys.encrypt("k", new Uint8Array(400));
    expect(await keys.usage("k", 1)).toMatchObject({ bytes: 1000 });
    await keys.encrypt("k", new Uint8Array(0));
    expect(await reasonOf(keys.encrypt("k", new Uint8Array(1)))).toBe("usage-limit");
    expect(await reasonOf(collect(keys.encryptStream("k", text("x"))))).toBe("limit-in-bytes");
  });
});

describe("what is reserved", () => {
  it("counts as spent, and closing gives back what was not used", async () => {
    const space = new MemorySpace();
    const { keys, clock } = await openMemory({ space });
    await keys.create({ name: "k", algorithm: AEAD, limits: { operations: 1600 } });
    await keys.encrypt("k", text("x"));
    expect(await keys.usage("k", 1)).toEqual({ operations: 100, bytes: 0 });
    const other = (await openMemory({ space, clock, seed: 2 })).keys;
    await keys.close();
    expect(await other.usage("k", 1)).toEqual({ operations: 1, bytes: 0 });
  });

  it("is what is needed, and of what is left a sixteenth at most", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: 0, max: 1e9 }),
        fc.integer({ min: 1, max: 5000 }),
        (operations, already, need) => {
          const spent = { ...NO_USAGE, operations: already };
          const got = reservation({ operations }, spent, { operations: need, bytes: 7 });
          const left = operations - already;
          if (need > left) {
            expect(got).toBeNull();
          } else {
            expect(got!.bytes).toBe(0);
            expect(got!.operations).toBeGreaterThanOrEqual(need);
            expect(got!.operations).toBeLessThanOrEqual(Math.max(need, left / 16));
          }
        },
      ),
    );
  });

  it("is never more than the limit, by any number of writers at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 120 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 4 }),
        async (operations, uses) => {
          const space = new MemorySpace();
          const clock = virtualClock();
          const first = (await openMemory({ space, clock, seed: 1 })).keys;
          await first.create({ name: "k", algorithm: AEAD, limits: { operations } });
          const writers: KeyManager[] = [];
          for (const seed of uses.keys())
            writers.push((await openMemory({ space, clock, seed: seed + 2 })).keys);
          const made = await Promise.all(
            writers.flatMap((writer, i) =>
              Array.from({ length: uses[i]! }, () => reasonOf(writer.encrypt("k", text("x")))),
            ),
          );
          expect(made.filter((code) => code !== "no error" && code !== "usage-limit")).toEqual([]);
          const done = made.filter((code) => code === "no error").length;
          expect(done).toBeLessThanOrEqual(operations);
          for (const writer of writers) await writer.close();
          // All is given back but what was used: another takes exactly the rest.
          expect(await first.usage("k", 1)).toEqual({ operations: done, bytes: 0 });
          for (let i = done; i < operations; i++) await first.encrypt("k", text("x"));
          expect(await reasonOf(first.encrypt("k", text("x")))).toBe("usage-limit");
          await first.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  it(
    "is never over-spent when calls to the store are lost, or a writer dies",
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 60 }), async (seed, operations) => {
          const space = new MemorySpace();
          const clock = virtualClock();
          const first = (await openMemory({ space, clock, seed: 1 })).keys;
          await first.create({ name: "k", algorithm: AEAD, limits: { operations } });
          let done = 0;
          for (let round = 0; round < 3; round++) {
            let faults = false;
            const schedule = seededFaults(seed + round, RATES);
            const storage = faultyStorage(memoryStorage({ space }), (call) =>
              faults ? schedule(call) : null,
            );
            const writer = (await openMemory({ storage, clock, seed: round + 2 })).keys;
            faults = true;
            for (let i = 0; i < 15; i++)
              if ((await reasonOf(writer.encrypt("k", text("x")))) === "no error") done++;
            faults = false;
            await storage.release();
            // It dies: nothing is given back, except by the last one.
            if (round === 2) await writer.close();
          }
          expect(done).toBeLessThanOrEqual(operations);
          const { operations: spent } = await first.usage("k", 1);
          expect(spent).toBeGreaterThanOrEqual(done);
          expect(spent).toBeLessThanOrEqual(operations);
        }),
        { numRuns: 8 },
      );
    },
  );
});
