/** Signed notes (C2SP signed-note), with Ed25519 signatures only: other ones are left alone, as unknown keys' are. */
import { fromBase64, toBase64 } from "../foundation/base64.js";
import { concat, equalBytes, fromUtf8, toHex, utf8 } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { PUBLIC_KEY_LENGTH } from "../crypto/algorithms.js";

/** The type byte of an Ed25519 signature over the note's text. */
const ED25519 = 1;
const SIGNATURE_LENGTH = 64;
const KEY_ID_LENGTH = 4;
const MAX_SIGNATURES = 100;
const MAX_NOTE_LENGTH = 1_000_000;
const SIGNATURE_LINE = /^\u2014 ([^\s+]+) (\S+)$/u;

/** What notes need of the core, handed in. */
export interface NoteCrypto {
  sha256(data: Uint8Array): Uint8Array;
  verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** A key that signs notes, as verifiers know it. */
export interface NoteKey {
  /** Without spaces and plus signs. */
  name: string;
  /** 32 bytes, RFC 8032. */
  publicKey: Uint8Array;
}

export interface NoteSignature {
  name: string;
  /** 32 bits, big-endian. */
  keyId: Uint8Array;
  signature: Uint8Array;
}

export interface Note {
  /** What is signed; it ends in a newline. */
  text: string;
  signatures: NoteSignature[];
}

export interface OpenedNote {
  text: string;
  /** Names of the known keys whose signatures were verified, in the order of the lines. */
  verified: string[];
  /** Names on the lines of unknown keys. */
  unverified: string[];
}

function invalid(message: string): KeyloomError {
  return new KeyloomError("AUDIT_CHECKPOINT_INVALID", { message });
}

/** SHA-256(name ‖ newline ‖ type ‖ public key), the first four bytes. */
export function noteKeyId({ name, publicKey }: NoteKey, { sha256 }: Pick<NoteCrypto, "sha256">): Uint8Array {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(ED25519), publicKey)).slice(0, KEY_ID_LENGTH);
}

/** The key as one line of text: name, id in hexadecimal, and type and public key in base64, with plus signs between. */
export function encodeVerifierKey(key: NoteKey, crypto: Pick<NoteCrypto, "sha256">): string {
  const id = toHex(noteKeyId(key, crypto));
  return `${key.name}+${id}+${toBase64(concat(Uint8Array.of(ED25519), key.publicKey))}`;
}

/** @throws {KeyloomError} `AUDIT_CHECKPOINT_INVALID` for another type, a wrong length, or an id that is not the key's */
export function decodeVerifierKey(text: string, crypto: Pick<NoteCrypto, "sha256">): NoteKey {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text) ?? [];
  const bytes = encoded === undefined ? null : fromBase64(encoded);
  if (name === undefined || bytes === null) throw invalid("this is no verifier key");
  if (bytes[0] !== ED25519 || bytes.length !== 1 + PUBLIC_KEY_LENGTH) {
    throw invalid("only verifier keys for Ed25519 are known");
  }
  const key = { name, publicKey: bytes.slice(1) };
  if (toHex(noteKeyId(key, crypto)) !== id) throw invalid("the verifier key's id is not that of its key");
  return key;
}

/** The text with a signature line behind it. @param text - ends in a newline, and was signed as UTF-8 */
export function encodeNote(
  text: string,
  key: NoteKey,
  signature: Uint8Array,
  crypto: Pick<NoteCrypto, "sha256">,
): string {
  const line = toBase64(concat(noteKeyId(key, crypto), signature));
  return `${text}\n\u2014 ${key.name} ${line}\n`;
}

/**
 * Takes a note apart, without believing it.
 *
 * @param bytes - UTF-8
 * @throws {KeyloomError} `AUDIT_CHECKPOINT_INVALID` for what is no note, and for more than 100 signatures
 */
export function decodeNote(bytes: Uint8Array): Note {
  const text = textOf(bytes);
  const end = text.lastIndexOf("\n\n");
  if (end < 0 || !text.endsWith("\n")) throw invalid("a note ends in an empty line and signatures");
  const lines = text.slice(end + 2).split("\n");
  // What follows the last newline is empty.
  lines.pop();
  if (lines.length === 0 || lines.length > MAX_SIGNATURES) {
    throw invalid(`a note has 1 to ${MAX_SIGNATURES} signatures`);
  }
  const signatures = lines.map((line) => {
    const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? [];
    const signature = encoded === undefined ? null : fromBase64(encoded);
    if (name === undefined || signature === null || signature.length <= KEY_ID_LENGTH) {
      throw invalid("a note's signature line is malformed");
    }
    return {
      name,
      keyId: signature.slice(0, KEY_ID_LENGTH),
      signature: signature.slice(KEY_ID_LENGTH),
    };
  });
  return { text: text.slice(0, end + 1), signatures };
}

function textOf(bytes: Uint8Array): string {
  if (bytes.length > MAX_NOTE_LENGTH) throw invalid(`a note has at most ${MAX_NOTE_LENGTH} bytes`);
  if (bytes.some((byte) => byte < 0x20 && byte !== 0x0a)) {
    throw invalid("a note has no control characters but newlines");
  }
  try {
    return fromUtf8(bytes);
  } catch {
    throw invalid("a note is UTF-8");
  }
}

/**
 * Verifies a note.
 *
 * @param keys - those that are trusted
 * @throws {KeyloomError} `AUDIT_CHECKPOINT_INVALID` unless a known key has signed, and for any known key's wrong signature
 */
export function openNote(bytes: Uint8Array, keys: readonly NoteKey[], crypto: NoteCrypto): OpenedNote {
  const { text, signatures } = decodeNote(bytes);
  const message = utf8(text);
  const known = keys.map((key) => ({ ...key, id: noteKeyId(key, crypto) }));
  const opened: OpenedNote = { text, verified: [], unverified: [] };
  const seen = new Set<string>();
  for (const { name, keyId, signature } of signatures) {
    const matching = known.filter((key) => key.name === name && equalBytes(key.id, keyId));
    if (matching.length > 1) throw invalid(`two keys are known by the name and id ${name}+${toHex(keyId)}`);
    const [key] = matching;
    // Of a known key the first signature counts, of unknown ones each that differs.
    const label = `${name}+${toHex(key === undefined ? concat(keyId, signature) : keyId)}`;
    if (seen.has(label)) continue;
    seen.add(label);
    if (key === undefined) {
      opened.unverified.push(name);
      continue;
    }
    if (signature.length !== SIGNATURE_LENGTH || !crypto.verifySignature(key.publicKey, message, signature)) {
      throw invalid(`the signature of ${name} is wrong`);
    }
    opened.verified.push(name);
  }
  if (opened.verified.length === 0) throw invalid("no known key has signed this note");
  return opened;
}
