/**
 * Argon2's compression function G (RFC 9106 §3.5) over blocks of 1 KiB, and its permutation P (§3.6): the round of
 * BLAKE2b with a multiplication beside each addition.
 */
import { MEMORY_HARD_SCRATCH } from "../memory/layout";
import { xorInto } from "../memory/xor";

export const BLOCK_SIZE: usize = 1024;
/** The block that is being permuted. */
const WORK: usize = MEMORY_HARD_SCRATCH;
const TOUCHED: usize = WORK + BLOCK_SIZE;
export const BLOCK_SCRATCH_END: usize = TOUCHED + 16;

// Both builds: bytes of a row of the block's 8 × 8 registers of 16 bytes, and of a register.
const ROW: usize = 128;
const REGISTER: usize = 16;

@inline
function rotr32(x: v128): v128 {
  return v128.shuffle<i32>(x, x, 1, 0, 3, 2);
}

// Swizzles with a constant: V8 makes one byte shuffle of them.
@inline
function rotr24(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10));
}

@inline
function rotr16(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9));
}

@inline
function rotr63(x: v128): v128 {
  return v128.or(i64x2.add(x, x), i64x2.shr_u(x, 63));
}

/** The low halves of four words, for two multiplications at once. */
@inline
function lowWords(x: v128, y: v128): v128 {
  return v128.shuffle<i32>(x, y, 0, 2, 4, 6);
}

/** x + y + 2 · product. */
@inline
function plus(x: v128, y: v128, product: v128): v128 {
  return i64x2.add(i64x2.add(x, y), i64x2.add(product, product));
}

/** x + y + 2 · low(x) · low(y). */
@inline
function multiplyAdd(x: u64, y: u64): u64 {
  return x + y + 2 * (x & 0xffffffff) * (y & 0xffffffff);
}

/**
 * Permutes eight registers `step` bytes apart, and eight others: two permutations in turn, so that one's instructions
 * needn't wait for each other.
 */
