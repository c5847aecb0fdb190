/** Twenty thousand random cases of each kernel of hashing and key derivation, against node:crypto. */
import * as nodeCrypto from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { at, cores, toHex } from "./support.js";

const RUNS = { numRuns: 20_000 };
const data = fc.uint8Array({ maxLength: 700, size: "max" });
const length = fc.integer({ min: 1, max: 300 });
const iterations = fc.integer({ min: 1, max: 6 });
const hash = (...parts: Uint8Array[]): string => {
  const sha256 = nodeCrypto.createHash("sha256");
  for (const part of parts) sha256.update(part);
  return sha256.digest("hex");
};

describe.each(await cores())("twenty thousand cases, $name build:", ({ core }) => {
  const holds = <T extends [unknown, ...unknown[]]>(
    arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
    same: (...values: T) => [ours: string, theirs: string],
  ): void => {
    fc.assert(
      fc.property(...arbitraries, (...values) => {
        const [ours, theirs] = same(...(values as unknown as T));
        expect(ours).toBe(theirs);
      }),
      RUNS,
    );
  };

  it("SHA-512", () => {
    holds([data], (a) => [toHex(core.sha512(a)), nodeCrypto.createHash("sha512").update(a).digest("hex")]);
  });

  it("HMAC-SHA512", () => {
    holds([data, data], (key, a) => [
      toHex(core.hmacSha512(key, a)),
      nodeCrypto.createHmac("sha512", key).update(a).digest("hex"),
    ]);
  });

  it("HKDF-SHA512", () => {
    holds([data, data, data, length], (ikm, salt, info, size) => [
      toHex(core.hkdfSha512(ikm, salt, info, size)),
      Buffer.from(nodeCrypto.hkdfSync("sha512", ikm, salt, info, size)).toString("hex"),
    ]);
  });

  it("PBKDF2-HMAC-SHA512", () => {
    holds([data, data, iterations, length], (password, salt, count, size) => [
      toHex(core.pbkdf2Sha512(password, salt, count, size)),
      nodeCrypto.pbkdf2Sync(password, salt, count, size, "sha512").toString("hex"),
    ]);
  });

  it.each([
    ["sha256", core.pbkdf2Sha256Batch],
    ["sha512", core.pbkdf2Sha512Batch],
  ] as const)("PBKDF2 of many passwords with %s", (name, batch) => {
    const pairs = fc.array(fc.tuple(data, data), { maxLength: 6 });
    holds([pairs, iterations, length], (list, count, size) => {
      const [passwords, salts] = [list.map(([password]) => password), list.map(([, salt]) => salt)];
      const expected = list.map(([password, salt]) =>
        nodeCrypto.pbkdf2Sync(password, salt, count, size, name).toString("hex"),
      );
      return [batch(passwords, salts, count, size).map(toHex).join(), expected.join()];
    });
  });

  it("SP 800-108 in counter mode", () => {
    holds([data, data, length], (key, fixed, size) => {
      let expected = "";
      for (let i = 1; expected.length < size * 2; i++) {
        const counter = Uint8Array.of(0, 0, 0, i);
        expected += nodeCrypto.createHmac("sha256", key).update(counter).update(fixed).digest("hex");
      }
      return [toHex(core.kbkdfCounterHmacSha256(key, fixed, size)), expected.slice(0, size * 2)];
    });
  });

  it("Merkle leaves and nodes", () => {
    holds([data, fc.integer({ min: 1, max: 9 })], (a, count) => {
      const each = Math.floor(a.length / count);
      const records = a.subarray(0, each * count);
      const expected = Array.from({ length: count }, (_, i) => hash(Uint8Array.of(0), at(records, i, each)));
      return [toHex(core.merkleLeafHashBatch(records, count)), expected.join("")];
    });
    holds([fc.uint8Array({ maxLength: 640, size: "max" })], (a) => {
      const pairs = a.length >> 6;
      const expected = Array.from({ length: pairs }, (_, i) => hash(Uint8Array.of(1), at(a, i, 64)));
      return [toHex(core.merkleLevel(a.subarray(0, pairs * 64))), expected.join("")];
    });
  });
});
