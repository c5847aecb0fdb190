/**
 * SHA-256 of four messages at once, one in each 32-bit lane (SIMD build only).
 *
 * A lane state is 8 × v128: word i of four states. The four messages of a call run in step, and take as
 * long as the longest of them. Lengths are public.
 */
import { SHA_SCRATCH } from "../memory/layout";
import { ROUND_CONSTANTS } from "./sha256-block";

/** The schedule of the blocks in hand: 64 × v128. The hash of one message uses what lies before. */
const SCHEDULE: usize = SHA_SCRATCH + 768;
/** Two lane states for the callers: the hash in hand, and a second one over the same messages. */
export const LANES_STATE: usize = SCHEDULE + 1024;
export const LANES_SECOND: usize = LANES_STATE + 128;
/** The schedule's first sixteen words, where a caller may place a block that is in lanes already. */
export const LANES_BLOCK: usize = SCHEDULE;
const LANES_SPARE: usize = LANES_SECOND + 128;
/** The four messages of a call: their addresses, at least 16 each, then their lengths, 4 × u32 each. */
export const LANES_GROUP: usize = LANES_SPARE + 128;
/** All of the above. */
const LANES_SIZE: usize = 1440;

@inline
function rotateRight(x: v128, n: i32): v128 {
  return v128.or(i32x4.shr_u(x, n), i32x4.shl(x, 32 - n));
}

@inline
function xor3(x: v128, y: v128, z: v128): v128 {
  return v128.xor(v128.xor(x, y), z);
}

/** Sets the schedule's word sixteen after the one at `t`; `w2` is the word fourteen after it. */
@inline
function extend(t: usize, w2: v128): v128 {
  const w15 = v128.load(t, 16);
  const sigma0 = xor3(rotateRight(w15, 7), rotateRight(w15, 18), i32x4.shr_u(w15, 3));
  const sigma1 = xor3(rotateRight(w2, 17), rotateRight(w2, 19), i32x4.shr_u(w2, 10));
  const rest = i32x4.add(i32x4.add(v128.load(t), v128.load(t, 144)), sigma0);
  const word = i32x4.add(rest, sigma1);
  v128.store(t, word, 256);
  return word;
}

/** Extends LANES_BLOCK to the whole schedule. Leaves LANES_BLOCK as it is. */
export function lanesSchedule(): void {
  // The two newest words stay in locals: through memory the chain of σ1 would wait on its stores.
  let even = v128.load(SCHEDULE, 224);
  let odd = v128.load(SCHEDULE, 240);
  for (let t = SCHEDULE; t < SCHEDULE + 768; t += 32) {
    even = extend(t, even);
    odd = extend(t + 16, odd);
  }
}

/**
 * The 64 rounds over the schedule that `lanesSchedule` left.
 *
 * @param from - lane state before the block.
 * @param to - lane state after it; may be `from`, or LANES_BLOCK.
 */
export function lanesRounds(from: usize, to: usize): void {
  let a = v128.load(from);
  let b = v128.load(from, 16);
  let c = v128.load(from, 32);
  let d = v128.load(from, 48);
  let e = v128.load(from, 64);
  let f = v128.load(from, 80);
  let g = v128.load(from, 96);
  let h = v128.load(from, 112);
  let bc = v128.xor(b, c);
  // One round a turn: the moves cost nothing, and unrolled rounds make V8 spill registers.
  for (let t: usize = 0; t < 256; t += 4) {
    const constant = v128.load32_splat(ROUND_CONSTANTS + t);
    const input = i32x4.add(i32x4.add(v128.load(SCHEDULE + t * 4), constant), h);
    const sigma1 = xor3(rotateRight(e, 6), rotateRight(e, 11), rotateRight(e, 25));
    const sum = i32x4.add(i32x4.add(input, v128.bitselect(f, g, e)), sigma1);
    const sigma0 = xor3(rotateRight(a, 2), rotateRight(a, 13), rotateRight(a, 22));
    const ab = v128.xor(a, b);
    const majority = v128.xor(b, v128.and(ab, bc)); // a ⊕ b of this round is b ⊕ c of the next
    bc = ab;
    h = g;
    g = f;
    f = e;
    e = i32x4.add(d, sum);
    d = c;
    c = b;
    b = a;
    a = i32x4.add(sum, i32x4.add(sigma0, majority));
  }
  v128.store(to, i32x4.add(v128.load(from), a));
  v128.store(to, i32x4.add(v128.load(from, 16), b), 16);
  v128.store(to, i32x4.add(v128.load(from, 32), c), 32);
  v128.store(to, i32x4.add(v128.load(from, 48), d), 48);
  v128.store(to, i32x4.add(v128.load(from, 64), e), 64);
  v128.store(to, i32x4.add(v128.load(from, 80), f), 80);
  v128.store(to, i32x4.add(v128.load(from, 96), g), 96);
  v128.store(to, i32x4.add(v128.load(from, 112), h), 112);
}

