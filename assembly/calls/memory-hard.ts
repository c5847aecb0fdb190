/**
 * Memory-hard key derivation from passwords. The memory of the work lies in staging, before the output: it is wiped with
 * the inputs. The host runs these calls in an instance of their own.
 */
import { FAIL_RANGE } from "../abi";
import { argon2id as argon2 } from "../kdf/argon2id";
import { scrypt as scryptKdf, scryptMemory } from "../kdf/scrypt";
import { finish, fits, inStaging } from "../memory/wipe";

/** `blocks`: 1 KiB for each KiB of memory. */
export function argon2id(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  secret: usize,
  secretLength: i32,
  associated: usize,
  associatedLength: i32,
  memoryKiB: u32,
  passes: u32,
  lanes: u32,
  blocks: usize,
  out: usize,
  outLength: i32,
): i32 {
  if (
    !fits(passwordLength | saltLength | secretLength | associatedLength | outLength) ||
    !inStaging(password, passwordLength) ||
    !inStaging(salt, saltLength) ||
    !inStaging(secret, secretLength) ||
    !inStaging(associated, associatedLength) ||
    !inStaging(blocks, <u64>memoryKiB << 10) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = argon2(
    password,
    passwordLength,
    salt,
    saltLength,
    secret,
    secretLength,
    associated,
    associatedLength,
    memoryKiB,
    passes,
    lanes,
    blocks,
    out,
    outLength,
  );
  return finish(status, out, outLength);
}

/** `work`: 128 · r · (n + p + 2) bytes. */
export function scrypt(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  n: u32,
  r: u32,
  p: u32,
  work: usize,
  out: usize,
  outLength: i32,
): i32 {
  if (
    !fits(passwordLength | saltLength | outLength) ||
    !inStaging(password, passwordLength) ||
    !inStaging(salt, saltLength) ||
    !inStaging(work, scryptMemory(n, r, p)) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = scryptKdf(password, passwordLength, salt, saltLength, n, r, p, work, out, outLength);
  return finish(status, out, outLength);
}
