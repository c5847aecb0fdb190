/**
 * Records by the thousand, all of one length: one template, repeated, patched and sealed in place.
 *
 * A row is `storage key ‖ head ‖ body ‖ room for the MAC`, so that key and value of a put are views of it.
 */
import { DIGEST_LENGTH, MAC_LENGTH, RECORD_HEAD_LENGTH, encodeHead, type RecordKey } from "./records.js";
import type { Vault } from "./core.js";

export interface UniformRows {
  buffer: Uint8Array;
  count: number;
  /** Bytes from one row to the next. */
  stride: number;
  keyLength: number;
  /** Where the body begins in a row. */
  bodyAt: number;
}

/** `count` rows, each a copy of the same record; the caller patches what differs. */
export function uniformRows(
  storageKey: Uint8Array,
  revision: number,
  body: Uint8Array,
  count: number,
): UniformRows {
  const bodyAt = storageKey.length + RECORD_HEAD_LENGTH;
  const stride = bodyAt + body.length + MAC_LENGTH;
  const buffer = new Uint8Array(stride * count);
  if (count > 0) {
    buffer.set(storageKey);
    buffer.set(encodeHead(revision), storageKey.length);
    buffer.set(body, bodyAt);
    // Doubling: every row copies what is already there.
    for (let filled = stride; filled < buffer.length; filled *= 2) buffer.copyWithin(filled, 0, filled);
  }
  return { buffer, count, stride, keyLength: storageKey.length, bodyAt };
}

/** Writes every row's MAC into its room. @returns the digests, 32 bytes each, owned by the caller */
export function sealUniform(vault: Vault, key: RecordKey, rows: UniformRows): Uint8Array {
  const { buffer, count, stride } = rows;
  const length = stride - MAC_LENGTH;
  const messages = new Uint8Array(length * count);
  for (let i = 0; i < count; i++) messages.set(buffer.subarray(i * stride, i * stride + length), i * length);
  const sealed = vault.recordSeal(key.handle, key.prefix, messages, new Uint32Array(count).fill(length));
  const digests = new Uint8Array(count * DIGEST_LENGTH);
  for (let i = 0; i < count; i++) {
    buffer.set(sealed.subarray(i * 64, i * 64 + MAC_LENGTH), i * stride + length);
    digests.set(sealed.subarray(i * 64 + MAC_LENGTH, i * 64 + 64), i * DIGEST_LENGTH);
  }
  return digests;
}

export function rowKey(rows: UniformRows, i: number): Uint8Array {
  return rows.buffer.subarray(i * rows.stride, i * rows.stride + rows.keyLength);
}

export function rowValue(rows: UniformRows, i: number): Uint8Array {
  return rows.buffer.subarray(i * rows.stride + rows.keyLength, (i + 1) * rows.stride);
}
