/** Base64 as RFC 4648 §4 has it, padded and canonical. Public data only. */

const PIECE = 8192;

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  }
  return btoa(text);
}

/** @returns the bytes; `null` for anything but the one canonical encoding */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const decoded = atob(text);
  const bytes = Uint8Array.from(decoded, (character) => character.charCodeAt(0));
  // Bits that decoding drops must be zero (§3.5).
  return btoa(decoded) === text ? bytes : null;
}
