/** Memory after every call: key derivation. */
import type { Call } from "./probe.js";
import { bytes } from "../support.js";
import type { Cases } from "./kit.js";

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
};
