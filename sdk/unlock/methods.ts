/** Ways to unlock a store, as the application hands them in. */
import { requireBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { passphraseBytes, resolve, type PassphraseSource, type SourceOf } from "../foundation/passphrase.js";
import { KDF_BOUNDS, outOfBounds, type PassphraseKdf } from "./kdfs.js";
import { RAW_KEY_LENGTH } from "./slots.js";

export type UnlockMethod =
  | {
      kind: "passphrase";
      /** For new slots. A slot that is there says itself how it is opened. */
      kdf: PassphraseKdf;
      /** May a slot with PBKDF2 be made anew with Argon2id? */
      renew: boolean;
      secret(): Promise<Uint8Array>;
    }
  | { kind: "raw"; secret(): Promise<Uint8Array> };

/** Argon2id (RFC 9106) in 64 MiB and 3 passes by default; at least 19 MiB, and 38 MiB over all passes. */
export interface Argon2idOptions {
  kdf?: "Argon2id" | undefined;
  /** 19,456 to 2,097,152 (2 GiB). */
  memoryKiB?: number | undefined;
  /** 1 to 16. */
  passes?: number | undefined;
  /** 1 to 64; computed one after another. */
  lanes?: number | undefined;
  /**
   * `false`: a slot with PBKDF2 stays as it is. Else the first unlock that can write makes it anew with Argon2id, under the
   * same passphrase. Copies of the store made before still open with PBKDF2.
   */
  renew?: boolean | undefined;
}

/** PBKDF2-HMAC-SHA256 (RFC 8018), for hosts without so much memory or where a policy asks for it. */
export interface Pbkdf2Options {
  /** May be left out where `iterations` is given. */
  kdf?: "PBKDF2-HMAC-SHA256" | undefined;
  /** 600,000 (the default) to 10,000,000. */
  iterations?: number | undefined;
}

/** How a new slot stretches its passphrase. */
export type PassphraseOptions = Argon2idOptions | Pbkdf2Options;

type AllOptions = Omit<Argon2idOptions, "kdf"> & Omit<Pbkdf2Options, "kdf"> & Pick<PassphraseOptions, "kdf">;

/**
 * Unlocks with a passphrase, stretched inside the core.
 *
 * @param source - the passphrase, or a function that asks for it. A `Uint8Array` is taken over and wiped
 * after use. A `string` is normalised to NFC; it can't be wiped, since JavaScript strings can't.
 * @throws {KeyloomError} `KEY_INVALID_OPTION` for parameters out of bounds; at `open`, `UNLOCK_INVALID_SECRET` for an
 * empty passphrase or lone surrogates, and `CORE_INPUT_TOO_LARGE` where the host hasn't the memory
 */
export function passphrase(source: PassphraseSource, options: PassphraseOptions = {}): UnlockMethod {
  const kdf = kdfOf(options);
  const wrong = outOfBounds(kdf);
  if (wrong !== null) throw new KeyloomError("KEY_INVALID_OPTION", wrong);
  const renew = kdf.name === "Argon2id" && (options as AllOptions).renew !== false;
  return {
    kind: "passphrase",
    kdf,
    renew,
    secret: () => passphraseBytes(source, (text) => text.normalize("NFC")),
  };
}

function kdfOf(options: AllOptions): PassphraseKdf {
  const { iterations, memoryKiB, passes, lanes } = KDF_BOUNDS;
  switch (options.kdf ?? (options.iterations === undefined ? "Argon2id" : "PBKDF2-HMAC-SHA256")) {
    case "Argon2id":
      return {
        name: "Argon2id",
        memoryKiB: options.memoryKiB ?? memoryKiB.default,
        passes: options.passes ?? passes.default,
        lanes: options.lanes ?? lanes.default,
      };
    case "PBKDF2-HMAC-SHA256":
      return { name: "PBKDF2-HMAC-SHA256", iterations: options.iterations ?? iterations.default };
    default:
      throw new KeyloomError("KEY_INVALID_OPTION", {
        message: 'kdf must be "Argon2id" or "PBKDF2-HMAC-SHA256"',
      });
  }
}

/**
 * Unlocks with a 32-byte key kept elsewhere: in a file, a secret manager, a hardware token.
 *
 * @param source - the key, or a function that fetches it; taken over and wiped after use
 */
export function rawKey(source: SourceOf<Uint8Array>): UnlockMethod {
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
