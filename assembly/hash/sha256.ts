/**
 * SHA-256 (FIPS 180-4): one-shot, and the building blocks of MACs, KDFs and batches.
 *
 * `sha256` and `hashMessages` wipe the scratch they used. The building blocks below them, for
 * the MAC and KDF kernels, leave HASH_STATE, HASH_WORDS and the pending bytes in SHA_SCRATCH: whoever
 * calls them calls `hashWipe` before it returns.
 */
import { SHA_SCRATCH } from "../memory/layout";
import { compress, INITIAL_STATE, SCHEDULE_SIZE } from "./sha256-block";
import {
  LANES_GROUP,
  LANES_SECOND,
  LANES_STATE,
  lanesAbsorb,
  lanesOuter,
  lanesSplat,
  lanesStore,
  lanesWipe,
} from "./sha256-lanes";

/** The block in hand: 16 × u32 in native order. */
export const HASH_WORDS: usize = SHA_SCRATCH + SCHEDULE_SIZE;
/** The state in hand: 8 × u32 in native order. */
export const HASH_STATE: usize = HASH_WORDS + 64;
/** Bytes that wait for the rest of their block, and room for the padding: 128 bytes. */
const PENDING: usize = HASH_STATE + 32;
const FRAME_END: usize = PENDING + 128;

/** Zeroes what the functions of this file left in SHA_SCRATCH. */
export function hashWipe(): void {
  memory.fill(SHA_SCRATCH, 0, FRAME_END - SHA_SCRATCH);
}

/** Copies 8 × u32. */
export function copyState(from: usize, to: usize): void {
  for (let i: usize = 0; i < 32; i += 8) store<u64>(to + i, load<u64>(from + i));
}

/** Writes a state (8 × u32, native) as a digest of 32 big-endian bytes. */
export function storeDigest(state: usize, out: usize): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, bswap(load<u32>(state + i)));
}

