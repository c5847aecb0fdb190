/**
 * Wrapped material: a record of fixed layout at `material/<kek>/<kek version>/<key>/<version>`.
 *
 * Its body is the first 8 attribute bytes (format, wrap algorithm, algorithm, flags, usages) and the wrapped
 * key. The other 40 attribute bytes are the storage key's own fields, so nothing is stored twice, and a
 * record moved to another path no longer opens.
 */
import { concat, copyInto } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { wellKnownId, type Id } from "../foundation/ids.js";
import {
  ALGORITHM,
  ATTRIBUTES_FORMAT,
  ATTRIBUTES_LENGTH,
  encodeAttributes,
  type Handle,
  type Vault,
  wrapAlgorithmOf,
  wrappedLength,
} from "./core.js";
import { MAC_LENGTH, type RecordKey } from "./records.js";
import { rowsOfEntries, type UniformRows } from "./uniform.js";

/** The ids of the two keys that every store has: what everything hangs on, and what MACs the records. */
export const ROOT_ID: Id = wellKnownId("keyloom-root");
export const MAC_ID: Id = wellKnownId("keyloom-mac");

/** The attribute bytes that the body begins with. */
export const FIXED_ATTRIBUTES = 8;

/** The longest key that is stored wrapped. */
const MAX_WRAPPED_KEY = 32;

export interface MaterialAttributes {
  algorithm: number;
  usages: number;
  exportable: boolean;
  key: Id;
  version: number;
  kek: Id;
  kekVersion: number;
  /** The wrapping key's algorithm: XChaCha20-Poly1305, the root key's, where absent. */
  kekAlgorithm?: number;
}

/** The 48 bytes that every wrapped key is bound to. */
export function encodeMaterialAttributes(a: MaterialAttributes): Uint8Array {
  const { algorithm, usages, exportable, key, version, kek, kekVersion } = a;
  const wrap = wrapAlgorithmOf(a.kekAlgorithm ?? ALGORITHM.XCHACHA20_POLY1305);
  const template = { algorithm, usages, exportable, id: key, version };
  return encodeAttributes(template, kek, kekVersion, undefined, 0, wrap);
}

export function materialBody(attributes: Uint8Array, wrapped: Uint8Array): Uint8Array {
  const body = new Uint8Array(FIXED_ATTRIBUTES + wrapped.length);
  body.set(attributes.subarray(0, FIXED_ATTRIBUTES));
  body.set(wrapped, FIXED_ATTRIBUTES);
  return body;
}

/**
 * Rebuilds the attributes of a material record whose storage key stands at `keyAt` of `source` and whose body stands at
 * `bodyAt`, into `out` at `offset`.
 */
export function attributesInto(
  source: Uint8Array,
  keyAt: number,
  bodyAt: number,
  out: Uint8Array,
  offset: number,
): void {
  copyInto(source, bodyAt, FIXED_ATTRIBUTES, out, offset);
  copyInto(source, keyAt + 21, 20, out, offset + 8);
  copyInto(source, keyAt + 1, 20, out, offset + 28);
}

/** @throws {KeyloomError} `STORE_DAMAGED` unless the body has the fixed layout */
export function splitMaterial(
  storageKey: Uint8Array,
  body: Uint8Array,
): { attributes: Uint8Array; wrapped: Uint8Array } {
  if (body.length < FIXED_ATTRIBUTES + wrappedLength(16) || body[0] !== ATTRIBUTES_FORMAT) {
    throw new KeyloomError("STORE_DAMAGED", { message: "wrapped material has an unknown layout" });
  }
  const attributes = new Uint8Array(ATTRIBUTES_LENGTH);
  attributesInto(concat(storageKey, body), 0, storageKey.length, attributes, 0);
  return { attributes, wrapped: body.subarray(FIXED_ATTRIBUTES) };
}

/**
 * Moves material records, read from the store and all of one length, under another wrapping key: each is believed first,
 * then wrapped anew, at its new path with its next revision, and sealed.
 *
 * @returns the rows to put, and their digests, 32 bytes each
 * @throws {KeyloomError} `STORE_DAMAGED` with the storage key of the first record whose MAC is wrong or whose key does not
 * open
 */
export function moveMaterial(
  vault: Vault,
  key: RecordKey,
  from: Handle,
  to: Handle,
  entries: readonly { key: Uint8Array; value: Uint8Array }[],
): { rows: UniformRows; digests: Uint8Array } {
  const rows = rowsOfEntries(entries);
  // No key of an algorithm is as short or as long as this; all wrap algorithms of managed keys add as much.
  const length = rows.stride - rows.bodyAt - FIXED_ATTRIBUTES - wrappedLength(0) - MAC_LENGTH;
  if (length <= 0 || length > MAX_WRAPPED_KEY) {
    throw new KeyloomError("STORE_DAMAGED", {
      message: "wrapped material has an unknown layout",
      storageKey: entries[0]!.key,
    });
  }
  const moved = vault.moveRows(key.handle, from, to, key.prefix, rows.buffer, rows.stride);
  if (moved.failed === 0) return { rows, digests: moved.digests };
  const first = moved.statuses.findIndex((status) => status !== 0);
  const forged = moved.statuses[first] === 1;
  throw new KeyloomError("STORE_DAMAGED", {
    message: forged ? "a record's MAC is wrong" : `${moved.failed} wrapped keys of a batch do not open`,
    storageKey: entries[first]!.key,
  });
}
