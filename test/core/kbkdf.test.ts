/** SP 800-108 in counter mode: NIST's vectors, and the standard's text written down a second time over noble. */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import cavp from "../vectors/nist-cavp/cavp_kbkdf_ctr.json";
import { bytes, codeOf, cores, hex, toHex } from "./support.js";

const NONE = new Uint8Array(0);

/** K(i) = PRF(K_IN, [i]_2 ‖ FixedInputData). */
function kbkdf(key: Uint8Array, fixed: Uint8Array, length: number): Uint8Array {
  const out: number[] = [];
  for (let i = 1; out.length < length; i++)
    out.push(...hmac(sha256, key, Uint8Array.of(0, 0, i >> 8, i, ...fixed)));
  return Uint8Array.from(out.slice(0, length));
}

describe.each(await cores())("KBKDF in counter mode, $name build,", ({ core }) => {
  it("agrees with NIST on a 32-bit counter before the fixed data", () => {
    let cases = 0;
    for (const { prf, counterLocation, counterBits, tests } of cavp.groups) {
      expect([prf, counterLocation, counterBits]).toEqual(["HMAC_SHA256", "BEFORE_FIXED", 32]);
      for (const test of tests) {
        const out = core.kbkdfCounterHmacSha256(hex(test.key), hex(test.fixedInputData), test.outBits / 8);
        expect(toHex(out)).toBe(test.out);
        cases++;
      }
    }
    expect(cases).toBe(5);
  });

  it("derives from every length of key and of fixed data, every length to three blocks and one", () => {
    for (let length = 1; length <= 193; length++) {
      const [key, fixed] = [bytes(length, 1), bytes(193 - length, 2)];
      expect(toHex(core.kbkdfCounterHmacSha256(key, fixed, (length % 97) + 1))).toBe(
        toHex(kbkdf(key, fixed, (length % 97) + 1)),
      );
    }
    // The counter's second byte.
    expect(toHex(core.kbkdfCounterHmacSha256(bytes(32), NONE, 300 * 32))).toBe(
      toHex(kbkdf(bytes(32), NONE, 300 * 32)),
    );
  });

  it("puts label, zero, context and the length in bits together", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.uint8Array({ maxLength: 80 }),
        fc.uint8Array({ maxLength: 80 }),
        fc.integer({ min: 1, max: 300 }),
        (key, label, context, length) => {
          const fixed = Uint8Array.of(...label, 0, ...context, 0, 0, (length * 8) >> 8, length * 8);
          const expected = toHex(kbkdf(key, fixed, length));
          expect(toHex(core.kbkdfCounterHmacSha256(key, { label, context }, length))).toBe(expected);
          expect(toHex(core.kbkdfCounterHmacSha256(key, fixed, length))).toBe(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuses what isn't bytes, and lengths out of bounds", () => {
    for (const wrong of ["text", null, undefined, [1], 5] as never[]) {
      expect(codeOf(() => core.kbkdfCounterHmacSha256(wrong, NONE, 32))).toBe("TypeError");
      expect(codeOf(() => core.kbkdfCounterHmacSha256(NONE, wrong, 32))).toBe("TypeError");
      expect(codeOf(() => core.kbkdfCounterHmacSha256(NONE, { label: wrong, context: NONE }, 32))).toBe(
        "TypeError",
      );
      expect(codeOf(() => core.kbkdfCounterHmacSha256(NONE, { label: NONE, context: wrong }, 32))).toBe(
        "TypeError",
      );
    }
    for (const length of [0, -1, 1.5, NaN, 2 ** 31, "1"] as number[]) {
      expect(codeOf(() => core.kbkdfCounterHmacSha256(NONE, NONE, length))).toBe("CORE_INVALID_PARAMETER");
    }
    const named = { label: NONE, context: NONE };
    expect(codeOf(() => core.kbkdfCounterHmacSha256(NONE, named, 2 ** 29))).toBe("CORE_INVALID_PARAMETER");
  });
});
