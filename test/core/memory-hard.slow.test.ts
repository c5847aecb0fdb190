/** BLAKE2b, Argon2id and scrypt: twenty thousand random cases each, and memory beyond what every change needs. */
import * as nodeCrypto from "node:crypto";
import { argon2id } from "@noble/hashes/argon2.js";
import { blake2b } from "@noble/hashes/blake2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import phc from "../vectors/argon2/argon2.json";
import rfc7914 from "../vectors/rfc-kat/rfc7914-scrypt.json";
import { bytes, cores, hex, toHex } from "./support.js";

const RUNS = { numRuns: 20_000 };
const data = fc.uint8Array({ maxLength: 300, size: "max" });
const length = fc.integer({ min: 4, max: 200 });

describe.each(await cores())("twenty thousand cases, $name build:", ({ core }) => {
  it("BLAKE2b", () => {
    const key = fc.option(fc.uint8Array({ minLength: 1, maxLength: 64 }), { nil: undefined });
    fc.assert(
      fc.property(data, key, fc.integer({ min: 1, max: 64 }), (input, k, size) => {
        const expected = blake2b(input, { dkLen: size, ...(k && { key: k }) });
        expect(toHex(core.blake2b(input, { key: k, length: size }))).toBe(toHex(expected));
      }),
      RUNS,
    );
  });

  it("Argon2id", () => {
    const salt = fc.uint8Array({ minLength: 8, maxLength: 64 });
    const numbers = fc.record({
      lanes: fc.integer({ min: 1, max: 4 }),
      more: fc.integer({ min: 0, max: 40 }),
      passes: fc.integer({ min: 1, max: 2 }),
    });
    fc.assert(
      fc.property(data, salt, data, data, numbers, length, (password, s, secret, ad, n, size) => {
        const { lanes, passes } = n;
        const memoryKiB = 8 * lanes + n.more;
        const more = { key: secret, personalization: ad };
        const expected = argon2id(password, s, { m: memoryKiB, t: passes, p: lanes, dkLen: size, ...more });
        const options = { memoryKiB, passes, lanes, length: size, secret, associatedData: ad };
        expect(toHex(core.argon2id(password, s, options))).toBe(toHex(expected));
      }),
      RUNS,
    );
  });

  it("scrypt", () => {
    const numbers = fc.record({
      N: fc.integer({ min: 1, max: 6 }).map((log) => 2 ** log),
      r: fc.integer({ min: 1, max: 10 }),
      p: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(data, data, numbers, length, (password, salt, n, size) => {
        const expected = nodeCrypto.scryptSync(password, salt, size, n).toString("hex");
        expect(toHex(core.scrypt(password, salt, { ...n, length: size }))).toBe(expected);
      }),
      RUNS,
    );
  });
});

describe.each(await cores())("much memory, $name build:", ({ core }) => {
  it("agrees with the reference implementation of Argon2id at 256 MiB", () => {
    const test = phc.tests.find((each) => each.type === "argon2id" && each.memoryKiB === 262_144)!;
    const { memoryKiB, iterations: passes, lanes, tagLength } = test;
    const options = { memoryKiB, passes, lanes, length: tagLength };
    expect(toHex(core.argon2id(hex(test.password), hex(test.salt), options))).toBe(test.tag);
  });

  it("agrees with RFC 7914 at 1 GiB", () => {
    const test = rfc7914.tests.find((each) => each.N === "1048576")!;
    const [password, salt] = [test.PASSWORD, test.SALT].map((value) => new TextEncoder().encode(value));
    const derived = core.scrypt(password!, salt!, { N: 2 ** 20, r: 8, p: 1, length: 64 });
    expect(toHex(derived)).toBe(test.DERIVED_KEY);
  });

  it("agrees with node:crypto where addresses lie beyond 2^31", () => {
    // V takes just under 2 GiB: blocks at work, inputs and output are beyond.
    const n = { N: 2 ** 8, r: 65_535, p: 1 };
    const derived = core.scrypt(bytes(100, 1), bytes(100, 2), { ...n, length: 64 });
    const expected = nodeCrypto.scryptSync(bytes(100, 1), bytes(100, 2), 64, { ...n, maxmem: 2 ** 33 });
    expect(toHex(derived)).toBe(expected.toString("hex"));
  });

  it("agrees with the reference implementation of Argon2id at 2 GiB", () => {
    const [password, salt] = ["password", "somesaltsomesalt"].map((value) => new TextEncoder().encode(value));
    const options = { memoryKiB: 2 ** 21, passes: 1, lanes: 1, length: 32 };
    // Computed by the npm package argon2 0.45.1, which contains the reference implementation.
    expect(toHex(core.argon2id(password!, salt!, options))).toBe(
      "6cf88ff53e8720b3ed6f4afea4b856b33b047e7820a19b07dafd80804ff0c24a",
    );
  });
});
