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
};
