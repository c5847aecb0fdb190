/**
 * PBKDF2 with HMAC-SHA256 or HMAC-SHA512 (RFC 8018 §5.2), of one password or of many.
 *
 * An output is made of blocks, as long as a digest. In the SIMD build blocks run in lanes, whichever passwords they
 * belong to: four at once of SHA-256, two of SHA-512.
 */
import { FAIL_LENGTH, FAIL_PARAMETER, OK } from "../abi";
import { absorb, copyState, HASH_STATE, HASH_WORDS, hashWipe, padDigestWords, storeDigest } from "../hash/sha256";
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
import {
  compress512,
  HASH512_STATE,
  HASH512_WORDS,
  padDigestWords512,
  sha512Update,
  sha512Wipe,
  storeDigest512,
} from "../hash/sha512";
import {
  LANES512_BLOCK,
  LANES512_SECOND,
  LANES512_STATE,
  lanesCompress512,
  lanesDigestPadding512,
  lanesSet512,
  lanesStore512,
  lanesWipe512,
} from "../hash/sha512-lanes";
import { hmacSha256Key, macBegin, macEnd } from "../mac/hmac-sha256";
import { hmacSha512Key, mac512Begin, mac512End } from "../mac/hmac-sha512";
import { KDF_SCRATCH } from "../memory/layout";

// Behind the scratch of the MAC kernels, which run inside these, and of HKDF.
const MID: usize = KDF_SCRATCH + 2688;
/** T of RFC 8018, the XOR of the iterations: a state, or a lane state. */
const SUM: usize = MID + 128;
/** Output blocks, of which the last may be cut; the block number before that. */
const ROWS: usize = SUM + 128;
const SCRATCH_USED: usize = 128 + 128 + 128;

/** Sets HASH_STATE to U1 of one block: the MAC of salt ‖ block number. */
function firstIteration(salt: usize, saltLength: i32): void {
  macBegin(MID);
  const fill = absorb(HASH_STATE, absorb(HASH_STATE, 0, salt, saltLength), ROWS, 4);
  macEnd(MID, fill, <u64>saltLength + 4);
}

/** As `firstIteration`, to HASH512_STATE. */
function firstIteration512(salt: usize, saltLength: i32): void {
  mac512Begin(MID);
  sha512Update(salt, saltLength);
  sha512Update(ROWS, 4);
  mac512End(MID);
}

/** Iterates from U1 in HASH_STATE: one block into ROWS. */
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
  storeDigest(SUM, ROWS);
}

/** As `iterate`, from HASH512_STATE. */
function iterate512(iterations: u32): void {
  memory.copy(SUM, HASH512_STATE, 64);
  memory.copy(HASH512_WORDS, HASH512_STATE, 64);
  padDigestWords512();
  for (; iterations > 1; iterations--) {
    compress512(MID, HASH512_WORDS);
    compress512(MID + 64, HASH512_WORDS);
    for (let i: usize = 0; i < 64; i += 8) {
      store<u64>(SUM + i, load<u64>(SUM + i) ^ load<u64>(HASH512_WORDS + i));
    }
  }
  storeDigest512(SUM, ROWS);
}

/** Adds the 128 bytes of a lane state to SUM. */
@inline
function addLanes(lanes: usize): void {
  for (let i: usize = 0; i < 128; i += 16) {
    v128.store(SUM + i, v128.xor(v128.load(SUM + i), v128.load(lanes + i)));
  }
}

/** Iterates from U1 of two to four blocks in LANES_BLOCK, each under its own midstate: blocks into ROWS. */
function iterateLanes(taken: i32, iterations: u32): void {
  memory.copy(SUM, LANES_BLOCK, 128);
  lanesDigestPadding();
  for (; iterations > 1; iterations--) {
    lanesSchedule();
    lanesRounds(LANES_STATE, LANES_BLOCK);
    lanesSchedule();
    lanesRounds(LANES_SECOND, LANES_BLOCK);
    addLanes(LANES_BLOCK);
  }
  lanesStore(SUM, ROWS, 32, taken);
}

/** As `iterateLanes`, of two blocks in LANES512_BLOCK. */
function iterateLanes512(iterations: u32): void {
  memory.copy(SUM, LANES512_BLOCK, 128);
  lanesDigestPadding512();
  for (; iterations > 1; iterations--) {
    lanesCompress512(LANES512_STATE, LANES512_BLOCK);
    lanesCompress512(LANES512_SECOND, LANES512_BLOCK);
    addLanes(LANES512_BLOCK);
  }
  lanesStore512(SUM, ROWS);
}

/** Puts the midstate and U1 of one block into a lane. */
function fillLane(wide: bool, lane: usize): void {
  if (wide) {
    lanesSet512(MID, LANES512_STATE, lane);
    lanesSet512(MID + 64, LANES512_SECOND, lane);
    lanesSet512(HASH512_STATE, LANES512_BLOCK, lane);
  } else {
    lanesSet(MID, LANES_STATE, lane);
    lanesSet(MID + 32, LANES_SECOND, lane);
    lanesSet(HASH_STATE, LANES_BLOCK, lane);
  }
}

/**
 * Derives a key from each of `count` passwords, which lie back to back, as do their salts.
 *
 * @param wide - whether SHA-512 is meant, and not SHA-256.
 * @param passwordLengths, saltLengths - `count` × u32, little-endian.
 * @param iterations - at least 1.
 * @param out - `count` × `outLength` bytes, back to back; `outLength` is at least 1.
 * @returns OK, or FAIL_LENGTH or FAIL_PARAMETER with nothing written.
 */
export function pbkdf2(
  wide: bool,
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
  const size = 32 << <i32>wide;
  const blocks = (<u32>outLength + size - 1) / size;
  let number: u32 = 0;
  let left = outLength;
  for (let remaining = <u64>blocks * count; remaining > 0; ) {
    let taken = 1;
    if (ASC_FEATURE_SIMD) taken = <i32>min<u64>(remaining, wide ? 2 : 4);
    const lanes = ASC_FEATURE_SIMD && taken > 1;
    for (let lane = 0; lane < taken; lane++) {
      if (number == blocks) {
        passwords += load<u32>(passwordLengths);
        salts += load<u32>(saltLengths);
        passwordLengths += 4;
        saltLengths += 4;
        number = 0;
      }
      if (!number) {
        if (wide) hmacSha512Key(passwords, load<u32>(passwordLengths), MID);
        else hmacSha256Key(passwords, load<u32>(passwordLengths), MID);
      }
      store<u32>(ROWS, bswap(++number));
      if (wide) firstIteration512(salts, load<u32>(saltLengths));
      else firstIteration(salts, load<u32>(saltLengths));
      if (lanes) fillLane(wide, lane);
    }
    if (lanes) {
      if (wide) iterateLanes512(iterations);
      else iterateLanes(taken, iterations);
    } else {
      if (wide) iterate512(iterations);
      else iterate(iterations);
    }
    for (let row = ROWS; row < ROWS + taken * size; row += size) {
      const length = min(left, size);
      memory.copy(out, row, length);
      out += length;
      left -= length;
      if (!left) left = outLength;
    }
    remaining -= taken;
  }
  memory.fill(MID, 0, SCRATCH_USED);
  hashWipe();
  sha512Wipe();
  if (ASC_FEATURE_SIMD) {
    lanesWipe();
    lanesWipe512();
  }
  return OK;
}
