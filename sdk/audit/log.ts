/**
 * The log as it lies in the store: its head, tiles of hashes, and the entries in bundles of 256, each in one or more
 * parts. All of it follows from the entries and their order alone, revisions too, however they were appended.
 */
import { concat, getU64, putU64 } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { Records, UnsealedRecord } from "../crypto/records.js";
import type { StorageAdapter } from "../storage/adapter.js";
import { keyspace, numberOfKey, ranges } from "../storage/keyspace.js";
import { ROW_HEAD } from "./event.js";
import { encodeHead } from "./intake.js";
import { edgeOf, GrowingTree, HASH_LENGTH, TILE_WIDTH, type TileReader, type TreeHashes } from "./tree.js";

/** What reading the log takes. */
export interface LogReads {
  storage: StorageAdapter;
  records: Records;
  tree: TreeHashes;
}

/** `size` entries, and the root of the tree over them. */
export interface LogHead {
  size: number;
  root: Uint8Array;
}

/** An entry with its place in its writer's chain. `bytes` is its body, the leaf's data. */
export interface LoggedEntry {
  writer: Id;
  sequence: number;
  bytes: Uint8Array;
}

/** A part takes more rows up to this length. It is written anew with each, so it should be short. */
const PART_LENGTH = 16_384;

export function damagedLog(message: string, details: object = {}): KeyloomError {
  return new KeyloomError("STORE_DAMAGED", { message: `the audit log is broken: ${message}`, ...details });
}

export interface StoredLogHead extends LogHead {
  /** `null`: nothing was logged yet. */
  storageVersion: string | null;
}

export async function readLogHead({ storage, records, tree }: LogReads): Promise<StoredLogHead> {
  const entry = await storage.get(keyspace.auditLog());
  if (entry === null) return { size: 0, root: new GrowingTree(tree).root(), storageVersion: null };
  return { ...decodeLogHead(records.open([entry])[0]!.body), storageVersion: entry.version };
}

export function decodeLogHead(body: Uint8Array): LogHead {
  const reader = CborReader.decode(body, "the head of the audit log");
  return { size: reader.uint(1), root: reader.bytes(2, HASH_LENGTH) };
}

/** Reads tiles. @throws {KeyloomError} `STORE_DAMAGED` for one that is missing or too short */
export function tileReader({ storage, records }: LogReads): TileReader {
  return async (places) => {
    const found = await storage.getMany(places.map(({ level, index }) => keyspace.auditTile(level, index)));
    return found.map((entry, i) => {
      const { level, index, width } = places[i]!;
      const hashes = entry === null ? new Uint8Array(0) : records.open([entry])[0]!.body;
      if (hashes.length >= width * HASH_LENGTH && hashes.length % HASH_LENGTH === 0) return hashes;
      throw damagedLog(`tile ${index} of level ${level} is missing or too short`);
    });
  };
}

export function encodeRow({ writer, sequence, bytes }: LoggedEntry): Uint8Array {
  const head = new Uint8Array(ROW_HEAD);
  head.set(writer);
  putU64(head, ID_LENGTH, sequence);
  head[ROW_HEAD - 2] = bytes.length >> 8;
  head[ROW_HEAD - 1] = bytes.length;
  return concat(head, bytes);
}

/** @throws {KeyloomError} `STORE_DAMAGED` for rows that don't end where the part does */
export function decodeRows(part: Uint8Array): LoggedEntry[] {
  const rows: LoggedEntry[] = [];
  for (let at = 0; at < part.length;) {
    const from = at + ROW_HEAD;
    const to = from + (part[from - 2] ?? 0) * 256 + (part[from - 1] ?? 0);
    if (to > part.length || from > part.length) throw damagedLog("a part of a bundle is malformed");
    rows.push({
      writer: part.slice(at, at + ID_LENGTH),
      sequence: getU64(part, at + ID_LENGTH),
      bytes: part.subarray(from, to),
    });
    at = to;
  }
  return rows;
}

