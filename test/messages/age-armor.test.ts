/** ASCII armor: written as npm `age-encryption` writes it, read as strictly as the specification asks. */
import { armor } from "age-encryption";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Handle, Vault } from "../../sdk/crypto/core.js";
import { concat, equalBytes, fromUtf8, utf8 } from "../../sdk/foundation/bytes.js";
import { isKeyloomError } from "../../sdk/foundation/errors.js";
import { ArmorWriter, dearmored, MAX_WHITESPACE } from "../../sdk/messages/age/armor.js";
import { type AgeSource, ByteReader } from "../../sdk/messages/age/byte-source.js";
import { encryptAgeStream } from "../../sdk/messages/age/file.js";
import { CHUNK_BYTES } from "../../sdk/messages/age/stream.js";
import {
  decryptWith,
  drain,
  encryptTo,
  flipped,
  importKey,
  openVault,
  pattern,
  randomBytes,
  readAll,
  split,
  yielding,
  KEY_ID,
  KEY_VERSION,
} from "./support.js";
import { wrapManagedKeyStanza } from "../../sdk/messages/age/stanza.js";

const BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----\n";
const END = "-----END AGE ENCRYPTED FILE-----\n";

function write(parts: readonly Uint8Array[]): Uint8Array {
  const writer = new ArmorWriter();
  return concat(...parts.map((part, i) => writer.write(part, i === parts.length - 1)));
}

async function read(source: AgeSource): Promise<Uint8Array> {
  const reader = new ByteReader(source, dearmored);
  const parts: Uint8Array[] = [];
  while (await reader.hasMore()) parts.push((await reader.readUpTo(1000)).slice());
  return concat(...parts);
}

/** The message of the refusal, or what was read. */
async function verdict(
  text: string | Uint8Array,
  cuts: readonly number[] = [],
): Promise<string | Uint8Array> {
  try {
    return await read(yielding(split(typeof text === "string" ? utf8(text) : text, cuts)));
  } catch (error) {
    if (!isKeyloomError(error, "MESSAGE_MALFORMED")) throw error;
    expect(error.details["stage"]).toBe("armor");
    return error.message;
  }
}

