/** Poly1305 of one long message in the four lanes of `poly1305-lanes.ts`: every fourth block in each. SIMD only. */
import { absorb, END, H, POWERS, setClamped, setMultipliers, TAGS, TAILS, wipePolyLanes } from "./poly1305-lanes";

/** One limb of all lanes together. */
@inline
function total(row: usize): u64 {
  return <u64>load<u32>(row) + load<u32>(row, 4) + load<u32>(row, 8) + load<u32>(row, 12);
}

/** Puts the limbs at `rows`, the same in all lanes, into one lane of POWERS. */
function keepPower(rows: usize, lane: usize): void {
  for (let i: usize = 0; i < 80; i += 16) store<u32>(POWERS + lane * 4 + i, load<u32>(rows + i));
}

/**
 * Absorbs part of one message, four blocks at a time: each lane is multiplied by r⁴, and in the end by the power of r that
 * brings it to its place. TAGS holds h0 … h4 in radix 2^32 before and after, each a u32, h4 ≤ 4; then only they are left.
 *
 * @param key - one-time, 32 bytes
 * @param length - a multiple of 64, and not 0
 */
export function absorbLong(key: usize, text: usize, length: usize): void {
  setClamped(
    v128.load32_splat(key),
    v128.load32_splat(key, 4),
    v128.load32_splat(key, 8),
    v128.load32_splat(key, 12),
  );
  // From r to r⁴: with a block of zeros, and no bit behind it, all that is done to h is to multiply it.
  keepPower(H, 3);
  for (let lane = 2; lane >= 0; lane--) {
    absorb(TAILS, TAILS, TAILS, TAILS, 16, 16, 0);
    keepPower(H, lane);
  }
  setMultipliers(H);
  for (let i: usize = 0; i < 80; i += 16) v128.store(H + i, i32x4.splat(0));
  // What was absorbed before goes into the first lane, from radix 2^32 to 2^26.
  const h0 = load<u32>(TAGS);
  const h1 = load<u32>(TAGS, 4);
  const h2 = load<u32>(TAGS, 8);
  const h3 = load<u32>(TAGS, 12);
  store<u32>(H, h0 & 0x3ff_ffff);
  store<u32>(H, ((h0 >> 26) | (h1 << 6)) & 0x3ff_ffff, 16);
  store<u32>(H, ((h1 >> 20) | (h2 << 12)) & 0x3ff_ffff, 32);
  store<u32>(H, ((h2 >> 14) | (h3 << 18)) & 0x3ff_ffff, 48);
  store<u32>(H, (h3 >> 8) + (load<u32>(TAGS, 16) << 24), 64);
  const last = text + length - 64;
  absorb(text, text + 16, text + 32, text + 48, length - 64, 64, END);
  setMultipliers(POWERS);
  absorb(last, last + 16, last + 32, last + 48, 64, 64, END);
  // The lanes' sum is below 2^132.1. From radix 2^26 to 2^32; what is above 2^130 comes back times 5.
  const t0 = total(H) + (total(H + 16) << 26);
  const t1 = (t0 >> 32) + (total(H + 32) << 20);
  const t2 = (t1 >> 32) + (total(H + 48) << 14);
  const t3 = (t2 >> 32) + (total(H + 64) << 8);
  const top = t3 >> 32;
  const u0 = (t0 & 0xffff_ffff) + (top >> 2) * 5;
  const u1 = (t1 & 0xffff_ffff) + (u0 >> 32);
  const u2 = (t2 & 0xffff_ffff) + (u1 >> 32);
  const u3 = (t3 & 0xffff_ffff) + (u2 >> 32);
  wipePolyLanes();
  store<u32>(TAGS, <u32>u0);
  store<u32>(TAGS, <u32>u1, 4);
  store<u32>(TAGS, <u32>u2, 8);
  store<u32>(TAGS, <u32>u3, 12);
  store<u32>(TAGS, <u32>((u3 >> 32) + (top & 3)), 16);
}
