/**
 * SHA-512's compression of two blocks at once, one in each 64-bit lane (SIMD build only).
 *
 * A lane state is 8 × v128: word i of two states.
 */
import { SHA512_SCRATCH } from "../memory/layout";
import { ROUND_CONSTANTS_512 } from "./sha512";

/** The schedule of the blocks in hand: 80 × v128. The hash of one message uses what lies before. */
const SCHEDULE: usize = SHA512_SCRATCH + 1024;
/** Two lane states for the callers. */
export const LANES512_STATE: usize = SCHEDULE + 1280;
export const LANES512_SECOND: usize = LANES512_STATE + 128;
const LANES512_SIZE: usize = 1280 + 256;
/** The schedule's first sixteen words, where a caller places the block. */
export const LANES512_BLOCK: usize = SCHEDULE;

@inline
function rotateRight(x: v128, n: i32): v128 {
  return v128.or(i64x2.shr_u(x, n), i64x2.shl(x, 64 - n));
}

@inline
function xor3(x: v128, y: v128, z: v128): v128 {
  return v128.xor(v128.xor(x, y), z);
}

/** Sets the schedule's word sixteen after the one at `t`; `w2` is the word fourteen after it. */
@inline
function extend(t: usize, w2: v128): v128 {
  const w15 = v128.load(t, 16);
  const sigma0 = xor3(rotateRight(w15, 1), rotateRight(w15, 8), i64x2.shr_u(w15, 7));
  const sigma1 = xor3(rotateRight(w2, 19), rotateRight(w2, 61), i64x2.shr_u(w2, 6));
  const rest = i64x2.add(i64x2.add(v128.load(t), v128.load(t, 144)), sigma0);
  const word = i64x2.add(rest, sigma1);
  v128.store(t, word, 256);
  return word;
}

/**
 * Compresses LANES512_BLOCK, which stays as it is unless it is `to`.
 *
 * @param from - lane state before the block.
 * @param to - lane state after it; may be `from`, or LANES512_BLOCK.
 */
export function lanesCompress512(from: usize, to: usize): void {
  let even = v128.load(SCHEDULE, 224);
  let odd = v128.load(SCHEDULE, 240);
  for (let t = SCHEDULE; t < SCHEDULE + 1024; t += 32) {
    even = extend(t, even);
    odd = extend(t + 16, odd);
  }
  let a = v128.load(from);
  let b = v128.load(from, 16);
  let c = v128.load(from, 32);
  let d = v128.load(from, 48);
  let e = v128.load(from, 64);
  let f = v128.load(from, 80);
  let g = v128.load(from, 96);
  let h = v128.load(from, 112);
  let bc = v128.xor(b, c);
  for (let t: usize = 0; t < 640; t += 8) {
    const constant = v128.load64_splat(ROUND_CONSTANTS_512 + t);
    const input = i64x2.add(i64x2.add(v128.load(SCHEDULE + t * 2), constant), h);
    const sigma1 = xor3(rotateRight(e, 14), rotateRight(e, 18), rotateRight(e, 41));
    const sum = i64x2.add(i64x2.add(input, v128.bitselect(f, g, e)), sigma1);
    const sigma0 = xor3(rotateRight(a, 28), rotateRight(a, 34), rotateRight(a, 39));
    const ab = v128.xor(a, b);
    const majority = v128.xor(b, v128.and(ab, bc)); // a ⊕ b of this round is b ⊕ c of the next
    bc = ab;
    h = g;
    g = f;
    f = e;
    e = i64x2.add(d, sum);
    d = c;
    c = b;
    b = a;
    a = i64x2.add(sum, i64x2.add(sigma0, majority));
  }
  v128.store(to, i64x2.add(v128.load(from), a));
  v128.store(to, i64x2.add(v128.load(from, 16), b), 16);
  v128.store(to, i64x2.add(v128.load(from, 32), c), 32);
  v128.store(to, i64x2.add(v128.load(from, 48), d), 48);
  v128.store(to, i64x2.add(v128.load(from, 64), e), 64);
  v128.store(to, i64x2.add(v128.load(from, 80), f), 80);
  v128.store(to, i64x2.add(v128.load(from, 96), g), 96);
  v128.store(to, i64x2.add(v128.load(from, 112), h), 112);
}

/** Puts a state (8 × u64 at `state`) into one lane of the lane state at `lanes`. */
export function lanesSet512(state: usize, lanes: usize, lane: usize): void {
  for (let i: usize = 0; i < 64; i += 8) store<u64>(lanes + i * 2 + lane * 8, load<u64>(state + i));
}

/** Fills the second half of LANES512_BLOCK with the padding of a 64-byte message that follows one block. */
export function lanesDigestPadding512(): void {
  memory.fill(LANES512_BLOCK + 128, 0, 128);
  v128.store(LANES512_BLOCK, i64x2.splat(<i64>0x8000000000000000), 128);
  v128.store(LANES512_BLOCK, i64x2.splat(1536), 240); // 128 + 64 bytes, in bits
}

/** Writes both digests of a lane state to `out`, 64 big-endian bytes each. */
export function lanesStore512(lanes: usize, out: usize): void {
  for (let i: usize = 0; i < 64; i += 8) {
    store<u64>(out + i, bswap(load<u64>(lanes + i * 2)));
    store<u64>(out + i, bswap(load<u64>(lanes + i * 2, 8)), 64);
  }
}

/** Zeroes what the lanes left in scratch. */
export function lanesWipe512(): void {
  memory.fill(SCHEDULE, 0, LANES512_SIZE);
}
