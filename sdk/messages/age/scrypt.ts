/**
 * age's passphrase stanza (C2SP age, "The scrypt recipient type"), which stands alone in its header:
 *
 *   -> scrypt base64(salt (16)) <work factor>
 *   base64(ciphertext (16) ‖ tag (16))
 */
import { ALGORITHM, deriveFromPassword, type Handle, type Vault } from "../../crypto/core.js";
import { concat, utf8 } from "../../foundation/bytes.js";
import { isKeyloomError } from "../../foundation/errors.js";
import { ID_LENGTH } from "../../foundation/ids.js";
import { decodeBase64, encodeBase64 } from "./base64.js";
import type { Stanza } from "./header.js";
import { disposeIfLive } from "./stream.js";
import { malformedStanza, NATIVE_BODY_LENGTH } from "./native.js";

export const SCRYPT_STANZA = "scrypt";
/**
 * The base-two logarithm of scrypt's N; with r = 8 it takes 2^(factor + 10) bytes of memory. `maximum` is where files are
 * refused unless a caller says otherwise: 1 GiB. `limit`: 2 GiB, the most that WebAssembly's memory has room for.
 */
export const WORK_FACTOR = { default: 18, maximum: 20, limit: 21 } as const;

const SALT_LABEL = utf8("age-encryption.org/v1/scrypt");
export const SALT_LENGTH = 16;
const CANONICAL_DECIMAL = /^[1-9][0-9]*$/;

/** A scrypt stanza whose parts have the right form. */
export interface ScryptStanza {
  /** 16 bytes. */
  readonly salt: Uint8Array;
  readonly workFactor: number;
  /** 32 bytes. */
  readonly body: Uint8Array;
}

/**
 * Wraps a file key under a passphrase: about half a second at the default work factor, in a worker where there is one.
 *
 * @param salt - 16 fresh random bytes
 */
export async function wrapScryptStanza(
  vault: Vault,
  passphrase: Uint8Array,
  salt: Uint8Array,
  workFactor: number,
  fileKey: Handle,
  signal?: AbortSignal,
): Promise<Stanza> {
  const args = [encodeBase64(salt), String(workFactor)];
  const key = await stretch(vault, passphrase, salt, workFactor, signal);
  try {
    return { type: SCRYPT_STANZA, args, body: vault.ageScryptWrap(key, fileKey) };
  } finally {
    // It is gone once it has wrapped.
    disposeIfLive(vault, key);
  }
}

/**
 * @param maximum - the highest work factor that is accepted
 * @returns null for a stanza of another type
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for other than two more arguments, the canonical base64 of 16 bytes and a
 *   canonical decimal; for a work factor above the maximum; for a body that isn't exactly 32 bytes
 */
export function parseScryptStanza({ type, args, body }: Stanza, maximum: number): ScryptStanza | null {
  if (type !== SCRYPT_STANZA) return null;
  const [salt64 = "", factor = ""] = args;
  if (args.length !== 2) throw malformedStanza(type, "has other than two arguments");
  const salt = decodeBase64(utf8(salt64));
  if (salt?.length !== SALT_LENGTH) throw malformedStanza(type, "has a malformed salt");
  if (!CANONICAL_DECIMAL.test(factor)) throw malformedStanza(type, "has a malformed work factor");
  const workFactor = Number(factor);
  if (workFactor > maximum) throw malformedStanza(type, `asks for more work than 2^${maximum}`);
  if (body.length !== NATIVE_BODY_LENGTH) throw malformedStanza(type, "has a body of a wrong length");
  return { salt, workFactor, body };
}

/** @returns the file key, the caller's to dispose; null for another passphrase or a changed stanza */
export async function unwrapScryptStanza(
  vault: Vault,
  passphrase: Uint8Array,
  stanza: ScryptStanza,
  signal?: AbortSignal,
): Promise<Handle | null> {
  const key = await stretch(vault, passphrase, stanza.salt, stanza.workFactor, signal);
  try {
    return vault.ageScryptUnwrap(key, stanza.body);
  } catch (error) {
    if (isKeyloomError(error, "CORE_AUTHENTICATION_FAILED")) return null;
    throw error;
  } finally {
    vault.dispose(key);
  }
}

function stretch(
  vault: Vault,
  passphrase: Uint8Array,
  salt: Uint8Array,
  workFactor: number,
  signal: AbortSignal | undefined,
): Promise<Handle> {
  const template = {
    algorithm: ALGORITHM.AGE_SCRYPT_KEY,
    usages: 0,
    exportable: false,
    id: new Uint8Array(ID_LENGTH),
    version: 0,
  };
  const kdf = { name: "scrypt", N: 2 ** workFactor, r: 8, p: 1 } as const;
  return deriveFromPassword(vault, passphrase, { template, salt: concat(SALT_LABEL, salt), kdf }, signal);
}
