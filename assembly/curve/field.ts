/**
 * Arithmetic modulo p = 2^255 − 19, on two elements at once.
 *
 * A pair [a | b] is 80 bytes: i32 a0, b0, a1, b1 … a9, b9. An element's value is Σ limb_i · 2^⌈25.5 i⌉, its limbs signed
 * and of 26 and 25 bits in turn. The SIMD build multiplies both elements by one instruction, the scalar build one after
 * the other. Time depends on no value. Outputs may be inputs.
 *
 * Bounds. Let u stand for |limb_i| ≤ 2^25 (i even), 2^24 (i odd), and 2^17 more. `mul` gives 1 u, sums and differences
 * add up, `fromBytes` gives 2 u. `mul(out, f, g)` takes f ≤ 3 u and g ≤ 6 u, `square` f ≤ 3 u:
 * - 19 f_i, 38 f_odd and 4 g_odd fit i32: 19 · 3.02 · 2^25 < 2^31.
 * - A column k is Σ_{i+j=k} f_i g_j + 19 Σ_{i+j=k+10} f_i g_j, doubled where i and j are both odd. The worst, k = 0, is
 *   below f g · 2^50 (1 + 4 · 19 + 5 · 19 / 2) < 18 · 2^50 · 125 < 2^61.2; odd columns stay below half of that. Every
 *   column starts from 2^36 times a limb of p: 2^62 − 2^36 and 2^61 − 2^36, so that none is negative, and what is added
 *   is a multiple of p. A column with its carry stays below 2^63.
 * - Carries between columns are below 2^37, so the last one times 19 is below 2^42; it is added to limb 0, whose carry
 *   to limb 1 is below 2^17.
 */
import { CURVE_SCRATCH } from "../memory/layout";

/** Bytes of a pair; pairs lie at multiples of 16. */
export const PAIR: usize = 80;
/** The second element of a pair. */
export const SECOND: usize = 4;

const MASK_EVEN: i64 = (1 << 26) - 1;
const MASK_ODD: i64 = (1 << 25) - 1;
/** Half a limb: subtracted at the end, it makes limbs signed. */
const HALF_EVEN: i64 = 1 << 25;
const HALF_ODD: i64 = 1 << 24;
const START_EVEN: i64 = (MASK_EVEN << 36) + HALF_EVEN;
const START_ODD: i64 = (MASK_ODD << 36) + HALF_ODD;
/** p's limb 0 is 18 less than START_EVEN takes it for. */
const START_CARRY: i64 = -(18 << 36);

// T is v128 (both elements) or i64 (one).

@inline
function splat<T>(x: i64): T {
  if (isVector<T>()) return i64x2.splat(x);
  else return x;
}

@inline
function limb<T>(at: usize): T {
  if (isVector<T>()) return v128.load_zero<i64>(at);
  else return <i64>load<i32>(at);
}

@inline
function plus<T>(a: T, b: T): T {
  if (isVector<T>()) return i64x2.add(a, b);
  else return a + b;
}

@inline
function times<T>(a: T, b: T): T {
  if (isVector<T>()) return i64x2.extmul_low_i32x4_s(a, b);
  else return a * b;
}

@inline
function shiftRight<T>(a: T, n: i32): T {
  if (isVector<T>()) return i64x2.shr_u(a, n);
  else return <i64>(<u64>a >> n);
}

@inline
function times19<T>(a: T): T {
  if (isVector<T>()) return i64x2.add(a, i64x2.add(i64x2.shl(a, 1), i64x2.shl(a, 4)));
  else return a * 19;
}

@inline
function and<T>(a: T, mask: i64): T {
  if (isVector<T>()) return v128.and(a, i64x2.splat(mask));
  else return a & mask;
}

@inline
function timesAdd<T>(sum: T, a: T, b: T): T {
  return plus<T>(sum, times<T>(a, b));
}

/** Ends columns k and k + 1: adds the carry, stores their limbs, returns the next carry. */
@inline
function endColumns<T>(out: usize, even: T, odd: T, carry: T): T {
  even = plus<T>(plus<T>(even, splat<T>(START_EVEN)), carry);
  odd = plus<T>(plus<T>(odd, splat<T>(START_ODD)), shiftRight<T>(even, 26));
  storeLimbs<T>(out, and<T>(even, MASK_EVEN), and<T>(odd, MASK_ODD));
  return shiftRight<T>(odd, 25);
}

@inline
function twice<T>(a: T): T {
  if (isVector<T>()) return i32x4.add(a, a);
  else return a + a;
}

