/**
 * Every export with every status it can return, and with each of its addresses outside of staging: after each call all of
 * memory is what the design says, live slots to the byte. Calls follow each other on one instance, over the lengths and
 * counts at which the kernels take other paths. Memory is imported by the core, so the test sees all of it.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { expand, hkdf } from "@noble/hashes/hkdf.js";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { ALGORITHM, encodeAttributes, USAGE } from "../../bindings/attributes.js";
import {
  Probe,
  SCRATCH_END,
  SLOT_SIZE,
  STAGING,
  STATIC_END,
  subkey,
  type Call,
  type KeyModel,
  type StatusName,
} from "./memory-probe.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, at, bytes } from "./support.js";

const KEK_ID = bytes(16, 70);
const KEK_VERSION = 3;
const kek = { id: KEK_ID, version: KEK_VERSION };

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** Sets a bit, in a copy. */
function flipped(value: Uint8Array, index: number): Uint8Array {
  const copy = value.slice();
  copy[index]! ^= 0x10;
  return copy;
}

interface Child {
  algorithm?: number;
  usages?: number;
  flags?: number;
}

/** Attributes of `count` keys under the wrapping key that the tests use. */
function attributes(count: number, child: Child = {}, version = KEK_VERSION): Uint8Array {
  const out = new Uint8Array(count * 48);
  for (let i = 0; i < count; i++) {
    const { algorithm = 1, usages = ALL_CIPHER, flags = 0 } = child;
    const template = { algorithm, usages, exportable: flags === 1, id: bytes(16, i + 1), version: i + 1 };
    encodeAttributes(template, KEK_ID, version, out, i * 48);
  }
  return out;
}

function model(child: Child, i: number, material: Uint8Array): KeyModel {
  const { algorithm = 1, usages = ALL_CIPHER, flags = 0 } = child;
  return { algorithm, usages, flags, version: i + 1, id: bytes(16, i + 1), material };
}

/** The keys that were wrapped, opened by noble from what the formats' page says. */
function unwrapped(kekMaterial: Uint8Array, all: Uint8Array, wrapped: Uint8Array): Uint8Array[] {
  const count = all.length / 48;
  const size = count === 0 ? 0 : wrapped.length / count;
  return Array.from({ length: count }, (_, i) => {
    const record = at(wrapped, i, size);
    const aead = xchacha20poly1305(subkey(kekMaterial, "wrap/enc"), record.subarray(32, 56), at(all, i, 48));
    return aead.decrypt(record.subarray(56));
  });
}

interface Case {
  /** Every status that the export can return. */
  statuses: StatusName[];
  run: (t: Probe) => void;
}

const STALE = 0x7fff_fc01;
const KEK_MATERIAL = bytes(32, 71);

function theKek(t: Probe, version = KEK_VERSION, usages: number = ALL_WRAP): number {
  return t.key(usages, {
    id: KEK_ID,
    version,
    material: version === KEK_VERSION ? KEK_MATERIAL : bytes(32, 72),
  });
}

function aeadOne(
  extended: number,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
): Call {
  return {
    inputs: [key, nonce, aad, text],
    args: ([k, n, a, x], out) => [extended, k!, n!, a!, aad.length, x!, text.length, out],
  };
}

function aeadMany(
  extended: number,
  count: number,
  key: Uint8Array,
  nonces: Uint8Array,
  aads: Uint8Array,
  texts: Uint8Array,
): Call {
  const [aadLength, length] = count === 0 ? [5, 32] : [aads.length / count, texts.length / count];
  return {
    inputs: [key, nonces, aads, texts],
    args: ([k, n, a, x], out) => [extended, k!, n!, a!, aadLength, x!, length, out, count],
  };
}

/** A wrapped record under the tests' wrapping key. */
function wrapOne(t: Probe, kekHandle: number, child: Child = {}, length = 32): Uint8Array {
  return t.call("vaultGenerateAndWrap", {
    inputs: [attributes(1, child)],
    reserve: length + 72,
    args: ([a], out) => [kekHandle, a!, 1, length, out],
  }).output;
}

function allocating(t: Probe, name: string, call: Call): void {
  t.fillSlots();
  t.call(name, call, "SLOTS_EXHAUSTED");
}

const FILE_KEY = { algorithm: ALGORITHM.AGE_FILE_KEY };
const NEW_ID = bytes(16, 90);
const NEW_MATERIAL = bytes(32, 91);

const seal = (handle: number, text: Uint8Array, aad = bytes(21, 8)): Call => ({
  inputs: [aad, text],
  reserve: text.length + 72,
  args: ([a, x], out) => [handle, a!, aad.length, x!, text.length, out],
});

const open = (handle: number, sealed: Uint8Array, aad = bytes(21, 8)): Call => ({
  inputs: [aad, sealed],
  reserve: sealed.length,
  output: Math.max(0, sealed.length - 72),
  args: ([a, x], out) => [handle, a!, aad.length, x!, sealed.length, out],
});

