/** Memory after every call: wrapping. */
import { expand } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { expect } from "vitest";
import { ALGORITHM, USAGE } from "../../../bindings/attributes.js";
import { subkey, type Call, type Probe } from "./probe.js";
import { ALL_CIPHER, ALL_WRAP, at, bytes } from "../support.js";
import { WRAPPING } from "../wrapped-key.js";
import {
  words,
  flipped,
  STALE,
  allocating,
  FILE_KEY,
  NEW_MATERIAL,
  type Cases,
  KEK_VERSION,
  kek,
  type Child,
  attributes,
  model,
  unwrapped,
  KEK_MATERIAL,
  theKek,
} from "./kit.js";

/** Keys of one file, which are never stored. */
const AGE_KEYS: Child[] = [
  { algorithm: ALGORITHM.AGE_FILE_KEY, usages: 0 },
  { algorithm: ALGORITHM.AGE_PAYLOAD_KEY, usages: 0 },
  { algorithm: ALGORITHM.AGE_SCRYPT_KEY, usages: 0 },
];

/** A wrapped record under the tests' wrapping key. */
function wrapOne(t: Probe, kekHandle: number, child: Child = {}, length = 32): Uint8Array {
  return t.call("vaultGenerateAndWrap", {
    inputs: [attributes(1, child)],
    reserve: length + 72,
    args: ([a], out) => [kekHandle, a!, 1, length, out],
  }).output;
}

/** A re-wrap of `count` fresh records, which may still be edited, and their keys. */
export function rewrapping(t: Probe, count: number): { call: Call; wrapped: Uint8Array; keys: Uint8Array[] } {
  const [handle, next] = [theKek(t), theKek(t, 4)];
  const all = attributes(count);
  let keys: Uint8Array[] = [];
  const { output: wrapped } = t.call("vaultGenerateAndWrap", {
    inputs: [all],
    reserve: count * 104,
    args: ([a], out) => [handle, a!, count, 32, out],
    secrets: (output) => (keys = unwrapped(KEK_MATERIAL, all, output)),
  });
  const call: Call = {
    inputs: [all, wrapped],
    reserve: count * 105,
    args: ([a, w], out) => [handle, next, a!, w!, count, 32, out],
  };
  return { call, wrapped, keys };
}

