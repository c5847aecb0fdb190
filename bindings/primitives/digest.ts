/** Hashes and message authentication codes. */
import type { Instance } from "../instantiate.js";
import { check } from "../status.js";
import { bytes } from "./checks.js";

export interface DigestPrimitives {
  /** FIPS 180-4. 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** FIPS 180-4. 64 bytes. */
  sha512(data: Uint8Array): Uint8Array;
  /** RFC 2104 with SHA-256. 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
}

export function digestPrimitives({ abi, staging }: Instance): DigestPrimitives {
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
  };
}
