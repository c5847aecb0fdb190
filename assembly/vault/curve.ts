/** Using asymmetric keys in slots: Ed25519 signatures, X25519 agreements, age's X25519 stanzas. */
import { FAIL_AUTHENTICATION, FAIL_MISUSE, FAIL_RANDOM, FAIL_STALE, FAIL_WEAK_KEY, OK } from "../abi";
import { aeadOpen, aeadSeal } from "../cipher/chacha20-poly1305";
import { ed25519Expand, ed25519Sign, x25519PublicKey } from "../curve/ed25519";
import { ed25519Verify } from "../curve/ed25519-verify";
import { x25519 } from "../curve/x25519";
import { hkdfSha256 } from "../kdf/hkdf-sha256";
import { hmacSha256Key } from "../mac/hmac-sha256";
import { declassifyBytes, PUBLIC_KEY } from "../memory/declassify";
import { VAULT_SCRATCH } from "../memory/layout";
import { AGE_X25519, AGE_X25519_LENGTH, AGREE as AGREE_LABEL, AGREE_LENGTH } from "./labels";
import { hostRandom } from "./random";
import {
  AGREE,
  ALGORITHM_AGE_FILE_KEY,
  ALGORITHM_ED25519,
  ALGORITHM_X25519,
  allocate,
  MATERIAL,
  requireAlgorithm,
  requireUsage,
  SIGN,
  slotOf,
  SUBKEYS_AT,
  VERIFY,
} from "./slots";

/** The slot's flag for what is cached here: an expanded Ed25519 key, or an X25519 public key. */
const CURVE: u8 = 16;
export const PUBLIC_AT: usize = SUBKEYS_AT + 64;

export const SHARED: usize = VAULT_SCRATCH;
export const SALT: usize = SHARED + 32;
export const KEY: usize = SALT + 64;
export const NONCE: usize = KEY + 32;
const LENGTH: usize = NONCE + 16;
const SCRATCH_USED: usize = 32 + 64 + 32 + 16 + 16;

export function wipe(): void {
  memory.fill(SHARED, 0, SCRATCH_USED);
}

/** Computes the public part of a key at its first use, to be kept in the slot. */
export function prepare(slot: usize): void {
  const cached = load<u8>(slot, 4);
  if ((cached & CURVE) != 0) return;
  if (load<u8>(slot, 5) == ALGORITHM_ED25519) ed25519Expand(slot + MATERIAL, slot + SUBKEYS_AT);
  else x25519PublicKey(slot + MATERIAL, slot + PUBLIC_AT);
  declassifyBytes(slot + PUBLIC_AT, 32, PUBLIC_KEY);
  store<u8>(slot, cached | CURVE, 4);
}

/** Writes the public key, 32 bytes, which needs no usage. */
export function publicKey(slot: usize, out: usize): i32 {
  if (slot == 0) return FAIL_STALE;
  const algorithm = <u32>load<u8>(slot, 5);
  if (algorithm != ALGORITHM_ED25519 && algorithm != ALGORITHM_X25519) return FAIL_MISUSE;
  prepare(slot);
  memory.copy(out, slot + PUBLIC_AT, 32);
  return OK;
}

/** Signs with the public key that belongs to the seed, never a caller's. `out`: 64 bytes. */
export function sign(slot: usize, message: usize, length: i32, out: usize): i32 {
  const status = requireUsage(slot, SIGN);
  if (status != OK) return status;
  prepare(slot);
  ed25519Sign(slot + SUBKEYS_AT, message, length, out);
  return OK;
}

export function verify(slot: usize, message: usize, length: i32, signature: usize): i32 {
  const status = requireUsage(slot, VERIFY);
  if (status != OK) return status;
  prepare(slot);
  store<i32>(LENGTH, length);
  ed25519Verify(slot + PUBLIC_AT, message, LENGTH, signature, 1, KEY);
  const verdict = load<u8>(KEY);
  wipe();
  return verdict;
}

/**
 * Writes the HMAC midstate of the PRK for keys agreed upon with a peer to `mid`; the caller wipes it. The PRK is
 * HKDF-SHA256(shared secret, the two public keys with the smaller one first, label): both sides come to the same one.
 */
export function agreeMid(slot: usize, peer: usize, mid: usize): i32 {
  prepare(slot);
  const weak = x25519(SHARED, slot + MATERIAL, peer);
  if (weak == 0) {
    const own = slot + PUBLIC_AT;
    const ownFirst = memory.compare(own, peer, 32) < 0;
    memory.copy(SALT, ownFirst ? own : peer, 32);
    memory.copy(SALT + 32, ownFirst ? peer : own, 32);
    hkdfSha256(SHARED, 32, SALT, 64, AGREE_LABEL, AGREE_LENGTH, KEY, 32);
    hmacSha256Key(KEY, 32, mid);
  }
  wipe();
  return weak ? FAIL_WEAK_KEY : OK;
}

/**
 * The key that one message to a recipient is sealed under, into KEY, from the shared secret in SHARED. Its share is of one
 * use, so the nonce, NONCE, is zero.
 */
export function messageKey(share: usize, recipient: usize, label: usize, labelLength: i32): void {
  memory.copy(SALT, share, 32);
  memory.copy(SALT + 32, recipient, 32);
  hkdfSha256(SHARED, 32, SALT, 64, label, labelLength, KEY, 32);
}

/** @param out - 64 bytes: the ephemeral share, then the stanza's body */
export function ageX25519Wrap(fileKey: usize, recipient: usize, out: usize): i32 {
  const status = requireAlgorithm(fileKey, ALGORITHM_AGE_FILE_KEY);
  if (status != OK) return status;
  let failure = FAIL_RANDOM;
  if (hostRandom(KEY, 32) == 0) {
    x25519PublicKey(KEY, out);
    failure = x25519(SHARED, KEY, recipient) ? FAIL_WEAK_KEY : OK;
    messageKey(out, recipient, AGE_X25519, AGE_X25519_LENGTH);
    aeadSeal(false, KEY, NONCE, NONCE, 0, fileKey + MATERIAL, 16, out + 32);
  }
  wipe();
  return failure;
}

/** @returns a handle or a negated status */
export function ageX25519Unwrap(slot: usize, share: usize, body: usize): i32 {
  const status = requireUsage(slot, AGREE);
  if (status != OK) return -status;
  prepare(slot);
  let handle = -FAIL_WEAK_KEY;
  if (x25519(SHARED, slot + MATERIAL, share) == 0) {
    handle = -FAIL_AUTHENTICATION;
    messageKey(share, slot + PUBLIC_AT, AGE_X25519, AGE_X25519_LENGTH);
    if (aeadOpen(false, KEY, NONCE, NONCE, 0, body, 32, SALT) == OK) {
      handle = allocate(ALGORITHM_AGE_FILE_KEY, 0, 0, NONCE, 0);
      if (handle > 0) memory.copy(slotOf(handle) + MATERIAL, SALT, 16);
    }
  }
  wipe();
  return handle;
}
