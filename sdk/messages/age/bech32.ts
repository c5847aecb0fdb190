/**
 * Bech32 (BIP 173) for values of 32 bytes: age's recipients and identities. The prefix is given by the caller, and its case
 * is that of the whole text.
 */

const VALUE_LENGTH = 32;
/** 52 words of 5 bits: the last 4 bits are padding, and zero. */
const WORDS = Math.ceil((VALUE_LENGTH * 8) / 5);
const CHECKSUM = 6;
const SEPARATOR = 0x31;
const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** The remainder of the BCH code after one more word. */
function next(remainder: number, word: number): number {
  const top = remainder >>> 25;
  let sum = ((remainder & 0x1ff_ffff) << 5) ^ word;
  for (let i = 0; i < 5; i++) sum ^= -((top >>> i) & 1) & GENERATOR[i]!;
  return sum;
}

/** The remainder after the prefix: the high bits of its characters, zero, the low bits. */
function startOf(prefix: string): number {
  const codes = Array.from(prefix.toLowerCase(), (character) => character.charCodeAt(0));
  return [...codes.map((code) => code >>> 5), 0, ...codes.map((code) => code & 31)].reduce(next, 1);
}

/** @param bytes - 32 bytes. Not modified. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  let text = "";
  let remainder = startOf(prefix);
  const put = (word: number): void => {
    text += CHARSET[word]!;
    remainder = next(remainder, word);
  };
  for (let i = 0; i < WORDS; i++) {
    const at = (i * 5) >>> 3;
    const pair = (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
    put((pair >>> (11 - ((i * 5) & 7))) & 31);
  }
  for (let i = 0; i < CHECKSUM; i++) remainder = next(remainder, 0);
  const checksum = remainder ^ 1;
  for (let i = CHECKSUM - 1; i >= 0; i--) text += CHARSET[(checksum >>> (5 * i)) & 31]!;
  return prefix + "1" + (prefix === prefix.toLowerCase() ? text : text.toUpperCase());
}

/**
 * Decodes the ASCII bytes of a text.
 *
 * @returns 32 bytes, the caller's to wipe if they are secret; null for another prefix, length or case, a wrong checksum,
 *   or padding that isn't zero
 */
export function decodeBech32(prefix: string, text: Uint8Array): Uint8Array | null {
  const start = prefix.length + 1;
  if (text.length !== start + WORDS + CHECKSUM || text[start - 1] !== SEPARATOR) return null;
  for (let i = 0; i < prefix.length; i++) if (text[i] !== prefix.charCodeAt(i)) return null;
  const charset = prefix === prefix.toLowerCase() ? CHARSET : CHARSET.toUpperCase();
  const bytes = new Uint8Array(VALUE_LENGTH);
  let remainder = startOf(prefix);
  let wrong = 0;
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = start; i < text.length; i++) {
    const word = charset.indexOf(String.fromCharCode(text[i]!));
    wrong |= word;
    remainder = next(remainder, word & 31);
    if (i >= text.length - CHECKSUM) continue;
    bits = ((bits << 5) | word) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = bits >>> held;
  }
  // The last 4 bits before the checksum were padding.
  if (wrong >= 0 && remainder === 1 && (bits & 15) === 0) return bytes;
  bytes.fill(0);
  return null;
}