describe("armor", () => {
  it("is what age-encryption writes, at every length around a line, however the file is cut", () => {
    for (let length = 1; length <= 3 * 48 + 1; length++) {
      const file = pattern(length, length);
      const text = fromUtf8(write([file]));
      expect(text).toBe(armor.encode(file));
      for (const cut of [0, 1, 47, 48, length]) expect(fromUtf8(write(split(file, [cut])))).toBe(text);
    }
  });

  it("reads back, however the text is cut and whichever line ends it has", async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
    const cuts = fc.array(fc.nat(600), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(bytes, cuts, fc.boolean(), async (file, offsets, crlf) => {
        const text = fromUtf8(write([file]));
        const read = await verdict(crlf ? text.replaceAll("\n", "\r\n") : text, offsets);
        expect(read).toEqual(file);
      }),
    );
  });

  it("reads back byte by byte, and from buffers that are used again", async () => {
    const file = pattern(500);
    const text = write([file]);
    async function* reusing() {
      const buffer = new Uint8Array(7);
      for (let at = 0; at < text.length; at += 7) {
        const part = text.subarray(at, at + 7);
        buffer.set(part);
        yield buffer.subarray(0, part.length);
        buffer.fill(0x2a);
      }
    }
    expect(await read(yielding(Array.from(text, (byte) => Uint8Array.of(byte))))).toEqual(file);
    expect(await read(reusing())).toEqual(file);
  });

  it("is refused, or ignored, exactly where age-encryption refuses or ignores a changed byte", async () => {
    const file = pattern(48 + 20);
    const text = write([file]);
    const theirs = (changed: Uint8Array) => {
      try {
        return armor.decode(new TextDecoder("latin1").decode(changed));
      } catch {
        return "refused";
      }
    };
    for (let at = 0; at < text.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = flipped(text, at, bit);
        const ours = await verdict(changed);
        // With another first byte, unless it is white space, it is taken for a binary file.
        if (at === 0 && changed[0] !== 0x0d) expect(ours).toEqual(changed);
        else expect(typeof ours === "string" ? "refused" : ours).toEqual(theirs(changed));
      }
    }
  });

  it("may have white space around it, but only so much, and nothing else", async () => {
    const file = pattern(10);
    const text = fromUtf8(write([file]));
    const most = " \t\r\n\v\f\n\n".repeat(MAX_WHITESPACE / 8);
    expect(await verdict(most + text + most.slice(1))).toEqual(file);
    const tooMuch = "too much white space around the armor";
    expect(await verdict(`${most} ${text}`)).toBe(tooMuch);
    expect(await verdict(`${text}${most}`)).toBe(tooMuch);
    expect(await verdict(` x${text}`)).toBe("the armor's first line is malformed");
    expect(await verdict(`${text}x`)).toBe("something follows the armor");
    expect(await verdict(`${text}${text}`)).toBe("something follows the armor");
    expect(await verdict(text.trimEnd())).toEqual(file);
  });

  it.each([
    ["ends inside its armor", "the file ends inside its armor", `${BEGIN}AAAA\n`],
    ["ends inside its last line", "the file ends inside its armor", `${BEGIN}AAAA\n${END.slice(0, -3)}`],
    ["is all white space", "the file ends inside its armor", "\n\n"],
    ["has an empty line", "a line is shorter than 64 columns", `${BEGIN}\nAAAA\n${END}`],
    ["goes on behind a short line", "a line is shorter than 64 columns", `${BEGIN}AAAA\nAAAA\n${END}`],
    [
      "goes on behind padding",
      "a line is shorter than 64 columns",
      `${BEGIN}${"A".repeat(63)}=\nAAAA\n${END}`,
    ],
    ["has a line of 65 columns", "a line's length is malformed", `${BEGIN}${"A".repeat(65)}\n${END}`],
    ["has a line of 66 columns", "a line is longer than 64 columns", `${BEGIN}${"A".repeat(66)}\n${END}`],
    ["has a line that never ends", "a line is longer than 64 columns", `${BEGIN}${"A".repeat(70)}`],
    ["has no padding", "a line's length is malformed", `${BEGIN}AA\n${END}`],
    ["has too much padding", "a line is not canonical base64", `${BEGIN}A===\n${END}`],
    ["has bits behind its end", "a line is not canonical base64", `${BEGIN}AB==\n${END}`],
    ["has two carriage returns", "a line's length is malformed", `${BEGIN}AAAA\r\r\n${END}`],
    [
      "has another label",
      "the armor's first line is malformed",
      `${BEGIN.replace("FILE", "MAIL")}AAAA\n${END}`,
    ],
    [
      "ends with another label",
      "the armor's last line is malformed",
      `${BEGIN}AAAA\n${END.replace("FILE", "MAIL")}`,
    ],
  ])("is refused when it %s", async (_, message, text) => {
    for (const cuts of [[], [35], [36, 38], Array.from({ length: text.length }, (_, i) => i)]) {
      expect(await verdict(text, cuts)).toBe(message);
    }
  });

  it("leaves a binary file as it is", async () => {
    const file = utf8("age-encryption.org/v1\n-----BEGIN");
    expect(await read(yielding(split(file, [0, 0, 5])))).toEqual(file);
    expect(await read(new Uint8Array(0))).toEqual(new Uint8Array(0));
  });
});

describe("an armored age file", () => {
  let vault: Vault;
  let key: Handle;
  beforeAll(async () => {
    vault = await openVault();
    key = importKey(vault);
  });

  const encryptArmored = (plaintext: Uint8Array) =>
    readAll(
      encryptAgeStream(
        {
          vault,
          armor: true,
          random: randomBytes,
          stanzas: (fileKey) => [wrapManagedKeyStanza(vault, key, KEY_ID, KEY_VERSION, fileKey)],
        },
        plaintext,
      ),
    );

  it("is read like a binary one, at every length around a chunk", async () => {
    for (const length of [0, 1, 47, 48, 49, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES]) {
      const plaintext = pattern(length);
      const text = await encryptArmored(plaintext);
      expect(fromUtf8(text)).toBe(armor.encode(armor.decode(fromUtf8(text))));
      expect(equalBytes(await readAll(decryptWith(vault, key, text)), plaintext)).toBe(true);
      expect(
        equalBytes(await readAll(decryptWith(vault, key, armor.decode(fromUtf8(text)))), plaintext),
      ).toBe(true);
      const binary = await readAll(encryptTo(vault, key, plaintext));
      const armored = utf8(`\n${armor.encode(binary)}\n`);
      expect(equalBytes(await readAll(decryptWith(vault, key, armored)), plaintext)).toBe(true);
    }
  });

  it("fails at its end for what follows, and gives its slots back", async () => {
    const live = vault.liveCount();
    const plaintext = pattern(CHUNK_BYTES);
    const text = await encryptArmored(plaintext);
    for (const file of [concat(text, utf8("x")), text.subarray(0, text.length - 5)]) {
      const outcome = await drain(decryptWith(vault, key, file));
      expect(outcome.error).toMatchObject({ code: "MESSAGE_MALFORMED", details: { stage: "armor" } });
    }
    expect(vault.liveCount()).toBe(live);
  });
});
