/** Ways to unlock a store, as the application hands them in. */
import { requireBytes, utf8 } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { PBKDF2_ITERATIONS, RAW_KEY_LENGTH } from "./slots.js";

type Secret = Uint8Array | string;
type SecretSource = Secret | (() => Secret | Promise<Secret>);

export type UnlockMethod =
  | { kind: "passphrase"; iterations: number; secret(): Promise<Uint8Array> }
  | { kind: "raw"; secret(): Promise<Uint8Array> };

export interface PassphraseOptions {
  /** PBKDF2-HMAC-SHA256 iterations of a new slot: 600,000 (the default) to 10,000,000. */
  iterations?: number;
}

/**
 * Unlocks with a passphrase, stretched by PBKDF2-HMAC-SHA256 inside the core.
 *
 * @param source - the passphrase, or a function that asks for it. A `Uint8Array` is taken over and wiped
 * after use. A `string` is normalised to NFC; it can't be wiped, since JavaScript strings can't.
 * @throws {KeyloomError} `UNLOCK_INVALID_SECRET` for an empty passphrase or lone surrogates, at `open`
 */
export function passphrase(source: SecretSource, options: PassphraseOptions = {}): UnlockMethod {
  const iterations = options.iterations ?? PBKDF2_ITERATIONS.default;
  const { minimum, maximum } = PBKDF2_ITERATIONS;
  if (!Number.isInteger(iterations) || iterations < minimum || iterations > maximum) {
    throw new KeyloomError("KEY_INVALID_OPTION", {
      message: `iterations must be from ${minimum} to ${maximum}`,
      minimum,
      maximum,
    });
  }
  return { kind: "passphrase", iterations, secret: async () => passphraseBytes(await resolve(source)) };
}

/**
 * Unlocks with a 32-byte key kept elsewhere: in a file, a secret manager, a hardware token.
 *
 * @param source - the key, or a function that fetches it; taken over and wiped after use
 */
export function rawKey(source: Uint8Array | (() => Uint8Array | Promise<Uint8Array>)): UnlockMethod {
  return {
    kind: "raw",
    async secret() {
      const key = await resolve(source);
      requireBytes(key, "a raw key");
      if (key.length === RAW_KEY_LENGTH) return key;
      throw new KeyloomError("UNLOCK_INVALID_SECRET", { message: `a raw key has ${RAW_KEY_LENGTH} bytes` });
    },
  };
}

async function resolve<T>(source: T | (() => T | Promise<T>)): Promise<T> {
  return typeof source === "function" ? (source as () => T | Promise<T>)() : source;
}

function passphraseBytes(secret: Secret): Uint8Array {
  if (typeof secret !== "string") {
    requireBytes(secret, "a passphrase");
    if (secret.length === 0)
      throw new KeyloomError("UNLOCK_INVALID_SECRET", { message: "a passphrase can't be empty" });
    return secret;
  }
  if (secret === "" || /\p{Cs}/u.test(secret)) {
    throw new KeyloomError("UNLOCK_INVALID_SECRET", {
      message: "a passphrase can't be empty or hold lone surrogates",
    });
  }
  return utf8(secret.normalize("NFC"));
}
