/**
 * Wrapped keys, bound to 48 attribute bytes; how they look, see `wrap-algorithms.ts`. Batches go through scratch a piece at
 * a time; plaintext keys are there for one piece only.
 */
import { FAIL_AUTHENTICATION, FAIL_LENGTH, FAIL_MISUSE, FAIL_RANDOM, FAIL_STALE, OK } from "../abi";
import { hkdfExpand } from "../kdf/hkdf-sha256";
import { COMMITMENT_VERDICT, differ32 } from "../memory/declassify";
import { VAULT_SCRATCH } from "../memory/layout";
import { hostRandom } from "./random";
import {
  AGREE,
  allocate,
  DERIVE,
  isManaged,
  MATERIAL,
  materialLength,
  requireUsage,
  slotOf,
  UNWRAP,
  usagesFit,
  WRAP,
} from "./slots";
import { agreeMid } from "./curve";
import { deriveMid, wrapKeys } from "./subkeys";
import {
  ATTRIBUTES,
  checkRecords,
  COMMIT,
  copyWords,
  MAX_NONCE,
  nonceLengthOf,
  openRecords,
  overheadOf,
  sealRecords,
  wrapIdOf,
} from "./wrap-algorithms";

const FORMAT: u8 = 1;

/** Records handled at once. Scratch: plaintext keys, random bytes, attributes, statuses, and a midstate with an info. */
export const PIECE: i32 = 128;
const KEYS: usize = VAULT_SCRATCH + 256;
export const RANDOM: usize = KEYS + PIECE * 32;
export const NEW_ATTRIBUTES: usize = RANDOM + PIECE * <i32>MAX_NONCE;
export const STATUSES: usize = NEW_ATTRIBUTES + PIECE * 48;
const MID: usize = STATUSES + PIECE;
const INFO: usize = MID + 64;
export const MAX_INFO: i32 = 1024;
const SCRATCH_USED: usize = PIECE * (32 + <i32>MAX_NONCE + 48 + 1) + 64 + 8 + MAX_INFO;

export function wipe(): void {
  memory.fill(KEYS, 0, SCRATCH_USED);
}

@inline
function algorithmOf(attributes: usize): u32 {
  return load<u8>(attributes, 2);
}

@inline
function usagesOf(attributes: usize): u32 {
  return bswap(load<u32>(attributes, 4));
}

/** Names the attributes this wrapping key, with the fields that never vary? */
function namesKek(attributes: usize, kek: usize): bool {
  return (
    load<u8>(attributes) == FORMAT &&
    load<u8>(attributes, 1) == wrapIdOf(kek) &&
    load<u64>(attributes, 28) == load<u64>(kek, 16) &&
    load<u64>(attributes, 36) == load<u64>(kek, 24) &&
    bswap(load<u32>(attributes, 44)) == load<u32>(kek, 12)
  );
}

/** Are these attributes ones that a key of `length` bytes may have under this wrapping key? */
function wellFormed(attributes: usize, kek: usize, length: i32): bool {
  const algorithm = algorithmOf(attributes);
  return (
    namesKek(attributes, kek) &&
    isManaged(algorithm) &&
    length > 0 && // which is what an unknown algorithm has
    materialLength(algorithm) == length &&
    usagesFit(algorithm, usagesOf(attributes), load<u8>(attributes, 3))
  );
}

/** Writes wrapping key, version and wrap algorithm into attributes. */
export function setKek(attributes: usize, kek: usize): void {
  store<u8>(attributes, wrapIdOf(kek), 1);
  copyWords(kek + 16, 16, attributes + 28);
  store<u32>(attributes, bswap(load<u32>(kek, 12)), 44);
}

/** The attributes of a key in a slot. */
function attributesOfSlot(slot: usize, kek: usize, out: usize): void {
  store<u8>(out, FORMAT);
  store<u8>(out, load<u8>(slot, 5), 2);
  store<u8>(out, load<u8>(slot, 6), 3);
  store<u32>(out, bswap(load<u32>(slot, 8)), 4);
  memory.copy(out + 8, slot + 16, 16);
  store<u32>(out, bswap(load<u32>(slot, 12)), 24);
  setKek(out, kek);
}

