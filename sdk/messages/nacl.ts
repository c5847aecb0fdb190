/**
 * `keyloom/nacl`: opens what NaCl's `crypto_secretbox` and `crypto_box` made, so that old messages stay readable. Nothing is
 * written in these formats. Keys are the caller's bytes, outside of the vault.
 *
 * The work is TweetNaCl's, an optional package (`npm i tweetnacl`) that is loaded at the first call.
 */
import { KeyloomError } from "../foundation/errors.js";

const KEY_LENGTH = 32;
const NONCE_LENGTH = 24;
const TAG_LENGTH = 16;

/**
 * Opens a secretbox: XSalsa20-Poly1305, tag ‖ ciphertext.
 *
 * @param key - 32 bytes
 * @param nonce - 24 bytes
 * @returns the message, `box.length` − 16 bytes, owned by the caller
 * @throws {KeyloomError} `MESSAGE_AUTHENTICATION_FAILED`, whatever was changed; `MESSAGE_MALFORMED` for a box of less than 16
 *   bytes or a nonce of another length; `CORE_INVALID_LENGTH` for a key of another length; `CORE_UNSUPPORTED` where tweetnacl
 *   is not installed
 */
export async function openNaClSecretbox(
  key: Uint8Array,
  nonce: Uint8Array,
  box: Uint8Array,
): Promise<Uint8Array> {
  requireKey(key, "key");
  requireBox(nonce, box);
  return opened((await load()).secretbox.open(box, nonce, key));
}

/**
 * Opens a box: a secretbox under the key that X25519 and HSalsa20 make of the two parties' keys.
 *
 * @param secretKey - 32 bytes, the receiver's (or the sender's: both can open it)
 * @param publicKey - 32 bytes, the other party's
 * @throws as {@link openNaClSecretbox}
 */
export async function openNaClBox(
  secretKey: Uint8Array,
  publicKey: Uint8Array,
  nonce: Uint8Array,
  box: Uint8Array,
): Promise<Uint8Array> {
  requireKey(secretKey, "secretKey");
  requireKey(publicKey, "publicKey");
  requireBox(nonce, box);
  return opened((await load()).box.open(box, nonce, publicKey, secretKey));
}

async function load(): Promise<typeof import("tweetnacl")> {
  try {
    return (await import("tweetnacl")).default;
  } catch (cause) {
    throw new KeyloomError("CORE_UNSUPPORTED", {
      message: "NaCl messages need the package tweetnacl: npm i tweetnacl",
      cause,
    });
  }
}

function opened(message: Uint8Array | null): Uint8Array {
  if (message !== null) return message;
  throw new KeyloomError("MESSAGE_AUTHENTICATION_FAILED", { message: "the box doesn't open" });
}

function requireBytes(value: unknown, what: string): void {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
}

function requireKey(key: Uint8Array, what: string): void {
  requireBytes(key, what);
  if (key.length === KEY_LENGTH) return;
  throw new KeyloomError("CORE_INVALID_LENGTH", {
    message: `${what} has ${key.length} bytes, not ${KEY_LENGTH}`,
    expected: KEY_LENGTH,
    length: key.length,
  });
}

function requireBox(nonce: Uint8Array, box: Uint8Array): void {
  requireBytes(nonce, "nonce");
  requireBytes(box, "box");
  if (nonce.length === NONCE_LENGTH && box.length >= TAG_LENGTH) return;
  throw new KeyloomError("MESSAGE_MALFORMED", {
    message: `a box has a nonce of ${NONCE_LENGTH} bytes and at least ${TAG_LENGTH} bytes`,
  });
}
