/** PBKDF2 with HMAC-SHA256 (RFC 8018 §5.2): of one password, or of many, four blocks in lanes at once. */
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
  lanesSet,
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
/** The lengths of the one password and of its salt: 2 × u32. */
const LENGTHS: usize = ROW + 128;
const SCRATCH_USED: usize = 64 + 128 + 128 + 8;

/** Sets HASH_STATE to U1 of one block: the MAC of salt ‖ block number. */
function firstIteration(salt: usize, saltLength: i32, number: u32): void {
  store<u32>(ROW, bswap(number));
  macBegin(MID);
  const fill = absorb(HASH_STATE, absorb(HASH_STATE, 0, salt, saltLength), ROW, 4);
  macEnd(MID, fill, <u64>saltLength + 4);
}

/** Iterates from U1 in HASH_STATE: one output block into ROW. */
function iterate(iterations: u32): void {
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

/** Iterates from U1 of two to four blocks in LANES_BLOCK, each under its own midstate: into ROW. */
function iterateLanes(taken: i32, iterations: u32): void {
  memory.copy(SUM, LANES_BLOCK, 128);
  lanesDigestPadding();
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
 * Derives a key from each of `count` passwords, which lie back to back, as do their salts. Blocks of 32 output bytes
 * run in lanes, whichever passwords they belong to.
 *
 * @param passwordLengths, saltLengths - `count` × u32, little-endian.
 * @param iterations - at least 1.
 * @param out - `count` × `outLength` bytes, back to back; `outLength` is at least 1.
 * @returns OK, or FAIL_LENGTH or FAIL_PARAMETER with nothing written.
 */
export function pbkdf2Sha256Batch(
  passwords: usize,
  passwordLengths: usize,
  salts: usize,
  saltLengths: usize,
  count: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  if (outLength < 1) return FAIL_LENGTH;
  if (!iterations) return FAIL_PARAMETER;
  const blocks = ((<u32>outLength + 31) >> 5);
  let number: u32 = 0;
  let left = outLength;
  for (let remaining = <u64>blocks * count; remaining > 0; ) {
    let taken = 1;
    if (ASC_FEATURE_SIMD) taken = <i32>min<u64>(remaining, 4);
    for (let lane = 0; lane < taken; lane++) {
      if (number == blocks) {
        passwords += load<u32>(passwordLengths);
        salts += load<u32>(saltLengths);
        passwordLengths += 4;
        saltLengths += 4;
        number = 0;
      }
      if (!number) hmacSha256Key(passwords, load<u32>(passwordLengths), MID);
      firstIteration(salts, load<u32>(saltLengths), ++number);
      if (ASC_FEATURE_SIMD && taken > 1) {
        lanesSet(MID, LANES_STATE, lane);
        lanesSet(MID + 32, LANES_SECOND, lane);
        lanesSet(HASH_STATE, LANES_BLOCK, lane);
      }
    }
    if (ASC_FEATURE_SIMD && taken > 1) iterateLanes(taken, iterations);
    else iterate(iterations);
    for (let lane = 0; lane < taken; lane++) {
      const length = min(left, 32);
      memory.copy(out, ROW + lane * 32, length);
      out += length;
      left -= length;
      if (!left) left = outLength;
    }
    remaining -= taken;
  }
  memory.fill(MID, 0, SCRATCH_USED);
  hashWipe();
  if (ASC_FEATURE_SIMD) lanesWipe();
  return OK;
}

/** As `pbkdf2Sha256Batch`, of one password. */
export function pbkdf2Sha256(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  store<i32>(LENGTHS, passwordLength);
  store<i32>(LENGTHS, saltLength, 4);
  const status = pbkdf2Sha256Batch(password, LENGTHS, salt, LENGTHS + 4, 1, iterations, out, outLength);
  store<u64>(LENGTHS, 0);
  return status;
}
