/** Memory after every call: messages and MACs. */
import { expect } from "vitest";
import { USAGE } from "../../../bindings/attributes.js";
import type { Call } from "./probe.js";
import { ALL_CIPHER, ALL_MAC, bytes } from "../support.js";
import { words, flipped, STALE, seal, MIXTURES, total, type Cases } from "./kit.js";

const open = (handle: number, sealed: Uint8Array, aad = bytes(21, 8)): Call => ({
  inputs: [aad, sealed],
  reserve: sealed.length,
  output: Math.max(0, sealed.length - 72),
  args: ([a, x], out) => [handle, a!, aad.length, x!, sealed.length, out],
});

export const vaultUseCases: Cases = {
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
};
