/**
 * ChaCha20 (RFC 8439 §2.3) and HChaCha20 (draft-irtf-cfrg-xchacha §2.2), four blocks at once.
 *
 * The four blocks are lanes: row i of the state is a v128 with word i of each. Blocks of one message (four
 * counters) and blocks of four messages (four nonces, even four keys) are the same to this file.
 */
import { CIPHER_SCRATCH } from "../memory/layout";
import { STEP_SIZE, step } from "../mac/poly1305-steps";

/** The state in lanes: 16 rows of 16 bytes. Secret: the key is in rows 4 to 11. */
export const LANES: usize = CIPHER_SCRATCH;
export const LANES_SIZE: usize = 256;

/** "expand 32-byte k". */
const SIGMA = memory.data<u32>([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574], 16);

/** What `blocks` writes. */
export const FULL: i32 = 0;
/** The first 32 bytes of each block only. */
export const HALF: i32 = 1;
/** HChaCha20: rows 0–3 and 12–15 without the feed-forward, as 8 rows in lanes. */
export const SUBKEYS: i32 = 2;

@inline
function setWord(row: usize, lane: usize, word: u32): void {
  store<u32>(LANES + row * 16 + lane * 4, word);
}

/** Sets one row of all four lanes to one word. */
@inline
export function setRow(row: usize, word: u32): void {
  const at = LANES + row * 16;
  const twice = (<u64>word) | ((<u64>word) << 32);
  store<u64>(at, twice);
  store<u64>(at, twice, 8);
}

/** Constants and one key for all lanes. */
export function setKey(key: usize): void {
  for (let i: usize = 0; i < 4; i++) setRow(i, load<u32>(SIGMA + i * 4));
  for (let i: usize = 0; i < 8; i++) setRow(4 + i, load<u32>(key + i * 4));
}

/** Where SUBKEYS puts a key for each lane: rows 4 to 11 of the next state. */
export const LANE_KEYS: usize = LANES + 64;

/** `count` little-endian words of one lane, from row `row` on. */
@inline
export function setLaneWords(lane: usize, row: usize, words: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) setWord(row + i, lane, load<u32>(words + i * 4));
}

/** Counters c, c+1, c+2, c+3: four blocks of one message. */
export function setCounters(counter: u32): void {
  for (let lane: usize = 0; lane < 4; lane++) setWord(12, lane, counter + <u32>lane);
}

export function wipeLanes(): void {
  memory.fill(LANES, 0, LANES_SIZE);
}

