/** PBKDF2 of many passwords: as one after another, whichever lanes their blocks share. */
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import wycheproof256 from "../vectors/wycheproof/pbkdf2_hmacsha256_test.json";
import wycheproof512 from "../vectors/wycheproof/pbkdf2_hmacsha512_test.json";
import { bytes, codeOf, cores, hex, toHex } from "./support.js";

const NONE = new Uint8Array(0);

const rows = (await cores()).flatMap(({ name, core }) => [
  {
    name: `PBKDF2-HMAC-SHA256 of many passwords, ${name} build`,
    batch: core.pbkdf2Sha256Batch,
    single: core.pbkdf2Sha256,
    hash: sha256,
    wycheproof: wycheproof256,
  },
  {
    name: `PBKDF2-HMAC-SHA512 of many passwords, ${name} build`,
    batch: core.pbkdf2Sha512Batch,
    single: core.pbkdf2Sha512,
    hash: sha512,
    wycheproof: wycheproof512,
  },
]);

describe.each(rows)("$name,", ({ batch, single, hash, wycheproof }) => {
  it("agrees with Wycheproof, cases of one shape together", () => {
    const shapes = new Map<string, { password: Uint8Array; salt: Uint8Array; dk: string }[]>();
    let cases = 0;
    for (const { password, salt, iterationCount, dkLen, dk } of wycheproof.testGroups.flatMap(
      (g) => g.tests,
    )) {
      const shape = `${iterationCount} ${dkLen}`;
      shapes.set(shape, [...(shapes.get(shape) ?? []), { password: hex(password), salt: hex(salt), dk }]);
      cases++;
    }
    expect(cases).toBe(wycheproof.numberOfTests);
    for (const [shape, rows] of shapes) {
      const [iterations, length] = shape.split(" ").map(Number) as [number, number];
      const [passwords, salts] = [rows.map((row) => row.password), rows.map((row) => row.salt)];
      const derived = batch(passwords, salts, iterations, length);
      expect(derived.map(toHex)).toEqual(rows.map((row) => row.dk));
    }
  });

  it("does what one call each does, for every count to 9 and output lengths over three blocks", () => {
    for (let count = 0; count <= 9; count++) {
      const passwords = Array.from({ length: count }, (_, i) => bytes((i * 37) % 150, i + 1));
      const salts = Array.from({ length: count }, (_, i) => bytes((i * 53) % 140, i + 90));
      const before = passwords.concat(salts).map(toHex);
      for (const length of [1, 31, 32, 33, 63, 64, 65, 97, 128, 129]) {
        const derived = batch(passwords, salts, 3, length);
        const expected = passwords.map((password, i) =>
          toHex(pbkdf2(hash, password, salts[i]!, { c: 3, dkLen: length })),
        );
        expect(derived.map(toHex)).toEqual(expected);
        const each = passwords.map((password, i) => single(password, salts[i]!, 3, length));
        expect(each.map(toHex)).toEqual(expected);
      }
      expect(passwords.concat(salts).map(toHex)).toEqual(before);
    }
  });

  it("agrees with noble on whatever comes", () => {
    const data = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(data, data), { maxLength: 7 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 100 }),
        (pairs, iterations, length) => {
          const derived = batch(
            pairs.map(([password]) => password),
            pairs.map(([, salt]) => salt),
            iterations,
            length,
          );
          expect(derived.map(toHex)).toEqual(
            pairs.map(([password, salt]) =>
              toHex(pbkdf2(hash, password, salt, { c: iterations, dkLen: length })),
            ),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives outputs that share no memory", () => {
    const [first, second] = batch([NONE, NONE], [NONE, NONE], 1, 32) as [Uint8Array, Uint8Array];
    expect(first.buffer).not.toBe(second.buffer);
    expect(first.buffer.byteLength).toBe(32);
  });

  it("refuses salts that don't match, what isn't bytes, and parameters out of bounds", () => {
    expect(codeOf(() => batch([NONE], [], 1, 32))).toBe("CORE_INVALID_LENGTH");
    expect(codeOf(() => batch([], [NONE], 1, 32))).toBe("CORE_INVALID_LENGTH");
    for (const wrong of ["text", null, undefined, NONE, ["text"], [null], { length: 1 }] as never[]) {
      expect(codeOf(() => batch(wrong, [NONE], 1, 32))).toBe("TypeError");
      expect(codeOf(() => batch([NONE], wrong, 1, 32))).toBe("TypeError");
    }
    // A hole in the array is no password.
    expect(codeOf(() => batch(new Array<Uint8Array>(1), [NONE], 1, 32))).toBe("TypeError");
    for (const iterations of [0, -1, 1.5, NaN, 2 ** 32, "1", 1n] as number[]) {
      expect(codeOf(() => batch([NONE], [NONE], iterations, 32))).toBe("CORE_INVALID_PARAMETER");
    }
    for (const length of [0, -1, 1.5, 2 ** 31, "1"] as number[]) {
      expect(codeOf(() => batch([NONE], [NONE], 1, length))).toBe("CORE_INVALID_PARAMETER");
    }
    expect(codeOf(() => batch([NONE], [NONE], 1, 2 ** 31 - 1))).toBe("CORE_INPUT_TOO_LARGE");
  });
});
