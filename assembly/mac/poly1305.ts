/**
 * Poly1305 (RFC 8439 §2.5) over what an AEAD authenticates (§2.8): associated data and ciphertext, each padded
 * to 16 bytes, and their lengths. Scalar: radix 2^32 with the clamped r makes 16 multiplications a block.
 *
 * h is kept loose; why no sum overflows. Write B = 2^32, R = 2^28. Every r is below R and q1…q3 below 1.25 R. Claim: before
 * each block h0 < 2.25 B, h1 and h2 < 2 B, h3 < 5 B. It holds for 0. With a message word below B in each limb, 2^128 as B
 * in limb 3, and one carry out of limbs 0 and 1 (at most 3 each):
 *
 *   s0 < B    s1 ≤ B + 2    s2 ≤ 3 B + 2    s3 ≤ 7 B
 *
 * In units of B R = 2^60, leaving out terms below 2^31:
 *
 *   x0 ≤ 1 + 1.25 (1 + 3 + 7) = 14.75      x2 ≤ 1 + 1 + 3 + 1.25 · 7 = 13.75
 *   x1 ≤ 1 + 1 + 1.25 (3 + 7) = 14.5       x3 ≤ 1 + 1 + 3 + 7 = 12
 *
 * all below 16, which is 2^64. x3 from bit 34 on weighs 2^130 = 5 (mod p) and is below 0.75 · 2^30. So the next
 * h0 < B + 5 · 0.75 · B / 4 < 2 B, h1 and h2 < 2 B, h3 < 4 B + B: the claim.
 */
import { CIPHER_SCRATCH } from "../memory/layout";

/** Padded tails of associated data and ciphertext, and the block of lengths. */
const TAIL_AAD: usize = CIPHER_SCRATCH + 256;
const TAIL_TEXT: usize = TAIL_AAD + 16;
const LENGTHS: usize = TAIL_AAD + 32;
const TAILS_SIZE: usize = 48;

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
  const q1: u64 = r1 + (r1 >> 2);
  const q2: u64 = r2 + (r2 >> 2);
  const q3: u64 = r3 + (r3 >> 2);

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
      end = text + textLength - textTail;
    } else if (part == 3) {
      at = TAIL_TEXT;
      end = TAIL_TEXT + (textTail != 0 ? 16 : 0);
    } else {
      at = LENGTHS;
      end = LENGTHS + 16;
    }
    for (; at < end; at += 16) {
      const t0 = h0 + load<u32>(at);
      const t1 = h1 + load<u32>(at, 4);
      const s0 = low(t0);
      const s1 = low(t1) + (t0 >> 32);
      const s2 = h2 + load<u32>(at, 8) + (t1 >> 32);
      const s3 = h3 + load<u32>(at, 12) + 0x1_0000_0000;
      const x0 = s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1;
      const x1 = s0 * r1 + s1 * r0 + s2 * q3 + s3 * q2;
      const x2 = s0 * r2 + s1 * r1 + s2 * r0 + s3 * q3;
      const x3 = s0 * r3 + s1 * r2 + s2 * r1 + s3 * r0;
      h0 = low(x0) + (x3 >> 34) * 5;
      h1 = low(x1) + (x0 >> 32);
      h2 = low(x2) + (x1 >> 32);
      h3 = (x3 & 0x3_ffff_ffff) + (x2 >> 32);
    }
  }
  finish(h0, h1, h2, h3, key, out);
  memory.fill(TAIL_AAD, 0, TAILS_SIZE);
}

/** Reduces h fully modulo 2^130 − 5 and adds the key's second half. */
export function finish(h0: u64, h1: u64, h2: u64, h3: u64, key: usize, out: usize): void {
  // h + 5 reaches 2^130 exactly when h ≥ p; its top says how often 5 has to be added (h < 5.01 · 2^128 < 2p).
  let carry = (h0 + 5) >> 32;
  carry = (h1 + carry) >> 32;
  carry = (h2 + carry) >> 32;
  const times = (h3 + carry) >> 34;
  let sum = h0 + times * 5 + load<u32>(key, 16);
  store<u32>(out, <u32>sum);
  sum = (sum >> 32) + h1 + load<u32>(key, 20);
  store<u32>(out, <u32>sum, 4);
  sum = (sum >> 32) + h2 + load<u32>(key, 24);
  store<u32>(out, <u32>sum, 8);
  sum = (sum >> 32) + h3 + load<u32>(key, 28);
  store<u32>(out, <u32>sum, 12);
}

/** Compares two tags without an early exit. */
export function sameTag(a: usize, b: usize): bool {
  return ((load<u64>(a) ^ load<u64>(b)) | (load<u64>(a, 8) ^ load<u64>(b, 8))) == 0;
}
