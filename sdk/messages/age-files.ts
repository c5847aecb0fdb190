/**
 * age files without a managed key: to X25519 recipients, or under a passphrase. No store is needed; keys live in a vault
 * that these calls share.
 */
import { loadCoreWith, type Handle, type Vault } from "../crypto/core.js";
import { KeyloomError } from "../foundation/errors.js";
import { passphraseBytes, type PassphraseSource } from "../foundation/passphrase.js";
import { hostRandom, randomBytes } from "../foundation/random.js";
import type { AgeSource } from "./age/byte-source.js";
import { decryptAgeStream, encryptAgeStream } from "./age/file.js";
import { MAX_STANZAS, type Stanza } from "./age/header.js";
import {
  parseScryptStanza,
  SALT_LENGTH,
  unwrapScryptStanza,
  WORK_FACTOR,
  wrapScryptStanza,
} from "./age/scrypt.js";
import {
  generateIdentity,
  importIdentity,
  parseRecipients,
  parseX25519Stanza,
  recipientOf,
  recipientOfPublicKey,
  unwrapX25519Stanza,
  wrapX25519Stanza,
} from "./age/x25519.js";

/** A secret key `AGE-SECRET-KEY-1…`: a string, which can't be wiped, or its ASCII bytes, which are the caller's to wipe. */
export type AgeIdentity = string | Uint8Array;

export type EncryptAgeOptions = {
  /** Write the file as text, in ASCII armor: a third longer, safe for mail and chats. */
  armor?: boolean | undefined;
} & (
  | {
      /** Who may read the file, each alone: X25519 recipients `age1…`, from 1 to 128. */
      recipients: readonly string[];
      passphrase?: undefined;
      workFactor?: undefined;
    }
  | {
      /**
       * The passphrase, or a function that asks for it. Bytes are taken over and wiped after use. A string is taken as its
       * UTF-8, not normalised, as in other implementations of age.
       */
      passphrase: PassphraseSource;
      /** The base-two logarithm of scrypt's N, 1 to 21. Default 18: half a second and 256 MiB. */
      workFactor?: number | undefined;
      recipients?: undefined;
    }
);

export interface DecryptAgeOptions {
  /** Each is tried with each X25519 stanza of the file. */
  identities?: readonly AgeIdentity[] | undefined;
  /** As for encrypting. A function is asked only for a file that is under a passphrase. */
  passphrase?: PassphraseSource | undefined;
  /**
   * A file that asks for a higher work factor is refused, for whoever wrote it chose it: it takes 2^(factor + 10) bytes of
   * memory. 1 to 21, which is all the memory that WebAssembly has; default 20.
   */
  maxWorkFactor?: number | undefined;
}

/** Other implementations of age don't normalise passphrases either. */
const asItIs = (text: string): string => text;

let shared: Promise<Vault> | undefined;

/** One vault for all files: an open stream holds one of its slots. */
function sharedVault(): Promise<Vault> {
  shared ??= loadCoreWith().then(
    ({ vault }) => vault,
    (error: unknown) => {
      shared = undefined;
      throw error;
    },
  );
  return shared;
}

function checkFactor(factor: number, what: string): number {
  if (Number.isInteger(factor) && factor >= 1 && factor <= WORK_FACTOR.limit) return factor;
  throw invalid(`${what} must be from 1 to ${WORK_FACTOR.limit}`);
}

function invalid(message: string): KeyloomError {
  return new KeyloomError("KEY_INVALID_OPTION", { message });
}

/**
 * Encrypts data of any length as an age v1 file, to recipients or under a passphrase.
 *
 * @param source - locked at once, read as the result is read. Pieces are not modified.
 * @throws {KeyloomError} at once: `MESSAGE_INVALID_RECIPIENT`, `KEY_INVALID_OPTION`. The stream fails with
 *   `UNLOCK_INVALID_SECRET` for a passphrase that is empty or isn't text, and with errors of the source as they are.
 */
