/** The byte-level door: bytes in, bytes out, lengths checked, inputs never modified. */
import { CoreError } from "../sdk/foundation/errors.js";
import type { Instance } from "./instantiate.js";
import { check, errorOfStatus } from "./status.js";

export interface Aead {
  /**
   * @param key - 32 bytes
   * @param nonce - 12 bytes, or 24 for XChaCha20. Never use one twice with a key.
   * @returns ciphertext ‖ tag, `plaintext.length` + 16 bytes, owned by the caller
   */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** @throws {CoreError} `CORE_AUTHENTICATION_FAILED`, whatever was changed */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array;
  /**
   * Seals `count` records of one length under one key. Nonces, associated data and plaintexts are each back to back.
   *
   * @returns `count` × (ciphertext ‖ tag)
   */
  sealBatch(
    key: Uint8Array,
    nonces: Uint8Array,
    aads: Uint8Array,
    plaintexts: Uint8Array,
    count: number,
  ): Uint8Array;
  /**
   * Opens what `sealBatch` made.
   *
   * @returns the plaintexts, back to back
   * @throws {CoreError} `CORE_AUTHENTICATION_FAILED` with `indexes` when any record fails; nothing is returned then
   */
  openBatch(
    key: Uint8Array,
    nonces: Uint8Array,
    aads: Uint8Array,
    sealed: Uint8Array,
    count: number,
  ): Uint8Array;
}

export interface Primitives {
  /** FIPS 180-4. 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** RFC 2104 with SHA-256. 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** RFC 5869: extract and expand. `length` at most 8160. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** RFC 5869 expand: `count` outputs of `length` bytes from one PRK; `infos` are back to back, of one length. */
  hkdfExpandSha256Batch(prk: Uint8Array, infos: Uint8Array, length: number, count: number): Uint8Array;
  /** RFC 8018 with HMAC-SHA256. `iterations` from 1. Blocks the thread. */
  pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Uint8Array;
  /** RFC 8439. */
  readonly chacha20Poly1305: Aead;
  /** draft-irtf-cfrg-xchacha-03. */
  readonly xchacha20Poly1305: Aead;
}

const KEY_LENGTH = 32;
const TAG_LENGTH = 16;
const MAX_HKDF_LENGTH = 255 * 32;
const MAX_U32 = 0xffff_ffff;
/** Batches go through memory in pieces of about this size, which a core's second-level cache holds. */
const PIECE_BYTES = 256 * 1024;

function bytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
}

function length(value: Uint8Array, expected: number, what: string): void {
  bytes(value, what);
  if (value.length === expected) return;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `${what} has ${value.length} bytes, not ${expected}`,
    expected,
    length: value.length,
  });
}

function integer(value: number, minimum: number, maximum: number, what: string): void {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
  throw new CoreError("CORE_INVALID_PARAMETER", {
    message: `${what} must be an integer from ${minimum} to ${maximum}`,
    minimum,
    maximum,
  });
}

/** The length of one of `count` records that lie back to back. */
function recordLength(all: Uint8Array, count: number, what: string): number {
  bytes(all, what);
  const each = count === 0 ? 0 : all.length / count;
  if (Number.isInteger(each) && (count > 0 || all.length === 0)) return each;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `${what} can't be divided into ${count} records of one length`,
    length: all.length,
    count,
  });
}

/** Room for an output that is larger than its inputs: here a number alone can ask for more than the host has. */
function output(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new CoreError("CORE_INPUT_TOO_LARGE", { message: `no room for ${length} bytes`, length, cause });
  }
}

