/**
 * BLAKE2b (RFC 7693), in parts: `blake2bInit`, any number of `blake2bAbsorb`, `blake2bFinish`, which wipes. One hash at a
 * time: its state lies in SHA_SCRATCH.
 */
import { SHA_SCRATCH } from "../memory/layout";

/** Initial values, 8 × u64 (RFC 7693 §2.6). */
// prettier-ignore
const IV: usize = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
], 16);

/** Which message word goes where, for each of 12 rounds (RFC 7693 §2.7). */
// prettier-ignore
const SIGMA: usize = memory.data<u8>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
  11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
  7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
  9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
  2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
  12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
  13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
  6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
  10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
], 16);

const BLOCK_SIZE: i32 = 128;
/** The block in hand: it is compressed when more follows, or as the last one. */
const PENDING: usize = SHA_SCRATCH;
/** 8 × u64. */
const STATE: usize = PENDING + <usize>BLOCK_SIZE;
/** Bytes absorbed, those pending included: u64. No message has 2^64. */
const COUNT: usize = STATE + 64;
/** Bytes pending, 0 … 128: u32. */
const FILL: usize = COUNT + 8;
/** Bytes of the digest: u32. */
const LENGTH: usize = FILL + 4;
/** A number on its way in. */
const WORD: usize = LENGTH + 4;
const FRAME_END: usize = WORD + 4;

/** The message word that this round puts at place `i`. */
@inline
function word(sigma: usize, i: usize): u64 {
  return load<u64>(PENDING + ((<usize>load<u8>(sigma + i)) << 3));
}

/** Compresses PENDING (RFC 7693 §3.2). */
function compress(last: bool): void {
  let a0 = load<u64>(STATE);
  let a1 = load<u64>(STATE, 8);
  let a2 = load<u64>(STATE, 16);
  let a3 = load<u64>(STATE, 24);
  let b0 = load<u64>(STATE, 32);
  let b1 = load<u64>(STATE, 40);
  let b2 = load<u64>(STATE, 48);
  let b3 = load<u64>(STATE, 56);
  let c0 = load<u64>(IV);
  let c1 = load<u64>(IV, 8);
  let c2 = load<u64>(IV, 16);
  let c3 = load<u64>(IV, 24);
  let d0 = load<u64>(IV, 32) ^ load<u64>(COUNT);
  let d1 = load<u64>(IV, 40);
  let d2 = load<u64>(IV, 48) ^ (last ? -1 : 0);
  let d3 = load<u64>(IV, 56);
  for (let s = SIGMA; s < SIGMA + 12 * 16; s += 16) {
    // Columns.
    a0 += b0 + word(s, 0);
    a1 += b1 + word(s, 2);
    a2 += b2 + word(s, 4);
    a3 += b3 + word(s, 6);
    d0 = rotr(d0 ^ a0, 32);
    d1 = rotr(d1 ^ a1, 32);
    d2 = rotr(d2 ^ a2, 32);
    d3 = rotr(d3 ^ a3, 32);
    c0 += d0;
    c1 += d1;
    c2 += d2;
    c3 += d3;
    b0 = rotr(b0 ^ c0, 24);
    b1 = rotr(b1 ^ c1, 24);
    b2 = rotr(b2 ^ c2, 24);
    b3 = rotr(b3 ^ c3, 24);
    a0 += b0 + word(s, 1);
    a1 += b1 + word(s, 3);
    a2 += b2 + word(s, 5);
    a3 += b3 + word(s, 7);
    d0 = rotr(d0 ^ a0, 16);
    d1 = rotr(d1 ^ a1, 16);
    d2 = rotr(d2 ^ a2, 16);
    d3 = rotr(d3 ^ a3, 16);
    c0 += d0;
    c1 += d1;
    c2 += d2;
    c3 += d3;
    b0 = rotr(b0 ^ c0, 63);
    b1 = rotr(b1 ^ c1, 63);
    b2 = rotr(b2 ^ c2, 63);
    b3 = rotr(b3 ^ c3, 63);
    // Diagonals.
    a0 += b1 + word(s, 8);
    a1 += b2 + word(s, 10);
    a2 += b3 + word(s, 12);
    a3 += b0 + word(s, 14);
    d3 = rotr(d3 ^ a0, 32);
    d0 = rotr(d0 ^ a1, 32);
    d1 = rotr(d1 ^ a2, 32);
    d2 = rotr(d2 ^ a3, 32);
    c2 += d3;
    c3 += d0;
    c0 += d1;
    c1 += d2;
    b1 = rotr(b1 ^ c2, 24);
    b2 = rotr(b2 ^ c3, 24);
    b3 = rotr(b3 ^ c0, 24);
    b0 = rotr(b0 ^ c1, 24);
    a0 += b1 + word(s, 9);
    a1 += b2 + word(s, 11);
    a2 += b3 + word(s, 13);
    a3 += b0 + word(s, 15);
    d3 = rotr(d3 ^ a0, 16);
    d0 = rotr(d0 ^ a1, 16);
    d1 = rotr(d1 ^ a2, 16);
    d2 = rotr(d2 ^ a3, 16);
    c2 += d3;
    c3 += d0;
    c0 += d1;
    c1 += d2;
    b1 = rotr(b1 ^ c2, 63);
    b2 = rotr(b2 ^ c3, 63);
    b3 = rotr(b3 ^ c0, 63);
    b0 = rotr(b0 ^ c1, 63);
  }
  store<u64>(STATE, load<u64>(STATE) ^ a0 ^ c0);
  store<u64>(STATE, load<u64>(STATE, 8) ^ a1 ^ c1, 8);
  store<u64>(STATE, load<u64>(STATE, 16) ^ a2 ^ c2, 16);
  store<u64>(STATE, load<u64>(STATE, 24) ^ a3 ^ c3, 24);
  store<u64>(STATE, load<u64>(STATE, 32) ^ b0 ^ d0, 32);
  store<u64>(STATE, load<u64>(STATE, 40) ^ b1 ^ d1, 40);
  store<u64>(STATE, load<u64>(STATE, 48) ^ b2 ^ d2, 48);
  store<u64>(STATE, load<u64>(STATE, 56) ^ b3 ^ d3, 56);
}

