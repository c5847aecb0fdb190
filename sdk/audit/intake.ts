/** Writers' chains as they lie in the store: heads, and the list of writers. */
import { concat } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import type { StorageAdapter, StorageReads } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges } from "../storage/keyspace.js";
import { FIRST_LINK, LINK_LENGTH } from "./event.js";

/** The end of one writer's chain. `sequence` counts from 1; 0 = no entry yet. */
export interface Head {
  sequence: number;
  link: Uint8Array;
}

export const EMPTY_HEAD: Head = { sequence: 0, link: FIRST_LINK };

export function encodeHead(head: Head): Uint8Array {
  return encodeCbor(cborMap([1, head.sequence], [2, head.link]));
}

export function decodeHead(body: Uint8Array): Head {
  const reader = CborReader.decode(body, "an audit head");
  return { sequence: reader.uint(1), link: reader.bytes(2, LINK_LENGTH) };
}

/** All writers that ever wrote: how many, and a running hash over their ids in order of appearance. */
export interface Writers {
  count: number;
  hash: Uint8Array;
}

export const NO_WRITERS: Writers = { count: 0, hash: FIRST_LINK };

/** Hashes with SHA-256, handed in: this room does not load the core. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

export function addWriter(writers: Writers, writer: Id, sha256: Sha256): Writers {
  return { count: writers.count + 1, hash: sha256(concat(writers.hash, writer)) };
}

export function encodeWriters(writers: Writers): Uint8Array {
  return encodeCbor(cborMap([1, writers.count], [2, writers.hash]));
}

export function decodeWriters(body: Uint8Array): Writers {
  const reader = CborReader.decode(body, "the list of writers");
  return { count: reader.uint(1), hash: reader.bytes(2, LINK_LENGTH) };
}

const HEADS_ATTEMPTS = 8;

/**
 * Every writer's head, as many as the list of writers says there are: a chain can't be left out as a whole.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` when there are fewer or more
 */
export async function readHeads(
  storage: StorageAdapter,
  records: Records,
): Promise<{ writer: Id; head: Head }[]> {
  for (let attempt = 0; attempt < HEADS_ATTEMPTS; attempt++) {
    const before = await storage.get(keyspace.auditWriters());
    const heads: { writer: Id; head: Head }[] = [];
    for await (const entry of storage.list(ranges.auditHeads())) {
      heads.push({ writer: idOfKey(entry.key), head: decodeHead(records.open([entry])[0]!.body) });
    }
    const after = await storage.get(keyspace.auditWriters());
    // Another writer's first commit came in between: look again.
    if (before?.version !== after?.version) continue;
    // A store's first commit is an event: no list means that it was taken away, perhaps with all chains.
    const count = after === null ? null : decodeWriters(records.open([after])[0]!.body).count;
    if (heads.length === count) return heads;
    throw new KeyloomError("STORE_DAMAGED", {
      message: `${count ?? "no"} writers are on record, the chains of ${heads.length} are there`,
    });
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "new writers keep coming; try again" });
}

export function brokenChain(writer: Id, sequence: number): KeyloomError {
  return new KeyloomError("STORE_DAMAGED", {
    message: `the audit chain of writer ${idToString(writer)} is broken at ${sequence}`,
    writer: idToString(writer),
    sequence,
  });
}

/** The storage keys of one writer's head and of its entry `sequence`. */
export function writerKeys(writer: Id, sequence: number): { head: Uint8Array; entry: Uint8Array } {
  return { head: keyspace.auditHead(writer), entry: keyspace.auditIntake(writer, sequence) };
}

/**
 * One hash over the heads of all writers: it says how far a log had come. SHA-256(hash before ‖ storage key ‖ body), head
 * by head in the order of their keys, from 32 zero bytes.
 */
export async function chainHeads(reads: StorageReads, records: Records, sha256: Sha256): Promise<Uint8Array> {
  let hash: Uint8Array = FIRST_LINK;
  for await (const entry of reads.list(ranges.auditHeads())) {
    hash = sha256(concat(hash, entry.key, records.open([entry])[0]!.body));
  }
  return hash;
}