/** Stores limbs that are unsigned still. */
@inline
function storeLimbs<T>(out: usize, even: T, odd: T): void {
  if (isVector<T>()) {
    const packed = v128.shuffle<i32>(even, odd, 0, 2, 4, 6);
    v128.store(out, i32x4.sub(packed, i32x4(1 << 25, 1 << 25, 1 << 24, 1 << 24)));
  } else {
    store<i32>(out, <i32>(even - HALF_EVEN));
    store<i32>(out, <i32>(odd - HALF_ODD), 8);
  }
}

@inline
function wrapCarry<T>(out: usize, carry: T): void {
  if (isVector<T>()) {
    const first = v128.load(out);
    const sum = i64x2.add(
      i64x2.add(i64x2.extend_low_i32x4_s(first), times19<v128>(carry)),
      i64x2.splat(HALF_EVEN),
    );
    const packed = v128.shuffle<i32>(v128.and(sum, i64x2.splat(MASK_EVEN)), i64x2.shr_u(sum, 26), 0, 2, 4, 6);
    v128.store(
      out,
      i32x4.add(i32x4.sub(packed, i32x4(1 << 25, 1 << 25, 0, 0)), v128.and(first, i32x4(0, 0, -1, -1))),
    );
  } else {
    const sum = <i64>load<i32>(out) + times19<i64>(carry) + HALF_EVEN;
    store<i32>(out, <i32>((sum & MASK_EVEN) - HALF_EVEN));
    store<i32>(out, load<i32>(out, 8) + <i32>(sum >> 26), 8);
  }
}

@inline
function limbTimes19<T>(a: T): T {
  if (isVector<T>()) return i32x4.mul(a, i32x4.splat(19));
  else return a * 19;
}

/**
 * Columns k = i + j, and i + j − 10 with the factor 19 = 2^255 mod p. d = 2 g where i and j may both be odd, n = 19 f.
 */
