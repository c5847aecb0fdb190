/** Passphrases as applications hand them in: at once, or by a function that asks for them. */
import { requireBytes, utf8 } from "./bytes.js";
import { KeyloomError } from "./errors.js";

export type Passphrase = Uint8Array | string;
/** Something, or a function that gives it. */
export type SourceOf<T> = T | (() => T | Promise<T>);
export type PassphraseSource = SourceOf<Passphrase>;

export async function resolve<T>(source: SourceOf<T>): Promise<T> {
  return typeof source === "function" ? (source as () => T | Promise<T>)() : source;
}

/**
 * A passphrase's bytes: those given, which are taken over, or a string's UTF-8.
 *
 * @param normalise - for strings; bytes stay as they are
 * @returns the caller's to wipe
 * @throws {KeyloomError} `UNLOCK_INVALID_SECRET` for an empty passphrase or lone surrogates
 */
export async function passphraseBytes(
  source: PassphraseSource,
  normalise: (text: string) => string,
): Promise<Uint8Array> {
  const secret = await resolve(source);
  const isText = typeof secret === "string";
  if (!isText) requireBytes(secret, "a passphrase");
  if (secret.length > 0 && !(isText && /\p{Cs}/u.test(secret)))
    return isText ? utf8(normalise(secret)) : secret;
  throw new KeyloomError("UNLOCK_INVALID_SECRET", {
    message: "a passphrase can't be empty or hold lone surrogates",
  });
}
