/**
 * AES (FIPS 197) in bit planes: eight blocks at once, no table, no secret address.
 *
 * Plane b is 16 bytes; bit j of its byte i is bit b of byte i of block j. SubBytes is a circuit of XORs and ANDs over
 * whole planes, ShiftRows and MixColumns move bytes within them. With SIMD a plane is one v128; the scalar build does the
 * same to its halves, two columns each.
 *
 * The S-box without its constant, S(x) ^ 0x63, is what the circuit computes, both ways: MixColumns leaves a state of equal
 * bytes as it is, so the constant is in the round keys from the first round on (`aes-key.ts`).
 *
 * The circuit is that of J. Boyar and R. Peralta, "A new combinational logic minimization technique with applications to
 * cryptology" (SEA 2010), 115 gates: into a tower field, inversion there, and back. For the inverse S-box the linear ends
 * were searched for by their method, around the same inversion: 114 gates.
 */
import { AES_SCRATCH } from "../memory/layout";

/** Eight planes, 128 bytes: the state that `encryptPlanes` and `decryptPlanes` work on. */
export const PLANES: usize = AES_SCRATCH;
export const PLANES_SIZE: usize = 128;

@inline
function xor<T>(a: T, b: T): T {
  if (isVector<T>()) return v128.xor(a, b);
  else return (a ^ b) as T;
}

@inline
function and<T>(a: T, b: T): T {
  if (isVector<T>()) return v128.and(a, b);
  else return (a & b) as T;
}

