/** Memory after every call: memory-hard key derivation, whose work lies in staging. */
import type { Call } from "./probe.js";
import { bytes } from "../support.js";
import type { Cases } from "./kit.js";

export const memoryHardCases: Cases = {
  argon2id: {
    statuses: ["OK", "LENGTH", "PARAMETER", "RANGE"],
    run(t) {
      const call = (memoryKiB: number, passes: number, lanes: number, length = 32, salt = 16): Call => ({
        inputs: [memoryKiB * 1024, bytes(40, 3), bytes(salt, 4), bytes(9, 5), bytes(70, 6)],
        reserve: length,
        args: ([work, password, saltAt, secret, associated], out) =>
          [password!, 40, saltAt!, salt, secret!, 9, associated!, 70].concat([
            memoryKiB,
            passes,
            lanes,
            work!,
            out,
            length,
          ]),
        secrets: () => [bytes(40, 3), bytes(9, 5)],
      });
      for (const [memoryKiB, passes, lanes, length] of [
        [8, 1, 1, 4],
        [19, 2, 1, 64],
        [33, 1, 4, 65],
        [1100, 2, 1, 32],
        [600, 1, 3, 1000],
      ] as const) {
        t.call("argon2id", call(memoryKiB, passes, lanes, length));
      }
      t.call("argon2id", call(8, 1, 1, 3), "LENGTH");
      t.call("argon2id", call(8, 1, 1, 32, 7), "LENGTH");
      t.call("argon2id", call(7, 1, 1), "PARAMETER");
      t.call("argon2id", call(15, 1, 2), "PARAMETER");
      t.call("argon2id", call(8, 0, 1), "PARAMETER");
      t.call("argon2id", call(8, 1, 0), "PARAMETER");
      t.call("argon2id", call(8, 1, 2 ** 24), "PARAMETER");
      t.ranges("argon2id", call(8, 1, 1));
    },
  },
  scrypt: {
    statuses: ["OK", "LENGTH", "PARAMETER", "RANGE"],
    run(t) {
      const call = (n: number, r: number, p: number, length = 32): Call => ({
        inputs: [128 * r * (n + p + 2), bytes(40, 3), bytes(16, 4)],
        reserve: length,
        args: ([work, password, salt], out) => [password!, 40, salt!, 16, n, r, p, work!, out, length],
        secrets: () => [bytes(40, 3)],
      });
      for (const [n, r, p, length] of [
        [2, 1, 1, 1],
        [16, 1, 1, 64],
        [64, 8, 3, 200],
        [4, 5, 2, 33],
      ] as const) {
        t.call("scrypt", call(n, r, p, length));
      }
      t.call("scrypt", call(2, 1, 1, 0), "LENGTH");
      for (const [n, r, p] of [
        [0, 1, 1],
        [1, 1, 1],
        [3, 1, 1],
        [2, 0, 1],
        [2, 1, 0],
      ] as const) {
        t.call("scrypt", call(n, r, p), "PARAMETER");
      }
      // More memory than there is, however the product is taken.
      for (const [n, r, p] of [
        [2 ** 16, 1, 1],
        [2 ** 31, 2 ** 31, 2 ** 31],
        [2 ** 25, 1, 1],
        [2, 1, 2 ** 25],
      ]) {
        const args: Call["args"] = ([, password, salt], out) => [
          password!,
          40,
          salt!,
          16,
          n!,
          r!,
          p!,
          salt!,
          out,
          32,
        ];
        t.call("scrypt", { ...call(2, 1, 1), args }, "RANGE");
      }
      t.ranges("scrypt", call(2, 1, 1));
    },
  },
};
