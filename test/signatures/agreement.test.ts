/** Managed X25519 pairs: what two of them agree upon becomes a managed key of each side. */
import { expand, hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import nacl from "tweetnacl";
import { beforeEach, describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { concat } from "../../sdk/foundation/bytes.js";
import { MemorySpace } from "../../sdk/storage/memory.js";
import { virtualClock, type VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory, text } from "../flows/support.js";

const NOW = Date.UTC(2030, 0, 1);
let space: MemorySpace;
let clock: VirtualClock;
let alice: KeyManager;
let bob: KeyManager;

beforeEach(async () => {
  space = new MemorySpace();
  clock = virtualClock(NOW);
  alice = (await openMemory({ space, clock, seed: 1 })).keys;
  bob = (await openMemory({ clock, seed: 2 })).keys;
});

const reasonOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const error = await promise.then(
    () => undefined,
    (cause: { details?: { reason?: unknown } }) => cause,
  );
  return error?.details?.reason ?? codeOf(promise);
};
const rawOf = async (keys: KeyManager, key: string): Promise<Uint8Array> => (await keys.publicKey(key)).raw;
const material = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => (i * 7 + seed) & 255);
const ENCRYPTING = { algorithm: AEAD, usages: ["encrypt", "decrypt"] } as const;

/** Bytewise order. */
const inOrder = (a: Uint8Array, b: Uint8Array): Uint8Array[] => {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 || a[at]! < b[at]! ? [a, b] : [b, a];
};

describe("two holders of pairs", () => {
  it("come to the same managed key, whatever wraps it on either side", async () => {
    const options = { ...ENCRYPTING, info: text("alice and bob"), exportable: true };
    for (const keys of [alice, bob]) await keys.create({ name: "me", algorithm: "X25519", exportable: true });
    await alice.create({ name: "kek", ...KEK });
    const [ofAlice, ofBob] = [await rawOf(alice, "me"), await rawOf(bob, "me")];
    expect(ofAlice).not.toEqual(ofBob);
    const ours = await alice.agree("me", ofBob, { ...options, name: "ours", under: "kek", tags: ["t"] });
    await bob.agree("me", ofAlice, { ...options, name: "ours" });
    expect(ours).toMatchObject({ algorithm: AEAD, usages: ["encrypt", "decrypt"], tags: ["t"] });
    expect(ours.wrappedBy).toBe((await alice.get("kek"))!.id);
    const secret = await alice.exportInsecureCleartext("ours");
    expect(await bob.exportInsecureCleartext("ours")).toEqual(secret);
    expect(await alice.decrypt(await alice.encrypt("ours", text("m")))).toEqual(text("m"));
    // Another info, another algorithm, other usages: another key.
    const others = [
      { info: text("alice and bob.") },
      { info: undefined },
      { usages: ["encrypt"] },
      { algorithm: "HMAC-SHA256", usages: ["mac-generate", "mac-verify"] },
    ];
    await alice.create({
      name: "macs",
      algorithm: "X25519",
      exportable: true,
      usages: ["agree", "mac-generate"],
    });
    const seen = new Set([String(secret)]);
    for (const other of others) {
      const key = alice.agree("me", ofBob, { ...options, ...other });
      if (other.algorithm !== undefined) expect(await codeOf(key)).toBe("KEY_USAGE_CONFLICT");
      else seen.add(String(await alice.exportInsecureCleartext(await key)));
    }
    expect(seen.size).toBe(4);
  });

  it("come to what docs/FORMATS.md says, computed by others", async () => {
    await alice.import(material(3), { name: "me", algorithm: "X25519", exportable: true });
    const own = await rawOf(alice, "me");
    expect(own).toEqual(nacl.scalarMult.base(material(3)));
    for (const seed of [9, 10, 11, 12]) {
      const theirs = nacl.scalarMult.base(material(seed));
      const info = text(`context ${seed}`);
      const shared = nacl.scalarMult(material(seed), own);
      const prk = hkdf(sha256, shared, concat(...inOrder(own, theirs)), text("keyloom/v1/agree"), 32);
      // Format, wrap algorithm, algorithm, exportable; encrypt and decrypt.
      const child = Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 12);
      const key = await alice.agree("me", theirs, { ...ENCRYPTING, info, exportable: true });
      const expected = expand(sha256, prk, concat(child, info), 32);
      expect(await alice.exportInsecureCleartext(key)).toEqual(expected);
    }
  });
});