/**
 * Begins a hash.
 *
 * @param length - of the digest, 1 … 64.
 * @param key - `keyLength` bytes, 0 … 64; 0 for a hash without a key.
 */
export function blake2bInit(length: i32, key: usize, keyLength: i32): void {
  memory.copy(STATE, IV, 64);
  store<u64>(STATE, load<u64>(STATE) ^ (0x01010000 | ((<u64>keyLength) << 8) | length));
  store<u32>(LENGTH, length);
  if (keyLength > 0) {
    memory.copy(PENDING, key, keyLength);
    store<u64>(COUNT, BLOCK_SIZE);
    store<u32>(FILL, BLOCK_SIZE);
  }
}

/** Absorbs any number of bytes. */
export function blake2bAbsorb(data: usize, length: i32): void {
  let fill = load<i32>(FILL);
  while (length > 0) {
    if (fill == BLOCK_SIZE) {
      compress(false);
      fill = 0;
    }
    const taken = min(BLOCK_SIZE - fill, length);
    memory.copy(PENDING + fill, data, taken);
    store<u64>(COUNT, load<u64>(COUNT) + taken);
    fill += taken;
    data += taken;
    length -= taken;
  }
  store<u32>(FILL, fill);
}

/** Absorbs a number as four little-endian bytes. */
export function blake2bAbsorbWord(value: u32): void {
  store<u32>(WORD, value);
  blake2bAbsorb(WORD, 4);
}

/** Ends the hash, writes its digest to `out`, and wipes. */
export function blake2bFinish(out: usize): void {
  const fill = load<i32>(FILL);
  memory.fill(PENDING + fill, 0, BLOCK_SIZE - fill);
  compress(true);
  memory.copy(out, STATE, load<u32>(LENGTH));
  memory.fill(PENDING, 0, FRAME_END - PENDING);
}

/** Writes BLAKE2b of `length` bytes to `out`, `outLength` bytes. */
export function blake2b(data: usize, length: i32, key: usize, keyLength: i32, out: usize, outLength: i32): void {
  blake2bInit(outLength, key, keyLength);
  blake2bAbsorb(data, length);
  blake2bFinish(out);
}
