/**
 * Merkle trees as in RFC 6962 §2.1, their hashes in tiles of 256 as in C2SP tlog-tiles: tile `n` of level 0 holds the
 * hashes of leaves 256 n on, and each full tile's own root is one hash of the level above. Pure: hashing and reading are
 * handed in.
 */
import { concat } from "../foundation/bytes.js";

export const HASH_LENGTH = 32;
export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;

/** The core's calls that a tree needs, handed in: this room does not load the core. */
export interface TreeHashes {
  sha256(data: Uint8Array): Uint8Array;
  merkleLeafHash(data: Uint8Array): Uint8Array;
  merkleNodeHash(left: Uint8Array, right: Uint8Array): Uint8Array;
  merkleLevel(hashes: Uint8Array): Uint8Array;
}

/** A tile's place, and its hashes back to back: at most 256, fewer in the last of its level. */
export interface Tile {
  level: number;
  index: number;
  hashes: Uint8Array;
}

/** A complete subtree: the 2^level leaves from index · 2^level on. */
interface Subtree {
  level: number;
  index: number;
}

/** Complete subtrees, the largest first, that together are one node of the tree. */
type Cover = readonly Subtree[];

function largestLevel(size: number): number {
  let level = 0;
  while (2 ** (level + 1) <= size) level++;
  return level;
}

/** Where a tree of `size` leaves is split: the largest power of two below it. */
function splitOf(size: number): number {
  const power = 2 ** largestLevel(size);
  return power === size ? size / 2 : power;
}

/** @param start - a multiple of the largest power of two that `end - start` holds, as it is for every node of a tree */
function cover(start: number, end: number): Cover {
  const subtrees: Subtree[] = [];
  for (let at = start; at < end;) {
    const level = largestLevel(end - at);
    subtrees.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return subtrees;
}

/** PATH(m, D[n]) of RFC 6962 §2.1.1, leaf's neighbour first. */
function inclusionPath(index: number, size: number): Cover[] {
  const path: Cover[] = [];
  for (let start = 0, end = size; end - start > 1;) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      path.push(cover(middle, end));
      end = middle;
    } else {
      path.push(cover(start, middle));
      start = middle;
    }
  }
  return path.reverse();
}

/** PROOF(m, D[n]) of RFC 6962 §2.1.2. Nothing is to be proved about an empty tree. */
function consistencyPath(from: number, size: number): Cover[] {
  const path: Cover[] = [];
  if (from === 0) return path;
  let start = 0;
  let end = size;
  while (end !== from) {
    const middle = start + splitOf(end - start);
    if (from <= middle) {
      path.push(cover(middle, end));
      end = middle;
    } else {
      path.push(cover(start, middle));
      start = middle;
    }
  }
  if (start > 0) path.push(cover(start, end));
  return path.reverse();
}

/** The root of a complete tree over an aligned run of hashes. */
function fold(tree: TreeHashes, hashes: Uint8Array): Uint8Array {
  let level = hashes;
  while (level.length > HASH_LENGTH) level = tree.merkleLevel(level);
  return level;
}

/** Joins the hashes of complete subtrees, the largest first, to the hash of the node that they make up. */
function join(tree: TreeHashes, hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => tree.merkleNodeHash(left, right));
}

/** Where a subtree's hashes lie: `count` of them, from `from` on, in one tile. */
function placeOf({ level, index }: Subtree): { level: number; index: number; from: number; count: number } {
  const count = 2 ** (level % TILE_HEIGHT);
  const first = index * count;
  return {
    level: Math.floor(level / TILE_HEIGHT),
    index: Math.floor(first / TILE_WIDTH),
    from: first % TILE_WIDTH,
    count,
  };
}

/** A tile's place, and how many of its hashes are wanted. */
export interface TileWidth {
  level: number;
  index: number;
  width: number;
}

/** Reads tiles. They may be wider than asked for: the tree may have grown since it had the size in question. */
export type TileReader = (places: readonly TileWidth[]) => Promise<readonly Uint8Array[]>;

async function hashesOf(tree: TreeHashes, path: readonly Cover[], read: TileReader): Promise<Uint8Array[]> {
  const places = path.flatMap((covered) => covered.map(placeOf));
  const nameOf = ({ level, index }: { level: number; index: number }): string => `${level}/${index}`;
  const byName = new Map<string, TileWidth>();
  for (const { level, index, from, count } of places) {
    const name = nameOf({ level, index });
    byName.set(name, { level, index, width: Math.max(byName.get(name)?.width ?? 0, from + count) });
  }
  const wanted = [...byName.values()];
  const found = await read(wanted);
  const tiles = new Map(wanted.map((place, i) => [nameOf(place), found[i]!]));
  return path.map((covered) =>
    join(
      tree,
      covered.map((subtree) => {
        const { from, count, ...place } = placeOf(subtree);
        return fold(
          tree,
          tiles.get(nameOf(place))!.subarray(from * HASH_LENGTH, (from + count) * HASH_LENGTH),
        );
      }),
    ).slice(),
  );
}