const CASES: Record<string, Case> = {
  sha256: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call = (length: number): Call => ({
        inputs: [bytes(length, 2)],
        reserve: 32,
        args: ([data], out) => [data!, length, out],
      });
      for (const length of [0, 1, 55, 56, 64, 119, 120, 5000]) t.call("sha256", call(length));
      t.ranges("sha256", call(100));
      t.call("sha256", { ...call(10), args: ([data], out) => [data!, -1, out] }, "RANGE");
    },
  },
  hmacSha256: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call = (key: Uint8Array, length: number): Call => ({
        inputs: [key, bytes(length, 2)],
        reserve: 32,
        args: ([k, data], out) => [k!, key.length, data!, length, out],
        secrets: () => [key],
      });
      for (const length of [0, 1, 32, 63, 64, 65, 200]) t.call("hmacSha256", call(bytes(length, 9), length));
      t.ranges("hmacSha256", call(bytes(40), 50));
    },
  },
  hkdfSha256: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      const call = (length: number): Call => ({
        inputs: [bytes(40, 3), bytes(20, 4), bytes(70, 5)],
        reserve: length,
        args: ([ikm, salt, info], out) => [ikm!, 40, salt!, 20, info!, 70, out, length],
        secrets: () => [bytes(40, 3)],
      });
      for (const length of [0, 1, 32, 33, 100, 8160]) t.call("hkdfSha256", call(length));
      t.call("hkdfSha256", call(8161), "LENGTH");
      t.ranges("hkdfSha256", call(32));
    },
  },
  hkdfExpandSha256Batch: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      const call = (count: number, infoLength: number, length: number): Call => ({
        inputs: [bytes(32, 3), bytes(count * infoLength, 5)],
        reserve: count * length,
        args: ([prk, infos], out) => [prk!, 32, infos!, infoLength, count, out, length],
        secrets: () => [bytes(32, 3)],
      });
      for (const count of [0, 1, 2, 4, 5, 9]) {
        for (const infoLength of [0, 5, 64]) {
          for (const length of [0, 1, 32, 33, 100])
            t.call("hkdfExpandSha256Batch", call(count, infoLength, length));
        }
      }
      t.call("hkdfExpandSha256Batch", call(3, 5, 8161), "LENGTH");
      t.ranges("hkdfExpandSha256Batch", call(5, 8, 32));
    },
  },
  pbkdf2Sha256: {
    statuses: ["OK", "LENGTH", "PARAMETER", "RANGE"],
    run(t) {
      const call = (length: number, iterations = 3): Call => ({
        inputs: [bytes(40, 3), bytes(16, 4)],
        reserve: length,
        args: ([password, salt], out) => [password!, 40, salt!, 16, iterations, out, length],
        secrets: () => [bytes(40, 3)],
      });
      for (const length of [1, 32, 33, 64, 128, 161]) t.call("pbkdf2Sha256", call(length));
      t.call("pbkdf2Sha256", call(0), "LENGTH");
      t.call("pbkdf2Sha256", call(32, 0), "PARAMETER");
      t.ranges("pbkdf2Sha256", call(32));
    },
  },
  aeadSealOne: {
    statuses: ["OK", "RANGE"],
    run(t) {
      t.addSecret(bytes(32, 3), "the key");
      for (const extended of [0, 1]) {
        for (const length of [0, 1, 16, 63, 64, 65, 192, 193, 257, 700, 5000]) {
          const call = aeadOne(extended, bytes(32, 3), bytes(24), bytes(length % 50, 4), bytes(length, 5));
          t.call("aeadSealOne", { ...call, reserve: length + 16, secrets: () => [bytes(length, 5)] });
        }
        t.ranges("aeadSealOne", {
          ...aeadOne(extended, bytes(32, 3), bytes(24), bytes(9), bytes(70)),
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
      for (const extended of [0, 1]) {
        for (const length of [0, 1, 16, 64, 65, 193, 700]) {
          const text = bytes(length, 1000 + 2 * length + extended);
          const sealing = { ...aeadOne(extended, key, nonce, aad, text), reserve: length + 16 };
          const { output: sealed } = t.call("aeadSealOne", sealing);
          const opening = (input: Uint8Array, otherAad = aad): Call => ({
            ...aeadOne(extended, key, nonce, otherAad, input),
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
        }
      }
    },
  },
  aeadSealMany: {
    statuses: ["OK", "RANGE"],
    run(t) {
      t.addSecret(bytes(32, 3), "the key");
      for (const extended of [0, 1]) {
        const nonce = extended === 1 ? 24 : 12;
        for (const [length, aad] of [
          [0, 0],
          [32, 48],
          [33, 48],
          [65, 5],
          [20, 129],
          [100, 17],
        ] as const) {
          for (const n of [0, 1, 3, 4, 5, 9]) {
            const texts = bytes(n * length, 6);
            const call = aeadMany(extended, n, bytes(32, 3), bytes(n * nonce), bytes(n * aad, 4), texts);
            t.call("aeadSealMany", { ...call, reserve: n * (length + 16), secrets: () => [texts] });
          }
        }
        const call = aeadMany(extended, 5, bytes(32, 3), bytes(5 * nonce), bytes(5 * 9), bytes(5 * 32));
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
      for (const extended of [0, 1]) {
        for (const [length, aadLength] of [
          [32, 48],
          [65, 5],
          [20, 129],
        ] as const) {
          for (const n of [0, 1, 4, 5, 9]) {
            const [nonces, aads] = [bytes(n * (extended === 1 ? 24 : 12)), bytes(n * aadLength, 4)];
            const texts = bytes(n * length, 6);
            const sealing = aeadMany(extended, n, key, nonces, aads, texts);
            const { output: sealed } = t.call("aeadSealMany", { ...sealing, reserve: n * (length + 16) });
            if (n > 0) sealed[(n - 1) * (length + 16)]! ^= 1;
            const opening = aeadMany(extended, n, key, nonces, aads, sealed);
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
        const short = aeadMany(extended, 2, key, bytes(48), bytes(2), bytes(30));
        t.call("aeadOpenMany", short, "LENGTH");
      }
    },
  },

  vaultGenerate: {
    statuses: ["OK", "LENGTH", "MISUSE", "RANDOM", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const call = (algorithm = 1, usages: number = ALL_CIPHER, flags = 0): Call => ({
        inputs: [NEW_ID],
        args: ([id], end) => [algorithm, flags, usages, id!, 7, end],
      });
      t.call("vaultGenerate", call(0), "LENGTH");
      t.call("vaultGenerate", call(6), "LENGTH");
      t.call("vaultGenerate", call(1, USAGE.WRAP | USAGE.DECRYPT), "MISUSE");
      t.call("vaultGenerate", call(1, 1), "MISUSE");
      t.call("vaultGenerate", call(1, 4, 2), "MISUSE");
      t.drawsLeft = 0;
      t.call("vaultGenerate", call(), "RANDOM");
      t.drawsLeft = Infinity;
      t.ranges("vaultGenerate", call(), "end");
      // A new key is seen in its slot: nothing else of it is anywhere.
      for (const algorithm of [1, 2, 3, 4, 5]) {
        const usages = algorithm === 2 ? ALL_MAC : algorithm > 3 ? 0 : ALL_WRAP;
        const made = call(algorithm, usages, 1);
        t.call("vaultGenerate", {
          ...made,
          key: (handle) => {
            const material = t.materialAt(handle);
            expect(material).toHaveLength(algorithm === 4 ? 16 : 32);
            return { algorithm, usages, flags: 1, version: 7, id: NEW_ID, material };
          },
        });
      }
      allocating(t, "vaultGenerate", call());
    },
  },
  vaultImport: {
    statuses: ["OK", "LENGTH", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const call = (length = 32, algorithm = 1, usages: number = ALL_CIPHER): Call => ({
        inputs: [NEW_ID, bytes(length, 91)],
        args: ([id, material], end) => [algorithm, 0, usages, id!, 7, material!, length, end],
        key: () => ({ algorithm, usages, flags: 0, version: 7, id: NEW_ID, material: bytes(length, 91) }),
      });
      t.addSecret(bytes(64, 91), "the material");
      for (const algorithm of [1, 2, 3]) t.call("vaultImport", call(32, algorithm, ALL_MAC));
      t.call("vaultImport", call(16, 4, 0));
      for (const length of [0, 16, 31, 33, 64]) t.call("vaultImport", call(length), "LENGTH");
      t.call("vaultImport", call(32, 0, 0), "LENGTH");
      t.call("vaultImport", call(32, 1, ALL_WRAP | ALL_CIPHER), "MISUSE");
      t.call("vaultImport", call(65), "RANGE");
      t.ranges("vaultImport", call(), "end");
      allocating(t, "vaultImport", call());
    },
  },
  vaultFromPassword: {
    statuses: ["OK", "LENGTH", "PARAMETER", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const [password, salt] = [bytes(40, 92), bytes(32, 93)];
      const call = (iterations = 3, algorithm = 1, usages: number = ALL_WRAP): Call => ({
        inputs: [NEW_ID, password, salt],
        args: ([id, p, s], end) => [algorithm, 0, usages, id!, 7, p!, 40, s!, 32, iterations, end],
        key: () => {
          const material = pbkdf2(sha256, password, salt, { c: iterations, dkLen: 32 });
          return { algorithm, usages, flags: 0, version: 7, id: NEW_ID, material };
        },
      });
      t.addSecret(password, "the password");
      t.call("vaultFromPassword", call());
      t.call("vaultFromPassword", call(0), "PARAMETER");
      t.call("vaultFromPassword", call(3, 9, 0), "LENGTH");
      t.call("vaultFromPassword", call(3, 2, ALL_WRAP), "MISUSE");
      t.ranges("vaultFromPassword", call(), "end");
      allocating(t, "vaultFromPassword", call());
    },
  },
  vaultDispose: {
    statuses: ["OK", "STALE"],
    run(t) {
      const key = t.key(ALL_CIPHER);
      t.call("vaultSeal", seal(key, bytes(10)));
      t.dispose(key);
      t.call("vaultDispose", { args: () => [key] }, "STALE");
      for (const handle of [0, -1, 1, STALE, key + 1024]) {
        t.call("vaultDispose", { args: () => [handle] }, "STALE");
      }
    },
  },
  vaultDisposeAll: {
    statuses: ["OK"],
    run(t) {
      const key = t.key(ALL_CIPHER | ALL_MAC);
      t.call("vaultSeal", seal(key, bytes(10)));
      t.fillSlots();
      t.live.clear();
      t.call("vaultDisposeAll", { args: () => [] });
    },
  },
  vaultLiveCount: {
    statuses: ["OK"],
    run(t) {
      expect(t.call("vaultLiveCount", { args: () => [] }).value).toBe(0);
      const key = t.key(ALL_CIPHER);
      expect(t.call("vaultLiveCount", { args: () => [] }).value).toBe(1);
      t.dispose(key);
      expect(t.call("vaultLiveCount", { args: () => [] }).value).toBe(0);
    },
  },
  vaultLength: {
    statuses: ["OK", "STALE"],
    run(t) {
      const [key, fileKey] = [t.key(ALL_CIPHER), t.key(0, FILE_KEY)];
      expect(t.call("vaultLength", { args: () => [key] }).value).toBe(32);
      expect(t.call("vaultLength", { args: () => [fileKey] }).value).toBe(16);
      t.call("vaultLength", { args: () => [STALE] }, "STALE");
    },
  },
  vaultExport: {
    statuses: ["OK", "STALE", "NOT_EXPORTABLE", "RANGE"],
    run(t) {
      const [key, closed] = [t.key(ALL_CIPHER, { flags: 1, material: NEW_MATERIAL }), t.key(ALL_CIPHER)];
      const call = (handle: number, output = 32): Call => ({
        reserve: 64,
        output,
        args: (_, out) => [handle, out],
        cleartext: true,
      });
      expect(t.call("vaultExport", call(key)).output).toEqual(NEW_MATERIAL);
      t.call("vaultExport", call(t.key(0, { ...FILE_KEY, flags: 1 }), 16));
      t.call("vaultExport", call(closed), "NOT_EXPORTABLE");
      t.call("vaultExport", call(STALE), "STALE");
      t.ranges("vaultExport", call(key));
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
      const fileKeys = { algorithm: ALGORITHM.AGE_FILE_KEY, usages: 0 };
      for (const count of [1, 129]) t.call("vaultGenerateAndWrap", call(count, fileKeys, 16));
      for (const draws of [0, 1, 2]) {
        t.drawsLeft = draws;
        t.call("vaultGenerateAndWrap", call(300), "RANDOM");
        t.drawsLeft = draws;
        if (draws < 2) t.call("vaultGenerateAndWrap", call(5), "RANDOM");
        t.drawsLeft = Infinity;
      }
      for (const child of [
        { usages: ALL_WRAP | ALL_CIPHER },
        { algorithm: 2 },
        { algorithm: 4, usages: 0 },
      ]) {
        t.call("vaultGenerateAndWrap", call(3, child), "MISUSE");
      }
      t.call("vaultGenerateAndWrap", call(3, {}, 32, handle, KEK_VERSION + 1), "MISUSE");
      t.call("vaultGenerateAndWrap", call(3, {}, 32, t.key(USAGE.UNWRAP, kek)), "MISUSE");
      t.call("vaultGenerateAndWrap", call(3, {}, 32, STALE), "STALE");
      // No algorithm has keys of no bytes, nor does an unknown one.
      t.call("vaultGenerateAndWrap", call(1, { algorithm: 9, usages: 0 }, 0), "MISUSE");
      t.call("vaultGenerateAndWrap", call(1, {}, 65), "RANGE");
      t.ranges("vaultGenerateAndWrap", call(3));
    },
  },
  vaultWrap: {
    statuses: ["OK", "STALE", "LENGTH", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const handle = theKek(t);
      const keys = Array.from({ length: 5 }, (_, i) => t.key(ALL_CIPHER, { material: bytes(32, 300 + i) }));
      const fileKey = t.key(0, FILE_KEY);
      const call = (handles: number[], key = handle, length = 32): Call => ({
        inputs: [words(...handles)],
        reserve: handles.length * (length + 72),
        args: ([h], out) => [key, h!, handles.length, length, out],
      });
      for (const count of [0, 1, 3, 4, 5, 128, 129]) {
        t.call("vaultWrap", call(Array.from({ length: count }, (_, i) => keys[i % 5]!)));
      }
      t.call("vaultWrap", call([fileKey], handle, 16));
      t.call("vaultWrap", call([keys[0]!, fileKey]), "LENGTH");
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
      for (const child of [
        { usages: ALL_WRAP },
        { flags: 1 },
        { algorithm: 4, usages: 0 },
        { algorithm: 9, usages: 0 },
      ]) {
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
      t.call("vaultDeriveAndWrap", call(3, 3, {}, handle), "MISUSE");
      t.call("vaultDeriveAndWrap", call(3, 3, {}, parent, parent), "MISUSE");
      t.call("vaultDeriveAndWrap", call(3, 3, {}, STALE), "STALE");
      t.call("vaultDeriveAndWrap", call(3, 3, {}, parent, STALE), "STALE");
      t.ranges("vaultDeriveAndWrap", call(3, 3));
    },
  },
  vaultSeal: {
    statuses: ["OK", "STALE", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const key = t.key(ALL_CIPHER);
      for (const length of [0, 1, 64, 192, 193, 5000]) t.call("vaultSeal", seal(key, bytes(length, 5)));
      t.drawsLeft = 0;
      t.call("vaultSeal", seal(key, bytes(50)), "RANDOM");
      t.drawsLeft = Infinity;
      t.call("vaultSeal", seal(t.key(USAGE.DECRYPT), bytes(50)), "MISUSE");
      t.call("vaultSeal", seal(STALE, bytes(50)), "STALE");
      t.ranges("vaultSeal", seal(key, bytes(50)));
    },
  },
  vaultOpen: {
    statuses: ["OK", "STALE", "AUTHENTICATION", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_CIPHER);
      for (const length of [0, 1, 64, 193, 5000]) {
        const { output: sealed } = t.call("vaultSeal", seal(key, bytes(length, 5)));
        expect(t.call("vaultOpen", open(key, sealed)).output).toEqual(bytes(length, 5));
        for (const i of [0, 31, 32, 55, 56, length + 71]) {
          t.call("vaultOpen", open(key, flipped(sealed, i)), "AUTHENTICATION");
        }
        t.call("vaultOpen", open(key, sealed, bytes(21, 9)), "AUTHENTICATION");
        t.call("vaultOpen", open(key, sealed.subarray(0, 71)), "AUTHENTICATION");
        if (length !== 64) continue;
        t.call("vaultOpen", open(t.key(USAGE.ENCRYPT), sealed), "MISUSE");
        t.call("vaultOpen", open(STALE, sealed), "STALE");
        t.ranges("vaultOpen", open(key, sealed));
      }
    },
  },
  vaultMac: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_MAC, { algorithm: 2 });
      const call = (handle: number, length: number): Call => ({
        inputs: [bytes(length, 5)],
        reserve: 32,
        args: ([data], out) => [handle, data!, length, out],
      });
      for (const length of [0, 1, 55, 64, 5000]) t.call("vaultMac", call(key, length));
      t.call("vaultMac", call(t.key(USAGE.MAC_VERIFY), 9), "MISUSE");
      t.call("vaultMac", call(STALE, 9), "STALE");
      t.ranges("vaultMac", call(key, 9));
    },
  },
  vaultMacVerify: {
    statuses: ["OK", "STALE", "AUTHENTICATION", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_MAC, { algorithm: 2 });
      const making: Call = {
        inputs: [bytes(90, 5)],
        reserve: 32,
        args: ([data], out) => [key, data!, 90, out],
      };
      const { output: mac } = t.call("vaultMac", making);
      const call = (handle = key, expected = mac): Call => ({
        inputs: [bytes(90, 5), expected],
        args: ([data, m], end) => [handle, data!, 90, m!, end],
      });
      t.call("vaultMacVerify", call());
      // The right MAC is not left where a wrong one was compared with it.
      t.addSecret(mac, "the right MAC");
      t.call("vaultMacVerify", call(key, flipped(mac, 31)), "AUTHENTICATION");
      t.call("vaultMacVerify", call(t.key(USAGE.MAC_GENERATE)), "MISUSE");
      t.call("vaultMacVerify", call(STALE), "STALE");
      t.ranges("vaultMacVerify", call(), "end");
    },
  },
  vaultMacBatch: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_MAC, { algorithm: 2 });
      const call = (handle: number, lengths: number[]): Call => ({
        inputs: [bytes(total(lengths), 5), words(...lengths)],
        reserve: lengths.length * 32,
        args: ([m, l], out) => [handle, m!, l!, lengths.length, out],
      });
      for (const lengths of MIXTURES) t.call("vaultMacBatch", call(key, lengths));
      t.call("vaultMacBatch", call(t.key(USAGE.MAC_VERIFY), [9]), "MISUSE");
      t.call("vaultMacBatch", call(STALE, [9]), "STALE");
      t.ranges("vaultMacBatch", call(key, [9, 9]));
      const lying = { ...call(key, [9, 9]), inputs: [bytes(18), words(9, 0x7fff_ffff)] };
      t.call("vaultMacBatch", lying, "RANGE");
    },
  },
  vaultRecordSeal: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_MAC, { algorithm: 2 });
      const call = (handle: number, lengths: number[], digests: number): Call => ({
        inputs: [bytes(64, 4), bytes(total(lengths), 5), words(...lengths)],
        reserve: lengths.length * (digests === 1 ? 64 : 32),
        args: ([p, m, l], out) => [handle, p!, m!, l!, lengths.length, digests, out],
      });
      for (const digests of [0, 1]) {
        for (const lengths of MIXTURES) t.call("vaultRecordSeal", call(key, lengths, digests));
        t.call("vaultRecordSeal", call(t.key(USAGE.MAC_VERIFY), [9], digests), "MISUSE");
        t.call("vaultRecordSeal", call(STALE, [9], digests), "STALE");
        t.ranges("vaultRecordSeal", call(key, [9, 9], digests));
      }
    },
  },
  vaultRecordCheck: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_MAC, { algorithm: 2 });
      for (const lengths of MIXTURES) {
        const n = lengths.length;
        const sealing: Call = {
          inputs: [bytes(64, 4), bytes(total(lengths), 5), words(...lengths)],
          reserve: n * 32,
          args: ([p, m, l], out) => [key, p!, m!, l!, n, 0, out],
        };
        const { output: macs } = t.call("vaultRecordSeal", sealing);
        if (n > 1) t.addSecret(macs.slice(0, 32), "the right MAC");
        if (n > 1) macs[31]! ^= 1;
        const call = (handle = key): Call => ({
          inputs: [bytes(64, 4), bytes(total(lengths), 5), words(...lengths), macs],
          reserve: n,
          args: ([p, m, l, x], out) => [handle, p!, m!, l!, x!, n, out],
        });
        const { output } = t.call("vaultRecordCheck", call());
        expect([...output]).toEqual(lengths.map((_, i) => (n > 1 && i === 0 ? 1 : 0)));
        if (n !== 5) continue;
        t.call("vaultRecordCheck", call(t.key(USAGE.MAC_GENERATE)), "MISUSE");
        t.call("vaultRecordCheck", call(STALE), "STALE");
        t.ranges("vaultRecordCheck", call());
      }
    },
  },
  vaultRecordSealRows: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_MAC, { algorithm: 2 });
      const call = (handle: number, count: number, stride: number, digests: number): Call => ({
        inputs: [bytes(64, 4), bytes(count * stride, 5), count * (stride + 36)],
        reserve: count * (stride + 32 * digests),
        args: ([p, r, work], out) => [handle, p!, r!, stride, count, digests, work!, out],
      });
      for (const digests of [0, 1]) {
        for (const count of [0, 1, 4, 5, 70]) t.call("vaultRecordSealRows", call(key, count, 161, digests));
        t.call("vaultRecordSealRows", call(key, 3, 32, digests));
        t.call("vaultRecordSealRows", call(t.key(USAGE.MAC_VERIFY), 3, 40, digests), "MISUSE");
        t.call("vaultRecordSealRows", call(STALE, 3, 40, digests), "STALE");
        t.ranges("vaultRecordSealRows", call(key, 3, 40, digests));
      }
      t.call("vaultRecordSealRows", call(key, 3, 31, 0), "RANGE");
    },
  },
  vaultRecordCheckRows: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = t.key(ALL_MAC, { algorithm: 2 });
      for (const count of [0, 1, 4, 5, 70]) {
        const sealing: Call = {
          inputs: [bytes(64, 4), bytes(count * 100, 100 + count), count * 136],
          reserve: count * 100,
          args: ([p, r, work], out) => [key, p!, r!, 100, count, 0, work!, out],
        };
        const { output: rows } = t.call("vaultRecordSealRows", sealing);
        const right = rows.slice(-32);
        if (count > 0) t.addSecret(right, "the right MAC");
        if (count > 0) rows[count * 100 - 1]! ^= 1;
        const call = (handle = key): Call => ({
          inputs: [bytes(64, 4), rows, count * 136],
          reserve: count,
          args: ([p, r, work], out) => [handle, p!, r!, 100, count, work!, out],
        });
        const { output } = t.call("vaultRecordCheckRows", call());
        expect([...output]).toEqual(Array.from({ length: count }, (_, i) => (i < count - 1 ? 0 : 1)));
        if (count !== 5) continue;
        t.call("vaultRecordCheckRows", call(t.key(USAGE.MAC_GENERATE)), "MISUSE");
        t.call("vaultRecordCheckRows", call(STALE), "STALE");
        t.ranges("vaultRecordCheckRows", call());
      }
    },
  },
  vaultAgeWrap: {
    statuses: ["OK", "STALE", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const [key, fileKey] = [t.key(ALL_CIPHER), t.key(0, FILE_KEY)];
      const call = (handle = key, file = fileKey): Call => ageWrap(handle, file);
      t.call("vaultAgeWrap", call());
      t.drawsLeft = 0;
      t.call("vaultAgeWrap", call(), "RANDOM");
      t.drawsLeft = Infinity;
      t.call("vaultAgeWrap", call(t.key(USAGE.DECRYPT)), "MISUSE");
      t.call("vaultAgeWrap", call(key, key), "MISUSE");
      t.call("vaultAgeWrap", call(STALE), "STALE");
      t.call("vaultAgeWrap", call(key, STALE), "STALE");
      t.ranges("vaultAgeWrap", call());
    },
  },
  vaultAgeUnwrap: {
    statuses: ["OK", "STALE", "AUTHENTICATION", "LENGTH", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const material = bytes(16, 95);
      const [key, fileKey] = [t.key(ALL_CIPHER), t.key(0, { ...FILE_KEY, material })];
      const { output: body } = t.call("vaultAgeWrap", ageWrap(key, fileKey));
      const call = (handle = key, input = body): Call => ({
        inputs: [bytes(70, 5), input],
        args: ([a, b], end) => [handle, a!, 70, b!, input.length, end],
        key: () => ({ algorithm: 4, usages: 0, flags: 0, version: 0, id: new Uint8Array(16), material }),
      });
      t.call("vaultAgeUnwrap", call());
      for (const i of [0, 32, 56, 72, 87])
        t.call("vaultAgeUnwrap", call(key, flipped(body, i)), "AUTHENTICATION");
      t.call("vaultAgeUnwrap", call(key, body.subarray(1)), "LENGTH");
      t.call("vaultAgeUnwrap", call(t.key(USAGE.ENCRYPT)), "MISUSE");
      t.call("vaultAgeUnwrap", call(STALE), "STALE");
      t.ranges("vaultAgeUnwrap", call(), "end");
      allocating(t, "vaultAgeUnwrap", call());
    },
  },
  vaultAgeHeaderMac: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const fileKey = t.key(0, FILE_KEY);
      const call = (handle: number): Call => ({
        inputs: [bytes(200, 5)],
        reserve: 32,
        args: ([h], out) => [handle, h!, 200, out],
      });
      t.call("vaultAgeHeaderMac", call(fileKey));
      t.call("vaultAgeHeaderMac", call(t.key(ALL_CIPHER | ALL_MAC)), "MISUSE");
      t.call("vaultAgeHeaderMac", call(STALE), "STALE");
      t.ranges("vaultAgeHeaderMac", call(fileKey));
    },
  },
  vaultAgeHeaderMacVerify: {
    statuses: ["OK", "STALE", "AUTHENTICATION", "MISUSE", "RANGE"],
    run(t) {
      const fileKey = t.key(0, FILE_KEY);
      const making: Call = {
        inputs: [bytes(200, 5)],
        reserve: 32,
        args: ([h], out) => [fileKey, h!, 200, out],
      };
      const { output: mac } = t.call("vaultAgeHeaderMac", making);
      const call = (handle = fileKey, expected = mac): Call => ({
        inputs: [bytes(200, 5), expected],
        args: ([h, m], end) => [handle, h!, 200, m!, end],
      });
      t.call("vaultAgeHeaderMacVerify", call());
      t.addSecret(mac, "the right MAC");
      t.call("vaultAgeHeaderMacVerify", call(fileKey, flipped(mac, 0)), "AUTHENTICATION");
      t.call("vaultAgeHeaderMacVerify", call(t.key(ALL_MAC)), "MISUSE");
      t.call("vaultAgeHeaderMacVerify", call(STALE), "STALE");
      t.ranges("vaultAgeHeaderMacVerify", call(), "end");
    },
  },
  vaultAgePayloadKey: {
    statuses: ["OK", "STALE", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const material = bytes(16, 95);
      const fileKey = t.key(0, { ...FILE_KEY, material });
      const call = (handle = fileKey): Call => payloadKey(handle, material);
      t.call("vaultAgePayloadKey", call());
      t.call("vaultAgePayloadKey", call(t.key(ALL_CIPHER)), "MISUSE");
      t.call("vaultAgePayloadKey", call(STALE), "STALE");
      t.ranges("vaultAgePayloadKey", call(), "end");
      allocating(t, "vaultAgePayloadKey", call());
    },
  },
  vaultAgeChunkSeal: {
    statuses: ["OK", "STALE", "MISUSE", "PARAMETER", "RANGE"],
    run(t) {
      const key = agePayload(t);
      for (const length of [0, 1, 64, 193, 65_536])
        t.call("vaultAgeChunkSeal", chunkSeal(key, bytes(length, 5)));
      t.call("vaultAgeChunkSeal", chunkSeal(key, bytes(9), 2), "PARAMETER");
      t.call("vaultAgeChunkSeal", chunkSeal(t.key(0, FILE_KEY), bytes(9)), "MISUSE");
      t.call("vaultAgeChunkSeal", chunkSeal(STALE, bytes(9)), "STALE");
      t.ranges("vaultAgeChunkSeal", chunkSeal(key, bytes(9)));
    },
  },
  vaultAgeChunkOpen: {
    statuses: ["OK", "STALE", "AUTHENTICATION", "MISUSE", "PARAMETER", "RANGE"],
    run(t) {
      const key = agePayload(t);
      for (const length of [0, 1, 64, 193, 65_536]) {
        const { output: sealed } = t.call("vaultAgeChunkSeal", chunkSeal(key, bytes(length, 5)));
        const call = (input = sealed, handle = key, last = 0): Call => ({
          inputs: [input],
          reserve: input.length,
          output: Math.max(0, input.length - 16),
          args: ([c], out) => [handle, 1, 2, last, c!, input.length, out],
        });
        expect(t.call("vaultAgeChunkOpen", call()).output).toEqual(bytes(length, 5));
        t.call("vaultAgeChunkOpen", call(flipped(sealed, length + 15)), "AUTHENTICATION");
        t.call("vaultAgeChunkOpen", call(sealed, key, 1), "AUTHENTICATION");
        t.call("vaultAgeChunkOpen", call(sealed.subarray(0, 15)), "AUTHENTICATION");
        if (length !== 64) continue;
        t.call("vaultAgeChunkOpen", call(sealed, key, 2), "PARAMETER");
        t.call("vaultAgeChunkOpen", call(sealed, t.key(0, FILE_KEY)), "MISUSE");
        t.call("vaultAgeChunkOpen", call(sealed, STALE), "STALE");
        t.ranges("vaultAgeChunkOpen", call());
      }
    },
  },
};