@inline
function mulLanes<T>(out: usize, f: usize, g: usize): void {
  const f0 = limb<T>(f);
  const f1 = limb<T>(f + 8);
  const f2 = limb<T>(f + 16);
  const f3 = limb<T>(f + 24);
  const f4 = limb<T>(f + 32);
  const f5 = limb<T>(f + 40);
  const f6 = limb<T>(f + 48);
  const f7 = limb<T>(f + 56);
  const f8 = limb<T>(f + 64);
  const f9 = limb<T>(f + 72);
  const g0 = limb<T>(g);
  const g1 = limb<T>(g + 8);
  const g2 = limb<T>(g + 16);
  const g3 = limb<T>(g + 24);
  const g4 = limb<T>(g + 32);
  const g5 = limb<T>(g + 40);
  const g6 = limb<T>(g + 48);
  const g7 = limb<T>(g + 56);
  const g8 = limb<T>(g + 64);
  const g9 = limb<T>(g + 72);
  const d1 = twice<T>(g1);
  const d3 = twice<T>(g3);
  const d5 = twice<T>(g5);
  const d7 = twice<T>(g7);
  const d9 = twice<T>(g9);
  const n1 = limbTimes19<T>(f1);
  const n2 = limbTimes19<T>(f2);
  const n3 = limbTimes19<T>(f3);
  const n4 = limbTimes19<T>(f4);
  const n5 = limbTimes19<T>(f5);
  const n6 = limbTimes19<T>(f6);
  const n7 = limbTimes19<T>(f7);
  const n8 = limbTimes19<T>(f8);
  const n9 = limbTimes19<T>(f9);
  let carry = splat<T>(START_CARRY);
  let even = times<T>(f0, g0);
  even = timesAdd<T>(even, n9, d1);
  even = timesAdd<T>(even, n8, g2);
  even = timesAdd<T>(even, n7, d3);
  even = timesAdd<T>(even, n6, g4);
  even = timesAdd<T>(even, n5, d5);
  even = timesAdd<T>(even, n4, g6);
  even = timesAdd<T>(even, n3, d7);
  even = timesAdd<T>(even, n2, g8);
  even = timesAdd<T>(even, n1, d9);
  let odd = times<T>(f1, g0);
  odd = timesAdd<T>(odd, f0, g1);
  odd = timesAdd<T>(odd, n9, g2);
  odd = timesAdd<T>(odd, n8, g3);
  odd = timesAdd<T>(odd, n7, g4);
  odd = timesAdd<T>(odd, n6, g5);
  odd = timesAdd<T>(odd, n5, g6);
  odd = timesAdd<T>(odd, n4, g7);
  odd = timesAdd<T>(odd, n3, g8);
  odd = timesAdd<T>(odd, n2, g9);
  carry = endColumns<T>(out, even, odd, carry);
  even = times<T>(f2, g0);
  even = timesAdd<T>(even, f1, d1);
  even = timesAdd<T>(even, f0, g2);
  even = timesAdd<T>(even, n9, d3);
  even = timesAdd<T>(even, n8, g4);
  even = timesAdd<T>(even, n7, d5);
  even = timesAdd<T>(even, n6, g6);
  even = timesAdd<T>(even, n5, d7);
  even = timesAdd<T>(even, n4, g8);
  even = timesAdd<T>(even, n3, d9);
  odd = times<T>(f3, g0);
  odd = timesAdd<T>(odd, f2, g1);
  odd = timesAdd<T>(odd, f1, g2);
  odd = timesAdd<T>(odd, f0, g3);
  odd = timesAdd<T>(odd, n9, g4);
  odd = timesAdd<T>(odd, n8, g5);
  odd = timesAdd<T>(odd, n7, g6);
  odd = timesAdd<T>(odd, n6, g7);
  odd = timesAdd<T>(odd, n5, g8);
  odd = timesAdd<T>(odd, n4, g9);
  carry = endColumns<T>(out + 16, even, odd, carry);
  even = times<T>(f4, g0);
  even = timesAdd<T>(even, f3, d1);
  even = timesAdd<T>(even, f2, g2);
  even = timesAdd<T>(even, f1, d3);
  even = timesAdd<T>(even, f0, g4);
  even = timesAdd<T>(even, n9, d5);
  even = timesAdd<T>(even, n8, g6);
  even = timesAdd<T>(even, n7, d7);
  even = timesAdd<T>(even, n6, g8);
  even = timesAdd<T>(even, n5, d9);
  odd = times<T>(f5, g0);
  odd = timesAdd<T>(odd, f4, g1);
  odd = timesAdd<T>(odd, f3, g2);
  odd = timesAdd<T>(odd, f2, g3);
  odd = timesAdd<T>(odd, f1, g4);
  odd = timesAdd<T>(odd, f0, g5);
  odd = timesAdd<T>(odd, n9, g6);
  odd = timesAdd<T>(odd, n8, g7);
  odd = timesAdd<T>(odd, n7, g8);
  odd = timesAdd<T>(odd, n6, g9);
  carry = endColumns<T>(out + 32, even, odd, carry);
  even = times<T>(f6, g0);
  even = timesAdd<T>(even, f5, d1);
  even = timesAdd<T>(even, f4, g2);
  even = timesAdd<T>(even, f3, d3);
  even = timesAdd<T>(even, f2, g4);
  even = timesAdd<T>(even, f1, d5);
  even = timesAdd<T>(even, f0, g6);
  even = timesAdd<T>(even, n9, d7);
  even = timesAdd<T>(even, n8, g8);
  even = timesAdd<T>(even, n7, d9);
  odd = times<T>(f7, g0);
  odd = timesAdd<T>(odd, f6, g1);
  odd = timesAdd<T>(odd, f5, g2);
  odd = timesAdd<T>(odd, f4, g3);
  odd = timesAdd<T>(odd, f3, g4);
  odd = timesAdd<T>(odd, f2, g5);
  odd = timesAdd<T>(odd, f1, g6);
  odd = timesAdd<T>(odd, f0, g7);
  odd = timesAdd<T>(odd, n9, g8);
  odd = timesAdd<T>(odd, n8, g9);
  carry = endColumns<T>(out + 48, even, odd, carry);
  even = times<T>(f8, g0);
  even = timesAdd<T>(even, f7, d1);
  even = timesAdd<T>(even, f6, g2);
  even = timesAdd<T>(even, f5, d3);
  even = timesAdd<T>(even, f4, g4);
  even = timesAdd<T>(even, f3, d5);
  even = timesAdd<T>(even, f2, g6);
  even = timesAdd<T>(even, f1, d7);
  even = timesAdd<T>(even, f0, g8);
  even = timesAdd<T>(even, n9, d9);
  odd = times<T>(f9, g0);
  odd = timesAdd<T>(odd, f8, g1);
  odd = timesAdd<T>(odd, f7, g2);
  odd = timesAdd<T>(odd, f6, g3);
  odd = timesAdd<T>(odd, f5, g4);
  odd = timesAdd<T>(odd, f4, g5);
  odd = timesAdd<T>(odd, f3, g6);
  odd = timesAdd<T>(odd, f2, g7);
  odd = timesAdd<T>(odd, f1, g8);
  odd = timesAdd<T>(odd, f0, g9);
  carry = endColumns<T>(out + 64, even, odd, carry);
  wrapCarry<T>(out, carry);
}

