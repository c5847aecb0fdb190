/**
 * The wrap algorithms. What a wrapped key of n bytes looks like follows from the algorithm of the wrapping key:
 *
 *   XChaCha20-Poly1305   commitment (32) ‖ nonce (24) ‖ ciphertext (n) ‖ tag (16)
 *   AES-KW, AES-KWP      commitment (32) ‖ MAC (32) ‖ wrapped key (n + 8)
 *   AES-256-GCM-SIV      commitment (32) ‖ nonce (12) ‖ ciphertext (n) ‖ tag (16)
 *
 * AES-KW and AES-KWP know no associated data: the MAC, HMAC-SHA256 under a subkey of its own, binds the wrapped key to its
 * attributes, and is checked before anything is unwrapped.
 */
import { aeadOpenBatch, aeadSealBatch } from "../cipher/aead-batch";
import { setKey } from "../cipher/aes";
import { gcmSivOpenBatch, gcmSivSealBatch } from "../cipher/aes-gcm-siv";
import { hmacSha256Key, macMessages } from "../mac/hmac-sha256";
import { recordCheck } from "../mac/record-mac";
import { AES_SCRATCH } from "../memory/layout";
import { KW_IV, KW_OVERHEAD, kwpIv, kwUnwrapBatch, kwWrapBatch, wipeKw } from "../wrap/aes-kw";
import {
  ALGORITHM_A256GCMSIV,
  ALGORITHM_A256KW,
  ALGORITHM_A256KWP,
  ALGORITHM_XCHACHA20_POLY1305,
} from "./slots";
import { wrapKeys, wrapMac } from "./subkeys";

export const ATTRIBUTES: usize = 48;
export const COMMIT: usize = 32;
const MAC: usize = 32;
const TAG: usize = 16;
/** No algorithm has longer nonces. */
export const MAX_NONCE: usize = 24;
const GCM_SIV_NONCE: usize = 12;

/** MACs are computed a part at a time, in the scratch of AES, which is at rest then. */
const PART: i32 = 64;
const MESSAGES: usize = AES_SCRATCH;
const LENGTHS: usize = MESSAGES + <usize>PART * (ATTRIBUTES + 64 + KW_OVERHEAD);
const STATUSES: usize = LENGTHS + <usize>PART * 4;
const MID: usize = STATUSES + <usize>PART;
const SCRATCH_USED: usize = MID + 64 - AES_SCRATCH;

@inline
function algorithmOf(kek: usize): u32 {
  return load<u8>(kek, 5);
}

@inline
function isKeyWrap(algorithm: u32): bool {
  return algorithm == ALGORITHM_A256KW || algorithm == ALGORITHM_A256KWP;
}

/** The wrap algorithm's id in attributes: 1 XChaCha20-Poly1305, 2 AES-KW, 3 AES-KWP, 4 AES-256-GCM-SIV. */
export function wrapIdOf(kek: usize): u8 {
  const algorithm = algorithmOf(kek);
  return <u8>(algorithm == ALGORITHM_XCHACHA20_POLY1305 ? 1 : algorithm - ALGORITHM_A256KW + 2);
}

/** The length of a nonce, which is random; 0 where the algorithm has none. */
export function nonceLengthOf(kek: usize): usize {
  const algorithm = algorithmOf(kek);
  if (isKeyWrap(algorithm)) return 0;
  return algorithm == ALGORITHM_A256GCMSIV ? GCM_SIV_NONCE : MAX_NONCE;
}

/** What wrapping under a key adds to a key's length. */
export function overheadOf(kek: usize): usize {
  if (isKeyWrap(algorithmOf(kek))) return COMMIT + MAC + KW_OVERHEAD;
  return COMMIT + nonceLengthOf(kek) + TAG;
}

/** Copies a few 8-byte words: `memory.copy` is a call of the host for as little as this. */
@inline
export function copyWords(from: usize, length: usize, to: usize): void {
  for (let i: usize = 0; i < length; i += 8) store<u64>(to + i, load<u64>(from + i));
}