/** Lengths of messages in batches: lanes of one length, mixed ones, and long ones. */
const MIXTURES = [
  [],
  [0],
  [5, 200, 64, 55, 56],
  [160, 160, 160, 160, 160, 160, 160],
  [1, 2, 3, 4, 1000, 0, 0, 0, 0],
];

function total(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

function ageWrap(handle: number, fileKey: number): Call {
  return { inputs: [bytes(70, 5)], reserve: 88, args: ([a], out) => [handle, fileKey, a!, 70, out] };
}

function payloadKey(handle: number, fileKey: Uint8Array): Call {
  const nonce = bytes(16, 6);
  const info = new TextEncoder().encode("payload");
  return {
    inputs: [nonce],
    args: ([n], end) => [handle, n!, end],
    key: () => ({
      algorithm: 5,
      usages: 0,
      flags: 0,
      version: 0,
      id: new Uint8Array(16),
      material: hkdf(sha256, fileKey, nonce, info, 32),
    }),
  };
}

function agePayload(t: Probe): number {
  const material = bytes(16, 95);
  return t.call("vaultAgePayloadKey", payloadKey(t.key(0, { ...FILE_KEY, material }), material)).value;
}

function chunkSeal(handle: number, chunk: Uint8Array, last = 0): Call {
  return {
    inputs: [chunk],
    reserve: chunk.length + 16,
    args: ([c], out) => [handle, 1, 2, last, c!, chunk.length, out],
  };
}

describe.each(["simd", "scalar"] as const)("all of memory, %s build", (kind) => {
  it("is looked at after every function that the core exports", async () => {
    const { exports } = await Probe.create(kind);
    const functions = Object.keys(exports).filter((name) => typeof exports[name] === "function");
    expect(Object.keys(CASES).sort()).toEqual(functions.sort());
  });

  it.each(Object.keys(CASES))("is as it should be after %s, whatever it returns", async (name) => {
    const t = await Probe.create(kind);
    CASES[name]!.run(t);
    expect([...t.seen.get(name)!].sort()).toEqual([...CASES[name]!.statuses].sort());
  });

  it.each([
    ["static data", 1030],
    ["static data", STATIC_END - 1],
    ["scratch", STATIC_END],
    ["scratch", SCRATCH_END - 1],
    ["a free slot", SCRATCH_END + 5 * SLOT_SIZE + 200],
    ["a live slot", SCRATCH_END + 32 + 40],
    ["a live slot", SCRATCH_END + SLOT_SIZE - 1],
    ["a slot's generation", SCRATCH_END + 9 * SLOT_SIZE + 1],
    ["staging before the output", STAGING + 3],
    ["staging behind the output", STAGING + 5000],
  ])("would show a residue in %s (at %i)", async (where, address) => {
    const t = await Probe.create(kind);
    const key = t.key(ALL_CIPHER);
    const plant = (memory: Uint8Array): void => void (memory[address]! ^= 0x55);
    const { findings } = t.attempt("vaultSeal", { ...seal(key, bytes(100)), plant });
    expect(findings.join()).toContain(where);
    expect(t.attempt("vaultSeal", seal(key, bytes(100))).status).toBe("OK");
  });

  it("would show eight bytes of a key or of a subkey in an output", async () => {
    for (const secret of [
      bytes(32, 99),
      subkey(bytes(32, 99), "message/enc"),
      subkey(bytes(32, 99), "mac"),
    ]) {
      const t = await Probe.create(kind);
      const key = t.key(ALL_CIPHER, { material: bytes(32, 99) });
      const plant = (memory: Uint8Array): void => memory.set(secret.subarray(7, 15), STAGING + 160 + 61);
      const { findings } = t.attempt("vaultSeal", { ...seal(key, bytes(100)), plant });
      expect(findings.join()).toContain("a copy of");
    }
  });

  it("retires a slot whose generations are used up", async () => {
    const t = await Probe.create(kind);
    const first = t.key(ALL_CIPHER);
    const last = 2 ** 21 - 1;
    t.setGenerations(last - 1);
    const newest = t.key(ALL_CIPHER);
    expect(newest >>> 10).toBe(last);
    expect(newest).toBeGreaterThan(0);
    t.fillSlots();
    t.dispose(newest);
    const again: Call = { inputs: [NEW_ID], args: ([id], end) => [1, 0, 4, id!, 1, end] };
    t.call("vaultGenerate", again, "SLOTS_EXHAUSTED");
    t.dispose(first);
    expect(t.key(ALL_CIPHER) & 1023).toBe(first & 1023);
  });
});