/** Draws the nonces of `count` records into RANDOM. @returns OK, or FAIL_RANDOM */
export function drawNonces(kek: usize, count: i32): i32 {
  const length = count * <i32>nonceLengthOf(kek);
  return length == 0 || hostRandom(RANDOM, length) == 0 ? OK : FAIL_RANDOM;
}

/**
 * Wraps `count` keys of `length` bytes from KEYS into records `stride` bytes apart. Nonces are drawn by the caller, into
 * RANDOM.
 */
export function sealPiece(
  kek: usize,
  attributes: usize,
  length: usize,
  count: i32,
  out: usize,
  stride: usize,
): void {
  sealRecords(kek, attributes, RANDOM, KEYS, length, count, out, stride);
}

/** Draws `count` keys into KEYS, and nonces for them. */
function drawKeys(kek: usize, length: i32, count: i32): i32 {
  // Keys lie right before the nonces, so with full-length keys one call of the host draws both.
  const both = length == 32 && count == PIECE;
  const drawn = both ? PIECE * (32 + <i32>nonceLengthOf(kek)) : count * length;
  if (hostRandom(KEYS, drawn) != 0) return FAIL_RANDOM;
  return both ? OK : drawNonces(kek, count);
}

/**
 * Unwraps `count` records, `stride` bytes apart, into KEYS; STATUSES tells which opened, and a failed one's key is zero.
 *
 * @returns how many failed
 */
export function openPiece(
  kek: usize,
  attributes: usize,
  wrapped: usize,
  stride: usize,
  length: usize,
  count: i32,
): i32 {
  const subkeys = wrapKeys(kek);
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const foreign = <u8>differ32(wrapped + <usize>i * stride, subkeys + 32, COMMITMENT_VERDICT);
    const malformed: u8 = wellFormed(attributes + <usize>i * ATTRIBUTES, kek, <i32>length) ? 0 : 1;
    store<u8>(STATUSES + <usize>i, foreign | malformed);
  }
  checkRecords(kek, attributes, wrapped, stride, length, count, STATUSES);
  // Commitments and MACs first: a record made for another key is not even tried. What is left opens in runs.
  for (let from = 0; from < count; ) {
    const statuses = STATUSES + <usize>from;
    const keys = KEYS + <usize>from * length;
    if (load<u8>(statuses) != 0) {
      memory.fill(keys, 0, length);
      failed++;
      from++;
      continue;
    }
    let end = from + 1;
    while (end < count && load<u8>(STATUSES + <usize>end) == 0) end++;
    const ownAttributes = attributes + <usize>from * ATTRIBUTES;
    const first = wrapped + <usize>from * stride;
    failed += openRecords(kek, ownAttributes, first, stride, length, end - from, keys, statuses);
    from = end;
  }
  return failed;
}

/** Generates and wraps keys whose attributes are given. All have one length. */
export function generateAndWrap(kek: usize, attributes: usize, count: i32, length: i32, out: usize): i32 {
  let status = requireUsage(kek, WRAP);
  if (status != OK) return status;
  for (let i = 0; i < count; i++) {
    if (!wellFormed(attributes + <usize>i * ATTRIBUTES, kek, length)) return FAIL_MISUSE;
  }
  const stride = overheadOf(kek) + <usize>length;
  for (let done = 0; done < count; done += PIECE) {
    const piece = min(count - done, PIECE);
    const from = <usize>done;
    status = drawKeys(kek, length, piece);
    if (status != OK) break;
    sealPiece(kek, attributes + from * ATTRIBUTES, length, piece, out + from * stride, stride);
  }
  wipe();
  return status;
}

