/** RFC 6962 §2.1 written down as it stands there, over whole lists: what the log's trees and proofs are held against. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { TreeHashes } from "../../sdk/audit/tree.js";

export const leafHash = (data: Uint8Array): Uint8Array => sha256(Uint8Array.of(0, ...data));
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  sha256(Uint8Array.of(1, ...left, ...right));

/** The largest power of two smaller than n. */
function k(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

/** Trees over the same leaves again and again: what was hashed once is remembered, by its first and last leaf. */
export class NaiveTree {
  readonly #leaves: readonly Uint8Array[];
  readonly #known = new Map<string, Uint8Array>();

  /** @param leaves - their hashes */
  constructor(leaves: readonly Uint8Array[]) {
    this.#leaves = leaves;
  }

  /** MTH(D[start:end]) */
  hash(start: number, end: number): Uint8Array {
    const n = end - start;
    if (n === 0) return sha256(new Uint8Array(0));
    if (n === 1) return this.#leaves[start]!;
    const name = `${start}-${end}`;
    let hash = this.#known.get(name);
    if (hash === undefined) {
      hash = nodeHash(this.hash(start, start + k(n)), this.hash(start + k(n), end));
      this.#known.set(name, hash);
    }
    return hash;
  }

  /** PATH(m, D[start:end]) */
  path(m: number, start: number, end: number): Uint8Array[] {
    const n = end - start;
    if (n === 1) return [];
    const middle = start + k(n);
    return m < k(n)
      ? [...this.path(m, start, middle), this.hash(middle, end)]
      : [...this.path(m - k(n), middle, end), this.hash(start, middle)];
  }

  /** SUBPROOF(m, D[start:end], b) */
  subproof(m: number, start: number, end: number, b: boolean): Uint8Array[] {
    const n = end - start;
    if (m === n) return b ? [] : [this.hash(start, end)];
    const middle = start + k(n);
    return m <= k(n)
      ? [...this.subproof(m, start, middle, b), this.hash(middle, end)]
      : [...this.subproof(m - k(n), middle, end, false), this.hash(start, middle)];
  }
}

/** The hashes of the core's interface, by noble. */
export const nobleTree: TreeHashes = {
  sha256,
  merkleLeafHash: leafHash,
  merkleNodeHash: nodeHash,
  merkleLevel(hashes) {
    const parents = new Uint8Array(hashes.length / 2);
    for (let at = 0; at < parents.length; at += 32) {
      parents.set(sha256(Uint8Array.of(1, ...hashes.subarray(2 * at, 2 * at + 64))), at);
    }
    return parents;
  },
};
