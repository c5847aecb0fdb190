/** Memory after every call: record MACs. */
import { sha256 } from "@noble/hashes/sha2.js";
import { expect } from "vitest";
import { USAGE } from "../../../bindings/attributes.js";
import type { Call, Probe } from "./probe.js";
import { ALL_MAC, ALL_WRAP, at, bytes } from "../support.js";
import { unwrapKey, WRAPPING } from "../wrapped-key.js";
import {
  attributes,
  KEK_MATERIAL,
  KEK_VERSION,
  MIXTURES,
  NEXT_MATERIAL,
  STALE,
  theKek,
  total,
  unwrapped,
  words,
  type Cases,
} from "./kit.js";

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
        inputs: [bytes(64, 4)],
        inPlace: bytes(count * stride, 5),
        reserve: count * (stride + 32 * digests),
        args: ([p], out) => [handle, p!, stride, count, digests, out],
      });
      for (const digests of [0, 1]) {
        for (const count of [0, 1, 4, 5, 70, 129, 300])
          t.call("vaultRecordSealRows", call(key, count, 161, digests));
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
      for (const count of [0, 1, 4, 5, 70, 129]) {
        const sealing: Call = {
          inputs: [bytes(64, 4)],
          inPlace: bytes(count * 100, 100 + count),
          reserve: count * 100,
          args: ([p], out) => [key, p!, 100, count, 0, out],
        };
        const { output: rows } = t.call("vaultRecordSealRows", sealing);
        const right = rows.slice(-32);
        if (count > 0) t.addSecret(right, "the right MAC");
        if (count > 0) rows[count * 100 - 1]! ^= 1;
        const call = (handle = key): Call => ({
          inputs: [bytes(64, 4), rows],
          reserve: count,
          args: ([p, r], out) => [handle, p!, r!, 100, count, out],
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
  vaultMoveRows: {
    statuses: ["OK", "LENGTH", "STALE", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const [mac, kek, next] = [t.key(ALL_MAC, { algorithm: 2 }), theKek(t), theKek(t, 4)];
      for (const count of [0, 1, 4, 5, 129, 300]) {
        const rows = materialRows(t, mac, kek, count);
        const broken = new Map(count > 4 ? [[0, 1], [1, 1], [count - 1, 2]] : []); // prettier-ignore
        if (count > 4) {
          rows[60]! ^= 1;
          rows[ROW + 41] = 2;
          rows[(count - 1) * ROW + 100]! ^= 1;
          // The last two are sealed again: of another format, and with a key that does not open.
          for (const i of [1, count - 1]) {
            rows.set(t.call("vaultRecordSealRows", sealing(mac, at(rows, i, ROW), 1)).output, i * ROW);
          }
        }
        const call = (m = mac, from = kek, to = next): Call => ({
          inputs: [PREFIX],
          inPlace: rows,
          reserve: count * (ROW + 33),
          args: ([p], out) => [m, from, to, p!, ROW, count, out],
        });
        const { output } = t.call("vaultMoveRows", call());
        const moved = output.subarray(0, count * ROW);
        const statuses = output.subarray(count * (ROW + 32));
        expect([...statuses]).toEqual(Array.from({ length: count }, (_, i) => broken.get(i) ?? 0));
        for (let i = 0; i < count; i++) {
          const [row, digest] = [at(moved, i, ROW), at(output.subarray(count * ROW), i, 32)];
          const zero = (all: Uint8Array): boolean => all.every((byte) => byte === 0);
          expect([zero(row), zero(digest)]).toEqual([broken.has(i), broken.has(i)]);
          if (broken.has(i)) continue;
          expect(digest).toEqual(sha256(row.subarray(0, -32)));
          expect(row.subarray(0, 49)).toEqual(expectedHead(at(rows, i, ROW)));
        }
        if (count !== 300) continue;
        const checking: Call = {
          inputs: [PREFIX, moved],
          reserve: count,
          args: ([p, r], out) => [mac, p!, r!, ROW, count, out],
        };
        expect(t.call("vaultRecordCheckRows", checking).output.filter((status) => status === 0).length).toBe(
          297,
        );
        t.drawsLeft = 2;
        t.call("vaultMoveRows", call(), "RANDOM");
        t.drawsLeft = Infinity;
        for (const wrong of [call(STALE), call(mac, STALE), call(mac, kek, STALE)])
          t.call("vaultMoveRows", wrong, "STALE");
        for (const usages of [USAGE.MAC_VERIFY, USAGE.MAC_GENERATE])
          t.call("vaultMoveRows", call(t.key(usages, { algorithm: 2 })), "MISUSE");
        t.call("vaultMoveRows", call(mac, theKek(t, 3, USAGE.WRAP)), "MISUSE");
        t.call("vaultMoveRows", call(mac, kek, theKek(t, 4, USAGE.UNWRAP)), "MISUSE");
        t.ranges("vaultMoveRows", call());
      }
      const wrongLength = (stride: number): Call => ({
        inputs: [PREFIX],
        inPlace: bytes(3 * stride, 7),
        reserve: 3 * (stride + 33),
        args: ([p], out) => [mac, kek, next, p!, stride, 3, out],
      });
      for (const stride of [32, ROW - 32, ROW + 33]) t.call("vaultMoveRows", wrongLength(stride), "LENGTH");
      // From one wrap algorithm to another: rows stay in place where both make records of one length.
      for (const from of WRAPPING.filter(({ overhead }) => overhead === 72)) {
        const old = theKek(t, KEK_VERSION, ALL_WRAP, from.algorithm);
        const rows = materialRows(t, mac, old, 5, from.wrap);
        rows[4 * ROW + 60]! ^= 1;
        for (const to of WRAPPING) {
          const target = theKek(t, 4, ALL_WRAP, to.algorithm);
          const call: Call = {
            inputs: [PREFIX],
            inPlace: rows,
            reserve: 5 * (ROW + 33),
            args: ([p], out) => [mac, old, target, p!, ROW, 5, out],
          };
          if (to.overhead !== from.overhead) {
            t.call("vaultMoveRows", call, "LENGTH");
            continue;
          }
          const { output } = t.call("vaultMoveRows", call);
          expect([...output.subarray(5 * (ROW + 32))]).toEqual([0, 0, 0, 0, 1]);
          const keys = (
            all: Uint8Array,
            wrap: number,
            version: number,
            kekMaterial: Uint8Array,
          ): Uint8Array[] =>
            [0, 1, 2, 3].map((i) => {
              const row = at(all, i, ROW);
              expect(row[50]).toBe(wrap);
              const own = at(attributes(4, {}, version, wrap), i, 48);
              return unwrapKey(kekMaterial, own, row.subarray(57, ROW - 32));
            });
          expect(keys(output, to.wrap, 4, NEXT_MATERIAL)).toEqual(
            keys(rows, from.wrap, KEK_VERSION, KEK_MATERIAL),
          );
        }
      }
    },
  },
};

const PREFIX = bytes(64, 4);
/** A material record with a 32-byte key: its storage key (41), head (8), attributes (8), wrapped key (104) and MAC (32). */
const ROW = 41 + 8 + 8 + 104 + 32;

function sealing(mac: number, rows: Uint8Array, count: number): Call {
  return {
    inputs: [PREFIX],
    inPlace: rows,
    reserve: rows.length,
    args: ([p], out) => [mac, p!, ROW, count, 0, out],
  };
}

/** Sealed material records of fresh keys under the tests' wrapping key, as a store holds them. */
function materialRows(t: Probe, mac: number, kek: number, count: number, wrap = 1): Uint8Array {
  const all = attributes(count, {}, KEK_VERSION, wrap);
  const { output: wrapped } = t.call("vaultGenerateAndWrap", {
    inputs: [all],
    reserve: count * 104,
    args: ([a], out) => [kek, a!, count, 32, out],
    secrets: (output) => unwrapped(KEK_MATERIAL, all, output),
  });
  const rows = new Uint8Array(count * ROW);
  for (let i = 0; i < count; i++) {
    const [row, own] = [at(rows, i, ROW), at(all, i, 48)];
    row[0] = 0x30;
    row.set(own.subarray(28), 1);
    row.set(own.subarray(8, 28), 21);
    row.set([1, 0, 0, 0, 0, 0, 1, 255], 41);
    row.set(own.subarray(0, 8), 49);
    row.set(at(wrapped, i, 104), 57);
  }
  return t.call("vaultRecordSealRows", sealing(mac, rows, count)).output;
}

/** Storage key and head of a moved record: version 4 of the wrapping key, the next revision. */
function expectedHead(row: Uint8Array): Uint8Array {
  const head = row.slice(0, 49);
  head.set([0, 0, 0, 4], 17);
  head.set([1, 0, 0, 0, 0, 0, 2, 0], 41);
  return head;
}
