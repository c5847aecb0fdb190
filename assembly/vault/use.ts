/** Using keys in slots: messages, MACs, records, age file keys and payloads. */
import { FAIL_AUTHENTICATION, FAIL_LENGTH, FAIL_PARAMETER, FAIL_RANDOM, OK } from "../abi";
import { aeadOpen, aeadSeal, TAG_LENGTH } from "../cipher/chacha20-poly1305";
import { hkdfSha256 } from "../kdf/hkdf-sha256";
import { hmacSha256, hmacSha256Key, macMessages } from "../mac/hmac-sha256";
import { recordCheck } from "../mac/record-mac";
import { COMMITMENT_VERDICT, differ32, MAC_VERDICT } from "../memory/declassify";
import { VAULT_SCRATCH } from "../memory/layout";
import { AGE_HEADER, AGE_HEADER_LENGTH, AGE_PAYLOAD, AGE_PAYLOAD_LENGTH } from "./labels";
import { hostRandom } from "./random";
import {
  ALGORITHM_AGE_FILE_KEY,
  ALGORITHM_AGE_PAYLOAD_KEY,
  ALGORITHM_AGE_SCRYPT_KEY,
  allocate,
  DECRYPT,
  ENCRYPT,
  MAC_GENERATE,
  MAC_VERIFY,
  MATERIAL,
  release,
  requireAlgorithm,
  requireUsage,
  slotOf,
} from "./slots";
import { ageKeys, macMid, messageKeys, recordMid } from "./subkeys";

const COMMIT: usize = 32;
const NONCE: usize = 24;
/** What sealing adds: commitment, nonce, tag. */
export const SEAL_OVERHEAD: usize = COMMIT + NONCE + TAG_LENGTH;
const AGE_KEY: usize = 16;
export const AGE_BODY: usize = SEAL_OVERHEAD + AGE_KEY;
export const AGE_SCRYPT_BODY: usize = AGE_KEY + TAG_LENGTH;

const MID: usize = VAULT_SCRATCH + 256;
const KEY: usize = MID + 64;
const STREAM_NONCE: usize = KEY + 32;
const SCRATCH_USED: usize = 64 + 32 + 16;

function wipe(): void {
  memory.fill(MID, 0, SCRATCH_USED);
}

function sealUnder(
  subkeys: usize,
  aad: usize,
  aadLength: usize,
  plaintext: usize,
  length: usize,
  out: usize,
): i32 {
  if (hostRandom(out + COMMIT, <i32>NONCE) != 0) return FAIL_RANDOM;
  memory.copy(out, subkeys + 32, COMMIT);
  aeadSeal(true, subkeys, out + COMMIT, aad, aadLength, plaintext, length, out + COMMIT + NONCE);
  return OK;
}

function openUnder(
  subkeys: usize,
  aad: usize,
  aadLength: usize,
  sealed: usize,
  sealedLength: usize,
  out: usize,
): i32 {
  // Commitment first: a message made for another key is not even tried.
  if (differ32(sealed, subkeys + 32, COMMITMENT_VERDICT)) return FAIL_AUTHENTICATION;
  const skipped = COMMIT + NONCE;
  return aeadOpen(true, subkeys, sealed + COMMIT, aad, aadLength, sealed + skipped, sealedLength - skipped, out);
}

/** @param out - `length` + 72 bytes: commitment ‖ nonce ‖ ciphertext ‖ tag */
export function seal(
  slot: usize,
  aad: usize,
  aadLength: usize,
  plaintext: usize,
  length: usize,
  out: usize,
): i32 {
  const status = requireUsage(slot, ENCRYPT);
  return status == OK ? sealUnder(messageKeys(slot), aad, aadLength, plaintext, length, out) : status;
}

export function open(
  slot: usize,
  aad: usize,
  aadLength: usize,
  sealed: usize,
  sealedLength: usize,
  out: usize,
): i32 {
  const status = requireUsage(slot, DECRYPT);
  if (status != OK) return status;
  if (sealedLength < SEAL_OVERHEAD) return FAIL_AUTHENTICATION;
  return openUnder(messageKeys(slot), aad, aadLength, sealed, sealedLength, out);
}

