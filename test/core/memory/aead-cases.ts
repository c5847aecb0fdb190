/** Memory after every call: AEADs. */
import { expect } from "vitest";
import type { Call } from "./probe.js";
import { at, bytes } from "../support.js";
import { flipped, type Cases } from "./kit.js";

function aeadOne(
  variant: number,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
): Call {
  return {
    inputs: [key, nonce, aad, text],
    args: ([k, n, a, x], out) => [variant, k!, n!, a!, aad.length, x!, text.length, out],
  };
}

/** The text stands where the output comes. */
function aeadOneInPlace(
  variant: number,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
): Call {
  return {
    inputs: [key, nonce, aad],
    inPlace: text,
    args: ([k, n, a], out) => [variant, k!, n!, a!, aad.length, out, text.length, out],
  };
}

function aeadMany(
  variant: number,
  count: number,
  key: Uint8Array,
  nonces: Uint8Array,
  aads: Uint8Array,
  texts: Uint8Array,
): Call {
  const [aadLength, length] = count === 0 ? [5, 32] : [aads.length / count, texts.length / count];
  return {
    inputs: [key, nonces, aads, texts],
    args: ([k, n, a, x], out) => [variant, k!, n!, a!, aadLength, x!, length, out, count],
  };
}

export const aeadCases: Cases = {
  aeadSealOne: {
    statuses: ["OK", "RANGE"],
    run(t) {
      t.addSecret(bytes(32, 3), "the key");
      for (const variant of [0, 1, 2]) {
        for (const length of [0, 1, 16, 63, 64, 65, 192, 193, 257, 700, 5000]) {
          const call = aeadOne(variant, bytes(32, 3), bytes(24), bytes(length % 50, 4), bytes(length, 5));
          const { output } = t.call("aeadSealOne", {
            ...call,
            reserve: length + 16,
            secrets: () => [bytes(length, 5)],
          });
          if (variant === 2) continue;
          const inPlace = aeadOneInPlace(
            variant,
            bytes(32, 3),
            bytes(24),
            bytes(length % 50, 4),
            bytes(length, 5),
          );
          const placed = t.call("aeadSealOne", {
            ...inPlace,
            reserve: length + 16,
            secrets: () => [bytes(length, 5)],
          });
          expect(placed.output).toEqual(output);
        }
        t.ranges("aeadSealOne", {
          ...aeadOne(variant, bytes(32, 3), bytes(24), bytes(9), bytes(70)),
          reserve: 86,
        });
      }
    },
  },
  aeadOpenOne: {
    statuses: ["OK", "AUTHENTICATION", "LENGTH", "RANGE"],
    run(t) {
      const [key, nonce, aad] = [bytes(32, 3), bytes(24), bytes(9, 4)];
      t.addSecret(key, "the key");
      for (const variant of [0, 1, 2]) {
        for (const length of [0, 1, 16, 64, 65, 193, 700]) {
          const text = bytes(length, 1000 + 3 * length + variant);
          const sealing = { ...aeadOne(variant, key, nonce, aad, text), reserve: length + 16 };
          const { output: sealed } = t.call("aeadSealOne", sealing);
          const opening = (input: Uint8Array, otherAad = aad): Call => ({
            ...aeadOne(variant, key, nonce, otherAad, input),
            reserve: input.length,
            output: Math.max(0, input.length - 16),
          });
          expect(t.call("aeadOpenOne", opening(sealed)).output).toEqual(text);
          t.addSecret(text, "a plaintext");
          t.call("aeadOpenOne", opening(flipped(sealed, 0)), "AUTHENTICATION");
          t.call("aeadOpenOne", opening(flipped(sealed, length + 15)), "AUTHENTICATION");
          t.call("aeadOpenOne", opening(sealed, flipped(aad, 3)), "AUTHENTICATION");
          t.call("aeadOpenOne", opening(sealed.subarray(0, 15)), "LENGTH");
          if (length === 64) t.ranges("aeadOpenOne", opening(sealed));
          if (variant === 2) continue;
          const inPlace = (input: Uint8Array): Call => ({
            ...aeadOneInPlace(variant, key, nonce, aad, input),
            reserve: input.length,
            output: input.length - 16,
          });
          t.call("aeadOpenOne", inPlace(flipped(sealed, length)), "AUTHENTICATION");
          expect(t.call("aeadOpenOne", { ...inPlace(sealed), cleartext: true }).output).toEqual(text);
        }
      }
    },
  },
  aeadSealMany: {
    statuses: ["OK", "RANGE"],
    run(t) {
      t.addSecret(bytes(32, 3), "the key");
      for (const variant of [0, 1, 2]) {
        const nonce = variant === 1 ? 24 : 12;
        for (const [length, aad] of [
          [0, 0],
          [32, 48],
          [33, 48],
          [65, 5],
          [29, 129],
          [100, 17],
        ] as const) {
          for (const n of [0, 1, 3, 4, 5, 9]) {
            const texts = bytes(n * length, 6);
            const call = aeadMany(variant, n, bytes(32, 3), bytes(n * nonce), bytes(n * aad, 4), texts);
            t.call("aeadSealMany", { ...call, reserve: n * (length + 16), secrets: () => [texts] });
          }
        }
        const call = aeadMany(variant, 5, bytes(32, 3), bytes(5 * nonce), bytes(5 * 9), bytes(5 * 32));
        t.ranges("aeadSealMany", { ...call, reserve: 5 * 48 });
        t.call("aeadSealMany", { ...call, args: (p, out) => call.args(p, out).with(8, 0x10_0001) }, "RANGE");
      }
    },
  },
  aeadOpenMany: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      const key = bytes(32, 3);
      t.addSecret(key, "the key");
      for (const variant of [0, 1, 2]) {
        for (const [length, aadLength] of [
          [32, 48],
          [65, 5],
          [29, 129],
        ] as const) {
          for (const n of [0, 1, 4, 5, 9]) {
            const [nonces, aads] = [bytes(n * (variant === 1 ? 24 : 12)), bytes(n * aadLength, 4)];
            const texts = bytes(n * length, 6);
            const sealing = aeadMany(variant, n, key, nonces, aads, texts);
            const { output: sealed } = t.call("aeadSealMany", { ...sealing, reserve: n * (length + 16) });
            if (n > 0) sealed[(n - 1) * (length + 16)]! ^= 1;
            const opening = aeadMany(variant, n, key, nonces, aads, sealed);
            const reserve = n * (length + 1);
            const { output } = t.call("aeadOpenMany", { ...opening, reserve });
            for (let i = 0; i < n; i++) {
              const good = i < n - 1;
              expect(at(output, i, length)).toEqual(good ? at(texts, i, length) : new Uint8Array(length));
              expect(output[n * length + i]).toBe(good ? 0 : 1);
            }
            if (n === 5) t.ranges("aeadOpenMany", { ...opening, reserve });
          }
        }
        const short = aeadMany(variant, 2, key, bytes(48), bytes(2), bytes(30));
        t.call("aeadOpenMany", short, "LENGTH");
      }
    },
  },
};