/** As `mulLanes` with g = f, equal products computed once. d = 2 f, n = 19 f, m = 38 f. */
@inline
function squareLanes<T>(out: usize, f: usize): void {
  const f0 = limb<T>(f);
  const f1 = limb<T>(f + 8);
  const f2 = limb<T>(f + 16);
  const f3 = limb<T>(f + 24);
  const f4 = limb<T>(f + 32);
  const f5 = limb<T>(f + 40);
  const f6 = limb<T>(f + 48);
  const f7 = limb<T>(f + 56);
  const f8 = limb<T>(f + 64);
  const f9 = limb<T>(f + 72);
  const d0 = twice<T>(f0);
  const d1 = twice<T>(f1);
  const d2 = twice<T>(f2);
  const d3 = twice<T>(f3);
  const d4 = twice<T>(f4);
  const d5 = twice<T>(f5);
  const d6 = twice<T>(f6);
  const d7 = twice<T>(f7);
  const n5 = limbTimes19<T>(f5);
  const n6 = limbTimes19<T>(f6);
  const n7 = limbTimes19<T>(f7);
  const n8 = limbTimes19<T>(f8);
  const n9 = limbTimes19<T>(f9);
  const m5 = twice<T>(n5);
  const m7 = twice<T>(n7);
  const m9 = twice<T>(n9);
  let carry = splat<T>(START_CARRY);
  let even = times<T>(f0, f0);
  even = timesAdd<T>(even, d1, m9);
  even = timesAdd<T>(even, d2, n8);
  even = timesAdd<T>(even, d3, m7);
  even = timesAdd<T>(even, d4, n6);
  even = timesAdd<T>(even, m5, f5);
  let odd = times<T>(d0, f1);
  odd = timesAdd<T>(odd, f2, m9);
  odd = timesAdd<T>(odd, d3, n8);
  odd = timesAdd<T>(odd, f4, m7);
  odd = timesAdd<T>(odd, d5, n6);
  carry = endColumns<T>(out, even, odd, carry);
  even = times<T>(d0, f2);
  even = timesAdd<T>(even, d1, f1);
  even = timesAdd<T>(even, d3, m9);
  even = timesAdd<T>(even, d4, n8);
  even = timesAdd<T>(even, d5, m7);
  even = timesAdd<T>(even, n6, f6);
  odd = times<T>(d0, f3);
  odd = timesAdd<T>(odd, d1, f2);
  odd = timesAdd<T>(odd, f4, m9);
  odd = timesAdd<T>(odd, d5, n8);
  odd = timesAdd<T>(odd, f6, m7);
  carry = endColumns<T>(out + 16, even, odd, carry);
  even = times<T>(d0, f4);
  even = timesAdd<T>(even, d1, d3);
  even = timesAdd<T>(even, f2, f2);
  even = timesAdd<T>(even, d5, m9);
  even = timesAdd<T>(even, d6, n8);
  even = timesAdd<T>(even, m7, f7);
  odd = times<T>(d0, f5);
  odd = timesAdd<T>(odd, d1, f4);
  odd = timesAdd<T>(odd, d2, f3);
  odd = timesAdd<T>(odd, f6, m9);
  odd = timesAdd<T>(odd, d7, n8);
  carry = endColumns<T>(out + 32, even, odd, carry);
  even = times<T>(d0, f6);
  even = timesAdd<T>(even, d1, d5);
  even = timesAdd<T>(even, d2, f4);
  even = timesAdd<T>(even, d3, f3);
  even = timesAdd<T>(even, d7, m9);
  even = timesAdd<T>(even, n8, f8);
  odd = times<T>(d0, f7);
  odd = timesAdd<T>(odd, d1, f6);
  odd = timesAdd<T>(odd, d2, f5);
  odd = timesAdd<T>(odd, d3, f4);
  odd = timesAdd<T>(odd, f8, m9);
  carry = endColumns<T>(out + 48, even, odd, carry);
  even = times<T>(d0, f8);
  even = timesAdd<T>(even, d1, d7);
  even = timesAdd<T>(even, d2, f6);
  even = timesAdd<T>(even, d3, d5);
  even = timesAdd<T>(even, f4, f4);
  even = timesAdd<T>(even, m9, f9);
  odd = times<T>(d0, f9);
  odd = timesAdd<T>(odd, d1, f8);
  odd = timesAdd<T>(odd, d2, f7);
  odd = timesAdd<T>(odd, d3, f6);
  odd = timesAdd<T>(odd, d4, f5);
  carry = endColumns<T>(out + 64, even, odd, carry);
  wrapCarry<T>(out, carry);
}

