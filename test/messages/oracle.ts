/** The formats once more, from their written description, on noble: what the core's output is held against. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";

const NONE = new Uint8Array(0);

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function subkey(material: Uint8Array, label: string): Uint8Array {
  return hkdf(sha256, material, NONE, new TextEncoder().encode(label), 32);
}

function openCommitted(material: Uint8Array, use: string, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  const commitment = subkey(material, `keyloom/v1/${use}/commit`);
  if (sealed.subarray(0, 32).join() !== commitment.join()) throw new Error("another key's commitment");
  const key = subkey(material, `keyloom/v1/${use}/enc`);
  return xchacha20poly1305(key, sealed.subarray(32, 56), aad).decrypt(sealed.subarray(56));
}

export function openEnvelopeIndependently(
  material: Uint8Array,
  envelope: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  return openCommitted(material, "message", join(envelope.subarray(0, 21), aad), envelope.subarray(21));
}

/** @param line - the stanza's first line, without line feed. */
export function openStanzaIndependently(material: Uint8Array, line: string, body: Uint8Array): Uint8Array {
  return openCommitted(material, "age", new TextEncoder().encode(line), body);
}

export function sealStanzaIndependently(
  material: Uint8Array,
  line: string,
  fileKey: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const key = subkey(material, "keyloom/v1/age/enc");
  const sealed = xchacha20poly1305(key, nonce, new TextEncoder().encode(line)).encrypt(fileKey);
  return join(subkey(material, "keyloom/v1/age/commit"), nonce, sealed);
}

export function headerMacIndependently(fileKey: Uint8Array, header: Uint8Array): Uint8Array {
  return hmac(sha256, hkdf(sha256, fileKey, undefined, new TextEncoder().encode("header"), 32), header);
}