function permuteTwo(at: usize, other: usize, step: usize): void {
  let pa0 = v128.load(at);
  let pa1 = v128.load(at + step * 1);
  let pb0 = v128.load(at + step * 2);
  let pb1 = v128.load(at + step * 3);
  let pc0 = v128.load(at + step * 4);
  let pc1 = v128.load(at + step * 5);
  let pd0 = v128.load(at + step * 6);
  let pd1 = v128.load(at + step * 7);
  let qa0 = v128.load(other);
  let qa1 = v128.load(other + step * 1);
  let qb0 = v128.load(other + step * 2);
  let qb1 = v128.load(other + step * 3);
  let qc0 = v128.load(other + step * 4);
  let qc1 = v128.load(other + step * 5);
  let qd0 = v128.load(other + step * 6);
  let qd1 = v128.load(other + step * 7);
  // Columns.
  let px = lowWords(pa0, pa1);
  let py = lowWords(pb0, pb1);
  let qx = lowWords(qa0, qa1);
  let qy = lowWords(qb0, qb1);
  pa0 = plus(pa0, pb0, i64x2.extmul_low_i32x4_u(px, py));
  qa0 = plus(qa0, qb0, i64x2.extmul_low_i32x4_u(qx, qy));
  pa1 = plus(pa1, pb1, i64x2.extmul_high_i32x4_u(px, py));
  qa1 = plus(qa1, qb1, i64x2.extmul_high_i32x4_u(qx, qy));
  pd0 = rotr32(v128.xor(pd0, pa0));
  pd1 = rotr32(v128.xor(pd1, pa1));
  qd0 = rotr32(v128.xor(qd0, qa0));
  qd1 = rotr32(v128.xor(qd1, qa1));
  px = lowWords(pc0, pc1);
  py = lowWords(pd0, pd1);
  qx = lowWords(qc0, qc1);
  qy = lowWords(qd0, qd1);
  pc0 = plus(pc0, pd0, i64x2.extmul_low_i32x4_u(px, py));
  qc0 = plus(qc0, qd0, i64x2.extmul_low_i32x4_u(qx, qy));
  pc1 = plus(pc1, pd1, i64x2.extmul_high_i32x4_u(px, py));
  qc1 = plus(qc1, qd1, i64x2.extmul_high_i32x4_u(qx, qy));
  pb0 = rotr24(v128.xor(pb0, pc0));
  pb1 = rotr24(v128.xor(pb1, pc1));
  qb0 = rotr24(v128.xor(qb0, qc0));
  qb1 = rotr24(v128.xor(qb1, qc1));
  px = lowWords(pa0, pa1);
  py = lowWords(pb0, pb1);
  qx = lowWords(qa0, qa1);
  qy = lowWords(qb0, qb1);
  pa0 = plus(pa0, pb0, i64x2.extmul_low_i32x4_u(px, py));
  qa0 = plus(qa0, qb0, i64x2.extmul_low_i32x4_u(qx, qy));
  pa1 = plus(pa1, pb1, i64x2.extmul_high_i32x4_u(px, py));
  qa1 = plus(qa1, qb1, i64x2.extmul_high_i32x4_u(qx, qy));
  pd0 = rotr16(v128.xor(pd0, pa0));
  pd1 = rotr16(v128.xor(pd1, pa1));
  qd0 = rotr16(v128.xor(qd0, qa0));
  qd1 = rotr16(v128.xor(qd1, qa1));
  px = lowWords(pc0, pc1);
  py = lowWords(pd0, pd1);
  qx = lowWords(qc0, qc1);
  qy = lowWords(qd0, qd1);
  pc0 = plus(pc0, pd0, i64x2.extmul_low_i32x4_u(px, py));
  qc0 = plus(qc0, qd0, i64x2.extmul_low_i32x4_u(qx, qy));
  pc1 = plus(pc1, pd1, i64x2.extmul_high_i32x4_u(px, py));
  qc1 = plus(qc1, qd1, i64x2.extmul_high_i32x4_u(qx, qy));
  pb0 = rotr63(v128.xor(pb0, pc0));
  pb1 = rotr63(v128.xor(pb1, pc1));
  qb0 = rotr63(v128.xor(qb0, qc0));
  qb1 = rotr63(v128.xor(qb1, qc1));
  // Row b turned by one word, c by two, d by three: diagonals are columns then.
  px = v128.shuffle<i64>(pb0, pb1, 1, 2);
  pb1 = v128.shuffle<i64>(pb1, pb0, 1, 2);
  pb0 = px;
  px = v128.shuffle<i64>(pd1, pd0, 1, 2);
  pd1 = v128.shuffle<i64>(pd0, pd1, 1, 2);
  pd0 = px;
  qx = v128.shuffle<i64>(qb0, qb1, 1, 2);
  qb1 = v128.shuffle<i64>(qb1, qb0, 1, 2);
  qb0 = qx;
  qx = v128.shuffle<i64>(qd1, qd0, 1, 2);
  qd1 = v128.shuffle<i64>(qd0, qd1, 1, 2);
  qd0 = qx;
  px = lowWords(pa0, pa1);
  py = lowWords(pb0, pb1);
  qx = lowWords(qa0, qa1);
  qy = lowWords(qb0, qb1);
  pa0 = plus(pa0, pb0, i64x2.extmul_low_i32x4_u(px, py));
  qa0 = plus(qa0, qb0, i64x2.extmul_low_i32x4_u(qx, qy));
  pa1 = plus(pa1, pb1, i64x2.extmul_high_i32x4_u(px, py));
  qa1 = plus(qa1, qb1, i64x2.extmul_high_i32x4_u(qx, qy));
  pd0 = rotr32(v128.xor(pd0, pa0));
  pd1 = rotr32(v128.xor(pd1, pa1));
  qd0 = rotr32(v128.xor(qd0, qa0));
  qd1 = rotr32(v128.xor(qd1, qa1));
  px = lowWords(pc1, pc0);
  py = lowWords(pd0, pd1);
  qx = lowWords(qc1, qc0);
  qy = lowWords(qd0, qd1);
  pc1 = plus(pc1, pd0, i64x2.extmul_low_i32x4_u(px, py));
  qc1 = plus(qc1, qd0, i64x2.extmul_low_i32x4_u(qx, qy));
  pc0 = plus(pc0, pd1, i64x2.extmul_high_i32x4_u(px, py));
  qc0 = plus(qc0, qd1, i64x2.extmul_high_i32x4_u(qx, qy));
  pb0 = rotr24(v128.xor(pb0, pc1));
  pb1 = rotr24(v128.xor(pb1, pc0));
  qb0 = rotr24(v128.xor(qb0, qc1));
  qb1 = rotr24(v128.xor(qb1, qc0));
  px = lowWords(pa0, pa1);
  py = lowWords(pb0, pb1);
  qx = lowWords(qa0, qa1);
  qy = lowWords(qb0, qb1);
  pa0 = plus(pa0, pb0, i64x2.extmul_low_i32x4_u(px, py));
  qa0 = plus(qa0, qb0, i64x2.extmul_low_i32x4_u(qx, qy));
  pa1 = plus(pa1, pb1, i64x2.extmul_high_i32x4_u(px, py));
  qa1 = plus(qa1, qb1, i64x2.extmul_high_i32x4_u(qx, qy));
  pd0 = rotr16(v128.xor(pd0, pa0));
  pd1 = rotr16(v128.xor(pd1, pa1));
  qd0 = rotr16(v128.xor(qd0, qa0));
  qd1 = rotr16(v128.xor(qd1, qa1));
  px = lowWords(pc1, pc0);
  py = lowWords(pd0, pd1);
  qx = lowWords(qc1, qc0);
  qy = lowWords(qd0, qd1);
  pc1 = plus(pc1, pd0, i64x2.extmul_low_i32x4_u(px, py));
  qc1 = plus(qc1, qd0, i64x2.extmul_low_i32x4_u(qx, qy));
  pc0 = plus(pc0, pd1, i64x2.extmul_high_i32x4_u(px, py));
  qc0 = plus(qc0, qd1, i64x2.extmul_high_i32x4_u(qx, qy));
  pb0 = rotr63(v128.xor(pb0, pc1));
  pb1 = rotr63(v128.xor(pb1, pc0));
  qb0 = rotr63(v128.xor(qb0, qc1));
  qb1 = rotr63(v128.xor(qb1, qc0));
  // And back.
  px = v128.shuffle<i64>(pb1, pb0, 1, 2);
  pb1 = v128.shuffle<i64>(pb0, pb1, 1, 2);
  pb0 = px;
  px = v128.shuffle<i64>(pd0, pd1, 1, 2);
  pd1 = v128.shuffle<i64>(pd1, pd0, 1, 2);
  pd0 = px;
  qx = v128.shuffle<i64>(qb1, qb0, 1, 2);
  qb1 = v128.shuffle<i64>(qb0, qb1, 1, 2);
  qb0 = qx;
  qx = v128.shuffle<i64>(qd0, qd1, 1, 2);
  qd1 = v128.shuffle<i64>(qd1, qd0, 1, 2);
  qd0 = qx;
  v128.store(at, pa0);
  v128.store(at + step * 1, pa1);
  v128.store(at + step * 2, pb0);
  v128.store(at + step * 3, pb1);
  v128.store(at + step * 4, pc0);
  v128.store(at + step * 5, pc1);
  v128.store(at + step * 6, pd0);
  v128.store(at + step * 7, pd1);
  v128.store(other, qa0);
  v128.store(other + step * 1, qa1);
  v128.store(other + step * 2, qb0);
  v128.store(other + step * 3, qb1);
  v128.store(other + step * 4, qc0);
  v128.store(other + step * 5, qc1);
  v128.store(other + step * 6, qd0);
  v128.store(other + step * 7, qd1);
}

