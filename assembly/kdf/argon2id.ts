/**
 * Argon2id, version 0x13 (RFC 9106). Lanes are computed one after another.
 *
 * The first half of the first pass reads memory at addresses that depend on nothing secret; the rest reads where the
 * password leads it, by specification.
 */
import { FAIL_LENGTH, FAIL_PARAMETER, OK } from "../abi";
import {
  blake2b,
  blake2bAbsorb,
  blake2bAbsorbWord,
  blake2bFinish,
  blake2bInit,
} from "../hash/blake2b";
import { BLOCK_SCRATCH_END, BLOCK_SIZE, compressFirst, compressRest, fetch } from "./argon2-block";
import { MEMORY_HARD_SCRATCH } from "../memory/layout";
import { xorInto } from "../memory/xor";

const VERSION: u32 = 0x13;
const TYPE_ID: u32 = 2;
const SLICES: u32 = 4;
const MIN_SALT: i32 = 8;
const MIN_OUT: i32 = 4;
const MAX_LANES: u32 = (1 << 24) - 1;
/** Pairs J1, J2 in one block of addresses. */
const ADDRESSES: u32 = 128;

/** Never written. */
const ZEROS: usize = BLOCK_SCRATCH_END;
/** What addresses are computed from: pass, lane, slice, blocks, passes, type, counter; 8 bytes each. */
const INPUT: usize = ZEROS + BLOCK_SIZE;
const ADDRESS: usize = INPUT + BLOCK_SIZE;
/** H0 ‖ column ‖ lane. */
const SEED: usize = ADDRESS + BLOCK_SIZE;
const SEED_LENGTH: i32 = 72;
/** V of H′. */
const CHAIN: usize = SEED + 80;
const SCRATCH_END: usize = CHAIN + 64;

/** The variable-length hash H′ (RFC 9106 §3.3). */
function hashLong(data: usize, length: i32, out: usize, outLength: i32): void {
  blake2bInit(min(outLength, 64), 0, 0);
  blake2bAbsorbWord(outLength);
  blake2bAbsorb(data, length);
  blake2bFinish(CHAIN);
  for (; outLength > 64; outLength -= 32) {
    memory.copy(out, CHAIN, 32);
    out += 32;
    blake2b(CHAIN, 64, 0, 0, CHAIN, min(outLength - 32, 64));
  }
  memory.copy(out, CHAIN, outLength);
}

@inline
function absorbString(data: usize, length: i32): void {
  blake2bAbsorbWord(length);
  blake2bAbsorb(data, length);
}

/** Where the work stands. All of it public. */
let pass: u32 = 0;
let slice: u32 = 0;
let lane: u32 = 0;
/** Blocks of a lane, and of a segment. */
let laneLength: u32 = 0;
let segmentLength: u32 = 0;

/** The block that the words J1 and J2 lead to from block `index` of the segment (RFC 9106 §3.4.1.3, §3.4.2). */
@inline
function referenceBlock(blocks: usize, lanes: u32, index: u32, words: u64): usize {
  const other = pass == 0 && slice == 0 ? lane : <u32>(words >> 32) % lanes;
  let area = pass == 0 ? slice * segmentLength : laneLength - segmentLength;
  if (other == lane) area += index - 1;
  else if (index == 0) area -= 1;
  const j1 = words & 0xffffffff;
  let column = area - 1 - <u32>((area * ((j1 * j1) >> 32)) >> 32);
  if (pass > 0 && slice < SLICES - 1) column = (column + (slice + 1) * segmentLength) % laneLength;
  return blocks + <usize>(other * laneLength + column) * BLOCK_SIZE;
}

/** Computes the next block of addresses (RFC 9106 §3.4.1.2). */
function nextAddresses(): void {
  store<u64>(INPUT, load<u64>(INPUT, 48) + 1, 48);
  compressFirst(ZEROS, INPUT, ADDRESS, false);
  compressRest(ADDRESS);
  compressFirst(ZEROS, ADDRESS, ADDRESS, false);
  compressRest(ADDRESS);
}