function aead({ abi, staging }: Instance, extended: boolean): Aead {
  const variant = extended ? 1 : 0;
  const nonceLength = extended ? 24 : 12;

  const batch = (
    count: number,
    key: Uint8Array,
    nonces: Uint8Array,
    aads: Uint8Array,
    texts: Uint8Array,
  ): { aadLength: number; textLength: number; piece: number } => {
    integer(count, 0, MAX_U32, "count");
    length(key, KEY_LENGTH, "key");
    length(nonces, nonceLength * count, "nonces");
    const aadLength = recordLength(aads, count, "aads");
    const textLength = recordLength(texts, count, "texts");
    const each = nonceLength + aadLength + 2 * textLength + TAG_LENGTH + 1;
    return { aadLength, textLength, piece: Math.max(4, Math.floor(PIECE_BYTES / each) & ~3) };
  };

  return {
    seal(key, nonce, aad, plaintext) {
      length(key, KEY_LENGTH, "key");
      length(nonce, nonceLength, "nonce");
      bytes(aad, "aad");
      bytes(plaintext, "plaintext");
      const outLength = plaintext.length + TAG_LENGTH;
      staging.begin(KEY_LENGTH + 24 + aad.length + plaintext.length + outLength, 5);
      const keyAt = staging.put(key);
      const nonceAt = staging.put(nonce);
      const aadAt = staging.put(aad);
      const textAt = staging.put(plaintext);
      const out = staging.reserve(outLength);
      check(abi.aeadSealOne(variant, keyAt, nonceAt, aadAt, aad.length, textAt, plaintext.length, out));
      return staging.take(out, outLength);
    },

    open(key, nonce, aad, sealed) {
      length(key, KEY_LENGTH, "key");
      length(nonce, nonceLength, "nonce");
      bytes(aad, "aad");
      bytes(sealed, "sealed");
      if (sealed.length < TAG_LENGTH) throw errorOfStatus(1);
      staging.begin(KEY_LENGTH + 24 + aad.length + 2 * sealed.length, 5);
      const keyAt = staging.put(key);
      const nonceAt = staging.put(nonce);
      const aadAt = staging.put(aad);
      const textAt = staging.put(sealed);
      const out = staging.reserve(sealed.length);
      check(abi.aeadOpenOne(variant, keyAt, nonceAt, aadAt, aad.length, textAt, sealed.length, out));
      return staging.take(out, sealed.length - TAG_LENGTH);
    },

    sealBatch(key, nonces, aads, plaintexts, count) {
      const { aadLength, textLength, piece } = batch(count, key, nonces, aads, plaintexts);
      const outLength = textLength + TAG_LENGTH;
      const result = new Uint8Array(outLength * count);
      for (let from = 0; from < count; from += piece) {
        const n = Math.min(piece, count - from);
        staging.begin(KEY_LENGTH + n * (nonceLength + aadLength + textLength + outLength), 5);
        const keyAt = staging.put(key);
        const nonceAt = staging.put(nonces.subarray(from * nonceLength, (from + n) * nonceLength));
        const aadAt = staging.put(aads.subarray(from * aadLength, (from + n) * aadLength));
        const textAt = staging.put(plaintexts.subarray(from * textLength, (from + n) * textLength));
        const out = staging.reserve(n * outLength);
        check(abi.aeadSealMany(variant, keyAt, nonceAt, aadAt, aadLength, textAt, textLength, out, n));
        staging.takeInto(out, n * outLength, result, from * outLength);
      }
      return result;
    },

    openBatch(key, nonces, aads, sealed, count) {
      const { aadLength, textLength: sealedLength, piece } = batch(count, key, nonces, aads, sealed);
      if (count > 0 && sealedLength < TAG_LENGTH)
        throw failedRecords(Array.from({ length: count }, (_, i) => i));
      const textLength = Math.max(0, sealedLength - TAG_LENGTH);
      const result = new Uint8Array(textLength * count);
      const indexes: number[] = [];
      for (let from = 0; from < count; from += piece) {
        const n = Math.min(piece, count - from);
        staging.begin(KEY_LENGTH + n * (nonceLength + aadLength + sealedLength + textLength + 1), 5);
        const keyAt = staging.put(key);
        const nonceAt = staging.put(nonces.subarray(from * nonceLength, (from + n) * nonceLength));
        const aadAt = staging.put(aads.subarray(from * aadLength, (from + n) * aadLength));
        const textAt = staging.put(sealed.subarray(from * sealedLength, (from + n) * sealedLength));
        const out = staging.reserve(n * (textLength + 1));
        check(abi.aeadOpenMany(variant, keyAt, nonceAt, aadAt, aadLength, textAt, sealedLength, out, n));
        staging.takeInto(out, n * textLength, result, from * textLength);
        const statuses = staging.take(out + n * textLength, n);
        for (let i = 0; i < n; i++) if (statuses[i] !== 0) indexes.push(from + i);
      }
      if (indexes.length === 0) return result;
      result.fill(0);
      throw failedRecords(indexes);
    },
  };
}

function failedRecords(indexes: readonly number[]): CoreError {
  return new CoreError("CORE_AUTHENTICATION_FAILED", {
    message: `${indexes.length} records of the batch failed to authenticate`,
    indexes,
  });
}

export function primitivesOf(instance: Instance): Primitives {
  const { abi, staging } = instance;
  return {
    sha256(data) {
      bytes(data, "data");
      staging.begin(data.length + 32, 2);
      const at = staging.put(data);
      const out = staging.reserve(32);
      check(abi.sha256(at, data.length, out));
      return staging.take(out, 32);
    },

    hmacSha256(key, data) {
      bytes(key, "key");
      bytes(data, "data");
      staging.begin(key.length + data.length + 32, 3);
      const keyAt = staging.put(key);
      const at = staging.put(data);
      const out = staging.reserve(32);
      check(abi.hmacSha256(keyAt, key.length, at, data.length, out));
      return staging.take(out, 32);
    },

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

    hkdfExpandSha256Batch(prk, infos, outLength, count) {
      bytes(prk, "prk");
      integer(count, 0, MAX_U32, "count");
      integer(outLength, 0, MAX_HKDF_LENGTH, "length");
      const infoLength = recordLength(infos, count, "infos");
      const result = output(outLength * count);
      const piece = Math.max(4, Math.floor(PIECE_BYTES / (infoLength + outLength + 1)) & ~3);
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
      integer(outLength, 1, 0x7fff_ffff, "length");
      staging.begin(password.length + salt.length + outLength, 3);
      const passwordAt = staging.put(password);
      const saltAt = staging.put(salt);
      const out = staging.reserve(outLength);
      check(abi.pbkdf2Sha256(passwordAt, password.length, saltAt, salt.length, iterations, out, outLength));
      return staging.take(out, outLength);
    },

    chacha20Poly1305: aead(instance, false),
    xchacha20Poly1305: aead(instance, true),
  };
}