/** The same state (8 × u32 at `state`) in all four lanes of the lane state at `lanes`. */
export function lanesSplat(state: usize, lanes: usize): void {
  for (let i: usize = 0; i < 32; i += 4) v128.store(lanes + i * 4, v128.load32_splat(state + i));
}

/** Puts a state (8 × u32 at `state`) into one lane of the lane state at `lanes`. */
export function lanesSet(state: usize, lanes: usize, lane: usize): void {
  for (let i: usize = 0; i < 32; i += 4) store<u32>(lanes + i * 4 + lane * 4, load<u32>(state + i));
}

/** Each word's bytes turned round: big-endian bytes to native words, and back. */
@inline
function swapBytes(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

/** Turns four rows of four words into columns, swaps their bytes and stores the first `count`, at least 2. */
@inline
function storeColumns(x0: v128, x1: v128, x2: v128, x3: v128, to: usize, stride: usize, count: i32): void {
  const low01 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5);
  const low23 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7);
  const high23 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7);
  v128.store(to, swapBytes(v128.shuffle<i64>(low01, low23, 0, 2)));
  v128.store(to + stride, swapBytes(v128.shuffle<i64>(low01, low23, 1, 3)));
  if (count > 2) v128.store(to + stride * 2, swapBytes(v128.shuffle<i64>(high01, high23, 0, 2)));
  if (count > 3) v128.store(to + stride * 3, swapBytes(v128.shuffle<i64>(high01, high23, 1, 3)));
}

/** Writes the first `count` (2 … 4) digests of a lane state, 32 big-endian bytes each, `stride` bytes apart. */
export function lanesStore(lanes: usize, out: usize, stride: usize, count: i32): void {
  for (let i: usize = 0; i < 128; i += 64) {
    const x0 = v128.load(lanes + i);
    const x1 = v128.load(lanes + i, 16);
    storeColumns(x0, x1, v128.load(lanes + i, 32), v128.load(lanes + i, 48), out + i / 4, stride, count);
  }
}

/**
 * The sixteen bytes at `at` where a message ends after `left` (below 16) of them: those, then the suffix,
 * then zeros. Reads up to 15 bytes in front of `at`, none behind the message.
 */
function lastPiece(at: usize, left: i32, suffix: v128): v128 {
  if (left <= -16) return i32x4.splat(0);
  // Swizzle gives 0 for an index beyond 15, also for one that wrapped below 0.
  const index = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const end = i8x16.swizzle(suffix, i8x16.sub(index, i8x16.splat(<i8>left)));
  if (left <= 0) return end;
  const bytes = v128.load(at + left - 16);
  return v128.or(end, i8x16.swizzle(bytes, i8x16.add(index, i8x16.splat(<i8>(16 - left)))));
}

@inline
function piece(at: usize, left: i32, suffix: v128): v128 {
  return left >= 16 ? v128.load(at) : lastPiece(at, left, suffix);
}

/** Loads one block of each message into LANES_BLOCK; behind a message's end its suffix, then zeros. */
function loadBlock(pointers: v128, left: v128, suffix: v128): void {
  const p0: usize = i32x4.extract_lane(pointers, 0);
  const p1: usize = i32x4.extract_lane(pointers, 1);
  const p2: usize = i32x4.extract_lane(pointers, 2);
  const p3: usize = i32x4.extract_lane(pointers, 3);
  const left0 = i32x4.extract_lane(left, 0);
  const left1 = i32x4.extract_lane(left, 1);
  const left2 = i32x4.extract_lane(left, 2);
  const left3 = i32x4.extract_lane(left, 3);
  for (let j: i32 = 0; j < 64; j += 16) {
    const x0 = piece(p0 + j, left0 - j, suffix);
    const x1 = piece(p1 + j, left1 - j, suffix);
    const x2 = piece(p2 + j, left2 - j, suffix);
    const x3 = piece(p3 + j, left3 - j, suffix);
    storeColumns(x0, x1, x2, x3, LANES_BLOCK + j * 4, 16, 4);
  }
}

