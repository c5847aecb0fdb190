/** Hashes and MACs of bytes. */
import { FAIL_LENGTH, FAIL_RANGE, OK } from "../abi";
import { blake2b as hashBlake2b } from "../hash/blake2b";
import { merkleHashes as hashRecords } from "../hash/merkle";
import { sha256 as hashSha256 } from "../hash/sha256";
import { sha512 as hashSha512 } from "../hash/sha512";
import { hmacSha256 as hmac, hmacSha256Key } from "../mac/hmac-sha256";
import { hmacSha512 as hmac512, hmacSha512Key } from "../mac/hmac-sha512";
import { VAULT_SCRATCH } from "../memory/layout";
import { finish, fits, inStaging, MAX_COUNT } from "../memory/wipe";

const MAC_LENGTH: u64 = 32;

export function sha256(data: usize, length: i32, out: usize): i32 {
  if (!fits(length) || !inStaging(data, length) || !inStaging(out, 32)) return finish(FAIL_RANGE, out, 0);
  hashSha256(data, length, out);
  return finish(OK, out, 32);
}

export function sha512(data: usize, length: i32, out: usize): i32 {
  if (!fits(length) || !inStaging(data, length) || !inStaging(out, 64)) return finish(FAIL_RANGE, out, 0);
  hashSha512(data, length, out);
  return finish(OK, out, 64);
}

/** `keyLength` 0 for a hash without a key. */
export function blake2b(
  data: usize,
  length: i32,
  key: usize,
  keyLength: i32,
  out: usize,
  outLength: i32,
): i32 {
  if (
    !fits(length | keyLength | outLength) ||
    !inStaging(data, length) ||
    !inStaging(key, keyLength) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  if (outLength < 1 || outLength > 64 || keyLength > 64) return finish(FAIL_LENGTH, out, outLength);
  hashBlake2b(data, length, key, keyLength, out, outLength);
  return finish(OK, out, outLength);
}

export function hmacSha256(key: usize, keyLength: i32, data: usize, length: i32, out: usize): i32 {
  if (!fits(keyLength | length) || !inStaging(key, keyLength) || !inStaging(data, length) || !inStaging(out, 32)) {
    return finish(FAIL_RANGE, out, 0);
  }
  hmacSha256Key(key, keyLength, VAULT_SCRATCH);
  hmac(VAULT_SCRATCH, data, length, out);
  memory.fill(VAULT_SCRATCH, 0, 64);
  return finish(OK, out, MAC_LENGTH);
}

export function hmacSha512(key: usize, keyLength: i32, data: usize, length: i32, out: usize): i32 {
  if (!fits(keyLength | length) || !inStaging(key, keyLength) || !inStaging(data, length) || !inStaging(out, 64)) {
    return finish(FAIL_RANGE, out, 0);
  }
  hmacSha512Key(key, keyLength, VAULT_SCRATCH);
  hmac512(VAULT_SCRATCH, data, length, out);
  memory.fill(VAULT_SCRATCH, 0, 128);
  return finish(OK, out, 64);
}

/** SHA-256 of `prefix`, one byte, and each of `count` records of `length` bytes. `out`: `count` × 32 bytes. */
export function merkleHashes(prefix: i32, records: usize, length: i32, count: i32, out: usize): i32 {
  const outLength = <u64>32 * count;
  if (
    !fits(length | count) ||
    count > MAX_COUNT ||
    !inStaging(records, <u64>length * count) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  hashRecords(prefix & 0xff, records, length, count, out);
  return finish(OK, out, outLength);
}
