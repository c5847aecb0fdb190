/** The hashes of Merkle trees as in RFC 6962 §2.1: a byte that says what is hashed, then the leaf or two nodes. */
import { KDF_SCRATCH } from "../memory/layout";
import { absorb, absorbPadding, copyState, HASH_STATE, hashWipe, storeDigest } from "./sha256";
import { INITIAL_STATE } from "./sha256-block";
import {
  LANES_GROUP,
  LANES_STATE,
  lanesAbsorb,
  lanesSplat,
  lanesStore,
  lanesWipe,
} from "./sha256-lanes";

const PREFIX: usize = KDF_SCRATCH;

/**
 * Writes SHA-256(`prefix` ‖ record) of each of `count` records of equal length that lie back to back.
 *
 * @param prefix - one byte: 0 for leaves, 1 for nodes.
 * @param out - `count` × 32 bytes.
 */
export function merkleHashes(prefix: i32, records: usize, length: i32, count: i32, out: usize): void {
  if (ASC_FEATURE_SIMD) {
    for (; count > 1; count -= 4) {
      const taken = min(count, 4);
      for (let lane = 0; lane < 4; lane++) {
        // The byte before a record gives its place to the prefix. A lane without a record repeats the last one.
        store<u32>(LANES_GROUP + lane * 4, records + min(lane, taken - 1) * length - 1);
        store<u32>(LANES_GROUP + lane * 4, length + 1, 16);
      }
      lanesSplat(INITIAL_STATE, LANES_STATE);
      lanesAbsorb(0x80, 0, prefix, 0, false);
      lanesStore(LANES_STATE, out, 32, taken);
      records += taken * length;
      out += taken * 32;
    }
    lanesWipe();
  }
  for (; count > 0; count--) {
    store<u8>(PREFIX, prefix);
    copyState(INITIAL_STATE, HASH_STATE);
    const fill = absorb(HASH_STATE, absorb(HASH_STATE, 0, PREFIX, 1), records, length);
    absorbPadding(HASH_STATE, fill, <u64>length + 1);
    storeDigest(HASH_STATE, out);
    records += length;
    out += 32;
  }
  store<u8>(PREFIX, 0);
  hashWipe();
}
