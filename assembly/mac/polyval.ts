/**
 * POLYVAL (RFC 8452 §3) by integer multiplication, without tables.
 *
 * A product of polynomials over GF(2) is an integer product without its carries. Where only every fourth bit of both
 * factors is set, at most 16 ones meet in a place, and sums of 16 reach the bit above the next place only from the
 * topmost one, out of the word: each fourth bit of the integer product is then right. (T. Pornin's method in BearSSL.)
 */

const EVERY_FOURTH: u64 = 0x1111111111111111;

/** The low 64 bits of the product of two polynomials. */
function multiplyLow(x: u64, y: u64): u64 {
  const x0 = x & EVERY_FOURTH;
  const x1 = x & (EVERY_FOURTH << 1);
  const x2 = x & (EVERY_FOURTH << 2);
  const x3 = x & (EVERY_FOURTH << 3);
  const y0 = y & EVERY_FOURTH;
  const y1 = y & (EVERY_FOURTH << 1);
  const y2 = y & (EVERY_FOURTH << 2);
  const y3 = y & (EVERY_FOURTH << 3);
  return (
    (((x0 * y0) ^ (x1 * y3) ^ (x2 * y2) ^ (x3 * y1)) & EVERY_FOURTH) |
    (((x0 * y1) ^ (x1 * y0) ^ (x2 * y3) ^ (x3 * y2)) & (EVERY_FOURTH << 1)) |
    (((x0 * y2) ^ (x1 * y1) ^ (x2 * y0) ^ (x3 * y3)) & (EVERY_FOURTH << 2)) |
    (((x0 * y3) ^ (x1 * y2) ^ (x2 * y1) ^ (x3 * y0)) & (EVERY_FOURTH << 3))
  );
}

@inline
function swapBits(x: u64, mask: u64, shift: u64): u64 {
  return ((x >> shift) & mask) | ((x & mask) << shift);
}

/** The bits of a word, last first. */
function reverse(x: u64): u64 {
  x = swapBits(x, 0x5555555555555555, 1);
  x = swapBits(x, 0x3333333333333333, 2);
  return bswap(swapBits(x, 0x0f0f0f0f0f0f0f0f, 4));
}

/**
 * Absorbs `length` bytes, the last block filled up with zeros.
 *
 * @param h - the key, 16 bytes
 * @param state - 16 bytes
 */
export function polyval(h: usize, data: usize, length: usize, state: usize): void {
  const h0 = load<u64>(h);
  const h1 = load<u64>(h, 8);
  const reversed0 = reverse(h0);
  const reversed1 = reverse(h1);
  let s0 = load<u64>(state);
  let s1 = load<u64>(state, 8);
  for (; length > 0; data += 16) {
    if (length >= 16) {
      s0 ^= load<u64>(data);
      s1 ^= load<u64>(data, 8);
      length -= 16;
    } else {
      for (let i: usize = 0; i < length; i++) {
        const byte = <u64>load<u8>(data + i) << ((i & 7) * 8);
        if (i < 8) s0 ^= byte;
        else s1 ^= byte;
      }
      length = 0;
    }
    // Karatsuba. The upper halves of products are the lower halves of the products of reversed words.
    const low = multiplyLow(s0, h0);
    const high = multiplyLow(s1, h1);
    const middle = multiplyLow(s0 ^ s1, h0 ^ h1) ^ low ^ high;
    const r0 = reverse(s0);
    const r1 = reverse(s1);
    const lowUpper = multiplyLow(r0, reversed0);
    const highUpper = multiplyLow(r1, reversed1);
    const middleUpper = multiplyLow(r0 ^ r1, reversed0 ^ reversed1) ^ lowUpper ^ highUpper;
    const v1 = (reverse(lowUpper) >> 1) ^ middle;
    // Times x^-128 modulo x^128 + x^127 + x^126 + x^121 + 1: the lower half is folded into the upper, a word at a time.
    const w1 = v1 ^ (low << 63) ^ (low << 62) ^ (low << 57);
    const v2 = high ^ (reverse(middleUpper) >> 1) ^ low ^ (low >> 1) ^ (low >> 2) ^ (low >> 7);
    s0 = v2 ^ (w1 << 63) ^ (w1 << 62) ^ (w1 << 57);
    s1 = (reverse(highUpper) >> 1) ^ w1 ^ (w1 >> 1) ^ (w1 >> 2) ^ (w1 >> 7);
  }
  store<u64>(state, s0);
  store<u64>(state, s1, 8);
}
