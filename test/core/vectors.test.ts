import { describe, expect, it } from "vitest";
import type { Aead, Primitives } from "../../bindings/primitives/index.js";
import boringChacha from "../vectors/boringssl-aead/chacha20_poly1305_tests.json";
import boringXchacha from "../vectors/boringssl-aead/xchacha20_poly1305_tests.json";
import rfc4231 from "../vectors/rfc-kat/rfc4231-hmac-sha256.json";
import rfc5869 from "../vectors/rfc-kat/rfc5869-hkdf-sha256.json";
import rfc7539 from "../vectors/rfc-kat/rfc7539-chacha20.json";
import typed from "../vectors/rfc-typed/vectors.json";
import wycheproofChacha from "../vectors/wycheproof/chacha20_poly1305_test.json";
import wycheproofHkdf from "../vectors/wycheproof/hkdf_sha256_test.json";
import wycheproofHmac from "../vectors/wycheproof/hmac_sha256_test.json";
import wycheproofPbkdf2 from "../vectors/wycheproof/pbkdf2_hmacsha256_test.json";
import wycheproofXchacha from "../vectors/wycheproof/xchacha20_poly1305_test.json";
import { codeOf, cores, hex, toHex } from "./support.js";

interface AeadCase {
  iv: string;
  key: string;
  aad: string;
  msg: string;
  ct: string;
  tag: string;
  result: string;
}

/** Runs Wycheproof AEAD groups. @returns how many cases were opened, refused, and of a nonce length that doesn't exist */
function runWycheproof(
  aead: Aead,
  groups: readonly { ivSize: number; tests: readonly AeadCase[] }[],
  ivSize: number,
): { valid: number; invalid: number; foreign: number } {
  const count = { valid: 0, invalid: 0, foreign: 0 };
  for (const group of groups) {
    for (const test of group.tests) {
      const [key, iv, aad, msg] = [hex(test.key), hex(test.iv), hex(test.aad), hex(test.msg)];
      const sealed = hex(test.ct + test.tag);
      if (group.ivSize !== ivSize) {
        expect(codeOf(() => aead.seal(key, iv, aad, msg))).toBe("CORE_INVALID_LENGTH");
        expect(codeOf(() => aead.open(key, iv, aad, sealed))).toBe("CORE_INVALID_LENGTH");
        count.foreign++;
      } else if (test.result === "valid") {
        expect(toHex(aead.seal(key, iv, aad, msg))).toBe(test.ct + test.tag);
        expect(toHex(aead.open(key, iv, aad, sealed))).toBe(test.msg);
        // The batch is another code path.
        expect(toHex(aead.sealBatch(key, iv, aad, msg, 1))).toBe(test.ct + test.tag);
        expect(toHex(aead.openBatch(key, iv, aad, sealed, 1))).toBe(test.msg);
        count.valid++;
      } else {
        expect(codeOf(() => aead.open(key, iv, aad, sealed))).toBe("CORE_AUTHENTICATION_FAILED");
        expect(codeOf(() => aead.openBatch(key, iv, aad, sealed, 1))).toBe("CORE_AUTHENTICATION_FAILED");
        count.invalid++;
      }
    }
  }
  return count;
}

/** BoringSSL's values are text in quotes, or hexadecimal. */
function value(text: string): Uint8Array {
  return text.startsWith('"') ? new TextEncoder().encode(text.slice(1, -1)) : hex(text);
}

interface BoringCase {
  KEY: string;
  NONCE: string;
  IN: string;
  AD: string;
  CT: string;
  TAG: string;
}

function runBoring(aead: Aead, tests: readonly BoringCase[]): { whole: number; truncated: number } {
  const count = { whole: 0, truncated: 0 };
  for (const test of tests) {
    const [key, nonce, text, aad] = [value(test.KEY), value(test.NONCE), value(test.IN), value(test.AD)];
    const sealed = toHex(aead.seal(key, nonce, aad, text));
    const ciphertext = toHex(value(test.CT));
    const tag = toHex(value(test.TAG));
    // A case with a shortened tag still says what the ciphertext and the tag's beginning are.
    expect(sealed.startsWith(ciphertext + tag)).toBe(true);
    if (tag.length === 32) {
      expect(toHex(aead.open(key, nonce, aad, hex(sealed)))).toBe(toHex(text));
      count.whole++;
    } else {
      count.truncated++;
    }
  }
  return count;
}

