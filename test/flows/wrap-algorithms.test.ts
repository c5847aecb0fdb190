/** Wrapping keys of every algorithm that managed keys may have. */
import { describe, expect, it } from "vitest";
import { AEAD, codeOf, openMemory, text } from "./support.js";

describe.each([AEAD, "A256KW", "A256KWP"])("a wrapping key for %s", (algorithm) => {
  it("holds keys, one and many, through rotation and re-wrap, for this manager and the next", async () => {
    const { keys, space, clock } = await openMemory();
    await keys.create({ name: "kek", algorithm, usages: ["wrap", "unwrap"] });
    await keys.create({ name: "one", algorithm: AEAD, under: "kek" });
    const sealed = await keys.encrypt("one", text("42 EUR"));
    expect((await keys.createMany(300, { algorithm: "HMAC-SHA256", under: "kek" })).created).toBe(300);
    await keys.rotate("kek");
    expect(await keys.decrypt(sealed)).toEqual(text("42 EUR"));
    await keys.rotate("one");
    // The new version of "one" lies under the new version of "kek" already.
    expect((await keys.rewrap("kek")).rewrapped).toBe(301);
    expect((await keys.rewrap("kek")).rewrapped).toBe(0);
    await keys.deactivate("kek", { version: 1 });
    await keys.destroy("kek", { version: 1 });
    expect(await keys.decrypt(sealed)).toEqual(text("42 EUR"));
    await keys.close();

    const next = (await openMemory({ space, clock })).keys;
    expect(await next.decrypt(sealed)).toEqual(text("42 EUR"));
    expect((await next.get("kek"))?.algorithm).toBe(algorithm);
    await next.close();
  });

  it.each([AEAD, "A256KW", "A256KWP"])("holds wrapping keys for %s", async (inner) => {
    const { keys } = await openMemory();
    await keys.create({ name: "outer", algorithm, usages: ["wrap", "unwrap"] });
    await keys.create({ name: "inner", algorithm: inner, usages: ["wrap", "unwrap"], under: "outer" });
    await keys.create({ name: "data", algorithm: AEAD, under: "inner" });
    await keys.rotate("outer");
    await keys.rewrap("outer");
    const sealed = await keys.encrypt("data", text("42 EUR"));
    expect(await keys.decrypt(sealed)).toEqual(text("42 EUR"));
    await keys.close();
  });
});

it.each(["A256KW", "A256KWP"])("a key for %s wraps and does nothing else", async (algorithm) => {
  const { keys } = await openMemory();
  expect((await keys.create({ name: "kek", algorithm })).usages).toEqual(["wrap", "unwrap"]);
  for (const usages of [["encrypt", "decrypt"], ["mac-generate"], ["derive"], ["wrap", "encrypt"]]) {
    expect(await codeOf(keys.create({ algorithm, usages }))).toBe("KEY_USAGE_CONFLICT");
  }
  expect(await codeOf(keys.encrypt("kek", text("42 EUR")))).toBe("KEY_NOT_USABLE");
  await keys.close();
});

it.each(["A256GCMSIV", "AES-256-GCM-SIV"])(
  "%s can't be managed until its uses are counted",
  async (algorithm) => {
    const { keys } = await openMemory();
    const made = keys.create({ algorithm, usages: ["wrap", "unwrap"] });
    expect(await codeOf(made)).toBe("KEY_ALGORITHM_NOT_SUPPORTED");
    await expect(keys.create({ algorithm })).rejects.toThrow(/96-bit nonces/);
    await keys.close();
  },
);
