/**
 * HMAC-SHA512 (RFC 2104, FIPS 198-1) from midstates, as in `hmac-sha256.ts`.
 *
 * A midstate is 128 bytes, as secret as the key: the inner state after the ipad block, 8 × u64 in native order, then
 * the outer state after the opad block.
 */
import {
  compress512,
  HASH512_STATE,
  HASH512_WORDS,
  INITIAL_STATE_512,
  padDigestWords512,
  sha512,
  sha512Begin,
  sha512Pad,
  sha512Update,
  sha512Wipe,
  storeDigest512,
} from "../hash/sha512";
import { KDF512_SCRATCH } from "../memory/layout";

const PAD: usize = KDF512_SCRATCH;
/** The bytes of KDF512_SCRATCH, from its beginning, that are used here. */
export const HMAC512_SIZE: usize = 128;

function absorbPad(byte: u64, state: usize): void {
  for (let i: usize = 0; i < 128; i += 8) {
    store<u64>(PAD + i, load<u64>(PAD + i) ^ (byte * 0x0101010101010101));
  }
  sha512Begin(INITIAL_STATE_512, 0);
  sha512Update(PAD, 128);
  memory.copy(state, HASH512_STATE, 64);
}

/**
 * Computes the midstate of a key. Wipes its scratch.
 *
 * @param key - `keyLength` bytes, any number; more than 128 are hashed first.
 * @param mid - 128 bytes.
 */
export function hmacSha512Key(key: usize, keyLength: i32, mid: usize): void {
  memory.fill(PAD, 0, 128);
  if (keyLength > 128) sha512(key, keyLength, PAD);
  else memory.copy(PAD, key, keyLength);
  absorbPad(0x36, mid);
  absorbPad(0x36 ^ 0x5c, mid + 64);
  memory.fill(PAD, 0, 128);
  sha512Wipe();
}

/** Begins a MAC; its message follows by `sha512Update`, then `mac512End`. Whoever calls it wipes by `sha512Wipe`. */
export function mac512Begin(mid: usize): void {
  sha512Begin(mid, 128);
}

/** Ends a MAC: HASH512_STATE holds its words then. */
export function mac512End(mid: usize): void {
  sha512Pad();
  memory.copy(HASH512_WORDS, HASH512_STATE, 64);
  padDigestWords512();
  compress512(mid + 64, HASH512_STATE);
}

/** Writes the MAC of `length` bytes to `out`, 64 bytes. Wipes its scratch. */
export function hmacSha512(mid: usize, data: usize, length: i32, out: usize): void {
  mac512Begin(mid);
  sha512Update(data, length);
  mac512End(mid);
  storeDigest512(HASH512_STATE, out);
  sha512Wipe();
}