/** The MACs of `count` records are written into them; or, with `statuses`, checked: a wrong one makes a record's status 1. */
function macRecords(
  kek: usize,
  attributes: usize,
  records: usize,
  stride: usize,
  length: usize,
  count: i32,
  statuses: usize,
): void {
  const wrappedLength = length + KW_OVERHEAD;
  hmacSha256Key(wrapMac(kek), 32, MID);
  for (let i: usize = 0; i < <usize>PART; i++) store<u32>(LENGTHS + i * 4, <u32>(ATTRIBUTES + wrappedLength));
  for (; count > 0; count -= PART) {
    const part = min(count, PART);
    let message = MESSAGES;
    for (let i: usize = 0; i < <usize>part; i++) {
      copyWords(attributes + i * ATTRIBUTES, ATTRIBUTES, message);
      memory.copy(message + ATTRIBUTES, records + i * stride + COMMIT + MAC, wrappedLength);
      message += ATTRIBUTES + wrappedLength;
    }
    const macs = records + COMMIT;
    if (statuses == 0) {
      macMessages(MID, 0, MESSAGES, LENGTHS, 0, part, macs, stride, 0, 0);
    } else {
      recordCheck(MID, 0, MESSAGES, LENGTHS, 0, macs, stride, part, STATUSES);
      for (let i: usize = 0; i < <usize>part; i++) {
        store<u8>(statuses, load<u8>(statuses) | load<u8>(STATUSES + i));
        statuses++;
      }
    }
    attributes += <usize>part * ATTRIBUTES;
    records += <usize>part * stride;
  }
  memory.fill(AES_SCRATCH, 0, SCRATCH_USED);
}

/**
 * Wraps `count` keys of `length` bytes into records `stride` bytes apart.
 *
 * @param nonces - `count` random ones, back to back
 */
export function sealRecords(
  kek: usize,
  attributes: usize,
  nonces: usize,
  keys: usize,
  length: usize,
  count: i32,
  out: usize,
  stride: usize,
): void {
  const algorithm = algorithmOf(kek);
  const subkeys = wrapKeys(kek);
  const nonceLength = nonceLengthOf(kek);
  for (let i: usize = 0; i < <usize>count; i++) {
    const record = out + i * stride;
    copyWords(subkeys + 32, COMMIT, record);
    const nonce = nonces + i * nonceLength;
    for (let at: usize = 0; at < nonceLength; at += 4) store<u32>(record + COMMIT + at, load<u32>(nonce + at));
  }
  const body = out + COMMIT + nonceLength;
  if (algorithm == ALGORITHM_XCHACHA20_POLY1305) {
    aeadSealBatch(
      true,
      subkeys,
      out + COMMIT,
      stride,
      attributes,
      ATTRIBUTES,
      ATTRIBUTES,
      keys,
      length,
      length,
      body,
      stride,
      count,
    );
  } else if (algorithm == ALGORITHM_A256GCMSIV) {
    gcmSivSealBatch(
      subkeys,
      out + COMMIT,
      stride,
      attributes,
      ATTRIBUTES,
      ATTRIBUTES,
      keys,
      length,
      length,
      body,
      stride,
      count,
    );
  } else {
    const iv = algorithm == ALGORITHM_A256KW ? KW_IV : kwpIv(<u32>length);
    kwWrapBatch(setKey(subkeys, 32, count), iv, keys, length, out + COMMIT + MAC, stride, count);
    wipeKw();
    macRecords(kek, attributes, out, stride, length, count, 0);
  }
}

/**
 * What is checked of records before any is opened, besides their commitments: MACs, where the algorithm has them.
 *
 * @param statuses - `count` bytes; a wrong MAC makes one 1
 */
export function checkRecords(
  kek: usize,
  attributes: usize,
  records: usize,
  stride: usize,
  length: usize,
  count: i32,
  statuses: usize,
): void {
  if (isKeyWrap(algorithmOf(kek))) macRecords(kek, attributes, records, stride, length, count, statuses);
}

/**
 * Unwraps `count` records, whose commitments are right and which `checkRecords` passed.
 *
 * @param keys - `count` × `length` bytes; a failed one is zero
 * @param statuses - `count` bytes, written here
 * @returns how many failed
 */
export function openRecords(
  kek: usize,
  attributes: usize,
  records: usize,
  stride: usize,
  length: usize,
  count: i32,
  keys: usize,
  statuses: usize,
): i32 {
  const algorithm = algorithmOf(kek);
  const subkeys = wrapKeys(kek);
  const nonces = records + COMMIT;
  const body = nonces + nonceLengthOf(kek);
  if (algorithm == ALGORITHM_XCHACHA20_POLY1305) {
    return aeadOpenBatch(
      true,
      subkeys,
      nonces,
      stride,
      attributes,
      ATTRIBUTES,
      ATTRIBUTES,
      body,
      stride,
      length,
      keys,
      length,
      count,
      statuses,
    );
  }
  if (algorithm == ALGORITHM_A256GCMSIV) {
    return gcmSivOpenBatch(
      subkeys,
      nonces,
      stride,
      attributes,
      ATTRIBUTES,
      ATTRIBUTES,
      body,
      stride,
      length,
      keys,
      length,
      count,
      statuses,
    );
  }
  const iv = algorithm == ALGORITHM_A256KW ? KW_IV : kwpIv(<u32>length);
  const rounds = setKey(subkeys, 32, count);
  const failures = kwUnwrapBatch(rounds, iv, nonces + MAC, stride, length, keys, count, statuses);
  wipeKw();
  return failures;
}
