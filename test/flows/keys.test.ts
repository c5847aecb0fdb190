import { beforeEach, describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, auditOperations, codeOf, collect, KEK, openMemory, text } from "./support.js";

let keys: KeyManager;
let clock: VirtualClock;

beforeEach(async () => {
  ({ keys, clock } = await openMemory());
});

describe("a key", () => {
  it("encrypts and decrypts, and its message opens with the same associated data only", async () => {
    await keys.create({ name: "invoices", algorithm: AEAD });
    const sealed = await keys.encrypt("invoices", text("42 EUR"), { aad: text("2030") });
    expect(await keys.decrypt(sealed, { aad: text("2030") })).toEqual(text("42 EUR"));
    expect(await codeOf(keys.decrypt(sealed))).toBe("MESSAGE_AUTHENTICATION_FAILED");
    expect(await codeOf(keys.decrypt(sealed, { aad: text("2031") }))).toBe("MESSAGE_AUTHENTICATION_FAILED");
    expect(await codeOf(keys.decrypt(sealed.subarray(0, 50)))).toBe("MESSAGE_MALFORMED");
  });

  it("is found by id and by name, and is null where there is none", async () => {
    const made = await keys.create({ name: "a", algorithm: AEAD, tags: ["x", "é"] });
    expect(await keys.get(made.id)).toEqual(made);
    expect(await keys.get("a")).toEqual(made);
    expect(await keys.get(made)).toEqual(made);
    expect(await keys.get("b")).toBeNull();
    expect(await keys.get("01a20000-0000-7000-8000-000000000000")).toBeNull();
    expect(made).toMatchObject({
      usages: ["encrypt", "decrypt"],
      tags: ["x", "é"],
      wrappedBy: null,
      exportable: false,
    });
    expect(made.versions).toMatchObject([{ version: 1, state: "active", current: true }]);
  });

  it("has a name of its own for ever, the same in every normal form", async () => {
    await keys.create({ name: "caf\u00e9", algorithm: AEAD });
    expect(await codeOf(keys.create({ name: "cafe\u0301", algorithm: AEAD }))).toBe("KEY_NAME_TAKEN");
    await keys.deactivate("caf\u00e9");
    await keys.destroy("cafe\u0301");
    expect(await codeOf(keys.create({ name: "caf\u00e9", algorithm: AEAD }))).toBe("KEY_NAME_TAKEN");
    expect((await keys.get("caf\u00e9"))?.versions[0]?.state).toBe("destroyed");
  });

  it.each([
    ["", "KEY_INVALID_NAME"],
    ["a\u0000b", "KEY_INVALID_NAME"],
    ["a\nb", "KEY_INVALID_NAME"],
    ["\ud800", "KEY_INVALID_NAME"],
    ["x".repeat(129), "KEY_INVALID_NAME"],
    ["é".repeat(65), "KEY_INVALID_NAME"],
    ["01a20000-0000-7000-8000-000000000000", "KEY_INVALID_NAME"],
  ])("is refused the name %j", async (name, code) => {
    expect(await codeOf(keys.create({ name, algorithm: AEAD }))).toBe(code);
    expect(await codeOf(keys.create({ name: "ok", algorithm: AEAD, tags: [name.slice(0, 200)] }))).toMatch(
      /^(KEY_INVALID_NAME|no error)$/,
    );
  });

  it.each([
    [{ algorithm: "AES-128-ECB" }, "KEY_ALGORITHM_NOT_SUPPORTED"],
    [{ algorithm: "ChaCha20-Poly1305" }, "KEY_ALGORITHM_NOT_SUPPORTED"],
    [{ algorithm: "toString" }, "KEY_ALGORITHM_NOT_SUPPORTED"],
    [{ algorithm: AEAD, usages: [] }, "KEY_USAGE_CONFLICT"],
    [{ algorithm: AEAD, usages: ["wrap", "encrypt"] }, "KEY_USAGE_CONFLICT"],
    [{ algorithm: AEAD, usages: ["sign"] }, "KEY_USAGE_CONFLICT"],
    [{ algorithm: "HMAC-SHA256", usages: ["encrypt"] }, "KEY_USAGE_CONFLICT"],
    [{ algorithm: AEAD, under: "nobody" }, "KEY_NOT_FOUND"],
    [{ algorithm: AEAD, activation: new Date(NaN) }, "KEY_INVALID_OPTION"],
    [{ algorithm: AEAD, deactivation: new Date(0) }, "KEY_INVALID_OPTION"],
    [{ algorithm: AEAD, tags: Array.from({ length: 33 }, (_, i) => `t${i}`) }, "KEY_INVALID_NAME"],
  ])("is not made of %j, and nothing is written", async (options, code) => {
    const before = await auditOperations(keys);
    expect(await codeOf(keys.create({ name: "x", ...options }))).toBe(code);
    expect(await keys.get("x")).toBeNull();
    expect(await auditOperations(keys)).toEqual(before);
  });

  it("without the usage is refused, whatever its state", async () => {
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "mac", algorithm: "HMAC-SHA256" });
    await keys.create({ name: "sealer", algorithm: AEAD, usages: ["encrypt"] });
    expect(await codeOf(keys.encrypt("kek", text("x")))).toBe("KEY_NOT_USABLE");
    expect(await codeOf(keys.encrypt("mac", text("x")))).toBe("KEY_NOT_USABLE");
    const sealed = await keys.encrypt("sealer", text("x"));
    expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_NOT_USABLE");
    expect(await codeOf(keys.create({ algorithm: AEAD, under: "mac" }))).toBe("KEY_NOT_USABLE");
  });
});

