/** The algorithm table, transcribed a second time: ids of docs/FORMATS.md, bits of KMIP 2.1 §11.12. */
import { describe, expect, it } from "vitest";
import {
  ALGORITHMS,
  algorithmOfId,
  requireAlgorithm,
  usageMask,
  usagesOfMask,
  type Algorithm,
} from "../../sdk/crypto/algorithms.js";
import { KeyloomError } from "../../sdk/foundation/errors.js";
import { codeOf } from "./support.js";

const BITS: Readonly<Record<string, number>> = {
  sign: 0x1,
  verify: 0x2,
  encrypt: 0x4,
  decrypt: 0x8,
  wrap: 0x10,
  unwrap: 0x20,
  "mac-generate": 0x80,
  "mac-verify": 0x100,
  derive: 0x200,
  agree: 0x800,
};

/** Of X25519: `agree`, and that agreed keys encrypt and decrypt. */
const TABLE: Readonly<Record<string, readonly [id: number, usages: string, byDefault: number]>> = {
  "XChaCha20-Poly1305": [1, "encrypt decrypt wrap unwrap", 0xc],
  "HMAC-SHA256": [2, "mac-generate mac-verify", 0x180],
  Ed25519: [6, "sign verify", 0x3],
  X25519: [7, "agree", 0x80c],
  A256KW: [8, "wrap unwrap", 0x30],
  A256KWP: [9, "wrap unwrap", 0x30],
};

describe("the algorithms of managed keys", () => {
  it("are these, by name and by id, with 32 bytes of material each", () => {
    expect(Object.keys(ALGORITHMS)).toEqual(Object.keys(TABLE));
    for (const [name, [id, , byDefault]] of Object.entries(TABLE)) {
      const row = ALGORITHMS[requireAlgorithm(name)];
      expect([row.id, row.materialBytes]).toEqual([id, 32]);
      expect(algorithmOfId(id)).toBe(name);
      expect(usageMask(name as Algorithm, row.defaultUsages)).toBe(byDefault);
    }
    // Keys of age files, HKDF and AES-GCM-SIV are the core's, not managed.
    for (const id of [0, 3, 4, 5, 10, 11, 12, 1.5]) expect(algorithmOfId(id)).toBeNull();
  });

  it("are no others, whatever an object has by that name", () => {
    for (const name of ["", "toString", "__proto__", "xchacha20-poly1305", "A256GCM", "AES-256-GCM-SIV"]) {
      let thrown: unknown;
      try {
        requireAlgorithm(name);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(KeyloomError);
      const { code, details } = thrown as KeyloomError;
      expect([code, details["supported"]]).toEqual(["KEY_ALGORITHM_NOT_SUPPORTED", Object.keys(TABLE)]);
    }
  });

  it("have the usages that are theirs, and of them any but wrapping with another", () => {
    for (const [name, [, usages]] of Object.entries(TABLE)) {
      const algorithm = name as Algorithm;
      const allowed = usages.split(" ");
      for (const [usage, bit] of Object.entries(BITS)) {
        if (allowed.includes(usage)) expect(usageMask(algorithm, [usage, usage])).toBe(bit);
        else expect(codeOf(() => usageMask(algorithm, [usage]))).toBe("KEY_USAGE_CONFLICT");
        expect(codeOf(() => usageMask(algorithm, [allowed[0]!, "toString"]))).toBe("KEY_USAGE_CONFLICT");
      }
      expect(codeOf(() => usageMask(algorithm, []))).toBe("KEY_USAGE_CONFLICT");
    }
    for (const wraps of ["wrap", "unwrap"]) {
      for (const encrypts of ["encrypt", "decrypt"]) {
        for (const both of [
          [wraps, encrypts],
          [encrypts, wraps],
        ])
          expect(codeOf(() => usageMask("XChaCha20-Poly1305", both))).toBe("KEY_USAGE_CONFLICT");
      }
    }
    expect(usageMask("XChaCha20-Poly1305", ["wrap", "unwrap"])).toBe(0x30);
    expect(usageMask("XChaCha20-Poly1305", ["decrypt", "encrypt"])).toBe(0xc);
  });

  it("are named again from a mask", () => {
    for (const [usage, bit] of Object.entries(BITS)) expect(usagesOfMask(bit)).toEqual([usage]);
    expect(usagesOfMask(0xbbf)).toEqual(Object.keys(BITS));
    expect(usagesOfMask(0x440)).toEqual([]);
  });
});
