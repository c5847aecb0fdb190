/** A walk through the log that does not end at the first fault. */
import { concat, equalBytes } from "../foundation/bytes.js";
import type { Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import type { StorageReads } from "../storage/adapter.js";
import { idOfKey, keyspace, numberOfKey, ranges } from "../storage/keyspace.js";
import { FIRST_LINK } from "./event.js";
import { believed, fault, followLink, type Chain, type Surveyed } from "./faults.js";
import { decodeHead, type Head } from "./intake.js";
import { decodeLogHead, decodeRows, type LoggedEntry, type LogHead } from "./log.js";
import { emptyRoot, GrowingTree, HASH_LENGTH, type Tile, type TreeHashes } from "./tree.js";

/** What is true of the store's log. */
interface Log {
  reads: StorageReads;
  records: Records;
  tree: TreeHashes;
  chains: Map<string, Chain>;
}

/** @returns every entry of the log that can be believed, and every fault; `chains` gets how far each writer's has come */
export async function* surveyLog(log: Log): AsyncGenerator<Surveyed, void> {
  const { reads, records, tree } = log;
  const entry = await reads.get(keyspace.auditLog());
  const opened = entry === null ? null : believed(records, entry, decodeLogHead);
  // That it is damaged is told where records are looked at one by one.
  const head: LogHead | null = entry === null ? { size: 0, root: emptyRoot(tree) } : opened;
  const grown = new GrowingTree(tree);
  let next = 0;
  for await (const part of reads.list(ranges.auditBundles(0, Number.MAX_SAFE_INTEGER))) {
    const first = numberOfKey(part.key);
    if (first !== next) yield fault("log", `entries ${next} to ${first - 1} of the log are missing`);
    const rows = believed(records, part, decodeRows);
    if (rows === null) yield fault("log", `the entries of the log from ${first} on can't be believed`);
    const whole = grown.size === first;
    const links = (rows ?? []).map(({ bytes }) => tree.merkleLeafHash(bytes));
    for (const [i, row] of (rows ?? []).entries()) yield* follow(log.chains, row, links[i]!);
    // Behind a gap nothing can be said of the tree.
    if (whole && rows !== null) yield* checkTiles(log, grown.append(concat(...links)));
    next = first + (rows?.length ?? 0);
  }
  if (grown.size !== next || head === null) return;
  if (next !== head.size || !equalBytes(grown.root(), head.root)) {
    yield fault("log", `the log has ${next} entries, which don't lead to the root of ${head.size} on record`);
  }
  yield* checkCursors(log);
}

function* follow(
  chains: Map<string, Chain>,
  { writer, sequence, bytes }: LoggedEntry,
  link: Uint8Array,
): Generator<Surveyed> {
  let chain = chains.get(String(writer));
  if (chain === undefined) chains.set(String(writer), (chain = { writer, sequence: 0, link: FIRST_LINK }));
  if (sequence !== chain.sequence + 1) {
    const detail = `entry ${sequence} stands in the log behind entry ${chain.sequence}`;
    yield fault("chain", detail, writer, chain.sequence + 1);
    chain.link = null;
  }
  yield* followLink(chain, sequence, bytes, link);
}

/** Tiles in the store may have grown since: those that are true begin with these hashes. */
async function* checkTiles({ reads, records }: Log, tiles: readonly Tile[]): AsyncGenerator<Surveyed> {
  const stored = await reads.getMany(tiles.map(({ level, index }) => keyspace.auditTile(level, index)));
  for (const [i, { level, index, hashes }] of tiles.entries()) {
    const entry = stored[i] ?? null;
    const body = entry === null ? null : believed(records, entry, (bytes) => bytes);
    const isTrue =
      body !== null &&
      body.length % HASH_LENGTH === 0 &&
      equalBytes(body.subarray(0, hashes.length), hashes.subarray(0, body.length)) &&
      body.length >= hashes.length;
    if (!isTrue) yield fault("log", `tile ${index} of level ${level} is missing, too short or another one`);
  }
}

/** How far each chain has moved to the log is on record too. */
async function* checkCursors({ reads, records, chains }: Log): AsyncGenerator<Surveyed> {
  const missing = new Map(chains);
  for await (const entry of reads.list(ranges.auditMoved())) {
    const writer: Id = idOfKey(entry.key);
    const cursor: Head | null = believed(records, entry, decodeHead);
    const chain = missing.get(String(writer));
    missing.delete(String(writer));
    if (cursor === null) continue;
    if (cursor.sequence === chain?.sequence && (chain.link === null || equalBytes(cursor.link, chain.link)))
      continue;
    yield fault(
      "log",
      `a chain is on record as moved up to ${cursor.sequence}, the log has it up to ${chain?.sequence ?? 0}`,
      writer,
    );
  }
  for (const { writer } of missing.values())
    yield fault("log", "how far a chain has moved is missing", writer);
}
