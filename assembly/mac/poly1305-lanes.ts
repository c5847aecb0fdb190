/**
 * Poly1305 of four messages of one length at once, one in each lane, each under its own key. SIMD only. Radix
 * 2^26: a limb of all four messages is one vector.
 */
import { outRow, storeTransposed } from "../cipher/chacha20-lanes";
import { CIPHER_SCRATCH } from "../memory/layout";

/** Rows of 16 bytes: r0 … r4, 5·r1 … 5·r4, h0 … h4, the keys' second halves. Secret. */
const STATE: usize = CIPHER_SCRATCH + 4096;
const R: usize = STATE;
const Q: usize = R + 5 * 16;
export const H: usize = Q + 4 * 16;
const SECOND: usize = H + 5 * 16;
/** The first limb while the others are computed. */
const FIRST: usize = SECOND + 4 * 16;
/** Padded tails, zero unless a message has one; tags. */
export const TAILS: usize = FIRST + 2 * 16;
export const TAGS: usize = TAILS + 4 * 16;
/** The limbs of four multipliers, for `poly1305-long.ts`. */
export const POWERS: usize = TAGS + 4 * 16;
const SCRATCH_USED: usize = POWERS + 5 * 16 - STATE;

/** 2^128, the bit behind a block, in the last limb. */
export const END: i32 = 1 << 24;

@inline
function masked(x: v128): v128 {
  return v128.and(x, i32x4.splat(0x3ff_ffff));
}

/** Bits from 26·i on of a number whose 32-bit words are a (with that bit) and b. */
@inline
function limb(a: v128, right: i32, b: v128, left: i32): v128 {
  return masked(v128.or(i32x4.shr_u(a, right), i32x4.shl(b, left)));
}

@inline
function times5(x: v128): v128 {
  return i32x4.add(x, i32x4.shl(x, 2));
}

/** Makes the limbs at `rows` the multipliers. */
export function setMultipliers(rows: usize): void {
  for (let i: usize = 0; i < 80; i += 16) v128.store(R + i, v128.load(rows + i));
  for (let i: usize = 0; i < 64; i += 16) v128.store(Q + i, times5(v128.load(R + 16 + i)));
}

/** Takes the multipliers from the keys' first four words, and clamps them (RFC 8439 §2.5.1). Leaves them in H too. */
@inline
export function setClamped(k0: v128, k1: v128, k2: v128, k3: v128): void {
  const w0 = v128.and(k0, i32x4.splat(0x0fff_ffff));
  const w1 = v128.and(k1, i32x4.splat(0x0fff_fffc));
  const w2 = v128.and(k2, i32x4.splat(0x0fff_fffc));
  const w3 = v128.and(k3, i32x4.splat(0x0fff_fffc));
  v128.store(H, masked(w0));
  v128.store(H, limb(w0, 26, w1, 6), 16);
  v128.store(H, limb(w1, 20, w2, 12), 32);
  v128.store(H, limb(w2, 14, w3, 18), 48);
  v128.store(H, i32x4.shr_u(w3, 8), 64);
  setMultipliers(H);
}

/** Takes the one-time keys of a run and begins four messages. */
export function beginLanes(run: usize): void {
  setClamped(outRow(run, 0), outRow(run, 1), outRow(run, 2), outRow(run, 3));
  for (let i: usize = 0; i < 5; i++) v128.store(H + i * 16, i32x4.splat(0));
  for (let i: usize = 0; i < 4; i++) v128.store(SECOND + i * 16, outRow(run, 4 + i));
}

@inline
function low(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_u(a, b);
}

@inline
function high(a: v128, b: v128): v128 {
  return i64x2.extmul_high_i32x4_u(a, b);
}

@inline
function sum(a: v128, b: v128, c: v128, d: v128, e: v128): v128 {
  return i64x2.add(i64x2.add(i64x2.add(a, b), i64x2.add(c, d)), e);
}

@inline
function above(x: v128): v128 {
  return i64x2.shr_u(x, 26);
}

