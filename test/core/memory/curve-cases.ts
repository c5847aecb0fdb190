/** Memory after every call: X25519 and Ed25519. */
import { expect } from "vitest";
import nacl from "tweetnacl";
import { bytes } from "../support.js";
import { flipped, words, type Cases } from "./kit.js";
import type { Call } from "./probe.js";

/** A point of order 8, as a Montgomery u-coordinate, and the neutral element. */
export const WEAK = Uint8Array.from(
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800".match(/../g)!,
  (pair) => parseInt(pair, 16),
);

const SEED = bytes(32, 301);
const PAIR = nacl.sign.keyPair.fromSeed(SEED);

export const curveCases: Cases = {
  x25519PublicKey: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call: Call = {
        inputs: [SEED],
        reserve: 32,
        args: ([s], out) => [s!, out],
        secrets: () => [SEED],
      };
      expect(t.call("x25519PublicKey", call).output).toEqual(nacl.scalarMult.base(SEED));
      t.call("x25519PublicKey", call);
      t.ranges("x25519PublicKey", call);
    },
  },
  x25519SharedSecret: {
    statuses: ["OK", "WEAK_KEY", "RANGE"],
    run(t) {
      const call = (peer: Uint8Array = nacl.scalarMult.base(bytes(32, 302))): Call => ({
        inputs: [SEED, peer],
        reserve: 32,
        args: ([s, p], out) => [s!, p!, out],
        secrets: () => [SEED],
      });
      t.call("x25519SharedSecret", call());
      t.call("x25519SharedSecret", call(WEAK), "WEAK_KEY");
      t.call("x25519SharedSecret", call(new Uint8Array(32)), "WEAK_KEY");
      t.ranges("x25519SharedSecret", call());
    },
  },
  ed25519PublicKey: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call: Call = {
        inputs: [SEED],
        reserve: 32,
        args: ([s], out) => [s!, out],
        secrets: () => [SEED],
      };
      expect(t.call("ed25519PublicKey", call).output).toEqual(PAIR.publicKey);
      t.call("ed25519PublicKey", call);
      t.ranges("ed25519PublicKey", call);
    },
  },
  ed25519Sign: {
    statuses: ["OK", "RANGE"],
    run(t) {
      const call = (length: number): Call => ({
        inputs: [SEED, bytes(length, 5)],
        reserve: 64,
        args: ([s, m], out) => [s!, m!, length, out],
        secrets: () => [SEED, nacl.hash(SEED)],
      });
      for (const length of [0, 1, 31, 32, 47, 63, 64, 95, 96, 111, 112, 128, 1000]) {
        const expected = nacl.sign.detached(bytes(length, 5), PAIR.secretKey);
        expect(t.call("ed25519Sign", call(length)).output).toEqual(expected);
      }
      t.ranges("ed25519Sign", call(40));
      t.call("ed25519Sign", { ...call(10), args: ([s, m], out) => [s!, m!, -1, out] }, "RANGE");
    },
  },
  ed25519Verify: {
    statuses: ["OK", "RANDOM", "RANGE"],
    run(t) {
      const messages = Array.from({ length: 70 }, (_, i) => bytes(i * 3, i + 1));
      const signatures = messages.map((message) => nacl.sign.detached(message, PAIR.secretKey));
      const join = (all: Uint8Array[]): Uint8Array => Uint8Array.from(all.flatMap((one) => [...one]));
      const call = (count: number, wrong = -1): Call => ({
        inputs: [
          join(Array.from({ length: count }, () => PAIR.publicKey)),
          join(messages.slice(0, count)),
          words(...messages.slice(0, count).map((message) => message.length)),
          join(signatures.slice(0, count).map((one, i) => (i === wrong ? flipped(one, (i * 7) % 64) : one))),
        ],
        reserve: count,
        args: ([k, m, l, s], out) => [k!, m!, l!, s!, count, out],
      });
      for (const count of [0, 1, 2, 31, 32, 33, 70]) {
        expect(t.call("ed25519Verify", call(count)).output).toEqual(new Uint8Array(count));
      }
      for (const wrong of [0, 9, 33]) {
        const expected = new Uint8Array(34);
        expected[wrong] = 1;
        expect(t.call("ed25519Verify", call(34, wrong)).output).toEqual(expected);
      }
      t.drawsLeft = 1;
      t.call("ed25519Verify", call(2), "RANDOM");
      t.call("ed25519Verify", call(1));
      t.drawsLeft = Infinity;
      t.ranges("ed25519Verify", call(3));
      t.call(
        "ed25519Verify",
        { ...call(3), args: ([k, m, l, s], out) => [k!, m!, l!, s!, -1, out] },
        "RANGE",
      );
    },
  },
};
