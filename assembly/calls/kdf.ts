/** Key derivation from bytes. */
import { FAIL_RANGE } from "../abi";
import { hkdfExpandBatch, hkdfSha256 as hkdf } from "../kdf/hkdf-sha256";
import { pbkdf2Sha256 as pbkdf2 } from "../kdf/pbkdf2-sha256";
import { hmacSha256Key } from "../mac/hmac-sha256";
import { VAULT_SCRATCH } from "../memory/layout";
import { finish, fits, inStaging, MAX_COUNT } from "../memory/wipe";

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
  if (
    !fits(ikmLength | saltLength | infoLength | outLength) ||
    !inStaging(ikm, ikmLength) ||
    !inStaging(salt, saltLength) ||
    !inStaging(info, infoLength) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(hkdf(ikm, ikmLength, salt, saltLength, info, infoLength, out, outLength), out, outLength);
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
  if (
    !fits(passwordLength | saltLength | outLength) ||
    !inStaging(password, passwordLength) ||
    !inStaging(salt, saltLength) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(
    pbkdf2(password, passwordLength, salt, saltLength, iterations, out, outLength),
    out,
    outLength,
  );
}
