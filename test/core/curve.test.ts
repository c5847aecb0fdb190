/** Ed25519 and X25519: published vectors, the rule of verification, batches against singles, and TweetNaCl. */
import fc from "fast-check";
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import type { CoreError } from "../../bindings/index.js";
import cctv from "../vectors/cctv/ed25519vectors.json";
import rfc8032 from "../vectors/rfc-json/8032-eddsa.ed25519.json";
import rfc7748 from "../vectors/rfc-kat/rfc7748-x25519.json";
import typed from "../vectors/rfc-typed/ed25519.json";
import wycheproofEd25519 from "../vectors/wycheproof/ed25519_test.json";
import wycheproofX25519 from "../vectors/wycheproof/x25519_test.json";
import { at, bytes, codeOf, cores, hex, toHex } from "./support.js";

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const P = 2n ** 255n - 19n;
/** The u-coordinates of small order (RFC 7748 §6.1), reduced. */
const WEAK = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(hex);

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const concat = (all: readonly Uint8Array[]): Uint8Array => new Uint8Array(all.flatMap((one) => [...one]));

function toNumber(little: Uint8Array): bigint {
  return BigInt(`0x${toHex(little.slice().reverse())}`);
}

function fromNumber(value: bigint): Uint8Array {
  return hex(value.toString(16).padStart(64, "0")).reverse();
}

interface Signed {
  key: Uint8Array;
  message: Uint8Array;
  signature: Uint8Array;
}

