/**
 * Verifying proofs about Merkle trees, from hashes alone (RFC 9162 §2.1.3.2 and §2.1.4.2). Every argument may come from
 * an adversary: whatever is wrong with any of them, the answer is `false`.
 */
import { equalBytes } from "../foundation/bytes.js";
import { HASH_LENGTH, type TreeHashes } from "./tree.js";

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const isHash = (value: Uint8Array): boolean => value instanceof Uint8Array && value.length === HASH_LENGTH;
const isOdd = (value: number): boolean => value % 2 === 1;
const half = (value: number): number => Math.floor(value / 2);

/** Does a leaf stand at `index` in the tree of `size` leaves with this root? */
export function verifyInclusion(
  tree: TreeHashes,
  index: number,
  size: number,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  if (![leafHash, root, ...proof].every(isHash)) return false;
  let fn = index;
  let sn = size - 1;
  let hash = leafHash;
  for (const neighbour of proof) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      hash = tree.merkleNodeHash(neighbour, hash);
      for (; !isOdd(fn) && fn !== 0; sn = half(sn)) fn = half(fn);
    } else {
      hash = tree.merkleNodeHash(hash, neighbour);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equalBytes(hash, root);
}

/** Does the tree of `size` leaves begin with that of `from` leaves? From nothing there is nothing to prove. */
export function verifyConsistency(
  tree: TreeHashes,
  from: number,
  size: number,
  fromRoot: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isSize(from) || !isSize(size) || from > size) return false;
  if (![fromRoot, root, ...proof].every(isHash)) return false;
  if (from === size || from === 0) {
    return proof.length === 0 && (from === 0 || equalBytes(fromRoot, root));
  }
  let fn = from - 1;
  let sn = size - 1;
  for (; isOdd(fn); sn = half(sn)) fn = half(fn);
  // A complete subtree stands for itself; otherwise the proof begins with its last complete part.
  const [first, ...rest] = fn === 0 ? [fromRoot, ...proof] : proof;
  if (first === undefined) return false;
  let before = first;
  let after = first;
  for (const neighbour of rest) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      before = tree.merkleNodeHash(neighbour, before);
      after = tree.merkleNodeHash(neighbour, after);
      for (; !isOdd(fn) && fn !== 0; sn = half(sn)) fn = half(fn);
    } else {
      after = tree.merkleNodeHash(after, neighbour);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equalBytes(before, fromRoot) && equalBytes(after, root);
}
