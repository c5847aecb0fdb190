/** Memory after every call: key derivation. */
import type { Call } from "./probe.js";
import { bytes } from "../support.js";
import { total, words, type Cases } from "./kit.js";

export const kdfCases: Cases = {
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
  hkdfSha512: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      const call = (length: number): Call => ({
        inputs: [bytes(40, 3), bytes(20, 4), bytes(70, 5)],
        reserve: length,
        args: ([ikm, salt, info], out) => [ikm!, 40, salt!, 20, info!, 70, out, length],
        secrets: () => [bytes(40, 3)],
      });
      for (const length of [0, 1, 64, 65, 200, 16_320]) t.call("hkdfSha512", call(length));
      t.call("hkdfSha512", call(16_321), "LENGTH");
      t.ranges("hkdfSha512", call(32));
    },
  },
  pbkdf2Batch: {
    statuses: ["OK", "LENGTH", "PARAMETER", "RANGE"],
    run(t) {
      const lengths = (count: number, one: number): number[] =>
        Array.from({ length: count }, (_, i) => one + i);
      const call = (wide: number, count: number, length: number, iterations = 3): Call => ({
        inputs: [
          bytes(total(lengths(count, 40)), 3),
          words(...lengths(count, 40)),
          bytes(total(lengths(count, 16)), 4),
          words(...lengths(count, 16)),
        ],
        reserve: count * length,
        args: ([passwords, passwordLengths, salts, saltLengths], out) => [
          wide,
          passwords!,
          passwordLengths!,
          salts!,
          saltLengths!,
          count,
          iterations,
          out,
          length,
        ],
        secrets: () => [bytes(total(lengths(count, 40)), 3)],
      });
      for (const wide of [0, 1]) {
        for (const count of [0, 1, 2, 3, 4, 5, 8]) {
          for (const length of [1, 32, 33, 65, 129]) t.call("pbkdf2Batch", call(wide, count, length));
        }
        t.call("pbkdf2Batch", call(wide, 3, 0), "LENGTH");
        t.call("pbkdf2Batch", call(wide, 3, 32, 0), "PARAMETER");
        t.ranges("pbkdf2Batch", call(wide, 5, 32));
        const negative: Call["args"] = (at, out) => [wide, ...at, -1, 3, out, 32];
        t.call("pbkdf2Batch", { ...call(wide, 3, 32), args: negative }, "RANGE");
      }
    },
  },
  kbkdfCounterHmacSha256: {
    statuses: ["OK", "LENGTH", "RANGE"],
    run(t) {
      const call = (length: number, keyLength = 40): Call => ({
        inputs: [bytes(keyLength, 3), bytes(50, 4)],
        reserve: length,
        args: ([key, fixed], out) => [key!, keyLength, fixed!, 50, out, length],
        secrets: () => [bytes(keyLength, 3)],
      });
      for (const length of [1, 32, 33, 100]) t.call("kbkdfCounterHmacSha256", call(length));
      t.call("kbkdfCounterHmacSha256", call(40, 100));
      t.call("kbkdfCounterHmacSha256", call(0), "LENGTH");
      t.ranges("kbkdfCounterHmacSha256", call(32));
    },
  },
};