/** A part of a bundle: entries from `first` on. */
export interface Part {
  first: number;
  body: Uint8Array;
}

/**
 * The last part that begins before `size`, cut off there.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` where it ends before
 */
export async function readLastPart({ storage, records }: LogReads, size: number): Promise<Part> {
  const bundle = Math.floor((size - 1) / TILE_WIDTH) * TILE_WIDTH;
  for await (const entry of storage.list(ranges.auditBundles(bundle, size), { reverse: true, limit: 1 })) {
    const first = numberOfKey(entry.key);
    const rows = decodeRows(records.open([entry])[0]!.body).slice(0, size - first);
    if (first + rows.length === size) return { first, body: concat(...rows.map(encodeRow)) };
  }
  throw damagedLog(`entry ${size - 1} is missing`, { index: size - 1 });
}

/** The log's right edge: what is needed to append to it. */
export class LogEdge {
  readonly #grown: GrowingTree;
  /** `null` where the next entry begins a bundle. */
  #part: Part | null;

  private constructor(grown: GrowingTree, part: Part | null) {
    this.#grown = grown;
    this.#part = part;
  }

  /** @throws {KeyloomError} `STORE_DAMAGED` where something is missing, perhaps because the log has grown meanwhile */
  static async read(reads: LogReads, size: number): Promise<LogEdge> {
    const grown = new GrowingTree(reads.tree, size, await tileReader(reads)(edgeOf(size)));
    const part = size % TILE_WIDTH === 0 ? null : await readLastPart(reads, size);
    return new LogEdge(grown, part);
  }

  get size(): number {
    return this.#grown.size;
  }

  get root(): Uint8Array {
    return this.#grown.root();
  }

  /**
   * Appends entries.
   *
   * @param entries - at least one, each with the hash of its leaf, which is its link in its writer's chain too
   * @returns the records to put: head, tiles, parts, and how far each writer's chain has moved
   */
  append(entries: readonly (LoggedEntry & { link: Uint8Array })[]): UnsealedRecord[] {
    const records: UnsealedRecord[] = [];
    const parts = new Map<number, { rows: Uint8Array[]; length: number; count: number }>();
    if (this.#part !== null) {
      const { first, body } = this.#part;
      parts.set(first, { rows: [body], length: body.length, count: this.size - first });
    }
    let first = this.#part?.first ?? this.size;
    entries.forEach((entry, i) => {
      const index = this.size + i;
      const row = encodeRow(entry);
      const open = parts.get(first);
      if (index % TILE_WIDTH === 0 || open === undefined || open.length + row.length > PART_LENGTH) {
        first = index;
        parts.set(first, { rows: [row], length: row.length, count: 1 });
      } else {
        open.rows.push(row);
        open.length += row.length;
        open.count++;
      }
    });
    for (const [index, { rows, count }] of parts) {
      // The last one may have been full before.
      if (index + count <= this.size) continue;
      records.push({ storageKey: keyspace.auditBundle(index), revision: count, body: concat(...rows) });
    }
    const last = parts.get(first)!;
    this.#part = (first + last.count) % TILE_WIDTH === 0 ? null : { first, body: concat(...last.rows) };

    for (const { level, index, hashes } of this.#grown.append(concat(...entries.map(({ link }) => link)))) {
      const revision = hashes.length / HASH_LENGTH;
      records.push({ storageKey: keyspace.auditTile(level, index), revision, body: hashes });
    }
    const moved = new Map(entries.map((entry) => [String(entry.writer), entry]));
    for (const { writer, sequence, link } of moved.values()) {
      const body = encodeHead({ sequence, link });
      records.push({ storageKey: keyspace.auditMoved(writer), revision: sequence, body });
    }
    const body = encodeCbor(cborMap([1, this.size], [2, this.root]));
    records.push({ storageKey: keyspace.auditLog(), revision: this.size, body });
    return records;
  }
}
