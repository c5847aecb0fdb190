/** Wrapping of keys with AES. */
import type { Instance } from "../instantiate.js";
import { check, errorOfStatus } from "../status.js";
import { bytes, failedRecords, integer, invalidLength, MAX_U32, pieceOf, recordLength } from "./checks.js";

export interface KeyWrap {
  /**
   * Wraps a key.
   *
   * @param kek - 16, 24 or 32 bytes
   * @param key - AES-KW: a multiple of 8 bytes, at least 16. AES-KWP: at least one byte.
   * @returns 8 bytes more than the key has, which AES-KWP first rounds up to a multiple of 8; owned by the caller
   * @throws {CoreError} `CORE_INVALID_LENGTH` for any other length
   */
  wrap(kek: Uint8Array, key: Uint8Array): Uint8Array;
  /** @throws {CoreError} `CORE_AUTHENTICATION_FAILED`, whatever is wrong with `wrapped` */
  unwrap(kek: Uint8Array, wrapped: Uint8Array): Uint8Array;
}

export interface KeyWrapBatch extends KeyWrap {
  /** Wraps `count` keys of one length that lie back to back. @returns the wrapped keys, back to back */
  wrapBatch(kek: Uint8Array, keys: Uint8Array, count: number): Uint8Array;
  /**
   * Unwraps what `wrapBatch` made.
   *
   * @returns the keys, back to back
   * @throws {CoreError} `CORE_AUTHENTICATION_FAILED` with `indexes` when any record fails; nothing is returned then
   */
  unwrapBatch(kek: Uint8Array, wrapped: Uint8Array, count: number): Uint8Array;
}

export interface AesKwPrimitives {
  /** RFC 3394. */
  readonly aesKw: KeyWrapBatch;
  /** RFC 5649. */
  readonly aesKwp: KeyWrap;
}

const OVERHEAD = 8;
const SMALLEST_KEY = 16;
const KEK_LENGTHS = [16, 24, 32];

function kekBytes(kek: Uint8Array): void {
  bytes(kek, "kek");
  if (!KEK_LENGTHS.includes(kek.length)) throw invalidLength("kek", kek.length, "16, 24 or 32");
}

function isWrappable(length: number): boolean {
  return length % 8 === 0 && length >= SMALLEST_KEY;
}

function aesKw({ abi, staging }: Instance): KeyWrapBatch {
  const wrapBatch = (kek: Uint8Array, keys: Uint8Array, count: number): Uint8Array => {
    integer(count, 0, MAX_U32, "count");
    kekBytes(kek);
    const length = recordLength(keys, count, "keys");
    if (count > 0 && !isWrappable(length)) throw invalidLength("key", length, "a multiple of 8 from 16 on");
    const wrappedLength = length + OVERHEAD;
    const result = new Uint8Array(wrappedLength * count);
    const piece = pieceOf(length + wrappedLength);
    for (let from = 0; from < count; from += piece) {
      const n = Math.min(piece, count - from);
      staging.begin(kek.length + n * (length + wrappedLength), 3);
      const kekAt = staging.put(kek);
      const keysAt = staging.put(keys.subarray(from * length, (from + n) * length));
      const out = staging.reserve(n * wrappedLength);
      check(abi.aesKwWrapMany(kekAt, kek.length, keysAt, length, out, n));
      staging.takeInto(out, n * wrappedLength, result, from * wrappedLength);
    }
    return result;
  };

  const unwrapBatch = (kek: Uint8Array, wrapped: Uint8Array, count: number): Uint8Array => {
    integer(count, 0, MAX_U32, "count");
    kekBytes(kek);
    const wrappedLength = recordLength(wrapped, count, "wrapped");
    const length = wrappedLength - OVERHEAD;
    if (count > 0 && !isWrappable(length)) throw failedRecords(Array.from({ length: count }, (_, i) => i));
    const result = new Uint8Array(Math.max(0, length * count));
    const indexes: number[] = [];
    const piece = pieceOf(length + wrappedLength + 1);
    for (let from = 0; from < count; from += piece) {
      const n = Math.min(piece, count - from);
      staging.begin(kek.length + n * (length + wrappedLength + 1), 3);
      const kekAt = staging.put(kek);
      const wrappedAt = staging.put(wrapped.subarray(from * wrappedLength, (from + n) * wrappedLength));
      const out = staging.reserve(n * (length + 1));
      check(abi.aesKwUnwrapMany(kekAt, kek.length, wrappedAt, wrappedLength, out, n));
      staging.takeInto(out, n * length, result, from * length);
      const statuses = staging.take(out + n * length, n);
      for (let i = 0; i < n; i++) if (statuses[i] !== 0) indexes.push(from + i);
    }
    if (indexes.length === 0) return result;
    result.fill(0);
    throw failedRecords(indexes);
  };

  return {
    wrap: (kek, key) => wrapBatch(kek, key, 1),
    unwrap(kek, wrapped) {
      kekBytes(kek);
      bytes(wrapped, "wrapped");
      const length = wrapped.length - OVERHEAD;
      if (!isWrappable(length)) throw errorOfStatus(1);
      staging.begin(kek.length + wrapped.length + length + 1, 3);
      const kekAt = staging.put(kek);
      const wrappedAt = staging.put(wrapped);
      const out = staging.reserve(length + 1);
      check(abi.aesKwUnwrapMany(kekAt, kek.length, wrappedAt, wrapped.length, out, 1));
      const result = staging.take(out, length);
      check(staging.take(out + length, 1)[0]!);
      return result;
    },
    wrapBatch,
    unwrapBatch,
  };
}

function aesKwp({ abi, staging }: Instance): KeyWrap {
  return {
    wrap(kek, key) {
      kekBytes(kek);
      bytes(key, "key");
      if (key.length === 0) throw invalidLength("key", 0, "at least 1");
      const outLength = Math.ceil(key.length / 8) * 8 + OVERHEAD;
      staging.begin(kek.length + key.length + outLength, 3);
      const kekAt = staging.put(kek);
      const keyAt = staging.put(key);
      const out = staging.reserve(outLength);
      check(abi.aesKwpWrap(kekAt, kek.length, keyAt, key.length, out));
      return staging.take(out, outLength);
    },

    unwrap(kek, wrapped) {
      kekBytes(kek);
      bytes(wrapped, "wrapped");
      if (wrapped.length % 8 !== 0 || wrapped.length < 2 * OVERHEAD) throw errorOfStatus(1);
      staging.begin(kek.length + 2 * wrapped.length, 3);
      const kekAt = staging.put(kek);
      const wrappedAt = staging.put(wrapped);
      const out = staging.reserve(wrapped.length);
      const length = abi.aesKwpUnwrap(kekAt, kek.length, wrappedAt, wrapped.length, out);
      if (length < 0) throw errorOfStatus(-length);
      return staging.take(out, length);
    },
  };
}

export function aesKwPrimitives(instance: Instance): AesKwPrimitives {
  return { aesKw: aesKw(instance), aesKwp: aesKwp(instance) };
}
