/**
 * The slot table: live keys, their attributes and cached subkeys. The only secrets that outlive a call.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 4 | generation: kept when the slot is free, so that a stale handle is known |
 * | 4 | 1 | bit 0 live; bits 1 to 4: what is cached |
 * | 5 | 1 | algorithm |
 * | 6 | 1 | flags: bit 0 exportable |
 * | 7 | 1 | length of the material |
 * | 8 | 4 | usages |
 * | 12 | 4 | version |
 * | 16 | 16 | id |
 * | 32 | 64 | material |
 * | 96 | 160 | cached subkeys; or the scalar (32), the prefix (32) and the public key (32) |
 */
import { FAIL_LENGTH, FAIL_MISUSE, FAIL_SLOTS_EXHAUSTED, FAIL_STALE, OK } from "../abi";
import { SLOT_COUNT, SLOT_SIZE, SLOTS } from "../memory/layout";

export const MATERIAL: usize = 32;
/** No algorithm has longer material. */
export const MAX_KEY: i32 = 64;
export const SUBKEYS_AT: usize = 96;

export const ALGORITHM_XCHACHA20_POLY1305: u32 = 1;
export const ALGORITHM_HMAC_SHA256: u32 = 2;
export const ALGORITHM_HKDF_SHA256: u32 = 3;
export const ALGORITHM_AGE_FILE_KEY: u32 = 4;
export const ALGORITHM_AGE_PAYLOAD_KEY: u32 = 5;
export const ALGORITHM_ED25519: u32 = 6;
export const ALGORITHM_X25519: u32 = 7;
export const ALGORITHM_A256KW: u32 = 8;
export const ALGORITHM_A256KWP: u32 = 9;
export const ALGORITHM_A256GCMSIV: u32 = 10;
export const ALGORITHM_AGE_SCRYPT_KEY: u32 = 11;

export const SIGN: u32 = 0x1;
export const VERIFY: u32 = 0x2;
export const ENCRYPT: u32 = 0x4;
export const DECRYPT: u32 = 0x8;
export const WRAP: u32 = 0x10;
export const UNWRAP: u32 = 0x20;
export const MAC_GENERATE: u32 = 0x80;
export const MAC_VERIFY: u32 = 0x100;
export const DERIVE: u32 = 0x200;
export const AGREE: u32 = 0x800;

const MAC_BITS: u32 = MAC_GENERATE | MAC_VERIFY;
const CIPHER_BITS: u32 = ENCRYPT | DECRYPT;
const WRAP_BITS: u32 = WRAP | UNWRAP;

const EXPORTABLE: u32 = 1;
const SLOT_BITS: u32 = 10;
/** A slot is retired rather than let its generation come round again. */
const LAST_GENERATION: u32 = (1 << (31 - SLOT_BITS)) - 1;

/** Where the search for a free slot begins: behind the last one given out. Public. */
let cursor: i32 = 0;

/** The material's length of an algorithm, 0 for one that doesn't exist. */
export function materialLength(algorithm: u32): i32 {
  if (algorithm == ALGORITHM_AGE_FILE_KEY) return 16;
  return algorithm >= ALGORITHM_XCHACHA20_POLY1305 && algorithm <= ALGORITHM_AGE_SCRYPT_KEY ? 32 : 0;
}

/** Is this an algorithm of keys that are stored? Those of age files live and die with one file. */
@inline
export function isManaged(algorithm: u32): bool {
  return (
    algorithm != ALGORITHM_AGE_FILE_KEY &&
    algorithm != ALGORITHM_AGE_PAYLOAD_KEY &&
    algorithm != ALGORITHM_AGE_SCRYPT_KEY
  );
}