export function encryptAge(source: AgeSource, options: EncryptAgeOptions): ReadableStream<Uint8Array> {
  const { armor, passphrase } = options;
  if ((options.recipients === undefined) === (passphrase === undefined)) {
    throw invalid("a file is encrypted either to recipients or under a passphrase");
  }
  const recipients = parseRecipients(options.recipients ?? [], MAX_STANZAS);
  if (passphrase === undefined && recipients.length === 0) throw invalid("a file needs a recipient");
  const workFactor = checkFactor(options.workFactor ?? WORK_FACTOR.default, "workFactor");
  const random = (length: number) => randomBytes(hostRandom, length);
  return encryptAgeStream(
    {
      vault: sharedVault,
      armor,
      random,
      async stanzas(fileKey, vault, signal) {
        if (passphrase === undefined) {
          return recipients.map((recipient) => wrapX25519Stanza(vault, recipient, fileKey));
        }
        const secret = await passphraseBytes(passphrase, asItIs);
        try {
          return [await wrapScryptStanza(vault, secret, random(SALT_LENGTH), workFactor, fileKey, signal)];
        } finally {
          secret.fill(0);
        }
      },
    },
    source,
  );
}

/**
 * Decrypts an age v1 file, armored or not. Every chunk is authentic when it leaves, but only the end of the stream says
 * that nothing is missing: use what was read only after that.
 *
 * @param source - locked at once, read as the result is read. Pieces are not modified.
 * @throws {KeyloomError} at once: `KEY_INVALID_OPTION`. The stream fails with `MESSAGE_NO_MATCH` where no identity and no
 *   passphrase opens the file, one code for a wrong one and for a changed stanza; `MESSAGE_AUTHENTICATION_FAILED`,
 *   `MESSAGE_MALFORMED`; `MESSAGE_INVALID_IDENTITY`, `UNLOCK_INVALID_SECRET`; errors of the source as they are.
 */
export function decryptAge(source: AgeSource, options: DecryptAgeOptions): ReadableStream<Uint8Array> {
  const { identities = [], passphrase } = options;
  if (!Array.isArray(identities)) throw new TypeError("identities must be an array");
  if (identities.length === 0 && passphrase === undefined) throw invalid("no identity and no passphrase");
  const maximum = checkFactor(options.maxWorkFactor ?? WORK_FACTOR.maximum, "maxWorkFactor");
  return decryptAgeStream(
    {
      vault: sharedVault,
      async unwrapFileKey(stanzas, vault, signal) {
        const fileKey =
          unwrapWithIdentities(vault, stanzas, identities) ??
          (passphrase === undefined
            ? null
            : await unwrapWithPassphrase(vault, stanzas, passphrase, maximum, signal));
        if (fileKey !== null) return fileKey;
        throw new KeyloomError("MESSAGE_NO_MATCH", { message: "nothing that was given opens this file" });
      },
    },
    source,
  );
}

function unwrapWithIdentities(
  vault: Vault,
  stanzas: readonly Stanza[],
  identities: readonly AgeIdentity[],
): Handle | null {
  if (identities.length === 0) return null;
  // All are parsed before any is tried: a malformed one refuses the file, wherever it stands.
  const parsed = stanzas.map(parseX25519Stanza).filter((stanza) => stanza !== null);
  for (const text of identities) {
    const identity = importIdentity(vault, text);
    try {
      for (const stanza of parsed) {
        const fileKey = unwrapX25519Stanza(vault, identity, stanza);
        if (fileKey !== null) return fileKey;
      }
    } finally {
      vault.dispose(identity);
    }
  }
  return null;
}

async function unwrapWithPassphrase(
  vault: Vault,
  stanzas: readonly Stanza[],
  passphrase: PassphraseSource,
  maximum: number,
  signal: AbortSignal,
): Promise<Handle | null> {
  // It stands alone: the header has seen to that.
  const stanza = parseScryptStanza(stanzas[0]!, maximum);
  if (stanza === null) return null;
  const secret = await passphraseBytes(passphrase, asItIs);
  try {
    return await unwrapScryptStanza(vault, secret, stanza, signal);
  } finally {
    secret.fill(0);
  }
}

/** A new key pair of age: the identity is the secret, the recipient is what others encrypt to. */
export async function generateAgeIdentity(): Promise<{ identity: string; recipient: string }> {
  return generateIdentity(await sharedVault());
}

/**
 * The recipient `age1…` that belongs to an identity, or to a managed X25519 pair: what `publicKey` gives of it.
 *
 * @throws {KeyloomError} `MESSAGE_INVALID_IDENTITY`
 */
export async function ageRecipient(
  identity: AgeIdentity | { algorithm: string; raw: Uint8Array },
): Promise<string> {
  if (typeof identity === "object" && "raw" in identity) return recipientOfPublicKey(identity);
  const vault = await sharedVault();
  const handle = importIdentity(vault, identity);
  try {
    return recipientOf(vault, handle);
  } finally {
    vault.dispose(handle);
  }
}
