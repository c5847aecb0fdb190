/** What the message tests share: a vault, keys in it, and small helpers for streams. */
import { ALGORITHM, type Handle, loadCoreWith, USAGE, type Vault } from "../../sdk/crypto/core.js";
import { concat } from "../../sdk/foundation/bytes.js";
import type { AgeSource } from "../../sdk/messages/age/byte-source.js";
import { decryptAgeStream, encryptAgeStream } from "../../sdk/messages/age/file.js";
import type { Stanza } from "../../sdk/messages/age/header.js";
import {
  parseManagedKeyStanza,
  unwrapManagedKeyStanza,
  wrapManagedKeyStanza,
} from "../../sdk/messages/age/stanza.js";

export const KEY_ID = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
export const KEY_VERSION = 7;

export async function openVault(): Promise<Vault> {
  return (await loadCoreWith()).vault;
}

/** Bytes that differ from place to place, the same in every run. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A managed key that encrypts and decrypts, with known material. */
export function importKey(vault: Vault, material = pattern(32, 99)): Handle {
  return vault.import(
    {
      algorithm: ALGORITHM.XCHACHA20_POLY1305,
      usages: USAGE.ENCRYPT | USAGE.DECRYPT,
      exportable: false,
      id: KEY_ID,
      version: KEY_VERSION,
    },
    material,
  );
}

export function importFileKey(vault: Vault, material: Uint8Array): Handle {
  return vault.import(
    { algorithm: ALGORITHM.AGE_FILE_KEY, usages: 0, exportable: false, id: new Uint8Array(16), version: 0 },
    material,
  );
}

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Encrypts to `key` alone, or to it and the stanzas of `others`. */
export function encryptTo(
  vault: Vault,
  key: Handle,
  source: AgeSource,
  others: readonly Stanza[] = [],
): ReadableStream<Uint8Array> {
  return encryptAgeStream(
    {
      vault,
      random: randomBytes,
      stanzas: (fileKey) => [...others, wrapManagedKeyStanza(vault, key, KEY_ID, KEY_VERSION, fileKey)],
    },
    source,
  );
}

/** Decrypts with `key`, whatever key the managed-key stanza names. */
export function decryptWith(vault: Vault, key: Handle, source: AgeSource): ReadableStream<Uint8Array> {
  return decryptAgeStream({ vault, unwrapFileKey: unwrapWith(vault, key) }, source);
}

export function unwrapWith(vault: Vault, key: Handle): (stanzas: readonly Stanza[]) => Promise<Handle> {
  return async (stanzas) => {
    for (const stanza of stanzas) {
      const parsed = parseManagedKeyStanza(stanza);
      if (parsed !== null) return unwrapManagedKeyStanza(vault, key, parsed);
    }
    throw new Error("no managed-key stanza");
  };
}

/** All that came out, and the error that ended it, if one did. */
export interface Outcome {
  readonly bytes: Uint8Array;
  readonly error?: unknown;
}

export async function drain(stream: ReadableStream<Uint8Array>): Promise<Outcome> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { bytes: concat(...parts) };
      parts.push(value);
    }
  } catch (error) {
    return { bytes: concat(...parts), error };
  }
}

/** @throws whatever the stream fails with. */
export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const outcome = await drain(stream);
  if ("error" in outcome) throw outcome.error;
  return outcome.bytes;
}

/** Splits `bytes` at the given offsets (any order, repeats give empty pieces). */
export function split(bytes: Uint8Array, offsets: readonly number[]): Uint8Array[] {
  const cuts = [0, ...offsets.map((offset) => Math.min(offset, bytes.length)), bytes.length];
  cuts.sort((a, b) => a - b);
  return cuts.slice(1).map((cut, i) => bytes.slice(cuts[i], cut));
}

export async function* yielding(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield piece;
}

export function streaming(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const left = [...pieces];
  return new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
}

/** A copy of `bytes` with one bit of byte `at` turned over. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1 << bit;
  return copy;
}
