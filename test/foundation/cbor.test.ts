import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../sdk/foundation/bytes.js";
import {
  CborReader,
  cborMap,
  decodeCborMap,
  encodeCbor,
  type CborMap,
  type CborValue,
} from "../../sdk/foundation/cbor.js";
import { codeOf } from "../flows/support.js";

const leaf: fc.Arbitrary<CborValue> = fc.oneof(
  fc.maxSafeNat(),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 40 }),
);
const nested: fc.Arbitrary<CborValue> = fc.oneof(leaf, fc.array(leaf, { maxLength: 4 }));
const maps = fc
  .uniqueArray(fc.tuple(fc.nat(70_000), nested), { selector: ([key]) => key, maxLength: 6 })
  .map((pairs): CborMap => new Map(pairs));

describe("deterministic CBOR", () => {
  it("gives back what was put in, in one encoding whatever the order", () => {
    fc.assert(
      fc.property(maps, (map) => {
        const bytes = encodeCbor(map);
        expect(decodeCborMap(bytes, "it")).toEqual(map);
        expect(encodeCbor(new Map([...map].reverse()))).toEqual(bytes);
      }),
    );
  });

  it("has the bytes of RFC 8949 §4.2: shortest heads, keys in bytewise order", () => {
    const map = cborMap(
      [100, "b"],
      [1, 23],
      [2, 24],
      [3, new Uint8Array([9])],
      [24, undefined],
      [4, [true, null]],
    );
    expect(toHex(encodeCbor(map))).toBe("a501170218180341090482f5f618646162");
  });

  it.each([
    ["an indefinite length", "bf0117ff"],
    ["a key that stands twice", "a20117011818"],
    ["keys out of order", "a20218180117"],
    ["a head that is longer than needed", "a1011817"],
    ["an integer of 64 bits that needs one", "a1011b0000000000000001"],
    ["a float", "a101f93c00"],
    ["undefined", "a101f7"],
    ["not-a-number", "a101f97e00"],
    ["bytes behind the end", "a1011700"],
    ["an end before its time", "a101"],
    ["nothing", ""],
    ["no map", "8101"],
    ["text that is no UTF-8", "a10161ff"],
    ["a big number", "a101c249010000000000000000"],
    ["a reserved head", "a1011c"],
  ])("refuses %s", async (_, hex) => {
    expect(await codeOf(() => decodeCborMap(fromHex(hex), "it"))).toBe("CBOR_INVALID");
  });

  it("refuses any other encoding than its own, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        let map: CborMap;
        try {
          map = decodeCborMap(bytes, "it");
        } catch (error) {
          expect(error).toMatchObject({ code: "CBOR_INVALID" });
          return;
        }
        expect(encodeCbor(map)).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a reader", () => {
  const reader = CborReader.decode(
    encodeCbor(
      cborMap([1, 7], [2, true], [3, "text"], [4, new Uint8Array(16)], [5, [1, 2]], [6, [cborMap([1, 2])]]),
    ),
    "a thing",
  );

  it("gives fields of the type that is asked for", () => {
    expect([reader.uint(1), reader.uint(1, 7), reader.bool(2), reader.text(3)]).toEqual([7, 7, true, "text"]);
    expect(reader.bytes(4, 16)).toEqual(new Uint8Array(16));
    expect(reader.array(5, 2)).toEqual([1, 2]);
    expect(reader.readers(6, 1)[0]!.uint(1)).toBe(2);
    expect([reader.optionalUint(9), reader.optionalText(9), reader.optionalBytes(9)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each<[string, () => unknown]>([
    ["a field that is missing", () => reader.uint(9)],
    ["a number above its bound", () => reader.uint(1, 6)],
    ["a number where a boolean belongs", () => reader.bool(1)],
    ["a boolean where a number belongs", () => reader.uint(2)],
    ["text that is too long", () => reader.text(3, 3)],
    ["bytes of another length", () => reader.bytes(4, 15)],
    ["text where bytes belong", () => reader.bytes(3)],
    ["too many items", () => reader.array(5, 1)],
    ["items that are no maps", () => reader.readers(5, 2)],
    ["an optional field of another type", () => reader.optionalText(1)],
  ])("refuses %s, and names the thing", (_, read) => {
    expect(read).toThrow(/a thing: field \d/);
    expect(read).toThrow(expect.objectContaining({ code: "CBOR_INVALID" }) as Error);
  });
});