describe.each(await cores())("Curve25519, $name build,", ({ core: { ed25519, x25519, sha512 } }) => {
  const verify = ({ key, message, signature }: Signed): boolean => ed25519.verify(key, message, signature);

  /** The indexes that a batch refuses. */
  function refused(all: readonly Signed[]): unknown {
    const keys = concat(all.map(({ key }) => key));
    const signatures = concat(all.map(({ signature }) => signature));
    const messages = all.map(({ message }) => message);
    try {
      ed25519.verifyBatch(keys, messages, signatures, all.length);
      return [];
    } catch (error) {
      expect((error as CoreError).code).toBe("CORE_AUTHENTICATION_FAILED");
      return (error as CoreError).details["indexes"];
    }
  }

  function sign(seed: Uint8Array, message: Uint8Array): Signed {
    return { key: ed25519.publicKey(seed), message, signature: ed25519.sign(seed, message) };
  }

  it("agrees with RFC 8032 on keys and signatures", () => {
    for (const { secretKey, publicKey, message, signature } of rfc8032) {
      expect(toHex(ed25519.publicKey(hex(secretKey)))).toBe(publicKey);
      expect(toHex(ed25519.sign(hex(secretKey), hex(message)))).toBe(signature);
      expect(ed25519.verify(hex(publicKey), hex(message), hex(signature))).toBe(true);
    }
    expect(rfc8032).toHaveLength(5);
    for (const { seed, publicKey, message, signature } of typed.vectors) {
      expect(toHex(ed25519.publicKey(hex(seed)))).toBe(publicKey);
      expect(toHex(ed25519.sign(hex(seed), hex(message)))).toBe(signature);
    }
  });

  it("agrees with Wycheproof on signatures, alone and in one batch", () => {
    const all: Signed[] = [];
    const wrong: number[] = [];
    for (const group of wycheproofEd25519.testGroups) {
      for (const test of group.tests) {
        const signed = { key: hex(group.publicKey.pk), message: hex(test.msg), signature: hex(test.sig) };
        expect(verify(signed), test.comment).toBe(test.result === "valid");
        if (signed.signature.length !== 64) continue;
        if (test.result !== "valid") wrong.push(all.length);
        all.push(signed);
      }
    }
    expect(all.length).toBeGreaterThan(50);
    expect(refused(all)).toEqual(wrong);
    expect(refused(all.filter((_, i) => !wrong.includes(i)))).toEqual([]);
  });

  it("accepts of CCTV's edge cases exactly those without points of small order, alone and in one batch", () => {
    // Points that are not canonical are all of small order, and every equation holds with its cofactor.
    const all = cctv.map(({ key, sig, msg }) => ({ key: hex(key), message: text(msg), signature: hex(sig) }));
    const wrong = cctv.flatMap(({ flags }, i) =>
      (flags ?? []).some((flag) => /^(low_order|non_canonical)_[AR]$/.test(flag)) ? [i] : [],
    );
    expect(wrong).toHaveLength(391);
    const alone = all.flatMap((signed, i) => (verify(signed) ? [] : [i]));
    expect(alone).toEqual(wrong);
    expect(refused(all)).toEqual(wrong);
    expect(refused(all.filter((_, i) => !wrong.includes(i)))).toEqual([]);
  });

  it("refuses S that is not below the group's order, and points that are not canonical or not there", () => {
    const { key, message, signature } = sign(bytes(32, 1), text("message"));
    const altered = (part: Uint8Array, offset: number): Signed => {
      const changed = signature.slice();
      changed.set(part, offset);
      return { key, message, signature: changed };
    };
    const s = toNumber(signature.subarray(32));
    for (let n = 1n; s + n * L < 2n ** 256n; n++)
      expect(verify(altered(fromNumber(s + n * L), 32))).toBe(false);
    for (const value of [L, L - 1n, 2n ** 253n, 2n ** 256n - 1n]) {
      expect(verify(altered(fromNumber(value), 32))).toBe(false);
    }
    for (let y = 0n; y < 19n; y++) {
      for (const encoding of [y, y + P, y + 2n ** 255n, (y + P) | (2n ** 255n)]) {
        if (encoding >= 2n ** 256n) continue;
        expect(verify(altered(fromNumber(encoding), 0))).toBe(false);
        expect(ed25519.verify(fromNumber(encoding), message, signature)).toBe(false);
      }
    }
  });

  it("answers false to a signature of another length, and refuses a key of another length", () => {
    const { key, message, signature } = sign(bytes(32, 1), text("message"));
    for (const length of [0, 32, 63, 65, 128]) {
      const other = new Uint8Array(length);
      other.set(signature.subarray(0, Math.min(length, 64)));
      expect(ed25519.verify(key, message, other)).toBe(false);
    }
    expect(codeOf(() => ed25519.verify(key.subarray(1), message, signature))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => ed25519.sign(bytes(64), message))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => ed25519.publicKey(bytes(31)))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => ed25519.verifyBatch(key, [message], signature, 2))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => ed25519.verifyBatch(key, [], signature, 1))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => ed25519.verifyBatch(key, text("no array") as never, signature, 1))).toBe("TypeError");
    const none = new Uint8Array(0);
    expect(codeOf(() => ed25519.verifyBatch(none, none as never, none, 0))).toBe("TypeError");
  });

  it("signs messages of every length around SHA-512's blocks as TweetNaCl does", () => {
    const seed = bytes(32, 5);
    const { secretKey } = nacl.sign.keyPair.fromSeed(seed);
    for (const length of [
      0, 1, 15, 31, 32, 47, 48, 63, 64, 79, 80, 95, 96, 111, 112, 127, 128, 129, 191, 192, 300,
    ]) {
      const message = bytes(length, length + 1);
      const signature = ed25519.sign(seed, message);
      expect(toHex(signature)).toBe(toHex(nacl.sign.detached(message, secretKey)));
      expect(ed25519.verify(secretKey.subarray(32), message, signature)).toBe(true);
    }
  });

  it("agrees with TweetNaCl on random keys, and refuses any changed bit", () => {
    const part = fc.constantFrom("key", "message", "signature");
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 1, maxLength: 150 }),
        part,
        fc.nat(),
        (seed, message, where, bit) => {
          const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
          const signed = sign(seed, message);
          expect(toHex(signed.key)).toBe(toHex(publicKey));
          expect(toHex(signed.signature)).toBe(toHex(nacl.sign.detached(message, secretKey)));
          expect(verify(signed)).toBe(true);
          const changed = { ...signed, [where]: signed[where as "key"].slice() };
          const target = changed[where as "key"];
          target[(bit >> 3) % target.length]! ^= 1 << (bit & 7);
          expect(verify(changed)).toBe(false);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("batches of any size pass exactly when every signature does, however forged", () => {
    const good = Array.from({ length: 70 }, (_, i) => sign(bytes(32, i), bytes(i, i + 1)));
    // Edge cases that hold only with the cofactor, and ones that are refused for their points.
    const edges = cctv.map(({ key, sig, msg }) => ({
      key: hex(key),
      message: text(msg),
      signature: hex(sig),
    }));
    const forged = (signed: Signed, i: number): Signed[] => {
      const other = good[(i + 1) % good.length]!;
      const s = (toNumber(signed.signature.subarray(32)) + 1n) % L;
      const t = (toNumber(other.signature.subarray(32)) + L - 1n) % L;
      return [
        { ...signed, message: other.message },
        { ...signed, key: other.key },
        { ...signed, signature: concat([other.signature.subarray(0, 32), signed.signature.subarray(32)]) },
        // Two errors that cancel out in a sum without coefficients.
        { ...signed, signature: concat([signed.signature.subarray(0, 32), fromNumber(s)]) },
        { ...other, signature: concat([other.signature.subarray(0, 32), fromNumber(t)]) },
      ];
    };
    const bad = forged(good[3]!, 3);
    for (const one of bad) expect(verify(one)).toBe(false);
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 8, arbitrary: fc.constantFrom(...good) },
            fc.constantFrom(...edges),
            fc.constantFrom(...bad),
          ),
          {
            maxLength: 80,
            size: "max",
          },
        ),
        (all) => {
          expect(refused(all)).toEqual(all.flatMap((signed, i) => (verify(signed) ? [] : [i])));
        },
      ),
      { numRuns: 12 },
    );
    for (const count of [0, 1, 2, 31, 32, 33, 64, 65, 70]) {
      expect(refused(good.slice(0, count))).toEqual([]);
      if (count > 2)
        expect(refused([...good.slice(0, count - 2), bad[3]!, bad[4]!])).toEqual([count - 2, count - 1]);
    }
  });

  it("cuts large batches in pieces", () => {
    const one = sign(bytes(32, 8), bytes(1000, 9));
    const all = Array.from({ length: 600 }, () => one);
    all[599] = { ...one, message: bytes(999, 9) };
    expect(refused(all)).toEqual([599]);
    const long = sign(bytes(32, 8), bytes(700_000, 9));
    expect(refused([long, one, { ...long, key: ed25519.publicKey(bytes(32, 9)) }, long])).toEqual([2]);
  });

  it("agrees with RFC 7748, a thousand times over too", () => {
    for (const test of rfc7748.tests) {
      if (Number(test.COUNT) > 2) continue;
      expect(toHex(x25519.sharedSecret(hex(test.INPUT_SCALAR), hex(test.INPUT_U)))).toBe(test.OUTPUT_U);
    }
    let [k, u] = [fromNumber(9n), fromNumber(9n)];
    for (let i = 1; i <= 1000; i++) {
      [k, u] = [x25519.sharedSecret(k, u), k];
      if (i === 1) expect(toHex(k)).toBe("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    expect(toHex(k)).toBe("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    const [alice, bob] = [
      "77076d0a7318a57d3c16c17251b26645d22b0f6f6e0b0f7ea8e6a4f0bfb4f0e5",
      "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    ].map(hex);
    const secrets = [
      x25519.sharedSecret(alice!, x25519.publicKey(bob!)),
      x25519.sharedSecret(bob!, x25519.publicKey(alice!)),
    ];
    expect(toHex(secrets[0]!)).toBe(toHex(secrets[1]!));
  });

  it("agrees with Wycheproof on X25519, and throws where the result is zero", () => {
    const count = { computed: 0, refused: 0 };
    for (const group of wycheproofX25519.testGroups) {
      for (const test of group.tests) {
        const run = (): Uint8Array => x25519.sharedSecret(hex(test.private), hex(test.public));
        if (/^0+$/.test(test.shared)) {
          expect(codeOf(run)).toBe("CORE_WEAK_PUBLIC_KEY");
          count.refused++;
        } else {
          expect(toHex(run()), test.comment).toBe(test.shared);
          count.computed++;
        }
      }
    }
    expect(count).toEqual({ computed: 239, refused: 31 });
  });

  it("masks the last bit of a public key, takes those that are not reduced, and refuses small order", () => {
    const scalar = bytes(32, 4);
    for (const u of [2n, 9n, 18n]) {
      const expected = toHex(x25519.sharedSecret(scalar, fromNumber(u)));
      for (const same of [u + P, u + 2n ** 255n, u + P + 2n ** 255n]) {
        if (same < 2n ** 256n) expect(toHex(x25519.sharedSecret(scalar, fromNumber(same)))).toBe(expected);
      }
    }
    for (const weak of WEAK) {
      const u = toNumber(weak);
      for (const same of [u, u + 2n ** 255n, u < 19n ? u + P : u]) {
        expect(codeOf(() => x25519.sharedSecret(scalar, fromNumber(same)))).toBe("CORE_WEAK_PUBLIC_KEY");
      }
    }
    expect(codeOf(() => x25519.publicKey(bytes(33)))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => x25519.sharedSecret(scalar, bytes(31)))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => x25519.sharedSecret([1] as never, bytes(32)))).toBe("TypeError");
  });

  it("agrees with TweetNaCl on X25519 of random and of extreme numbers", () => {
    const edge = fc.constantFrom(
      0n,
      1n,
      2n,
      19n,
      P - 1n,
      P,
      P + 1n,
      P + 18n,
      2n ** 255n - 1n,
      2n ** 254n,
      2n ** 256n - 1n,
    );
    const near = fc.tuple(fc.nat(255), fc.integer({ min: -2, max: 2 })).map(([n, d]) => {
      const value = 2n ** BigInt(n) + BigInt(d);
      return value < 0n ? 0n : value;
    });
    const any = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const element = fc.oneof(any, edge.map(fromNumber), near.map(fromNumber));
    fc.assert(
      fc.property(element, element, (scalar, u) => {
        expect(toHex(x25519.publicKey(scalar))).toBe(toHex(nacl.scalarMult.base(scalar)));
        const expected = toHex(nacl.scalarMult(scalar, u));
        if (/^0+$/.test(expected))
          expect(codeOf(() => x25519.sharedSecret(scalar, u))).toBe("CORE_WEAK_PUBLIC_KEY");
        else expect(toHex(x25519.sharedSecret(scalar, u))).toBe(expected);
      }),
      { numRuns: 60 },
    );
  });

  it("leaves its inputs as they were and gives fresh outputs", () => {
    const [seed, message] = [bytes(32, 1), bytes(40, 2)];
    const before = [toHex(seed), toHex(message)];
    const [one, two] = [ed25519.sign(seed, message), ed25519.sign(seed, message)];
    expect(one).not.toBe(two);
    expect(one.buffer).not.toBe(two.buffer);
    ed25519.verify(ed25519.publicKey(seed), message, one);
    x25519.sharedSecret(seed, x25519.publicKey(seed));
    expect([toHex(seed), toHex(message)]).toEqual(before);
    expect(toHex(at(sha512(seed), 0, 32))).not.toBe(before[0]);
  });
});