function permuteScalar(at: usize, step: usize): void {
  let a0 = load<u64>(at);
  let a1 = load<u64>(at, 8);
  let a2 = load<u64>(at + step * 1);
  let a3 = load<u64>(at + step * 1, 8);
  let b0 = load<u64>(at + step * 2);
  let b1 = load<u64>(at + step * 2, 8);
  let b2 = load<u64>(at + step * 3);
  let b3 = load<u64>(at + step * 3, 8);
  let c0 = load<u64>(at + step * 4);
  let c1 = load<u64>(at + step * 4, 8);
  let c2 = load<u64>(at + step * 5);
  let c3 = load<u64>(at + step * 5, 8);
  let d0 = load<u64>(at + step * 6);
  let d1 = load<u64>(at + step * 6, 8);
  let d2 = load<u64>(at + step * 7);
  let d3 = load<u64>(at + step * 7, 8);
  // Columns.
  a0 = multiplyAdd(a0, b0);
  a1 = multiplyAdd(a1, b1);
  a2 = multiplyAdd(a2, b2);
  a3 = multiplyAdd(a3, b3);
  d0 = rotr(d0 ^ a0, 32);
  d1 = rotr(d1 ^ a1, 32);
  d2 = rotr(d2 ^ a2, 32);
  d3 = rotr(d3 ^ a3, 32);
  c0 = multiplyAdd(c0, d0);
  c1 = multiplyAdd(c1, d1);
  c2 = multiplyAdd(c2, d2);
  c3 = multiplyAdd(c3, d3);
  b0 = rotr(b0 ^ c0, 24);
  b1 = rotr(b1 ^ c1, 24);
  b2 = rotr(b2 ^ c2, 24);
  b3 = rotr(b3 ^ c3, 24);
  a0 = multiplyAdd(a0, b0);
  a1 = multiplyAdd(a1, b1);
  a2 = multiplyAdd(a2, b2);
  a3 = multiplyAdd(a3, b3);
  d0 = rotr(d0 ^ a0, 16);
  d1 = rotr(d1 ^ a1, 16);
  d2 = rotr(d2 ^ a2, 16);
  d3 = rotr(d3 ^ a3, 16);
  c0 = multiplyAdd(c0, d0);
  c1 = multiplyAdd(c1, d1);
  c2 = multiplyAdd(c2, d2);
  c3 = multiplyAdd(c3, d3);
  b0 = rotr(b0 ^ c0, 63);
  b1 = rotr(b1 ^ c1, 63);
  b2 = rotr(b2 ^ c2, 63);
  b3 = rotr(b3 ^ c3, 63);
  // Diagonals.
  a0 = multiplyAdd(a0, b1);
  a1 = multiplyAdd(a1, b2);
  a2 = multiplyAdd(a2, b3);
  a3 = multiplyAdd(a3, b0);
  d3 = rotr(d3 ^ a0, 32);
  d0 = rotr(d0 ^ a1, 32);
  d1 = rotr(d1 ^ a2, 32);
  d2 = rotr(d2 ^ a3, 32);
  c2 = multiplyAdd(c2, d3);
  c3 = multiplyAdd(c3, d0);
  c0 = multiplyAdd(c0, d1);
  c1 = multiplyAdd(c1, d2);
  b1 = rotr(b1 ^ c2, 24);
  b2 = rotr(b2 ^ c3, 24);
  b3 = rotr(b3 ^ c0, 24);
  b0 = rotr(b0 ^ c1, 24);
  a0 = multiplyAdd(a0, b1);
  a1 = multiplyAdd(a1, b2);
  a2 = multiplyAdd(a2, b3);
  a3 = multiplyAdd(a3, b0);
  d3 = rotr(d3 ^ a0, 16);
  d0 = rotr(d0 ^ a1, 16);
  d1 = rotr(d1 ^ a2, 16);
  d2 = rotr(d2 ^ a3, 16);
  c2 = multiplyAdd(c2, d3);
  c3 = multiplyAdd(c3, d0);
  c0 = multiplyAdd(c0, d1);
  c1 = multiplyAdd(c1, d2);
  b1 = rotr(b1 ^ c2, 63);
  b2 = rotr(b2 ^ c3, 63);
  b3 = rotr(b3 ^ c0, 63);
  b0 = rotr(b0 ^ c1, 63);
  store<u64>(at, a0);
  store<u64>(at, a1, 8);
  store<u64>(at + step * 1, a2);
  store<u64>(at + step * 1, a3, 8);
  store<u64>(at + step * 2, b0);
  store<u64>(at + step * 2, b1, 8);
  store<u64>(at + step * 3, b2);
  store<u64>(at + step * 3, b3, 8);
  store<u64>(at + step * 4, c0);
  store<u64>(at + step * 4, c1, 8);
  store<u64>(at + step * 5, c2);
  store<u64>(at + step * 5, c3, 8);
  store<u64>(at + step * 6, d0);
  store<u64>(at + step * 6, d1, 8);
  store<u64>(at + step * 7, d2);
  store<u64>(at + step * 7, d3, 8);
}