/**
 * The inclusion proof of a leaf in the tree of the first `size` leaves (RFC 6962 §2.1.1).
 *
 * @param index - below `size`
 * @returns hashes of 32 bytes, the leaf's neighbour first
 */
export function proveInclusion(
  tree: TreeHashes,
  index: number,
  size: number,
  read: TileReader,
): Promise<Uint8Array[]> {
  return hashesOf(tree, inclusionPath(index, size), read);
}

/** The proof that the tree of `size` leaves begins with that of `from` leaves, at most `size` (RFC 6962 §2.1.2). */
export function proveConsistency(
  tree: TreeHashes,
  from: number,
  size: number,
  read: TileReader,
): Promise<Uint8Array[]> {
  return hashesOf(tree, consistencyPath(from, size), read);
}

/** The root of the first `size` leaves, from tiles. */
export async function rootAt(tree: TreeHashes, size: number, read: TileReader): Promise<Uint8Array> {
  if (size === 0) return emptyRoot(tree);
  return (await hashesOf(tree, [cover(0, size)], read))[0]!;
}

/** RFC 6962 §2.1: the hash of an empty list is the hash of an empty string. */
export function emptyRoot(tree: TreeHashes): Uint8Array {
  return tree.sha256(new Uint8Array(0));
}

/** Where the last tile of each level lies in a tree of `size` leaves, as far as it is not full. */
export function edgeOf(size: number): TileWidth[] {
  const edge: TileWidth[] = [];
  for (let level = 0, nodes = size; nodes > 0; level++, nodes = Math.floor(nodes / TILE_WIDTH)) {
    const width = nodes % TILE_WIDTH;
    if (width > 0) edge.push({ level, index: Math.floor(nodes / TILE_WIDTH), width });
  }
  return edge;
}

/** A tree that grows at its right edge, of which it holds the tiles that are not full: at most one a level. */
export class GrowingTree {
  readonly #tree: TreeHashes;
  /** By level. Missing: empty. */
  readonly #edge: Uint8Array[] = [];
  #size: number;

  /** @param edge - the tiles of `edgeOf(size)`, each at least as wide as it says */
  constructor(tree: TreeHashes, size = 0, edge: readonly Uint8Array[] = []) {
    this.#tree = tree;
    this.#size = size;
    edgeOf(size).forEach(({ level, width }, i) => {
      this.#edge[level] = edge[i]!.subarray(0, width * HASH_LENGTH);
    });
  }

  get size(): number {
    return this.#size;
  }

  /** The tiles of the edge, as `edgeOf` lists them. */
  get edge(): Tile[] {
    return edgeOf(this.#size).map(({ level, index }) => ({ level, index, hashes: this.#edge[level]! }));
  }

  /** @param leaves - leaf hashes, back to back. @returns the tiles that are new or longer, levels from below */
  append(leaves: Uint8Array): Tile[] {
    const changed: Tile[] = [];
    let nodes = this.#size;
    this.#size += leaves.length / HASH_LENGTH;
    for (let level = 0, fresh = leaves; fresh.length > 0; level++) {
      const all = concat(this.#edge[level] ?? new Uint8Array(0), fresh);
      const full = TILE_WIDTH * HASH_LENGTH;
      const roots: Uint8Array[] = [];
      let index = Math.floor(nodes / TILE_WIDTH);
      let at = 0;
      for (; all.length - at >= full; at += full, index++) {
        const hashes = all.subarray(at, at + full);
        changed.push({ level, index, hashes });
        roots.push(fold(this.#tree, hashes));
      }
      this.#edge[level] = all.subarray(at);
      if (at < all.length) changed.push({ level, index, hashes: all.subarray(at) });
      nodes = Math.floor(nodes / TILE_WIDTH);
      fresh = concat(...roots);
    }
    return changed;
  }

  root(): Uint8Array {
    if (this.#size === 0) return emptyRoot(this.#tree);
    const hashes: Uint8Array[] = [];
    for (const edge of this.#edge.toReversed()) {
      for (const subtree of cover(0, (edge?.length ?? 0) / HASH_LENGTH)) {
        const from = subtree.index * 2 ** subtree.level * HASH_LENGTH;
        hashes.push(fold(this.#tree, edge.subarray(from, from + 2 ** subtree.level * HASH_LENGTH)));
      }
    }
    return join(this.#tree, hashes).slice();
  }
}
