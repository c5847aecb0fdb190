import { blake2b } from "@noble/hashes/blake2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, codeOf, cores, toHex } from "./support.js";

/** The deterministic sequence of RFC 7693, appendix E. */
function sequence(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let a = Math.imul(0xdead4bad, seed) >>> 0;
  let b = 1;
  for (let i = 0; i < length; i++) {
    const t = (a + b) >>> 0;
    a = b;
    b = t;
    out[i] = t >>> 24;
  }
  return out;
}

describe.each(await cores())("BLAKE2b, $name build,", ({ core }) => {
  it("gives the digest of RFC 7693, appendix A", () => {
    expect(toHex(core.blake2b(new TextEncoder().encode("abc")))).toBe(
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1" +
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
    );
  });

  it("passes the self-test of RFC 7693, appendix E: digests and MACs over four digest lengths and six input lengths", () => {
    const digests: number[] = [];
    for (const length of [20, 32, 48, 64]) {
      for (const inputLength of [0, 3, 128, 129, 255, 1024]) {
        const input = sequence(inputLength, inputLength);
        digests.push(...core.blake2b(input, { length }));
        digests.push(...core.blake2b(input, { length, key: sequence(length, length) }));
      }
    }
    expect(toHex(core.blake2b(Uint8Array.from(digests), { length: 32 }))).toBe(
      "c23a7800d98123bd10f506c61e29da5603d763b8bbad2e737f5e765a7bccd475",
    );
  });

  it("agrees with noble for every input length to three blocks, with and without a key", () => {
    for (let n = 0; n <= 3 * 128 + 1; n++) {
      const input = bytes(n, n + 1);
      const before = toHex(input);
      expect(toHex(core.blake2b(input))).toBe(toHex(blake2b(input)));
      const [key, length] = [bytes(1 + (n % 64), 7), 1 + (n % 64)];
      expect(toHex(core.blake2b(input, { key, length }))).toBe(toHex(blake2b(input, { key, dkLen: length })));
      expect(toHex(input)).toBe(before);
    }
  });

  it("agrees with noble for every length of key and digest", () => {
    for (let key = 1; key <= 64; key++) {
      for (const length of [1, 31, 32, 33, key]) {
        const options = { key: bytes(key, key), length };
        const expected = blake2b(bytes(100), { key: options.key, dkLen: length });
        expect(toHex(core.blake2b(bytes(100), options))).toBe(toHex(expected));
      }
    }
  });

  it("agrees with noble on whatever comes", () => {
    const arbitrary = fc.tuple(
      fc.uint8Array({ maxLength: 1000, size: "max" }),
      fc.option(fc.uint8Array({ minLength: 1, maxLength: 64 }), { nil: undefined }),
      fc.integer({ min: 1, max: 64 }),
    );
    fc.assert(
      fc.property(arbitrary, ([data, key, length]) => {
        const expected = blake2b(data, { dkLen: length, ...(key && { key }) });
        expect(toHex(core.blake2b(data, { key, length }))).toBe(toHex(expected));
      }),
    );
  });

  it("refuses lengths that it doesn't have", () => {
    const data = bytes(10);
    for (const length of [0, 65, 1.5, -1]) {
      expect(codeOf(() => core.blake2b(data, { length }))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const key of [new Uint8Array(0), bytes(65)]) {
      expect(codeOf(() => core.blake2b(data, { key }))).toBe("CORE_INVALID_LENGTH");
    }
    expect(codeOf(() => core.blake2b("text" as never))).toBe("TypeError");
    expect(codeOf(() => core.blake2b(data, { key: "key" as never }))).toBe("TypeError");
  });
});
