/** PBKDF2 with HMAC-SHA512 (RFC 8018 §5.2). */
import { FAIL_LENGTH, FAIL_PARAMETER, OK } from "../abi";
import {
  compress512,
  HASH512_STATE,
  HASH512_WORDS,
  padDigestWords512,
  sha512Update,
  sha512Wipe,
  storeDigest512,
} from "../hash/sha512";
import { HMAC512_SIZE, hmacSha512Key, mac512Begin, mac512End } from "../mac/hmac-sha512";
import { KDF512_SCRATCH } from "../memory/layout";

const MID: usize = KDF512_SCRATCH + HMAC512_SIZE;
/** T of RFC 8018, the XOR of the iterations: a state. Before that, the block number. */
const SUM: usize = MID + 128;

/** Computes T of one output block into SUM. */
function deriveBlock(salt: usize, saltLength: i32, number: u32, iterations: u32): void {
  store<u32>(SUM, bswap(number));
  mac512Begin(MID);
  sha512Update(salt, saltLength);
  sha512Update(SUM, 4);
  mac512End(MID);
  memory.copy(SUM, HASH512_STATE, 64);
  memory.copy(HASH512_WORDS, HASH512_STATE, 64);
  padDigestWords512();
  for (; iterations > 1; iterations--) {
    compress512(MID, HASH512_WORDS);
    compress512(MID + 64, HASH512_WORDS);
    for (let i: usize = 0; i < 64; i += 8) {
      store<u64>(SUM + i, load<u64>(SUM + i) ^ load<u64>(HASH512_WORDS + i));
    }
  }
}

/**
 * Derives a key from a password.
 *
 * @param iterations - at least 1.
 * @param out - `outLength` bytes, at least 1.
 * @returns OK, or FAIL_LENGTH or FAIL_PARAMETER with nothing written.
 */
export function pbkdf2Sha512(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  if (outLength < 1) return FAIL_LENGTH;
  if (!iterations) return FAIL_PARAMETER;
  hmacSha512Key(password, passwordLength, MID);
  for (let number: u32 = 1; outLength > 0; number++) {
    deriveBlock(salt, saltLength, number, iterations);
    storeDigest512(SUM, SUM);
    memory.copy(out, SUM, min(outLength, 64));
    out += 64;
    outLength -= 64;
  }
  memory.fill(MID, 0, 128 + 64);
  sha512Wipe();
  return OK;
}