describe("an agreed key", () => {
  it("gets nothing that the pair doesn't hand down, and the pair does nothing but agree", async () => {
    const pair = await alice.create({ name: "me", algorithm: "X25519" });
    expect(pair).toMatchObject({
      usages: ["agree"],
      handsDown: ["encrypt", "decrypt"],
      halves: { private: ["agree"], public: ["agree"] },
    });
    const theirs = nacl.scalarMult.base(material(1));
    const agreeing = (more: object): Promise<string> =>
      codeOf(alice.agree("me", theirs, { ...ENCRYPTING, ...more }));
    expect(await agreeing({ exportable: true })).toBe("KEY_USAGE_CONFLICT");
    expect(await agreeing({ usages: ["wrap", "unwrap"] })).toBe("KEY_USAGE_CONFLICT");
    expect(await agreeing({ algorithm: "Ed25519", usages: ["sign"] })).toBe("KEY_USAGE_CONFLICT");
    expect(await agreeing({})).toBe("no error");
    expect(await reasonOf(alice.encrypt("me", text("m")))).toBe("usage");
    await alice.create({ name: "wrapping", algorithm: "X25519", usages: ["agree", "wrap", "unwrap"] });
    expect(await reasonOf(alice.create({ algorithm: AEAD, under: "wrapping" }))).toBe("usage");
    expect(await reasonOf((async () => alice.rewrap("wrapping"))())).toBe("usage");
    const kek = await alice.agree("wrapping", theirs, { ...KEK, name: "kek" });
    expect(await alice.create({ algorithm: AEAD, under: kek })).toMatchObject({ wrappedBy: kek.id });
    await alice.rotate("wrapping");
    await alice.revoke("wrapping", { version: 1, reason: "key-compromise" });
    expect(await codeOf(alice.destroy("wrapping", { version: 1 }))).toBe("no error");
    const conflicts = [
      ["encrypt", "decrypt"],
      ["agree", "sign"],
      ["agree", "wrap", "encrypt"],
    ];
    for (const usages of conflicts) {
      expect(await codeOf(alice.create({ algorithm: "X25519", usages }))).toBe("KEY_USAGE_CONFLICT");
    }
  });

  it("is made by a pair that may protect, and by no other", async () => {
    const theirs = nacl.scalarMult.base(material(1));
    for (const end of ["suspend", "deactivate", "archive", "compromise", "destroy"] as const) {
      await alice.create({ name: end, algorithm: "X25519" });
      await alice.agree(end, theirs, ENCRYPTING);
      if (end === "destroy") await alice.deactivate(end);
      if (end === "compromise") await alice.revoke(end, { reason: "key-compromise" });
      else await alice[end](end);
      const code = end === "destroy" ? "KEY_DESTROYED" : "KEY_NOT_USABLE";
      expect(await codeOf(alice.agree(end, theirs, ENCRYPTING))).toBe(code);
    }
    await alice.create({ name: "signer", algorithm: "Ed25519" });
    expect(await reasonOf(alice.agree("signer", theirs, ENCRYPTING))).toBe("usage");
    const all = await alice.list({ algorithm: AEAD });
    expect(all.keys).toHaveLength(5);
  });

  it("is refused for public keys of small order and of other lengths, and nothing is left", async () => {
    await alice.create({ name: "me", algorithm: "X25519" });
    const agreeing = (publicKey: unknown, more = {}): Promise<string> =>
      codeOf(alice.agree("me", publicKey as Uint8Array, { ...ENCRYPTING, ...more }));
    expect(await agreeing(new Uint8Array(32))).toBe("CORE_WEAK_PUBLIC_KEY");
    expect(await agreeing(new Uint8Array(32).with(0, 1))).toBe("CORE_WEAK_PUBLIC_KEY");
    expect(await agreeing(new Uint8Array(31))).toBe("KEY_INVALID_OPTION");
    expect(await agreeing("x".repeat(32))).toMatch(/^TypeError/);
    expect(await agreeing(material(1), { info: new Uint8Array(1025) })).toBe("KEY_INVALID_OPTION");
    expect(await agreeing(material(1), { info: new Uint8Array(1024) })).toBe("no error");
    expect((await alice.list({ algorithm: AEAD })).keys).toHaveLength(1);
  });

  it("is exposed where the pair is, counted as a use of it, and its event names both", async () => {
    await alice.create({ name: "me", algorithm: "X25519", exportable: true, limits: { operations: 2 } });
    const theirs = nacl.scalarMult.base(material(1));
    expect((await alice.agree("me", theirs, ENCRYPTING)).versions[0]!.exposed).toBe(false);
    await alice.exportInsecureCleartext("me");
    const exposed = await alice.agree("me", theirs, ENCRYPTING);
    expect(exposed.versions[0]).toMatchObject({ exposed: true });
    expect(await reasonOf(alice.agree("me", theirs, ENCRYPTING))).toBe("usage-limit");
    const event = (await alice.auditTail()).find(({ operation }) => operation === "agree");
    const pair = await alice.get("me");
    expect(event!.keys!.map(({ key }) => key)).toEqual([exposed.id, pair!.id]);
  });

  it("comes from the version named, and the old versions of a pair go on agreeing", async () => {
    await alice.import(material(4), { name: "me", algorithm: "X25519", exportable: true });
    await alice.rotate("me");
    const theirs = nacl.scalarMult.base(material(1));
    const agreed = [];
    for (const version of [1, 2, undefined]) {
      const key = await alice.agree("me", theirs, { ...ENCRYPTING, exportable: true, version });
      agreed.push(String(await alice.exportInsecureCleartext(key)));
    }
    expect(agreed[1]).toBe(agreed[2]);
    expect(agreed[0]).not.toBe(agreed[1]);
    expect(await codeOf(alice.agree("me", theirs, { ...ENCRYPTING, version: 3 }))).toBe(
      "KEY_VERSION_NOT_FOUND",
    );
  });
});

describe("importing a pair", () => {
  it("refuses a public key that is another's, before anything is written", async () => {
    const pair = nacl.sign.keyPair.fromSeed(material(1));
    const taking = (publicKey: unknown, algorithm = "Ed25519"): Promise<string> =>
      codeOf(alice.import(material(1), { name: "k", algorithm, publicKey: publicKey as Uint8Array }));
    expect(await taking(material(2))).toBe("KEY_INVALID_OPTION");
    expect(await taking(pair.publicKey.subarray(1))).toBe("KEY_INVALID_OPTION");
    expect(await taking("x")).toMatch(/^TypeError/);
    expect(await taking(pair.publicKey, AEAD)).toBe("KEY_INVALID_OPTION");
    expect(await alice.get("k")).toBeNull();
    expect(await taking(pair.publicKey)).toBe("no error");
  });
});
