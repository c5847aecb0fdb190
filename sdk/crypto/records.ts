/**
 * Records and their MACs. Knows only bytes: storage key, revision, body.
 *
 * A record's value is `format (1) ‖ revision (7) ‖ body ‖ MAC (32)`. The MAC covers the store id, the storage
 * key and everything in the value before it; the digest that events carry is SHA-256 over the storage key
 * and the same part of the value, without the store id, so that it means the same in a restored store.
 */
import { getU32, putU32, utf8 } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Handle, Vault } from "./core.js";

export const RECORD_FORMAT = 1;
export const RECORD_HEAD_LENGTH = 8;
export const MAC_LENGTH = 32;
export const DIGEST_LENGTH = 32;
/** Where the value of a record stands against its limits: 64 KiB in all. */
export const MAX_BODY_LENGTH = 65_536 - RECORD_HEAD_LENGTH - MAC_LENGTH;

export interface UnsealedRecord {
  storageKey: Uint8Array;
  /** 1 for a new record, one more at each put. */
  revision: number;
  body: Uint8Array;
}

export interface SealedRecord {
  storageKey: Uint8Array;
  /** The bytes to put: head ‖ body ‖ MAC. */
  value: Uint8Array;
  /** SHA-256(storage key ‖ head ‖ body). */
  digest: Uint8Array;
}

export interface OpenedRecord {
  revision: number;
  body: Uint8Array;
}

/** A handle that MACs, and the 64-byte prefix that binds its MACs to one purpose and one store. */
export interface RecordKey {
  handle: Handle;
  prefix: Uint8Array;
}

/** What the records of a store are sealed for; chunks of a backup are sealed as if they were records of one of their own. */
export type RecordLabel = "keyloom record v1" | "keyloom slot table v1" | "keyloom backup v1";

/** The prefix: a label, padded with zeros to 48 bytes, and the id of the store, or of the backup. */
export function recordPrefix(label: RecordLabel, storeId: Id): Uint8Array {
  const prefix = new Uint8Array(64);
  prefix.set(utf8(label));
  prefix.set(storeId, 48);
  return prefix;
}

function putHead(target: Uint8Array, offset: number, revision: number): void {
  putU32(target, offset, RECORD_FORMAT * 0x100_0000 + Math.floor(revision / 0x1_0000_0000));
  putU32(target, offset + 4, revision >>> 0);
}

/** The 8 bytes that a value begins with: format and revision. */
export function encodeHead(revision: number): Uint8Array {
  const head = new Uint8Array(RECORD_HEAD_LENGTH);
  putHead(head, 0, revision);
  return head;
}

/**
 * Seals all records of a commit with one call of the core. The result's arrays are views of one buffer.
 *
 * @param digests - `false`: the digests aren't needed and stay empty
 */
export function sealRecords(
  vault: Vault,
  key: RecordKey,
  records: readonly UnsealedRecord[],
  digests = true,
): SealedRecord[] {
  const lengths = new Uint32Array(records.length);
  let total = 0;
  for (let i = 0; i < records.length; i++) {
    const { storageKey, body } = records[i]!;
    if (body.length > MAX_BODY_LENGTH) {
      throw new KeyloomError("KEY_INVALID_OPTION", { message: "a record would be larger than 64 KiB" });
    }
    lengths[i] = storageKey.length + RECORD_HEAD_LENGTH + body.length;
    total += lengths[i]!;
  }
  const messages = new Uint8Array(total);
  let offset = 0;
  for (const { storageKey, revision, body } of records) {
    messages.set(storageKey, offset);
    offset += storageKey.length;
    putHead(messages, offset, revision);
    messages.set(body, offset + RECORD_HEAD_LENGTH);
    offset += RECORD_HEAD_LENGTH + body.length;
  }
  const sealed = vault.recordSeal(key.handle, key.prefix, messages, lengths, digests);
  const sealedSize = digests ? MAC_LENGTH + DIGEST_LENGTH : MAC_LENGTH;
  // Values in one buffer of their own: message without storage key, then MAC.
  let valuesLength = 0;
  for (let i = 0; i < records.length; i++)
    valuesLength += lengths[i]! - records[i]!.storageKey.length + MAC_LENGTH;
  const values = new Uint8Array(valuesLength);
  const out: SealedRecord[] = new Array<SealedRecord>(records.length);
  let from = 0;
  let to = 0;
  for (let i = 0; i < records.length; i++) {
    const { storageKey } = records[i]!;
    const length = lengths[i]! - storageKey.length;
    values.set(messages.subarray(from + storageKey.length, from + lengths[i]!), to);
    const mac = i * sealedSize;
    values.set(sealed.subarray(mac, mac + MAC_LENGTH), to + length);
    out[i] = {
      storageKey,
      value: values.subarray(to, to + length + MAC_LENGTH),
      digest: sealed.subarray(mac + MAC_LENGTH, mac + sealedSize),
    };
    from += lengths[i]!;
    to += length + MAC_LENGTH;
  }
  return out;
}