/** Wraps keys that live in slots, `handles` × u32. All have one length. */
export function wrapHandles(kek: usize, handles: usize, count: i32, length: i32, out: usize): i32 {
  let status = requireUsage(kek, WRAP);
  if (status != OK) return status;
  for (let i = 0; i < count; i++) {
    const slot = slotOf(load<u32>(handles + <usize>i * 4));
    if (slot == 0) return FAIL_STALE;
    if (!isManaged(load<u8>(slot, 5))) return FAIL_MISUSE;
    if (load<u8>(slot, 7) != length) return FAIL_LENGTH;
  }
  const stride = overheadOf(kek) + <usize>length;
  for (let done = 0; done < count; done += PIECE) {
    const piece = min(count - done, PIECE);
    status = drawNonces(kek, piece);
    if (status != OK) break;
    for (let i = 0; i < piece; i++) {
      const slot = slotOf(load<u32>(handles + <usize>(done + i) * 4));
      memory.copy(KEYS + <usize>(i * length), slot + MATERIAL, length);
      attributesOfSlot(slot, kek, NEW_ATTRIBUTES + <usize>i * ATTRIBUTES);
    }
    sealPiece(kek, NEW_ATTRIBUTES, length, piece, out + <usize>done * stride, stride);
  }
  wipe();
  return status;
}

/** Unwraps one key into a new slot, which takes its attributes from the authenticated bytes. */
export function unwrapOne(kek: usize, attributes: usize, wrapped: usize, length: i32): i32 {
  const status = requireUsage(kek, UNWRAP);
  if (status != OK) return -status;
  if (openPiece(kek, attributes, wrapped, overheadOf(kek) + <usize>length, length, 1) != 0) {
    wipe();
    return -FAIL_AUTHENTICATION;
  }
  const handle = allocate(
    algorithmOf(attributes),
    load<u8>(attributes, 3),
    usagesOf(attributes),
    attributes + 8,
    bswap(load<u32>(attributes, 24)),
  );
  if (handle > 0) memory.copy(slotOf(handle) + MATERIAL, KEYS, length);
  wipe();
  return handle;
}

/** Opens records without keeping anything but their statuses, `count` bytes at `out`. */
export function openCheck(
  kek: usize,
  attributes: usize,
  wrapped: usize,
  count: i32,
  length: i32,
  out: usize,
): i32 {
  const status = requireUsage(kek, UNWRAP);
  if (status != OK) return status;
  const stride = overheadOf(kek) + <usize>length;
  for (let done = 0; done < count; done += PIECE) {
    const piece = min(count - done, PIECE);
    const from = wrapped + <usize>done * stride;
    openPiece(kek, attributes + <usize>done * ATTRIBUTES, from, stride, length, piece);
    memory.copy(out + <usize>done, STATUSES, piece);
  }
  wipe();
  return OK;
}

/**
 * Moves records from one wrapping key to another. Attributes are those under the old one; the new ones name the new.
 *
 * @param out - `count` × wrapped record, then `count` status bytes; a failed record's bytes are zero
 */
export function rewrap(
  oldKek: usize,
  newKek: usize,
  attributes: usize,
  wrapped: usize,
  count: i32,
  length: i32,
  out: usize,
): i32 {
  let status = requireUsage(oldKek, UNWRAP);
  if (status == OK) status = requireUsage(newKek, WRAP);
  if (status != OK) return status;
  const oldStride = overheadOf(oldKek) + <usize>length;
  const stride = overheadOf(newKek) + <usize>length;
  const statuses = out + <usize>count * stride;
  for (let done = 0; done < count; done += PIECE) {
    const piece = min(count - done, PIECE);
    const old = attributes + <usize>done * ATTRIBUTES;
    const target = out + <usize>done * stride;
    status = drawNonces(newKek, piece);
    if (status != OK) break;
    const failed = openPiece(oldKek, old, wrapped + <usize>done * oldStride, oldStride, length, piece);
    memory.copy(NEW_ATTRIBUTES, old, <usize>piece * ATTRIBUTES);
    for (let i = 0; i < piece; i++) setKek(NEW_ATTRIBUTES + <usize>i * ATTRIBUTES, newKek);
    sealPiece(newKek, NEW_ATTRIBUTES, length, piece, target, stride);
    memory.copy(statuses + <usize>done, STATUSES, piece);
    if (failed == 0) continue;
    // What did not open must not leave as a wrapped key of zeros.
    for (let i = 0; i < piece; i++) {
      if (load<u8>(STATUSES + <usize>i) != 0) memory.fill(target + <usize>i * stride, 0, stride);
    }
  }
  wipe();
  return status;
}

