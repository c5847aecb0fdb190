/**
 * HMAC-SHA256 (RFC 2104, FIPS 198-1) from midstates: a key is absorbed once, and each MAC under it
 * then starts behind the pads.
 *
 * A midstate is 64 bytes, as secret as the key: the inner state after the ipad block, 8 × u32 in native
 * order, then the outer state after the opad block.
 */
import {
  absorb,
  absorbBlocks,
  absorbOuter,
  absorbPadding,
  copyState,
  HASH_STATE,
  hashMessages,
  hashWipe,
  sha256,
  storeDigest,
} from "../hash/sha256";
import { INITIAL_STATE } from "../hash/sha256-block";
import { KDF_SCRATCH } from "../memory/layout";

const PAD: usize = KDF_SCRATCH;
const START: usize = PAD + 64;

function absorbPad(byte: u64, state: usize): void {
  for (let i: usize = 0; i < 64; i += 8) {
    store<u64>(PAD + i, load<u64>(PAD + i) ^ (byte * 0x0101010101010101));
  }
  copyState(INITIAL_STATE, state);
  absorbBlocks(state, PAD, 1);
}

/**
 * Computes the midstate of a key.
 *
 * @param key - `keyLength` bytes, any number; more than 64 are hashed first.
 * @param mid - 64 bytes.
 */
export function hmacSha256Key(key: usize, keyLength: i32, mid: usize): void {
  memory.fill(PAD, 0, 64);
  if (keyLength > 64) sha256(key, keyLength, PAD);
  else memory.copy(PAD, key, keyLength);
  absorbPad(0x36, mid);
  absorbPad(0x36 ^ 0x5c, mid + 32);
  memory.fill(PAD, 0, 64);
  hashWipe();
}

/** Begins a MAC in HASH_STATE; its message follows by `absorb`, then `macEnd`. */
export function macBegin(mid: usize): void {
  copyState(mid, HASH_STATE);
}

/** Ends a MAC: HASH_STATE holds its words then. `length` counts the whole message. */
export function macEnd(mid: usize, fill: i32, length: u64): void {
  absorbPadding(HASH_STATE, fill, length + 64);
  absorbOuter(mid + 32);
}

/** Writes the MAC of `length` bytes to `out`, 32 bytes. */
export function hmacSha256(mid: usize, data: usize, length: i32, out: usize): void {
  hmacSha256Two(mid, data, length, data, 0, out);
}

/** Writes the MAC of the message a ‖ b to `out`, 32 bytes. */
export function hmacSha256Two(
  mid: usize,
  a: usize,
  aLength: i32,
  b: usize,
  bLength: i32,
  out: usize,
): void {
  macBegin(mid);
  const fill = absorb(HASH_STATE, absorb(HASH_STATE, 0, a, aLength), b, bLength);
  macEnd(mid, fill, <u64>aLength + bLength);
  storeDigest(HASH_STATE, out);
  hashWipe();
}

/**
 * Writes the MAC of each of `count` messages.
 *
 * @param prefix - 64 bytes that every message is taken to begin with, absorbed once; or 0 for none.
 * @param lengths - `count` × u32, little-endian: bytes of each message without the prefix. Public.
 * @param gap - bytes between the end of a message and the next one.
 * @param out - 32 bytes a message, `outStride` bytes apart.
 * @param digests - where SHA-256 of each message without the prefix is written, `digestStride` bytes apart; or 0.
 */
export function macMessages(
  mid: usize,
  prefix: usize,
  messages: usize,
  lengths: usize,
  gap: usize,
  count: i32,
  out: usize,
  outStride: usize,
  digests: usize,
  digestStride: usize,
): void {
  copyState(mid, START);
  if (prefix) absorbBlocks(START, prefix, 1);
  const absorbed: u64 = prefix ? 128 : 64;
  hashMessages(START, absorbed, mid + 32, messages, lengths, gap, count, out, outStride, digests, digestStride);
  memory.fill(START, 0, 32);
}
