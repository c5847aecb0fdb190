/** Key derivation. */
import { CoreError } from "../../sdk/foundation/errors.js";
import type { Instance } from "../instantiate.js";
import { check } from "../status.js";
import { bytes, integer, MAX_U32, output, pieceOf, recordLength } from "./checks.js";

export interface KdfPrimitives {
  /** RFC 5869: extract and expand. `length` at most 8160. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** RFC 5869 with SHA-512. `length` at most 16320. */
  hkdfSha512(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** RFC 5869 expand: `count` outputs of `length` bytes from one PRK; `infos` are back to back, of one length. */
  hkdfExpandSha256Batch(prk: Uint8Array, infos: Uint8Array, length: number, count: number): Uint8Array;
  /** RFC 8018 with HMAC-SHA256. `iterations` from 1. Blocks the thread. */
  pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Uint8Array;
  /** RFC 8018 with HMAC-SHA512. `iterations` from 1. Blocks the thread. */
  pbkdf2Sha512(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Uint8Array;
  /**
   * RFC 8018 with HMAC-SHA256 of many passwords, each with the salt of the same index, four at once in the SIMD build.
   * Blocks the thread. The result has as many outputs of `length` bytes as there are passwords.
   */
  pbkdf2Sha256Batch(
    passwords: readonly Uint8Array[],
    salts: readonly Uint8Array[],
    iterations: number,
    length: number,
  ): Uint8Array[];
  /** As `pbkdf2Sha256Batch`, with HMAC-SHA512, two at once in the SIMD build. */
  pbkdf2Sha512Batch(
    passwords: readonly Uint8Array[],
    salts: readonly Uint8Array[],
    iterations: number,
    length: number,
  ): Uint8Array[];
  /**
   * NIST SP 800-108r1 §4.1, counter mode with HMAC-SHA256: a 32-bit counter, then the fixed input data. `length` from 1.
   *
   * @param fixedInput - the fixed input data as they are; or label and context, from which the standard's own form is
   *   made: label ‖ 00 ‖ context ‖ `length` in bits, as 32 bits, big-endian. No label should hold a zero byte: the one
   *   behind it tells label from context. `length` is below 2^29.
   */
  kbkdfCounterHmacSha256(
    key: Uint8Array,
    fixedInput: Uint8Array | LabelAndContext,
    length: number,
  ): Uint8Array;
}

export interface LabelAndContext {
  label: Uint8Array;
  context: Uint8Array;
}

const MAX_LENGTH = 0x7fff_ffff;

const MAX_HKDF_LENGTH = 255 * 32;
const MAX_HKDF512_LENGTH = 255 * 64;
/** How many passwords one call takes. */
const MAX_BATCH = 1 << 20;

export function kdfPrimitives({ abi, staging }: Instance): KdfPrimitives {
  /** `wide` = 1: with HMAC-SHA512. */
  function pbkdf2Batch(
    wide: 0 | 1,
    passwords: readonly Uint8Array[],
    salts: readonly Uint8Array[],
    iterations: number,
    outLength: number,
  ): Uint8Array[] {
    const passwordLengths = lengthsOf(passwords, "passwords");
    const saltLengths = lengthsOf(salts, "salts");
    const count = passwords.length;
    if (salts.length !== count) {
      throw new CoreError("CORE_INVALID_LENGTH", {
        message: `there are ${count} passwords and ${salts.length} salts`,
        expected: count,
        length: salts.length,
      });
    }
    integer(count, 0, MAX_BATCH, "the number of passwords");
    integer(iterations, 1, MAX_U32, "iterations");
    integer(outLength, 1, MAX_LENGTH, "length");
    staging.begin(sum(passwordLengths) + sum(saltLengths) + count * (8 + outLength), 5);
    const passwordAt = staging.putAll(passwords);
    const passwordLengthAt = staging.putWords(passwordLengths);
    const saltAt = staging.putAll(salts);
    const saltLengthAt = staging.putWords(saltLengths);
    const out = staging.reserve(count * outLength);
    check(
      abi.pbkdf2Batch(
        wide,
        passwordAt,
        passwordLengthAt,
        saltAt,
        saltLengthAt,
        count,
        iterations,
        out,
        outLength,
      ),
    );
    return passwords.map((_, i) => staging.take(out + i * outLength, outLength));
  }

  return {
    hkdfSha256(ikm, salt, info, outLength) {
      bytes(ikm, "ikm");
      bytes(salt, "salt");
      bytes(info, "info");
      integer(outLength, 0, MAX_HKDF_LENGTH, "length");
      staging.begin(ikm.length + salt.length + info.length + outLength, 4);
      const ikmAt = staging.put(ikm);
      const saltAt = staging.put(salt);
      const infoAt = staging.put(info);
      const out = staging.reserve(outLength);
      check(abi.hkdfSha256(ikmAt, ikm.length, saltAt, salt.length, infoAt, info.length, out, outLength));
      return staging.take(out, outLength);
    },

    hkdfSha512(ikm, salt, info, outLength) {
      bytes(ikm, "ikm");
      bytes(salt, "salt");
      bytes(info, "info");
      integer(outLength, 0, MAX_HKDF512_LENGTH, "length");
      staging.begin(ikm.length + salt.length + info.length + outLength, 4);
      const ikmAt = staging.put(ikm);
      const saltAt = staging.put(salt);
      const infoAt = staging.put(info);
      const out = staging.reserve(outLength);
      check(abi.hkdfSha512(ikmAt, ikm.length, saltAt, salt.length, infoAt, info.length, out, outLength));
      return staging.take(out, outLength);
    },

    hkdfExpandSha256Batch(prk, infos, outLength, count) {
      bytes(prk, "prk");
      integer(count, 0, MAX_U32, "count");
      integer(outLength, 0, MAX_HKDF_LENGTH, "length");
      const infoLength = recordLength(infos, count, "infos");
      const result = output(outLength * count);
      const piece = pieceOf(infoLength + outLength + 1);
      for (let from = 0; from < count; from += piece) {
        const n = Math.min(piece, count - from);
        staging.begin(prk.length + n * (infoLength + outLength), 3);
        const prkAt = staging.put(prk);
        const infoAt = staging.put(infos.subarray(from * infoLength, (from + n) * infoLength));
        const out = staging.reserve(n * outLength);
        check(abi.hkdfExpandSha256Batch(prkAt, prk.length, infoAt, infoLength, n, out, outLength));
        staging.takeInto(out, n * outLength, result, from * outLength);
      }
      return result;
    },

    pbkdf2Sha256(password, salt, iterations, outLength) {
      bytes(password, "password");
      bytes(salt, "salt");
      integer(iterations, 1, MAX_U32, "iterations");
      integer(outLength, 1, MAX_LENGTH, "length");
      staging.begin(password.length + salt.length + outLength, 3);
      const passwordAt = staging.put(password);
      const saltAt = staging.put(salt);
      const out = staging.reserve(outLength);
      check(abi.pbkdf2Sha256(passwordAt, password.length, saltAt, salt.length, iterations, out, outLength));
      return staging.take(out, outLength);
    },

    pbkdf2Sha512(password, salt, iterations, outLength) {
      return pbkdf2Batch(1, [password], [salt], iterations, outLength)[0]!;
    },

    pbkdf2Sha256Batch(passwords, salts, iterations, outLength) {
      return pbkdf2Batch(0, passwords, salts, iterations, outLength);
    },

    pbkdf2Sha512Batch(passwords, salts, iterations, outLength) {
      return pbkdf2Batch(1, passwords, salts, iterations, outLength);
    },

    kbkdfCounterHmacSha256(key, fixedInput, outLength) {
      bytes(key, "key");
      integer(outLength, 1, MAX_LENGTH, "length");
      const parts = fixedInput instanceof Uint8Array ? [fixedInput] : fixedInputOf(fixedInput, outLength);
      const fixedLength = sum(lengthsOf(parts, "fixedInput"));
      staging.begin(key.length + fixedLength + outLength, 3);
      const keyAt = staging.put(key);
      const fixedAt = staging.putAll(parts);
      const out = staging.reserve(outLength);
      check(abi.kbkdfCounterHmacSha256(keyAt, key.length, fixedAt, fixedLength, out, outLength));
      return staging.take(out, outLength);
    },
  };
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((total, length) => total + length, 0);
}

function lengthsOf(all: readonly Uint8Array[], what: string): number[] {
  if (!Array.isArray(all)) throw new TypeError(`${what} must be an array of Uint8Arrays`);
  return Array.from(all, (one: unknown, i) => {
    bytes(one, `${what}[${i}]`);
    return one.length;
  });
}

/** label ‖ 00 ‖ context ‖ length in bits (SP 800-108r1 §4). */
function fixedInputOf({ label, context }: LabelAndContext, outLength: number): Uint8Array[] {
  bytes(label, "label");
  bytes(context, "context");
  integer(outLength, 1, MAX_U32 >>> 3, "length");
  const bits = new Uint8Array(4);
  new DataView(bits.buffer).setUint32(0, outLength * 8);
  return [label, new Uint8Array(1), context, bits];
}
