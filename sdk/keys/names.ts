/** Names and tags: at most 128 bytes of UTF-8 in NFC, checked before anything is written. */
import { utf8 } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { isIdText } from "../foundation/ids.js";
import { MAX_TAGS } from "./record.js";

export const MAX_NAME_BYTES = 128;

// Control characters would hide in terminals, and a zero byte ends a name in storage keys.
const CONTROL = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

function normalise(value: string, what: string): string {
  if (typeof value !== "string") throw new TypeError(`a ${what} must be a string`);
  if (value === "") throw invalid(`a ${what} can't be empty`);
  if (CONTROL.test(value)) throw invalid(`a ${what} can't hold control characters or lone surrogates`);
  const nfc = value.normalize("NFC");
  if (utf8(nfc).length > MAX_NAME_BYTES)
    throw invalid(`a ${what} has at most ${MAX_NAME_BYTES} bytes of UTF-8`);
  return nfc;
}

/** @throws {KeyloomError} `KEY_INVALID_NAME` */
export function checkName(name: string): string {
  const nfc = normalise(name, "name");
  // An id is looked up as an id first: a name of that form could never be found.
  if (isIdText(nfc)) throw invalid("a name can't have the form of a UUID");
  return nfc;
}

/** Normalised, without duplicates, in code-unit order. @throws {KeyloomError} `KEY_INVALID_NAME` */
export function checkTags(tags: readonly string[]): string[] {
  const unique = [...new Set(tags.map((tag) => normalise(tag, "tag")))].sort();
  if (unique.length > MAX_TAGS) throw invalid(`a key has at most ${MAX_TAGS} tags`);
  return unique;
}

function invalid(message: string): KeyloomError {
  return new KeyloomError("KEY_INVALID_NAME", { message });
}
