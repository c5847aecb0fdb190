/** Twenty thousand random cases of Ed25519 and X25519 in each build, against node:crypto. */
import * as nodeCrypto from "node:crypto";
import { describe, expect, it } from "vitest";
import type { CoreError } from "../../bindings/index.js";
import { codeOf, cores, toHex } from "./support.js";

const CASES = 20_000;
const random = (length: number): Uint8Array => new Uint8Array(nodeCrypto.randomBytes(length));
const upTo = (max: number): number => nodeCrypto.randomInt(max + 1);

type Curve = "ed25519" | "x25519";
// RFC 8410: what stands before the 32 bytes.
const oid = (curve: Curve): string => (curve === "ed25519" ? "70" : "6e");

function privateKey(curve: Curve, secret: Uint8Array): nodeCrypto.KeyObject {
  const der = Buffer.from(`302e020100300506032b65${oid(curve)}04220420${toHex(secret)}`, "hex");
  return nodeCrypto.createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

function publicKey(curve: Curve, key: Uint8Array): nodeCrypto.KeyObject {
  const der = Buffer.from(`302a300506032b65${oid(curve)}032100${toHex(key)}`, "hex");
  return nodeCrypto.createPublicKey({ key: der, format: "der", type: "spki" });
}

function publicBytes(key: nodeCrypto.KeyObject): Uint8Array {
  return new Uint8Array(nodeCrypto.createPublicKey(key).export({ format: "der", type: "spki" })).subarray(
    -32,
  );
}

/** One random bit changed. */
function changed(value: Uint8Array): Uint8Array {
  const copy = value.slice();
  copy[upTo(value.length - 1)]! ^= 1 << upTo(7);
  return copy;
}

/** Mostly random; sometimes runs of one bit, which carries like. */
function number(): Uint8Array {
  const bytes = random(32);
  if (upTo(3) === 0) bytes.fill(upTo(1) * 255, upTo(16), 16 + upTo(16));
  return bytes;
}

describe.each(await cores())("twenty thousand cases, $name build:", ({ core: { ed25519, x25519 } }) => {
  it("Ed25519 agrees with node:crypto, alone and in batches", () => {
    for (let done = 0; done < CASES;) {
      const count = 1 + upTo(39);
      const keys = new Uint8Array(32 * count);
      const signatures = new Uint8Array(64 * count);
      const messages = Array.from({ length: count }, () => random(upTo(200)));
      const wrong: number[] = [];
      for (const [i, message] of messages.entries()) {
        const seed = number();
        const key = privateKey("ed25519", seed);
        const signature = ed25519.sign(seed, message);
        expect(toHex(ed25519.publicKey(seed))).toBe(toHex(publicBytes(key)));
        expect(toHex(signature)).toBe(nodeCrypto.sign(null, message, key).toString("hex"));
        keys.set(publicBytes(key), i * 32);
        signatures.set(signature, i * 64);
        if (upTo(60) === 0) {
          signatures.set(changed(signature), i * 64);
          wrong.push(i);
        }
        const [one, now] = [keys.subarray(i * 32, i * 32 + 32), signatures.subarray(i * 64, i * 64 + 64)];
        const theirs = nodeCrypto.verify(null, message, publicKey("ed25519", one), now);
        expect(ed25519.verify(one, message, now)).toBe(theirs);
      }
      let refused: unknown = [];
      try {
        ed25519.verifyBatch(keys, messages, signatures, count);
      } catch (error) {
        refused = (error as CoreError).details["indexes"];
      }
      expect(refused).toEqual(wrong);
      done += count;
    }
  });

  it("X25519 agrees with node:crypto", () => {
    for (let done = 0; done < CASES; done++) {
      const [scalar, peer] = [number(), number()];
      const key = privateKey("x25519", scalar);
      expect(toHex(x25519.publicKey(scalar))).toBe(toHex(publicBytes(key)));
      let expected: string | null = null;
      try {
        const options = { privateKey: key, publicKey: publicKey("x25519", peer) };
        expected = nodeCrypto.diffieHellman(options).toString("hex");
      } catch {
        expect(codeOf(() => x25519.sharedSecret(scalar, peer))).toBe("CORE_WEAK_PUBLIC_KEY");
        continue;
      }
      expect(toHex(x25519.sharedSecret(scalar, peer))).toBe(expected);
    }
  });
});
