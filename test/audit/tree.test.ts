/** Trees from tiles and their proofs, against RFC 6962 written down, and against transparency-dev's vectors. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../sdk/foundation/bytes.js";
import { loadCoreWith } from "../../sdk/crypto/core.js";
import { verifyConsistency, verifyInclusion } from "../../sdk/audit/proofs.js";
import {
  edgeOf,
  GrowingTree,
  HASH_LENGTH,
  proveConsistency,
  proveInclusion,
  rootAt,
  TILE_WIDTH,
  type Tile,
  type TileReader,
} from "../../sdk/audit/tree.js";
import reference from "../vectors/merkle/rfc6962-reference.json";
import proofs from "../vectors/merkle/proofs.json";
import { leafHash, NaiveTree } from "./naive-tree.js";

const core = await loadCoreWith();
const MOST = 300;
/** Enough for a third level of tiles to begin. */
const MANY = 66_000;

const leaves = Array.from({ length: MANY }, (_, i) => leafHash(Uint8Array.of(i >> 16, i >> 8, i)));
const naive = new NaiveTree(leaves);
const packed = (from: number, to: number): Uint8Array => {
  const bytes = new Uint8Array((to - from) * HASH_LENGTH);
  for (let i = from; i < to; i++) bytes.set(leaves[i]!, (i - from) * HASH_LENGTH);
  return bytes;
};

/** Tiles as a store keeps them. */
class Tiles {
  readonly #tiles = new Map<string, Uint8Array>();

  put(tiles: readonly Tile[]): void {
    for (const { level, index, hashes } of tiles) this.#tiles.set(`${level}/${index}`, hashes.slice());
  }