/** Sets the length field, (`lengths` + `extra`) bytes in bits, in the lanes of `ends`. */
function storeLengths(lengths: v128, extra: u64, ends: v128): void {
  const low = i32x4.add(lengths, i32x4.splat(<i32>extra));
  const carry = i32x4.lt_u(low, lengths); // −1 where the sum wrapped
  const high = i32x4.sub(i32x4.splat(<i32>(extra >> 32)), carry);
  const upper = v128.or(i32x4.shl(high, 3), i32x4.shr_u(low, 29));
  v128.store(LANES_BLOCK, v128.bitselect(upper, v128.load(LANES_BLOCK, 224), ends), 224);
  v128.store(LANES_BLOCK, v128.bitselect(i32x4.shl(low, 3), v128.load(LANES_BLOCK, 240), ends), 240);
}

/** The rounds in the lanes of `active`; the others keep their state. */
function roundsWhere(state: usize, active: v128): void {
  if (i32x4.all_true(active)) {
    lanesRounds(state, state);
    return;
  }
  lanesRounds(state, LANES_SPARE);
  for (let i: usize = 0; i < 128; i += 16) {
    v128.store(state + i, v128.bitselect(v128.load(LANES_SPARE + i), v128.load(state + i), active));
  }
}

/**
 * Absorbs the four messages of LANES_GROUP into LANES_STATE, padding included. A lane that is done before
 * the others stands still.
 *
 * @param suffix - what follows each message: 0x80, where the padding begins; or one byte and then 0x80,
 *   little-endian.
 * @param extra - bytes to add to each length for the length field: what LANES_STATE has absorbed
 *   already, and the suffix's byte before its 0x80.
 * @param prefix - a byte to stand in place of each message's first, or −1.
 * @param chain - a lane state to stand in place of the first 32 bytes of each message, or 0.
 * @param second - whether LANES_SECOND absorbs the messages too, as a hash that has absorbed nothing
 *   before: the schedule is shared except in a last block, where the length differs.
 */
export function lanesAbsorb(suffix: u32, extra: u64, prefix: i32, chain: usize, second: bool): void {
  const lengths = v128.load(LANES_GROUP, 16);
  const ending = i32x4.replace_lane(i32x4.splat(0), 0, suffix);
  // A block is a message's last one where at most `room` bytes are left: suffix and length follow.
  const room = i32x4.splat(suffix > 0xff ? 54 : 55);
  let pointers = v128.load(LANES_GROUP);
  let left = lengths;
  let active = i32x4.splat(-1);
  while (v128.any_true(active)) {
    const ends = i32x4.le_s(left, room);
    const last = v128.any_true(ends);
    loadBlock(pointers, left, ending);
    if (prefix >= 0) {
      const rest = v128.and(v128.load(LANES_BLOCK), i32x4.splat(0xffffff));
      v128.store(LANES_BLOCK, v128.or(rest, i32x4.splat(prefix << 24)));
      prefix = -1;
    }
    if (chain) {
      memory.copy(LANES_BLOCK, chain, 128);
      chain = 0;
    }
    if (last) storeLengths(lengths, extra, ends);
    lanesSchedule();
    roundsWhere(LANES_STATE, active);
    if (second) {
      if (last) {
        storeLengths(lengths, 0, ends);
        lanesSchedule();
      }
      roundsWhere(LANES_SECOND, active);
    }
    pointers = i32x4.add(pointers, i32x4.splat(64));
    left = i32x4.sub(left, i32x4.splat(64));
    active = v128.andnot(active, ends);
  }
}

/** Fills the second half of LANES_BLOCK with the padding of a 32-byte message that follows one block. */
export function lanesDigestPadding(): void {
  v128.store(LANES_BLOCK, i32x4.splat(<i32>0x80000000), 128);
  for (let i: usize = 144; i < 240; i += 16) v128.store(LANES_BLOCK + i, i32x4.splat(0));
  v128.store(LANES_BLOCK, i32x4.splat(768), 240); // 64 + 32 bytes, in bits
}

/** HMAC's outer hash (RFC 2104 §2): LANES_STATE becomes the MACs of the inner digests it holds. */
export function lanesOuter(outer: usize): void {
  for (let i: usize = 0; i < 128; i += 16) v128.store(LANES_BLOCK + i, v128.load(LANES_STATE + i));
  lanesDigestPadding();
  lanesSchedule();
  lanesSplat(outer, LANES_STATE);
  lanesRounds(LANES_STATE, LANES_STATE);
}

/** Zeroes what the lanes left in SHA_SCRATCH. */
export function lanesWipe(): void {
  memory.fill(SCHEDULE, 0, LANES_SIZE);
}
