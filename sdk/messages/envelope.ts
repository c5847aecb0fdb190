/**
 * The compact envelope of short messages. Layout (docs/FORMATS.md):
 *
 *   version = 1 (1) ‖ key id (16) ‖ key version (4, big-endian)      the header, 21 bytes
 *   ‖ commitment (32) ‖ nonce (24) ‖ ciphertext ‖ tag (16)           what the vault's `seal` returns
 *
 * The associated data of the AEAD is header ‖ the caller's associated data. The header's length is
 * fixed, so the two can't be shifted against each other.
 */
import type { Handle, Vault } from "../crypto/core.js";
import { getU32, putU32 } from "../foundation/bytes.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH } from "../foundation/ids.js";

/** The largest plaintext of an envelope, in bytes. Longer data is a stream. */
export const MAX_ENVELOPE_PLAINTEXT = 1024 * 1024;
export const ENVELOPE_HEADER_LENGTH = 1 + ID_LENGTH + 4;
/** What an envelope adds to its plaintext: header, commitment, nonce, tag. */
export const ENVELOPE_OVERHEAD = ENVELOPE_HEADER_LENGTH + 32 + 24 + 16;

const FORMAT = 1;
const ID_AT = 1;
const VERSION_AT = ID_AT + ID_LENGTH;

/** An envelope taken apart, not yet authenticated. All arrays are views of the bytes parsed. */
export interface ParsedEnvelope {
  readonly keyId: Uint8Array;
  readonly keyVersion: number;
  readonly header: Uint8Array;
  readonly sealed: Uint8Array;
}

/** @throws {KeyloomError} `MESSAGE_TOO_LARGE` for more than 1 MiB */
export function requireEnvelopeSize({ length }: Uint8Array): void {
  if (length <= MAX_ENVELOPE_PLAINTEXT) return;
  throw new KeyloomError("MESSAGE_TOO_LARGE", {
    message: `a message has at most ${MAX_ENVELOPE_PLAINTEXT} bytes; use encryptStream for longer data`,
    length,
    limit: MAX_ENVELOPE_PLAINTEXT,
  });
}

/**
 * Seals a short message under one version of a managed key.
 *
 * @param key - a live handle with the usage ENCRYPT.
 * @param keyId - 16 bytes, written into the header. Not modified.
 * @param keyVersion - the key's version, an unsigned 32-bit integer.
 * @param plaintext - at most 1 MiB. Not modified.
 * @param aad - bound to the message, not stored in it. Not modified.
 * @returns `plaintext.length + 93` bytes, owned by the caller.
 * @throws {KeyloomError} `MESSAGE_TOO_LARGE` for a longer plaintext; the vault's own errors
 *   (`CORE_HANDLE_STALE`, `CORE_HANDLE_MISUSE`, `CORE_NO_RANDOM`) as they are.
 */
export function sealEnvelope(
  vault: Vault,
  key: Handle,
  keyId: Uint8Array,
  keyVersion: number,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  requireEnvelopeSize(plaintext);
  const associated = new Uint8Array(ENVELOPE_HEADER_LENGTH + aad.length);
  associated[0] = FORMAT;
  associated.set(keyId, ID_AT);
  putU32(associated, VERSION_AT, keyVersion);
  if (aad.length > 0) associated.set(aad, ENVELOPE_HEADER_LENGTH);
  const sealed = vault.seal(key, associated, plaintext);
  const envelope = new Uint8Array(ENVELOPE_HEADER_LENGTH + sealed.length);
  for (let i = 0; i < ENVELOPE_HEADER_LENGTH; i++) envelope[i] = associated[i]!;
  envelope.set(sealed, ENVELOPE_HEADER_LENGTH);
  return envelope;
}

/**
 * Takes an envelope apart without opening it, so that its key can be looked up.
 *
 * @returns views of `bytes`; nothing in them is authenticated.
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for another format version, or a length that no
 *   envelope has.
 */
export function parseEnvelope(bytes: Uint8Array): ParsedEnvelope {
  if (bytes.length < ENVELOPE_OVERHEAD) {
    throw malformed(`an envelope has at least ${ENVELOPE_OVERHEAD} bytes, this has ${bytes.length}`);
  }
  if (bytes.length > ENVELOPE_OVERHEAD + MAX_ENVELOPE_PLAINTEXT) {
    throw malformed("too long for an envelope; a stream is opened with decryptStream");
  }
  if (bytes[0] !== FORMAT) {
    throw malformed(`not an envelope of format ${FORMAT}: the first byte is ${bytes[0]}`);
  }
  return {
    keyId: bytes.subarray(ID_AT, VERSION_AT),
    keyVersion: getU32(bytes, VERSION_AT),
    header: bytes.subarray(0, ENVELOPE_HEADER_LENGTH),
    sealed: bytes.subarray(ENVELOPE_HEADER_LENGTH),
  };
}

/**
 * Opens a parsed envelope with the key version that its header names.
 *
 * @param key - a live handle of that version, with the usage DECRYPT.
 * @param aad - what the message was sealed with. Not modified.
 * @returns the plaintext, owned by the caller.
 * @throws {KeyloomError} `MESSAGE_AUTHENTICATION_FAILED`, the same for a wrong key, wrong associated
 *   data and changed bytes; the vault's errors about the handle as they are.
 */
export function openEnvelope(vault: Vault, key: Handle, parsed: ParsedEnvelope, aad: Uint8Array): Uint8Array {
  let associated = parsed.header;
  if (aad.length > 0) {
    associated = new Uint8Array(ENVELOPE_HEADER_LENGTH + aad.length);
    associated.set(parsed.header, 0);
    associated.set(aad, ENVELOPE_HEADER_LENGTH);
  }
  try {
    return vault.open(key, associated, parsed.sealed);
  } catch (error) {
    // No cause is attached: which of the checks failed is nobody's business.
    if (!isKeyloomError(error, "CORE_AUTHENTICATION_FAILED")) throw error;
    throw new KeyloomError("MESSAGE_AUTHENTICATION_FAILED", { message: "the message does not open" });
  }
}

function malformed(message: string): KeyloomError {
  return new KeyloomError("MESSAGE_MALFORMED", { message });
}
