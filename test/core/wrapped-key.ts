/** Wrapped keys under each wrap algorithm, made and opened from docs/FORMATS.md alone, by noble. */
import { aeskw, aeskwp, gcmsiv } from "@noble/ciphers/aes.js";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "./support.js";

/** Algorithms of wrapping keys: their id, and in attributes the wrap algorithm's. */
export const WRAPPING = [
  { name: "XChaCha20-Poly1305", algorithm: 1, wrap: 1, nonceLength: 24, overhead: 72 },
  { name: "A256KW", algorithm: 8, wrap: 2, nonceLength: 0, overhead: 72 },
  { name: "A256KWP", algorithm: 9, wrap: 3, nonceLength: 0, overhead: 72 },
  { name: "A256GCMSIV", algorithm: 10, wrap: 4, nonceLength: 12, overhead: 60 },
] as const;
export type Wrapping = (typeof WRAPPING)[number];

interface Cipher {
  encrypt(data: Uint8Array): Uint8Array;
  decrypt(data: Uint8Array): Uint8Array;
}

export function wrapSubkey(material: Uint8Array, use: "enc" | "mac" | "commit"): Uint8Array {
  return hkdf(sha256, material, new Uint8Array(0), new TextEncoder().encode(`keyloom/v1/wrap/${use}`), 32);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function cipherOf(wrap: number, key: Uint8Array, nonce: Uint8Array, attributes: Uint8Array): Cipher {
  if (wrap === 1) return xchacha20poly1305(key, nonce, attributes);
  if (wrap === 2) return aeskw(key);
  return wrap === 3 ? aeskwp(key) : gcmsiv(key, nonce, attributes);
}

/** `attributes`: 48 bytes, which name the wrap algorithm. `nonce`: empty for AES-KW and AES-KWP. */
export function wrapKey(
  kek: Uint8Array,
  attributes: Uint8Array,
  nonce: Uint8Array,
  key: Uint8Array,
): Uint8Array {
  const wrap = attributes[1]!;
  const body = cipherOf(wrap, wrapSubkey(kek, "enc"), nonce, attributes).encrypt(key);
  const mac = hmac(sha256, wrapSubkey(kek, "mac"), concat(attributes, body));
  return concat(wrapSubkey(kek, "commit"), wrap === 2 || wrap === 3 ? mac : nonce, body);
}

/** Opens a wrapped key, and throws where commitment, MAC or cipher refuse it. */
export function unwrapKey(kek: Uint8Array, attributes: Uint8Array, record: Uint8Array): Uint8Array {
  const { wrap, nonceLength } = WRAPPING.find((row) => row.wrap === attributes[1])!;
  const nonce = record.subarray(32, 32 + nonceLength);
  const body = record.subarray(nonceLength === 0 ? 64 : 32 + nonceLength);
  const key = cipherOf(wrap, wrapSubkey(kek, "enc"), nonce, attributes).decrypt(body);
  const again = wrapKey(kek, attributes, nonce, key);
  if (toHex(again) !== toHex(record)) throw new Error("commitment or MAC are wrong");
  return key;
}
