/** HKDF with HMAC-SHA512 (RFC 5869). */
import { FAIL_LENGTH, OK } from "../abi";
import { HASH512_STATE, sha512Update, sha512Wipe, storeDigest512 } from "../hash/sha512";
import { HMAC512_SIZE, hmacSha512, hmacSha512Key, mac512Begin, mac512End } from "../mac/hmac-sha512";
import { KDF512_SCRATCH } from "../memory/layout";

const MID: usize = KDF512_SCRATCH + HMAC512_SIZE;
/** The pseudorandom key, then the output block in hand, 64 bytes; behind it the block's number, one byte. */
const ROW: usize = MID + 128;
const NUMBER: usize = ROW + 64;

/** 255 blocks of 64 bytes: the block number is one byte. */
const MAX_OUTPUT: u32 = 16320;

/**
 * HKDF: extract, then expand.
 *
 * @param salt - may be empty, which equals 64 zero bytes.
 * @returns OK, or FAIL_LENGTH with nothing written where `outLength` is above 16320.
 */
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
  if (<u32>outLength > MAX_OUTPUT) return FAIL_LENGTH;
  hmacSha512Key(salt, saltLength, MID);
  hmacSha512(MID, ikm, ikmLength, ROW);
  hmacSha512Key(ROW, 64, MID);
  let chained = 0;
  for (let number = 1; outLength > 0; number++) {
    store<u8>(NUMBER, number);
    mac512Begin(MID);
    sha512Update(ROW, chained);
    sha512Update(info, infoLength);
    sha512Update(NUMBER, 1);
    mac512End(MID);
    storeDigest512(HASH512_STATE, ROW);
    memory.copy(out, ROW, min(outLength, 64));
    chained = 64;
    out += 64;
    outLength -= 64;
  }
  memory.fill(MID, 0, 128 + 64 + 1);
  sha512Wipe();
  return OK;
}
