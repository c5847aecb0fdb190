/** Memory after every call: hashes and MACs. */
import type { Call } from "./probe.js";
import { bytes } from "../support.js";
import type { Cases } from "./kit.js";

export const digestCases: Cases = {
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
  sha512: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call = (length: number): Call => ({
        inputs: [bytes(length, 2)],
        reserve: 64,
        args: ([data], out) => [data!, length, out],
      });
      for (const length of [0, 1, 111, 112, 127, 128, 129, 239, 240, 256, 5000])
        t.call("sha512", call(length));
      t.ranges("sha512", call(100));
      t.call("sha512", { ...call(10), args: ([data], out) => [data!, -1, out] }, "RANGE");
    },
  },
  blake2b: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      const call = (length: number, key: number, outLength: number): Call => ({
        inputs: [bytes(length, 2), bytes(key, 3)],
        reserve: outLength,
        args: ([data, k], out) => [data!, length, k!, key, out, outLength],
        secrets: () => [bytes(key, 3)],
      });
      for (const length of [0, 1, 127, 128, 129, 256, 5000]) {
        for (const key of [0, 1, 64]) t.call("blake2b", call(length, key, 1 + (length % 64)));
      }
      t.call("blake2b", call(100, 65, 64), "LENGTH");
      t.call("blake2b", call(100, 0, 65), "LENGTH");
      t.call("blake2b", call(100, 0, 0), "LENGTH");
      t.ranges("blake2b", call(100, 32, 64));
      t.call("blake2b", { ...call(9, 9, 9), args: ([x, k], out) => [x!, 9, k!, -1, out, 9] }, "RANGE");
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
  hmacSha512: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call = (key: Uint8Array, length: number): Call => ({
        inputs: [key, bytes(length, 2)],
        reserve: 64,
        args: ([k, data], out) => [k!, key.length, data!, length, out],
        secrets: () => [key],
      });
      for (const length of [0, 1, 64, 127, 128, 129, 300])
        t.call("hmacSha512", call(bytes(length, 9), length));
      t.ranges("hmacSha512", call(bytes(40), 50));
    },
  },
  merkleHashes: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call = (prefix: number, length: number, count: number): Call => ({
        inputs: [bytes(length * count, 2)],
        reserve: 32 * count,
        args: ([records], out) => [prefix, records!, length, count, out],
      });
      for (const count of [0, 1, 2, 4, 5, 9]) {
        for (const length of [0, 1, 54, 55, 64, 119, 500]) t.call("merkleHashes", call(0, length, count));
        t.call("merkleHashes", call(1, 64, count));
      }
      t.ranges("merkleHashes", call(1, 64, 5));
      const wrong = [
        [-1, 3],
        [5, -1],
        [0, 2 ** 20 + 1],
      ] as const;
      for (const [length, count] of wrong) {
        const args: Call["args"] = ([records], out) => [0, records!, length, count, out];
        t.call("merkleHashes", { ...call(0, 5, 3), args }, "RANGE");
      }
    },
  },
};
