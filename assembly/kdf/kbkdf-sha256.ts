/** The key-based KDF of NIST SP 800-108r1 §4.1: counter mode, with HMAC-SHA256. */
import { FAIL_LENGTH, OK } from "../abi";
import { hmacSha256Key, hmacSha256Two } from "../mac/hmac-sha256";
import { KDF_SCRATCH } from "../memory/layout";

// Behind the scratch of the MAC kernels, which run inside these, of HKDF and of PBKDF2.
const MID: usize = KDF_SCRATCH + 3088;
/** The block in hand, 32 bytes; behind it its number, a big-endian u32. */
const ROW: usize = MID + 64;
const NUMBER: usize = ROW + 32;

/**
 * Derives keys: K(i) = HMAC(key, i ‖ fixed), i being 32 bits, from 1 on.
 *
 * @param fixed - the fixed input data, by the standard's own form label ‖ 00 ‖ context ‖ length in bits.
 * @param out - `outLength` bytes, at least 1.
 * @returns OK, or FAIL_LENGTH with nothing written.
 */
export function kbkdfCounterHmacSha256(
  key: usize,
  keyLength: i32,
  fixed: usize,
  fixedLength: i32,
  out: usize,
  outLength: i32,
): i32 {
  if (outLength < 1) return FAIL_LENGTH;
  hmacSha256Key(key, keyLength, MID);
  for (let number: u32 = 1; outLength > 0; number++) {
    store<u32>(NUMBER, bswap(number));
    hmacSha256Two(MID, NUMBER, 4, fixed, fixedLength, ROW);
    memory.copy(out, ROW, min(outLength, 32));
    out += 32;
    outLength -= 32;
  }
  memory.fill(MID, 0, 64 + 32 + 4);
  return OK;
}
