/**
 * AES-KW (RFC 3394, NIST SP 800-38F §6.2) and AES-KWP (RFC 5649, SP 800-38F §6.3).
 *
 * Up to eight keys of one length are wrapped side by side: their semiblocks stay in bit planes from the first of the
 * 6n steps to the last. One key alone takes the way of one block at a time.
 *
 * The key-encryption key is set by the caller (`setKey`), who wipes with `wipeKw` at the end.
 */
import { AES_END, decryptBlock, encryptBlock, KEY_PLANES, ROUND_KEYS, wipeAes } from "../cipher/aes";
import { decryptPlanes, encryptPlanes, PLANES, transpose } from "../cipher/aes-planes";
import { declassify, KEY_LENGTH, KEY_WRAP_VERDICT } from "../memory/declassify";

/** What wrapping adds: the integrity check register. */
export const KW_OVERHEAD: usize = 8;
/** The initial value of AES-KW, RFC 3394 §2.2.3.1. */
export const KW_IV: u64 = 0xa6a6a6a6a6a6a6a6;
/** The first half of AES-KWP's, as memory has it: A6 59 59 A6. RFC 5649 §3. */
const KWP_MAGIC: u64 = 0xa65959a6;

/** One block, A ‖ R[i]: the 16 bytes behind the round keys. */
const BLOCK: usize = ROUND_KEYS + 240;
/** Semiblocks of eight keys in planes: 64 bytes for each i, A and then R[1] to R[n]; plane b is 8 bytes. */
const SEMIBLOCKS: usize = AES_END;
const MAX_SEMIBLOCKS: i32 = 64;
const LANES: i32 = 8;
const ONES: u64 = 0x0101010101010101;

export function wipeKw(): void {
  wipeAes((MAX_SEMIBLOCKS + 1) * 64);
}

/** The initial value of AES-KWP for a key of `length` bytes. */
@inline
export function kwpIv(length: u32): u64 {
  return KWP_MAGIC | ((<u64>bswap(length)) << 32);
}

// --- One key, n semiblocks at r, A in BLOCK ----------------------------------------------------------------------

function wrapOne(rounds: i32, r: usize, n: u32): void {
  const end = r + <usize>n * 8;
  let count: u64 = 0;
  for (let j = 0; j < 6; j++) {
    for (let at = r; at < end; at += 8) {
      store<u64>(BLOCK, load<u64>(at), 8);
      encryptBlock(rounds, BLOCK);
      store<u64>(at, load<u64>(BLOCK, 8));
      store<u64>(BLOCK, load<u64>(BLOCK) ^ bswap(++count));
    }
  }
}

function unwrapOne(rounds: i32, r: usize, n: u32): void {
  let count = 6 * <u64>n;
  for (let j = 0; j < 6; j++) {
    for (let at = r + <usize>n * 8; at > r; ) {
      at -= 8;
      store<u64>(BLOCK, load<u64>(BLOCK) ^ bswap(count--));
      store<u64>(BLOCK, load<u64>(at), 8);
      decryptBlock(rounds, BLOCK);
      store<u64>(at, load<u64>(BLOCK, 8));
    }
  }
}

// --- Up to eight keys in planes ----------------------------------------------------------------------------------

/** Takes `n` semiblocks of each of `lanes` records to `planes`. Empty lanes repeat the last record. */
function pack(from: usize, stride: usize, lanes: i32, n: i32, planes: usize): void {
  for (let i = 0; i < n; i += 2) {
    const second: usize = i + 1 < n ? 8 : 0;
    for (let lane = 0; lane < LANES; lane++) {
      const source = from + <usize>min(lane, lanes - 1) * stride + <usize>i * 8;
      store<u64>(PLANES + <usize>lane * 16, load<u64>(source));
      store<u64>(PLANES + <usize>lane * 16, load<u64>(source + second), 8);
    }
    transpose(PLANES);
    takePlanes(planes, 0);
    if (second) takePlanes(planes + 64, 1);
    planes += 128;
  }
}

/** Writes what `pack` took to each lane's record, but for lanes whose bit is in `skip`. */
function unpack(planes: usize, n: i32, to: usize, stride: usize, lanes: i32, skip: i32): void {
  for (let i = 0; i < n; i += 2) {
    const second = i + 1 < n;
    givePlanes(planes, 0);
    if (second) givePlanes(planes + 64, 1);
    transpose(PLANES);
    for (let lane = 0; lane < lanes; lane++) {
      if ((skip >> lane) & 1) continue;
      const target = to + <usize>lane * stride + <usize>i * 8;
      store<u64>(target, load<u64>(PLANES + <usize>lane * 16));
      if (second) store<u64>(target, load<u64>(PLANES + <usize>lane * 16, 8), 8);
    }
    planes += 128;
  }
}