/**
 * Splits a value into revision and body without believing it yet.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` for a value too short for a record, `STORE_NEWER_FORMAT` for a format
 * that this version does not know
 */
export function parseRecord(value: Uint8Array): OpenedRecord {
  if (value.length < RECORD_HEAD_LENGTH + MAC_LENGTH) throw damaged("a record is too short");
  const head = getU32(value, 0);
  const format = head >>> 24;
  if (format !== RECORD_FORMAT) {
    throw new KeyloomError(format > RECORD_FORMAT ? "STORE_NEWER_FORMAT" : "STORE_DAMAGED", {
      message: `a record has format ${format}; this version reads ${RECORD_FORMAT}`,
      format,
    });
  }
  const high = head & 0xff_ffff;
  if (high > 0x1f_ffff) throw damaged("a record's revision is out of range");
  return {
    revision: high * 0x1_0000_0000 + getU32(value, 4),
    body: value.subarray(RECORD_HEAD_LENGTH, value.length - MAC_LENGTH),
  };
}

/** Checks the MACs of many records with one call of the core. Returns one status each: 0 = authentic. */
export function checkRecords(
  vault: Vault,
  key: RecordKey,
  entries: readonly { key: Uint8Array; value: Uint8Array }[],
): Uint8Array {
  const count = entries.length;
  const lengths = new Uint32Array(count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const entry = entries[i]!;
    if (entry.value.length < RECORD_HEAD_LENGTH + MAC_LENGTH) throw damaged("a record is too short");
    lengths[i] = entry.key.length + entry.value.length - MAC_LENGTH;
    total += lengths[i]!;
  }
  const messages = new Uint8Array(total);
  const macs = new Uint8Array(count * MAC_LENGTH);
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const entry = entries[i]!;
    messages.set(entry.key, offset);
    const body = entry.value.length - MAC_LENGTH;
    messages.set(entry.value.subarray(0, body), offset + entry.key.length);
    macs.set(entry.value.subarray(body), i * MAC_LENGTH);
    offset += lengths[i]!;
  }
  return vault.recordCheck(key.handle, key.prefix, messages, lengths, macs).statuses;
}

/**
 * Opens records: parsed and authenticated, in the order given.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` with the storage key of the first record whose MAC is wrong
 */
export function openRecords(
  vault: Vault,
  key: RecordKey,
  entries: readonly { key: Uint8Array; value: Uint8Array }[],
): OpenedRecord[] {
  const parsed = entries.map((entry) => parseRecord(entry.value));
  const statuses = checkRecords(vault, key, entries);
  for (let i = 0; i < entries.length; i++) {
    if (statuses[i] !== 0) throw damaged("a record's MAC is wrong", entries[i]!.key);
  }
  return parsed;
}

function damaged(message: string, storageKey?: Uint8Array): KeyloomError {
  return new KeyloomError("STORE_DAMAGED", { message, ...(storageKey === undefined ? {} : { storageKey }) });
}

/** Seals and opens the records of one store. What readers and `commands` are handed. */
export interface Records {
  /** For rows of one length (`uniform.ts`), which are sealed with the same key. */
  readonly key: RecordKey;
  /** @param digests - `false`: the digests aren't needed and stay empty */
  seal(records: readonly UnsealedRecord[], digests?: boolean): SealedRecord[];
  open(entries: readonly { key: Uint8Array; value: Uint8Array }[]): OpenedRecord[];
}

export function recordsOf(vault: Vault, key: RecordKey): Records {
  return {
    key,
    seal: (records, digests) => sealRecords(vault, key, records, digests),
    open: (entries) => openRecords(vault, key, entries),
  };
}
