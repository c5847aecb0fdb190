/**
 * AES (FIPS 197): round keys, and the two ways to use them. One block at a time (`aes-block.ts`; in the scalar build by way
 * of the planes), or eight in bit planes (`aes-planes.ts`).
 *
 * Round keys, from the first to the last but not the zeroth, have the constant of the S-box in them.
 */
import { AES_SCRATCH } from "../memory/layout";
import { decryptBlockVector, encryptBlockVector, substituteWord } from "./aes-block";
import { decryptPlanes, encryptPlanes, PLANES, PLANES_SIZE, substitutePlanes, transpose } from "./aes-planes";

/** Round keys as bytes: at most 15 × 16. */
export const ROUND_KEYS: usize = AES_SCRATCH + PLANES_SIZE;
export const ROUND_KEYS_SIZE: usize = 240;
/** Round keys as planes: at most 15 × 128. */
export const KEY_PLANES: usize = ROUND_KEYS + 256;
export const KEY_PLANES_SIZE: usize = 15 * PLANES_SIZE;
export const AES_END: usize = KEY_PLANES + KEY_PLANES_SIZE;

const CONSTANT: u32 = 0x63636363;

/** Rounds for a key of 16, 24 or 32 bytes. */
@inline
export function roundsOf(keyLength: i32): i32 {
  return 6 + (keyLength >> 2);
}

/** SubWord, without the constant of the S-box. */
@inline
function subWord(word: u32): u32 {
  if (ASC_FEATURE_SIMD) return substituteWord(word);
  const ones: u64 = 0x01010101;
  for (let b: usize = 0; b < 8; b++) store<u64>(PLANES + b * 16, (<u64>word >> b) & ones);
  substitutePlanes();
  let out: u64 = 0;
  for (let b: usize = 0; b < 8; b++) out |= (load<u64>(PLANES + b * 16) & ones) << b;
  return <u32>out;
}

/**
 * Writes the round keys of a key of 16, 24 or 32 bytes to `out`, (rounds + 1) × 16 bytes.
 *
 * @see FIPS 197 §5.2
 */
export function expandKey(key: usize, keyLength: i32, out: usize): void {
  const end = out + <usize>(roundsOf(keyLength) + 1) * 16;
  memory.copy(out, key, keyLength);
  let constant: u32 = 1;
  let inKey = 0;
  for (let at = out + keyLength; at < end; at += 4) {
    let word = load<u32>(at - 4);
    if (inKey == 0) {
      word = subWord(rotr(word, 8)) ^ CONSTANT ^ constant;
      constant = (constant << 1) ^ ((constant >> 7) * 0x11b);
    } else if (inKey == 16 && keyLength == 32) {
      word = subWord(word) ^ CONSTANT;
    }
    store<u32>(at, word ^ load<u32>(at - keyLength));
    inKey += 4;
    if (inKey == keyLength) inKey = 0;
  }
  for (let at = out + 16; at < end; at += 4) store<u32>(at, load<u32>(at) ^ CONSTANT);
}

/** Spreads the round keys at ROUND_KEYS over KEY_PLANES: one key for all eight blocks. */
export function spreadKey(rounds: i32): void {
  let out = KEY_PLANES;
  for (let round = 0; round <= rounds; round++) {
    const key = ROUND_KEYS + <usize>round * 16;
    for (let b = 0; b < 8; b++) {
      if (ASC_FEATURE_SIMD) {
        const bits = v128.and(i64x2.shr_u(v128.load(key), b), i8x16.splat(1));
        v128.store(out, i8x16.neg(bits));
      } else {
        store<u64>(out, ((load<u64>(key) >> b) & 0x0101010101010101) * 0xff);
        store<u64>(out, ((load<u64>(key, 8) >> b) & 0x0101010101010101) * 0xff, 8);
      }
      out += 16;
    }
  }
}

/**
 * Sets a key of 16, 24 or 32 bytes: ROUND_KEYS, and KEY_PLANES where `blocks` at once are more than one.
 *
 * @returns the number of rounds
 */
export function setKey(key: usize, keyLength: i32, blocks: i32): i32 {
  const rounds = roundsOf(keyLength);
  expandKey(key, keyLength, ROUND_KEYS);
  // In the scalar build one block goes by way of the planes, too.
  if (!ASC_FEATURE_SIMD || blocks > 1) spreadKey(rounds);
  return rounds;
}

/** Zeroes keys and state, and what callers keep behind AES_END, `more` bytes. */
export function wipeAes(more: usize): void {
  memory.fill(PLANES, 0, AES_END - PLANES + more);
}

/** Encrypts the block at `at` under ROUND_KEYS. */
export function encryptBlock(rounds: i32, at: usize): void {
  if (ASC_FEATURE_SIMD) {
    encryptBlockVector(ROUND_KEYS, rounds, at);
  } else {
    memory.copy(PLANES, at, 16);
    transpose(PLANES);
    encryptPlanes(KEY_PLANES, rounds);
    transpose(PLANES);
    memory.copy(at, PLANES, 16);
  }
}

/** Decrypts the block at `at` under ROUND_KEYS. */
export function decryptBlock(rounds: i32, at: usize): void {
  if (ASC_FEATURE_SIMD) {
    decryptBlockVector(ROUND_KEYS, rounds, at);
  } else {
    memory.copy(PLANES, at, 16);
    transpose(PLANES);
    decryptPlanes(KEY_PLANES, rounds);
    transpose(PLANES);
    memory.copy(at, PLANES, 16);
  }
}
