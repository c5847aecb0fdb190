/**
 * Keyloom's own stanza: a file key wrapped under one version of a managed key.
 *
 *   -> keyloom.dev/managed-key <key id> <key version>
 *   base64(commitment (32) ‖ nonce (24) ‖ ciphertext (16) ‖ tag (16))
 *
 * The first line, without its line feed, is the associated data: a stanza moved to another key or
 * version doesn't open.
 */
import type { Handle, Vault } from "../../crypto/core.js";
import { utf8 } from "../../foundation/bytes.js";
import { isKeyloomError, KeyloomError } from "../../foundation/errors.js";
import { idToString, isIdText, parseId } from "../../foundation/ids.js";
import { argumentLine, type Stanza } from "./header.js";

export const MANAGED_KEY_STANZA = "keyloom.dev/managed-key";
export const MANAGED_KEY_BODY_LENGTH = 32 + 24 + 16 + 16;

const CANONICAL_DECIMAL = /^(?:0|[1-9][0-9]{0,9})$/;
const MAX_U32 = 0xffff_ffff;

/** A managed-key stanza whose parts have the right form; nothing in it is authenticated. */
export interface ManagedKeyStanza {
  /** 16 bytes. */
  readonly keyId: Uint8Array;
  readonly keyVersion: number;
  readonly associatedData: Uint8Array;
  readonly body: Uint8Array;
}

/**
 * Wraps a file key under a managed key.
 *
 * @param key - a live handle of that version, with the usage ENCRYPT.
 * @param keyId - 16 bytes. Not modified.
 * @param fileKey - stays the caller's to dispose.
 * @throws the vault's errors about the handles, as they are.
 */
export function wrapManagedKeyStanza(
  vault: Vault,
  key: Handle,
  keyId: Uint8Array,
  keyVersion: number,
  fileKey: Handle,
): Stanza {
  const args = [idToString(keyId), String(keyVersion)];
  const associatedData = utf8(argumentLine(MANAGED_KEY_STANZA, args));
  return { type: MANAGED_KEY_STANZA, args, body: vault.ageWrapFileKey(key, associatedData, fileKey) };
}

/**
 * Reads a stanza's key id and version, so that its key can be looked up.
 *
 * @returns null for a stanza of another type.
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for one of this type with other arguments than a
 *   lower-case UUID and a canonical decimal of 32 bits, or a body that isn't exactly 88 bytes.
 */
export function parseManagedKeyStanza(stanza: Stanza): ManagedKeyStanza | null {
  const { type, args, body } = stanza;
  if (type !== MANAGED_KEY_STANZA) return null;
  const [id = "", version = ""] = args;
  if (args.length !== 2) throw malformed("has other than two arguments");
  if (!isIdText(id)) throw malformed("names its key by something else than a lower-case UUID");
  if (!CANONICAL_DECIMAL.test(version) || Number(version) > MAX_U32)
    throw malformed("has a malformed version");
  // Before any key is tried: a body of free length would let one ciphertext fit several keys.
  if (body.length !== MANAGED_KEY_BODY_LENGTH) throw malformed("has a body of a wrong length");
  const associatedData = utf8(argumentLine(type, args));
  return { keyId: parseId(id), keyVersion: Number(version), associatedData, body };
}

/**
 * Unwraps the file key with the key version that the stanza names.
 *
 * @param key - a live handle of that version, with the usage DECRYPT.
 * @returns the file key, the caller's to dispose.
 * @throws {KeyloomError} `MESSAGE_AUTHENTICATION_FAILED` for a wrong key as for a changed stanza; the
 *   vault's errors about the handle as they are.
 */
export function unwrapManagedKeyStanza(vault: Vault, key: Handle, stanza: ManagedKeyStanza): Handle {
  try {
    return vault.ageUnwrapFileKey(key, stanza.associatedData, stanza.body);
  } catch (error) {
    if (!isKeyloomError(error, "CORE_AUTHENTICATION_FAILED")) throw error;
    throw new KeyloomError("MESSAGE_AUTHENTICATION_FAILED", { message: "the file's key does not unwrap" });
  }
}

function malformed(what: string): KeyloomError {
  return new KeyloomError("MESSAGE_MALFORMED", { message: `a ${MANAGED_KEY_STANZA} stanza ${what}` });
}
