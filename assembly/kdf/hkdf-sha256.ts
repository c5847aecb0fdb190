/** HKDF with HMAC-SHA256 (RFC 5869). */
import { FAIL_LENGTH, OK } from "../abi";
import { absorb, HASH_STATE, hashWipe, storeDigest } from "../hash/sha256";
import {
  LANES_GROUP,
  LANES_SECOND,
  LANES_STATE,
  lanesAbsorb,
  lanesOuter,
  lanesSplat,
  lanesStore,
  lanesWipe,
} from "../hash/sha256-lanes";
import { hmacSha256, hmacSha256Key, macBegin, macEnd } from "../mac/hmac-sha256";
import { KDF_SCRATCH } from "../memory/layout";

// Behind the scratch of the MAC kernels, which run inside these.
const MID: usize = KDF_SCRATCH + 2304;
const PRK: usize = MID + 64;
/** The output block in hand, 32 bytes; in lanes four of them. Then its number, one byte. */
const ROW: usize = PRK + 32;
const NUMBER: usize = ROW + 128;

/** 255 blocks of 32 bytes: the block number is one byte. */
const MAX_OUTPUT: u32 = 8160;

/**
 * HKDF-Extract: writes the pseudorandom key, 32 bytes.
 *
 * @param salt - may be empty, which equals 32 zero bytes.
 * @see RFC 5869 §2.2
 */
export function hkdfExtract(salt: usize, saltLength: i32, ikm: usize, ikmLength: i32, prk: usize): void {
  hmacSha256Key(salt, saltLength, MID);
  hmacSha256(MID, ikm, ikmLength, prk);
  memory.fill(MID, 0, 64);
}

/**
 * HKDF-Expand.
 *
 * @param mid - HMAC midstate of the pseudorandom key, 64 bytes.
 * @param out - `outLength` bytes, at most 8160.
 * @returns OK, or FAIL_LENGTH with nothing written.
 * @see RFC 5869 §2.3
 */
export function hkdfExpand(mid: usize, info: usize, infoLength: i32, out: usize, outLength: i32): i32 {
  if (<u32>outLength > MAX_OUTPUT) return FAIL_LENGTH;
  let chained = 0;
  for (let number = 1; outLength > 0; number++) {
    store<u8>(NUMBER, number);
    macBegin(mid);
    let fill = absorb(HASH_STATE, 0, ROW, chained);
    fill = absorb(HASH_STATE, fill, info, infoLength);
    fill = absorb(HASH_STATE, fill, NUMBER, 1);
    macEnd(mid, fill, <u64>infoLength + chained + 1);
    storeDigest(HASH_STATE, ROW);
    memory.copy(out, ROW, min(outLength, 32));
    chained = 32;
    out += 32;
    outLength -= 32;
  }
  memory.fill(ROW, 0, 129);
  hashWipe();
  return OK;
}

/**
 * HKDF: extract, then expand.
 *
 * @returns OK, or FAIL_LENGTH with nothing written where `outLength` is above 8160.
 */
export function hkdfSha256(
  ikm: usize,
  ikmLength: i32,
  salt: usize,
  saltLength: i32,
  info: usize,
  infoLength: i32,
  out: usize,
  outLength: i32,
): i32 {
  hkdfExtract(salt, saltLength, ikm, ikmLength, PRK);
  hmacSha256Key(PRK, 32, MID);
  const status = hkdfExpand(MID, info, infoLength, out, outLength);
  memory.fill(MID, 0, 96);
  return status;
}

/** Expands two to four infos in lanes; a lane without an info of its own repeats the last one. */
function expandGroup(mid: usize, infos: usize, infoLength: i32, taken: i32, out: usize, outLength: i32): void {
  let chained = 0;
  for (let number = 1; outLength > (number - 1) * 32; number++) {
    // From the second block on, the block before stands in front of the info: it is in lanes already,
    // and takes the place of the 32 bytes that lie there.
    if (chained) memory.copy(LANES_SECOND, LANES_STATE, 128);
    lanesSplat(mid, LANES_STATE);
    const length = infoLength + chained;
    for (let lane = 0; lane < 4; lane++) {
      store<u32>(LANES_GROUP + lane * 4, infos + min(lane, taken - 1) * infoLength - chained);
      store<u32>(LANES_GROUP + lane * 4, length, 16);
    }
    // Behind the info the block's number, then the padding.
    lanesAbsorb(0x8000 | number, 65, -1, chained ? LANES_SECOND : 0, false);
    lanesOuter(mid + 32);
    const row = out + (number - 1) * 32;
    const rest = outLength - (number - 1) * 32;
    if (rest >= 32) {
      lanesStore(LANES_STATE, row, outLength, taken);
    } else {
      lanesStore(LANES_STATE, ROW, 32, taken);
      for (let i = 0; i < taken; i++) memory.copy(row + i * outLength, ROW + i * 32, rest);
    }
    chained = 32;
  }
}

/**
 * HKDF-Expand from one pseudorandom key for many infos of equal length.
 *
 * @param mid - HMAC midstate of the pseudorandom key, 64 bytes.
 * @param infos - `count` × `infoLength` bytes, back to back.
 * @param out - `count` × `outLength` bytes, back to back; `outLength` is at most 8160.
 * @returns OK, or FAIL_LENGTH with nothing written.
 */
export function hkdfExpandBatch(
  mid: usize,
  infos: usize,
  infoLength: i32,
  count: i32,
  out: usize,
  outLength: i32,
): i32 {
  if (<u32>outLength > MAX_OUTPUT) return FAIL_LENGTH;
  if (ASC_FEATURE_SIMD) {
    // The lanes read in front of an info: an address for an empty one must have something there.
    if (!infoLength) infos = ROW;
    for (; count > 1; count -= 4) {
      const taken = min(count, 4);
      expandGroup(mid, infos, infoLength, taken, out, outLength);
      infos += taken * infoLength;
      out += taken * outLength;
    }
    memory.fill(ROW, 0, 128);
    lanesWipe();
  }
  for (; count > 0; count--) {
    hkdfExpand(mid, infos, infoLength, out, outLength);
    infos += infoLength;
    out += outLength;
  }
  return OK;
}
