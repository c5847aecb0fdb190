/** SHA-512's family and Merkle hashes against engines that share no code with noble. */
import * as nodeCrypto from "node:crypto";
import fc from "fast-check";
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { at, bytes, cores, toHex } from "./support.js";

const data = fc.uint8Array({ maxLength: 600 });

describe.each(await cores())("hashes and derived keys, $name build,", ({ core }) => {
  it("are those of node:crypto and of TweetNaCl", () => {
    fc.assert(
      fc.property(data, data, data, fc.integer({ min: 1, max: 200 }), (a, b, c, length) => {
        expect(toHex(core.sha512(a))).toBe(toHex(nacl.hash(a)));
        expect(toHex(core.hmacSha512(a, b))).toBe(nodeCrypto.createHmac("sha512", a).update(b).digest("hex"));
        const okm = new Uint8Array(nodeCrypto.hkdfSync("sha512", a, b, c, length));
        expect(toHex(core.hkdfSha512(a, b, c, length))).toBe(toHex(okm));
        const dk = nodeCrypto.pbkdf2Sync(a, b, 3, length, "sha512");
        expect(toHex(core.pbkdf2Sha512(a, b, 3, length))).toBe(toHex(dk));
        const leaf = nodeCrypto.createHash("sha256").update(Uint8Array.of(0)).update(a).digest("hex");
        expect(toHex(core.merkleLeafHash(a))).toBe(leaf);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ["sha256", core.pbkdf2Sha256Batch],
    ["sha512", core.pbkdf2Sha512Batch],
  ] as const)("are those of node:crypto for many passwords: %s", (name, batch) => {
    for (const count of [4, 7]) {
      const passwords = Array.from({ length: count }, (_, i) => bytes(i * 20, i + 1));
      const salts = Array.from({ length: count }, (_, i) => bytes(16, i + 50));
      const expected = passwords.map((password, i) =>
        nodeCrypto.pbkdf2Sync(password, salts[i]!, 1000, 40, name).toString("hex"),
      );
      expect(batch(passwords, salts, 1000, 40).map(toHex)).toEqual(expected);
    }
  });

  it("make the root of a tree of 4,096 leaves that node:crypto makes", () => {
    const records = bytes(4096 * 40, 3);
    let level = core.merkleLeafHashBatch(records, 4096);
    let expected = Array.from({ length: 4096 }, (_, i) =>
      nodeCrypto
        .createHash("sha256")
        .update("\0")
        .update(at(records, i, 40))
        .digest(),
    );
    while (level.length > 32) {
      level = core.merkleLevel(level);
      expected = Array.from({ length: expected.length / 2 }, (_, i) =>
        nodeCrypto
          .createHash("sha256")
          .update("\x01")
          .update(expected[2 * i]!)
          .update(expected[2 * i + 1]!)
          .digest(),
      );
      expect(toHex(level)).toBe(Buffer.concat(expected).toString("hex"));
    }
  });
});
