/** Checkpoints (C2SP tlog-checkpoint): a log's origin, size and root, as the text of a signed note; and their records. */
import { fromBase64, toBase64 } from "../foundation/base64.js";
import { fromUtf8, utf8 } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { UnsealedRecord } from "../crypto/records.js";
import type { Entry } from "../storage/adapter.js";
import { keyspace, numberOfKey, ranges } from "../storage/keyspace.js";
import type { LogReads } from "./log.js";
import { openNote, type NoteCrypto, type NoteKey } from "./note.js";
import { HASH_LENGTH } from "./tree.js";

/** What a checkpoint says about a log. */
export interface CheckpointText {
  /** The log's name. */
  origin: string;
  size: number;
  root: Uint8Array;
  /** Lines behind the root, each with its newline; ours have none. */
  extensions: string;
}

export function encodeCheckpoint({ origin, size, root, extensions }: CheckpointText): string {
  return `${origin}\n${size}\n${toBase64(root)}\n${extensions}`;
}

/** @throws {KeyloomError} `AUDIT_CHECKPOINT_INVALID` */
export function decodeCheckpoint(text: string): CheckpointText {
  const [, origin, digits, encoded, extensions] =
    /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n([^]*)$/.exec(text) ?? [];
  const root = encoded === undefined ? null : fromBase64(encoded);
  const size = Number(digits);
  if (origin === undefined || extensions === undefined || root === null || !Number.isSafeInteger(size)) {
    throw new KeyloomError("AUDIT_CHECKPOINT_INVALID", { message: "this is no checkpoint of a log" });
  }
  return { origin, size, root, extensions };
}

/**
 * Verifies a checkpoint's signature and reads it.
 *
 * @param key - the log's; its name must be the checkpoint's origin
 * @throws {KeyloomError} `AUDIT_CHECKPOINT_INVALID`
 */
export function openCheckpoint(note: string, key: NoteKey, crypto: NoteCrypto): CheckpointText {
  const checkpoint = decodeCheckpoint(openNote(utf8(note), [key], crypto).text);
  if (checkpoint.origin !== key.name || checkpoint.root.length !== HASH_LENGTH) {
    throw new KeyloomError("AUDIT_CHECKPOINT_INVALID", { message: "the checkpoint is of another log" });
  }
  return checkpoint;
}

/** A checkpoint as it lies in the store. */
export interface StoredCheckpoint {
  size: number;
  root: Uint8Array;
  note: string;
  /** What signed it. */
  key: Id;
  version: number;
}

export function checkpointRecord({ size, root, note, key, version }: StoredCheckpoint): UnsealedRecord {
  const body = encodeCbor(cborMap([1, root], [2, utf8(note)], [3, key], [4, version]));
  return { storageKey: keyspace.auditCheckpoint(size), revision: 1, body };
}

function decodeStored(entry: Entry, { records }: LogReads): StoredCheckpoint {
  const reader = CborReader.decode(records.open([entry])[0]!.body, "a checkpoint");
  return {
    size: numberOfKey(entry.key),
    root: reader.bytes(1, HASH_LENGTH),
    note: fromUtf8(reader.bytes(2)),
    key: reader.bytes(3, ID_LENGTH),
    version: reader.uint(4, 0xffff_ffff),
  };
}

/** The checkpoint of the largest size. `null`: there is none. */
export async function latestCheckpoint(reads: LogReads): Promise<StoredCheckpoint | null> {
  const newest = { reverse: true, limit: 1 };
  for await (const entry of reads.storage.list(ranges.auditCheckpoints(), newest)) {
    return decodeStored(entry, reads);
  }
  return null;
}

export async function allCheckpoints(reads: LogReads): Promise<StoredCheckpoint[]> {
  const all: StoredCheckpoint[] = [];
  for await (const entry of reads.storage.list(ranges.auditCheckpoints()))
    all.push(decodeStored(entry, reads));
  return all;
}
