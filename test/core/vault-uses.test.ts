/** What keys in the vault are used for, against noble and the formats' page; and which keys they refuse to be. */
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { scrypt } from "@noble/hashes/scrypt.js";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { beforeEach, describe, expect, it } from "vitest";
import { ALGORITHM, encodeAttributes, USAGE } from "../../bindings/attributes.js";
import { loadCoreWith } from "../../bindings/load.js";
import type { Handle, Vault } from "../../bindings/vault.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, BUILDS, bytes, codeOf, template, toHex } from "./support.js";

const NONE = new Uint8Array(0);
const FILE_KEY = template(0, { algorithm: ALGORITHM.AGE_FILE_KEY });
const SCRYPT_KEY = { algorithm: ALGORITHM.AGE_SCRYPT_KEY };
const FILE_KEY_MATERIAL = bytes(16, 20);
const MATERIAL = bytes(32, 21);
const KEK_ID = bytes(16, 50);

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function subkey(label: string): Uint8Array {
  return hkdf(sha256, MATERIAL, NONE, text(`keyloom/v1/${label}`), 32);
}

/** age's nonce of a chunk: 11 bytes of counter, and a byte that marks the last one. */
function streamNonce(counter: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(3, BigInt(counter));
  nonce[11] = last ? 1 : 0;
  return nonce;
}