/** out = f · g */
export function mul(out: usize, f: usize, g: usize): void {
  if (ASC_FEATURE_SIMD) {
    mulLanes<v128>(out, f, g);
  } else {
    mulLanes<i64>(out, f, g);
    mulLanes<i64>(out + SECOND, f + SECOND, g + SECOND);
  }
}

/** out = f² */
export function square(out: usize, f: usize): void {
  if (ASC_FEATURE_SIMD) {
    squareLanes<v128>(out, f);
  } else {
    squareLanes<i64>(out, f);
    squareLanes<i64>(out + SECOND, f + SECOND);
  }
}

// Small operations: 16 bytes at a time and without a loop in the SIMD build. (A load that a single store wrote is not
// held up; and the end of so short a loop is often mispredicted.)

@inline
function subAt(out: usize, a: usize, b: usize, i: usize): void {
  v128.store(out + i, i32x4.sub(v128.load(a + i), v128.load(b + i)));
}

/** out = a − b */
export function sub(out: usize, a: usize, b: usize): void {
  if (ASC_FEATURE_SIMD) {
    subAt(out, a, b, 0);
    subAt(out, a, b, 16);
    subAt(out, a, b, 32);
    subAt(out, a, b, 48);
    subAt(out, a, b, 64);
  } else {
    for (let i: usize = 0; i < PAIR; i += 4) store<i32>(out + i, load<i32>(a + i) - load<i32>(b + i));
  }
}

@inline
function butterflyAt(out: usize, pair: usize, i: usize): void {
  const first = i32x4(-1, 0, -1, 0);
  const v = v128.load(pair + i);
  const swapped = v128.shuffle<i32>(v, v, 1, 0, 3, 2);
  v128.store(out + i, i32x4.add(swapped, i32x4.sub(v128.xor(v, first), first)));
}

/** out = [b − a | b + a], where the input is [a | b] */
export function butterfly(out: usize, pair: usize): void {
  if (ASC_FEATURE_SIMD) {
    butterflyAt(out, pair, 0);
    butterflyAt(out, pair, 16);
    butterflyAt(out, pair, 32);
    butterflyAt(out, pair, 48);
    butterflyAt(out, pair, 64);
  } else {
    for (let i: usize = 0; i < PAIR; i += 8) {
      const a = load<i32>(pair + i);
      const b = load<i32>(pair + i, SECOND);
      store<i32>(out + i, b - a);
      store<i32>(out + i, b + a, SECOND);
    }
  }
}

@inline
function addFirstAt(out: usize, a: usize, i: usize): void {
  const first = v128.and(v128.load(a + i), i32x4(-1, 0, -1, 0));
  v128.store(out + i, i32x4.add(v128.load(out + i), first));
}

/** Adds the first element of a pair to another's. */
export function addFirst(out: usize, a: usize): void {
  if (ASC_FEATURE_SIMD) {
    addFirstAt(out, a, 0);
    addFirstAt(out, a, 16);
    addFirstAt(out, a, 32);
    addFirstAt(out, a, 48);
    addFirstAt(out, a, 64);
  } else {
    for (let i: usize = 0; i < PAIR; i += 8) store<i32>(out + i, load<i32>(out + i) + load<i32>(a + i));
  }
}

@inline
function joinAt(out: usize, a: usize, shiftA: i32, b: usize, shiftB: i32, i: usize): void {
  const first = v128.and(i64x2.shr_u(v128.load(a + i), shiftA), i32x4(-1, 0, -1, 0));
  const second = i64x2.shl(i64x2.shr_u(v128.load(b + i), shiftB), 32);
  v128.store(out + i, v128.or(first, second));
}

