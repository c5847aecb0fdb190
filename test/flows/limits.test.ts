import { describe, expect, it } from "vitest";
import { MAX_TIME } from "../../sdk/foundation/clock.js";
import { MIN_CHECKS, MIN_MUTATIONS } from "../../sdk/storage/adapter.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "./support.js";

describe("on a store that offers the least a store may offer", () => {
  const narrow = { maxChecks: MIN_CHECKS, maxMutations: MIN_MUTATIONS, maxCommitBytes: 256 * 1024 };

  it("jobs make smaller batches, and commands on the largest key fit", async () => {
    const space = new MemorySpace();
    const { keys, clock } = await openMemory({ space, storage: memoryStorage({ space, limits: narrow }) });
    const tags = Array.from({ length: 32 }, (_, i) => `${"t".repeat(126)}${String(i).padStart(2, "0")}`);
    const at = (ms: number): Date => new Date(clock.now() + ms);
    await keys.create({
      name: "n".repeat(128),
      ...KEK,
      tags,
      activation: at(10),
      processStart: at(10),
      protectStop: at(1000),
      deactivation: at(2000),
    });
    const kek = "n".repeat(128);
    await keys.activate(kek);
    clock.advance(10);
    await keys.createMany(100, { algorithm: AEAD, under: kek, tags: tags.slice(0, 5), deactivation: at(50) });
    await keys.rotate(kek);
    expect(await keys.rewrap(kek)).toMatchObject({ rewrapped: 100 });
    // The successor keeps its distance between activation and process-start.
    clock.advance(10);
    await keys.deactivate(kek, { version: 1 });
    expect(await keys.destroy(kek, { version: 1 })).toMatchObject({ shredded: 0 });
    const page = await keys.list({ under: kek, limit: 1000 });
    expect(page.keys).toHaveLength(100);
    for (const key of page.keys) {
      expect(await keys.decrypt(await keys.encrypt(key, text("x")))).toEqual(text("x"));
    }
    const operations = await auditOperations(keys);
    expect(operations.filter((operation) => operation === "rewrap").length).toBeGreaterThan(1);
  });

  it("batches keep within the bytes of a commit too", async () => {
    const space = new MemorySpace();
    const limits = { maxCommitBytes: 20_000 };
    const { keys } = await openMemory({ space, storage: memoryStorage({ space, limits }) });
    await keys.create({ name: "kek", ...KEK });
    await keys.createMany(200, { algorithm: AEAD, under: "kek", tags: ["some", "tags", "t".repeat(128)] });
    await keys.createMany(50, { ...KEK, under: "kek" });
    await keys.rotate("kek");
    expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: 250 });
    expect((await keys.list({ under: "kek", limit: 1000 })).keys).toHaveLength(250);
  });
});

describe("the end of the calendar", () => {
  it("is the end of a successor too, and no record holds a date that can't be read", async () => {
    const { keys, clock } = await openMemory();
    const end = new Date(MAX_TIME);
    await keys.create({ name: "k", algorithm: AEAD, protectStop: end, deactivation: end });
    const sealed = await keys.encrypt("k", text("x"));
    clock.advance(1000);
    await keys.rotate("k");
    expect((await keys.get("k"))!.versions[1]!.dates).toMatchObject({ protectStop: end, deactivation: end });
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    await keys.deactivate("k", { version: 1 });
  });

  it("is no date that a rotation may go beyond", async () => {
    const { keys, clock } = await openMemory();
    await keys.create({ name: "k", algorithm: AEAD });
    for (const offsetMs of [Number.MAX_SAFE_INTEGER, MAX_TIME - clock.now() + 1, -1, 0.5, NaN]) {
      expect(await codeOf(keys.rotate("k", { offsetMs }))).toBe("KEY_INVALID_OPTION");
    }
    await keys.rotate("k", { offsetMs: MAX_TIME - clock.now() });
    expect((await keys.get("k"))!.versions[1]).toMatchObject({
      state: "pre-active",
      dates: { activation: new Date(MAX_TIME) },
    });
  });
});

describe("names", () => {
  it("are one name in whatever form they are typed, and stay taken for ever", async () => {
    const { keys } = await openMemory();
    const made = await keys.create({ name: "cle\u0301", algorithm: AEAD });
    expect(made.name).toBe("cl\u00e9");
    for (const typed of ["cle\u0301", "cl\u00e9"]) expect((await keys.get(typed))?.id).toBe(made.id);
    expect(await codeOf(keys.create({ name: "cl\u00e9", algorithm: AEAD }))).toBe("KEY_NAME_TAKEN");
    await keys.deactivate(made);
    await keys.destroy(made);
    expect(await codeOf(keys.create({ name: "cle\u0301", algorithm: AEAD }))).toBe("KEY_NAME_TAKEN");
    expect((await keys.get("cl\u00e9"))?.versions[0]?.state).toBe("destroyed");
  });

  it.each(["x".repeat(1000), "a\0b", "\ud800", "", "../header"])(
    "that no key can have find none (%#)",
    async (name) => {
      const { keys } = await openMemory();
      await keys.create({ name: "a", algorithm: AEAD });
      expect(await keys.get(name)).toBeNull();
      expect(await codeOf(keys.encrypt(name, text("x")))).toBe("KEY_NOT_FOUND");
    },
  );

  it("and tags are refused where they could not be told apart or printed", async () => {
    const { keys } = await openMemory();
    const uuid = "01b8dac5-b400-7bba-9070-a45cddcf3603";
    for (const name of ["", "a\0", "a\nb", "\udc00", "n".repeat(129), "\u00e9".repeat(65), uuid]) {
      expect(await codeOf(keys.create({ name, algorithm: AEAD })), JSON.stringify(name)).toBe(
        "KEY_INVALID_NAME",
      );
    }
    for (const tags of [[""], ["a\0"], ["t".repeat(129)], Array.from({ length: 33 }, (_, i) => `${i}`)]) {
      expect(await codeOf(keys.create({ algorithm: AEAD, tags }))).toBe("KEY_INVALID_NAME");
    }
    expect((await keys.list()).keys).toEqual([]);
  });
});