describe("the lifecycle", () => {
  it("waits for activation, ends protecting, ends, and is destroyed", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: null });
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    expect((await keys.activate("k")).versions[0]?.state).toBe("active");
    const sealed = await keys.encrypt("k", text("x"));
    expect(await codeOf(keys.destroy("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    expect((await keys.deactivate("k")).versions[0]).toMatchObject({
      state: "deactivated",
      cause: "command",
    });
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    expect(await codeOf(keys.activate("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    expect(await keys.destroy("k")).toMatchObject({ version: 1, erasure: "deleted", shredded: 0 });
    expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_DESTROYED");
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_DESTROYED");
    expect(await codeOf(keys.destroy("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    expect(await auditOperations(keys)).toEqual(["init", "create", "activate", "deactivate", "destroy"]);
  });

  it("is moved by dates without anyone calling", async () => {
    const day = 86_400_000;
    const at = (days: number): Date => new Date(clock.now() + days * day);
    await keys.create({
      name: "k",
      algorithm: AEAD,
      activation: at(1),
      processStart: at(2),
      protectStop: at(3),
      deactivation: at(4),
    });
    const state = async (): Promise<string> => (await keys.get("k"))!.versions[0]!.state;
    expect(await state()).toBe("pre-active");
    clock.advance(day);
    expect(await state()).toBe("active");
    const sealed = await keys.encrypt("k", text("x"));
    expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_NOT_USABLE");
    clock.advance(day);
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    clock.advance(day);
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    clock.advance(day);
    expect((await keys.get("k"))!.versions[0]).toMatchObject({
      state: "deactivated",
      cause: "expired",
      current: false,
    });
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    // Four days after anybody was last sure of the time, what can't be undone waits for a word.
    expect(await codeOf(keys.destroy("k"))).toBe("CLOCK_AHEAD");
    await keys.confirmClock();
    // Destroying makes the two due changes durable on the way, each dated by its date.
    await keys.destroy("k");
    expect(await state()).toBe("destroyed");
  });

  it("never takes back what a change has made durable when the clock steps back", async () => {
    await keys.create({ name: "k", algorithm: AEAD, deactivation: new Date(clock.now() + 1000) });
    clock.advance(2000);
    await keys.rotate("k");
    clock.set(clock.now() - 10_000_000);
    expect((await keys.get("k"))!.versions.map(({ state }) => state)).toEqual(["deactivated", "active"]);
  });

  it("is restricted by the versions named", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    await keys.rotate("k");
    expect(await codeOf(keys.deactivate("k"))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.deactivate("k", { version: 3 }))).toBe("KEY_VERSION_NOT_FOUND");
    await keys.deactivate("k", { version: 1 });
    expect((await keys.get("k"))!.versions.map(({ state }) => state)).toEqual(["deactivated", "active"]);
  });
});

describe("rotation", () => {
  it("leaves the old version active, links both, and encrypts with the new one", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const old = await keys.encrypt("k", text("old"));
    clock.advance(5);
    const rotated = await keys.rotate("k");
    expect(rotated.versions).toMatchObject([
      { version: 1, state: "active", current: false, replacedBy: 2 },
      { version: 2, state: "active", current: true, replaces: 1 },
    ]);
    const fresh = await keys.encrypt("k", text("new"));
    expect(old[20]).toBe(1);
    expect(fresh[20]).toBe(2);
    expect(await keys.decrypt(old)).toEqual(text("old"));
    expect(await keys.decrypt(fresh)).toEqual(text("new"));
  });

  it("of a version that a command ended gives one that has no end", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    clock.advance(1000);
    await keys.deactivate("k");
    await keys.rotate("k");
    clock.advance(1_000_000);
    expect((await keys.get("k"))!.versions[1]).toMatchObject({ state: "active", current: true });
  });

  it("with an offset makes a version that waits, and is refused while one does", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const rotated = await keys.rotate("k", { offsetMs: 1000 });
    expect(rotated.versions[1]).toMatchObject({ state: "pre-active", current: false });
    expect(await codeOf(keys.rotate("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    clock.advance(1000);
    expect((await keys.get("k"))!.versions[1]).toMatchObject({ state: "active", current: true });
    await keys.rotate("k");
    expect(await codeOf(keys.rotate("k", { offsetMs: -1 }))).toBe("KEY_INVALID_OPTION");
  });

  it("ends at 256 versions", { timeout: 60_000 }, async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    for (let i = 1; i < 256; i++) await keys.rotate("k");
    expect((await keys.get("k"))!.versions).toHaveLength(256);
    expect(await codeOf(keys.rotate("k"))).toBe("KEY_VERSIONS_EXHAUSTED");
    expect(await keys.decrypt(await keys.encrypt("k", text("x")))).toEqual(text("x"));
  });
});

describe("files", () => {
  it("come back from their stream, of every interesting length", async () => {
    await keys.create({ name: "files", algorithm: AEAD });
    for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
      const plain = new Uint8Array(length).map((_, i) => i * 7);
      const sealed = await collect(keys.encryptStream("files", plain));
      await keys.rotate("files");
      expect(await collect(keys.decryptStream(sealed))).toEqual(plain);
      expect(await codeOf(collect(keys.decryptStream(sealed.subarray(0, -1))))).toBe(
        "MESSAGE_AUTHENTICATION_FAILED",
      );
    }
  });

  it("are refused by their stream for a key that may not", async () => {
    await keys.create({ name: "files", algorithm: AEAD });
    const sealed = await collect(keys.encryptStream("files", text("x")));
    expect(await codeOf(collect(keys.encryptStream("nobody", text("x"))))).toBe("KEY_NOT_FOUND");
    await keys.deactivate("files");
    expect(await codeOf(collect(keys.encryptStream("files", text("x"))))).toBe("KEY_NOT_USABLE");
    await keys.destroy("files");
    expect(await codeOf(collect(keys.decryptStream(sealed)))).toBe("KEY_DESTROYED");
  });
});

