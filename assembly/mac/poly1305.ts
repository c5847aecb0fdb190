/**
 * Poly1305 (RFC 8439 §2.5) over what an AEAD authenticates (§2.8): associated data and ciphertext, each padded
 * to 16 bytes, and their lengths. Scalar, but for long texts with SIMD: radix 2^32 with the clamped r makes 20
 * multiplications a block.
 */
import { declassify, TAG_VERDICT } from "../memory/declassify";
import { CIPHER_SCRATCH } from "../memory/layout";
import { TAGS } from "./poly1305-lanes";
import { absorbLong } from "./poly1305-long";

/** Padded tails of associated data and ciphertext, and the block of lengths. */
const TAIL_AAD: usize = CIPHER_SCRATCH + 1536;
const TAIL_TEXT: usize = TAIL_AAD + 16;
const LENGTHS: usize = TAIL_AAD + 32;
const TAILS_SIZE: usize = 48;

/** From this length on it pays to absorb four blocks at a time. */
const LONG: usize = 512;

@inline
function low(x: u64): u64 {
  return x & 0xffff_ffff;
}

/**
 * The tag of an AEAD.
 *
 * @param key - 32 bytes, one-time. Not wiped here.
 * @param out - 16 bytes.
 */
export function poly1305Aead(
  key: usize,
  aad: usize,
  aadLength: usize,
  text: usize,
  textLength: usize,
  out: usize,
): void {
  // The clamped r (§2.5.1): every word is below 2^28, and all but the first are multiples of 4.
  const r0: u64 = load<u32>(key) & 0x0fff_ffff;
  const r1: u64 = load<u32>(key, 4) & 0x0fff_fffc;
  const r2: u64 = load<u32>(key, 8) & 0x0fff_fffc;
  const r3: u64 = load<u32>(key, 12) & 0x0fff_fffc;
  // 2^130 = 5 (mod p), and r1…r3 divide by 4: what overflows 2^128 comes back times 5/4.
  const q0: u64 = (r0 >> 2) * 5;
  const q1: u64 = r1 + (r1 >> 2);
  const q2: u64 = r2 + (r2 >> 2);
  const q3: u64 = r3 + (r3 >> 2);
  const q4: u64 = r0 & 3;

  const aadTail = aadLength & 15;
  const textTail = textLength & 15;
  memory.copy(TAIL_AAD, aad + aadLength - aadTail, aadTail);
  memory.copy(TAIL_TEXT, text + textLength - textTail, textTail);
  store<u64>(LENGTHS, <u64>aadLength);
  store<u64>(LENGTHS, <u64>textLength, 8);

  let h0: u64 = 0;
  let h1: u64 = 0;
  let h2: u64 = 0;
  let h3: u64 = 0;
  let h4: u64 = 0;
  for (let part = 0; part < 5; part++) {
    let at: usize;
    let end: usize;
    if (part == 0) {
      at = aad;
      end = aad + aadLength - aadTail;
    } else if (part == 1) {
      at = TAIL_AAD;
      end = TAIL_AAD + (aadTail != 0 ? 16 : 0);
    } else if (part == 2) {
      at = text;
      if (ASC_FEATURE_SIMD && textLength >= LONG) {
        const length = textLength & ~63;
        store<u32>(TAGS, <u32>h0);
        store<u32>(TAGS, <u32>h1, 4);
        store<u32>(TAGS, <u32>h2, 8);
        store<u32>(TAGS, <u32>h3, 12);
        store<u32>(TAGS, <u32>h4, 16);
        absorbLong(key, at, length);
        h0 = load<u32>(TAGS);
        h1 = load<u32>(TAGS, 4);
        h2 = load<u32>(TAGS, 8);
        h3 = load<u32>(TAGS, 12);
        h4 = load<u32>(TAGS, 16);
        memory.fill(TAGS, 0, 20);
        at += length;
      }
      end = text + textLength - textTail;
    } else if (part == 3) {
      at = TAIL_TEXT;
      end = TAIL_TEXT + (textTail != 0 ? 16 : 0);
    } else {
      at = LENGTHS;
      end = LENGTHS + 16;
    }
    for (; at < end; at += 16) {
      // Bounds. Before: h0…h3 < 2^32, h4 ≤ 4 (below). So s0…s3 < 2^33 and s4 ≤ 5; with r, q < 2^28.33 each
      // product is below 2^61.33, a sum of four and a small fifth below 2^63.4: it fits in 64 bits.
      const s0 = h0 + load<u32>(at);
      const s1 = h1 + load<u32>(at, 4);
      const s2 = h2 + load<u32>(at, 8);
      const s3 = h3 + load<u32>(at, 12);
      const s4 = h4 + 1;
      const x0 = s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1 + s4 * q0;
      const x1 = s0 * r1 + s1 * r0 + s2 * q3 + s3 * q2 + s4 * q1;
      const x2 = s0 * r2 + s1 * r1 + s2 * r0 + s3 * q3 + s4 * q2;
      const x3 = s0 * r3 + s1 * r2 + s2 * r1 + s3 * r0 + s4 * q3;
      // Above 2^128: x4 ≤ 5·3, x3 >> 32 < 2^31.4, so top < 2^32.
      const top = s4 * q4 + (x3 >> 32);
      // One carry pass. (top >> 2)·5 < 2^32.4, so each u stays below 2^34 and the last carry is at most 1 (u3's
      // high part) on top of the two bits kept of `top`: h4 ≤ 4.
      const u0 = low(x0) + (top >> 2) * 5;
      const u1 = low(x1) + (x0 >> 32) + (u0 >> 32);
      const u2 = low(x2) + (x1 >> 32) + (u1 >> 32);
      const u3 = low(x3) + (x2 >> 32) + (u2 >> 32);
      h0 = low(u0);
      h1 = low(u1);
      h2 = low(u2);
      h3 = low(u3);
      h4 = (u3 >> 32) + (top & 3);
    }
  }
  finish(h0, h1, h2, h3, h4, key, out);
  memory.fill(TAIL_AAD, 0, TAILS_SIZE);
}

/** Reduces h fully modulo 2^130 − 5 and adds the key's second half. */
function finish(h0: u64, h1: u64, h2: u64, h3: u64, h4: u64, key: usize, out: usize): void {
  // h + 5 reaches 2^130 exactly when h ≥ p; its top says how often 5 has to be added (h < 2p).
  let carry = (h0 + 5) >> 32;
  carry = (h1 + carry) >> 32;
  carry = (h2 + carry) >> 32;
  carry = (h3 + carry) >> 32;
  const times = (h4 + carry) >> 2;
  const sum0 = h0 + times * 5 + load<u32>(key, 16);
  const sum1 = (sum0 >> 32) + h1 + load<u32>(key, 20);
  const sum2 = (sum1 >> 32) + h2 + load<u32>(key, 24);
  const sum3 = (sum2 >> 32) + h3 + load<u32>(key, 28);
  store<u64>(out, low(sum0) | (sum1 << 32));
  store<u64>(out, low(sum2) | (sum3 << 32), 8);
}

/** Compares two tags without an early exit. */
export function sameTag(a: usize, b: usize): bool {
  const difference = (load<u64>(a) ^ load<u64>(b)) | (load<u64>(a, 8) ^ load<u64>(b, 8));
  return <bool>declassify(<i32>(difference == 0), TAG_VERDICT);
}
