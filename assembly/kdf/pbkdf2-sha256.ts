/** PBKDF2 with HMAC-SHA256 (RFC 8018 §5.2). */
import { FAIL_LENGTH, FAIL_PARAMETER, OK } from "../abi";
import {
  absorb,
  copyState,
  HASH_STATE,
  HASH_WORDS,
  hashWipe,
  padDigestWords,
  storeDigest,
} from "../hash/sha256";
import { compress } from "../hash/sha256-block";
import {
  LANES_BLOCK,
  LANES_SECOND,
  LANES_STATE,
  lanesDigestPadding,
  lanesRounds,
  lanesSchedule,
  lanesSplat,
  lanesStore,
  lanesWipe,
} from "../hash/sha256-lanes";
import { hmacSha256Key, macBegin, macEnd } from "../mac/hmac-sha256";
import { KDF_SCRATCH } from "../memory/layout";

// Behind the scratch of the MAC kernels, which run inside these, and of HKDF.
const MID: usize = KDF_SCRATCH + 2688;
/** T of RFC 8018, the XOR of the iterations: a state, or a lane state. */
const SUM: usize = MID + 64;
/** Output blocks, 32 bytes each, of which the last may be cut; the block number before that. */
const ROW: usize = SUM + 128;
const SCRATCH_USED: usize = 64 + 128 + 128;

/** Sets HASH_STATE to U1 of one block: the MAC of salt ‖ block number. */
function firstIteration(salt: usize, saltLength: i32, number: u32): void {
  store<u32>(ROW, bswap(number));
  macBegin(MID);
  const fill = absorb(HASH_STATE, absorb(HASH_STATE, 0, salt, saltLength), ROW, 4);
  macEnd(MID, fill, <u64>saltLength + 4);
}

/** Computes one output block into ROW. */
function deriveBlock(salt: usize, saltLength: i32, number: u32, iterations: u32): void {
  firstIteration(salt, saltLength, number);
  copyState(HASH_STATE, SUM);
  copyState(HASH_STATE, HASH_WORDS);
  padDigestWords();
  for (; iterations > 1; iterations--) {
    compress(MID, HASH_WORDS, HASH_WORDS);
    compress(MID + 32, HASH_WORDS, HASH_WORDS);
    for (let i: usize = 0; i < 32; i += 4) {
      store<u32>(SUM + i, load<u32>(SUM + i) ^ load<u32>(HASH_WORDS + i));
    }
  }
  storeDigest(SUM, ROW);
}

/** Computes two to four output blocks from `number` on into ROW, one in each lane. */
function deriveLanes(salt: usize, saltLength: i32, number: u32, taken: i32, iterations: u32): void {
  for (let lane = 0; lane < taken; lane++) {
    firstIteration(salt, saltLength, number + lane);
    for (let i: usize = 0; i < 32; i += 4) {
      store<u32>(LANES_BLOCK + i * 4 + lane * 4, load<u32>(HASH_STATE + i));
    }
  }
  memory.copy(SUM, LANES_BLOCK, 128);
  lanesDigestPadding();
  lanesSplat(MID, LANES_STATE);
  lanesSplat(MID + 32, LANES_SECOND);
  for (; iterations > 1; iterations--) {
    lanesSchedule();
    lanesRounds(LANES_STATE, LANES_BLOCK);
    lanesSchedule();
    lanesRounds(LANES_SECOND, LANES_BLOCK);
    for (let i: usize = 0; i < 128; i += 16) {
      v128.store(SUM + i, v128.xor(v128.load(SUM + i), v128.load(LANES_BLOCK + i)));
    }
  }
  lanesStore(SUM, ROW, 32, taken);
}

/**
 * Derives a key from a password. Up to four blocks of 32 output bytes run in lanes at once.
 *
 * @param iterations - at least 1.
 * @param out - `outLength` bytes, at least 1.
 * @returns OK, or FAIL_LENGTH or FAIL_PARAMETER with nothing written.
 */
export function pbkdf2Sha256(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  if (outLength < 1) return FAIL_LENGTH;
  if (!iterations) return FAIL_PARAMETER;
  hmacSha256Key(password, passwordLength, MID);
  let number: u32 = 1;
  while (outLength > 0) {
    let taken = 1;
    if (ASC_FEATURE_SIMD) taken = min((outLength + 31) >> 5, 4);
    if (ASC_FEATURE_SIMD && taken > 1) deriveLanes(salt, saltLength, number, taken, iterations);
    else deriveBlock(salt, saltLength, number, iterations);
    const length = min(outLength, taken * 32);
    memory.copy(out, ROW, length);
    out += length;
    outLength -= length;
    number += taken;
  }
  memory.fill(MID, 0, SCRATCH_USED);
  hashWipe();
  if (ASC_FEATURE_SIMD) lanesWipe();
  return OK;
}
