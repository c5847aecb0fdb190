/**
 * SHA-512 (FIPS 180-4): one-shot, and in parts.
 *
 * A state is 8 × u64 in native order. One hash at a time is in hand, in SHA_SCRATCH: `sha512Begin`, any number of
 * `sha512Update`, `sha512Finish`. These leave their scratch dirty: whoever calls them calls `sha512Wipe` before it
 * returns.
 */
import { SHA512_SCRATCH } from "../memory/layout";

/** Round constants: 80 × u64. */
// prettier-ignore
export const ROUND_CONSTANTS_512: usize = memory.data<u64>([
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
  0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
  0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
  0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
  0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
  0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
  0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
  0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
  0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
  0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
  0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
  0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
  0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
  0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
  0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
  0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
  0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
], 16);

/** The state before the first block: 8 × u64. */
// prettier-ignore
export const INITIAL_STATE_512: usize = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
], 16);

/** The block in hand and its schedule: 80 × u64 in native order. */
const SCHEDULE: usize = SHA512_SCRATCH;
/** The state in hand. */
export const HASH512_STATE: usize = SCHEDULE + 640;
/** Bytes that wait for the rest of their block: 128. */
const PENDING: usize = HASH512_STATE + 64;
/** How many bytes the state in hand and PENDING have taken: u64. */
const TAKEN: usize = PENDING + 128;
const FRAME_END: usize = TAKEN + 8;
/** The block in hand, 16 × u64 in native order, where chained hashes place a digest. */
export const HASH512_WORDS: usize = SCHEDULE;

/** Zeroes what the functions of this file left in scratch. */
export function sha512Wipe(): void {
  memory.fill(SHA512_SCRATCH, 0, FRAME_END - SHA512_SCRATCH);
}

@inline
function bigSigma0(x: u64): u64 {
  return rotr(x, 28) ^ rotr(x, 34) ^ rotr(x, 39);
}

@inline
function bigSigma1(x: u64): u64 {
  return rotr(x, 14) ^ rotr(x, 18) ^ rotr(x, 41);
}

@inline
function smallSigma0(x: u64): u64 {
  return rotr(x, 1) ^ rotr(x, 8) ^ (x >> 7);
}

@inline
function smallSigma1(x: u64): u64 {
  return rotr(x, 19) ^ rotr(x, 61) ^ (x >> 6);
}

@inline
function rotatePairs(x: v128, n: i32): v128 {
  return v128.or(i64x2.shr_u(x, n), i64x2.shl(x, 64 - n));
}

/** Sets the two words of the schedule after the sixteen at `t`, of which `last` are the last two; returns them. */
@inline
function extendPair(t: usize, last: v128): v128 {
  const w15 = v128.load(t, 8);
  const sigma0 = v128.xor(v128.xor(rotatePairs(w15, 1), rotatePairs(w15, 8)), i64x2.shr_u(w15, 7));
  const sigma1 = v128.xor(v128.xor(rotatePairs(last, 19), rotatePairs(last, 61)), i64x2.shr_u(last, 6));
  const words = i64x2.add(i64x2.add(i64x2.add(v128.load(t), v128.load(t, 72)), sigma0), sigma1);
  v128.store(t, words, 128);
  return words;
}

/** W + K of the `i`-th round after byte `t` of the schedule. */
@inline
function roundInput(t: usize, i: usize): u64 {
  return load<u64>(SCHEDULE + t + i * 8) + load<u64>(ROUND_CONSTANTS_512 + t + i * 8);
}

/** T1 of FIPS 180-4 §6.4.2. */
@inline
function firstSum(e: u64, f: u64, g: u64, h: u64, input: u64): u64 {
  return h + input + (g ^ (e & (f ^ g))) + bigSigma1(e);
}

/** T2. */
@inline
function secondSum(a: u64, b: u64, c: u64): u64 {
  return bigSigma0(a) + (b ^ ((a ^ b) & (b ^ c)));
}

/**
 * Compresses the block in HASH512_WORDS (FIPS 180-4 §6.4.2), which stays as it is unless it overlaps `to`.
 *
 * @param from - state before the block.
 * @param to - state after it; may be `from` or HASH512_WORDS.
 */