/** The lower words of two lanes and two lanes. */
@inline
function joined(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/**
 * Absorbs `length` / `stride` blocks of each message, `stride` bytes apart.
 *
 * @param end - the bit behind each block, in the last limb
 */
export function absorb(a: usize, b: usize, c: usize, d: usize, length: usize, stride: usize, end: i32): void {
  for (let i: usize = 0; i < length; i += stride) {
    const ma = v128.load(a + i);
    const mb = v128.load(b + i);
    const mc = v128.load(c + i);
    const md = v128.load(d + i);
    const ab0 = v128.shuffle<i32>(ma, mb, 0, 4, 1, 5);
    const ab1 = v128.shuffle<i32>(ma, mb, 2, 6, 3, 7);
    const cd0 = v128.shuffle<i32>(mc, md, 0, 4, 1, 5);
    const cd1 = v128.shuffle<i32>(mc, md, 2, 6, 3, 7);
    const w0 = v128.shuffle<i64>(ab0, cd0, 0, 2);
    const w1 = v128.shuffle<i64>(ab0, cd0, 1, 3);
    const w2 = v128.shuffle<i64>(ab1, cd1, 0, 2);
    const w3 = v128.shuffle<i64>(ab1, cd1, 1, 3);
    // Bounds. Before: every h < 2^26 + 2^9 (below; `absorbLong` begins with h4 < 2^26.4), so s < 2^27 + 2^9. With
    // r < 2^26 + 2^9 and q < 2^28.4 each product is below 2^55.5, and a sum of five with a carry (< 2^32) below 2^57.9.
    const s0 = i32x4.add(v128.load(H), masked(w0));
    const s1 = i32x4.add(v128.load(H, 16), limb(w0, 26, w1, 6));
    const s2 = i32x4.add(v128.load(H, 32), limb(w1, 20, w2, 12));
    const s3 = i32x4.add(v128.load(H, 48), limb(w2, 14, w3, 18));
    const s4 = i32x4.add(v128.load(H, 64), v128.or(i32x4.shr_u(w3, 8), i32x4.splat(end)));
    // One limb after the other, x of lanes 0 and 1, y of 2 and 3, with a carry into the next. The stores between them keep
    // the compiler from beginning all of them at once, which takes more registers than there are.
    const mask = i64x2.splat(0x3ff_ffff);
    let k0 = v128.load(R);
    let k1 = v128.load(Q, 48);
    let k2 = v128.load(Q, 32);
    let k3 = v128.load(Q, 16);
    let k4 = v128.load(Q);
    let x = sum(low(s0, k0), low(s1, k1), low(s2, k2), low(s3, k3), low(s4, k4));
    let y = sum(high(s0, k0), high(s1, k1), high(s2, k2), high(s3, k3), high(s4, k4));
    v128.store(FIRST, v128.and(x, mask));
    v128.store(FIRST, v128.and(y, mask), 16);
    k0 = v128.load(R, 16);
    k1 = v128.load(R);
    k2 = v128.load(Q, 48);
    k3 = v128.load(Q, 32);
    k4 = v128.load(Q, 16);
    x = i64x2.add(sum(low(s0, k0), low(s1, k1), low(s2, k2), low(s3, k3), low(s4, k4)), above(x));
    y = i64x2.add(sum(high(s0, k0), high(s1, k1), high(s2, k2), high(s3, k3), high(s4, k4)), above(y));
    v128.store(H, masked(joined(x, y)), 16);
    k0 = v128.load(R, 32);
    k1 = v128.load(R, 16);
    k2 = v128.load(R);
    k3 = v128.load(Q, 48);
    k4 = v128.load(Q, 32);
    x = i64x2.add(sum(low(s0, k0), low(s1, k1), low(s2, k2), low(s3, k3), low(s4, k4)), above(x));
    y = i64x2.add(sum(high(s0, k0), high(s1, k1), high(s2, k2), high(s3, k3), high(s4, k4)), above(y));
    v128.store(H, masked(joined(x, y)), 32);
    k0 = v128.load(R, 48);
    k1 = v128.load(R, 32);
    k2 = v128.load(R, 16);
    k3 = v128.load(R);
    k4 = v128.load(Q, 48);
    x = i64x2.add(sum(low(s0, k0), low(s1, k1), low(s2, k2), low(s3, k3), low(s4, k4)), above(x));
    y = i64x2.add(sum(high(s0, k0), high(s1, k1), high(s2, k2), high(s3, k3), high(s4, k4)), above(y));
    v128.store(H, masked(joined(x, y)), 48);
    k0 = v128.load(R, 64);
    k1 = v128.load(R, 48);
    k2 = v128.load(R, 32);
    k3 = v128.load(R, 16);
    k4 = v128.load(R);
    x = i64x2.add(sum(low(s0, k0), low(s1, k1), low(s2, k2), low(s3, k3), low(s4, k4)), above(x));
    y = i64x2.add(sum(high(s0, k0), high(s1, k1), high(s2, k2), high(s3, k3), high(s4, k4)), above(y));
    v128.store(H, masked(joined(x, y)), 64);
    // What is above the last limb comes back times 5: below 2^34.4 with the first one's 26 bits. The rest of it, below 2^9,
    // goes into the second.
    x = above(x);
    y = above(y);
    x = i64x2.add(v128.load(FIRST), i64x2.add(x, i64x2.shl(x, 2)));
    y = i64x2.add(v128.load(FIRST, 16), i64x2.add(y, i64x2.shl(y, 2)));
    v128.store(H, masked(joined(x, y)));
    v128.store(H, i32x4.add(v128.load(H, 16), joined(above(x), above(y))), 16);
  }
}

/** Absorbs `length` bytes of each message, at four addresses, and pads them to a multiple of 16. */
@inline
export function absorbLanes(a: usize, b: usize, c: usize, d: usize, length: usize): void {
  const tail = length & 15;
  const whole = length - tail;
  if (whole != 0) absorb(a, b, c, d, whole, 16, END);
  if (tail != 0) absorbTails(a + whole, b + whole, c + whole, d + whole, tail);
}

function absorbTails(a: usize, b: usize, c: usize, d: usize, length: usize): void {
  memory.fill(TAILS, 0, 64);
  for (let i: usize = 0; i < length; i++) {
    store<u8>(TAILS + i, load<u8>(a + i));
    store<u8>(TAILS + i, load<u8>(b + i), 16);
    store<u8>(TAILS + i, load<u8>(c + i), 32);
    store<u8>(TAILS + i, load<u8>(d + i), 48);
  }
  absorb(TAILS, TAILS + 16, TAILS + 32, TAILS + 48, 16, 16, END);
}

@inline
function carried(x: v128, below: v128): v128 {
  return i32x4.add(x, i32x4.shr_u(below, 26));
}

/** Ends the four messages: TAGS holds their tags, 16 bytes each. */
export function endLanes(): void {
  const h0 = v128.load(H);
  const h1 = v128.load(H, 16);
  const h2 = v128.load(H, 32);
  const h3 = v128.load(H, 48);
  const h4 = v128.load(H, 64);
  // h + 5 reaches 2^130 exactly when h ≥ p; its top says how often 5 has to be added (h < 2p).
  const last = carried(h4, carried(h3, carried(h2, carried(h1, i32x4.add(h0, i32x4.splat(5))))));
  const k0 = v128.load(SECOND);
  const k1 = v128.load(SECOND, 16);
  const k2 = v128.load(SECOND, 32);
  const k3 = v128.load(SECOND, 48);
  // The key's second half is added in the same radix. Every sum is below 2^28; what is above 2^128 is dropped at the end.
  const g0 = i32x4.add(i32x4.add(h0, masked(k0)), times5(i32x4.shr_u(last, 26)));
  const g1 = carried(i32x4.add(h1, limb(k0, 26, k1, 6)), g0);
  const g2 = carried(i32x4.add(h2, limb(k1, 20, k2, 12)), g1);
  const g3 = carried(i32x4.add(h3, limb(k2, 14, k3, 18)), g2);
  const g4 = carried(i32x4.add(h4, i32x4.shr_u(k3, 8)), g3);
  storeTransposed(
    TAGS,
    16,
    v128.or(masked(g0), i32x4.shl(g1, 26)),
    v128.or(i32x4.shr_u(masked(g1), 6), i32x4.shl(g2, 20)),
    v128.or(i32x4.shr_u(masked(g2), 12), i32x4.shl(g3, 14)),
    v128.or(i32x4.shr_u(masked(g3), 18), i32x4.shl(g4, 8)),
  );
}

export function wipePolyLanes(): void {
  memory.fill(STATE, 0, SCRATCH_USED);
}