/** Copies one semiblock's planes into the first or second half of PLANES. */
@inline
function givePlanes(planes: usize, half: i32): void {
  for (let b: usize = 0; b < 8; b++) {
    const plane = PLANES + b * 16;
    if (ASC_FEATURE_SIMD) {
      // Whole planes are stored, which are loaded whole: a load of two stores waits for both.
      const both = v128.load(plane);
      const from = planes + b * 8;
      v128.store(plane, half == 0 ? v128.load_lane<u64>(from, both, 0) : v128.load_lane<u64>(from, both, 1));
    } else {
      store<u64>(plane + half * 8, load<u64>(planes + b * 8));
    }
  }
}

/** Copies a half of PLANES to one semiblock's planes. */
@inline
function takePlanes(planes: usize, half: i32): void {
  for (let b: usize = 0; b < 8; b++) store<u64>(planes + b * 8, load<u64>(PLANES + b * 16 + half * 8));
}

/** Plane b of one semiblock that all lanes have in common. */
@inline
function planeOf(semiblock: u64, b: usize): u64 {
  return ((semiblock >> b) & ONES) * 0xff;
}

/** Between two steps: R[i] goes to `from`, A ^= t in every lane, the next R[i] comes from `to`. */
@inline
function turn(from: usize, count: i32, to: usize): void {
  const t = bswap(<u64>count);
  for (let b: usize = 0; b < 8; b++) {
    const plane = PLANES + b * 16;
    const bits = planeOf(t, b);
    if (ASC_FEATURE_SIMD) {
      const both = v128.load(plane);
      v128.store_lane<u64>(from + b * 8, both, 1);
      const a = v128.xor(both, i64x2.replace_lane(i64x2.splat(0), 0, bits));
      v128.store(plane, v128.load_lane<u64>(to + b * 8, a, 1));
    } else {
      store<u64>(from + b * 8, load<u64>(plane, 8));
      store<u64>(plane, load<u64>(plane) ^ bits);
      store<u64>(plane, load<u64>(to + b * 8), 8);
    }
  }
}

/** All 6n steps; A is in PLANES, R[1] … R[n] behind SEMIBLOCKS. */
function wrapLanes(rounds: i32, n: i32): void {
  const first = SEMIBLOCKS + 64;
  const last = SEMIBLOCKS + <usize>n * 64;
  let r = first;
  givePlanes(r, 1);
  for (let count = 1; count <= 6 * n; count++) {
    encryptPlanes(KEY_PLANES, rounds);
    const next = r == last ? first : r + 64;
    turn(r, count, next);
    r = next;
  }
}

function unwrapLanes(rounds: i32, n: i32): void {
  const first = SEMIBLOCKS + 64;
  const last = SEMIBLOCKS + <usize>n * 64;
  let r = last;
  // What the planes hold beside A is stored to where it is loaded from.
  givePlanes(r, 1);
  turn(r, 6 * n, r);
  for (let count = 6 * n - 1; count >= 0; count--) {
    decryptPlanes(KEY_PLANES, rounds);
    const next = r == first ? last : r - 64;
    turn(r, count, next);
    r = next;
  }
}

/** Which lanes' A differs from the initial value: one bit a lane, in constant time. */
function lanesThatFail(iv: u64): i32 {
  let difference: u64 = 0;
  for (let b: usize = 0; b < 8; b++) difference |= load<u64>(PLANES + b * 16) ^ planeOf(iv, b);
  difference |= difference >> 32;
  difference |= difference >> 16;
  return <i32>((difference | (difference >> 8)) & 0xff);
}

/** Makes public which lanes failed: one bit a lane. */
function verdicts(failed: i32, lanes: i32): i32 {
  let open = 0;
  for (let lane = 0; lane < lanes; lane++) open |= declassify((failed >> lane) & 1, KEY_WRAP_VERDICT) << lane;
  return open;
}

/** How many of the `left` records go side by side. */
@inline
function lanesOf(left: i32, n: i32): i32 {
  return n > MAX_SEMIBLOCKS ? 1 : min(left, LANES);
}

/**
 * Wraps `count` keys of `length` bytes: a multiple of 8, at least 16. `setKey` was called for `count` blocks.
 *
 * @param iv - KW_IV, or `kwpIv(length)`
 * @param out - `count` × (`length` + 8) bytes, `outStride` apart; must not overlap the keys
 */
