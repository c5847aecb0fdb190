/**
 * Records by the thousand, all of one length: laid out in rows, patched, and sealed in place.
 *
 * A row is `storage key ‖ head ‖ body ‖ MAC`, so that key and value of a put are views of it.
 */
import { RunCopier } from "../foundation/bytes.js";
import { encodeHead, MAC_LENGTH, RECORD_HEAD_LENGTH, type RecordKey } from "./records.js";
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

function emptyRows(keyLength: number, valueLength: number, count: number): UniformRows {
  const stride = keyLength + valueLength;
  const buffer = new Uint8Array(stride * count);
  return { buffer, count, stride, keyLength, bodyAt: keyLength + RECORD_HEAD_LENGTH };
}

/** `count` rows, each a copy of the same record with room for its MAC; the caller patches what differs. */
export function uniformRows(
  storageKey: Uint8Array,
  revision: number,
  body: Uint8Array,
  count: number,
): UniformRows {
  const rows = emptyRows(storageKey.length, RECORD_HEAD_LENGTH + body.length + MAC_LENGTH, count);
  const { buffer, stride, keyLength, bodyAt } = rows;
  if (count > 0) {
    buffer.set(storageKey);
    buffer.set(encodeHead(revision), keyLength);
    buffer.set(body, bodyAt);
    // Doubling: every row copies what is already there.
    for (let filled = stride; filled < buffer.length; filled *= 2) buffer.copyWithin(filled, 0, filled);
  }
  return rows;
}

/** Rows from stored entries, which all have keys of one length and values of one length. Not yet believed. */
export function rowsOfEntries(entries: readonly { key: Uint8Array; value: Uint8Array }[]): UniformRows {
  const first = entries[0]!;
  const rows = emptyRows(first.key.length, first.value.length, entries.length);
  const copier = new RunCopier(rows.buffer);
  for (const { key, value } of entries) {
    copier.add(key);
    copier.add(value);
  }
  copier.end();
  return rows;
}

/**
 * Writes every row's MAC into its place.
 *
 * @returns the digests, 32 bytes each, owned by the caller; empty with `digests: false`
 */
export function sealUniform(vault: Vault, key: RecordKey, rows: UniformRows, digests = true): Uint8Array {
  return vault.recordSealRows(key.handle, key.prefix, rows.buffer, rows.stride, digests);
}

export function rowKey(rows: UniformRows, i: number): Uint8Array {
  return rows.buffer.subarray(i * rows.stride, i * rows.stride + rows.keyLength);
}

export function rowValue(rows: UniformRows, i: number): Uint8Array {
  return rows.buffer.subarray(i * rows.stride + rows.keyLength, (i + 1) * rows.stride);
}
