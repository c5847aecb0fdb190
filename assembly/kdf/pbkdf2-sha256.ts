/** PBKDF2 with HMAC-SHA256, of one password: for the KDFs and the vault's calls that are built on it. */
import { KDF_SCRATCH } from "../memory/layout";
import { pbkdf2 } from "./pbkdf2";

/** The lengths of the password and of the salt: 2 × u32, behind the scratch of `pbkdf2`. */
const LENGTHS: usize = KDF_SCRATCH + 3072;

/**
 * Derives a key from a password.
 *
 * @param iterations - at least 1.
 * @param out - `outLength` bytes, at least 1.
 * @returns OK, or FAIL_LENGTH or FAIL_PARAMETER with nothing written.
 */
export function pbkdf2Sha256(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  store<i32>(LENGTHS, passwordLength);
  store<i32>(LENGTHS, saltLength, 4);
  const status = pbkdf2(false, password, LENGTHS, salt, LENGTHS + 4, 1, iterations, out, outLength);
  store<u64>(LENGTHS, 0);
  return status;
}
