import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  concat,
  copyInto,
  equalBytes,
  fromHex,
  fromUtf8,
  getU32,
  getU64,
  putU32,
  putU64,
  requireBytes,
  toHex,
  utf8,
} from "../../sdk/foundation/bytes.js";
import { CoreError, ERROR_CODES, isKeyloomError, KeyloomError } from "../../sdk/foundation/errors.js";
import { idGenerator, idToString, isIdText, parseId, wellKnownId } from "../../sdk/foundation/ids.js";
import { hostRandom, randomBytes } from "../../sdk/foundation/random.js";
import { seededRandom } from "../../sdk/testing/random.js";

const bytes = fc.uint8Array({ maxLength: 64 });

describe("bytes", () => {
  it("survive hexadecimal, and text survives UTF-8", () => {
    fc.assert(fc.property(bytes, (value) => void expect(fromHex(toHex(value))).toEqual(value)));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => void expect(fromUtf8(utf8(text))).toBe(text)),
    );
    expect(toHex(new Uint8Array([0, 15, 255]))).toBe("000fff");
    expect(fromHex("AbcD")).toEqual(new Uint8Array([0xab, 0xcd]));
    for (const bad of ["0", "0g", "0x00", " 00", "00\n"]) expect(() => fromHex(bad)).toThrow(TypeError);
    expect(() => fromUtf8(new Uint8Array([0xff]))).toThrow(TypeError);
  });

  it("are compared by content and length", () => {
    fc.assert(fc.property(bytes, bytes, (a, b) => void expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b))));
    fc.assert(fc.property(bytes, (a) => void expect(equalBytes(a, a.slice())).toBe(true)));
    expect(equalBytes(new Uint8Array(2), new Uint8Array(3))).toBe(false);
  });

  it("are joined and copied where they belong", () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), (parts) => {
        expect([...concat(...parts)]).toEqual(parts.flatMap((part) => [...part]));
      }),
    );
    const target = new Uint8Array(6).fill(9);
    copyInto(new Uint8Array([1, 2, 3, 4]), 1, 2, target, 3);
    expect([...target]).toEqual([9, 9, 9, 2, 3, 9]);
  });

  it("hold integers big-endian, up to the largest safe one", () => {
    const target = new Uint8Array(10);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.maxSafeNat(), (small, large) => {
        putU32(target, 1, small);
        const view = new DataView(target.buffer);
        expect([getU32(target, 1), view.getUint32(1)]).toEqual([small, small]);
        putU64(target, 2, large);
        expect([getU64(target, 2), Number(view.getBigUint64(2))]).toEqual([large, large]);
      }),
    );
  });

  it("are nothing else than a Uint8Array", () => {
    expect(() => requireBytes(new Uint8Array(0), "it")).not.toThrow();
    for (const value of ["x", [1], new ArrayBuffer(1), new Uint16Array(1), null, undefined]) {
      expect(() => requireBytes(value, "the thing")).toThrow(/^the thing must be a Uint8Array$/);
    }
  });
});

describe("ids", () => {
  it("are UUIDs of version 7 in the order of time, and never the same", () => {
    let now = 1_900_000_000_000;
    const next = idGenerator(hostRandom, () => now);
    const ids: string[] = [];
    for (let i = 0; i < 5000; i++) {
      if (i % 100 === 0) now++;
      ids.push(idToString(next()));
    }
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids.slice(0, 10)) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
    expect(parseInt(ids.at(-1)!.replaceAll("-", "").slice(0, 12), 16)).toBe(now);
  });

  it("stay unique when the clock steps back, a little or far", () => {
    let now = 1_900_000_000_000;
    const next = idGenerator(hostRandom, () => now);
    const ids = new Set<string>();
    for (const step of [0, -1, -5000, -1_000_000, 2_000_000, -3]) {
      now += step;
      for (let i = 0; i < 100; i++) ids.add(idToString(next()));
    }
    expect(ids.size).toBe(600);
  });

  it("are read in one form only", () => {
    const id = idToString(idGenerator(hostRandom, () => 5)());
    expect(idToString(parseId(id))).toBe(id);
    for (const bad of ["", id.toUpperCase(), id.replaceAll("-", ""), `{${id}}`, `${id}\n`, id.slice(1)]) {
      expect(isIdText(bad)).toBe(false);
      expect(() => parseId(bad)).toThrow(expect.objectContaining({ code: "KEY_INVALID_OPTION" }) as Error);
    }
  });

  it("that are the same everywhere spell their name", () => {
    expect(new TextDecoder().decode(wellKnownId("keyloom-root"))).toBe("keyloom-root\0\0\0\0");
  });
});

describe("errors", () => {
  it("carry their code, class, fields and cause, and turn into JSON without the cause", () => {
    const cause = new Error("why");
    const error = new KeyloomError("KEY_NOT_FOUND", { message: "no key", reference: "k", cause });
    expect(error).toMatchObject({
      name: "KeyloomError",
      code: "KEY_NOT_FOUND",
      class: "not-found",
      message: "no key",
      cause,
      details: { reference: "k" },
    });
    expect(error.details).not.toHaveProperty("cause");
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: "KeyloomError",
      code: "KEY_NOT_FOUND",
      message: "no key",
      reference: "k",
    });
  });

  it("are told apart by code, and those of the core are errors of the library too", () => {
    const error = new CoreError("CORE_INTERNAL", { message: "x" });
    expect(error.name).toBe("CoreError");
    expect([isKeyloomError(error), isKeyloomError(error, "CORE_INTERNAL")]).toEqual([true, true]);
    expect([isKeyloomError(error, "KEY_NOT_FOUND"), isKeyloomError(new Error("x"))]).toEqual([false, false]);
    expect(isKeyloomError({ code: "CORE_INTERNAL" })).toBe(false);
  });

  it("have codes that begin with the room they come from", () => {
    for (const code of Object.keys(ERROR_CODES)) {
      expect(code).toMatch(
        /^(CORE|STORAGE|STORE|UNLOCK|KEY|ENTITY|POLICY|PROPOSAL|APPROVAL|AUDIT|SIGNATURE|BACKUP|MESSAGE|CBOR|CLOCK|JOB|CLI)_[A-Z0-9_]+$/,
      );
    }
  });
});

describe("randomness", () => {
  it("fills what it is given, however long, and not twice the same", () => {
    for (const length of [0, 1, 65_536, 65_537, 200_000]) {
      const first = randomBytes(hostRandom, length);
      expect(first).toHaveLength(length);
      if (length < 65_536) continue;
      expect(equalBytes(first, randomBytes(hostRandom, length))).toBe(false);
      // The last piece too: 32 zero bytes in a row don't happen.
      if (length !== 65_537) expect(first.subarray(-32).some((byte) => byte !== 0)).toBe(true);
    }
  });

  it("of a seed repeats, and differs from that of another seed", () => {
    const draw = (seed: number): string => toHex(randomBytes(seededRandom(seed), 40));
    expect(draw(5)).toBe(draw(5));
    expect(new Set([0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1].map(draw)).size).toBe(6);
  });
});
