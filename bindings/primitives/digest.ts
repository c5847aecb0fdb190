/** Hashes and message authentication codes. */
import { CoreError } from "../../sdk/foundation/errors.js";
import type { Instance } from "../instantiate.js";
import { check } from "../status.js";
import { bytes, integer, length, lengthFrom, MAX_U32, output, pieceOf, recordLength } from "./checks.js";

export interface Blake2bOptions {
  length?: number | undefined;
  key?: Uint8Array | undefined;
}

export interface DigestPrimitives {
  /** FIPS 180-4. 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** FIPS 180-4. 64 bytes. */
  sha512(data: Uint8Array): Uint8Array;
  /** RFC 7693. `length`: of the digest, 1 to 64, the default; `key`: 1 to 64 bytes, for a MAC. */
  blake2b(data: Uint8Array, options?: Blake2bOptions): Uint8Array;
  /** RFC 2104 with SHA-256. 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** RFC 2104 with SHA-512. 64 bytes. */
  hmacSha512(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** RFC 6962 §2.1: SHA-256(00 ‖ data), a leaf of a Merkle tree. 32 bytes. */
  merkleLeafHash(data: Uint8Array): Uint8Array;
  /** RFC 6962 §2.1: SHA-256(01 ‖ left ‖ right), the parent of two nodes of 32 bytes. 32 bytes. */
  merkleNodeHash(left: Uint8Array, right: Uint8Array): Uint8Array;
  /** The leaf hashes of `count` records, which are back to back and of one length: `count` × 32 bytes. */
  merkleLeafHashBatch(records: Uint8Array, count: number): Uint8Array;
  /**
   * The next level of a Merkle tree: from an even number of nodes of 32 bytes, back to back, the parents of each two
   * neighbours. A node without a neighbour goes up as it is, which is the caller's to do.
   */
  merkleLevel(hashes: Uint8Array): Uint8Array;
}

/** The longest digest, and the longest key. */
const BLAKE2B_MAX = 64;
const LEAF = 0;
const NODE = 1;

export function digestPrimitives({ abi, staging }: Instance): DigestPrimitives {
  /** SHA-256 of the prefix and each of `count` records of `each` bytes. */
  function merkleHashes(prefix: number, records: Uint8Array, each: number, count: number): Uint8Array {
    const result = output(count * 32);
    const piece = pieceOf(each + 32);
    for (let from = 0; from < count; from += piece) {
      const n = Math.min(piece, count - from);
      staging.begin(n * (each + 32), 2);
      const at = staging.put(records.subarray(from * each, (from + n) * each));
      const out = staging.reserve(n * 32);
      check(abi.merkleHashes(prefix, at, each, n, out));
      staging.takeInto(out, n * 32, result, from * 32);
    }
    return result;
  }

  return {
    sha256(data) {
      bytes(data, "data");
      staging.begin(data.length + 32, 2);
      const at = staging.put(data);
      const out = staging.reserve(32);
      check(abi.sha256(at, data.length, out));
      return staging.take(out, 32);
    },

    sha512(data) {
      bytes(data, "data");
      staging.begin(data.length + 64, 2);
      const at = staging.put(data);
      const out = staging.reserve(64);
      check(abi.sha512(at, data.length, out));
      return staging.take(out, 64);
    },

    blake2b(data, { length = BLAKE2B_MAX, key } = {}) {
      bytes(data, "data");
      integer(length, 1, BLAKE2B_MAX, "length");
      if (key !== undefined) lengthFrom(key, 1, BLAKE2B_MAX, "key");
      const keyBytes = key ?? new Uint8Array(0);
      staging.begin(data.length + keyBytes.length + length, 3);
      const at = staging.put(data);
      const keyAt = staging.put(keyBytes);
      const out = staging.reserve(length);
      check(abi.blake2b(at, data.length, keyAt, keyBytes.length, out, length));
      return staging.take(out, length);
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

    hmacSha512(key, data) {
      bytes(key, "key");
      bytes(data, "data");
      staging.begin(key.length + data.length + 64, 3);
      const keyAt = staging.put(key);
      const at = staging.put(data);
      const out = staging.reserve(64);
      check(abi.hmacSha512(keyAt, key.length, at, data.length, out));
      return staging.take(out, 64);
    },

    merkleLeafHash(data) {
      bytes(data, "data");
      return merkleHashes(LEAF, data, data.length, 1);
    },

    merkleNodeHash(left, right) {
      length(left, 32, "left");
      length(right, 32, "right");
      staging.begin(64 + 32, 2);
      const at = staging.putAll([left, right]);
      const out = staging.reserve(32);
      check(abi.merkleHashes(NODE, at, 64, 1, out));
      return staging.take(out, 32);
    },

    merkleLeafHashBatch(records, count) {
      integer(count, 0, MAX_U32, "count");
      return merkleHashes(LEAF, records, recordLength(records, count, "records"), count);
    },

    merkleLevel(hashes) {
      bytes(hashes, "hashes");
      const count = hashes.length / 64;
      if (!Number.isInteger(count)) {
        throw new CoreError("CORE_INVALID_LENGTH", {
          message: `hashes has ${hashes.length} bytes, not an even number of times 32`,
          length: hashes.length,
        });
      }
      return merkleHashes(NODE, hashes, 64, count);
    },
  };
}