/** Does a parent allow a child with these attributes? It never gains bits. */
function mayDerive(parent: usize, algorithm: u32, usages: u32, flags: u32): bool {
  return (
    usagesFit(algorithm, usages, flags) &&
    isManaged(algorithm) &&
    materialLength(algorithm) == 32 &&
    (usages & ~load<u32>(parent, 8)) == 0 &&
    (flags & ~(<u32>load<u8>(parent, 6))) == 0
  );
}

/** Derives one child's material into `out`; MID holds the parent's midstate. `head` = the child's attributes 0 to 7. */
function deriveMaterial(head: usize, info: usize, infoLength: i32, out: usize): void {
  memory.copy(INFO, head, 8);
  memory.copy(INFO + 8, info, infoLength);
  hkdfExpand(MID, INFO, 8 + infoLength, out, 32);
}

/** Derives one key into a new slot. `attributes` need not name a wrapping key. */
export function deriveOne(parent: usize, attributes: usize, info: usize, infoLength: i32): i32 {
  const status = requireUsage(parent, DERIVE);
  if (status != OK) return -status;
  deriveMid(parent, MID);
  return deriveFromMid(parent, attributes, info, infoLength);
}

/** As `deriveOne`, from what a parent and the holder of a public key agree upon. */
export function agreeOne(parent: usize, peer: usize, attributes: usize, info: usize, infoLength: i32): i32 {
  let status = requireUsage(parent, AGREE);
  if (status == OK) status = agreeMid(parent, peer, MID);
  return status == OK ? deriveFromMid(parent, attributes, info, infoLength) : -status;
}

/** MID holds the parent's midstate, and is wiped. */
function deriveFromMid(parent: usize, attributes: usize, info: usize, infoLength: i32): i32 {
  const algorithm = algorithmOf(attributes);
  const usages = usagesOf(attributes);
  const flags = load<u8>(attributes, 3);
  let handle = -FAIL_MISUSE;
  if (mayDerive(parent, algorithm, usages, flags)) {
    handle = allocate(algorithm, flags, usages, attributes + 8, bswap(load<u32>(attributes, 24)));
    if (handle > 0) deriveMaterial(attributes, info, infoLength, slotOf(handle) + MATERIAL);
  }
  wipe();
  return handle;
}

/** Derives `count` keys and wraps them; infos are back to back, `infoLength` bytes each. */
export function deriveAndWrap(
  parent: usize,
  kek: usize,
  attributes: usize,
  infos: usize,
  infoLength: i32,
  count: i32,
  out: usize,
): i32 {
  let status = requireUsage(parent, DERIVE);
  if (status == OK) status = requireUsage(kek, WRAP);
  if (status != OK) return status;
  for (let i = 0; i < count; i++) {
    const one = attributes + <usize>i * ATTRIBUTES;
    if (!wellFormed(one, kek, 32)) return FAIL_MISUSE;
    if (!mayDerive(parent, algorithmOf(one), usagesOf(one), load<u8>(one, 3))) return FAIL_MISUSE;
  }
  const stride = overheadOf(kek) + 32;
  for (let done = 0; done < count; done += PIECE) {
    const piece = min(count - done, PIECE);
    status = drawNonces(kek, piece);
    if (status != OK) break;
    deriveMid(parent, MID);
    for (let i = 0; i < piece; i++) {
      const one = attributes + <usize>(done + i) * ATTRIBUTES;
      deriveMaterial(one, infos + <usize>((done + i) * infoLength), infoLength, KEYS + <usize>i * 32);
    }
    const from = <usize>done;
    sealPiece(kek, attributes + from * ATTRIBUTES, 32, piece, out + from * stride, stride);
  }
  wipe();
  return status;
}
