/** Base64 as age has it: standard alphabet, no padding, canonical (RFC 4648 §4, §3.5). Public data only. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const ZERO = CODES[0]!;
const VALUES = new Int8Array(256).fill(-1);
CODES.forEach((code, value) => (VALUES[code] = value));

export function encodedLength(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/** Writes the ASCII characters of `bytes` to `target` from `at` on. @returns where they end */
export function encodeBase64Into(bytes: Uint8Array, target: Uint8Array, at: number): number {
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    target[at++] = CODES[bits >>> 18]!;
    target[at++] = CODES[(bits >>> 12) & 63]!;
    if (left > 1) target[at++] = CODES[(bits >>> 6) & 63]!;
    if (left > 2) target[at++] = CODES[bits & 63]!;
  }
  return at;
}

export function encodeBase64(bytes: Uint8Array): string {
  const codes = new Uint8Array(encodedLength(bytes.length));
  encodeBase64Into(bytes, codes, 0);
  let text = "";
  for (const code of codes) text += String.fromCharCode(code);
  return text;
}

/**
 * Decodes the ASCII bytes of a base64 text.
 *
 * @returns the bytes, owned by the caller, or null for anything but the one canonical encoding:
 *   padding, white space, an impossible length, or bits that decoding would drop.
 */
export function decodeBase64(text: Uint8Array): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  return decodeBase64Into(text, 0, text.length, bytes, 0) < 0 ? null : bytes;
}

/** As `decodeBase64`, the text between two offsets, to `target` from `at` on. @returns where the bytes end, or -1 */
export function decodeBase64Into(
  text: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): number {
  for (; to - from >= 4; from += 4) {
    const bits = decodeFour(text[from]!, text[from + 1]!, text[from + 2]!, text[from + 3]!);
    if (bits < 0) return -1;
    target[at++] = bits >>> 16;
    target[at++] = bits >>> 8;
    target[at++] = bits;
  }
  const left = to - from;
  if (left === 0) return at;
  if (left === 1) return -1;
  const bits = decodeFour(text[from]!, text[from + 1]!, left === 3 ? text[from + 2]! : ZERO, ZERO);
  // What is left over carries no byte and must be zero (RFC 4648 §3.5).
  if (bits < 0 || (bits & (left === 3 ? 0xff : 0xffff)) !== 0) return -1;
  target[at++] = bits >>> 16;
  if (left === 3) target[at++] = bits >>> 8;
  return at;
}

/** The 24 bits of four characters, or a negative number. */
function decodeFour(a: number, b: number, c: number, d: number): number {
  // Characters of no value have -1.
  return (VALUES[a]! << 18) | (VALUES[b]! << 12) | (VALUES[c]! << 6) | VALUES[d]!;
}
