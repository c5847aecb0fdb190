/**
 * The walk through the whole audit: the log from its first entry on, then what waits in the intake. On the way every
 * writer's chain is followed to its head, and the tree is built anew and held against tiles and root.
 */
import { concat, equalBytes } from "../foundation/bytes.js";
import type { Id } from "../foundation/ids.js";
import {
  idOfKey,
  keyspace,
  numberOfKey,
  placeOfTile,
  ranges,
  sequenceOfIntake,
} from "../storage/keyspace.js";
import { decodeIntake, type IntakeBody } from "./event.js";
import { brokenChain, decodeHead, EMPTY_HEAD, readHeads, type Head } from "./intake.js";
import { damagedLog, decodeRows, readLogHead, tileReader, type LogHead, type LogReads } from "./log.js";
import { GrowingTree, HASH_LENGTH, TILE_WIDTH, type Tile } from "./tree.js";

/** An entry on the walk: a link of its writer's chain, and a leaf of the log unless it still waits. */
export interface AuditLink {
  writer: Id;
  sequence: number;
  body: IntakeBody;
  bytes: Uint8Array;
  /** Its place in the log; `null`: it waits. */
  index: number | null;
}

/** How far a chain was followed. */
interface Position {
  writer: Id;
  sequence: number;
  link: Uint8Array;
  /** What its head says; `null` for a writer that came while we walked. */
  head: Head | null;
  /** How far it has moved to the log. */
  logged: Head;
  /** Links seen in the intake, by sequence: the log must have the same ones. */
  seen: Map<number, Uint8Array>;
}

const LOG_ATTEMPTS = 8;

export class AuditWalk {
  readonly #reads: LogReads;
  readonly #tree: GrowingTree;
  readonly #positions = new Map<string, Position>();
  /** Sizes at which the root is wanted, in order, and what wants it. */
  readonly #stops: { size: number; onRoot: (root: Uint8Array) => void }[];
  /** Entries beyond the heads that were read, the last one of each writer. */
  readonly #later = new Map<string, { writer: Id; sequence: number }>();
  /** Where the part begins that was read last: it may have grown. */
  #part = 0;

  /** @param stops - sizes at which to say the tree's root: those of checkpoints */
  constructor(reads: LogReads, stops: readonly { size: number; onRoot: (root: Uint8Array) => void }[] = []) {
    this.#reads = reads;
    this.#tree = new GrowingTree(reads.tree);
    this.#stops = [...stops].sort((a, b) => a.size - b.size);
  }

  /** How many entries of the log were walked. */
  get size(): number {
    return this.#tree.size;
  }

  get root(): Uint8Array {
    return this.#tree.root();
  }

  get writers(): number {
    return this.#positions.size;
  }