/** Permutes two neighbouring groups of registers. */
@inline
function permute(at: usize, next: usize, step: usize): void {
  if (ASC_FEATURE_SIMD) {
    permuteTwo(at, at + next, step);
  } else {
    permuteScalar(at, step);
    permuteScalar(at + next, step);
  }
}

/**
 * Begins to set `to` to G(x, y), or with `mix` to `to` ⊕ G(x, y) (RFC 9106 §3.4.2, after the first pass). `to` may be `y`.
 *
 * @returns the first word that `to` will have: it leads to the next block's reference block.
 */
export function compressFirst(x: usize, y: usize, to: usize, mix: bool): u64 {
  if (ASC_FEATURE_SIMD) {
    for (let i: usize = 0; i < BLOCK_SIZE; i += 16) {
      const word = v128.xor(v128.load(x + i), v128.load(y + i));
      v128.store(WORK + i, word);
      v128.store(to + i, mix ? v128.xor(v128.load(to + i), word) : word);
    }
  } else {
    for (let i: usize = 0; i < BLOCK_SIZE; i += 8) {
      const word = load<u64>(x + i) ^ load<u64>(y + i);
      store<u64>(WORK + i, word);
      store<u64>(to + i, mix ? load<u64>(to + i) ^ word : word);
    }
  }
  for (let i: usize = 0; i < BLOCK_SIZE; i += 2 * ROW) permute(WORK + i, ROW, REGISTER);
  permute(WORK, REGISTER, ROW);
  return load<u64>(to) ^ load<u64>(WORK);
}

/** Ends what `compressFirst` began. */
export function compressRest(to: usize): void {
  for (let i: usize = 2 * REGISTER; i < ROW; i += 2 * REGISTER) permute(WORK + i, REGISTER, ROW);
  xorInto(WORK, to, BLOCK_SIZE);
}

/** Reads one word of each of a block's cache lines: the processor fetches them all at once, and ahead of their use. */
@inline
export function fetch(block: usize): void {
  let touched: u64 = 0;
  for (let i: usize = 0; i < BLOCK_SIZE; i += 64) touched |= load<u64>(block + i);
  store<u64>(TOUCHED, touched);
}