export function kwWrapBatch(
  rounds: i32,
  iv: u64,
  keys: usize,
  length: usize,
  out: usize,
  outStride: usize,
  count: i32,
): void {
  const n = <i32>(length >> 3);
  while (count > 0) {
    const lanes = lanesOf(count, n);
    if (lanes == 1) {
      memory.copy(out + 8, keys, length);
      store<u64>(BLOCK, iv);
      wrapOne(rounds, out + 8, n);
      store<u64>(out, load<u64>(BLOCK));
    } else {
      pack(keys, length, lanes, n, SEMIBLOCKS + 64);
      for (let b: usize = 0; b < 8; b++) store<u64>(PLANES + b * 16, planeOf(iv, b));
      wrapLanes(rounds, n);
      takePlanes(SEMIBLOCKS, 0);
      unpack(SEMIBLOCKS, n + 1, out, outStride, lanes, 0);
    }
    keys += <usize>lanes * length;
    out += <usize>lanes * outStride;
    count -= lanes;
  }
}

/**
 * Unwraps `count` keys to `length` bytes each. A record whose check fails gets status 1 and zeros as output.
 *
 * @param wrapped - `count` × (`length` + 8) bytes, `stride` apart
 * @param out - `count` × `length` bytes
 * @param statuses - `count` bytes, written here
 * @returns how many failed
 */
export function kwUnwrapBatch(
  rounds: i32,
  iv: u64,
  wrapped: usize,
  stride: usize,
  length: usize,
  out: usize,
  count: i32,
  statuses: usize,
): i32 {
  const n = <i32>(length >> 3);
  let failures = 0;
  while (count > 0) {
    const lanes = lanesOf(count, n);
    let failed: i32;
    if (lanes == 1) {
      memory.copy(out, wrapped + 8, length);
      store<u64>(BLOCK, load<u64>(wrapped));
      unwrapOne(rounds, out, n);
      failed = verdicts(<i32>(load<u64>(BLOCK) != iv), 1);
    } else {
      pack(wrapped, stride, lanes, n + 1, SEMIBLOCKS);
      givePlanes(SEMIBLOCKS, 0);
      unwrapLanes(rounds, n);
      failed = verdicts(lanesThatFail(iv), lanes);
      // The check first: of a record that fails nothing leaves the planes.
      unpack(SEMIBLOCKS + 64, n, out, length, lanes, failed);
    }
    for (let lane = 0; lane < lanes; lane++) {
      const bad = (failed >> lane) & 1;
      store<u8>(statuses, bad);
      if (bad) memory.fill(out, 0, length);
      failures += bad;
      statuses++;
      out += length;
    }
    wrapped += <usize>lanes * stride;
    count -= lanes;
  }
  return failures;
}

// --- AES-KWP: one key of any length ------------------------------------------------------------------------------

/** Wraps a key of `length` > 0 bytes. `out`: its length rounded up to a multiple of 8, and 8. */
export function kwpWrap(rounds: i32, key: usize, length: u32, out: usize): void {
  const n = (length + 7) >> 3;
  store<u64>(out + <usize>n * 8, 0);
  memory.copy(out + 8, key, length);
  store<u64>(BLOCK, kwpIv(length));
  if (n == 1) {
    store<u64>(BLOCK, load<u64>(out, 8), 8);
    encryptBlock(rounds, BLOCK);
    store<u64>(out, load<u64>(BLOCK, 8), 8);
  } else {
    wrapOne(rounds, out + 8, n);
  }
  store<u64>(out, load<u64>(BLOCK));
}

/**
 * Unwraps to `length` bytes, a multiple of 8: the key and its padding, which is zero.
 *
 * @param wrapped - `length` + 8 bytes
 * @param out - `length` bytes, zero after a failure
 * @returns the key's length, or 0 for a failure. Magic, length and padding are checked together, in constant time.
 */
export function kwpUnwrap(rounds: i32, wrapped: usize, length: u32, out: usize): u32 {
  const n = length >> 3;
  memory.copy(out, wrapped + 8, length);
  store<u64>(BLOCK, load<u64>(wrapped));
  if (n == 1) {
    store<u64>(BLOCK, load<u64>(out), 8);
    decryptBlock(rounds, BLOCK);
    store<u64>(out, load<u64>(BLOCK, 8));
  } else {
    unwrapOne(rounds, out, n);
  }
  const a = load<u64>(BLOCK);
  const keyLength = bswap(<u32>(a >> 32));
  const padding = length - keyLength;
  // 0 to 7 bytes of padding. A last byte k counts from 8 − padding on: then 7 − padding − k is negative.
  let bad = (<u32>a ^ <u32>KWP_MAGIC) | (padding & ~7);
  for (let k: u32 = 0; k < 8; k++) {
    bad |= load<u8>(out + <usize>length - 8 + k) & <u32>(<i32>(7 - padding - k) >> 31);
  }
  if (declassify(<i32>(bad == 0), KEY_WRAP_VERDICT)) return declassify(keyLength, KEY_LENGTH);
  memory.fill(out, 0, length);
  return 0;
}
