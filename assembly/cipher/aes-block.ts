/**
 * AES (FIPS 197) on one block, with SIMD: bytes move and are looked up inside a v128 (M. Hamburg, "Accelerating AES with
 * vector permute instructions", CHES 2009), so no address depends on them.
 *
 * A byte x becomes k + iθ over GF(16) = GF(2)[z]/(z⁴ + z + 1), where θ² = aθ + a with a = z. With M its norm and j = i + k,
 * the numbers M / (k + ai) and M / (k + aj) come out of five tables of 16 entries; 1/x is linear in their
 * inverses, which the last two tables take, change back to bytes and put through the affine map, all at once. 0x80 is
 * 1/0: what is looked up by it is 0.
 *
 * As in `aes-planes.ts` the constant of the S-box is in the round keys.
 */

// prettier-ignore
/** Ten tables of 16: into the field (low and high nibbles) and out of it, for S; the same for its inverse; 1/x; a/x. */
const TABLES = memory.data<u8>([
  0, 1, 28, 29, 45, 44, 49, 48, 39, 38, 59, 58, 10, 11, 22, 23,
  0, 134, 253, 123, 142, 8, 115, 245, 119, 241, 138, 12, 249, 127, 4, 130,
  0, 203, 215, 176, 33, 141, 103, 172, 123, 90, 234, 61, 70, 246, 145, 28,
  0, 159, 97, 22, 194, 42, 119, 232, 137, 75, 93, 60, 181, 163, 212, 254,
  0, 181, 220, 105, 219, 110, 7, 178, 20, 161, 200, 125, 207, 122, 19, 166,
  0, 167, 168, 15, 237, 74, 69, 226, 209, 118, 121, 222, 60, 155, 148, 51,
  0, 59, 228, 200, 3, 20, 44, 23, 243, 240, 56, 220, 47, 231, 203, 223,
  0, 36, 145, 25, 35, 143, 136, 172, 61, 30, 7, 150, 171, 178, 58, 181,
  128, 1, 9, 14, 13, 11, 7, 6, 15, 2, 12, 5, 10, 4, 3, 8,
  128, 2, 1, 15, 9, 5, 14, 12, 13, 4, 11, 10, 7, 8, 6, 3,
], 16);
const INVERSE_TABLES: usize = TABLES + 64;

@inline
function lowNibbles(x: v128): v128 {
  return v128.and(x, i8x16.splat(15));
}

@inline
function highNibbles(x: v128): v128 {
  return lowNibbles(i16x8.shr_u(x, 4));
}

@inline
function lookUp(table: usize, indexes: v128, offset: usize = 0): v128 {
  return i8x16.swizzle(v128.load(table + offset), indexes);
}

/** S(x) ^ 0x63 of each byte; with INVERSE_TABLES, the byte whose S is x ^ 0x63. */
@inline
function substitute(x: v128, tables: usize): v128 {
  const y = v128.xor(lookUp(tables, lowNibbles(x)), lookUp(tables, highNibbles(x), 16));
  const i = highNibbles(y);
  const k = lowNibbles(y);
  const j = v128.xor(i, k);
  const ak = lookUp(TABLES, k, 144);
  const p = v128.xor(lookUp(TABLES, v128.xor(lookUp(TABLES, i, 128), ak), 128), j);
  const q = v128.xor(lookUp(TABLES, v128.xor(lookUp(TABLES, j, 128), ak), 128), i);
  return v128.xor(lookUp(tables, p, 32), lookUp(tables, q, 48));
}

/** Each byte times 2 in GF(2^8). */
@inline
function double(x: v128): v128 {
  return v128.xor(i8x16.add(x, x), v128.and(i8x16.lt_s(x, i8x16.splat(0)), i8x16.splat(0x1b)));
}

@inline
function up2(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

@inline
function mixColumns(x: v128): v128 {
  const up = i8x16.swizzle(x, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
  const pair = v128.xor(x, up);
  return v128.xor(v128.xor(double(pair), up), up2(pair));
}

/** SubWord (FIPS 197 §5.2), without the constant. */
export function substituteWord(word: u32): u32 {
  return i32x4.extract_lane(substitute(i32x4.splat(word), TABLES), 0);
}

/** Encrypts the block at `at`. `keys`: the bytes of `aes-key.ts`. */
export function encryptBlockVector(keys: usize, rounds: i32, at: usize): void {
  let x = v128.xor(v128.load(at), v128.load(keys));
  while (true) {
    keys += 16;
    x = substitute(x, TABLES);
    x = i8x16.swizzle(x, i8x16(0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11));
    if (--rounds == 0) break;
    x = v128.xor(mixColumns(x), v128.load(keys));
  }
  v128.store(at, v128.xor(x, v128.load(keys)));
}

/** Decrypts the block at `at`. */
export function decryptBlockVector(keys: usize, rounds: i32, at: usize): void {
  keys += <usize>rounds * 16;
  let x = v128.xor(v128.load(at), v128.load(keys));
  while (true) {
    keys -= 16;
    x = substitute(x, INVERSE_TABLES);
    x = i8x16.swizzle(x, i8x16(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3));
    x = v128.xor(x, v128.load(keys));
    if (--rounds == 0) break;
    // InvMixColumns is MixColumns after x ^ 4 (x ^ x two rows on).
    x = mixColumns(v128.xor(x, double(double(v128.xor(x, up2(x))))));
  }
  v128.store(at, x);
}