/** Do these bits fit the algorithm, and keep wrapping apart from encrypting? */
export function usagesFit(algorithm: u32, usages: u32, flags: u32): bool {
  if (flags > EXPORTABLE) return false;
  if ((usages & WRAP_BITS) != 0 && (usages & CIPHER_BITS) != 0) return false;
  if (algorithm == ALGORITHM_XCHACHA20_POLY1305 || algorithm == ALGORITHM_HKDF_SHA256) {
    return (usages & ~(MAC_BITS | CIPHER_BITS | WRAP_BITS | DERIVE)) == 0;
  }
  if (algorithm == ALGORITHM_X25519) {
    return (usages & ~(AGREE | MAC_BITS | CIPHER_BITS | WRAP_BITS | DERIVE)) == 0;
  }
  if (algorithm == ALGORITHM_ED25519) return (usages & ~(SIGN | VERIFY)) == 0;
  if (algorithm == ALGORITHM_HMAC_SHA256) return (usages & ~(MAC_BITS | DERIVE)) == 0;
  if (algorithm >= ALGORITHM_A256KW && algorithm <= ALGORITHM_A256GCMSIV) return (usages & ~WRAP_BITS) == 0;
  return usages == 0;
}

/** The slot of a live handle, or 0. */
export function slotOf(handle: u32): usize {
  const slot = SLOTS + <usize>(handle & ((1 << SLOT_BITS) - 1)) * SLOT_SIZE;
  const live = (load<u8>(slot, 4) & 1) != 0;
  return live && load<u32>(slot) == handle >> SLOT_BITS ? slot : 0;
}

/**
 * OK when the slot is live and has a usage bit; else what refuses it. The bits of an HKDF key are those that its
 * children may have: the key itself does nothing but derive. An X25519 key does nothing but agree, likewise.
 */
export function requireUsage(slot: usize, usage: u32): i32 {
  if (slot == 0) return FAIL_STALE;
  const algorithm = <u32>load<u8>(slot, 5);
  if (algorithm == ALGORITHM_HKDF_SHA256 && usage != DERIVE) return FAIL_MISUSE;
  if (algorithm == ALGORITHM_X25519 && usage != AGREE) return FAIL_MISUSE;
  return (load<u32>(slot, 8) & usage) == usage ? OK : FAIL_MISUSE;
}

/** OK when the slot is live and of an algorithm. */
export function requireAlgorithm(slot: usize, algorithm: u32): i32 {
  if (slot == 0) return FAIL_STALE;
  return load<u8>(slot, 5) == algorithm ? OK : FAIL_MISUSE;
}

/** Where the handle of a new slot is handed back: failures are negative statuses. */
export function allocate(
  algorithm: u32,
  flags: u32,
  usages: u32,
  id: usize,
  version: u32,
): i32 {
  const length = materialLength(algorithm);
  if (length == 0) return -FAIL_LENGTH;
  if (!usagesFit(algorithm, usages, flags)) return -FAIL_MISUSE;
  for (let tried = 0; tried < SLOT_COUNT; tried++) {
    const index = cursor;
    cursor = (cursor + 1) & (SLOT_COUNT - 1);
    const slot = SLOTS + <usize>index * SLOT_SIZE;
    const generation = load<u32>(slot);
    if ((load<u8>(slot, 4) & 1) != 0 || generation == LAST_GENERATION) continue;
    store<u32>(slot, generation + 1);
    store<u8>(slot, 1, 4);
    store<u8>(slot, algorithm, 5);
    store<u8>(slot, flags, 6);
    store<u8>(slot, length, 7);
    store<u32>(slot, usages, 8);
    store<u32>(slot, version, 12);
    memory.copy(slot + 16, id, 16);
    return <i32>(((generation + 1) << SLOT_BITS) | <u32>index);
  }
  return -FAIL_SLOTS_EXHAUSTED;
}

/** Wipes a slot. Its generation stays, so its handle is stale from now on. */
export function release(slot: usize): void {
  memory.fill(slot + 4, 0, SLOT_SIZE - 4);
}

export function releaseAll(): void {
  for (let i = 0; i < SLOT_COUNT; i++) release(SLOTS + <usize>i * SLOT_SIZE);
}

export function countLive(): i32 {
  let count = 0;
  for (let i = 0; i < SLOT_COUNT; i++) count += load<u8>(SLOTS + <usize>i * SLOT_SIZE, 4) & 1;
  return count;
}