describe("listing", () => {
  it("filters by tag, state and wrapping key, and pages without losing or repeating", async () => {
    const kek = await keys.create({ name: "kek", ...KEK });
    for (let i = 0; i < 25; i++) {
      await keys.create({
        name: `k${i}`,
        algorithm: AEAD,
        under: i % 2 ? kek : undefined,
        tags: i % 3 ? ["t"] : [],
      });
    }
    await keys.deactivate("k3");
    const names = async (options: object): Promise<(string | undefined)[]> => {
      const all: (string | undefined)[] = [];
      let cursor: string | undefined;
      do {
        const page = await keys.list({ ...options, limit: 4, cursor });
        all.push(...page.keys.map(({ name }) => name));
        cursor = page.cursor ?? undefined;
      } while (cursor !== undefined);
      return all;
    };
    const every = Array.from({ length: 25 }, (_, i) => i);
    const named = (list: number[]): string[] => list.map((i) => `k${i}`);
    expect(await names({})).toEqual(["kek", ...named(every)]);
    expect(await names({ tag: "t" })).toEqual(named(every.filter((i) => i % 3)));
    expect(await names({ under: "kek" })).toEqual(named(every.filter((i) => i % 2)));
    expect(await names({ state: "deactivated" })).toEqual(["k3"]);
    expect(await names({ tag: "nobody" })).toEqual([]);
    expect(await codeOf(keys.list({ limit: 0 }))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.list({ cursor: "zz" }))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(keys.list({ under: "nobody" }))).toBe("KEY_NOT_FOUND");
    for (const state of ["", "Active", "toString", "expired"] as never[]) {
      expect(await codeOf(keys.list({ state }))).toBe("KEY_INVALID_OPTION");
    }
    await expect(keys.list({ state: 2 as never })).rejects.toBeInstanceOf(TypeError);
  });
});

describe("a closed manager", () => {
  it("does nothing any more, and closing twice is fine", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    await keys.close();
    await keys.close();
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("STORE_CLOSED");
    expect(await codeOf(() => keys.createMany(1, { algorithm: AEAD }))).toBe("STORE_CLOSED");
  });
});