  /**
   * Walks. Entries that are committed meanwhile may be among those walked or not.
   *
   * @throws {KeyloomError} `STORE_DAMAGED` naming the writer and the sequence, or the index, where something is wrong
   */
  async *entries(): AsyncGenerator<AuditLink, void> {
    const { storage, records } = this.#reads;
    // In this order: every writer in this much of the log has a head.
    const log = await readLogHead(this.#reads);
    for (const { writer, head } of await readHeads(storage, records)) {
      const position = { ...EMPTY_HEAD, writer, head, logged: EMPTY_HEAD, seen: new Map() };
      this.#positions.set(String(writer), position);
    }
    yield* this.#walkLog(log, false);
    for (;;) {
      yield* this.#walkIntake();
      const behind = [...this.#positions.values()].find(
        ({ sequence, head }) => sequence < (head?.sequence ?? 0),
      );
      if (behind === undefined) break;
      // What is not there any more has moved to the log; where that has not grown, it is gone.
      const now = await readLogHead(this.#reads);
      if (now.size <= this.size) throw brokenChain(behind.writer, behind.sequence + 1);
      yield* this.#walkLog(now, true);
    }
    await this.#requireCursors();
    await this.#requireNothingElse();
  }

  async *#walkIntake(): AsyncGenerator<AuditLink, void> {
    const { storage, records } = this.#reads;
    for await (const entry of storage.list(ranges.auditIntake())) {
      const writer = idOfKey(entry.key);
      const position = this.#positions.get(String(writer));
      const sequence = sequenceOfIntake(entry.key);
      // Entries put after heads were read belong to the next walk.
      if (position === undefined || sequence > (position.head?.sequence ?? 0)) {
        this.#later.set(String(writer), { writer, sequence });
        continue;
      }
      // An entry leaves the intake in the commit that puts it into the log.
      if (sequence <= position.logged.sequence) throw brokenChain(writer, sequence);
      if (sequence !== position.sequence + 1) continue;
      const bytes = records.open([entry])[0]!.body;
      const body = this.#advance(position, bytes);
      position.seen.set(sequence, position.link);
      yield { writer, sequence, body, bytes, index: null };
    }
  }

  /** How far chains have moved is on record too: what is next to move follows from it. */
  async #requireCursors(): Promise<void> {
    const { storage, records } = this.#reads;
    const missing = new Set([...this.#positions.values()].filter(({ logged }) => logged.sequence > 0));
    for await (const entry of storage.list(ranges.auditMoved())) {
      const writer = idOfKey(entry.key);
      const { sequence, link } = decodeHead(records.open([entry])[0]!.body);
      const position = this.#positions.get(String(writer));
      if (position === undefined) continue;
      missing.delete(position);
      const { logged } = position;
      // One that is ahead was moved after the log's head was read.
      const ahead = sequence > logged.sequence && (await readLogHead(this.#reads)).size > this.size;
      if (!ahead && (sequence !== logged.sequence || !equalBytes(link, logged.link))) {
        throw brokenChain(writer, sequence);
      }
    }
    for (const { writer } of missing) throw brokenChain(writer, 0);
  }

  /** What lies beyond the ends that were read must lie before the ends as they are now. */
  async #requireNothingElse(): Promise<void> {
    const { storage, records } = this.#reads;
    const later = [...this.#later.values()];
    const heads = await storage.getMany(later.map(({ writer }) => keyspace.auditHead(writer)));
    later.forEach(({ writer, sequence }, i) => {
      const entry = heads[i] ?? null;
      const end = entry === null ? 0 : decodeHead(records.open([entry])[0]!.body).sequence;
      if (sequence > end) throw brokenChain(writer, sequence);
    });
    const parts: number[] = [];
    for await (const { key } of storage.list(ranges.auditBundles(this.size), { keysOnly: true })) {
      parts.push(numberOfKey(key));
    }
    const places: { level: number; index: number }[] = [];
    for await (const { key } of storage.list(ranges.auditTiles(), { keysOnly: true }))
      places.push(placeOfTile(key));
    const { size } = await readLogHead(this.#reads);
    const stray = parts.find((first) => first >= size);
    if (stray !== undefined) throw damagedLog(`entry ${stray} is too many`, { index: stray });
    for (const { level, index } of places) {
      const nodes = Math.floor(size / TILE_WIDTH ** level);
      if (index * TILE_WIDTH >= nodes) throw damagedLog(`tile ${index} of level ${level} is too many`);
    }
  }

  /** @param grown - the log has grown since heads were read: there may be writers without one */
  async *#walkLog(head: LogHead, grown: boolean): AsyncGenerator<AuditLink, void> {
    for (let attempt = 0; this.size < head.size && attempt < LOG_ATTEMPTS; attempt++) {
      yield* this.#walkParts(head.size, grown);
    }
    if (this.size < head.size) throw damagedLog(`entry ${this.size} is missing`, { index: this.size });
    await this.#requireTiles(this.#tree.edge);
    if (!equalBytes(this.root, head.root)) throw damagedLog("its entries don't lead to its root");
  }

  /** Walks the parts of bundles as one listing has them: one that is just being written may be missing. */
  async *#walkParts(size: number, grown: boolean): AsyncGenerator<AuditLink, void> {
    const { storage, records, tree } = this.#reads;
    for await (const entry of storage.list(ranges.auditBundles(this.#part, size))) {
      const first = numberOfKey(entry.key);
      if (first > this.size) return;
      const rows = decodeRows(records.open([entry])[0]!.body);
      if (
        rows.length === 0 ||
        Math.floor(first / TILE_WIDTH) !== Math.floor((first + rows.length - 1) / TILE_WIDTH)
      ) {
        throw damagedLog("a part of a bundle has too few or too many entries", { index: first });
      }
      this.#part = first;
      const before = this.size;
      const fresh = rows.slice(before - first, size - first);
      const links = fresh.map(({ bytes }) => tree.merkleLeafHash(bytes));
      await this.#grow(concat(...links));
      for (const [i, { writer, sequence, bytes }] of fresh.entries()) {
        const index = before + i;
        const position = this.#positionOf(writer, index, grown);
        const link = links[i]!;
        if (sequence !== position.logged.sequence + 1)
          throw brokenChain(writer, position.logged.sequence + 1);
        position.logged = { sequence, link };
        if (sequence > position.sequence) {
          yield { writer, sequence, body: this.#advance(position, bytes, link), bytes, index };
        } else if (!equalBytes(position.seen.get(sequence)!, link)) {
          throw brokenChain(writer, sequence);
        }
      }
    }
  }

  #positionOf(writer: Id, index: number, grown: boolean): Position {
    let position = this.#positions.get(String(writer));
    if (position === undefined) {
      if (!grown) throw damagedLog(`entry ${index} is of a writer without a head`, { index });
      position = { ...EMPTY_HEAD, writer, head: null, logged: EMPTY_HEAD, seen: new Map() };
      this.#positions.set(String(writer), position);
    }
    return position;
  }

  /** Follows a chain by one link, past its head too. */
  #advance(position: Position, bytes: Uint8Array, link = this.#reads.tree.merkleLeafHash(bytes)): IntakeBody {
    const { writer, head } = position;
    const sequence = position.sequence + 1;
    const body = decodeIntake(bytes);
    if (!equalBytes(body.previous, position.link)) throw brokenChain(writer, sequence);
    if (sequence === head?.sequence && !equalBytes(link, head.link)) throw brokenChain(writer, sequence);
    position.sequence = sequence;
    position.link = link;
    return body;
  }

  async #grow(leaves: Uint8Array): Promise<void> {
    for (let at = 0; at < leaves.length;) {
      const stop = this.#stops[0];
      const to = Math.min(leaves.length, at + ((stop?.size ?? Infinity) - this.size) * HASH_LENGTH);
      const tiles = this.#tree.append(leaves.subarray(at, to));
      await this.#requireTiles(tiles.filter(({ hashes }) => hashes.length === TILE_WIDTH * HASH_LENGTH));
      at = to;
      while (this.#stops[0]?.size === this.size) this.#stops.shift()!.onRoot(this.root);
    }
  }

  /** Holds tiles as they must be against those in the store, which may have grown. */
  async #requireTiles(tiles: readonly Tile[]): Promise<void> {
    if (tiles.length === 0) return;
    const places = tiles.map(({ level, index, hashes }) => ({
      level,
      index,
      width: hashes.length / HASH_LENGTH,
    }));
    const stored = await tileReader(this.#reads)(places);
    tiles.forEach(({ level, index, hashes }, i) => {
      if (equalBytes(stored[i]!.subarray(0, hashes.length), hashes)) return;
      throw damagedLog(`tile ${index} of level ${level} has other hashes`);
    });
  }
}

/** The last `limit` entries of the audit, newest first. Authenticated, but neither chains nor log are walked. */
export async function tailOfAudit(reads: LogReads, limit: number): Promise<AuditLink[]> {
  const { storage, records } = reads;
  const tail: AuditLink[] = [];
  const openEntry = (entry: { key: Uint8Array; value: Uint8Array }): AuditLink => {
    const bytes = records.open([entry])[0]!.body;
    const place = { writer: idOfKey(entry.key), sequence: sequenceOfIntake(entry.key) };
    return { ...place, body: decodeIntake(bytes), bytes, index: null };
  };
  // From writer to writer, as far as anything of theirs waits.
  let range = ranges.auditIntake();
  for (let found = true; found;) {
    found = false;
    for await (const { key } of storage.list(range, { limit: 1, keysOnly: true })) {
      found = true;
      const writer = idOfKey(key);
      for await (const entry of storage.list(ranges.auditIntake(writer), { reverse: true, limit })) {
        tail.push(openEntry(entry));
      }
      range = ranges.auditIntakeBehind(writer);
    }
  }
  const { size } = await readLogHead(reads);
  let wanted = limit;
  for await (const entry of storage.list(ranges.auditBundles(0, size), { reverse: true })) {
    const first = numberOfKey(entry.key);
    const rows = decodeRows(records.open([entry])[0]!.body).slice(0, size - first);
    rows.forEach(({ writer, sequence, bytes }, i) => {
      tail.push({ writer, sequence, body: decodeIntake(bytes), bytes, index: first + i });
    });
    wanted -= rows.length;
    if (wanted <= 0) break;
  }
  // An entry that moved meanwhile was seen twice; as part of the log it comes later, and stays.
  const once = new Map(tail.map((link) => [`${String(link.writer)}/${link.sequence}`, link]));
  // A chain's own order counts where two entries have one time.
  const order = (a: AuditLink, b: AuditLink): number => b.body.time - a.body.time || b.sequence - a.sequence;
  return [...once.values()].sort(order).slice(0, limit);
}

/** One entry of the log. @throws {KeyloomError} `STORE_DAMAGED` where it is missing; `index` must be below the log's size */
export async function readLogged({ storage, records }: LogReads, index: number): Promise<AuditLink> {
  const bundle = Math.floor(index / TILE_WIDTH) * TILE_WIDTH;
  const range = ranges.auditBundles(bundle, index + 1);
  for await (const entry of storage.list(range, { reverse: true, limit: 1 })) {
    const row = decodeRows(records.open([entry])[0]!.body)[index - numberOfKey(entry.key)];
    if (row !== undefined) return { ...row, body: decodeIntake(row.bytes), index };
  }
  throw damagedLog(`entry ${index} is missing`, { index });
}