describe.each(BUILDS)("the vault's keys, $name build,", ({ simd }) => {
  let vault: Vault;

  beforeEach(async () => {
    vault = (await loadCoreWith({ simd })).vault;
  });

  it("wrap age file keys as the formats' page says, and nothing else opens them", () => {
    const key = vault.import(template(ALL_CIPHER), MATERIAL);
    const fileKey = vault.import(FILE_KEY, FILE_KEY_MATERIAL);
    const aad = text("-> keyloom.dev/managed-key");
    const body = vault.ageWrapFileKey(key, aad, fileKey);
    expect(toHex(body.subarray(0, 32))).toBe(toHex(subkey("age/commit")));
    const aead = xchacha20poly1305(subkey("age/enc"), body.subarray(32, 56), aad);
    expect(toHex(aead.decrypt(body.subarray(56)))).toBe(toHex(FILE_KEY_MATERIAL));
    const opened = vault.ageUnwrapFileKey(key, aad, body);
    expect(vault.ageHeaderMac(opened, aad)).toEqual(vault.ageHeaderMac(fileKey, aad));
    for (let i = 0; i < body.length; i++) {
      const changed = body.with(i, body[i]! ^ 1);
      expect(codeOf(() => vault.ageUnwrapFileKey(key, aad, changed))).toBe("CORE_AUTHENTICATION_FAILED");
    }
    expect(codeOf(() => vault.ageUnwrapFileKey(key, NONE, body))).toBe("CORE_AUTHENTICATION_FAILED");
    const other = vault.generate(template(ALL_CIPHER));
    expect(codeOf(() => vault.ageUnwrapFileKey(other, aad, body))).toBe("CORE_AUTHENTICATION_FAILED");
    // A message under the same key is no file key: subkeys differ.
    const sealed = vault.seal(key, aad, FILE_KEY_MATERIAL);
    expect(codeOf(() => vault.ageUnwrapFileKey(key, aad, sealed))).toBe("CORE_AUTHENTICATION_FAILED");
    expect(codeOf(() => vault.open(key, aad, body))).toBe("CORE_AUTHENTICATION_FAILED");
  });

  it("wrap age file keys under a passphrase as age does, once", () => {
    const password = text("correct horse");
    const salt = text("age-encryption.org/v1/scrypt0123456789abcdef");
    const parameters = { N: 16, r: 8, p: 1 };
    const derive = (): Handle =>
      vault.deriveFromPasswordScrypt(template(0, SCRYPT_KEY), password, salt, parameters);
    const fileKey = vault.import(FILE_KEY, FILE_KEY_MATERIAL);
    const key = derive();
    const body = vault.ageScryptWrap(key, fileKey);
    const expected = chacha20poly1305(
      scrypt(password, salt, { ...parameters, dkLen: 32 }),
      new Uint8Array(12),
    ).encrypt(FILE_KEY_MATERIAL);
    expect(toHex(body)).toBe(toHex(expected));
    // The nonce is fixed, so a key that has sealed is gone.
    expect(codeOf(() => vault.ageScryptWrap(key, fileKey))).toBe("CORE_HANDLE_STALE");

    const again = derive();
    const opened = vault.ageScryptUnwrap(again, body);
    expect(vault.ageHeaderMac(opened, NONE)).toEqual(vault.ageHeaderMac(fileKey, NONE));
    for (let i = 0; i < body.length; i++) {
      const changed = body.with(i, body[i]! ^ 1);
      expect(codeOf(() => vault.ageScryptUnwrap(again, changed))).toBe("CORE_AUTHENTICATION_FAILED");
    }
    for (const call of [
      () => vault.ageScryptWrap(fileKey, fileKey),
      () => vault.ageScryptWrap(again, again),
      () => vault.ageScryptUnwrap(fileKey, body),
      () => vault.ageChunkSeal(again, 0, true, NONE),
      () => vault.agePayloadKey(again, bytes(16)),
    ]) {
      expect(codeOf(call)).toBe("CORE_HANDLE_MISUSE");
    }
  });

  it("MAC age headers as age does", () => {
    const fileKey = vault.import(FILE_KEY, FILE_KEY_MATERIAL);
    const macKey = hkdf(sha256, FILE_KEY_MATERIAL, NONE, text("header"), 32);
    for (const length of [0, 1, 63, 64, 65, 1000]) {
      const header = bytes(length, 3);
      const mac = vault.ageHeaderMac(fileKey, header);
      expect(toHex(mac)).toBe(toHex(hmac(sha256, macKey, header)));
      expect(vault.ageHeaderMacVerify(fileKey, header, mac)).toBe(true);
      expect(vault.ageHeaderMacVerify(fileKey, header, mac.with(31, mac[31]! ^ 1))).toBe(false);
      expect(vault.ageHeaderMacVerify(fileKey, bytes(length + 1, 4), mac)).toBe(false);
    }
  });

  it.each([
    [0, false],
    [0, true],
    [255, false],
    [2 ** 32 - 1, false],
    [2 ** 32, true],
    [2 ** 53 - 1, true],
  ])("seal chunk %i of an age file (last: %s) as age does", (counter, last) => {
    const fileKey = vault.import(FILE_KEY, FILE_KEY_MATERIAL);
    const nonce = bytes(16, 5);
    const payload = vault.agePayloadKey(fileKey, nonce);
    const payloadKey = hkdf(sha256, FILE_KEY_MATERIAL, nonce, text("payload"), 32);
    for (const length of [0, 1, 64, 193, 65_536]) {
      const chunk = bytes(length, 6);
      const sealed = vault.ageChunkSeal(payload, counter, last, chunk);
      const aead = chacha20poly1305(payloadKey, streamNonce(counter, last));
      expect(toHex(sha256(sealed))).toBe(toHex(sha256(aead.encrypt(chunk))));
      expect(toHex(sha256(vault.ageChunkOpen(payload, counter, last, sealed)))).toBe(toHex(sha256(chunk)));
      const asOther = (): unknown => vault.ageChunkOpen(payload, counter, !last, sealed);
      expect(codeOf(asOther)).toBe("CORE_AUTHENTICATION_FAILED");
      const before = counter === 0 ? 1 : counter - 1;
      const moved = (): unknown => vault.ageChunkOpen(payload, before, last, sealed);
      expect(codeOf(moved)).toBe("CORE_AUTHENTICATION_FAILED");
    }
  });

  it("made from passwords are PBKDF2's output", () => {
    const [password, salt] = [text("correct horse"), bytes(32, 7)];
    const t = template(ALL_WRAP, { exportable: true });
    const key = vault.deriveFromPassword(t, password, salt, 1000);
    const expected = pbkdf2(sha256, password, salt, { c: 1000, dkLen: 32 });
    expect(toHex(vault.exportInsecureCleartext(key))).toBe(toHex(expected));
  });

  it("for age files do what age needs, and nothing that needs a usage", () => {
    const fileKey = vault.generate(FILE_KEY);
    const payload = vault.agePayloadKey(fileKey, bytes(16));
    const kek = vault.generate(template(ALL_WRAP, { id: KEK_ID }));
    for (const key of [fileKey, payload]) {
      for (const call of [
        () => vault.seal(key, NONE, NONE),
        () => vault.open(key, NONE, bytes(72)),
        () => vault.mac(key, NONE),
        () => vault.derive(key, template(0), NONE),
        () => vault.wrap(key, kek),
        () => vault.ageChunkSeal(fileKey, 0, true, NONE),
        () => vault.ageHeaderMac(payload, NONE),
        () => vault.agePayloadKey(payload, bytes(16)),
      ]) {
        expect(codeOf(call)).toBe("CORE_HANDLE_MISUSE");
      }
      expect(codeOf(() => vault.exportInsecureCleartext(key))).toBe("CORE_NOT_EXPORTABLE");
    }
    for (const usage of Object.values(USAGE)) {
      expect(codeOf(() => vault.generate({ ...FILE_KEY, usages: usage }))).toBe("CORE_HANDLE_MISUSE");
    }
  });

  it("of HKDF pass their usages on to children and have none of them", () => {
    const usages = USAGE.DERIVE | ALL_CIPHER | ALL_MAC;
    const parent = vault.generate(template(usages, { algorithm: ALGORITHM.HKDF_SHA256 }));
    for (const call of [
      () => vault.seal(parent, NONE, NONE),
      () => vault.open(parent, NONE, bytes(72)),
      () => vault.mac(parent, NONE),
      () => vault.macVerify(parent, NONE, bytes(32)),
      () => vault.recordSeal(parent, bytes(64), bytes(3), new Uint32Array([3])),
      () => vault.ageWrapFileKey(parent, NONE, vault.generate(FILE_KEY)),
    ]) {
      expect(codeOf(call)).toBe("CORE_HANDLE_MISUSE");
    }
    const wrapping = template(USAGE.DERIVE | ALL_WRAP, { algorithm: ALGORITHM.HKDF_SHA256, id: KEK_ID });
    const kek = vault.generate(wrapping);
    expect(codeOf(() => vault.wrap(kek, parent))).toBe("CORE_HANDLE_MISUSE");
    const child = vault.derive(parent, template(ALL_CIPHER), NONE);
    expect(vault.open(child, NONE, vault.seal(child, NONE, bytes(3)))).toEqual(bytes(3));
    const childKek = vault.derive(kek, template(ALL_WRAP, { id: KEK_ID }), NONE);
    expect(vault.wrap(childKek, child)).toHaveLength(104);
  });

  it("are refused by every method once they are gone", () => {
    const attributes = encodeAttributes(template(ALL_CIPHER), KEK_ID, 1);
    const kek = vault.generate(template(ALL_WRAP, { id: KEK_ID }));
    const key = vault.generate(template(ALL_CIPHER));
    const fileKey = vault.generate(FILE_KEY);
    const gone = vault.generate(template(ALL_CIPHER));
    vault.dispose(gone);
    const [prefix, lengths] = [bytes(64), new Uint32Array([3])];
    const calls: [keyof Vault, (handle: Handle) => unknown][] = [
      ["unwrap", (h) => vault.unwrap(h, attributes, bytes(104))],
      ["derive", (h) => vault.derive(h, template(0), NONE)],
      ["wrap", (h) => vault.wrap(h, key)],
      ["wrap", (h) => vault.wrap(kek, h)],
      ["exportInsecureCleartext", (h) => vault.exportInsecureCleartext(h)],
      ["dispose", (h) => vault.dispose(h)],
      ["generateAndWrapBatch", (h) => vault.generateAndWrapBatch(h, attributes, 1)],
      ["wrapBatch", (h) => vault.wrapBatch(h, [key])],
      ["wrapBatch", (h) => vault.wrapBatch(kek, [key, h])],
      ["openCheckBatch", (h) => vault.openCheckBatch(h, attributes, bytes(104), 1)],
      ["rewrapBatch", (h) => vault.rewrapBatch(h, kek, attributes, bytes(104), 1)],
      ["rewrapBatch", (h) => vault.rewrapBatch(kek, h, attributes, bytes(104), 1)],
      ["deriveBatch", (h) => vault.deriveBatch(h, kek, attributes, NONE, 0, 1)],
      ["seal", (h) => vault.seal(h, NONE, NONE)],
      ["openLent", (h) => vault.openLent(h, NONE, bytes(72), () => 0)],
      ["open", (h) => vault.open(h, NONE, bytes(72))],
      ["mac", (h) => vault.mac(h, NONE)],
      ["macVerify", (h) => vault.macVerify(h, NONE, bytes(32))],
      ["macBatch", (h) => vault.macBatch(h, bytes(3), lengths)],
      ["recordSeal", (h) => vault.recordSeal(h, prefix, bytes(3), lengths)],
      ["recordCheck", (h) => vault.recordCheck(h, prefix, bytes(3), lengths, bytes(32))],
      ["recordSealRows", (h) => vault.recordSealRows(h, prefix, bytes(40), 40)],
      ["recordCheckRows", (h) => vault.recordCheckRows(h, prefix, bytes(40), 40)],
      ["moveRows", (h) => vault.moveRows(h, key, key, prefix, bytes(193), 193)],
      ["ageWrapFileKey", (h) => vault.ageWrapFileKey(h, NONE, fileKey)],
      ["ageWrapFileKey", (h) => vault.ageWrapFileKey(key, NONE, h)],
      ["ageUnwrapFileKey", (h) => vault.ageUnwrapFileKey(h, NONE, bytes(88))],
      ["ageScryptWrap", (h) => vault.ageScryptWrap(h, fileKey)],
      ["ageScryptUnwrap", (h) => vault.ageScryptUnwrap(h, bytes(32))],
      ["ageHeaderMac", (h) => vault.ageHeaderMac(h, NONE)],
      ["ageHeaderMacVerify", (h) => vault.ageHeaderMacVerify(h, NONE, bytes(32))],
      ["agePayloadKey", (h) => vault.agePayloadKey(h, bytes(16))],
      ["ageChunkSeal", (h) => vault.ageChunkSeal(h, 0, true, NONE)],
      ["ageChunkOpen", (h) => vault.ageChunkOpen(h, 0, true, bytes(16))],
      ["publicKey", (h) => vault.publicKey(h)],
      ["sign", (h) => vault.sign(h, NONE)],
      ["verify", (h) => vault.verify(h, NONE, bytes(64))],
      ["agree", (h) => vault.agree(h, bytes(32), template(ALL_CIPHER), NONE)],
      ["sealTo", (h) => vault.sealTo(h, bytes(32))],
      ["openFrom", (h) => vault.openFrom(h, bytes(108))],
      ["ageX25519Wrap", (h) => vault.ageX25519Wrap(bytes(32), h)],
      ["ageX25519Unwrap", (h) => vault.ageX25519Unwrap(h, bytes(32), bytes(32))],
    ];
    const takeNoKey = [
      "capacity",
      "liveCount",
      "generate",
      "import",
      "deriveFromPassword",
      "deriveFromPasswordArgon2id",
      "deriveFromPasswordScrypt",
      "disposeAll",
    ];
    const tried = new Set([...calls.map(([name]) => name), ...takeNoKey]);
    expect([...tried].sort()).toEqual(Object.keys(vault).sort());
    for (const [, call] of calls) expect(codeOf(() => call(gone))).toBe("CORE_HANDLE_STALE");
  });

  it("and nonces are what the random source gives", async () => {
    const random = (view: Uint8Array): void => void view.set(bytes(view.length, 30));
    const { vault: known } = await loadCoreWith({ simd, random });
    const key = known.generate(template(ALL_CIPHER, { exportable: true }));
    expect(toHex(known.exportInsecureCleartext(key))).toBe(toHex(bytes(32, 30)));
    expect(toHex(known.seal(key, NONE, NONE).subarray(32, 56))).toBe(toHex(bytes(24, 30)));
  });
});
