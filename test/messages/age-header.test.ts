import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, utf8 } from "../../sdk/foundation/bytes.js";
import { isKeyloomError } from "../../sdk/foundation/errors.js";
import { decodeBase64, encodeBase64 } from "../../sdk/messages/age/base64.js";
import { ByteReader } from "../../sdk/messages/age/byte-source.js";
import {
  type AgeHeader,
  encodeHeader,
  encodeMac,
  MAX_HEADER_BYTES,
  MAX_LINE_BYTES,
  MAX_STANZAS,
  readHeader,
  type Stanza,
} from "../../sdk/messages/age/header.js";
import { pattern, split, yielding } from "./support.js";

const MAC = pattern(32, 3);
const MAC_LINE = `--- ${encodeBase64(MAC)}\n`;
const INTRO = "age-encryption.org/v1\n";

async function parse(header: Uint8Array | string, cuts: readonly number[] = []): Promise<AgeHeader> {
  const bytes = typeof header === "string" ? utf8(header) : header;
  return readHeader(new ByteReader(yielding(split(bytes, cuts))));
}

/** "parsed", or the code and message of the refusal. */
async function verdict(header: Uint8Array | string): Promise<string> {
  try {
    await parse(header);
    return "parsed";
  } catch (error) {
    if (isKeyloomError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const argument = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 40,
});
const stanza: fc.Arbitrary<Stanza> = fc.record({
  type: argument.filter((type) => type !== "scrypt"),
  args: fc.array(argument, { maxLength: 4 }),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom(0, 47, 48, 49, 95, 96, 97).map((length) => pattern(length)),
  ),
});
const header = fc
  .array(stanza, { minLength: 1, maxLength: 6 })
  .map((stanzas) => ({ stanzas, bytes: concat(encodeHeader(stanzas), encodeMac(MAC)) }));