export function compress512(from: usize, to: usize): void {
  if (!ASC_FEATURE_SIMD) {
    let even = load<u64>(SCHEDULE, 112);
    let odd = load<u64>(SCHEDULE, 120);
    for (let t: usize = SCHEDULE; t < SCHEDULE + 512; t += 16) {
      even = smallSigma1(even) + load<u64>(t, 72) + smallSigma0(load<u64>(t, 8)) + load<u64>(t);
      odd = smallSigma1(odd) + load<u64>(t, 80) + smallSigma0(load<u64>(t, 16)) + load<u64>(t, 8);
      store<u64>(t, even, 128);
      store<u64>(t, odd, 136);
    }
  }
  let a = load<u64>(from);
  let b = load<u64>(from, 8);
  let c = load<u64>(from, 16);
  let d = load<u64>(from, 24);
  let e = load<u64>(from, 32);
  let f = load<u64>(from, 40);
  let g = load<u64>(from, 48);
  let h = load<u64>(from, 56);
  for (let t: usize = 0; t < 640; t += 64) {
    // The vector units prepare the words of later rounds beside the scalar rounds of now.
    if (ASC_FEATURE_SIMD && t < 512) {
      let last = v128.load(SCHEDULE + t, 112);
      for (let i: usize = 0; i < 64; i += 16) last = extendPair(SCHEDULE + t + i, last);
    }
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
  store<u64>(to, load<u64>(from) + a);
  store<u64>(to, load<u64>(from, 8) + b, 8);
  store<u64>(to, load<u64>(from, 16) + c, 16);
  store<u64>(to, load<u64>(from, 24) + d, 24);
  store<u64>(to, load<u64>(from, 32) + e, 32);
  store<u64>(to, load<u64>(from, 40) + f, 40);
  store<u64>(to, load<u64>(from, 48) + g, 48);
  store<u64>(to, load<u64>(from, 56) + h, 56);
}

/** Absorbs one block of big-endian bytes. */
function absorbBlock(block: usize): void {
  for (let i: usize = 0; i < 128; i += 8) store<u64>(SCHEDULE + i, bswap(load<u64>(block + i)));
  compress512(HASH512_STATE, HASH512_STATE);
}

/**
 * Begins a hash that continues `state`.
 *
 * @param taken - how many bytes `state` has absorbed, a multiple of 128: 0 for INITIAL_STATE_512.
 */
export function sha512Begin(state: usize, taken: u64): void {
  memory.copy(HASH512_STATE, state, 64);
  store<u64>(TAKEN, taken);
}

/** Takes the next `length` bytes of the message. */
export function sha512Update(data: usize, length: i32): void {
  let fill = <i32>load<u64>(TAKEN) & 127;
  store<u64>(TAKEN, load<u64>(TAKEN) + length);
  if (fill + length >= 128) {
    if (fill) {
      memory.copy(PENDING + fill, data, 128 - fill);
      absorbBlock(PENDING);
      data += 128 - fill;
      length -= 128 - fill;
      fill = 0;
    }
    for (; length >= 128; length -= 128) {
      absorbBlock(data);
      data += 128;
    }
  }
  memory.copy(PENDING + fill, data, length);
}

/** Absorbs the padding (FIPS 180-4 §5.1.2): HASH512_STATE holds the digest's words then. */
export function sha512Pad(): void {
  const taken = load<u64>(TAKEN);
  const fill = <i32>taken & 127;
  store<u8>(PENDING + fill, 0x80);
  memory.fill(PENDING + fill + 1, 0, 127 - fill);
  if (fill > 111) {
    absorbBlock(PENDING);
    memory.fill(PENDING, 0, 112);
  }
  // The length in bits, in 128 of them, of which a message here never fills more than 64.
  store<u64>(PENDING, 0, 112);
  store<u64>(PENDING, bswap(taken << 3), 120);
  absorbBlock(PENDING);
}

/** Fills the second half of HASH512_WORDS with the padding of a 64-byte message that follows one block. */
export function padDigestWords512(): void {
  memory.fill(HASH512_WORDS + 64, 0, 64);
  store<u8>(HASH512_WORDS, 0x80, 71);
  store<u64>(HASH512_WORDS, 1536, 120); // 128 + 64 bytes, in bits
}

/** Writes a state as a digest of 64 big-endian bytes. */
export function storeDigest512(state: usize, out: usize): void {
  for (let i: usize = 0; i < 64; i += 8) store<u64>(out + i, bswap(load<u64>(state + i)));
}

/** Ends a hash: writes its digest to `out`, 64 bytes. */
export function sha512Finish(out: usize): void {
  sha512Pad();
  storeDigest512(HASH512_STATE, out);
}

/** Writes SHA-512 of `length` bytes to `out`, 64 bytes. Wipes its scratch. */
export function sha512(data: usize, length: i32, out: usize): void {
  sha512Begin(INITIAL_STATE_512, 0);
  sha512Update(data, length);
  sha512Finish(out);
  sha512Wipe();
}