/** Each column's bytes, one row up. */
@inline
function up1<T>(x: T): T {
  if (isVector<T>()) return i8x16.swizzle(x, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
  else return (((x >> 8) & 0x00ffffff00ffffff) | ((x << 24) & 0xff000000ff000000)) as T;
}

/** Each column's bytes, two rows up. */
@inline
function up2<T>(x: T): T {
  if (isVector<T>()) return i8x16.swizzle(x, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  else return (((x >> 16) & 0x0000ffff0000ffff) | ((x << 16) & 0xffff0000ffff0000)) as T;
}

@inline
function shiftRows(x: v128, inverse: bool): v128 {
  if (inverse) return i8x16.swizzle(x, i8x16(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3));
  else return i8x16.swizzle(x, i8x16(0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11));
}

/** ShiftRows of a plane in halves. */
@inline
function shiftRowsScalar(at: usize, inverse: bool): void {
  const low = load<u64>(at);
  const high = load<u64>(at, 8);
  const middle = (low >> 32) | (high << 32);
  const ends = (high >> 32) | (low << 32);
  const row1 = inverse ? ends : middle;
  const row3 = inverse ? middle : ends;
  const first: u64 = 0x000000ff000000ff;
  store<u64>(at, (low & first) | (row1 & (first << 8)) | (high & (first << 16)) | (row3 & (first << 24)));
  store<u64>(at, (high & first) | (row3 & (first << 8)) | (low & (first << 16)) | (row1 & (first << 24)), 8);
}

/**
 * Rounds `round` to `last` on the planes at `at`, without the last one's substitution; of the scalar build, one round
 * without ShiftRows on one half of each plane.
 */
@inline
function run<T>(at: usize, keys: usize, round: i32, last: i32, inverse: bool): void {
  let q0 = load<T>(at, 0);
  let q1 = load<T>(at, 16);
  let q2 = load<T>(at, 32);
  let q3 = load<T>(at, 48);
  let q4 = load<T>(at, 64);
  let q5 = load<T>(at, 80);
  let q6 = load<T>(at, 96);
  let q7 = load<T>(at, 112);
  do {
    const key = keys + <usize>(inverse ? last - round : round) * PLANES_SIZE;
    if (inverse) {
      q0 = xor(q0, load<T>(key, 0));
      q1 = xor(q1, load<T>(key, 16));
      q2 = xor(q2, load<T>(key, 32));
      q3 = xor(q3, load<T>(key, 48));
      q4 = xor(q4, load<T>(key, 64));
      q5 = xor(q5, load<T>(key, 80));
      q6 = xor(q6, load<T>(key, 96));
      q7 = xor(q7, load<T>(key, 112));
    }
    if (round != 0 && round != last) {
      if (inverse) {
        // InvMixColumns is MixColumns after x ^ 4 (x ^ x two rows on).
        const e0 = xor(q0, up2(q0));
        const e1 = xor(q1, up2(q1));
        const e2 = xor(q2, up2(q2));
        const e3 = xor(q3, up2(q3));
        const e4 = xor(q4, up2(q4));
        const e5 = xor(q5, up2(q5));
        let e6 = xor(q6, up2(q6));
        const e7 = xor(q7, up2(q7));
        q0 = xor(q0, e6);
        e6 = xor(e6, e7);
        q1 = xor(q1, e6);
        q2 = xor(q2, xor(e0, e7));
        q3 = xor(q3, xor(e1, xor(e6, e7)));
        q4 = xor(q4, xor(e2, e6));
        q5 = xor(q5, xor(e3, e7));
        q6 = xor(q6, e4);
        q7 = xor(q7, e5);
      }
      const u0 = up1(q0);
      const m0 = xor(q0, u0);
      q0 = xor(u0, up2(m0));
      const u1 = up1(q1);
      const m1 = xor(q1, u1);
      q1 = xor(u1, up2(m1));
      const u2 = up1(q2);
      const m2 = xor(q2, u2);
      q2 = xor(u2, up2(m2));
      const u3 = up1(q3);
      const m3 = xor(q3, u3);
      q3 = xor(u3, up2(m3));
      const u4 = up1(q4);
      const m4 = xor(q4, u4);
      q4 = xor(u4, up2(m4));
      const u5 = up1(q5);
      const m5 = xor(q5, u5);
      q5 = xor(u5, up2(m5));
      const u6 = up1(q6);
      const m6 = xor(q6, u6);
      q6 = xor(u6, up2(m6));
      const u7 = up1(q7);
      const m7 = xor(q7, u7);
      q7 = xor(u7, up2(m7));
      q0 = xor(q0, m7);
      q1 = xor(q1, xor(m0, m7));
      q2 = xor(q2, m1);
      q3 = xor(q3, xor(m2, m7));
      q4 = xor(q4, xor(m3, m7));
      q5 = xor(q5, m4);
      q6 = xor(q6, m5);
      q7 = xor(q7, m6);
    }
    if (!inverse) {
      q0 = xor(q0, load<T>(key, 0));
      q1 = xor(q1, load<T>(key, 16));
      q2 = xor(q2, load<T>(key, 32));
      q3 = xor(q3, load<T>(key, 48));
      q4 = xor(q4, load<T>(key, 64));
      q5 = xor(q5, load<T>(key, 80));
      q6 = xor(q6, load<T>(key, 96));
      q7 = xor(q7, load<T>(key, 112));
    }
    if (round == last) break;
    let d: T, y1: T, y2: T, y3: T, y4: T, y5: T, y6: T, y7: T, y8: T, y9: T, y10: T, y11: T, y12: T, y13: T, y14: T, y15: T, y16: T, y17: T, y18: T, y19: T, y20: T, y21: T;
    // Into the tower field.
    if (inverse) {
      y19 = xor(q3, q0);
      y9 = xor(q4, q3);
      y5 = xor(q6, q4);
      y3 = xor(q7, q4);
      y8 = xor(q7, q6);
      y1 = xor(y19, q4);
      y18 = xor(y9, q5);
      y6 = xor(y5, q7);
      y10 = xor(y8, y19);
      y14 = xor(y8, y9);
      y13 = xor(y1, q1);
      y2 = xor(y13, y5);
      y12 = xor(y13, y14);
      y4 = xor(y2, y9);
      y7 = xor(y2, y18);
      y21 = xor(y7, q1);
      y16 = xor(y7, y1);
      const p0 = xor(q7, q2);
      d = xor(p0, q5);
      y20 = xor(p0, y2);
      y11 = xor(p0, y4);
      y15 = xor(d, y6);
      y17 = xor(y11, y10);
    } else {
      d = q0;
      y14 = xor(q4, q2);
      y13 = xor(q7, q1);
      y9 = xor(q7, q4);
      y8 = xor(q7, q2);
      const t0 = xor(q6, q5);
      y1 = xor(t0, q0);
      y4 = xor(y1, q4);
      y12 = xor(y13, y14);
      y2 = xor(y1, q7);
      y5 = xor(y1, q1);
      y3 = xor(y5, y8);
      const t1 = xor(q3, y12);
      y15 = xor(t1, q2);
      y20 = xor(t1, q6);
      y6 = xor(y15, q0);
      y10 = xor(y15, t0);
      y11 = xor(y20, y9);
      y7 = xor(q0, y11);
      y17 = xor(y10, y11);
      y19 = xor(y10, y8);
      y16 = xor(t0, y11);
      y21 = xor(y13, y16);
      y18 = xor(q7, y16);
    }
    // Inversion there.
    const t2 = and(y12, y15);
    const t3 = and(y3, y6);
    const t4 = xor(t3, t2);
    const t5 = and(y4, d);
    const t6 = xor(t5, t2);
    const t7 = and(y13, y16);
    const t8 = and(y5, y1);
    const t9 = xor(t8, t7);
    const t10 = and(y2, y7);
    const t11 = xor(t10, t7);
    const t12 = and(y9, y11);
    const t13 = and(y14, y17);
    const t14 = xor(t13, t12);
    const t15 = and(y8, y10);
    const t16 = xor(t15, t12);
    const t17 = xor(t4, t14);
    const t18 = xor(t6, t16);
    const t19 = xor(t9, t14);
    const t20 = xor(t11, t16);
    const t21 = xor(t17, y20);
    const t22 = xor(t18, y19);
    const t23 = xor(t19, y21);
    const t24 = xor(t20, y18);
    const t25 = xor(t21, t22);
    const t26 = and(t21, t23);
    const t27 = xor(t24, t26);
    const t28 = and(t25, t27);
    const t29 = xor(t28, t22);
    const t30 = xor(t23, t24);
    const t31 = xor(t22, t26);
    const t32 = and(t31, t30);
    const t33 = xor(t32, t24);
    const t34 = xor(t23, t33);
    const t35 = xor(t27, t33);
    const t36 = and(t24, t35);
    const t37 = xor(t36, t34);
    const t38 = xor(t27, t36);
    const t39 = and(t29, t38);
    const t40 = xor(t25, t39);
    const t41 = xor(t40, t37);
    const t42 = xor(t29, t33);
    const t43 = xor(t29, t40);
    const t44 = xor(t33, t37);
    const t45 = xor(t42, t41);
    const z0 = and(t44, y15);
    const z1 = and(t37, y6);
    const z2 = and(t33, d);
    const z3 = and(t43, y16);
    const z4 = and(t40, y1);
    const z5 = and(t29, y7);
    const z6 = and(t42, y11);
    const z7 = and(t45, y17);
    const z8 = and(t41, y10);
    const z9 = and(t44, y12);
    const z10 = and(t37, y3);
    const z11 = and(t33, y4);
    const z12 = and(t43, y13);
    const z13 = and(t40, y5);
    const z14 = and(t29, y2);
    const z15 = and(t42, y9);
    const z16 = and(t45, y14);
    const z17 = and(t41, y8);
    // And back.
    if (inverse) {
      const w0 = xor(z15, z16);
      const w1 = xor(z6, z3);
      const w2 = xor(w1, z12);
      const w3 = xor(w2, z13);
      const w4 = xor(w3, w0);
      const w5 = xor(z5, w4);
      q7 = xor(w5, z8);
      const w7 = xor(z0, z3);
      const w8 = xor(w7, z5);
      const w9 = xor(z2, w8);
      const w10 = xor(z4, w4);
      const w11 = xor(z10, w9);
      const w12 = xor(z1, z8);
      const w13 = xor(w12, w8);
      q2 = xor(w13, w10);
      const w15 = xor(z17, z16);
      const w16 = xor(w15, z11);
      const w17 = xor(z14, z11);
      const w18 = xor(w17, w11);
      const w19 = xor(w18, q2);
      const w20 = xor(z9, w16);
      q1 = xor(z7, w10);
      q0 = xor(w0, w20);
      const w22 = xor(w11, w16);
      q3 = xor(w22, q1);
      q4 = xor(q7, w9);
      q5 = xor(z13, w19);
      const w23 = xor(z12, w19);
      q6 = xor(w23, w20);
    } else {
      const t46 = xor(z15, z16);
      const t47 = xor(z10, z11);
      const t48 = xor(z5, z13);
      const t49 = xor(z9, z10);
      const t50 = xor(z2, z12);
      const t51 = xor(z2, z5);
      const t52 = xor(z7, z8);
      const t53 = xor(z0, z3);
      const t54 = xor(z6, z7);
      const t55 = xor(z16, z17);
      const t56 = xor(z12, t48);
      const t57 = xor(t50, t53);
      const t58 = xor(z4, t46);
      const t59 = xor(z3, t54);
      const t60 = xor(t46, t57);
      const t61 = xor(z14, t57);
      const t62 = xor(t52, t58);
      const t63 = xor(t49, t58);
      const t64 = xor(z4, t59);
      const t65 = xor(t61, t62);
      const t66 = xor(z1, t63);
      q7 = xor(t59, t63);
      q1 = xor(t56, t62);
      q0 = xor(t48, t60);
      const t67 = xor(t64, t65);
      q4 = xor(t53, t66);
      q3 = xor(t51, t66);
      q2 = xor(t47, t65);
      q6 = xor(t64, q4);
      q5 = xor(t55, t67);
    }
    if (isVector<T>()) {
      q0 = shiftRows(q0, inverse);
      q1 = shiftRows(q1, inverse);
      q2 = shiftRows(q2, inverse);
      q3 = shiftRows(q3, inverse);
      q4 = shiftRows(q4, inverse);
      q5 = shiftRows(q5, inverse);
      q6 = shiftRows(q6, inverse);
      q7 = shiftRows(q7, inverse);
    }
    round++;
  } while (isVector<T>());
  store<T>(at, q0, 0);
  store<T>(at, q1, 16);
  store<T>(at, q2, 32);
  store<T>(at, q3, 48);
  store<T>(at, q4, 64);
  store<T>(at, q5, 80);
  store<T>(at, q6, 96);
  store<T>(at, q7, 112);
}

/** The zero round key. */
const NO_KEY = memory.data(128, 16);

/** S(x) ^ 0x63 of the first eight bytes of each plane: what the scalar build expands keys with. */
export function substitutePlanes(): void {
  run<u64>(PLANES, NO_KEY, 0, 1, false);
}

@inline
function crypt(keys: usize, last: i32, inverse: bool): void {
  if (ASC_FEATURE_SIMD) {
    run<v128>(PLANES, keys, 0, last, inverse);
  } else {
    for (let round = 0; round <= last; round++) {
      run<u64>(PLANES, keys, round, last, inverse);
      run<u64>(PLANES + 8, keys + 8, round, last, inverse);
      if (round == last) break;
      for (let b: usize = 0; b < PLANES_SIZE; b += 16) shiftRowsScalar(PLANES + b, inverse);
    }
  }
}

/**
 * Encrypts the blocks in PLANES.
 *
 * @param keys - planes of `rounds` + 1 round keys, 128 bytes each
 * @param rounds - 10, 12 or 14
 */
export function encryptPlanes(keys: usize, rounds: i32): void {
  crypt(keys, rounds, false);
}

/** Decrypts the blocks in PLANES, as `encryptPlanes`. */
export function decryptPlanes(keys: usize, rounds: i32): void {
  crypt(keys, rounds, true);
}

@inline
function exchange<T>(a: usize, b: usize, mask: u64, shift: i32): void {
  if (isVector<T>()) {
    const x = v128.load(a);
    const y = v128.load(b);
    const moved = v128.and(v128.xor(i64x2.shr_u(x, shift), y), i64x2.splat(mask));
    v128.store(b, v128.xor(y, moved));
    v128.store(a, v128.xor(x, i64x2.shl(moved, shift)));
  } else {
    const x = load<u64>(a);
    const y = load<u64>(b);
    const moved = ((x >> shift) ^ y) & mask;
    store<u64>(b, y ^ moved);
    store<u64>(a, x ^ (moved << shift));
  }
}

/** Eight blocks, 16 bytes each, into planes; and planes into blocks: the same. In place. */
export function transpose(at: usize): void {
  let mask: u64 = 0x5555555555555555;
  for (let shift = 1; shift < 8; shift *= 2) {
    for (let i = 0; i < 8; i++) {
      if ((i & shift) != 0) continue;
      const a = at + <usize>i * 16;
      const b = a + <usize>shift * 16;
      if (ASC_FEATURE_SIMD) {
        exchange<v128>(a, b, mask, shift);
      } else {
        exchange<u64>(a, b, mask, shift);
        exchange<u64>(a + 8, b + 8, mask, shift);
      }
    }
    mask = shift == 1 ? 0x3333333333333333 : 0x0f0f0f0f0f0f0f0f;
  }
}
