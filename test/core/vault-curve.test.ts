/** Ed25519 and X25519 keys in the vault. */
import { beforeEach, describe, expect, it } from "vitest";
import { ALGORITHM, encodeAttributes, USAGE, type KeyTemplate } from "../../bindings/attributes.js";
import { loadCoreWith, type Core } from "../../bindings/load.js";
import type { Vault } from "../../bindings/vault.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, BUILDS, bytes, codeOf, template, toHex } from "./support.js";

const NONE = new Uint8Array(0);
const MISUSE = "CORE_HANDLE_MISUSE";

describe.each(BUILDS)("asymmetric keys in the vault, $name build,", ({ simd }) => {
  let core: Core;
  let vault: Vault;
  const signing = (
    usages: number = USAGE.SIGN | USAGE.VERIFY,
    more: Partial<KeyTemplate> = {},
  ): KeyTemplate => template(usages, { algorithm: ALGORITHM.ED25519, ...more });
  const agreeing = (
    usages: number = USAGE.AGREE | ALL_CIPHER,
    more: Partial<KeyTemplate> = {},
  ): KeyTemplate => template(usages, { algorithm: ALGORITHM.X25519, ...more });

  beforeEach(async () => {
    core = await loadCoreWith({ simd });
    vault = core.vault;
  });

  it("sign and verify as the primitives do with the same seed", () => {
    const [seed, message] = [bytes(32, 1), bytes(100, 2)];
    const key = vault.import(signing(), seed);
    const signature = vault.sign(key, message);
    expect(toHex(vault.publicKey(key))).toBe(toHex(core.ed25519.publicKey(seed)));
    expect(toHex(signature)).toBe(toHex(core.ed25519.sign(seed, message)));
    expect(vault.verify(key, message, signature)).toBe(true);
    expect(vault.verify(key, bytes(99, 2), signature)).toBe(false);
    expect(vault.verify(key, message, signature.subarray(1))).toBe(false);
  });

  it("generate keys that differ, in a slot that held another one before", () => {
    const keys = new Set<string>();
    for (let i = 0; i < 8; i++) {
      const key = vault.generate(i % 2 === 0 ? signing() : agreeing());
      const publicKey = vault.publicKey(key);
      if (i % 2 === 0) expect(core.ed25519.verify(publicKey, NONE, vault.sign(key, NONE))).toBe(true);
      keys.add(toHex(publicKey));
      vault.disposeAll();
    }
    expect(keys.size).toBe(8);
  });

  it("are wrapped as their seed or scalar, and unwrapped with what they may do", () => {
    const kekId = bytes(16, 50);
    const kek = vault.import(template(ALL_WRAP, { id: kekId }), bytes(32, 3));
    for (const one of [signing(USAGE.SIGN), agreeing(USAGE.AGREE)]) {
      const key = vault.import(one, bytes(32, 4));
      const wrapped = vault.wrap(kek, key);
      expect(wrapped).toHaveLength(104);
      const attributes = encodeAttributes(one, kekId, 1);
      const again = vault.unwrap(kek, attributes, wrapped);
      expect(toHex(vault.publicKey(again))).toBe(toHex(vault.publicKey(key)));
      if (one.algorithm === ALGORITHM.ED25519) {
        expect(toHex(vault.sign(again, NONE))).toBe(toHex(vault.sign(key, NONE)));
        expect(codeOf(() => vault.verify(again, NONE, bytes(64)))).toBe(MISUSE);
      }
      const other = encodeAttributes({ ...one, algorithm: 13 - one.algorithm }, kekId, 1);
      expect(codeOf(() => vault.unwrap(kek, other, wrapped))).toBe("CORE_AUTHENTICATION_FAILED");
      expect(codeOf(() => vault.exportInsecureCleartext(again))).toBe("CORE_NOT_EXPORTABLE");
    }
    const made = vault.generateAndWrapBatch(kek, encodeAttributes(signing(), kekId, 1), 1);
    const key = vault.unwrap(kek, encodeAttributes(signing(), kekId, 1), made);
    expect(vault.verify(key, NONE, vault.sign(key, NONE))).toBe(true);
  });

  it("do nothing but what their algorithm and usages are for", () => {
    const signer = vault.import(signing(), bytes(32, 1));
    const agreer = vault.import(agreeing(USAGE.AGREE | ALL_CIPHER | ALL_MAC | USAGE.DERIVE), bytes(32, 1));
    const wrapper = vault.import(agreeing(USAGE.AGREE | ALL_WRAP), bytes(32, 1));
    const secret = vault.import(template(ALL_CIPHER | ALL_MAC | USAGE.DERIVE), bytes(32, 1));
    const peer = vault.publicKey(agreer);
    for (const key of [signer, agreer]) {
      expect(codeOf(() => vault.seal(key, NONE, NONE))).toBe(MISUSE);
      expect(codeOf(() => vault.open(key, NONE, bytes(72)))).toBe(MISUSE);
      expect(codeOf(() => vault.mac(key, NONE))).toBe(MISUSE);
      expect(codeOf(() => vault.derive(key, template(ALL_CIPHER), NONE))).toBe(MISUSE);
    }
    expect(codeOf(() => vault.wrap(wrapper, secret))).toBe(MISUSE);
    for (const key of [agreer, secret]) expect(codeOf(() => vault.sign(key, NONE))).toBe(MISUSE);
    for (const key of [signer, secret]) {
      expect(codeOf(() => vault.agree(key, peer, template(ALL_CIPHER), NONE))).toBe(MISUSE);
      expect(codeOf(() => vault.ageX25519Unwrap(key, peer, bytes(32)))).toBe(MISUSE);
    }
    for (const usages of [USAGE.AGREE, ALL_CIPHER, ALL_WRAP, ALL_MAC, USAGE.DERIVE]) {
      expect(codeOf(() => vault.generate(signing(usages)))).toBe(MISUSE);
    }
    for (const usages of [USAGE.SIGN, USAGE.VERIFY, ALL_WRAP | USAGE.ENCRYPT]) {
      expect(codeOf(() => vault.generate(agreeing(usages)))).toBe(MISUSE);
    }
    for (const usages of [USAGE.SIGN, USAGE.VERIFY, USAGE.AGREE]) {
      expect(codeOf(() => vault.generate(template(usages)))).toBe(MISUSE);
      expect(codeOf(() => vault.generate(template(usages, { algorithm: ALGORITHM.HKDF_SHA256 })))).toBe(
        MISUSE,
      );
    }
  });

  it("agree with another vault on a key that info, usages and both public keys enter", async () => {
    const other = (await loadCoreWith({ simd: !simd })).vault;
    const [mine, theirs] = [vault.generate(agreeing()), other.generate(agreeing())];
    const [myPublic, theirPublic] = [vault.publicKey(mine), other.publicKey(theirs)];
    const child = template(ALL_CIPHER, { id: bytes(16, 9) });
    const info = bytes(30, 3);
    const sealed = vault.seal(vault.agree(mine, theirPublic, child, info), NONE, info);
    const open = (t: KeyTemplate, peer: Uint8Array, i: Uint8Array): string =>
      toHex(other.open(other.agree(theirs, peer, t, i), NONE, sealed));
    expect(open({ ...child, id: bytes(16, 10), version: 7 }, myPublic, info)).toBe(toHex(info));
    const failed = "CORE_AUTHENTICATION_FAILED";
    expect(codeOf(() => open(child, myPublic, bytes(29, 3)))).toBe(failed);
    expect(codeOf(() => open({ ...child, usages: USAGE.DECRYPT }, myPublic, info))).toBe(failed);
    // The same point under another name: the shared secret is the same, the key isn't.
    const renamed = myPublic.slice();
    renamed[31]! |= 0x80;
    expect(codeOf(() => open(child, renamed, info))).toBe(failed);
    expect(codeOf(() => open(child, theirPublic, info))).toBe(failed);
  });
});