describe("the age header", () => {
  it("parses back to the stanzas it was written from, however the source is cut", async () => {
    await fc.assert(
      fc.asyncProperty(header, fc.array(fc.nat(2000), { maxLength: 8 }), async ({ stanzas, bytes }, cuts) => {
        const parsed = await parse(concat(bytes, pattern(30)), cuts);
        expect(parsed.stanzas).toEqual(stanzas);
        expect(parsed.mac).toEqual(MAC);
        expect(parsed.authenticated).toEqual(encodeHeader(stanzas));
      }),
    );
  });

  it("parses byte by byte, and leaves the reader at the payload", async () => {
    const bytes = concat(encodeHeader([{ type: "a", args: ["b"], body: pattern(100) }]), encodeMac(MAC));
    const all = concat(bytes, pattern(20, 8));
    const reader = new ByteReader(yielding([...all].map((byte) => Uint8Array.of(byte))));
    await readHeader(reader);
    expect(await reader.readUpTo(20)).toEqual(pattern(20, 8));
    expect(await reader.hasMore()).toBe(false);
  });

  it("has one spelling: a changed byte is refused, or read as exactly what it says", async () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.constantFrom(0x0a, 0x0d, 0x20, 0x2d, 0x3d, 0x41, 0xff),
    });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(header, change, fc.constantFrom(0, 1), async ({ bytes }, { at, byte }, replaced) => {
        const place = at % bytes.length;
        const changed = concat(
          bytes.subarray(0, place),
          Uint8Array.of(byte),
          bytes.subarray(place + replaced),
        );
        try {
          const parsed = await parse(changed);
          expect(concat(encodeHeader(parsed.stanzas), encodeMac(parsed.mac))).toEqual(
            // A byte put in behind the header belongs to the payload.
            changed.subarray(0, parsed.authenticated.length + encodeMac(MAC).length),
          );
          accepted++;
        } catch (error) {
          expect(isKeyloomError(error, "MESSAGE_MALFORMED")).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it("is refused when the source ends anywhere inside it", async () => {
    const bytes = concat(encodeHeader([{ type: "a", args: [], body: pattern(64) }]), encodeMac(MAC));
    for (let length = 0; length < bytes.length; length++) {
      expect(await verdict(bytes.subarray(0, length)), `length ${length}`).toMatch(/^MESSAGE_MALFORMED/);
    }
    expect(await verdict(bytes)).toBe("parsed");
  });

  it.each([
    ["an empty file", "", /ends inside/],
    ["another version", `age-encryption.org/v2\n-> a\n\n${MAC_LINE}`, /version other than v1/],
    ["a file that isn't age", "hello\n", /not an age file/],
    ["a space before the first line", ` ${INTRO}-> a\n\n${MAC_LINE}`, /not an age file/],
    ["CRLF", `age-encryption.org/v1\r\n-> a\r\n\r\n${MAC_LINE}`, /MALFORMED/],
    ["no stanza", `${INTRO}${MAC_LINE}`, /no stanza/],
    ["a stanza without arguments", `${INTRO}->\n\n${MAC_LINE}`, /first line/],
    ["a stanza with an empty first argument", `${INTRO}-> \n\n${MAC_LINE}`, /first line/],
    ["two spaces between arguments", `${INTRO}-> a  b\n\n${MAC_LINE}`, /first line/],
    ["a space behind the last argument", `${INTRO}-> a \n\n${MAC_LINE}`, /first line/],
    ["a tab in an argument", `${INTRO}-> a\tb\n\n${MAC_LINE}`, /first line/],
    ["an argument beyond ASCII", `${INTRO}-> ä\n\n${MAC_LINE}`, /first line/],
    ["a missing body", `${INTRO}-> a\n${MAC_LINE}`, /base64/],
    ["a full body line without a short one", `${INTRO}-> a\n${"A".repeat(64)}\n${MAC_LINE}`, /base64/],
    ["a body line of 65 columns", `${INTRO}-> a\n${"A".repeat(65)}\n\n${MAC_LINE}`, /64 columns/],
    ["two short body lines", `${INTRO}-> a\nAAAA\nAAAA\n${MAC_LINE}`, /first line/],
    ["padding in a body", `${INTRO}-> a\nAA==\n${MAC_LINE}`, /base64/],
    ["a body with bits to spare", `${INTRO}-> a\nAB\n${MAC_LINE}`, /base64/],
    ["a body of an impossible length", `${INTRO}-> a\nAAAAA\n${MAC_LINE}`, /base64/],
    ["URL-safe base64", `${INTRO}-> a\nA-_A\n${MAC_LINE}`, /base64/],
    ["a MAC of 31 bytes", `${INTRO}-> a\n\n--- ${encodeBase64(MAC.subarray(1))}\n`, /MAC line/],
    ["a MAC of 33 bytes", `${INTRO}-> a\n\n--- ${encodeBase64(pattern(33))}\n`, /MAC line/],
    ["a MAC with bits to spare", `${INTRO}-> a\n\n--- ${"A".repeat(42)}B\n`, /MAC line/],
    ["a MAC behind two spaces", `${INTRO}-> a\n\n---  ${encodeBase64(MAC)}\n`, /MAC line/],
    ["a MAC behind no space", `${INTRO}-> a\n\n---${encodeBase64(MAC)}\n`, /MAC line/],
    ["a space behind the MAC", `${INTRO}-> a\n\n--- ${encodeBase64(MAC)} \n`, /MAC line/],
    ["four dashes", `${INTRO}-> a\n\n---- ${encodeBase64(MAC)}\n`, /MAC line/],
    ["scrypt beside another", `${INTRO}-> scrypt a 1\n\n-> a\n\n${MAC_LINE}`, /stand alone/],
    ["scrypt behind another", `${INTRO}-> a\n\n-> scrypt a 1\n\n${MAC_LINE}`, /stand alone/],
    ["scrypt twice", `${INTRO}-> scrypt a 1\n\n-> scrypt a 1\n\n${MAC_LINE}`, /stand alone/],
  ])("is refused with %s", async (_what, text, reason) => {
    const result = await verdict(text);
    expect(result).toMatch(/^MESSAGE_MALFORMED/);
    expect(result).toMatch(reason);
  });

  it("takes a scrypt stanza that stands alone", async () => {
    expect(await verdict(`${INTRO}-> scrypt a 1\n\n${MAC_LINE}`)).toBe("parsed");
  });

  it("takes 128 stanzas and refuses one more, reading and writing", async () => {
    const full = Array.from({ length: MAX_STANZAS }, (): Stanza => ({
      type: "x",
      args: [],
      body: pattern(8),
    }));
    expect((await parse(concat(encodeHeader(full), encodeMac(MAC)))).stanzas.length).toBe(MAX_STANZAS);
    expect(() => encodeHeader([...full, full[0]!])).toThrow(/at most 128 stanzas/);
    const one = "-> x\n\n";
    expect(await verdict(`${INTRO}${one.repeat(MAX_STANZAS + 1)}${MAC_LINE}`)).toMatch(/more than 128/);
  });

  it("bounds a line and the whole header before the source ends", async () => {
    const longest = `-> ${"x".repeat(MAX_LINE_BYTES - 4)}`;
    expect(await verdict(`${INTRO}${longest}\n\n${MAC_LINE}`)).toBe("parsed");
    expect(await verdict(`${INTRO}${longest}x\n\n${MAC_LINE}`)).toMatch(/line of the header is too long/);
    expect(() => encodeHeader([{ type: longest.slice(3), args: [], body: MAC }])).not.toThrow();
    expect(() => encodeHeader([{ type: `${longest.slice(3)}x`, args: [], body: MAC }])).toThrow(/too long/);

    const body: Stanza = { type: "x", args: [], body: new Uint8Array(MAX_HEADER_BYTES) };
    expect(() => encodeHeader([body])).toThrow(/at most 262144 bytes/);
    const lines = `${"A".repeat(64)}\n`.repeat(5000);
    expect(await verdict(`${INTRO}-> x\n${lines}\n${MAC_LINE}`)).toMatch(/more than 262144 bytes/);
  });

  it("bounds a line by the same length when it comes in two pieces", async () => {
    const bytes = utf8(`${INTRO}-> ${"x".repeat(MAX_LINE_BYTES - 4)}\n\n${MAC_LINE}`);
    const longer = concat(bytes.subarray(0, 40), utf8("x"), bytes.subarray(40));
    for (const cut of [30, 1000, MAX_LINE_BYTES, MAX_LINE_BYTES + INTRO.length - 1]) {
      expect((await parse(bytes, [cut])).stanzas.length).toBe(1);
      await expect(parse(longer, [cut])).rejects.toThrow(/line of the header is too long/);
    }
  });

  it("stops reading a source that never ends a line", async () => {
    let given = 0;
    async function* endless() {
      for (;;) {
        given += 1000;
        yield new Uint8Array(1000).fill(0x41);
      }
    }
    await expect(readHeader(new ByteReader(endless()))).rejects.toThrow(/too long/);
    expect(given).toBeLessThanOrEqual(MAX_LINE_BYTES + 1000);
  });

  it("is not written with arguments that can't be read back", () => {
    for (const bad of ["", "a b", "a\n", "ä", "\x7f"]) {
      expect(() => encodeHeader([{ type: bad, args: [], body: MAC }])).toThrow(/visible ASCII/);
      expect(() => encodeHeader([{ type: "a", args: [bad], body: MAC }])).toThrow(/visible ASCII/);
    }
    const scrypt: Stanza = { type: "scrypt", args: ["a", "1"], body: MAC };
    expect(() => encodeHeader([scrypt, scrypt])).toThrow(/stand alone/);
    expect(() => encodeHeader([])).toThrow(/needs a stanza/);
  });
});

describe("age's base64", () => {
  it("gives back what it encoded, without padding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = encodeBase64(bytes);
        expect(text).toBe(btoa(String.fromCharCode(...bytes)).replace(/=+$/, ""));
        expect(decodeBase64(utf8(text))).toEqual(bytes);
      }),
    );
  });

  it("accepts of all texts of up to three characters exactly the canonical ones", () => {
    const letters = "Ag/+=-9\n";
    const texts = [""];
    for (let i = 0; i < texts.length; i++) {
      if (texts[i]!.length < 3) for (const letter of letters) texts.push(texts[i]! + letter);
    }
    for (const text of texts) {
      const bytes = decodeBase64(utf8(text));
      if (bytes !== null) expect(encodeBase64(bytes)).toBe(text);
    }
    // None; two characters, the second of 4 spare bits; three, the last of 2: A and g alone have them zero.
    const canonical = 1 + 5 * 2 + 5 * 5 * 2;
    expect(texts.filter((text) => decodeBase64(utf8(text)) !== null).length).toBe(canonical);
  });
});
