/** AES-KW, AES-KWP and AES-256-GCM-SIV: published vectors, every length, batches against singles, and noble. */
import { aeskw, aeskwp, ecb, gcmsiv } from "@noble/ciphers/aes.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CoreError } from "../../bindings/index.js";
import boringGcmSiv from "../vectors/boringssl-aead/aes_256_gcm_siv_tests.json";
import cavpKw from "../vectors/nist-cavp/cavp_kw.json";
import cavpKwp from "../vectors/nist-cavp/cavp_kwp.json";
import typed from "../vectors/rfc-typed/aes-kw.json";
import wycheproofGcmSiv from "../vectors/wycheproof/aes_gcm_siv_test.json";
import wycheproofKwp from "../vectors/wycheproof/aes_kwp_test.json";
import wycheproofKw from "../vectors/wycheproof/aes_wrap_test.json";
import { at, bytes, codeOf, cores, hex, toHex } from "./support.js";

const KEK_LENGTHS = [16, 24, 32];
const FAILED = "CORE_AUTHENTICATION_FAILED";

/** RFC 3394 §2.2.1 under any initial value, over noble's AES; one semiblock is one block (RFC 5649 §4.1). */
function wrapRaw(kek: Uint8Array, initial: readonly number[], key: Uint8Array): Uint8Array {
  const encrypt = (block: Uint8Array): Uint8Array => ecb(kek, { disablePadding: true }).encrypt(block);
  const out = new Uint8Array([...initial, ...key]);
  const n = key.length / 8;
  if (n === 1) return encrypt(out);
  for (let t = 1; t <= 6 * n; t++) {
    const i = 8 * (((t - 1) % n) + 1);
    const block = encrypt(new Uint8Array([...out.subarray(0, 8), ...out.subarray(i, i + 8)]));
    block[7]! ^= t;
    out.set(block.subarray(0, 8));
    out.set(block.subarray(8), i);
  }
  return out;
}

/** The indexes that a failed batch names. */
function indexesOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    expect(
      codeOf(() => {
        throw error;
      }),
    ).toBe(FAILED);
    return (error as CoreError).details["indexes"];
  }
  throw new Error("nothing was thrown");
}

