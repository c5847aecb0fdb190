/** Base64 as age has it: standard alphabet, no padding, canonical (RFC 4648 §4, §3.5). Public data only. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Uint8Array(256).fill(0xff);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[bits >>> 18]! + ALPHABET[(bits >>> 12) & 63]!;
    if (left > 1) text += ALPHABET[(bits >>> 6) & 63]!;
    if (left > 2) text += ALPHABET[bits & 63]!;
  }
  return text;
}

/**
 * Decodes the ASCII bytes of a base64 text.
 *
 * @returns the bytes, owned by the caller, or null for anything but the one canonical encoding:
 *   padding, white space, an impossible length, or bits that decoding would drop.
 */
export function decodeBase64(text: Uint8Array): Uint8Array | null {
  const tail = text.length & 3;
  if (tail === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    const value = VALUES[character]!;
    if (value === 0xff) return null;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = bits >>> held;
    }
  }
  // What is left over carries no byte and must be zero (RFC 4648 §3.5).
  return (bits & ((1 << held) - 1)) === 0 ? bytes : null;
}
