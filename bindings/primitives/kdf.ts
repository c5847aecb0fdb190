/** Key derivation. */
import type { Instance } from "../instantiate.js";
import { check } from "../status.js";
import { bytes, integer, MAX_U32, output, pieceOf, recordLength } from "./checks.js";

export interface KdfPrimitives {
  /** RFC 5869: extract and expand. `length` at most 8160. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** RFC 5869 expand: `count` outputs of `length` bytes from one PRK; `infos` are back to back, of one length. */
  hkdfExpandSha256Batch(prk: Uint8Array, infos: Uint8Array, length: number, count: number): Uint8Array;
  /** RFC 8018 with HMAC-SHA256. `iterations` from 1. Blocks the thread. */
  pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Uint8Array;
}

const MAX_HKDF_LENGTH = 255 * 32;

export function kdfPrimitives({ abi, staging }: Instance): KdfPrimitives {
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
      integer(outLength, 1, 0x7fff_ffff, "length");
      staging.begin(password.length + salt.length + outLength, 3);
      const passwordAt = staging.put(password);
      const saltAt = staging.put(salt);
      const out = staging.reserve(outLength);
      check(abi.pbkdf2Sha256(passwordAt, password.length, saltAt, salt.length, iterations, out, outLength));
      return staging.take(out, outLength);
    },
  };
}
