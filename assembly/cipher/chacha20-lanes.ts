/**
 * ChaCha20 (RFC 8439 §2.3) and HChaCha20 (draft-irtf-cfrg-xchacha §2.2), four blocks a run, up to three runs side by side.
 *
 * The four blocks of a run are lanes: row i of its state is 16 bytes, word i of each. Blocks of one message (four
 * counters) and blocks of four messages (four nonces, even four keys) are the same to this file.
 */
import { CIPHER_SCRATCH } from "../memory/layout";
import { doubleRounds, roundsScalar } from "./chacha20-rounds";

/** A run: 16 rows of its initial state, then 16 rows at work. Secret: the key is in rows 4 to 11. */
export const RUN_SIZE: usize = 512;
const WORK: usize = 256;
export const RUN_A: usize = CIPHER_SCRATCH;
export const RUN_B: usize = RUN_A + RUN_SIZE;
export const RUN_C: usize = RUN_B + RUN_SIZE;
export const RUNS_END: usize = RUN_C + RUN_SIZE;

/** "expand 32-byte k". */
const SIGMA = memory.data<u32>([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574], 16);

/** Sets one row of all four lanes to one word. */
@inline
export function setRow(run: usize, row: usize, word: u32): void {
  const at = run + row * 16;
  if (ASC_FEATURE_SIMD) {
    v128.store(at, v128.splat<u32>(word));
  } else {
    const twice = (<u64>word) | ((<u64>word) << 32);
    store<u64>(at, twice);
    store<u64>(at, twice, 8);
  }
}

/** Constants and one key for all lanes. */
export function setKey(run: usize, key: usize): void {
  for (let i: usize = 0; i < 4; i++) setRow(run, i, load<u32>(SIGMA + i * 4));
  for (let i: usize = 0; i < 8; i++) setRow(run, 4 + i, load<u32>(key + i * 4));
}

/** Counters c, c+1, c+2, c+3: four blocks of one message. */
export function setCounters(run: usize, counter: u32): void {
  if (ASC_FEATURE_SIMD) {
    v128.store(run + 192, i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3)));
  } else {
    for (let lane: u32 = 0; lane < 4; lane++) store<u32>(run + 192 + lane * 4, counter + lane);
  }
}

/** Sets rows 12 to 15 to 16 bytes from one address for each lane. */
@inline
export function setLastRows(run: usize, a: usize, b: usize, c: usize, d: usize): void {
  const to = run + 192;
  if (ASC_FEATURE_SIMD) {
    storeTransposed(to, 16, v128.load(a), v128.load(b), v128.load(c), v128.load(d));
  } else {
    for (let i: usize = 0; i < 16; i += 4) {
      store<u32>(to + i * 4, load<u32>(a + i));
      store<u32>(to + i * 4, load<u32>(b + i), 4);
      store<u32>(to + i * 4, load<u32>(c + i), 8);
      store<u32>(to + i * 4, load<u32>(d + i), 12);
    }
  }
}

export function wipeRuns(): void {
  memory.fill(RUN_A, 0, RUNS_END - RUN_A);
}

/** Writes the columns of four rows, 16 bytes each. */
@inline
export function storeTransposed(out: usize, stride: usize, a: v128, b: v128, c: v128, d: v128): void {
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
 * Runs the 20 rounds for the runs from `first` up to `end`. A few rounds of each in turn, so that one's instructions
 * needn't wait for each other.
 */
export function rounds(first: usize, end: usize): void {
  if (ASC_FEATURE_SIMD) {
    for (let i = 0; i < 5; i++) {
      for (let run = first; run < end; run += RUN_SIZE) doubleRounds(run + (i == 0 ? 0 : WORK), run + WORK);
    }
  } else {
    for (let run = first; run < end; run += RUN_SIZE) {
      for (let lane: usize = 0; lane < 16; lane += 4) roundsScalar(run + lane, run + lane + WORK);
    }
  }
}

/** A row after the rounds, with its initial value added. */
@inline
export function outRow(run: usize, row: usize): v128 {
  return i32x4.add(v128.load(run + row * 16), v128.load(run + row * 16, WORK));
}

@inline
function outWord(run: usize, row: usize, lane: usize): u32 {
  return load<u32>(run + row * 16 + lane * 4) + load<u32>(run + row * 16 + lane * 4, WORK);
}

/** Writes 16 · `parts` bytes of each lane's block, each part of four words. */
@inline
export function takeBlocks(run: usize, out: usize, stride: usize, parts: usize): void {
  for (let part: usize = 0; part < parts; part++) {
    const row = part * 4;
    const to = out + part * 16;
    if (ASC_FEATURE_SIMD) {
      storeTransposed(to, stride, outRow(run, row), outRow(run, row + 1), outRow(run, row + 2), outRow(run, row + 3));
    } else {
      for (let lane: usize = 0; lane < 4; lane++) {
        for (let i: usize = 0; i < 4; i++) store<u32>(to + lane * stride + i * 4, outWord(run, row + i, lane));
      }
    }
  }
}

@inline
function copy16(from: usize, to: usize): void {
  if (ASC_FEATURE_SIMD) {
    v128.store(to, v128.load(from));
  } else {
    store<u64>(to, load<u64>(from));
    store<u64>(to, load<u64>(from, 8), 8);
  }
}

/** What HChaCha20 makes of a run: rows 0–3 and 12–15 without the initial state become the key of run `to`. */
export function takeSubkeys(run: usize, to: usize): void {
  const key = to + 64;
  for (let i: usize = 0; i < 64; i += 16) {
    copy16(run + WORK + i, key + i);
    copy16(run + WORK + 192 + i, key + 64 + i);
  }
}
