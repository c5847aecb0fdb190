/** Key derivation from bytes. */
import { FAIL_RANGE } from "../abi";
import { hkdfExpandBatch, hkdfSha256 as hkdf } from "../kdf/hkdf-sha256";
import { hkdfSha512 as hkdf512 } from "../kdf/hkdf-sha512";
import { kbkdfCounterHmacSha256 as kbkdf } from "../kdf/kbkdf-sha256";
import { pbkdf2 } from "../kdf/pbkdf2";
import { pbkdf2Sha256 as pbkdf2One } from "../kdf/pbkdf2-sha256";
import { hmacSha256Key } from "../mac/hmac-sha256";
import { VAULT_SCRATCH } from "../memory/layout";
import { finish, fits, inStaging, MAX_COUNT, totalLength } from "../memory/wipe";

/** Do three inputs and an output lie in staging? */
function validThree(
  a: usize,
  aLength: i32,
  b: usize,
  bLength: i32,
  c: usize,
  cLength: i32,
  out: usize,
  outLength: i32,
): bool {
  return (
    fits(aLength | bLength | cLength | outLength) &&
    inStaging(a, aLength) &&
    inStaging(b, bLength) &&
    inStaging(c, cLength) &&
    inStaging(out, outLength)
  );
}

export function hkdfSha256(
  ikm: usize,
  ikmLength: i32,
  salt: usize,
  saltLength: i32,
  info: usize,
  infoLength: i32,
  out: usize,
  outLength: i32,
): i32 {
  if (!validThree(ikm, ikmLength, salt, saltLength, info, infoLength, out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(hkdf(ikm, ikmLength, salt, saltLength, info, infoLength, out, outLength), out, outLength);
}

export function hkdfSha512(
  ikm: usize,
  ikmLength: i32,
  salt: usize,
  saltLength: i32,
  info: usize,
  infoLength: i32,
  out: usize,
  outLength: i32,
): i32 {
  if (!validThree(ikm, ikmLength, salt, saltLength, info, infoLength, out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(hkdf512(ikm, ikmLength, salt, saltLength, info, infoLength, out, outLength), out, outLength);
}

/** `count` outputs of `outLength` bytes from one PRK of `prkLength` bytes; infos are back to back. */
export function hkdfExpandSha256Batch(
  prk: usize,
  prkLength: i32,
  infos: usize,
  infoLength: i32,
  count: i32,
  out: usize,
  outLength: i32,
): i32 {
  const inSize = <u64>infoLength * count;
  const outSize = <u64>outLength * count;
  if (
    !fits(prkLength | infoLength | count | outLength) ||
    count > MAX_COUNT ||
    !inStaging(prk, prkLength) ||
    !inStaging(infos, inSize) ||
    !inStaging(out, outSize)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  hmacSha256Key(prk, prkLength, VAULT_SCRATCH);
  const status = hkdfExpandBatch(VAULT_SCRATCH, infos, infoLength, count, out, outLength);
  memory.fill(VAULT_SCRATCH, 0, 64);
  return finish(status, out, outSize);
}

export function pbkdf2Sha256(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  if (!validThree(password, passwordLength, salt, saltLength, salt, 0, out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = pbkdf2One(password, passwordLength, salt, saltLength, iterations, out, outLength);
  return finish(status, out, outLength);
}

/**
 * `wide` = 1: with HMAC-SHA512. Passwords and salts lie back to back each, their lengths in two tables of `count` × u32.
 * `out`: `count` × `outLength` bytes.
 */
export function pbkdf2Batch(
  wide: i32,
  passwords: usize,
  passwordLengths: usize,
  salts: usize,
  saltLengths: usize,
  count: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  const outSize = <u64>outLength * count;
  if (
    !fits(outLength | count) ||
    !inStaging(passwords, totalLength(passwordLengths, count)) ||
    !inStaging(salts, totalLength(saltLengths, count)) ||
    !inStaging(out, outSize)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = pbkdf2(
    wide == 1,
    passwords,
    passwordLengths,
    salts,
    saltLengths,
    count,
    iterations,
    out,
    outLength,
  );
  return finish(status, out, outSize);
}

/** SP 800-108 in counter mode with HMAC-SHA256; the 32-bit counter stands before `fixed`. */
export function kbkdfCounterHmacSha256(
  key: usize,
  keyLength: i32,
  fixed: usize,
  fixedLength: i32,
  out: usize,
  outLength: i32,
): i32 {
  if (!validThree(key, keyLength, fixed, fixedLength, fixed, 0, out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(kbkdf(key, keyLength, fixed, fixedLength, out, outLength), out, outLength);
}
