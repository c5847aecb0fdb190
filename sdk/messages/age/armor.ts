/**
 * ASCII armor (C2SP age, "ASCII armor"): strict PEM (RFC 7468 §3, figure 3) around a whole age file, with padded base64.
 * Lines end in LF or CRLF, and white space may stand before and behind; apart from that a file has one armor only.
 */
import { concat, requireBytes, utf8 } from "../../foundation/bytes.js";
import { KeyloomError } from "../../foundation/errors.js";
import { decodeBase64Into, encodeBase64Into, encodedLength } from "./base64.js";
import type { Pieces } from "./byte-source.js";

const BEGIN = utf8("-----BEGIN AGE ENCRYPTED FILE-----");
const END = utf8("-----END AGE ENCRYPTED FILE-----");
const COLUMNS = 64;
const LINE_BYTES = (COLUMNS / 4) * 3;
/** White space before the armor, and behind it: at most so many bytes each. */
export const MAX_WHITESPACE = 1024;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DASH = 0x2d;
const PADDING = 0x3d;

/**
 * Takes the armor off a source that has one; a binary file passes as it is. The first byte tells them apart: a binary file
 * begins with its version line.
 *
 * @returns pieces whose `next` throws `MESSAGE_MALFORMED` with `stage: "armor"` for anything but strict armor, and for
 *   what follows it: a file is whole only when its pieces have ended.
 */
export function dearmored(pieces: Pieces): Pieces {
  let armor: ArmorReader | null | undefined;
  return {
    async next() {
      const step = await pieces.next();
      if (step.done === true) armor?.end();
      if (step.done === true || armor === null) return step;
      const { value } = step;
      requireBytes(value, "a piece of the source");
      if (value.length === 0) return step;
      if (armor === undefined) armor = beginsArmor(value[0]!) ? new ArmorReader() : null;
      return armor === null ? step : { value: armor.read(value) };
    },
    cancel: (reason) => pieces.cancel(reason),
  };
}

function beginsArmor(byte: number): boolean {
  return byte === DASH || isWhitespace(byte);
}

function isWhitespace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= CARRIAGE_RETURN);
}

class ArmorReader {
  /** What comes next. `tail`: a line was the last one, only the end may follow. */
  #place: "before" | "begin" | "body" | "tail" | "end" | "after" = "before";
  /** The beginning of a line that goes on in the next piece: 64 columns and a carriage return at most. */
  readonly #line = new Uint8Array(COLUMNS + 1);
  #held = 0;
  #whitespace = 0;
  #matched = 0;

  /** @returns what the lines that end in this piece hold, owned by the caller. */
  read(piece: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(Math.floor(((this.#held + piece.length) * 3) / 4));
    let length = 0;
    for (let at = 0; at < piece.length;) {
      const byte = piece[at]!;
      if (this.#place === "before" || this.#place === "after") {
        if (isWhitespace(byte)) this.#countWhitespace();
        else if (this.#place === "before") this.#place = "begin";
        else throw malformed("something follows the armor");
        if (this.#place !== "begin") at++;
      } else if (this.#place === "end") {
        if (byte !== END[this.#matched]) throw malformed("the armor's last line is malformed");
        at++;
        if (++this.#matched === END.length) this.#place = "after";
      } else if (this.#place !== "begin" && this.#held === 0 && byte === DASH) {
        this.#place = "end";
      } else {
        const found = piece.indexOf(LINE_FEED, at);
        const end = found < 0 ? piece.length : found;
        if (this.#held + end - at > this.#line.length) throw malformed("a line is longer than 64 columns");
        if (found >= 0 && this.#held === 0) length = this.#take(piece, at, end, bytes, length);
        else {
          this.#line.set(piece.subarray(at, end), this.#held);
          this.#held += end - at;
          if (found >= 0) length = this.#take(this.#line, 0, this.#held, bytes, length);
          if (found >= 0) this.#held = 0;
        }
        at = end + 1;
      }
    }
    return bytes.subarray(0, length);
  }

  /** The source has ended. */
  end(): void {
    if (this.#place !== "after") throw malformed("the file ends inside its armor");
  }

  #countWhitespace(): void {
    if (++this.#whitespace > MAX_WHITESPACE) throw malformed("too much white space around the armor");
  }

  /** Decodes the line between `from` and `to` of `text` to `bytes` from `at` on. @returns where it ends there */
  #take(text: Uint8Array, from: number, to: number, bytes: Uint8Array, at: number): number {
    const end = to > from && text[to - 1] === CARRIAGE_RETURN ? to - 1 : to;
    const columns = end - from;
    if (this.#place === "begin") {
      if (columns !== BEGIN.length || BEGIN.some((byte, i) => byte !== text[from + i])) {
        throw malformed("the armor's first line is malformed");
      }
      this.#place = "body";
      this.#whitespace = 0;
      return at;
    }
    if (this.#place === "tail" || columns === 0) throw malformed("a line is shorter than 64 columns");
    if (columns > COLUMNS || columns % 4 !== 0) throw malformed("a line's length is malformed");
    let padding = 0;
    while (padding < 2 && text[end - 1 - padding] === PADDING) padding++;
    if (columns < COLUMNS || padding > 0) this.#place = "tail";
    const decoded = decodeBase64Into(text, from, end - padding, bytes, at);
    if (decoded < 0) throw malformed("a line is not canonical base64");
    return decoded;
  }
}

/** Puts the armor around a file that comes in parts. */
export class ArmorWriter {
  #rest = new Uint8Array(0);
  #begun = false;

  /**
   * The armor of the next part: its whole lines, and behind the last part the end.
   *
   * @param part - any length. Not modified.
   */
  write(part: Uint8Array, last: boolean): Uint8Array {
    const data = this.#rest.length === 0 ? part : concat(this.#rest, part);
    const end = last ? data.length : data.length - (data.length % LINE_BYTES);
    this.#rest = data.slice(end);
    const lines = Math.ceil(end / LINE_BYTES);
    const text = new Uint8Array(BEGIN.length + 1 + lines * (COLUMNS + 1) + END.length + 1);
    let at = 0;
    if (!this.#begun) at = putLine(text, at, BEGIN);
    this.#begun = true;
    for (let from = 0; from < end; from += LINE_BYTES) {
      const line = data.subarray(from, Math.min(end, from + LINE_BYTES));
      at = encodeBase64Into(line, text, at);
      for (let i = encodedLength(line.length); i % 4 !== 0; i++) text[at++] = PADDING;
      text[at++] = LINE_FEED;
    }
    if (last) at = putLine(text, at, END);
    return text.subarray(0, at);
  }
}

function putLine(text: Uint8Array, at: number, line: Uint8Array): number {
  text.set(line, at);
  text[at + line.length] = LINE_FEED;
  return at + line.length + 1;
}

function malformed(message: string): KeyloomError {
  return new KeyloomError("MESSAGE_MALFORMED", { message, stage: "armor" });
}