describe.each(await cores())("published vectors, $name build", ({ core }) => {
  const primitives: Primitives = core;

  it("agrees with Wycheproof on ChaCha20-Poly1305", () => {
    const count = runWycheproof(primitives.chacha20Poly1305, wycheproofChacha.testGroups, 96);
    expect(count).toEqual({ valid: 130, invalid: 37, foreign: 7 });
  });

  it("agrees with Wycheproof on XChaCha20-Poly1305", () => {
    const count = runWycheproof(primitives.xchacha20Poly1305, wycheproofXchacha.testGroups, 192);
    expect(count).toEqual({ valid: 111, invalid: 21, foreign: 5 });
  });

  it("agrees with BoringSSL on both AEADs", () => {
    expect(runBoring(primitives.chacha20Poly1305, boringChacha.tests)).toEqual({ whole: 35, truncated: 9 });
    expect(runBoring(primitives.xchacha20Poly1305, boringXchacha.tests)).toEqual({ whole: 32, truncated: 0 });
  });

  it("agrees with Wycheproof and RFC 4231 on HMAC-SHA256", () => {
    let cases = 0;
    for (const group of wycheproofHmac.testGroups) {
      for (const test of group.tests) {
        const mac = toHex(primitives.hmacSha256(hex(test.key), hex(test.msg))).slice(0, group.tagSize / 4);
        expect(mac === test.tag).toBe(test.result === "valid");
        cases++;
      }
    }
    expect(cases).toBe(wycheproofHmac.numberOfTests);
    for (const test of rfc4231.tests) {
      const mac = toHex(primitives.hmacSha256(hex(test.Key), hex(test.Msg)));
      expect(mac.startsWith(test.MD)).toBe(true);
    }
    expect(rfc4231.tests).toHaveLength(6);
  });

  it("agrees with Wycheproof and RFC 5869 on HKDF-SHA256", () => {
    let cases = 0;
    for (const group of wycheproofHkdf.testGroups) {
      for (const test of group.tests) {
        const run = (): Uint8Array =>
          primitives.hkdfSha256(hex(test.ikm), hex(test.salt), hex(test.info), test.size);
        if (test.result === "valid") expect(toHex(run())).toBe(test.okm);
        else expect(codeOf(run)).toBe("CORE_INVALID_PARAMETER");
        cases++;
      }
    }
    expect(cases).toBe(wycheproofHkdf.numberOfTests);
    for (const test of rfc5869.tests) {
      const okm = primitives.hkdfSha256(hex(test.IKM), hex(test.salt ?? ""), hex(test.info), Number(test.L));
      expect(toHex(okm)).toBe(test.OKM);
      const expanded = primitives.hkdfExpandSha256Batch(hex(test.PRK), hex(test.info), Number(test.L), 1);
      expect(toHex(expanded)).toBe(test.OKM);
    }
    expect(rfc5869.tests.length).toBe(3);
  });

  it("agrees with Wycheproof on PBKDF2-HMAC-SHA256", () => {
    let cases = 0;
    for (const group of wycheproofPbkdf2.testGroups) {
      for (const test of group.tests) {
        const { password, salt, iterationCount, dkLen } = test;
        expect(toHex(primitives.pbkdf2Sha256(hex(password), hex(salt), iterationCount, dkLen))).toBe(test.dk);
        cases++;
      }
    }
    expect(cases).toBe(wycheproofPbkdf2.numberOfTests);
  });

  it("agrees with RFC 7539 on ChaCha20 from block 1 on, which is where the AEAD begins", () => {
    const tests = rfc7539.tests.filter((test) => test.INITIAL_BLOCK_COUNTER === "1");
    expect(tests).toHaveLength(1);
    for (const test of tests) {
      const text = hex(test.PLAINTEXT);
      const sealed = primitives.chacha20Poly1305.seal(
        hex(test.KEY),
        hex(test.NONCE),
        new Uint8Array(0),
        text,
      );
      expect(toHex(sealed.subarray(0, text.length))).toBe(test.CIPHERTEXT);
    }
  });

  it("agrees with the examples in RFC 8439, RFC 5869, RFC 7914 and the XChaCha draft", () => {
    const seen: Record<string, number> = {};
    for (const test of typed.vectors) {
      const field = (name: keyof typeof test): Uint8Array => hex(String(test[name]));
      switch (test.alg) {
        case "ChaCha20-Poly1305":
        case "XChaCha20-Poly1305": {
          const aead = test.alg[0] === "X" ? primitives.xchacha20Poly1305 : primitives.chacha20Poly1305;
          const sealed = aead.seal(field("key"), field("nonce"), field("aad"), field("plaintext"));
          expect(toHex(sealed)).toBe(`${test.ciphertext}${test.tag}`);
          break;
        }
        case "HKDF-SHA256": {
          const length = Number(test.length);
          const okm = primitives.hkdfSha256(field("ikm"), field("salt"), field("info"), length);
          expect(toHex(okm)).toBe(test.okm);
          break;
        }
        case "PBKDF2-HMAC-SHA256": {
          const [iterations, length] = [Number(test.iterations), Number(test.length)];
          const dk = primitives.pbkdf2Sha256(field("password"), field("salt"), iterations, length);
          expect(toHex(dk)).toBe(test.dk);
          break;
        }
      }
      seen[test.alg] = (seen[test.alg] ?? 0) + 1;
    }
    expect(seen).toEqual({
      "ChaCha20-Poly1305": 1,
      "XChaCha20-Poly1305": 1,
      "HKDF-SHA256": 2,
      "PBKDF2-HMAC-SHA256": 2,
    });
  });

  it("agrees with FIPS 180-4 on SHA-256", () => {
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    expect(toHex(core.sha256(text("abc")))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(toHex(core.sha256(new Uint8Array(0)))).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(toHex(core.sha256(text("a".repeat(1_000_000))))).toBe(
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
  });
});
