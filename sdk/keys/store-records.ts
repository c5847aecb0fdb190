/** The small records that stand beside the keys: gates, the epoch, the store's mark. */
import { getU32 } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { Records, UnsealedRecord } from "../crypto/records.js";
import { NO_USAGE, type Usage } from "../lifecycle/limits.js";
import type { StorageAdapter } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";

/**
 * A gate says whether material may still be put under a wrapping-key version. It changes for no other reason,
 * so every commit that puts material can check it without contention.
 */
export interface StoredGate {
  open: boolean;
  revision: number;
  storageVersion: string;
}

export function gateRecord(kek: Id, kekVersion: number, open: boolean, revision: number): UnsealedRecord {
  return { storageKey: keyspace.gate(kek, kekVersion), revision, body: encodeCbor(cborMap([1, open])) };
}

export async function readGate(
  storage: StorageAdapter,
  records: Records,
  kek: Id,
  kekVersion: number,
): Promise<StoredGate | null> {
  const entry = await storage.get(keyspace.gate(kek, kekVersion));
  if (entry === null) return null;
  const { revision, body } = records.open([entry])[0]!;
  return { open: CborReader.decode(body, "a gate").bool(1), revision, storageVersion: entry.version };
}

/** One key version of a trail record. */
export const TRAIL_ROW_LENGTH = ID_LENGTH + 4;

/**
 * A trail record says which key versions a re-wrap has moved away from a wrapping-key version: whoever finds out that
 * version may open old copies of them for ever. One for each batch, kept as long as the wrapping key's record.
 */
export function trailRecord(storageKey: Uint8Array, rows: Uint8Array): UnsealedRecord {
  return { storageKey, revision: 1, body: rows };
}

export function* readTrail(body: Uint8Array): Generator<{ key: Id; version: number }> {
  for (let at = 0; at + TRAIL_ROW_LENGTH <= body.length; at += TRAIL_ROW_LENGTH) {
    yield { key: body.slice(at, at + ID_LENGTH), version: getU32(body, at + ID_LENGTH) };
  }
}

/** How much of a version's usage limits is spent or reserved. */
export interface StoredUsage {
  spent: Usage;
  revision: number;
  /** `null`: nothing yet. */
  storageVersion: string | null;
}

export function usageRecord(key: Id, version: number, spent: Usage, revision: number): UnsealedRecord {
  const body = encodeCbor(cborMap([1, spent.operations], [2, spent.bytes]));
  return { storageKey: keyspace.usage(key, version), revision, body };
}

export async function readUsage(
  storage: StorageAdapter,
  records: Records,
  key: Id,
  version: number,
): Promise<StoredUsage> {
  const entry = await storage.get(keyspace.usage(key, version));
  if (entry === null) return { spent: NO_USAGE, revision: 0, storageVersion: null };
  const { revision, body } = records.open([entry])[0]!;
  const reader = CborReader.decode(body, "a usage record");
  return {
    spent: { operations: reader.uint(1), bytes: reader.uint(2) },
    revision,
    storageVersion: entry.version,
  };
}

/** The epoch is put by every command that other processes must hear of; its storage version is what they watch. */
export interface StoredEpoch {
  revision: number;
  storageVersion: string;
}

export function epochRecord(revision: number): UnsealedRecord {
  return { storageKey: keyspace.epoch(), revision, body: encodeCbor(cborMap([1, revision])) };
}

export async function readEpoch(storage: StorageAdapter, records: Records): Promise<StoredEpoch | null> {
  const entry = await storage.get(keyspace.epoch());
  if (entry === null) return null;
  return { revision: records.open([entry])[0]!.revision, storageVersion: entry.version };
}

/** The store's mark: a time below which no clock is believed, as far as this process has heard. */
export interface Mark {
  time: number;
}

export interface StoredMark extends Mark {
  revision: number;
  storageVersion: string;
}

export async function readMark(storage: StorageAdapter, records: Records): Promise<StoredMark> {
  const entry = await storage.get(keyspace.mark());
  if (entry === null) {
    throw new KeyloomError("STORE_DAMAGED", { message: "the store's mark is missing" });
  }
  const { revision, body } = records.open([entry])[0]!;
  return { time: decodeMark(body), revision, storageVersion: entry.version };
}

/** Looks whether another process has raised the mark. */
export async function refreshMark(storage: StorageAdapter, records: Records, mark: Mark): Promise<void> {
  mark.time = Math.max(mark.time, (await readMark(storage, records)).time);
}

export function markRecord(time: number, revision: number): UnsealedRecord {
  return { storageKey: keyspace.mark(), revision, body: encodeCbor(cborMap([1, time])) };
}

export function decodeMark(body: Uint8Array): number {
  return CborReader.decode(body, "the store's mark").uint(1, MAX_TIME);
}
