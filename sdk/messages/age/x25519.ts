/**
 * age's recipients and identities of X25519 (C2SP age, "The X25519 recipient type"):
 *
 *   -> X25519 base64(ephemeral share (32))
 *   base64(ciphertext (16) ‖ tag (16))
 */
import { ALGORITHM, type Handle, USAGE, type Vault } from "../../crypto/core.js";
import { requireBytes, utf8 } from "../../foundation/bytes.js";
import { isKeyloomError, KeyloomError } from "../../foundation/errors.js";
import { ID_LENGTH } from "../../foundation/ids.js";
import { decodeBase64, encodeBase64 } from "./base64.js";
import { decodeBech32, encodeBech32 } from "./bech32.js";
import type { Stanza } from "./header.js";
import { malformedStanza, NATIVE_BODY_LENGTH } from "./native.js";

export const X25519_STANZA = "X25519";
const RECIPIENT = "age";
const IDENTITY = "AGE-SECRET-KEY-";
const SHARE_LENGTH = 32;

/** An X25519 stanza whose parts have the right form. */
export interface X25519Stanza {
  /** 32 bytes. */
  readonly share: Uint8Array;
  /** 32 bytes. */
  readonly body: Uint8Array;
}

/**
 * The public key, 32 bytes, of a recipient `age1…`.
 *
 * @throws {KeyloomError} `MESSAGE_INVALID_RECIPIENT`
 */
export function parseRecipient(recipient: string): Uint8Array {
  if (typeof recipient !== "string") throw new TypeError("a recipient must be a string");
  const publicKey = decodeBech32(RECIPIENT, utf8(recipient));
  if (publicKey !== null) return publicKey;
  throw new KeyloomError("MESSAGE_INVALID_RECIPIENT", {
    message: "a recipient is an X25519 recipient of age: age1 and 58 characters, with a right checksum",
    recipient,
  });
}

/**
 * @param maximum - how many there may be
 * @throws {KeyloomError} `MESSAGE_INVALID_RECIPIENT`, also for more than that
 */
export function parseRecipients(recipients: readonly string[], maximum: number): Uint8Array[] {
  if (!Array.isArray(recipients)) throw new TypeError("recipients must be an array of strings");
  if (recipients.length > maximum) {
    throw new KeyloomError("MESSAGE_INVALID_RECIPIENT", {
      message: `a file has at most ${maximum} recipients`,
      maximum,
    });
  }
  return recipients.map(parseRecipient);
}

/** The recipient `age1…` of an identity in the vault. */
export function recipientOf(vault: Vault, identity: Handle): string {
  return encodeBech32(RECIPIENT, vault.publicKey(identity));
}

/** @throws {KeyloomError} `MESSAGE_INVALID_IDENTITY` for a public key of another algorithm */
export function recipientOfPublicKey({ algorithm, raw }: { algorithm: string; raw: Uint8Array }): string {
  if (algorithm === "X25519" && raw.length === 32) return encodeBech32(RECIPIENT, raw);
  throw new KeyloomError("MESSAGE_INVALID_IDENTITY", { message: "only X25519 keys are recipients of age" });
}

/** A new identity, as text: it leaves the vault. */
export function generateIdentity(vault: Vault): { identity: string; recipient: string } {
  const handle = vault.generate(identityTemplate(true));
  try {
    const recipient = recipientOf(vault, handle);
    const scalar = vault.exportInsecureCleartext(handle);
    const identity = encodeBech32(IDENTITY, scalar);
    scalar.fill(0);
    return { identity, recipient };
  } finally {
    vault.dispose(handle);
  }
}

/**
 * Takes an identity into the vault.
 *
 * @param identity - `AGE-SECRET-KEY-1…` as a string or as its ASCII bytes. Not modified.
 * @returns the caller's to dispose
 * @throws {KeyloomError} `MESSAGE_INVALID_IDENTITY`
 */
export function importIdentity(vault: Vault, identity: string | Uint8Array): Handle {
  const isText = typeof identity === "string";
  if (!isText) requireBytes(identity, "an identity that isn't a string");
  const text = isText ? utf8(identity) : identity;
  const scalar = decodeBech32(IDENTITY, text);
  if (isText) text.fill(0);
  if (scalar === null) {
    throw new KeyloomError("MESSAGE_INVALID_IDENTITY", {
      message:
        "an identity is an X25519 identity of age: AGE-SECRET-KEY-1 and 58 characters, with a right checksum",
    });
  }
  try {
    return vault.import(identityTemplate(false), scalar);
  } finally {
    scalar.fill(0);
  }
}

function identityTemplate(exportable: boolean) {
  return {
    algorithm: ALGORITHM.X25519,
    usages: USAGE.AGREE,
    exportable,
    id: new Uint8Array(ID_LENGTH),
    version: 0,
  };
}

/**
 * Wraps a file key for a recipient, with a fresh ephemeral key.
 *
 * @param recipient - from {@link parseRecipient}
 * @throws {KeyloomError} `MESSAGE_INVALID_RECIPIENT` for a public key of small order
 */
export function wrapX25519Stanza(vault: Vault, recipient: Uint8Array, fileKey: Handle): Stanza {
  try {
    const { share, body } = vault.ageX25519Wrap(recipient, fileKey);
    return { type: X25519_STANZA, args: [encodeBase64(share)], body };
  } catch (error) {
    if (!isKeyloomError(error, "CORE_WEAK_PUBLIC_KEY")) throw error;
    throw new KeyloomError("MESSAGE_INVALID_RECIPIENT", {
      message: "a recipient's public key has a small order",
      recipient: encodeBech32(RECIPIENT, recipient),
    });
  }
}

/**
 * @returns null for a stanza of another type
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for other than one more argument, the canonical base64 of 32 bytes, and for a
 *   body that isn't exactly 32 bytes
 */
export function parseX25519Stanza({ type, args, body }: Stanza): X25519Stanza | null {
  if (type !== X25519_STANZA) return null;
  const share = args.length === 1 ? decodeBase64(utf8(args[0]!)) : null;
  if (share?.length !== SHARE_LENGTH) throw malformedStanza(type, "has other arguments than one share");
  if (body.length !== NATIVE_BODY_LENGTH) throw malformedStanza(type, "has a body of a wrong length");
  return { share, body };
}

/**
 * @returns the file key, the caller's to dispose; null where the stanza is another identity's, or was changed
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for a share of small order
 */
export function unwrapX25519Stanza(vault: Vault, identity: Handle, stanza: X25519Stanza): Handle | null {
  try {
    return vault.ageX25519Unwrap(identity, stanza.share, stanza.body);
  } catch (error) {
    if (isKeyloomError(error, "CORE_AUTHENTICATION_FAILED")) return null;
    if (isKeyloomError(error, "CORE_WEAK_PUBLIC_KEY"))
      throw malformedStanza(X25519_STANZA, "has a share of small order");
    throw error;
  }
}
