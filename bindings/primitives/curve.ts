/** Signatures and key agreement over Curve25519. */
import { CoreError } from "../../sdk/foundation/errors.js";
import type { Instance } from "../instantiate.js";
import { check } from "../status.js";
import { bytes, failedRecords, integer, length, MAX_U32 } from "./checks.js";

export interface Ed25519 {
  /** @param seed - 32 bytes, the private key of RFC 8032. @returns 32 bytes */
  publicKey(seed: Uint8Array): Uint8Array;
  /**
   * RFC 8032 §5.1.6. The public key that the signature commits to is computed from the seed; a key in the vault keeps it
   * and signs twice as fast.
   *
   * @returns 64 bytes
   */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /**
   * Is this the key's signature of the message? The rule, in batches too: S below the group's order; the key and R
   * canonically encoded and not of small order; and RFC 8032's cofactored equation.
   *
   * @returns false for whatever is not acceptable, a signature of another length too
   * @throws {CoreError} `CORE_INVALID_LENGTH` for a public key that hasn't 32 bytes
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /**
   * Verifies many signatures, two to three times as fast as one by one. Passes exactly when every one of them would (but
   * for a chance of 2^-128).
   *
   * @param publicKeys - 32 bytes each, back to back
   * @param signatures - 64 bytes each
   * @throws {CoreError} `CORE_AUTHENTICATION_FAILED` with `indexes` when any signature fails
   */
  verifyBatch(
    publicKeys: Uint8Array,
    messages: readonly Uint8Array[],
    signatures: Uint8Array,
    count: number,
  ): void;
}

export interface X25519 {
  /** @param scalar - 32 bytes, clamped as RFC 7748 says. @returns 32 bytes */
  publicKey(scalar: Uint8Array): Uint8Array;
  /**
   * RFC 7748 §5. To be hashed before use as a key.
   *
   * @returns 32 bytes
   * @throws {CoreError} `CORE_WEAK_PUBLIC_KEY` when the result is all zero: the public key has small order (§6.1)
   */
  sharedSecret(scalar: Uint8Array, publicKey: Uint8Array): Uint8Array;
}

export interface CurvePrimitives {
  readonly ed25519: Ed25519;
  readonly x25519: X25519;
}

const KEY_LENGTH = 32;
const SIGNATURE_LENGTH = 64;
/** What one call verifies: so many signatures, or messages of so many bytes. */
const BATCH_COUNT = 256;
const BATCH_BYTES = 256 * 1024;

export function curvePrimitives({ abi, staging }: Instance): CurvePrimitives {
  /** One output of 32 bytes from inputs of 32 bytes each. */
  const short = (call: (at: number[], out: number) => number, ...inputs: Uint8Array[]): Uint8Array => {
    staging.begin((inputs.length + 1) * KEY_LENGTH, inputs.length + 1);
    const at = inputs.map((input) => staging.put(input));
    const out = staging.reserve(KEY_LENGTH);
    check(call(at, out));
    return staging.take(out, KEY_LENGTH);
  };

  /** A status per signature: 0 = valid. */
  const verifyPiece = (
    keys: Uint8Array,
    messages: readonly Uint8Array[],
    signatures: Uint8Array,
  ): Uint8Array => {
    const count = messages.length;
    const lengths = messages.map((message) => message.length);
    const total = lengths.reduce((sum, n) => sum + n, 0);
    staging.begin(count * (KEY_LENGTH + SIGNATURE_LENGTH + 5) + total, 5);
    const keysAt = staging.put(keys);
    const lengthsAt = staging.putWords(lengths);
    const signaturesAt = staging.put(signatures);
    const messagesAt = staging.putAll(messages);
    const out = staging.reserve(count);
    check(abi.ed25519Verify(keysAt, messagesAt, lengthsAt, signaturesAt, count, out));
    return staging.take(out, count);
  };

  const ed25519: Ed25519 = {
    publicKey(seed) {
      length(seed, KEY_LENGTH, "seed");
      return short(([at], out) => abi.ed25519PublicKey(at!, out), seed);
    },

    sign(seed, message) {
      length(seed, KEY_LENGTH, "seed");
      bytes(message, "message");
      staging.begin(KEY_LENGTH + message.length + SIGNATURE_LENGTH, 3);
      const seedAt = staging.put(seed);
      const at = staging.put(message);
      const out = staging.reserve(SIGNATURE_LENGTH);
      check(abi.ed25519Sign(seedAt, at, message.length, out));
      return staging.take(out, SIGNATURE_LENGTH);
    },

    verify(publicKey, message, signature) {
      length(publicKey, KEY_LENGTH, "publicKey");
      bytes(message, "message");
      bytes(signature, "signature");
      if (signature.length !== SIGNATURE_LENGTH) return false;
      return verifyPiece(publicKey, [message], signature)[0] === 0;
    },

    verifyBatch(publicKeys, messages, signatures, count) {
      integer(count, 0, MAX_U32, "count");
      length(publicKeys, count * KEY_LENGTH, "publicKeys");
      length(signatures, count * SIGNATURE_LENGTH, "signatures");
      if (!Array.isArray(messages)) throw new TypeError("messages must be an array of Uint8Array");
      for (const message of messages) bytes(message, "a message");
      if (messages.length !== count) {
        throw new CoreError("CORE_INVALID_LENGTH", {
          message: `${messages.length} messages, not ${count}`,
          count,
        });
      }
      const indexes: number[] = [];
      for (let from = 0; from < count;) {
        let to = from;
        for (let size = 0; to < count && to - from < BATCH_COUNT && size < BATCH_BYTES; to++)
          size += messages[to]!.length;
        const statuses = verifyPiece(
          publicKeys.subarray(from * KEY_LENGTH, to * KEY_LENGTH),
          messages.slice(from, to),
          signatures.subarray(from * SIGNATURE_LENGTH, to * SIGNATURE_LENGTH),
        );
        for (const [i, status] of statuses.entries()) if (status !== 0) indexes.push(from + i);
        from = to;
      }
      if (indexes.length > 0) throw failedRecords(indexes);
    },
  };

  const x25519: X25519 = {
    publicKey(scalar) {
      length(scalar, KEY_LENGTH, "scalar");
      return short(([at], out) => abi.x25519PublicKey(at!, out), scalar);
    },

    sharedSecret(scalar, publicKey) {
      length(scalar, KEY_LENGTH, "scalar");
      length(publicKey, KEY_LENGTH, "publicKey");
      return short(([at, peer], out) => abi.x25519SharedSecret(at!, peer!, out), scalar, publicKey);
    },
  };

  return { ed25519, x25519 };
}
