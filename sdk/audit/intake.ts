/** A writer's chain as it lies in the store: heads, the list of writers, and the walk that verifies it. */
import { concat, equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import type { StorageAdapter } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges, sequenceOfIntake } from "../storage/keyspace.js";
import { decodeIntake, FIRST_LINK, leafInput, LINK_LENGTH, type IntakeBody } from "./event.js";

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

export interface IntakeEntry {
  writer: Id;
  sequence: number;
  body: IntakeBody;
}

const HEADS_ATTEMPTS = 8;

/**
 * Every writer's head, as many as the list of writers says there are: a chain can't be left out as a whole.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` when there are fewer or more
 */
async function readHeads(storage: StorageAdapter, records: Records): Promise<{ writer: Id; head: Head }[]> {
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

/**
 * Walks every writer's chain in order and verifies it against its head.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` naming the writer and the sequence at which the chain breaks
 */
export async function* walkIntake(
  storage: StorageAdapter,
  records: Records,
  sha256: Sha256,
): AsyncGenerator<IntakeEntry> {
  const heads = await readHeads(storage, records);
  for (const { writer, head } of heads) yield* walkChain(storage, records, sha256, writer, head);
}

async function* walkChain(
  storage: StorageAdapter,
  records: Records,
  sha256: Sha256,
  writer: Id,
  head: Head,
): AsyncGenerator<IntakeEntry> {
  const broken = (sequence: number): KeyloomError =>
    new KeyloomError("STORE_DAMAGED", {
      message: `the audit chain of writer ${idToString(writer)} is broken at ${sequence}`,
      writer: idToString(writer),
      sequence,
    });
  let link: Uint8Array = FIRST_LINK;
  let sequence = 0;
  for await (const entry of storage.list(ranges.auditIntake(writer))) {
    // Entries put after the head was read belong to the next walk.
    if (sequence === head.sequence) break;
    const { body: bytes } = records.open([entry])[0]!;
    const body = decodeIntake(bytes);
    sequence++;
    if (sequenceOfIntake(entry.key) !== sequence || !equalBytes(body.previous, link)) throw broken(sequence);
    link = sha256(leafInput(bytes));
    yield { writer, sequence, body };
  }
  if (sequence !== head.sequence || !equalBytes(link, head.link)) throw broken(sequence + 1);
}

/** The last `limit` entries of all writers together, newest first. Authenticated, but the chains are not walked. */
export async function tailIntake(
  storage: StorageAdapter,
  records: Records,
  limit: number,
): Promise<IntakeEntry[]> {
  const tail: IntakeEntry[] = [];
  for await (const head of storage.list(ranges.auditHeads(), { keysOnly: true })) {
    const writer = idOfKey(head.key);
    for await (const entry of storage.list(ranges.auditIntake(writer), { reverse: true, limit })) {
      const { body } = records.open([entry])[0]!;
      tail.push({ writer, sequence: sequenceOfIntake(entry.key), body: decodeIntake(body) });
    }
  }
  // A chain's own order counts where two entries have one time.
  tail.sort((a, b) => b.body.time - a.body.time || b.sequence - a.sequence);
  return tail.slice(0, limit);
}

/** The storage keys of one writer's head and of its entry `sequence`. */
export function writerKeys(writer: Id, sequence: number): { head: Uint8Array; entry: Uint8Array } {
  return { head: keyspace.auditHead(writer), entry: keyspace.auditIntake(writer, sequence) };
}
