/** Memory after every call: asymmetric keys in slots. */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { expand, extract, hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { expect } from "vitest";
import nacl from "tweetnacl";
import { ALGORITHM, encodeAttributes, USAGE } from "../../../bindings/attributes.js";
import { ALL_CIPHER, ALL_WRAP, bytes, template, toHex } from "../support.js";
import { WEAK } from "./curve-cases.js";
import { allocating, FILE_KEY, flipped, STALE, type Cases } from "./kit.js";
import type { Call, Probe } from "./probe.js";

const SEED = bytes(32, 311);
const SCALAR = bytes(32, 312);
const PEER = nacl.scalarMult.base(bytes(32, 313));
const SHARED = nacl.scalarMult(SCALAR, PEER);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const signer = (t: Probe, usages: number = USAGE.SIGN | USAGE.VERIFY): number =>
  t.key(usages, { algorithm: ALGORITHM.ED25519, material: SEED });
const agreer = (t: Probe, usages: number = USAGE.AGREE | ALL_CIPHER): number =>
  t.key(usages, { algorithm: ALGORITHM.X25519, material: SCALAR });

function ageKey(shared: Uint8Array, share: Uint8Array, recipient: Uint8Array): Uint8Array {
  const salt = new Uint8Array([...share, ...recipient]);
  return hkdf(sha256, shared, salt, text("age-encryption.org/v1/X25519"), 32);
}

export const vaultCurveCases: Cases = {
  vaultPublicKey: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const call = (handle: number): Call => ({ reserve: 32, args: (_, out) => [handle, out] });
      const [ed, x] = [signer(t, 0), agreer(t, 0)];
      for (let i = 0; i < 2; i++) {
        expect(t.call("vaultPublicKey", call(ed)).output).toEqual(nacl.sign.keyPair.fromSeed(SEED).publicKey);
        expect(t.call("vaultPublicKey", call(x)).output).toEqual(nacl.scalarMult.base(SCALAR));
      }
      t.call("vaultPublicKey", call(t.key(ALL_CIPHER)), "MISUSE");
      t.call("vaultPublicKey", call(STALE), "STALE");
      t.ranges("vaultPublicKey", call(ed));
      t.dispose(ed);
      t.call("vaultPublicKey", call(ed), "STALE");
    },
  },
  vaultSign: {
    statuses: ["OK", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = signer(t);
      const call = (length: number, handle = key): Call => ({
        inputs: [bytes(length, 5)],
        reserve: 64,
        args: ([m], out) => [handle, m!, length, out],
      });
      const { secretKey } = nacl.sign.keyPair.fromSeed(SEED);
      for (const length of [0, 1, 63, 64, 95, 96, 500]) {
        const expected = nacl.sign.detached(bytes(length, 5), secretKey);
        expect(t.call("vaultSign", call(length)).output).toEqual(expected);
      }
      t.call("vaultSign", call(9, signer(t, USAGE.VERIFY)), "MISUSE");
      t.call("vaultSign", call(9, agreer(t)), "MISUSE");
      t.call("vaultSign", call(9, t.key(ALL_CIPHER)), "MISUSE");
      t.call("vaultSign", call(9, STALE), "STALE");
      t.ranges("vaultSign", call(9));
    },
  },
  vaultVerify: {
    statuses: ["OK", "AUTHENTICATION", "STALE", "MISUSE", "RANGE"],
    run(t) {
      const key = signer(t);
      const signature = nacl.sign.detached(bytes(70, 5), nacl.sign.keyPair.fromSeed(SEED).secretKey);
      const call = (value: Uint8Array = signature, handle = key): Call => ({
        inputs: [bytes(70, 5), value],
        args: ([m, s], end) => [handle, m!, 70, s!, end],
      });
      t.call("vaultVerify", call());
      for (const i of [0, 20, 31, 40, 63])
        t.call("vaultVerify", call(flipped(signature, i)), "AUTHENTICATION");
      t.call("vaultVerify", call(signature, signer(t, USAGE.SIGN)), "MISUSE");
      t.call("vaultVerify", call(signature, STALE), "STALE");
      t.ranges("vaultVerify", call(), "end");
    },
  },
  vaultAgree: {
    statuses: ["OK", "WEAK_KEY", "STALE", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const key = agreer(t);
      const call = (
        handle = key,
        usages: number = ALL_CIPHER,
        peer: Uint8Array = PEER,
        length = 40,
      ): Call => {
        const child = template(usages, { version: 9 });
        const attributes = encodeAttributes(child, new Uint8Array(16), 0);
        const info = bytes(length, 8);
        const publics = [nacl.scalarMult.base(SCALAR), peer].sort((a, b) => (toHex(a) < toHex(b) ? -1 : 1));
        const prk = expand(
          sha256,
          extract(sha256, SHARED, new Uint8Array(publics.flatMap((one) => [...one]))),
          text("keyloom/v1/agree"),
          32,
        );
        const material = expand(sha256, prk, new Uint8Array([...attributes.subarray(0, 8), ...info]), 32);
        return {
          inputs: [peer, attributes, info],
          args: ([p, a, i], end) => [handle, p!, a!, i!, length, end],
          secrets: () => [SHARED, prk],
          key: () => ({ ...child, flags: 0, material }),
        };
      };
      for (const length of [0, 1, 40, 1024]) t.call("vaultAgree", call(key, ALL_CIPHER, PEER, length));
      t.call("vaultAgree", call(key, ALL_CIPHER, WEAK), "WEAK_KEY");
      t.call("vaultAgree", call(key, ALL_WRAP), "MISUSE");
      t.call("vaultAgree", call(agreer(t, ALL_CIPHER)), "MISUSE");
      t.call("vaultAgree", call(signer(t)), "MISUSE");
      t.call("vaultAgree", call(STALE), "STALE");
      t.call("vaultAgree", call(key, ALL_CIPHER, PEER, 1025), "RANGE");
      t.ranges("vaultAgree", call(), "end");
      allocating(t, "vaultAgree", call());
    },
  },
  vaultAgeX25519Wrap: {
    statuses: ["OK", "WEAK_KEY", "STALE", "MISUSE", "RANDOM", "RANGE"],
    run(t) {
      const fileKey = t.key(0, { ...FILE_KEY, material: bytes(16, 95) });
      const recipient = nacl.scalarMult.base(SCALAR);
      const call = (handle = fileKey, to: Uint8Array = recipient): Call => ({
        inputs: [to],
        reserve: 64,
        args: ([r], out) => [handle, r!, out],
        secrets: (out) => {
          const share = out.subarray(0, 32);
          const shared = nacl.scalarMult(SCALAR, share);
          return [shared, ageKey(shared, share, recipient)];
        },
      });
      for (let i = 0; i < 3; i++) {
        const { output } = t.call("vaultAgeX25519Wrap", call());
        const share = output.subarray(0, 32);
        const key = ageKey(nacl.scalarMult(SCALAR, share), share, recipient);
        const opened = chacha20poly1305(key, new Uint8Array(12)).decrypt(output.subarray(32));
        expect(opened).toEqual(bytes(16, 95));
      }
      t.call("vaultAgeX25519Wrap", call(fileKey, WEAK), "WEAK_KEY");
      t.drawsLeft = 0;
      t.call("vaultAgeX25519Wrap", call(), "RANDOM");
      t.drawsLeft = Infinity;
      t.call("vaultAgeX25519Wrap", call(agreer(t)), "MISUSE");
      t.call("vaultAgeX25519Wrap", call(STALE), "STALE");
      t.ranges("vaultAgeX25519Wrap", call());
    },
  },
  vaultAgeX25519Unwrap: {
    statuses: ["OK", "AUTHENTICATION", "WEAK_KEY", "STALE", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const key = agreer(t, USAGE.AGREE);
      const ephemeral = bytes(32, 314);
      const [share, recipient] = [nacl.scalarMult.base(ephemeral), nacl.scalarMult.base(SCALAR)];
      const shared = nacl.scalarMult(ephemeral, recipient);
      const wrapping = ageKey(shared, share, recipient);
      const material = bytes(16, 95);
      const body = chacha20poly1305(wrapping, new Uint8Array(12)).encrypt(material);
      const call = (handle = key, from: Uint8Array = share, input: Uint8Array = body): Call => ({
        inputs: [from, input],
        args: ([s, b], end) => [handle, s!, b!, end],
        secrets: () => [shared, wrapping],
        key: () => ({ algorithm: 4, usages: 0, flags: 0, version: 0, id: new Uint8Array(16), material }),
      });
      t.call("vaultAgeX25519Unwrap", call());
      for (const i of [0, 15, 31]) {
        t.call("vaultAgeX25519Unwrap", call(key, share, flipped(body, i)), "AUTHENTICATION");
        t.call("vaultAgeX25519Unwrap", call(key, flipped(share, i)), "AUTHENTICATION");
      }
      t.call("vaultAgeX25519Unwrap", call(key, WEAK), "WEAK_KEY");
      t.call("vaultAgeX25519Unwrap", call(agreer(t, ALL_CIPHER)), "MISUSE");
      t.call("vaultAgeX25519Unwrap", call(t.key(ALL_CIPHER)), "MISUSE");
      t.call("vaultAgeX25519Unwrap", call(STALE), "STALE");
      t.ranges("vaultAgeX25519Unwrap", call(), "end");
      allocating(t, "vaultAgeX25519Unwrap", call());
    },
  },
};
