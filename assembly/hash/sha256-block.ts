/**
 * SHA-256's constants and its compression of one block (FIPS 180-4 §6.2.2).
 *
 * A state is 8 × u32 in native order. A block comes as 16 × u32 in native order, so that chained
 * hashes (HMAC, PBKDF2) hand a digest on without turning its bytes round.
 */
import { SHA_SCRATCH } from "../memory/layout";

/** Round constants: 64 × u32. */
// prettier-ignore
export const ROUND_CONSTANTS: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
], 16);

/** The state before the first block: 8 × u32. */
// prettier-ignore
export const INITIAL_STATE: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
], 16);

/** The schedule of the block in hand, 64 × u32, and in the SIMD build the same with K added. */
const SCHEDULE: usize = SHA_SCRATCH;
const SCHEDULE_PLUS_K: usize = SHA_SCRATCH + 256;

/** The bytes of SHA_SCRATCH, from its beginning, that `compress` leaves dirty. */
export const SCHEDULE_SIZE: usize = 512;

// Σ and σ of FIPS 180-4 §4.1.2, and the schedule's step in scalar and in vector form.

@inline
function bigSigma0(x: u32): u32 {
  return rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22);
}

@inline
function bigSigma1(x: u32): u32 {
  return rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25);
}

@inline
function smallSigma0(x: u32): u32 {
  return rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3);
}

@inline
function smallSigma1(x: u32): u32 {
  return rotr(x, 17) ^ rotr(x, 19) ^ (x >> 10);
}

/** σ1 of the low word of each 64-bit lane, which must hold that word twice: a shift is a rotation then. */
@inline
function smallSigma1Pairs(x: v128): v128 {
  return v128.xor(v128.xor(i64x2.shr_u(x, 17), i64x2.shr_u(x, 19)), i32x4.shr_u(x, 10));
}

/** The four schedule words after the sixteen in w0 … w3. */
@inline
function nextWords(w0: v128, w1: v128, w2: v128, w3: v128): v128 {
  const w15 = v128.shuffle<i32>(w0, w1, 1, 2, 3, 4);
  const w7 = v128.shuffle<i32>(w2, w3, 1, 2, 3, 4);
  const sigma0 = v128.xor(
    v128.xor(
      v128.xor(i32x4.shr_u(w15, 7), i32x4.shl(w15, 25)),
      v128.xor(i32x4.shr_u(w15, 18), i32x4.shl(w15, 14)),
    ),
    i32x4.shr_u(w15, 3),
  );
  const zero = i32x4.splat(0);
  let sum = i32x4.add(i32x4.add(w0, w7), sigma0);
  // σ1 reaches back two words: the upper two words need the lower two finished.
  const low = smallSigma1Pairs(v128.shuffle<i32>(w3, w3, 2, 2, 3, 3));
  sum = i32x4.add(sum, v128.shuffle<i32>(low, zero, 0, 2, 4, 4));
  const high = smallSigma1Pairs(v128.shuffle<i32>(sum, sum, 0, 0, 1, 1));
  return i32x4.add(sum, v128.shuffle<i32>(high, zero, 4, 4, 0, 2));
}

/** From byte `t` of the schedule: adds K to eight words, and extends the schedule by words 16 … 23. */
@inline
function advanceSchedule(t: usize): void {
  const w0 = v128.load(SCHEDULE + t);
  const w1 = v128.load(SCHEDULE + t, 16);
  v128.store(SCHEDULE_PLUS_K + t, i32x4.add(w0, v128.load(ROUND_CONSTANTS + t)));
  v128.store(SCHEDULE_PLUS_K + t, i32x4.add(w1, v128.load(ROUND_CONSTANTS + t, 16)), 16);
  if (t < 192) {
    const w2 = v128.load(SCHEDULE + t, 32);
    const w3 = v128.load(SCHEDULE + t, 48);
    const w4 = nextWords(w0, w1, w2, w3);
    v128.store(SCHEDULE + t, w4, 64);
    v128.store(SCHEDULE + t, nextWords(w1, w2, w3, w4), 80);
  }
}

