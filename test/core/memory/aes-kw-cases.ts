/** Memory after every call: AES-KW and AES-KWP. */
import { expect } from "vitest";
import type { Call } from "./probe.js";
import { at, bytes } from "../support.js";
import { flipped, type Cases } from "./kit.js";

const KEK_LENGTHS = [16, 24, 32];

const one = (kek: Uint8Array, input: Uint8Array, reserve: number): Call => ({
  inputs: [kek, input],
  reserve,
  args: ([k, x], out) => [k!, kek.length, x!, input.length, out],
});

const many = (kek: Uint8Array, input: Uint8Array, length: number, count: number, reserve: number): Call => ({
  inputs: [kek, input],
  reserve,
  args: ([k, x], out) => [k!, kek.length, x!, length, out, count],
});

export const aesKwCases: Cases = {
  aesKwWrapMany: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      for (const kekLength of KEK_LENGTHS) {
        const kek = bytes(kekLength, 3);
        t.addSecret(kek, "the key-encryption key");
        for (const length of [16, 24, 32, 512, 520]) {
          for (const n of [0, 1, 2, 7, 8, 9, 17]) {
            const keys = bytes(n * length, 1000 + length + n);
            const call = many(kek, keys, length, n, n * (length + 8));
            t.call("aesKwWrapMany", { ...call, secrets: () => [keys] });
          }
        }
        for (const length of [0, 8, 17, 31]) {
          t.call("aesKwWrapMany", many(kek, bytes(2 * length), length, 2, 2 * length + 16), "LENGTH");
        }
      }
      t.call("aesKwWrapMany", many(bytes(20), bytes(64), 32, 2, 80), "LENGTH");
      const call = many(bytes(32, 3), bytes(96), 32, 3, 120);
      t.ranges("aesKwWrapMany", call);
      t.call("aesKwWrapMany", { ...call, args: (p, out) => call.args(p, out).with(5, 0x10_0001) }, "RANGE");
      t.call("aesKwWrapMany", { ...call, args: (p, out) => call.args(p, out).with(3, -8) }, "RANGE");
    },
  },
  aesKwUnwrapMany: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      for (const kekLength of KEK_LENGTHS) {
        const kek = bytes(kekLength, 3);
        t.addSecret(kek, "the key-encryption key");
        for (const length of [16, 32, 520]) {
          for (const n of [0, 1, 2, 8, 9]) {
            const keys = bytes(n * length, 2000 + length + n);
            const wrapping = many(kek, keys, length, n, n * (length + 8));
            const { output: wrapped } = t.call("aesKwWrapMany", wrapping);
            const size = length + 8;
            if (n > 0) wrapped[(n - 1) * size]! ^= 1;
            const { output } = t.call("aesKwUnwrapMany", many(kek, wrapped, size, n, n * (length + 1)));
            for (let i = 0; i < n; i++) {
              const good = i < n - 1;
              expect(at(output, i, length)).toEqual(good ? at(keys, i, length) : new Uint8Array(length));
              expect(output[n * length + i]).toBe(good ? 0 : 1);
            }
          }
        }
        for (const length of [0, 7, 8, 16, 25]) {
          t.call("aesKwUnwrapMany", many(kek, bytes(2 * length), length, 2, 2 * length), "LENGTH");
        }
      }
      t.call("aesKwUnwrapMany", many(bytes(20), bytes(80), 40, 2, 66), "LENGTH");
      const call = many(bytes(32, 3), bytes(120), 40, 3, 99);
      t.ranges("aesKwUnwrapMany", call);
      t.call("aesKwUnwrapMany", { ...call, args: (p, out) => call.args(p, out).with(5, -1) }, "RANGE");
    },
  },
  aesKwpWrap: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      for (const kekLength of KEK_LENGTHS) {
        const kek = bytes(kekLength, 3);
        t.addSecret(kek, "the key-encryption key");
        for (const length of [1, 7, 8, 9, 16, 31, 32, 600]) {
          const key = bytes(length, 3000 + length);
          const call = one(kek, key, Math.ceil(length / 8) * 8 + 8);
          t.call("aesKwpWrap", { ...call, secrets: () => [key] });
        }
        t.call("aesKwpWrap", one(kek, bytes(0), 8), "LENGTH");
      }
      t.call("aesKwpWrap", one(bytes(20), bytes(9), 24), "LENGTH");
      t.ranges("aesKwpWrap", one(bytes(32, 3), bytes(9), 24));
    },
  },
  aesKwpUnwrap: {
    statuses: ["OK", "AUTHENTICATION", "LENGTH", "RANGE"],
    run(t) {
      for (const kekLength of KEK_LENGTHS) {
        const kek = bytes(kekLength, 3);
        t.addSecret(kek, "the key-encryption key");
        for (const length of [1, 8, 9, 16, 31, 600]) {
          const key = bytes(length, 1000 * kekLength + length);
          const padded = Math.ceil(length / 8) * 8;
          const { output: wrapped } = t.call("aesKwpWrap", one(kek, key, padded + 8));
          const opening = (input: Uint8Array): Call => ({ ...one(kek, input, padded + 8), output: padded });
          const { output, value } = t.call("aesKwpUnwrap", opening(wrapped));
          expect(value).toBe(length);
          expect(output.subarray(0, length)).toEqual(key);
          expect(output.subarray(length)).toEqual(new Uint8Array(padded - length));
          t.addSecret(key, "a key");
          t.call("aesKwpUnwrap", opening(flipped(wrapped, 0)), "AUTHENTICATION");
          t.call("aesKwpUnwrap", opening(flipped(wrapped, padded + 7)), "AUTHENTICATION");
        }
        for (const length of [0, 8, 15, 17]) {
          t.call("aesKwpUnwrap", one(kek, bytes(length), length), "LENGTH");
        }
      }
      t.call("aesKwpUnwrap", one(bytes(20), bytes(24), 24), "LENGTH");
      t.ranges("aesKwpUnwrap", one(bytes(32, 3), bytes(24), 24));
    },
  },
};
