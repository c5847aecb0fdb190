/** Memory after every call: age files. */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { expect } from "vitest";
import { ALGORITHM, USAGE } from "../../../bindings/attributes.js";
import type { Call, Probe } from "./probe.js";
import { ALL_CIPHER, ALL_MAC, bytes } from "../support.js";
import { flipped, STALE, allocating, FILE_KEY, type Cases } from "./kit.js";

const SCRYPT_KEY = { algorithm: ALGORITHM.AGE_SCRYPT_KEY };

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

export const vaultAgeCases: Cases = {
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
  vaultAgeScryptWrap: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const [key, fileKey] = [t.key(0, SCRYPT_KEY), t.key(0, FILE_KEY)];
      const call = (handle = key, file = fileKey): Call => ({
        reserve: 32,
        args: (_, out) => [handle, file, out],
      });
      t.call("vaultAgeScryptWrap", call(t.key(ALL_CIPHER)), "MISUSE");
      t.call("vaultAgeScryptWrap", call(key, key), "MISUSE");
      t.call("vaultAgeScryptWrap", call(STALE), "STALE");
      t.call("vaultAgeScryptWrap", call(key, STALE), "STALE");
      t.ranges("vaultAgeScryptWrap", call());
      t.live.delete(key);
      t.call("vaultAgeScryptWrap", call());
      t.call("vaultAgeScryptWrap", call(), "STALE");
    },
  },
  vaultAgeScryptUnwrap: {
    statuses: ["OK", "STALE", "AUTHENTICATION", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const [material, fileKey] = [bytes(32, 96), bytes(16, 95)];
      const key = t.key(0, { ...SCRYPT_KEY, material });
      const body: Uint8Array = chacha20poly1305(material, new Uint8Array(12)).encrypt(fileKey);
      const call = (handle = key, input = body): Call => ({
        inputs: [input],
        args: ([b], end) => [handle, b!, end],
        key: () => ({
          algorithm: 4,
          usages: 0,
          flags: 0,
          version: 0,
          id: new Uint8Array(16),
          material: fileKey,
        }),
      });
      t.call("vaultAgeScryptUnwrap", call());
      for (const i of [0, 15, 16, 31])
        t.call("vaultAgeScryptUnwrap", call(key, flipped(body, i)), "AUTHENTICATION");
      t.call("vaultAgeScryptUnwrap", call(t.key(ALL_CIPHER)), "MISUSE");
      t.call("vaultAgeScryptUnwrap", call(STALE), "STALE");
      t.ranges("vaultAgeScryptUnwrap", call(), "end");
      allocating(t, "vaultAgeScryptUnwrap", call());
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