/** W + K of the `i`-th round after byte `t` of the schedule. */
@inline
function roundInput(t: usize, i: usize): u32 {
  if (ASC_FEATURE_SIMD) return load<u32>(SCHEDULE_PLUS_K + t + i * 4);
  return load<u32>(SCHEDULE + t + i * 4) + load<u32>(ROUND_CONSTANTS + t + i * 4);
}

/** T1 of FIPS 180-4 §6.2.2. */
@inline
function firstSum(e: u32, f: u32, g: u32, h: u32, input: u32): u32 {
  return h + input + (g ^ (e & (f ^ g))) + bigSigma1(e);
}

/** T2. */
@inline
function secondSum(a: u32, b: u32, c: u32): u32 {
  return bigSigma0(a) + (b ^ ((a ^ b) & (b ^ c)));
}

/**
 * Compresses one block. Leaves its schedule in SHA_SCRATCH: the caller wipes SCHEDULE_SIZE bytes
 * when it is done with its last block.
 *
 * @param from - state before the block, 8 × u32. Not modified unless it is `to`.
 * @param words - the block, 16 × u32 in native order. Not modified unless it overlaps `to`.
 * @param to - state after the block, 8 × u32; may be `from` or `words`.
 */
export function compress(from: usize, words: usize, to: usize): void {
  if (ASC_FEATURE_SIMD) {
    for (let t: usize = 0; t < 64; t += 16) v128.store(SCHEDULE + t, v128.load(words + t));
  } else {
    for (let t: usize = 0; t < 64; t += 8) store<u64>(SCHEDULE + t, load<u64>(words + t));
    let even = load<u32>(SCHEDULE, 56);
    let odd = load<u32>(SCHEDULE, 60);
    for (let t: usize = SCHEDULE; t < SCHEDULE + 192; t += 8) {
      even = smallSigma1(even) + load<u32>(t, 36) + smallSigma0(load<u32>(t, 4)) + load<u32>(t);
      odd = smallSigma1(odd) + load<u32>(t, 40) + smallSigma0(load<u32>(t, 8)) + load<u32>(t, 4);
      store<u32>(t, even, 64);
      store<u32>(t, odd, 68);
    }
  }
  let a = load<u32>(from);
  let b = load<u32>(from, 4);
  let c = load<u32>(from, 8);
  let d = load<u32>(from, 12);
  let e = load<u32>(from, 16);
  let f = load<u32>(from, 20);
  let g = load<u32>(from, 24);
  let h = load<u32>(from, 28);
  for (let t: usize = 0; t < 256; t += 32) {
    // The vector units prepare the words of later rounds beside the scalar rounds of now.
    if (ASC_FEATURE_SIMD) advanceSchedule(t);
    let sum = firstSum(e, f, g, h, roundInput(t, 0));
    d += sum;
    h = sum + secondSum(a, b, c);
    sum = firstSum(d, e, f, g, roundInput(t, 1));
    c += sum;
    g = sum + secondSum(h, a, b);
    sum = firstSum(c, d, e, f, roundInput(t, 2));
    b += sum;
    f = sum + secondSum(g, h, a);
    sum = firstSum(b, c, d, e, roundInput(t, 3));
    a += sum;
    e = sum + secondSum(f, g, h);
    sum = firstSum(a, b, c, d, roundInput(t, 4));
    h += sum;
    d = sum + secondSum(e, f, g);
    sum = firstSum(h, a, b, c, roundInput(t, 5));
    g += sum;
    c = sum + secondSum(d, e, f);
    sum = firstSum(g, h, a, b, roundInput(t, 6));
    f += sum;
    b = sum + secondSum(c, d, e);
    sum = firstSum(f, g, h, a, roundInput(t, 7));
    e += sum;
    a = sum + secondSum(b, c, d);
  }
  store<u32>(to, load<u32>(from) + a);
  store<u32>(to, load<u32>(from, 4) + b, 4);
  store<u32>(to, load<u32>(from, 8) + c, 8);
  store<u32>(to, load<u32>(from, 12) + d, 12);
  store<u32>(to, load<u32>(from, 16) + e, 16);
  store<u32>(to, load<u32>(from, 20) + f, 20);
  store<u32>(to, load<u32>(from, 24) + g, 24);
  store<u32>(to, load<u32>(from, 28) + h, 28);
}
