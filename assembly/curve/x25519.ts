/**
 * X25519 (RFC 7748 §5): the Montgomery ladder, two multiplications at a time.
 *
 * The two points of the ladder are pairs [z | x]. Time depends on neither the scalar nor the point.
 */
import { ALL_ZERO_VERDICT, declassify } from "../memory/declassify";
import { CURVE_SCRATCH } from "../memory/layout";
import { addFirst, butterfly, FIELD_SCRATCH_END, fromBytes, invert, join, mul, PAIR, SECOND, setSmall, square, toBytes } from "./field";

/** [121665 | x1], the constant factors of a step. */
const FACTORS: usize = FIELD_SCRATCH_END;
const P2: usize = FACTORS + PAIR;
const P3: usize = P2 + PAIR;
const SUMS2: usize = P3 + PAIR;
const SUMS3: usize = SUMS2 + PAIR;
const T: usize = SUMS3 + PAIR;
const SCALAR: usize = T + PAIR;
const SCRATCH_USED: usize = SCALAR + 32 - CURVE_SCRATCH;

/** Writes a scalar with its bits set and cleared as §5 says, to `out`, 32 bytes. May be in place. */
export function clamp(out: usize, scalar: usize): void {
  memory.copy(out, scalar, 32);
  store<u8>(out, load<u8>(out) & 248);
  store<u8>(out, (load<u8>(out, 31) & 127) | 64, 31);
}

/** Exchanges P2 and P3 where `swap` is −1, not where it is 0. */
function exchange(swap: i32): void {
  if (ASC_FEATURE_SIMD) {
    const mask = i32x4.splat(swap);
    for (let i: usize = 0; i < PAIR; i += 16) {
      const p2 = v128.load(P2 + i);
      const p3 = v128.load(P3 + i);
      const difference = v128.and(v128.xor(p2, p3), mask);
      v128.store(P2 + i, v128.xor(p2, difference));
      v128.store(P3 + i, v128.xor(p3, difference));
    }
  } else {
    for (let i: usize = 0; i < PAIR; i += 4) {
      const difference = (load<i32>(P2 + i) ^ load<i32>(P3 + i)) & swap;
      store<i32>(P2 + i, load<i32>(P2 + i) ^ difference);
      store<i32>(P3 + i, load<i32>(P3 + i) ^ difference);
    }
  }
}

/** P2 = 2 P2, P3 = P2 + P3; letters as in §5. */
function step(): void {
  butterfly(SUMS2, P2); // [B | A]
  butterfly(SUMS3, P3); // [D | C]
  join(T, SUMS2 + SECOND, SUMS2);
  mul(SUMS3, SUMS3, T); // [DA | CB]
  butterfly(SUMS3, SUMS3);
  square(SUMS3, SUMS3); // [(DA − CB)² | (DA + CB)²]
  square(SUMS2, SUMS2); // [BB | AA]
  butterfly(P2, SUMS2); // [E | …]
  join(T, P2, SUMS3);
  mul(T, T, FACTORS); // [a24 E | x1 (DA − CB)²]
  join(P3, T + SECOND, SUMS3 + SECOND);
  join(P2, P2, SUMS2); // [E | BB]
  join(SUMS2, SUMS2 + SECOND, SUMS2 + SECOND);
  addFirst(SUMS2, T); // [AA + a24 E | AA]
  mul(P2, P2, SUMS2);
}

/** Writes the u-coordinate of scalar · point to `out`: 32 bytes each. Leaves CURVE_SCRATCH dirty. */
function multiply(out: usize, scalar: usize, point: usize): void {
  clamp(SCALAR, scalar);
  setSmall(FACTORS, 121665, 0);
  fromBytes(FACTORS + SECOND, point);
  setSmall(P2, 0, 1);
  setSmall(P3, 1, 0);
  fromBytes(P3 + SECOND, point);
  let swapped = 0;
  for (let t: i32 = 254; t >= 0; t--) {
    const bit = -((<i32>load<u8>(SCALAR + (<usize>t >> 3)) >> (t & 7)) & 1);
    exchange(swapped ^ bit);
    swapped = bit;
    step();
  }
  exchange(swapped);
  invert(T, P2); // [1 / z | …]
  join(T, T, T);
  mul(T, T, P2);
  toBytes(out, T, SECOND);
}

/**
 * Writes the shared secret to `out`, 32 bytes.
 *
 * @returns 1 where it is all zero: the peer's point has small order (§6.1)
 */
export function x25519(out: usize, scalar: usize, point: usize): i32 {
  multiply(out, scalar, point);
  memory.fill(CURVE_SCRATCH, 0, SCRATCH_USED);
  const any = load<u64>(out) | load<u64>(out, 8) | load<u64>(out, 16) | load<u64>(out, 24);
  return declassify(<i32>(any == 0), ALL_ZERO_VERDICT);
}