describe.each(await cores())("AES, $name build,", ({ core }) => {
  const { aesKw, aesKwp, aesGcmSiv } = core;

  /** The same key or record in a batch, where it takes another way. */
  function wrapAmong(count: number, kek: Uint8Array, key: Uint8Array): string[] {
    const keys = new Uint8Array(count * key.length);
    for (let i = 0; i < count; i++)
      keys.set(i === count - 1 ? key : bytes(key.length, i + 50), i * key.length);
    const wrapped = aesKw.wrapBatch(kek, keys, count);
    expect(toHex(aesKw.unwrapBatch(kek, wrapped, count))).toBe(toHex(keys));
    return [toHex(at(wrapped, count - 1, key.length + 8))];
  }

  it("agrees with Wycheproof on AES-KW", () => {
    const count = { valid: 0, invalid: 0 };
    for (const group of wycheproofKw.testGroups) {
      for (const test of group.tests) {
        const [kek, key, wrapped] = [hex(test.key), hex(test.msg), hex(test.ct)];
        // "acceptable" is a key of one semiblock, which RFC 3394 has no wrapping for.
        if (test.result === "valid") {
          expect(toHex(aesKw.wrap(kek, key))).toBe(test.ct);
          expect(toHex(aesKw.unwrap(kek, wrapped))).toBe(test.msg);
          expect(wrapAmong(9, kek, key)).toEqual([test.ct]);
          expect(wrapAmong(2, kek, key)).toEqual([test.ct]);
          count.valid++;
        } else {
          expect(codeOf(() => aesKw.unwrap(kek, wrapped))).toBe(FAILED);
          const twice = new Uint8Array([...wrapped, ...wrapped]);
          expect(indexesOf(() => aesKw.unwrapBatch(kek, twice, 2))).toEqual([0, 1]);
          count.invalid++;
        }
      }
    }
    expect(count).toEqual({ valid: 20, invalid: 68 });
  });

  it("agrees with Wycheproof on AES-KWP", () => {
    const count = { valid: 0, invalid: 0 };
    for (const group of wycheproofKwp.testGroups) {
      for (const test of group.tests) {
        const [kek, key, wrapped] = [hex(test.key), hex(test.msg), hex(test.ct)];
        if (test.result === "valid") {
          expect(toHex(aesKwp.wrap(kek, key))).toBe(test.ct);
          expect(toHex(aesKwp.unwrap(kek, wrapped))).toBe(test.msg);
          count.valid++;
        } else {
          expect(codeOf(() => aesKwp.unwrap(kek, wrapped))).toBe(FAILED);
          count.invalid++;
        }
      }
    }
    expect(count).toEqual({ valid: 38, invalid: 89 });
  });

  it.each([
    ["AES-KW", cavpKw, aesKw],
    ["AES-KWP", cavpKwp, aesKwp],
  ] as const)("agrees with NIST CAVP on %s", (_, file, algorithm) => {
    const count = { wrap: 0, unwrap: 0, invalid: 0 };
    for (const group of file.groups) {
      for (const test of group.tests as {
        kek: string;
        wrapped: string;
        plaintext?: string;
        result: string;
      }[]) {
        const [kek, wrapped] = [hex(test.kek), hex(test.wrapped)];
        if (test.result !== "valid") {
          expect(codeOf(() => algorithm.unwrap(kek, wrapped))).toBe(FAILED);
          count.invalid++;
        } else if (group.op === "wrap") {
          expect(toHex(algorithm.wrap(kek, hex(test.plaintext!)))).toBe(test.wrapped);
          count.wrap++;
        } else {
          expect(toHex(algorithm.unwrap(kek, wrapped))).toBe(test.plaintext);
          count.unwrap++;
        }
      }
    }
    expect(count).toEqual(
      file === cavpKw ? { wrap: 99, unwrap: 99, invalid: 99 } : { wrap: 91, unwrap: 86, invalid: 94 },
    );
  });

  it("agrees with the examples in RFC 3394 and RFC 5649", () => {
    expect(typed.vectors).toHaveLength(3);
    for (const test of typed.vectors) {
      const algorithm = test.alg === "AES-KW" ? aesKw : aesKwp;
      expect(toHex(algorithm.wrap(hex(test.kek), hex(test.plaintext)))).toBe(test.wrapped);
      expect(toHex(algorithm.unwrap(hex(test.kek), hex(test.wrapped)))).toBe(test.plaintext);
    }
  });

  it("agrees with Wycheproof and BoringSSL on AES-256-GCM-SIV", () => {
    const count = { valid: 0, invalid: 0, foreign: 0 };
    for (const group of wycheproofGcmSiv.testGroups) {
      for (const test of group.tests) {
        const [key, iv, aad, msg] = [hex(test.key), hex(test.iv), hex(test.aad), hex(test.msg)];
        const sealed = hex(test.ct + test.tag);
        if (group.keySize !== 256) {
          expect(codeOf(() => aesGcmSiv.seal(key, iv, aad, msg))).toBe("CORE_INVALID_LENGTH");
          count.foreign++;
        } else if (test.result === "valid") {
          expect(toHex(aesGcmSiv.seal(key, iv, aad, msg))).toBe(test.ct + test.tag);
          expect(toHex(aesGcmSiv.open(key, iv, aad, sealed))).toBe(test.msg);
          expect(toHex(aesGcmSiv.sealBatch(key, iv, aad, msg, 1))).toBe(test.ct + test.tag);
          count.valid++;
        } else {
          expect(codeOf(() => aesGcmSiv.open(key, iv, aad, sealed))).toBe(FAILED);
          expect(indexesOf(() => aesGcmSiv.openBatch(key, iv, aad, sealed, 1))).toEqual([0]);
          count.invalid++;
        }
      }
    }
    expect(count).toEqual({ valid: 44, invalid: 18, foreign: 59 });
    expect(boringGcmSiv.tests).toHaveLength(47);
    for (const test of boringGcmSiv.tests) {
      const [key, nonce, text, aad] = [hex(test.KEY), hex(test.NONCE), hex(test.IN), hex(test.AD)];
      expect(toHex(aesGcmSiv.seal(key, nonce, aad, text))).toBe(test.CT + test.TAG);
      expect(toHex(aesGcmSiv.open(key, nonce, aad, hex(test.CT + test.TAG)))).toBe(test.IN);
    }
  });

  it("wraps keys of every length as noble does", () => {
    for (const kekLength of KEK_LENGTHS) {
      const kek = bytes(kekLength, kekLength);
      for (let length = 1; length <= 73; length++) {
        const key = bytes(length, length);
        const padded = aesKwp.wrap(kek, key);
        expect(toHex(padded)).toBe(toHex(aeskwp(kek).encrypt(key)));
        expect(toHex(aesKwp.unwrap(kek, padded))).toBe(toHex(key));
        if (length % 8 !== 0 || length < 16) {
          expect(codeOf(() => aesKw.wrap(kek, key))).toBe("CORE_INVALID_LENGTH");
          expect(codeOf(() => aesKw.wrapBatch(kek, new Uint8Array(2 * length), 2))).toBe(
            "CORE_INVALID_LENGTH",
          );
          continue;
        }
        const wrapped = aesKw.wrap(kek, key);
        expect(toHex(wrapped)).toBe(toHex(aeskw(kek).encrypt(key)));
        expect(toHex(aesKw.unwrap(kek, wrapped))).toBe(toHex(key));
      }
    }
    expect(codeOf(() => aesKwp.wrap(bytes(16), new Uint8Array(0)))).toBe("CORE_INVALID_LENGTH");
  });

  it("refuses key-encryption keys that no AES has, and what no wrapping can be", () => {
    for (const length of [0, 1, 8, 15, 17, 31, 33, 64]) {
      const calls = [
        () => aesKw.wrap(bytes(length), bytes(16)),
        () => aesKw.unwrap(bytes(length), bytes(24)),
        () => aesKw.wrapBatch(bytes(length), bytes(32), 2),
        () => aesKw.unwrapBatch(bytes(length), bytes(48), 2),
        () => aesKwp.wrap(bytes(length), bytes(16)),
        () => aesKwp.unwrap(bytes(length), bytes(24)),
      ];
      for (const call of calls) expect(codeOf(call)).toBe("CORE_INVALID_LENGTH");
    }
    for (const length of [0, 7, 8, 15, 23, 25]) {
      expect(codeOf(() => aesKw.unwrap(bytes(16), bytes(length)))).toBe(FAILED);
      expect(codeOf(() => aesKwp.unwrap(bytes(16), bytes(length)))).toBe(FAILED);
      expect(indexesOf(() => aesKw.unwrapBatch(bytes(16), bytes(3 * length), 3))).toEqual([0, 1, 2]);
    }
    expect(codeOf(() => aesKw.unwrap(bytes(16), bytes(16)))).toBe(FAILED);
    for (const wrong of ["text", [1], null, new ArrayBuffer(16)] as never[]) {
      const calls = [
        () => aesKw.wrap(wrong, bytes(16)),
        () => aesKw.wrap(bytes(16), wrong),
        () => aesKw.unwrap(wrong, bytes(24)),
        () => aesKw.unwrap(bytes(16), wrong),
        () => aesKw.wrapBatch(wrong, bytes(16), 1),
        () => aesKw.wrapBatch(bytes(16), wrong, 1),
        () => aesKw.unwrapBatch(wrong, bytes(24), 1),
        () => aesKw.unwrapBatch(bytes(16), wrong, 1),
        () => aesKwp.wrap(wrong, bytes(16)),
        () => aesKwp.wrap(bytes(16), wrong),
        () => aesKwp.unwrap(wrong, bytes(24)),
        () => aesKwp.unwrap(bytes(16), wrong),
      ];
      for (const call of calls) expect(codeOf(call)).toBe("TypeError");
    }
    for (const count of [-1, 1.5, NaN, 2 ** 32, "3", null] as number[]) {
      expect(codeOf(() => aesKw.wrapBatch(bytes(16), bytes(48), count))).toBe("CORE_INVALID_PARAMETER");
      expect(codeOf(() => aesKw.unwrapBatch(bytes(16), bytes(72), count))).toBe("CORE_INVALID_PARAMETER");
    }
    expect(codeOf(() => aesKw.wrapBatch(bytes(16), bytes(48), 0))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => aesKw.wrapBatch(bytes(16), bytes(50), 3))).toBe("CORE_INVALID_LENGTH");
    expect(aesKw.wrapBatch(bytes(16), new Uint8Array(0), 0)).toHaveLength(0);
    expect(aesKw.unwrapBatch(bytes(16), new Uint8Array(0), 0)).toHaveLength(0);
  });

  it("wraps in a batch as one by one, around eight at once and around the longest that are", () => {
    for (const kekLength of KEK_LENGTHS) {
      const kek = bytes(kekLength, 3);
      for (const length of [16, 24, 32, 40, 504, 512, 520]) {
        for (const count of length > 40 ? [1, 2, 9] : [1, 2, 3, 7, 8, 9, 16, 17, 25]) {
          const keys = bytes(length * count, count);
          const before = toHex(keys);
          const wrapped = aesKw.wrapBatch(kek, keys, count);
          for (let i = 0; i < count; i++) {
            const one = aesKw.wrap(kek, at(keys, i, length));
            expect(toHex(at(wrapped, i, length + 8))).toBe(toHex(one));
          }
          expect(toHex(aesKw.unwrapBatch(kek, wrapped, count))).toBe(before);
          expect(toHex(keys)).toBe(before);
        }
      }
    }
  });

  it("handles batches larger than its pieces", () => {
    const count = 9001;
    const [kek, keys] = [bytes(32, 1), bytes(32 * count, 2)];
    const wrapped = aesKw.wrapBatch(kek, keys, count);
    for (const i of [0, 1, 3639, 3640, 8999, 9000]) {
      expect(toHex(at(wrapped, i, 40))).toBe(toHex(aeskw(kek).encrypt(at(keys, i, 32))));
    }
    expect(aesKw.unwrapBatch(kek, wrapped, count)).toEqual(keys);
    const broken = [0, 4500, 9000];
    for (const i of broken) wrapped[i * 40 + 17]! ^= 8;
    expect(indexesOf(() => aesKw.unwrapBatch(kek, wrapped, count))).toEqual(broken);
  });

  it("unwraps nothing whose any one bit was changed", () => {
    const kek = bytes(24, 5);
    for (const key of [bytes(5, 6), bytes(16, 6), bytes(32, 6), bytes(29, 6)]) {
      const algorithms = key.length % 8 === 0 ? [aesKw, aesKwp] : [aesKwp];
      for (const algorithm of algorithms) {
        const wrapped = algorithm.wrap(kek, key);
        for (let bit = 0; bit < wrapped.length * 8; bit++) {
          const changed = wrapped.slice();
          changed[bit >> 3]! ^= 1 << (bit & 7);
          expect(codeOf(() => algorithm.unwrap(kek, changed))).toBe(FAILED);
        }
      }
    }
    const keys = bytes(32 * 11, 7);
    const wrapped = aesKw.wrapBatch(kek, keys, 11);
    for (let i = 0; i < 11; i++) {
      const changed = wrapped.slice();
      changed[i * 40 + ((i * 7) % 40)]! ^= 1 << (i & 7);
      changed[((i + 3) % 11) * 40]! ^= 0x80;
      const expected = [i, (i + 3) % 11].sort((a, b) => a - b);
      expect(indexesOf(() => aesKw.unwrapBatch(kek, changed, 11))).toEqual(expected);
    }
  });

  it("tells AES-KW and AES-KWP apart", () => {
    const [kek, key] = [bytes(32, 8), bytes(32, 9)];
    expect(codeOf(() => aesKwp.unwrap(kek, aesKw.wrap(kek, key)))).toBe(FAILED);
    expect(codeOf(() => aesKw.unwrap(kek, aesKwp.wrap(kek, key)))).toBe(FAILED);
  });

  it("refuses every length and padding that AES-KWP doesn't have", () => {
    const kek = bytes(16, 11);
    for (const n of [1, 2, 3]) {
      for (let length = 0; length <= 8 * n + 9; length++) {
        for (let zeros = 0; zeros <= 8; zeros++) {
          const semiblocks = new Uint8Array(8 * n).fill(0xff);
          semiblocks.fill(0, 8 * n - zeros);
          const wrapped = wrapRaw(kek, [0xa6, 0x59, 0x59, 0xa6, 0, 0, 0, length], semiblocks);
          if (length > 8 * n - 8 && length <= 8 * n && zeros >= 8 * n - length) {
            expect(toHex(aesKwp.unwrap(kek, wrapped))).toBe(toHex(semiblocks.subarray(0, length)));
          } else {
            expect(codeOf(() => aesKwp.unwrap(kek, wrapped))).toBe(FAILED);
          }
        }
      }
      for (const place of [0, 1, 2, 3, 4, 5, 6]) {
        const initial = [0xa6, 0x59, 0x59, 0xa6, 0, 0, 0, 8 * n];
        initial[place]! ^= 1;
        expect(codeOf(() => aesKwp.unwrap(kek, wrapRaw(kek, initial, bytes(8 * n))))).toBe(FAILED);
      }
    }
  });

  it("seals and opens every text and every associated data of 0 to 145 bytes: AES-256-GCM-SIV", () => {
    const key = bytes(32, 3);
    for (let length = 0; length <= 145; length++) {
      const nonce = bytes(12, length + 7);
      for (const [text, aad] of [
        [bytes(length, 5), bytes(13, 6)],
        [bytes(40, 5), bytes(length, 6)],
      ] as const) {
        const sealed = aesGcmSiv.seal(key, nonce, aad, text);
        expect(toHex(sealed)).toBe(toHex(gcmsiv(key, nonce, aad).encrypt(text)));
        expect(toHex(aesGcmSiv.open(key, nonce, aad, sealed))).toBe(toHex(text));
      }
    }
    for (const length of [255, 256, 257, 4096, 65_536 + 17]) {
      const [nonce, text, aad] = [bytes(12, 1), bytes(length, 2), bytes(5, 3)];
      const sealed = aesGcmSiv.seal(key, nonce, aad, text);
      expect(toHex(sealed)).toBe(toHex(gcmsiv(key, nonce, aad).encrypt(text)));
      expect(toHex(aesGcmSiv.open(key, nonce, aad, sealed))).toBe(toHex(text));
    }
  });

  it("does in a batch what it does one by one: AES-256-GCM-SIV", () => {
    const key = bytes(32, 3);
    for (const length of [0, 1, 16, 31, 32, 33, 64, 129]) {
      for (const aadLength of [0, 1, 48]) {
        for (const count of [0, 1, 2, 7, 8, 9, 17]) {
          const nonces = bytes(12 * count, 4);
          const [texts, aads] = [bytes(length * count, 5), bytes(aadLength * count, 6)];
          const sealed = aesGcmSiv.sealBatch(key, nonces, aads, texts, count);
          expect(sealed).toHaveLength(count * (length + 16));
          for (let i = 0; i < count; i++) {
            const [nonce, aad] = [at(nonces, i, 12), at(aads, i, aadLength)];
            const one = aesGcmSiv.seal(key, nonce, aad, at(texts, i, length));
            expect(toHex(at(sealed, i, length + 16))).toBe(toHex(one));
          }
          expect(toHex(aesGcmSiv.openBatch(key, nonces, aads, sealed, count))).toBe(toHex(texts));
        }
      }
    }
  });

  it("opens nothing whose any one bit was changed: AES-256-GCM-SIV", () => {
    const [key, nonce, aad, text] = [bytes(32, 1), bytes(12, 2), bytes(20, 3), bytes(20, 4)];
    const sealed = aesGcmSiv.seal(key, nonce, aad, text);
    const fields = [key, nonce, aad, sealed] as const;
    fields.forEach((field, place) => {
      for (let bit = 0; bit < field.length * 8; bit++) {
        const changed = field.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const args = fields.with(place, changed) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
        expect(codeOf(() => aesGcmSiv.open(...args))).toBe(FAILED);
      }
    });
  });

  it("agrees with noble on whatever is asked", () => {
    const blob = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });
    const exactly = (length: number): fc.Arbitrary<Uint8Array> =>
      fc.uint8Array({ minLength: length, maxLength: length });
    const kek = fc.constantFrom(...KEK_LENGTHS).chain(exactly);
    fc.assert(
      fc.property(
        kek,
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 20 }),
        fc.nat(),
        (k, n, count, seed) => {
          const keys = bytes(8 * n * count, seed);
          const expected = Array.from({ length: count }, (_, i) =>
            toHex(aeskw(k).encrypt(at(keys, i, 8 * n))),
          );
          expect(toHex(aesKw.wrapBatch(k, keys, count))).toBe(expected.join(""));
        },
      ),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(exactly(32), exactly(12), blob(100), blob(300), (key, nonce, aad, text) => {
        const sealed = aesGcmSiv.seal(key, nonce, aad, text);
        expect(toHex(sealed)).toBe(toHex(gcmsiv(key, nonce, aad).encrypt(text)));
        expect(toHex(aesGcmSiv.open(key, nonce, aad, sealed))).toBe(toHex(text));
      }),
      { numRuns: 100 },
    );
  });
});