  readonly read: TileReader = (places) =>
    Promise.resolve(places.map(({ level, index }) => this.#tiles.get(`${level}/${index}`)!));
}

const grown = new GrowingTree(core);
const tiles = new Tiles();
tiles.put(grown.append(packed(0, MANY)));

const base64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const hashesOf = (proof: readonly string[] | null): Uint8Array[] => (proof ?? []).map(base64);

describe("a tree in tiles", () => {
  it("has the reference roots, and the empty one", () => {
    const tree = new GrowingTree(core);
    expect(toHex(tree.root())).toBe(reference.rootHashesBySize[0]);
    reference.leafInputs.forEach((input, i) => {
      tree.append(core.merkleLeafHash(fromHex(input)));
      expect(toHex(tree.root())).toBe(reference.rootHashesBySize[i + 1]);
    });
  });

  it("has the root of RFC 6962 at every size, grown leaf by leaf", () => {
    const tree = new GrowingTree(core);
    for (let size = 1; size <= 2 * TILE_WIDTH + 20; size++) {
      tree.append(packed(size - 1, size));
      expect(tree.size).toBe(size);
      expect(toHex(tree.root())).toBe(toHex(naive.hash(0, size)));
    }
  });

  it("is the same however it grew, and picked up again anywhere from its edge", () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(255, 256, 257, 900)), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(steps, (batches) => {
        let tree = new GrowingTree(core);
        const stored = new Map<string, string>();
        let size = 0;
        for (const batch of batches) {
          const edge = edgeOf(size).map(({ level, index }) => fromHex(stored.get(`${level}/${index}`)!));
          tree = new GrowingTree(core, size, edge);
          for (const { level, index, hashes } of tree.append(packed(size, size + batch))) {
            stored.set(`${level}/${index}`, toHex(hashes));
          }
          size += batch;
        }
        expect(toHex(tree.root())).toBe(toHex(naive.hash(0, size)));
        const once = new GrowingTree(core);
        const expected = once
          .append(packed(0, size))
          .map((tile) => [`${tile.level}/${tile.index}`, toHex(tile.hashes)]);
        expect([...stored].sort()).toEqual(expected.sort());
        expect(once.edge.map(({ level, index }) => ({ level, index }))).toEqual(
          edgeOf(size).map(({ level, index }) => ({ level, index })),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("has three levels of tiles where it is large enough, and all roots before", async () => {
    expect(toHex(grown.root())).toBe(toHex(naive.hash(0, MANY)));
    for (const size of [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 65_792, 65_793, MANY]) {
      expect(toHex(await rootAt(core, size, tiles.read))).toBe(toHex(naive.hash(0, size)));
    }
    expect(edgeOf(MANY).map(({ level, index, width }) => [level, index, width])).toEqual([
      [0, 257, 208],
      [1, 1, 1],
      [2, 0, 1],
    ]);
  });
});

/** Everything that differs from a proof by one step. */
function* altered(proof: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (let i = 0; i < proof.length; i++) {
    const changed = proof.map((hash) => hash.slice());
    changed[i]![(i * 7) % HASH_LENGTH]! ^= 1 << (i % 8);
    yield changed;
    yield proof.filter((_, j) => j !== i);
    yield [...proof.slice(0, i), proof[i]!, ...proof.slice(i)];
    yield proof.map((hash, j) => (j === i ? hash.subarray(1) : hash));
    if (i > 0) yield proof.map((_, j) => proof[j === i ? i - 1 : j === i - 1 ? i : j]!);
  }
  yield [...proof, new Uint8Array(HASH_LENGTH)];
  yield [new Uint8Array(HASH_LENGTH), ...proof];
}

const flipped = (hash: Uint8Array): Uint8Array => hash.map((byte, i) => (i === 31 ? byte ^ 1 : byte));

describe("a proof of inclusion", () => {
  it("is that of RFC 6962 for every leaf of every tree, and verifies", async () => {
    for (let size = 1; size <= MOST; size += size < 70 ? 1 : 23) {
      const root = naive.hash(0, size);
      for (let index = 0; index < size; index++) {
        const proof = await proveInclusion(core, index, size, tiles.read);
        expect(proof.map(toHex)).toEqual(naive.path(index, 0, size).map(toHex));
        if (!verifyInclusion(core, index, size, leaves[index]!, proof, root))
          throw new Error(`${index} of ${size}`);
      }
    }
  });

  it("verifies in large trees", async () => {
    for (const size of [65_536, 65_537, MANY]) {
      const root = naive.hash(0, size);
      for (const index of [0, 255, 256, 1000, 65_535, size - 1]) {
        const proof = await proveInclusion(core, index, size, tiles.read);
        expect(verifyInclusion(core, index, size, leaves[index]!, proof, root)).toBe(true);
      }
    }
  });

  it("does not verify with anything changed", async () => {
    for (const size of [1, 2, 3, 5, 8, 13, 31, 32, 33]) {
      const root = naive.hash(0, size);
      for (let index = 0; index < size; index++) {
        const proof = await proveInclusion(core, index, size, tiles.read);
        const verify = (
          given: Partial<{
            index: number;
            size: number;
            leaf: Uint8Array;
            proof: Uint8Array[];
            root: Uint8Array;
          }>,
        ): boolean => {
          const all = { index, size, leaf: leaves[index]!, proof, root, ...given };
          return verifyInclusion(core, all.index, all.size, all.leaf, all.proof, all.root);
        };
        expect(verify({})).toBe(true);
        for (const other of altered(proof)) expect(verify({ proof: other })).toBe(false);
        expect(verify({ leaf: flipped(leaves[index]!) })).toBe(false);
        expect(verify({ root: flipped(root) })).toBe(false);
        for (let i = -1; i <= size + 1; i++) if (i !== index) expect(verify({ index: i })).toBe(false);
        for (const wrong of [NaN, 0.5, 2 ** 53, Infinity]) {
          expect(verify({ index: wrong })).toBe(false);
          expect(verify({ size: wrong })).toBe(false);
        }
      }
    }
  });
});

describe("a proof of consistency", () => {
  it("is that of RFC 6962 for all pairs of sizes, and verifies", { timeout: 30_000 }, async () => {
    for (let size = 1; size <= MOST; size += size < 70 ? 1 : 31) {
      for (let from = 1; from <= size; from++) {
        const proof = await proveConsistency(core, from, size, tiles.read);
        expect(proof.map(toHex)).toEqual(naive.subproof(from, 0, size, true).map(toHex));
        if (!verifyConsistency(core, from, size, naive.hash(0, from), proof, naive.hash(0, size))) {
          throw new Error(`${from} to ${size}`);
        }
      }
      expect(await proveConsistency(core, 0, size, tiles.read)).toEqual([]);
    }
  });

  it("does not verify with anything changed", async () => {
    for (const size of [1, 2, 3, 4, 6, 7, 8, 15, 16, 17]) {
      for (let from = 1; from <= size; from++) {
        const [before, after] = [naive.hash(0, from), naive.hash(0, size)];
        const proof = await proveConsistency(core, from, size, tiles.read);
        expect(verifyConsistency(core, from, size, before, proof, after)).toBe(true);
        for (const other of altered(proof)) {
          expect(verifyConsistency(core, from, size, before, other, after)).toBe(false);
        }
        expect(verifyConsistency(core, from, size, flipped(before), proof, after)).toBe(false);
        expect(verifyConsistency(core, from, size, before, proof, flipped(after))).toBe(false);
        for (let other = 1; other <= size; other++) {
          if (other !== from) expect(verifyConsistency(core, other, size, before, proof, after)).toBe(false);
        }
        for (const wrong of [NaN, 1.5, -1, 2 ** 53]) {
          expect(verifyConsistency(core, wrong, size, before, proof, after)).toBe(false);
          expect(verifyConsistency(core, from, wrong, before, proof, after)).toBe(false);
        }
      }
    }
  });
});

describe("transparency-dev's vectors", () => {
  it("of inclusion", () => {
    for (const { desc, leafIdx, treeSize, root, leafHash: leaf, proof, wantErr } of proofs.inclusion) {
      const good = verifyInclusion(core, leafIdx, treeSize, base64(leaf), hashesOf(proof), base64(root));
      expect(good, desc).toBe(!wantErr);
    }
  });

  it("of consistency", () => {
    for (const { desc, size1, size2, root1, root2, proof, wantErr } of proofs.consistency) {
      const good = verifyConsistency(core, size1, size2, base64(root1), hashesOf(proof), base64(root2));
      expect(good, desc).toBe(!wantErr);
    }
  });

  it("of inclusion in subtrees, each of which is a tree of its own", () => {
    for (const {
      desc,
      leafIdx,
      start,
      end,
      root,
      leafHash: leaf,
      proof,
      wantErr,
    } of proofs.subtreeinclusion) {
      let reach = 1;
      while (reach < end - start) reach *= 2;
      const isSubtree = start < end && start % reach === 0;
      const [index, size] = [leafIdx - start, end - start];
      const good = verifyInclusion(core, index, size, base64(leaf), hashesOf(proof), base64(root));
      expect(isSubtree && good, desc).toBe(!wantErr);
    }
  });

  it("of consistency of subtrees, as far as they begin where the tree does", () => {
    const own = proofs.subtreeconsistency.filter(({ start }) => start === 0);
    expect(own.length).toBeGreaterThan(40);
    for (const { desc, end, size, root1, root2, proof, wantErr } of own) {
      const [before, after] = [base64(root1), base64(root2)];
      // They take anything for a hash where there is nothing to compute; here it has 32 bytes.
      const areHashes = before.length === HASH_LENGTH && after.length === HASH_LENGTH;
      const good = verifyConsistency(core, end, size, before, hashesOf(proof), after);
      expect(good, desc).toBe(!wantErr && areHashes);
    }
  });
});