/** Absorbs whole blocks. */
export function absorbBlocks(state: usize, data: usize, blocks: i32): void {
  for (; blocks > 0; blocks--) {
    if (ASC_FEATURE_SIMD) {
      const mask = i8x16(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
      for (let i: usize = 0; i < 64; i += 16) {
        v128.store(HASH_WORDS + i, i8x16.swizzle(v128.load(data + i), mask));
      }
    } else {
      for (let i: usize = 0; i < 64; i += 4) store<u32>(HASH_WORDS + i, bswap(load<u32>(data + i)));
    }
    compress(state, HASH_WORDS, state);
    data += 64;
  }
}

/**
 * Absorbs any number of bytes of one message that comes in parts.
 *
 * @param fill - how many bytes are pending: 0 at first, then what the last call returned.
 * @returns how many bytes are pending now, 0 … 63.
 */
export function absorb(state: usize, fill: i32, data: usize, length: i32): i32 {
  if (fill > 0) {
    const taken = min(64 - fill, length);
    memory.copy(PENDING + fill, data, taken);
    fill += taken;
    if (fill < 64) return fill;
    absorbBlocks(state, PENDING, 1);
    data += taken;
    length -= taken;
  }
  absorbBlocks(state, data, length >> 6);
  fill = length & 63;
  memory.copy(PENDING, data + length - fill, fill);
  return fill;
}

/** Absorbs the padding (FIPS 180-4 §5.1.1). `totalLength` counts all bytes the state has absorbed. */
export function absorbPadding(state: usize, fill: i32, totalLength: u64): void {
  const size = fill < 56 ? 64 : 128;
  store<u8>(PENDING + fill, 0x80);
  memory.fill(PENDING + fill + 1, 0, size - fill - 1);
  store<u64>(PENDING + size - 8, bswap(totalLength << 3));
  absorbBlocks(state, PENDING, size >> 6);
}

/** Fills the second half of HASH_WORDS with the padding of a 32-byte message that follows one block. */
export function padDigestWords(): void {
  store<u64>(HASH_WORDS, 0x80000000, 32);
  store<u64>(HASH_WORDS, 0, 40);
  store<u64>(HASH_WORDS, 0, 48);
  store<u64>(HASH_WORDS, (<u64>768) << 32, 56); // 64 + 32 bytes, in bits
}

/** HMAC's outer hash (RFC 2104 §2): HASH_STATE becomes the MAC of the inner digest that it holds. */
export function absorbOuter(outer: usize): void {
  copyState(HASH_STATE, HASH_WORDS);
  padDigestWords();
  compress(outer, HASH_WORDS, HASH_STATE);
}

/** Sets HASH_STATE to the finished hash of one message that continues `start`. */
function hashFrom(start: usize, prefixLength: u64, data: usize, length: i32): void {
  copyState(start, HASH_STATE);
  absorbPadding(HASH_STATE, absorb(HASH_STATE, 0, data, length), prefixLength + length);
}

/**
 * Puts the next two to four messages into LANES_GROUP, if lanes are faster for them than one message after
 * another. A lane without a message gets an empty one.
 *
 * @returns how many messages; 1 for "not in lanes".
 */
function takeGroup(message: usize, lengths: usize, gap: usize, count: i32): i32 {
  const taken = min(count, 4);
  let sum: u32 = 0;
  let most: u32 = 0;
  for (let lane = 0; lane < 4; lane++) {
    let length: u32 = 0;
    if (lane < taken) {
      length = load<u32>(lengths + lane * 4);
      const blocks = ((length + 8) >> 6) + 1;
      sum += blocks;
      most = max(most, blocks);
    }
    store<u32>(LANES_GROUP + lane * 4, message);
    store<u32>(LANES_GROUP + lane * 4, length, 16);
    message += length + <u32>gap;
  }
  // A block in four lanes takes 1.7 times as long as one block alone.
  return sum * 4 > most * 7 ? taken : 1;
}

/**
 * Hashes or MACs messages, each from the same start state; four at a time unless their lengths are too far apart.
 *
 * @param start - 8 × u32 that have absorbed `prefixLength` bytes, a multiple of 64.
 * @param outer - HMAC's outer state: each digest then goes through the outer hash. Or 0.
 * @param lengths - `count` × u32, little-endian.
 * @param gap - bytes between the end of a message and the next one.
 * @param out - 32 bytes a message, `outStride` bytes apart.
 * @param digests - where the plain SHA-256 of each message is written too, `digestStride` bytes apart. Or 0.
 */
export function hashMessages(
  start: usize,
  prefixLength: u64,
  outer: usize,
  messages: usize,
  lengths: usize,
  gap: usize,
  count: i32,
  out: usize,
  outStride: usize,
  digests: usize,
  digestStride: usize,
): void {
  while (count > 0) {
    let taken = 1;
    if (ASC_FEATURE_SIMD) taken = takeGroup(messages, lengths, gap, count);
    if (ASC_FEATURE_SIMD && taken > 1) {
      lanesSplat(start, LANES_STATE);
      if (digests) lanesSplat(INITIAL_STATE, LANES_SECOND);
      lanesAbsorb(0x80, prefixLength, -1, 0, digests != 0);
      if (outer) lanesOuter(outer);
      lanesStore(LANES_STATE, out, outStride, taken);
      if (digests) lanesStore(LANES_SECOND, digests, digestStride, taken);
    } else {
      if (digests) {
        hashFrom(INITIAL_STATE, 0, messages, load<u32>(lengths));
        storeDigest(HASH_STATE, digests);
      }
      hashFrom(start, prefixLength, messages, load<u32>(lengths));
      if (outer) absorbOuter(outer);
      storeDigest(HASH_STATE, out);
    }
    count -= taken;
    for (; taken > 0; taken--) {
      messages += <usize>load<u32>(lengths) + gap;
      lengths += 4;
      out += outStride;
      if (digests) digests += digestStride;
    }
  }
  hashWipe();
  if (ASC_FEATURE_SIMD) lanesWipe();
}

/** Writes SHA-256 of `length` bytes to `out`, 32 bytes. */
export function sha256(data: usize, length: i32, out: usize): void {
  hashFrom(INITIAL_STATE, 0, data, length);
  storeDigest(HASH_STATE, out);
  hashWipe();
}