export function mac(slot: usize, data: usize, length: i32, out: usize): i32 {
  const status = requireUsage(slot, MAC_GENERATE);
  if (status != OK) return status;
  macMid(slot, MID);
  hmacSha256(MID, data, length, out);
  wipe();
  return OK;
}

/** OK when `expected`, 32 bytes, is the MAC of the data. */
export function macVerify(slot: usize, data: usize, length: i32, expected: usize): i32 {
  const status = requireUsage(slot, MAC_VERIFY);
  if (status != OK) return status;
  macMid(slot, MID);
  hmacSha256(MID, data, length, KEY);
  const different = differ32(KEY, expected, MAC_VERDICT);
  wipe();
  return different ? FAIL_AUTHENTICATION : OK;
}

export function macMany(slot: usize, messages: usize, lengths: usize, count: i32, out: usize): i32 {
  const status = requireUsage(slot, MAC_GENERATE);
  if (status != OK) return status;
  macMid(slot, MID);
  macMessages(MID, 0, messages, lengths, 0, count, out, 32, 0, 0);
  wipe();
  return OK;
}

/** @param out - 64 bytes a record: MAC (with the prefix) ‖ SHA-256 (without it); 32 bytes without `digests` */
export function recordSealMany(
  slot: usize,
  prefix: usize,
  messages: usize,
  lengths: usize,
  count: i32,
  digests: bool,
  out: usize,
): i32 {
  const status = requireUsage(slot, MAC_GENERATE);
  if (status != OK) return status;
  recordMid(slot, MID);
  const stride: usize = digests ? 64 : 32;
  macMessages(MID, prefix, messages, lengths, 0, count, out, stride, digests ? out + 32 : 0, stride);
  wipe();
  return OK;
}

/** @param out - one status byte a record: 0 = its MAC is right */
export function recordCheckMany(
  slot: usize,
  prefix: usize,
  messages: usize,
  lengths: usize,
  macs: usize,
  count: i32,
  out: usize,
): i32 {
  const status = requireUsage(slot, MAC_VERIFY);
  if (status != OK) return status;
  recordMid(slot, MID);
  recordCheck(MID, prefix, messages, lengths, 0, macs, 32, count, out);
  wipe();
  return OK;
}

/** @param out - 88 bytes */
export function ageWrap(slot: usize, aad: usize, aadLength: usize, fileKey: usize, out: usize): i32 {
  let status = requireUsage(slot, ENCRYPT);
  if (status == OK) status = requireAlgorithm(fileKey, ALGORITHM_AGE_FILE_KEY);
  return status == OK ? sealUnder(ageKeys(slot), aad, aadLength, fileKey + MATERIAL, AGE_KEY, out) : status;
}

/** A new slot's id for keys that have none. */
function allocateAge(algorithm: u32): i32 {
  memory.fill(KEY, 0, 16);
  return allocate(algorithm, 0, 0, KEY, 0);
}

/** Moves an unwrapped file key from scratch into a slot. */
function takeFileKey(): i32 {
  const handle = allocateAge(ALGORITHM_AGE_FILE_KEY);
  if (handle > 0) memory.copy(slotOf(handle) + MATERIAL, KEY + 16, AGE_KEY);
  wipe();
  return handle;
}

export function ageUnwrap(slot: usize, aad: usize, aadLength: usize, body: usize, length: usize): i32 {
  const status = requireUsage(slot, DECRYPT);
  if (status != OK) return -status;
  if (length != AGE_BODY) return -FAIL_LENGTH;
  const opened = openUnder(ageKeys(slot), aad, aadLength, body, length, KEY + 16);
  if (opened != OK) {
    wipe();
    return -opened;
  }
  return takeFileKey();
}

/**
 * Wraps a file key under a key that scrypt made, which is gone then: age's nonce for it is zero, so it seals once.
 *
 * @param out - 32 bytes
 */
