/** SHA-512, and HMAC, HKDF and PBKDF2 with it: published vectors, every length, and noble. */
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import rfc4231 from "../vectors/rfc-kat/rfc4231-hmac-sha512.json";
import wycheproofHkdf from "../vectors/wycheproof/hkdf_sha512_test.json";
import wycheproofHmac from "../vectors/wycheproof/hmac_sha512_test.json";
import wycheproofPbkdf2 from "../vectors/wycheproof/pbkdf2_hmacsha512_test.json";
import { bytes, codeOf, cores, hex, toHex } from "./support.js";

const NONE = new Uint8Array(0);
const data = fc.uint8Array({ maxLength: 400 });

describe.each(await cores())("SHA-512 and what is built on it, $name build,", ({ core }) => {
  it("gives the digests of FIPS 180-4's examples", () => {
    const text = new TextEncoder();
    const rows: [string, string][] = [
      [
        "abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      ],
      [
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
      ],
    ];
    for (const [message, digest] of rows) expect(toHex(core.sha512(text.encode(message)))).toBe(digest);
  });

  it("agrees with Wycheproof and RFC 4231 on HMAC-SHA512", () => {
    let cases = 0;
    for (const group of wycheproofHmac.testGroups) {
      for (const test of group.tests) {
        const mac = toHex(core.hmacSha512(hex(test.key), hex(test.msg))).slice(0, group.tagSize / 4);
        expect(mac === test.tag).toBe(test.result === "valid");
        cases++;
      }
    }
    expect(cases).toBe(wycheproofHmac.numberOfTests);
    for (const test of rfc4231.tests) {
      expect(toHex(core.hmacSha512(hex(test.Key), hex(test.Msg))).startsWith(test.MD)).toBe(true);
    }
    expect(rfc4231.tests).toHaveLength(6);
  });

  it("agrees with Wycheproof on HKDF-SHA512", () => {
    let cases = 0;
    for (const group of wycheproofHkdf.testGroups) {
      for (const test of group.tests) {
        const run = (): Uint8Array =>
          core.hkdfSha512(hex(test.ikm), hex(test.salt), hex(test.info), test.size);
        if (test.result === "valid") expect(toHex(run())).toBe(test.okm);
        else expect(codeOf(run)).toBe("CORE_INVALID_PARAMETER");
        cases++;
      }
    }
    expect(cases).toBe(wycheproofHkdf.numberOfTests);
  });

  it("agrees with Wycheproof on PBKDF2-HMAC-SHA512", () => {
    let cases = 0;
    for (const group of wycheproofPbkdf2.testGroups) {
      for (const { password, salt, iterationCount, dkLen, dk } of group.tests) {
        expect(toHex(core.pbkdf2Sha512(hex(password), hex(salt), iterationCount, dkLen))).toBe(dk);
        cases++;
      }
    }
    expect(cases).toBe(wycheproofPbkdf2.numberOfTests);
  });

  it("hashes and MACs every length from 0 to three blocks and one, under keys of every length, as noble does", () => {
    const key = bytes(33, 9);
    for (let length = 0; length <= 3 * 128 + 1; length++) {
      const message = bytes(length, length + 1);
      expect(toHex(core.sha512(message))).toBe(toHex(sha512(message)));
      expect(toHex(core.hmacSha512(key, message))).toBe(toHex(hmac(sha512, key, message)));
      expect(toHex(core.hmacSha512(message, key))).toBe(toHex(hmac(sha512, message, key)));
    }
    const large = bytes(300_001, 5);
    expect(toHex(core.sha512(large))).toBe(toHex(sha512(large)));
  });

  // The second block hashes three parts, 64 bytes, info and a number: each info splits a message elsewhere.
  it("takes messages in parts of every length", () => {
    for (let length = 0; length <= 3 * 128 + 1; length++) {
      const info = bytes(length, 3);
      const expected = toHex(hkdf(sha512, bytes(40, 1), bytes(20, 2), info, 129));
      expect(toHex(core.hkdfSha512(bytes(40, 1), bytes(20, 2), info, 129))).toBe(expected);
    }
    for (let length = 0; length <= 2 * 128 + 1; length++) {
      const salt = bytes(length, 4);
      const expected = toHex(pbkdf2(sha512, bytes(9, 1), salt, { c: 2, dkLen: 65 }));
      expect(toHex(core.pbkdf2Sha512(bytes(9, 1), salt, 2, 65))).toBe(expected);
    }
  });

  it("derives every output length from 0 to 200", () => {
    for (let length = 0; length <= 200; length++) {
      const [ikm, salt, info] = [bytes(length, 1), bytes(200 - length, 2), bytes(length, 3)];
      const expected = length === 0 ? "" : toHex(hkdf(sha512, ikm, salt, info, length));
      expect(toHex(core.hkdfSha512(ikm, salt, info, length))).toBe(expected);
      if (length > 0) {
        const stretched = toHex(pbkdf2(sha512, ikm, salt, { c: 3, dkLen: length }));
        expect(toHex(core.pbkdf2Sha512(ikm, salt, 3, length))).toBe(stretched);
      }
    }
    const longest = toHex(hkdf(sha512, NONE, NONE, NONE, 16_320));
    expect(toHex(core.hkdfSha512(NONE, NONE, NONE, 16_320))).toBe(longest);
  });

  it("agrees with noble on whatever comes", () => {
    const one = fc.tuple(data, data, data, fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(one, ([a, b, c, length, iterations]) => {
        expect(toHex(core.sha512(a))).toBe(toHex(sha512(a)));
        expect(toHex(core.hmacSha512(a, b))).toBe(toHex(hmac(sha512, a, b)));
        expect(toHex(core.hkdfSha512(a, b, c, length))).toBe(toHex(hkdf(sha512, a, b, c, length)));
        const stretched = toHex(pbkdf2(sha512, a, b, { c: iterations, dkLen: length }));
        expect(toHex(core.pbkdf2Sha512(a, b, iterations, length))).toBe(stretched);
      }),
      { numRuns: 100 },
    );
  });

  it("keeps to its bounds, and refuses what isn't bytes", () => {
    for (const length of [-1, 16_321, 1.5, NaN, "32", 32n, undefined] as number[]) {
      expect(codeOf(() => core.hkdfSha512(NONE, NONE, NONE, length))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const iterations of [0, -1, 1.5, NaN, 2 ** 32, "1", 1n] as number[]) {
      expect(codeOf(() => core.pbkdf2Sha512(NONE, NONE, iterations, 32))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const length of [0, -1, 1.5, 2 ** 31, "1"] as number[]) {
      expect(codeOf(() => core.pbkdf2Sha512(NONE, NONE, 1, length))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const wrong of ["text", null, undefined, [1], new ArrayBuffer(4)] as never[]) {
      for (const call of [
        () => core.sha512(wrong),
        () => core.hmacSha512(wrong, NONE),
        () => core.hmacSha512(NONE, wrong),
        () => core.hkdfSha512(wrong, NONE, NONE, 32),
        () => core.hkdfSha512(NONE, wrong, NONE, 32),
        () => core.hkdfSha512(NONE, NONE, wrong, 32),
        () => core.pbkdf2Sha512(wrong, NONE, 1, 32),
        () => core.pbkdf2Sha512(NONE, wrong, 1, 32),
      ]) {
        expect(codeOf(call)).toBe("TypeError");
      }
    }
  });

  it("takes bytes at any address, leaves them as they are, and gives fresh ones", () => {
    for (let shift = 0; shift < 20; shift++) {
      const buffer = bytes(500, 40 + shift);
      const before = toHex(buffer);
      const [a, b, c] = [buffer.subarray(shift, 150), buffer.subarray(151 + shift), buffer.subarray(shift)];
      expect(toHex(core.sha512(c))).toBe(toHex(sha512(c)));
      expect(toHex(core.hmacSha512(a, b))).toBe(toHex(hmac(sha512, a, b)));
      expect(toHex(core.hkdfSha512(a, b, c, 70))).toBe(toHex(hkdf(sha512, a, b, c, 70)));
      expect(toHex(core.pbkdf2Sha512(a, b, 2, 70))).toBe(toHex(pbkdf2(sha512, a, b, { c: 2, dkLen: 70 })));
      expect(toHex(buffer)).toBe(before);
    }
    const [first, second] = [core.sha512(NONE), core.sha512(NONE)];
    first.fill(0);
    expect(toHex(second)).toBe(toHex(sha512(NONE)));
  });
});
