/** 20,000 random cases of each AES kernel and build against node:crypto and noble. */
import * as nodeCrypto from "node:crypto";
import { gcmsiv } from "@noble/ciphers/aes.js";
import { describe, expect, it } from "vitest";
import { at, codeOf, cores, toHex } from "./support.js";

const CASES = 20_000;
const random = (length: number): Uint8Array => nodeCrypto.randomBytes(length);
const upTo = (max: number): number => nodeCrypto.randomInt(max + 1);

function nodeWrap(name: string, iv: string, kek: Uint8Array, key: Uint8Array): string {
  const cipher = nodeCrypto.createCipheriv(`id-aes${kek.length * 8}-${name}`, kek, Buffer.from(iv, "hex"));
  return cipher.update(key, undefined, "hex") + cipher.final("hex");
}

/** One random bit changed. */
function changed(value: Uint8Array): Uint8Array {
  const copy = value.slice();
  copy[upTo(value.length - 1)]! ^= 1 << upTo(7);
  return copy;
}

describe.each(await cores())("at random, $name build,", ({ core: { aesKw, aesKwp, aesGcmSiv } }) => {
  it("AES-KW agrees with node:crypto", () => {
    for (let done = 0; done < CASES;) {
      const kek = random(16 + 8 * upTo(2));
      const [length, count] = [16 + 8 * upTo(8), 1 + upTo(19)];
      const keys = random(length * count);
      const wrapped = aesKw.wrapBatch(kek, keys, count);
      for (let i = 0; i < count; i++) {
        const expected = nodeWrap("wrap", "a6a6a6a6a6a6a6a6", kek, at(keys, i, length));
        expect(toHex(at(wrapped, i, length + 8))).toBe(expected);
      }
      expect(toHex(aesKw.wrap(kek, at(keys, 0, length)))).toBe(toHex(at(wrapped, 0, length + 8)));
      expect(toHex(aesKw.unwrap(kek, at(wrapped, 0, length + 8)))).toBe(toHex(at(keys, 0, length)));
      expect(toHex(aesKw.unwrapBatch(kek, wrapped, count))).toBe(toHex(keys));
      expect(codeOf(() => aesKw.unwrapBatch(kek, changed(wrapped), count))).toBe(
        "CORE_AUTHENTICATION_FAILED",
      );
      done += count;
    }
  });

  it("AES-KWP agrees with node:crypto", () => {
    for (let done = 0; done < CASES; done++) {
      const [kek, key] = [random(16 + 8 * upTo(2)), random(1 + upTo(70))];
      const wrapped = aesKwp.wrap(kek, key);
      expect(toHex(wrapped)).toBe(nodeWrap("wrap-pad", "a65959a6", kek, key));
      expect(toHex(aesKwp.unwrap(kek, wrapped))).toBe(toHex(key));
      expect(codeOf(() => aesKwp.unwrap(kek, changed(wrapped)))).toBe("CORE_AUTHENTICATION_FAILED");
    }
  });

  it("AES-256-GCM-SIV agrees with noble", () => {
    for (let done = 0; done < CASES;) {
      const key = random(32);
      const [length, aadLength, count] = [upTo(100), upTo(60), 1 + upTo(12)];
      const [nonces, aads, texts] = [random(12 * count), random(aadLength * count), random(length * count)];
      const sealed = aesGcmSiv.sealBatch(key, nonces, aads, texts, count);
      for (let i = 0; i < count; i++) {
        const peer = gcmsiv(key, at(nonces, i, 12), at(aads, i, aadLength));
        expect(toHex(at(sealed, i, length + 16))).toBe(toHex(peer.encrypt(at(texts, i, length))));
      }
      expect(toHex(aesGcmSiv.openBatch(key, nonces, aads, sealed, count))).toBe(toHex(texts));
      const broken = (): unknown => aesGcmSiv.openBatch(key, nonces, aads, changed(sealed), count);
      expect(codeOf(broken)).toBe("CORE_AUTHENTICATION_FAILED");
      done += count;
    }
  });
});