// Swizzles with a constant: V8 makes one byte shuffle of them, and several instructions of a general shuffle.
@inline
function rotl16(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

@inline
function rotl8(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
}

@inline
function rotateLeft(x: v128, n: i32): v128 {
  return v128.or(i32x4.shl(x, n), i32x4.shr_u(x, 32 - n));
}

/** Adds the row's initial value. */
@inline
function fed(row: usize, x: v128): v128 {
  return i32x4.add(x, v128.load(LANES + row * 16));
}

/** Writes four rows as 16 bytes of each lane's block. */
@inline
function storeTransposed(out: usize, stride: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(out + stride, v128.shuffle<i64>(ab0, cd0, 1, 3));
  v128.store(out + stride * 2, v128.shuffle<i64>(ab1, cd1, 0, 2));
  v128.store(out + stride * 3, v128.shuffle<i64>(ab1, cd1, 1, 3));
}

/**
 * Runs the 20 rounds over the state in LANES, which is not modified.
 *
 * @param out - FULL: four blocks of 64 bytes; HALF: four times 32 bytes; SUBKEYS: 8 rows of 16 bytes (may be LANE_KEYS)
 */
@inline
export function blocks(out: usize, mode: i32): void {
  blocksBeside(out, mode, 0, 0);
}

/**
 * As `blocks`, and takes Poly1305 steps of other messages beside the rounds: they are scalar and fill the gaps that the
 * vector instructions leave.
 *
 * @param steps - the first step to take, up to `stepsEnd`; their number is a multiple of 4
 * @returns the first step that is still to be taken
 */
export function blocksBeside(out: usize, mode: i32, steps: usize, stepsEnd: usize): usize {
  if (ASC_FEATURE_SIMD) return blocksSimd(out, mode, steps, stepsEnd);
  blocksScalar(out, mode);
  return steps;
}

function blocksSimd(out: usize, mode: i32, steps: usize, stepsEnd: usize): usize {
  let x0 = v128.load(LANES);
  let x1 = v128.load(LANES, 16);
  let x2 = v128.load(LANES, 32);
  let x3 = v128.load(LANES, 48);
  let x4 = v128.load(LANES, 64);
  let x5 = v128.load(LANES, 80);
  let x6 = v128.load(LANES, 96);
  let x7 = v128.load(LANES, 112);
  let x8 = v128.load(LANES, 128);
  let x9 = v128.load(LANES, 144);
  let x10 = v128.load(LANES, 160);
  let x11 = v128.load(LANES, 176);
  let x12 = v128.load(LANES, 192);
  let x13 = v128.load(LANES, 208);
  let x14 = v128.load(LANES, 224);
  let x15 = v128.load(LANES, 240);
  for (let i = 0; i < 10; i++) {
    if (steps < stepsEnd) {
      // Two steps of different messages: neither waits for the other.
      step(steps);
      step(steps + STEP_SIZE);
      steps += 2 * STEP_SIZE;
    }
    // Columns.
    x0 = i32x4.add(x0, x4);
    x1 = i32x4.add(x1, x5);
    x2 = i32x4.add(x2, x6);
    x3 = i32x4.add(x3, x7);
    x12 = rotl16(v128.xor(x12, x0));
    x13 = rotl16(v128.xor(x13, x1));
    x14 = rotl16(v128.xor(x14, x2));
    x15 = rotl16(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12);
    x9 = i32x4.add(x9, x13);
    x10 = i32x4.add(x10, x14);
    x11 = i32x4.add(x11, x15);
    x4 = rotateLeft(v128.xor(x4, x8), 12);
    x5 = rotateLeft(v128.xor(x5, x9), 12);
    x6 = rotateLeft(v128.xor(x6, x10), 12);
    x7 = rotateLeft(v128.xor(x7, x11), 12);
    x0 = i32x4.add(x0, x4);
    x1 = i32x4.add(x1, x5);
    x2 = i32x4.add(x2, x6);
    x3 = i32x4.add(x3, x7);
    x12 = rotl8(v128.xor(x12, x0));
    x13 = rotl8(v128.xor(x13, x1));
    x14 = rotl8(v128.xor(x14, x2));
    x15 = rotl8(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12);
    x9 = i32x4.add(x9, x13);
    x10 = i32x4.add(x10, x14);
    x11 = i32x4.add(x11, x15);
    x4 = rotateLeft(v128.xor(x4, x8), 7);
    x5 = rotateLeft(v128.xor(x5, x9), 7);
    x6 = rotateLeft(v128.xor(x6, x10), 7);
    x7 = rotateLeft(v128.xor(x7, x11), 7);
    // Diagonals.
    x0 = i32x4.add(x0, x5);
    x1 = i32x4.add(x1, x6);
    x2 = i32x4.add(x2, x7);
    x3 = i32x4.add(x3, x4);
    x15 = rotl16(v128.xor(x15, x0));
    x12 = rotl16(v128.xor(x12, x1));
    x13 = rotl16(v128.xor(x13, x2));
    x14 = rotl16(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15);
    x11 = i32x4.add(x11, x12);
    x8 = i32x4.add(x8, x13);
    x9 = i32x4.add(x9, x14);
    x5 = rotateLeft(v128.xor(x5, x10), 12);
    x6 = rotateLeft(v128.xor(x6, x11), 12);
    x7 = rotateLeft(v128.xor(x7, x8), 12);
    x4 = rotateLeft(v128.xor(x4, x9), 12);
    x0 = i32x4.add(x0, x5);
    x1 = i32x4.add(x1, x6);
    x2 = i32x4.add(x2, x7);
    x3 = i32x4.add(x3, x4);
    x15 = rotl8(v128.xor(x15, x0));
    x12 = rotl8(v128.xor(x12, x1));
    x13 = rotl8(v128.xor(x13, x2));
    x14 = rotl8(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15);
    x11 = i32x4.add(x11, x12);
    x8 = i32x4.add(x8, x13);
    x9 = i32x4.add(x9, x14);
    x5 = rotateLeft(v128.xor(x5, x10), 7);
    x6 = rotateLeft(v128.xor(x6, x11), 7);
    x7 = rotateLeft(v128.xor(x7, x8), 7);
    x4 = rotateLeft(v128.xor(x4, x9), 7);
  }
  if (mode == SUBKEYS) {
    v128.store(out, x0);
    v128.store(out, x1, 16);
    v128.store(out, x2, 32);
    v128.store(out, x3, 48);
    v128.store(out, x12, 64);
    v128.store(out, x13, 80);
    v128.store(out, x14, 96);
    v128.store(out, x15, 112);
    return steps;
  }
  const stride: usize = mode == HALF ? 32 : 64;
  storeTransposed(out, stride, fed(0, x0), fed(1, x1), fed(2, x2), fed(3, x3));
  storeTransposed(out + 16, stride, fed(4, x4), fed(5, x5), fed(6, x6), fed(7, x7));
  if (mode == HALF) return steps;
  storeTransposed(out + 32, stride, fed(8, x8), fed(9, x9), fed(10, x10), fed(11, x11));
  storeTransposed(out + 48, stride, fed(12, x12), fed(13, x13), fed(14, x14), fed(15, x15));
  return steps;
}

function blocksScalar(out: usize, mode: i32): void {
  for (let lane: usize = 0; lane < 4; lane++) blockScalar(lane, out, mode);
}

@inline
function word(row: usize, lane: usize): u32 {
  return load<u32>(LANES + row * 16 + lane * 4);
}

function blockScalar(lane: usize, out: usize, mode: i32): void {
  let x0 = word(0, lane);
  let x1 = word(1, lane);
  let x2 = word(2, lane);
  let x3 = word(3, lane);
  let x4 = word(4, lane);
  let x5 = word(5, lane);
  let x6 = word(6, lane);
  let x7 = word(7, lane);
  let x8 = word(8, lane);
  let x9 = word(9, lane);
  let x10 = word(10, lane);
  let x11 = word(11, lane);
  let x12 = word(12, lane);
  let x13 = word(13, lane);
  let x14 = word(14, lane);
  let x15 = word(15, lane);
  for (let i = 0; i < 10; i++) {
    x0 += x4;
    x12 = rotl(x12 ^ x0, 16);
    x8 += x12;
    x4 = rotl(x4 ^ x8, 12);
    x0 += x4;
    x12 = rotl(x12 ^ x0, 8);
    x8 += x12;
    x4 = rotl(x4 ^ x8, 7);
    x1 += x5;
    x13 = rotl(x13 ^ x1, 16);
    x9 += x13;
    x5 = rotl(x5 ^ x9, 12);
    x1 += x5;
    x13 = rotl(x13 ^ x1, 8);
    x9 += x13;
    x5 = rotl(x5 ^ x9, 7);
    x2 += x6;
    x14 = rotl(x14 ^ x2, 16);
    x10 += x14;
    x6 = rotl(x6 ^ x10, 12);
    x2 += x6;
    x14 = rotl(x14 ^ x2, 8);
    x10 += x14;
    x6 = rotl(x6 ^ x10, 7);
    x3 += x7;
    x15 = rotl(x15 ^ x3, 16);
    x11 += x15;
    x7 = rotl(x7 ^ x11, 12);
    x3 += x7;
    x15 = rotl(x15 ^ x3, 8);
    x11 += x15;
    x7 = rotl(x7 ^ x11, 7);
    x0 += x5;
    x15 = rotl(x15 ^ x0, 16);
    x10 += x15;
    x5 = rotl(x5 ^ x10, 12);
    x0 += x5;
    x15 = rotl(x15 ^ x0, 8);
    x10 += x15;
    x5 = rotl(x5 ^ x10, 7);
    x1 += x6;
    x12 = rotl(x12 ^ x1, 16);
    x11 += x12;
    x6 = rotl(x6 ^ x11, 12);
    x1 += x6;
    x12 = rotl(x12 ^ x1, 8);
    x11 += x12;
    x6 = rotl(x6 ^ x11, 7);
    x2 += x7;
    x13 = rotl(x13 ^ x2, 16);
    x8 += x13;
    x7 = rotl(x7 ^ x8, 12);
    x2 += x7;
    x13 = rotl(x13 ^ x2, 8);
    x8 += x13;
    x7 = rotl(x7 ^ x8, 7);
    x3 += x4;
    x14 = rotl(x14 ^ x3, 16);
    x9 += x14;
    x4 = rotl(x4 ^ x9, 12);
    x3 += x4;
    x14 = rotl(x14 ^ x3, 8);
    x9 += x14;
    x4 = rotl(x4 ^ x9, 7);
  }
  if (mode == SUBKEYS) {
    const at = out + lane * 4;
    store<u32>(at, x0);
    store<u32>(at, x1, 16);
    store<u32>(at, x2, 32);
    store<u32>(at, x3, 48);
    store<u32>(at, x12, 64);
    store<u32>(at, x13, 80);
    store<u32>(at, x14, 96);
    store<u32>(at, x15, 112);
    return;
  }
  const at = out + lane * (mode == HALF ? 32 : 64);
  store<u32>(at, x0 + word(0, lane));
  store<u32>(at, x1 + word(1, lane), 4);
  store<u32>(at, x2 + word(2, lane), 8);
  store<u32>(at, x3 + word(3, lane), 12);
  store<u32>(at, x4 + word(4, lane), 16);
  store<u32>(at, x5 + word(5, lane), 20);
  store<u32>(at, x6 + word(6, lane), 24);
  store<u32>(at, x7 + word(7, lane), 28);
  if (mode == HALF) return;
  store<u32>(at, x8 + word(8, lane), 32);
  store<u32>(at, x9 + word(9, lane), 36);
  store<u32>(at, x10 + word(10, lane), 40);
  store<u32>(at, x11 + word(11, lane), 44);
  store<u32>(at, x12 + word(12, lane), 48);
  store<u32>(at, x13 + word(13, lane), 52);
  store<u32>(at, x14 + word(14, lane), 56);
  store<u32>(at, x15 + word(15, lane), 60);
}
