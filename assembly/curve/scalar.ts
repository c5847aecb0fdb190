/**
 * Scalars modulo L = 2^252 + 27742317777372353535851937790883648493, the order of Ed25519's base point (RFC 8032 §5.1).
 *
 * In hand a scalar is up to 24 limbs of 21 bits, each an i64. Since 252 = 12 · 21, limb k ≥ 12 folds into limbs k − 12 to
 * k − 7 as minus its product with the six limbs of L − 2^252. Time depends on no value.
 */
import { EDWARDS_SCRATCH } from "../memory/layout";

const LIMBS: usize = EDWARDS_SCRATCH;
const A: usize = LIMBS + 192;
const B: usize = A + 96;
export const SCALAR_SCRATCH_END: usize = B + 96;

/** 2^252 − L in signed limbs of 21 bits. */
const FOLD: usize = memory.data<i32>([666643, 470296, 654183, -997805, 136657, -683901], 4);

/** L, 32 bytes little-endian. */
const ORDER: usize = memory.data<u64>([0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000], 8);

/** Reads `count` limbs; the last one takes all bits that are left. */
function read(out: usize, bytes: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const bit = i * 21;
    const word = load<u32>(bytes + (bit >> 3)) >> (<u32>bit & 7);
    store<i64>(out + i * 8, i + 1 < count ? word & 0x1fffff : word);
  }
}

/** Carries from limb `from` up to limb `to`. `half` = 2^20 leaves signed limbs, 0 unsigned ones. */
function carry(from: usize, to: usize, half: i64): void {
  for (let at = LIMBS + from * 8; at < LIMBS + to * 8; at += 8) {
    const high = (load<i64>(at) + half) >> 21;
    store<i64>(at, load<i64>(at, 8) + high, 8);
    store<i64>(at, load<i64>(at) - (high << 21));
  }
}

/** Folds limbs `from` down to `to`. */
function fold(from: usize, to: usize): void {
  for (let at = LIMBS + from * 8; at >= LIMBS + to * 8; at -= 8) {
    for (let j: usize = 0; j < 6; j++) {
      const target = at + j * 8 - 96;
      store<i64>(target, load<i64>(target) + load<i64>(at) * load<i32>(FOLD + j * 4));
    }
    store<i64>(at, 0);
  }
}

/**
 * Reduces LIMBS below L and writes 32 bytes.
 *
 * Bounds: limbs come in below 2^51. Carried, they are at most 2^20, but for limb 23 or 17 with 2^29; six folds then add
 * less than 2^52 to a limb and nothing above limb 10, so limb 12 ends up below 2^11. Folded, that leaves a value between
 * −L and L. Carried unsigned, limb 12 is 0, or −1 for a negative value, to which the last fold adds L.
 */
function reduce(out: usize): void {
  const half: i64 = 1 << 20;
  carry(0, 23, half);
  fold(23, 18);
  carry(6, 17, half);
  fold(17, 12);
  carry(0, 12, half);
  fold(12, 12);
  carry(0, 12, 0);
  fold(12, 12);
  carry(0, 11, 0);
  memory.fill(out, 0, 32);
  for (let i: usize = 0; i < 12; i++) {
    const bit = i * 21;
    const at = out + (bit >> 3);
    store<u32>(at, load<u32>(at) | (load<u32>(LIMBS + i * 8) << (<u32>bit & 7)));
  }
}

/** out = the 64 bytes at `wide`, little-endian, mod L. */
export function scalarReduce(out: usize, wide: usize): void {
  read(LIMBS, wide, 24);
  reduce(out);
}

/** out = (a · b + c) mod L; each at most 2^256 − 1. `out` may be any of them. */
export function scalarMulAdd(out: usize, a: usize, b: usize, c: usize): void {
  memory.fill(LIMBS, 0, 192);
  read(LIMBS, c, 12);
  read(A, a, 12);
  read(B, b, 12);
  for (let i: usize = 0; i < 96; i += 8) {
    for (let j: usize = 0; j < 96; j += 8) {
      const at = LIMBS + i + j;
      store<i64>(at, load<i64>(at) + load<i64>(A + i) * load<i64>(B + j));
    }
  }
  reduce(out);
}

/** Is a scalar below L? Public ones only. */
export function scalarCanonical(scalar: usize): bool {
  for (let i: usize = 32; i > 0; i -= 8) {
    const word = load<u64>(scalar + i - 8);
    const limit = load<u64>(ORDER + i - 8);
    if (word != limit) return word < limit;
  }
  return false;
}

/**
 * Writes a scalar below 2^255 as 64 signed digits of radix 16, i8 from −8 to 8, the least first.
 */
export function scalarDigits(out: usize, scalar: usize): void {
  let carry = 0;
  for (let i: usize = 0; i < 64; i++) {
    const nibble = ((<i32>load<u8>(scalar + (i >> 1)) >> ((<i32>i & 1) << 2)) & 15) + carry;
    carry = i < 63 ? (nibble + 8) >> 4 : 0;
    store<i8>(out + i, nibble - (carry << 4));
  }
}