/** out = [a | b] of two elements: the first of a pair is at its address, the second SECOND bytes on. */
export function join(out: usize, a: usize, b: usize): void {
  if (ASC_FEATURE_SIMD) {
    const shiftA = <i32>(a & SECOND) << 3;
    const shiftB = <i32>(b & SECOND) << 3;
    a &= ~SECOND;
    b &= ~SECOND;
    joinAt(out, a, shiftA, b, shiftB, 0);
    joinAt(out, a, shiftA, b, shiftB, 16);
    joinAt(out, a, shiftA, b, shiftB, 32);
    joinAt(out, a, shiftA, b, shiftB, 48);
    joinAt(out, a, shiftA, b, shiftB, 64);
  } else {
    for (let i: usize = 0; i < PAIR; i += 8) {
      const first = load<i32>(a + i);
      store<i32>(out + i, load<i32>(b + i), SECOND);
      store<i32>(out + i, first);
    }
  }
}

/** out = [a | b] of two small numbers. */
export function setSmall(out: usize, a: i32, b: i32): void {
  memory.fill(out, 0, PAIR);
  store<i32>(out, a);
  store<i32>(out, b, SECOND);
}

/** The bit that limb `i` begins at. */
@inline
function firstBit(i: usize): usize {
  return (51 * i + 1) >> 1;
}

/** Reads an element from 32 bytes, little-endian; the last bit is ignored. Not reduced: 2 u. */
export function fromBytes(out: usize, bytes: usize): void {
  for (let i: usize = 0; i < 10; i++) {
    const bit = firstBit(i);
    store<u32>(out + i * 8, (load<u32>(bytes + (bit >> 3)) >> (<u32>bit & 7)) & (0x3ffffff >> (<u32>i & 1)));
  }
}

/** Writes an element, the first or second of FREEZE, as 32 bytes, reduced. `out` must not overlap scratch. */
function freeze(out: usize, element: usize): void {
  // |value| < p, so its quotient by p is −1 or 0; this sum of rounded carries finds it (the value + 19/32 decides).
  let carry = (19 * load<i32>(element, 72) + (1 << 24)) >> 25;
  for (let i: usize = 0; i < 10; i++) carry = (load<i32>(element + i * 8) + carry) >> (26 - (<i32>i & 1));
  carry *= 19;
  memory.fill(out, 0, 32);
  for (let i: usize = 0; i < 10; i++) {
    const width = 26 - (<i32>i & 1);
    const sum = load<i32>(element + i * 8) + carry;
    carry = sum >> width;
    const bit = firstBit(i);
    const at = out + (bit >> 3);
    store<u32>(at, load<u32>(at) | ((<u32>sum & ((1 << width) - 1)) << (<u32>bit & 7)));
  }
}

const ONES: usize = CURVE_SCRATCH;
const FREEZE: usize = ONES + PAIR;
/** Writes one element (at most 3 u) of a pair as 32 bytes, little-endian, reduced. `which`: 0 or SECOND. */
export function toBytes(out: usize, pair: usize, which: usize): void {
  setSmall(ONES, 1, 1);
  mul(FREEZE, pair, ONES);
  freeze(out, FREEZE + which);
}

const POWER: usize = FREEZE + PAIR;
const POWER_11: usize = POWER + PAIR;
const POWER_A: usize = POWER_11 + PAIR;
const POWER_B: usize = POWER_A + PAIR;
export const FIELD_SCRATCH_END: usize = POWER_B + PAIR;

/** out = a^(2^n) · b */
function raise(out: usize, a: usize, n: i32, b: usize): void {
  square(POWER, a);
  while (--n) square(POWER, POWER);
  mul(out, POWER, b);
}

/** POWER_B = z^(2^250 − 1), POWER_11 = z^11 */
function raise250(z: usize): void {
  square(POWER_A, z);
  raise(POWER_B, POWER_A, 2, z);
  mul(POWER_11, POWER_A, POWER_B);
  raise(POWER_B, POWER_11, 1, POWER_B); // 2^5 − 1
  raise(POWER_B, POWER_B, 5, POWER_B); // 2^10 − 1
  raise(POWER_A, POWER_B, 10, POWER_B);
  raise(POWER_A, POWER_A, 20, POWER_A);
  raise(POWER_B, POWER_A, 10, POWER_B); // 2^50 − 1
  raise(POWER_A, POWER_B, 50, POWER_B);
  raise(POWER_A, POWER_A, 100, POWER_A);
  raise(POWER_B, POWER_A, 50, POWER_B);
}

/** out = 1 / z = z^(p − 2); 0 for 0. `z` must not lie in `out`. */
export function invert(out: usize, z: usize): void {
  raise250(z);
  raise(out, POWER_B, 5, POWER_11);
}

/** out = z^((p − 5) / 8) */
export function raiseForRoot(out: usize, z: usize): void {
  raise250(z);
  raise(out, POWER_B, 2, z);
}