export const vaultWrapCases: Cases = {
  vaultOverhead: {
    statuses: ["OK", "STALE"],
    run(t) {
      for (const { algorithm, overhead } of WRAPPING) {
        const handle = theKek(t, KEK_VERSION, ALL_WRAP, algorithm);
        expect(t.call("vaultOverhead", { args: () => [handle] }).value).toBe(overhead);
      }
      t.call("vaultOverhead", { args: () => [STALE] }, "STALE");
    },
  },
  vaultGenerateAndWrap: {
    statuses: ["OK", "STALE", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const handle = theKek(t);
      const call = (
        count: number,
        child: Child = {},
        length = 32,
        key = handle,
        version = KEK_VERSION,
      ): Call => {
        const all = attributes(count, child, version);
        return {
          inputs: [all],
          reserve: count * (length + 72),
          args: ([a], out) => [key, a!, count, length, out],
          secrets: (output) => unwrapped(KEK_MATERIAL, all, output),
        };
      };
      for (const count of [0, 1, 3, 4, 5, 127, 128, 129, 300]) t.call("vaultGenerateAndWrap", call(count));
      for (const draws of [0, 1, 2]) {
        t.drawsLeft = draws;
        t.call("vaultGenerateAndWrap", call(300), "RANDOM");
        t.drawsLeft = draws;
        if (draws < 2) t.call("vaultGenerateAndWrap", call(5), "RANDOM");
        t.drawsLeft = Infinity;
      }
      for (const child of [{ usages: ALL_WRAP | ALL_CIPHER }, { algorithm: 2 }, ...AGE_KEYS]) {
        t.call("vaultGenerateAndWrap", call(3, child), "MISUSE");
      }
      t.call("vaultGenerateAndWrap", call(1, AGE_KEYS[0], 16), "MISUSE");
      t.call("vaultGenerateAndWrap", call(3, {}, 32, handle, KEK_VERSION + 1), "MISUSE");
      t.call("vaultGenerateAndWrap", call(3, {}, 32, t.key(USAGE.UNWRAP, kek)), "MISUSE");
      t.call("vaultGenerateAndWrap", call(3, {}, 32, STALE), "STALE");
      // No algorithm has keys of no bytes, nor does an unknown one.
      t.call("vaultGenerateAndWrap", call(1, { algorithm: 99, usages: 0 }, 0), "MISUSE");
      t.call("vaultGenerateAndWrap", call(1, {}, 65), "RANGE");
      t.ranges("vaultGenerateAndWrap", call(3));
    },
  },
  vaultWrap: {
    statuses: ["OK", "STALE", "LENGTH", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const handle = theKek(t);
      const keys = Array.from({ length: 5 }, (_, i) => t.key(ALL_CIPHER, { material: bytes(32, 300 + i) }));
      const ageKeys = [t.key(0, FILE_KEY), t.key(0, { algorithm: ALGORITHM.AGE_PAYLOAD_KEY })];
      const call = (handles: number[], key = handle, length = 32): Call => ({
        inputs: [words(...handles)],
        reserve: handles.length * (length + 72),
        args: ([h], out) => [key, h!, handles.length, length, out],
      });
      for (const count of [0, 1, 3, 4, 5, 128, 129]) {
        t.call("vaultWrap", call(Array.from({ length: count }, (_, i) => keys[i % 5]!)));
      }
      for (const key of ageKeys) {
        for (const length of [16, 32]) t.call("vaultWrap", call([key], handle, length), "MISUSE");
        t.call("vaultWrap", call([keys[0]!, key]), "MISUSE");
      }
      t.call("vaultWrap", call([keys[0]!], handle, 16), "LENGTH");
      t.call("vaultWrap", call([keys[0]!, STALE]), "STALE");
      t.call("vaultWrap", call([keys[0]!], STALE), "STALE");
      t.call("vaultWrap", call([keys[0]!], keys[1]!), "MISUSE");
      t.drawsLeft = 1;
      t.call("vaultWrap", call(Array.from({ length: 129 }, () => keys[0]!)), "RANDOM");
      t.drawsLeft = Infinity;
      t.ranges("vaultWrap", call(keys));
    },
  },
  vaultUnwrap: {
    statuses: ["OK", "STALE", "AUTHENTICATION", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const handle = theKek(t);
      const wrapped = wrapOne(t, handle);
      const material = unwrapped(KEK_MATERIAL, attributes(1), wrapped)[0]!;
      t.addKey(material);
      const call = (record = wrapped, all = attributes(1), key = handle): Call => ({
        inputs: [all, record],
        args: ([a, w], end) => [key, a!, w!, record.length - 72, end],
        key: () => model({}, 0, material),
      });
      t.call("vaultUnwrap", call());
      for (const i of [0, 31, 32, 56, 87, 103])
        t.call("vaultUnwrap", call(flipped(wrapped, i)), "AUTHENTICATION");
      for (const i of [0, 1, 2, 3, 7, 8, 27, 28, 47]) {
        t.call("vaultUnwrap", call(wrapped, flipped(attributes(1), i)), "AUTHENTICATION");
      }
      for (const length of [72, 73, 103, 105, 136])
        t.call("vaultUnwrap", call(bytes(length, 5)), "AUTHENTICATION");
      t.call("vaultUnwrap", call(wrapped, attributes(1), theKek(t, 4)), "AUTHENTICATION");
      t.call("vaultUnwrap", call(wrapped, attributes(1), t.key(USAGE.WRAP, kek)), "MISUSE");
      t.call("vaultUnwrap", call(wrapped, attributes(1), STALE), "STALE");
      t.call("vaultUnwrap", call(bytes(72 + 65)), "RANGE");
      t.ranges("vaultUnwrap", call(), "end");
      allocating(t, "vaultUnwrap", call());
    },
  },
  vaultOpenCheck: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const handle = theKek(t);
      for (const count of [0, 1, 4, 5, 129]) {
        const all = attributes(count);
        const making: Call = {
          inputs: [all],
          reserve: count * 104,
          args: ([a], out) => [handle, a!, count, 32, out],
          secrets: (output) => unwrapped(KEK_MATERIAL, all, output),
        };
        const { output: wrapped } = t.call("vaultGenerateAndWrap", making);
        if (count > 0) wrapped[(count - 1) * 104 + 60]! ^= 1;
        const call = (key = handle): Call => ({
          inputs: [all, wrapped],
          reserve: count,
          args: ([a, w], out) => [key, a!, w!, count, 32, out],
        });
        const { output } = t.call("vaultOpenCheck", call());
        expect([...output]).toEqual(Array.from({ length: count }, (_, i) => (i < count - 1 ? 0 : 1)));
        if (count !== 5) continue;
        t.call("vaultOpenCheck", call(STALE), "STALE");
        t.call("vaultOpenCheck", call(t.key(USAGE.WRAP, kek)), "MISUSE");
        t.ranges("vaultOpenCheck", call());
      }
      // Records as long as a slot has room for, which no algorithm has: none of them opens.
      const long: Call = {
        inputs: [attributes(129), bytes(129 * 136, 5)],
        reserve: 129,
        args: ([a, w], out) => [handle, a!, w!, 129, 64, out],
      };
      expect(new Set(t.call("vaultOpenCheck", long).output)).toEqual(new Set([1]));
    },
  },
  vaultRewrap: {
    statuses: ["OK", "STALE", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const [handle, next] = [theKek(t), theKek(t, 4)];
      for (const count of [0, 1, 4, 5, 129, 300]) {
        const all = attributes(count);
        const making: Call = {
          inputs: [all],
          reserve: count * 104,
          args: ([a], out) => [handle, a!, count, 32, out],
          secrets: (output) => unwrapped(KEK_MATERIAL, all, output),
        };
        const { output: wrapped } = t.call("vaultGenerateAndWrap", making);
        const broken = count > 1 ? [0, count - 1] : [];
        for (const i of broken) wrapped[i * 104 + 60]! ^= 1;
        const call = (from = handle, to = next): Call => ({
          inputs: [all, wrapped],
          reserve: count * 105,
          args: ([a, w], out) => [from, to, a!, w!, count, 32, out],
        });
        const { output } = t.call("vaultRewrap", call());
        for (let i = 0; i < count; i++) {
          expect(output[count * 104 + i]).toBe(broken.includes(i) ? 1 : 0);
          expect(at(output, i, 104).every((byte) => byte === 0)).toBe(broken.includes(i));
        }
        if (count !== 300) continue;
        t.drawsLeft = 2;
        t.call("vaultRewrap", call(), "RANDOM");
        t.drawsLeft = Infinity;
        t.call("vaultRewrap", call(STALE), "STALE");
        t.call("vaultRewrap", call(handle, STALE), "STALE");
        t.call("vaultRewrap", call(t.key(USAGE.WRAP, kek)), "MISUSE");
        t.call("vaultRewrap", call(handle, t.key(USAGE.UNWRAP, kek)), "MISUSE");
        t.ranges("vaultRewrap", call());
      }
    },
  },
  vaultDerive: {
    statuses: ["OK", "STALE", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const parent = t.key(USAGE.DERIVE | ALL_CIPHER, { algorithm: 3, material: NEW_MATERIAL });
      const call = (info = bytes(20, 5), child: Child = {}, key = parent): Call => {
        const all = attributes(1, child);
        const from = Uint8Array.from([...all.subarray(0, 8), ...info]);
        return {
          inputs: [all, info],
          args: ([a, i], end) => [key, a!, i!, info.length, end],
          key: () => model(child, 0, expand(sha256, subkey(NEW_MATERIAL, "derive"), from, 32)),
        };
      };
      for (const length of [0, 1, 46, 47, 48, 1024]) t.call("vaultDerive", call(bytes(length, 5)));
      for (const child of [{ usages: ALL_WRAP }, { flags: 1 }, { algorithm: 99, usages: 0 }, ...AGE_KEYS]) {
        t.call("vaultDerive", call(bytes(9), child), "MISUSE");
      }
      t.call("vaultDerive", call(bytes(9), {}, t.key(ALL_CIPHER)), "MISUSE");
      t.call("vaultDerive", call(bytes(9), {}, STALE), "STALE");
      t.call("vaultDerive", call(bytes(1025)), "RANGE");
      t.ranges("vaultDerive", call(), "end");
      allocating(t, "vaultDerive", call());
    },
  },
  vaultDeriveAndWrap: {
    statuses: ["OK", "STALE", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const handle = theKek(t);
      const parent = t.key(USAGE.DERIVE | ALL_CIPHER, { algorithm: 3, material: NEW_MATERIAL });
      const call = (
        count: number,
        infoLength: number,
        child: Child = {},
        from = parent,
        to = handle,
      ): Call => {
        const all = attributes(count, child);
        return {
          inputs: [all, bytes(count * infoLength, 5)],
          reserve: count * 104,
          args: ([a, i], out) => [from, to, a!, i!, infoLength, count, out],
          secrets: (output) => unwrapped(KEK_MATERIAL, all, output),
        };
      };
      for (const [count, infoLength] of [
        [0, 5],
        [1, 0],
        [5, 1024],
        [128, 3],
        [129, 3],
      ] as const) {
        t.call("vaultDeriveAndWrap", call(count, infoLength));
      }
      t.drawsLeft = 1;
      t.call("vaultDeriveAndWrap", call(129, 3), "RANDOM");
      t.drawsLeft = Infinity;
      t.call("vaultDeriveAndWrap", call(3, 3, { usages: ALL_WRAP }), "MISUSE");
      t.call("vaultDeriveAndWrap", call(3, 3, { flags: 1 }), "MISUSE");
      for (const child of AGE_KEYS) t.call("vaultDeriveAndWrap", call(3, 3, child), "MISUSE");
      t.call("vaultDeriveAndWrap", call(3, 3, {}, handle), "MISUSE");
      t.call("vaultDeriveAndWrap", call(3, 3, {}, parent, parent), "MISUSE");
      t.call("vaultDeriveAndWrap", call(3, 3, {}, STALE), "STALE");
      t.call("vaultDeriveAndWrap", call(3, 3, {}, parent, STALE), "STALE");
      t.ranges("vaultDeriveAndWrap", call(3, 3));
    },
  },
};
