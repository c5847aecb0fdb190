/** Subkeys of a slot: derived at first use, kept in the slot, wiped with it. */
import { VAULT_SCRATCH } from "../memory/layout";
import { hmacSha256Key } from "../mac/hmac-sha256";
import { hkdfExpand, hkdfExtract } from "../kdf/hkdf-sha256";
import {
  AGE_COMMIT,
  AGE_COMMIT_LENGTH,
  AGE_ENC,
  AGE_ENC_LENGTH,
  DERIVE,
  DERIVE_LENGTH,
  MAC,
  MAC_LENGTH,
  MESSAGE_COMMIT,
  MESSAGE_COMMIT_LENGTH,
  MESSAGE_ENC,
  MESSAGE_ENC_LENGTH,
  RECORD_MAC,
  RECORD_MAC_LENGTH,
  WRAP_COMMIT,
  WRAP_COMMIT_LENGTH,
  WRAP_ENC,
  WRAP_ENC_LENGTH,
  WRAP_MAC,
  WRAP_MAC_LENGTH,
} from "./labels";
import { MATERIAL, SUBKEYS_AT } from "./slots";

const PRK: usize = VAULT_SCRATCH;
const MID: usize = VAULT_SCRATCH + 32;
const MID_LENGTH: usize = 64;

/** Groups of cached subkeys. A key either wraps or encrypts, so what is for the one shares a place with what is for the other. */
const WRAP_OR_MESSAGE: u8 = 2;
const WRAP_MAC_OR_AGE: u8 = 4;
const RECORD: u8 = 8;
const WRAP_MAC_OR_AGE_AT: usize = SUBKEYS_AT + 64;
const RECORD_AT: usize = SUBKEYS_AT + 128;

/** Begins deriving from a slot's material: its PRK's midstate is in MID. */
function begin(slot: usize): void {
  hkdfExtract(0, 0, slot + MATERIAL, load<u8>(slot, 7), PRK);
  hmacSha256Key(PRK, 32, MID);
}

function end(): void {
  memory.fill(PRK, 0, 32 + MID_LENGTH);
}

function pair(
  slot: usize,
  group: u8,
  at: usize,
  enc: usize,
  encLength: i32,
  commit: usize,
  commitLength: i32,
): usize {
  const cached = load<u8>(slot, 4);
  if ((cached & group) == 0) {
    begin(slot);
    hkdfExpand(MID, enc, encLength, slot + at, 32);
    hkdfExpand(MID, commit, commitLength, slot + at + 32, 32);
    end();
    store<u8>(slot, cached | group, 4);
  }
  return slot + at;
}

/** The AEAD key (32) and the commitment (32) of a wrapping key. */
export function wrapKeys(slot: usize): usize {
  return pair(slot, WRAP_OR_MESSAGE, SUBKEYS_AT, WRAP_ENC, WRAP_ENC_LENGTH, WRAP_COMMIT, WRAP_COMMIT_LENGTH);
}

/** The AEAD key and the commitment for messages. */
export function messageKeys(slot: usize): usize {
  return pair(
    slot,
    WRAP_OR_MESSAGE,
    SUBKEYS_AT,
    MESSAGE_ENC,
    MESSAGE_ENC_LENGTH,
    MESSAGE_COMMIT,
    MESSAGE_COMMIT_LENGTH,
  );
}

/** The AEAD key and the commitment for age file keys. */
export function ageKeys(slot: usize): usize {
  return pair(slot, WRAP_MAC_OR_AGE, WRAP_MAC_OR_AGE_AT, AGE_ENC, AGE_ENC_LENGTH, AGE_COMMIT, AGE_COMMIT_LENGTH);
}

/** One subkey of 32 bytes. */
function single(slot: usize, group: u8, at: usize, label: usize, length: i32): usize {
  const cached = load<u8>(slot, 4);
  if ((cached & group) == 0) {
    begin(slot);
    hkdfExpand(MID, label, length, slot + at, 32);
    end();
    store<u8>(slot, cached | group, 4);
  }
  return slot + at;
}

/** The MAC key of a wrapping key whose algorithm has no associated data. */
export function wrapMac(slot: usize): usize {
  return single(slot, WRAP_MAC_OR_AGE, WRAP_MAC_OR_AGE_AT, WRAP_MAC, WRAP_MAC_LENGTH);
}

/** Writes the HMAC midstate of the record-MAC subkey to `mid`, 64 bytes. The caller wipes it. */
export function recordMid(slot: usize, mid: usize): void {
  hmacSha256Key(single(slot, RECORD, RECORD_AT, RECORD_MAC, RECORD_MAC_LENGTH), 32, mid);
}

function uncachedMid(slot: usize, label: usize, length: i32, mid: usize): void {
  begin(slot);
  hkdfExpand(MID, label, length, PRK, 32);
  hmacSha256Key(PRK, 32, mid);
  end();
}

/** The HMAC midstate of the subkey for callers' MACs. The caller wipes it. */
export function macMid(slot: usize, mid: usize): void {
  uncachedMid(slot, MAC, MAC_LENGTH, mid);
}

/** The HMAC midstate of the PRK that keys are derived from. The caller wipes it. */
export function deriveMid(slot: usize, mid: usize): void {
  uncachedMid(slot, DERIVE, DERIVE_LENGTH, mid);
}
