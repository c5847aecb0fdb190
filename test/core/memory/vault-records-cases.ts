/** Memory after every call: record MACs. */
import { expect } from "vitest";
import { USAGE } from "../../../bindings/attributes.js";
import type { Call } from "./probe.js";
import { ALL_MAC, bytes } from "../support.js";
import { words, STALE, MIXTURES, total, type Cases } from "./kit.js";

export const vaultRecordsCases: Cases = {
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
};
