/**
 * The textual header of an age v1 file (C2SP age, "Header"), parsed as strictly as its ABNF:
 * nothing is skipped, trimmed or repaired, so a header has one spelling only.
 */
import { concat, utf8 } from "../../foundation/bytes.js";
import { KeyloomError } from "../../foundation/errors.js";
import { decodeBase64, encodeBase64, encodedLength } from "./base64.js";
import type { ByteReader } from "./byte-source.js";

/** One way to the file key: a type, its further arguments, and the body that wraps the file key. */
export interface Stanza {
  readonly type: string;
  readonly args: readonly string[];
  readonly body: Uint8Array;
}

export interface AgeHeader {
  readonly stanzas: readonly Stanza[];
  /** The bytes under the MAC: all of the header up to and with the three dashes. */
  readonly authenticated: Uint8Array;
  /** 32 bytes. */
  readonly mac: Uint8Array;
}

export const MAX_STANZAS = 128;
/** One line. The longest native one, ML-KEM's encapsulated key, is near 1.6 KB. */
export const MAX_LINE_BYTES = 4096;
/** The whole header: room for 128 stanzas of the largest native kind. */
export const MAX_HEADER_BYTES = 256 * 1024;

const VERSION_LINE = "age-encryption.org/v1";
const COLUMNS = 64;
const LINE_BYTES = (COLUMNS / 4) * 3;
const MAC_LENGTH = 32;
const VISIBLE = /^[\x21-\x7e]+$/;
const ARGUMENT_LINE = /^-> [\x21-\x7e]+(?: [\x21-\x7e]+)*$/;

/**
 * Reads a header from the start of a file and leaves the reader at the payload's first byte.
 *
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for whatever the ABNF doesn't allow, a source that ends
 *   in the header, more than {@link MAX_STANZAS} stanzas, an over-long line or header, or a scrypt
 *   stanza that doesn't stand alone. The source's own errors as they are.
 */
export async function readHeader(reader: ByteReader): Promise<AgeHeader> {
  const lines = new HeaderLines(reader);
  checkVersion(ascii(await lines.next()));
  const stanzas: Stanza[] = [];
  for (;;) {
    const line = await lines.next();
    if (line[0] === 0x2d && line[1] === 0x2d) {
      const mac = parseMacLine(line);
      if (stanzas.length === 0) throw malformed("the header has no stanza");
      checkScryptAlone(stanzas);
      return { stanzas, authenticated: lines.transcript(line.subarray(0, 3)), mac };
    }
    if (stanzas.length === MAX_STANZAS) throw malformed(`the header has more than ${MAX_STANZAS} stanzas`);
    const text = ascii(line);
    if (!ARGUMENT_LINE.test(text)) throw malformed("a stanza's first line is malformed");
    const [type, ...args] = text.slice(3).split(" ");
    stanzas.push({ type: type!, args, body: await readBody(lines) });
  }
}

/**
 * Writes a header up to and with the three dashes: the bytes that its MAC covers.
 *
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for stanzas that {@link readHeader} would refuse: none, or
 *   too many, an empty argument or one with other than visible ASCII, scrypt beside others.
 */
export function encodeHeader(stanzas: readonly Stanza[]): Uint8Array {
  if (stanzas.length === 0) throw malformed("a header needs a stanza");
  if (stanzas.length > MAX_STANZAS) throw malformed(`a header has at most ${MAX_STANZAS} stanzas`);
  checkScryptAlone(stanzas);
  let text = `${VERSION_LINE}\n`;
  for (const { type, args, body } of stanzas) {
    const line = argumentLine(type, args);
    if (line.length >= MAX_LINE_BYTES) throw malformed("a stanza's arguments are too long");
    text += `${line}\n`;
    // A body whose last line is full gets an empty one behind it: the short line is what ends it.
    for (let at = 0; at <= body.length; at += LINE_BYTES) {
      text += `${encodeBase64(body.subarray(at, at + LINE_BYTES))}\n`;
    }
  }
  text += "---";
  if (text.length + 1 + encodedLength(MAC_LENGTH) + 1 > MAX_HEADER_BYTES) {
    throw malformed(`a header has at most ${MAX_HEADER_BYTES} bytes`);
  }
  return utf8(text);
}

/** The header's end behind the three dashes. @param mac - 32 bytes. */
export function encodeMac(mac: Uint8Array): Uint8Array {
  return utf8(` ${encodeBase64(mac)}\n`);
}

/**
 * A stanza's first line, without its line feed.
 *
 * @throws {KeyloomError} `MESSAGE_MALFORMED` for an argument that is empty or has other than visible ASCII.
 */
export function argumentLine(type: string, args: readonly string[]): string {
  for (const argument of [type, ...args]) {
    if (!VISIBLE.test(argument)) throw malformed("a stanza's arguments must be visible ASCII, and not empty");
  }
  return ["->", type, ...args].join(" ");
}

/** Lines without their line feeds, and the bytes of all lines so far. */
class HeaderLines {
  readonly #reader: ByteReader;
  readonly #read: Uint8Array[] = [];
  #length = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  async next(): Promise<Uint8Array> {
    const line = await this.#reader.readLine(MAX_LINE_BYTES);
    if (line === "too-long") throw malformed("a line of the header is too long: not an age file?");
    if (line === "ended") throw malformed("the file ends inside its header");
    this.#length += line.length;
    if (this.#length > MAX_HEADER_BYTES)
      throw malformed(`the header has more than ${MAX_HEADER_BYTES} bytes`);
    this.#read.push(line);
    return line.subarray(0, -1);
  }

  /** All lines before the current one, and `last`. */
  transcript(last: Uint8Array): Uint8Array {
    return concat(...this.#read.slice(0, -1), last);
  }
}

function checkVersion(line: string): void {
  if (line === VERSION_LINE) return;
  if (line.startsWith("age-encryption.org/")) throw malformed("an age file of a version other than v1");
  throw malformed("not an age file");
}

async function readBody(lines: HeaderLines): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const line = await lines.next();
    if (line.length > COLUMNS) throw malformed("a body line is longer than 64 columns");
    const part = decodeBase64(line);
    if (part === null) throw malformed("a stanza's body is not canonical base64");
    parts.push(part);
    if (line.length < COLUMNS) return parts.length === 1 ? part : concat(...parts);
  }
}

function parseMacLine(line: Uint8Array): Uint8Array {
  const prefixed = line[2] === 0x2d && line[3] === 0x20;
  const mac =
    prefixed && line.length === 4 + encodedLength(MAC_LENGTH) ? decodeBase64(line.subarray(4)) : null;
  if (mac === null) throw malformed("the header's MAC line is malformed");
  return mac;
}

/** A password stanza beside another would void the authentication it implies. */
function checkScryptAlone(stanzas: readonly Stanza[]): void {
  if (stanzas.length > 1 && stanzas.some(({ type }) => type === "scrypt")) {
    throw malformed("a scrypt stanza must stand alone");
  }
}

/** Latin-1, so that a byte above 0x7e is seen by the patterns and not decoded away. */
function ascii(line: Uint8Array): string {
  let text = "";
  for (const byte of line) text += String.fromCharCode(byte);
  return text;
}

function malformed(message: string): KeyloomError {
  return new KeyloomError("MESSAGE_MALFORMED", { message });
}