/** Fills one segment: the part of a slice that lies in one lane. */
function fillSegment(blocks: usize, lanes: u32): void {
  const independent = pass == 0 && slice < SLICES / 2;
  // The first two blocks of a lane are there already; more there needn't be.
  let index: u32 = pass == 0 && slice == 0 ? 2 : 0;
  if (index == segmentLength) return;
  const row = blocks + <usize>(lane * laneLength) * BLOCK_SIZE;
  let to = row + <usize>(slice * segmentLength + index) * BLOCK_SIZE;
  let previous = (to == row ? row + <usize>laneLength * BLOCK_SIZE : to) - BLOCK_SIZE;
  let words = load<u64>(previous);
  if (independent) {
    store<u64>(INPUT, pass);
    store<u64>(INPUT, lane, 8);
    store<u64>(INPUT, slice, 16);
    store<u64>(INPUT, 0, 48);
    nextAddresses();
    words = load<u64>(ADDRESS + (<usize>index << 3));
  }
  let reference = referenceBlock(blocks, lanes, index, words);
  while (true) {
    index++;
    if (independent && index % ADDRESSES == 0) nextAddresses();
    words = compressFirst(previous, reference, to, pass > 0);
    if (index == segmentLength) break;
    if (independent) words = load<u64>(ADDRESS + ((index % ADDRESSES) << 3));
    reference = referenceBlock(blocks, lanes, index, words);
    fetch(reference);
    compressRest(to);
    previous = to;
    to += BLOCK_SIZE;
  }
  compressRest(to);
}

/**
 * Derives a key from a password.
 *
 * @param saltLength - at least 8.
 * @param memoryKiB - at least 8 · `lanes`.
 * @param blocks - `memoryKiB` KiB, 16-byte aligned. Left dirty.
 * @param out - `outLength` bytes, at least 4.
 * @returns OK, or FAIL_LENGTH or FAIL_PARAMETER with nothing written.
 */
export function argon2id(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  secret: usize,
  secretLength: i32,
  associated: usize,
  associatedLength: i32,
  memoryKiB: u32,
  passes: u32,
  lanes: u32,
  blocks: usize,
  out: usize,
  outLength: i32,
): i32 {
  if (saltLength < MIN_SALT || outLength < MIN_OUT) return FAIL_LENGTH;
  if (!passes || !lanes || lanes > MAX_LANES || memoryKiB < 8 * lanes) return FAIL_PARAMETER;

  blake2bInit(64, 0, 0);
  blake2bAbsorbWord(lanes);
  blake2bAbsorbWord(outLength);
  blake2bAbsorbWord(memoryKiB);
  blake2bAbsorbWord(passes);
  blake2bAbsorbWord(VERSION);
  blake2bAbsorbWord(TYPE_ID);
  absorbString(password, passwordLength);
  absorbString(salt, saltLength);
  absorbString(secret, secretLength);
  absorbString(associated, associatedLength);
  blake2bFinish(SEED);

  segmentLength = memoryKiB / (SLICES * lanes);
  laneLength = SLICES * segmentLength;
  const laneSize = <usize>laneLength * BLOCK_SIZE;
  for (let i: usize = 0; i < lanes; i++) {
    store<u32>(SEED, <u32>i, 68);
    for (let column: usize = 0; column < 2; column++) {
      store<u32>(SEED, <u32>column, 64);
      hashLong(SEED, SEED_LENGTH, blocks + i * laneSize + column * BLOCK_SIZE, <i32>BLOCK_SIZE);
    }
  }

  store<u64>(INPUT, laneLength * lanes, 24);
  store<u64>(INPUT, passes, 32);
  store<u64>(INPUT, TYPE_ID, 40);
  for (pass = 0; pass < passes; pass++) {
    for (slice = 0; slice < SLICES; slice++) {
      for (lane = 0; lane < lanes; lane++) fillSegment(blocks, lanes);
    }
  }

  const last = blocks + laneSize - BLOCK_SIZE;
  for (let i: usize = 1; i < lanes; i++) xorInto(last + i * laneSize, last, BLOCK_SIZE);
  hashLong(last, <i32>BLOCK_SIZE, out, outLength);
  memory.fill(MEMORY_HARD_SCRATCH, 0, SCRATCH_END - MEMORY_HARD_SCRATCH);
  return OK;
}