export function ageScryptWrap(key: usize, fileKey: usize, out: usize): i32 {
  let status = requireAlgorithm(key, ALGORITHM_AGE_SCRYPT_KEY);
  if (status == OK) status = requireAlgorithm(fileKey, ALGORITHM_AGE_FILE_KEY);
  if (status != OK) return status;
  aeadSeal(false, key + MATERIAL, STREAM_NONCE, STREAM_NONCE, 0, fileKey + MATERIAL, AGE_KEY, out);
  release(key);
  return OK;
}

/** @param body - 32 bytes */
export function ageScryptUnwrap(key: usize, body: usize): i32 {
  const status = requireAlgorithm(key, ALGORITHM_AGE_SCRYPT_KEY);
  if (status != OK) return -status;
  const opened = aeadOpen(
    false,
    key + MATERIAL,
    STREAM_NONCE,
    STREAM_NONCE,
    0,
    body,
    AGE_SCRYPT_BODY,
    KEY + 16,
  );
  return opened == OK ? takeFileKey() : -opened;
}

function headerMac(fileKey: usize, header: usize, length: i32, out: usize): void {
  hkdfSha256(fileKey + MATERIAL, <i32>AGE_KEY, 0, 0, AGE_HEADER, AGE_HEADER_LENGTH, KEY, 32);
  hmacSha256Key(KEY, 32, MID);
  hmacSha256(MID, header, length, out);
}

export function ageHeaderMac(fileKey: usize, header: usize, length: i32, out: usize): i32 {
  const status = requireAlgorithm(fileKey, ALGORITHM_AGE_FILE_KEY);
  if (status != OK) return status;
  headerMac(fileKey, header, length, out);
  wipe();
  return OK;
}

export function ageHeaderMacVerify(fileKey: usize, header: usize, length: i32, expected: usize): i32 {
  const status = requireAlgorithm(fileKey, ALGORITHM_AGE_FILE_KEY);
  if (status != OK) return status;
  headerMac(fileKey, header, length, KEY);
  const different = differ32(KEY, expected, MAC_VERDICT);
  wipe();
  return different ? FAIL_AUTHENTICATION : OK;
}

export function agePayloadKey(fileKey: usize, nonce: usize): i32 {
  const status = requireAlgorithm(fileKey, ALGORITHM_AGE_FILE_KEY);
  if (status != OK) return -status;
  const handle = allocateAge(ALGORITHM_AGE_PAYLOAD_KEY);
  if (handle > 0) {
    const to = slotOf(handle) + MATERIAL;
    hkdfSha256(fileKey + MATERIAL, <i32>AGE_KEY, nonce, 16, AGE_PAYLOAD, AGE_PAYLOAD_LENGTH, to, 32);
  }
  wipe();
  return handle;
}

/** age's STREAM nonce: an 11-byte counter (big-endian) and a byte that is 1 for the last chunk. */
function setStreamNonce(counter: u64, last: u32): void {
  memory.fill(STREAM_NONCE, 0, 12);
  store<u64>(STREAM_NONCE, bswap(counter), 3);
  store<u8>(STREAM_NONCE, last, 11);
}

export function ageChunkSeal(
  payload: usize,
  counter: u64,
  last: u32,
  chunk: usize,
  length: usize,
  out: usize,
): i32 {
  const status = requireAlgorithm(payload, ALGORITHM_AGE_PAYLOAD_KEY);
  if (status != OK) return status;
  if (last > 1) return FAIL_PARAMETER;
  setStreamNonce(counter, last);
  aeadSeal(false, payload + MATERIAL, STREAM_NONCE, chunk, 0, chunk, length, out);
  wipe();
  return OK;
}

export function ageChunkOpen(
  payload: usize,
  counter: u64,
  last: u32,
  sealed: usize,
  length: usize,
  out: usize,
): i32 {
  const status = requireAlgorithm(payload, ALGORITHM_AGE_PAYLOAD_KEY);
  if (status != OK) return status;
  if (last > 1) return FAIL_PARAMETER;
  if (length < TAG_LENGTH) return FAIL_AUTHENTICATION;
  setStreamNonce(counter, last);
  const opened = aeadOpen(false, payload + MATERIAL, STREAM_NONCE, sealed, 0, sealed, length, out);
  wipe();
  return opened;
}
