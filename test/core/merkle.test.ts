/** Hashes of Merkle trees: RFC 6962's reference values, and noble over every length. */
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import formats from "../vectors/formats/formats.json";
import reference from "../vectors/merkle/rfc6962-reference.json";
import { at, bytes, codeOf, cores, hex, toHex } from "./support.js";

const NONE = new Uint8Array(0);
const leaf = (data: Uint8Array): Uint8Array => sha256(Uint8Array.of(0, ...data));
const node = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(Uint8Array.of(1, ...left, ...right));

describe.each(await cores())("hashes of Merkle trees, $name build,", ({ core }) => {
  it("agree with the reference tree on leaves, levels and roots", () => {
    const leaves = reference.leafInputs.map((input) => core.merkleLeafHash(hex(input)));
    expect(leaves.map(toHex)).toEqual(reference.leafHashes);
    let level = hex(reference.leafHashes.join(""));
    for (const expected of [reference.level1, reference.level2, reference.level3]) {
      level = core.merkleLevel(level);
      expect(toHex(level)).toBe(expected.join(""));
    }
    // MTH of RFC 6962 §2.1, written down.
    const root = (nodes: Uint8Array[]): Uint8Array => {
      if (nodes.length === 1) return nodes[0]!;
      const k = 2 ** Math.ceil(Math.log2(nodes.length) - 1);
      return core.merkleNodeHash(root(nodes.slice(0, k)), root(nodes.slice(k)));
    };
    for (let size = 1; size <= 8; size++) {
      expect(toHex(root(leaves.slice(0, size)))).toBe(reference.rootHashesBySize[size]);
    }
  });

  it("are the links of the audit chain", () => {
    for (const { body, link } of [formats.event, formats.abandoned]) {
      expect(toHex(core.merkleLeafHash(hex(body)))).toBe(link);
    }
  });

  it("are those of every length of record and of every count, in a batch and alone", () => {
    for (let length = 0; length <= 3 * 64 + 1; length++) {
      const records = bytes(9 * length, length + 1);
      const expected = Array.from({ length: 9 }, (_, i) => toHex(leaf(at(records, i, length))));
      for (let count = 0; count <= 9; count++) {
        const batch = core.merkleLeafHashBatch(records.subarray(0, count * length), count);
        expect(toHex(batch)).toBe(expected.slice(0, count).join(""));
      }
      expect(toHex(core.merkleLeafHash(at(records, 8, length)))).toBe(expected[8]);
    }
  });

  it("go up a level from every number of pairs", () => {
    for (let pairs = 0; pairs <= 9; pairs++) {
      const hashes = bytes(pairs * 64, 7);
      const before = toHex(hashes);
      const expected = Array.from({ length: pairs }, (_, i) =>
        toHex(node(at(hashes, 2 * i, 32), at(hashes, 2 * i + 1, 32))),
      );
      expect(toHex(core.merkleLevel(hashes))).toBe(expected.join(""));
      expect(toHex(hashes)).toBe(before);
    }
    expect(toHex(core.merkleNodeHash(bytes(32, 1), bytes(32, 2)))).toBe(
      toHex(node(bytes(32, 1), bytes(32, 2))),
    );
  });

  it("are the same in batches of more than one piece", () => {
    const hashes = bytes(20_001 * 64, 8);
    const parents = core.merkleLevel(hashes);
    expect(parents).toHaveLength(20_001 * 32);
    for (const i of [0, 1, 2729, 2730, 2731, 9999, 19_999, 20_000]) {
      expect(toHex(at(parents, i, 32))).toBe(toHex(node(at(hashes, 2 * i, 32), at(hashes, 2 * i + 1, 32))));
    }
  });

  it("agree with noble on whatever comes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 0, max: 300 }),
        fc.integer(),
        (count, length, seed) => {
          const records = bytes(count * length, seed);
          const expected = Array.from({ length: count }, (_, i) => toHex(leaf(at(records, i, length))));
          expect(toHex(core.merkleLeafHashBatch(records, count))).toBe(expected.join(""));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("refuse nodes of another length, odd levels, batches that can't be divided, and what isn't bytes", () => {
    for (const length of [0, 31, 33, 64]) {
      expect(codeOf(() => core.merkleNodeHash(bytes(length), bytes(32)))).toBe("CORE_INVALID_LENGTH");
      expect(codeOf(() => core.merkleNodeHash(bytes(32), bytes(length)))).toBe("CORE_INVALID_LENGTH");
    }
    for (const length of [1, 32, 63, 65, 96]) {
      expect(codeOf(() => core.merkleLevel(bytes(length)))).toBe("CORE_INVALID_LENGTH");
    }
    expect(codeOf(() => core.merkleLeafHashBatch(bytes(10), 3))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => core.merkleLeafHashBatch(bytes(10), 0))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => core.merkleLeafHashBatch(bytes(10), 1.5))).toBe("CORE_INVALID_PARAMETER");
    expect(codeOf(() => core.merkleLeafHashBatch(NONE, 2 ** 32 - 1))).toBe("CORE_INPUT_TOO_LARGE");
    for (const wrong of ["text", null, undefined, [1], new ArrayBuffer(64)] as never[]) {
      for (const call of [
        () => core.merkleLeafHash(wrong),
        () => core.merkleNodeHash(wrong, bytes(32)),
        () => core.merkleNodeHash(bytes(32), wrong),
        () => core.merkleLeafHashBatch(wrong, 1),
        () => core.merkleLevel(wrong),
      ]) {
        expect(codeOf(call)).toBe("TypeError");
      }
    }
  });
});
