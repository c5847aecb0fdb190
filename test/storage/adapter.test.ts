import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  compareBytes,
  type Mutation,
  type StorageCapabilities,
  validateCommit,
} from "../../sdk/storage/adapter.js";
import { commitId } from "../../sdk/storage/conformance-kit.js";

const capabilities: StorageCapabilities = {
  maxChecks: 65_536,
  maxMutations: 65_536,
  maxCommitBytes: 1_000_000,
  maxKeyBytes: 480,
  maxValueBytes: 65_536,
  durable: false,
  multiProcess: false,
  snapshot: false,
  watch: false,
};

const validate = (mutations: Mutation[]) =>
  validateCommit(capabilities, { id: commitId(), checks: [], mutations });

describe("compareBytes", () => {
  it("orders as the hexadecimal forms do", () => {
    const hex = (bytes: Uint8Array) =>
      Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const bytes = fc
      .array(fc.constantFrom(0, 1, 127, 128, 255), { maxLength: 5 })
      .map((all) => Uint8Array.from(all));
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const expected = hex(a) < hex(b) ? -1 : hex(a) > hex(b) ? 1 : 0;
        expect(Math.sign(compareBytes(a, b))).toBe(expected);
      }),
    );
  });
});

describe("validateCommit", () => {
  it("finds a repeated key wherever it stands, and only then", () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), (keys) => {
        const mutations = keys.map((key, i): Mutation => {
          return i % 3 === 0 ? { kind: "delete", key } : { kind: "put", key, value: key };
        });
        const repeated = new Set(keys.map(String)).size < keys.length;
        if (repeated) expect(() => validate(mutations)).toThrowError(/twice/);
        else expect(() => validate(mutations)).not.toThrow();
      }),
    );
  });

  it("counts the bytes of all keys and values, those of checks too", () => {
    const key = Uint8Array.from([1, 2]);
    const commit = {
      id: commitId(),
      checks: [{ key, version: null }],
      mutations: [
        { kind: "put", key, value: new Uint8Array(100) },
        { kind: "delete", key: Uint8Array.from([3]) },
      ] as Mutation[],
    };
    expect(validateCommit(capabilities, commit)).toBe(2 + 2 + 100 + 1);
    expect(validateCommit({ ...capabilities, maxCommitBytes: 105 }, commit)).toBe(105);
    expect(() => validateCommit({ ...capabilities, maxCommitBytes: 104 }, commit)).toThrowError(
      /at most 104 bytes/,
    );
  });
});
