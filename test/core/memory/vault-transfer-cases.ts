/** Memory after every call: keys that go from one core to another. */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { expect } from "vitest";
import nacl from "tweetnacl";
import { ALGORITHM, encodeAttributes, USAGE } from "../../../bindings/attributes.js";
import { ALL_CIPHER, bytes } from "../support.js";
import { WEAK } from "./curve-cases.js";
import { allocating, FILE_KEY, flipped, NEW_ID, NEW_MATERIAL, STALE, type Cases } from "./kit.js";
import type { Call, Probe } from "./probe.js";

const SCALAR = bytes(32, 321);
const RECIPIENT = nacl.scalarMult.base(SCALAR);
const EPHEMERAL = bytes(32, 322);
const TEMPLATE = {
  algorithm: ALGORITHM.XCHACHA20_POLY1305,
  usages: ALL_CIPHER,
  exportable: false,
  id: NEW_ID,
  version: 9,
};
const HEAD = encodeAttributes(TEMPLATE, new Uint8Array(16), 0).with(1, 0).slice(0, 28);

function transferKey(shared: Uint8Array, share: Uint8Array): Uint8Array {
  const label = new TextEncoder().encode("keyloom/v1/transfer");
  return hkdf(sha256, shared, new Uint8Array([...share, ...RECIPIENT]), label, 32);
}

/** A sealed key as docs/FORMATS.md has it, made without the core. */
function sealed(head = HEAD, material = NEW_MATERIAL): Uint8Array {
  const share = nacl.scalarMult.base(EPHEMERAL);
  const key = transferKey(nacl.scalarMult(EPHEMERAL, RECIPIENT), share);
  const body = chacha20poly1305(key, new Uint8Array(12), head).encrypt(material);
  return new Uint8Array([...share, ...head, ...body]);
}

const pairOf = (t: Probe, usages: number = USAGE.AGREE): number =>
  t.key(usages, { algorithm: ALGORITHM.X25519, material: SCALAR });

export const vaultTransferCases: Cases = {
  vaultSealTo: {
    statuses: ["OK", "LENGTH", "STALE", "MISUSE", "RANDOM", "RANGE", "WEAK_KEY"],
    run(t) {
      const key = t.key(ALL_CIPHER, { id: NEW_ID, version: 9, material: NEW_MATERIAL });
      const call = (handle = key, recipient = RECIPIENT, length = 32): Call => ({
        inputs: [recipient],
        reserve: length + 76,
        args: ([r], out) => [handle, r!, length, out],
      });
      const { output } = t.call("vaultSealTo", call());
      const share = output.subarray(0, 32);
      expect(output.subarray(32, 60)).toEqual(HEAD);
      const opener = chacha20poly1305(
        transferKey(nacl.scalarMult(SCALAR, share), share),
        new Uint8Array(12),
        HEAD,
      );
      expect(opener.decrypt(output.subarray(60))).toEqual(NEW_MATERIAL);
      expect(t.call("vaultSealTo", call()).output.subarray(0, 32)).not.toEqual(share);
      t.call("vaultSealTo", call(key, RECIPIENT, 16), "LENGTH");
      t.call("vaultSealTo", call(key, WEAK), "WEAK_KEY");
      t.call("vaultSealTo", call(t.key(0, FILE_KEY), RECIPIENT, 16), "MISUSE");
      t.call("vaultSealTo", call(STALE), "STALE");
      // A key that seals once is gone when it is sealed, and only then.
      const once = t.key(0, { algorithm: ALGORITHM.AGE_SCRYPT_KEY });
      t.call("vaultSealTo", call(once, WEAK), "WEAK_KEY");
      t.live.delete(once);
      t.call("vaultSealTo", call(once));
      t.call("vaultSealTo", call(once), "STALE");
      t.drawsLeft = 0;
      t.call("vaultSealTo", call(), "RANDOM");
      t.drawsLeft = Infinity;
      t.call("vaultSealTo", call(key, RECIPIENT, 65), "RANGE");
      t.ranges("vaultSealTo", call());
    },
  },
  vaultOpenFrom: {
    statuses: ["OK", "AUTHENTICATION", "LENGTH", "STALE", "MISUSE", "SLOTS_EXHAUSTED", "RANGE"],
    run(t) {
      const pair = pairOf(t);
      const call = (value = sealed(), handle = pair): Call => ({
        inputs: [value],
        args: ([s], end) => [handle, s!, value.length, end],
        key: () => ({
          algorithm: TEMPLATE.algorithm,
          usages: ALL_CIPHER,
          flags: 0,
          version: 9,
          id: NEW_ID,
          material: NEW_MATERIAL,
        }),
      });
      t.call("vaultOpenFrom", call());
      for (let i = 0; i < 108; i++) t.call("vaultOpenFrom", call(flipped(sealed(), i)), "AUTHENTICATION");
      for (const length of [0, 75, 76, 141])
        t.call("vaultOpenFrom", call(bytes(length, 5)), "AUTHENTICATION");
      const weak = new Uint8Array([...WEAK, ...sealed().subarray(32)]);
      t.call("vaultOpenFrom", call(weak), "AUTHENTICATION");
      // Authentic, but no key: of another length, of no algorithm, with usages that don't go together.
      t.addSecret(NEW_MATERIAL, "the key");
      t.call("vaultOpenFrom", call(sealed(HEAD, NEW_MATERIAL.subarray(0, 31))), "LENGTH");
      t.call("vaultOpenFrom", call(sealed(HEAD.with(2, 99))), "LENGTH");
      t.call("vaultOpenFrom", call(sealed(HEAD.with(7, USAGE.WRAP | USAGE.ENCRYPT))), "MISUSE");
      t.call("vaultOpenFrom", call(sealed(), pairOf(t, 0)), "MISUSE");
      t.call("vaultOpenFrom", call(sealed(), STALE), "STALE");
      t.ranges("vaultOpenFrom", call(), "end");
      allocating(t, "vaultOpenFrom", call());
    },
  },
};
