/** Byte-array helpers. All integers in Keyloom's formats are big-endian. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Strict UTF-8 decoding. @throws TypeError on malformed input. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Equality of public bytes. Secrets are compared in the core, in constant time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Copies `length` bytes. A loop: for the 16 to 40 bytes of ids and paths it beats `set(subarray())`. */
export function copyInto(
  source: Uint8Array,
  from: number,
  length: number,
  target: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < length; i++) target[at + i] = source[from + i]!;
}

/**
 * Copies many byte strings one behind the other. Neighbours of one buffer, as rows and pages are, go as one copy: a call of
 * `set` costs as much as a hundred bytes.
 */
export class RunCopier {
  readonly #target: Uint8Array;
  /** Where the next byte goes, the run that waits included. */
  #at: number;
  #first: Uint8Array | null = null;
  #length = 0;

  constructor(target: Uint8Array, at = 0) {
    this.#target = target;
    this.#at = at;
  }

  /** Takes `bytes` in; they are copied at the latest by `end`, and must not change until then. */
  add(bytes: Uint8Array): void {
    const first = this.#first;
    // Addresses first: asking a small array for its buffer makes one.
    if (
      first === null ||
      bytes.byteOffset !== first.byteOffset + this.#length ||
      bytes.buffer !== first.buffer
    ) {
      this.end();
      this.#first = bytes;
    }
    this.#length += bytes.length;
  }

  /** Copies what waits. */
  end(): void {
    const first = this.#first;
    if (first === null) return;
    const length = this.#length;
    const run = length === first.length ? first : new Uint8Array(first.buffer, first.byteOffset, length);
    this.#target.set(run, this.#at);
    this.#at += length;
    this.#first = null;
    this.#length = 0;
  }
}

export function putU32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

export function getU32(source: Uint8Array, offset: number): number {
  return (
    ((source[offset]! << 24) |
      (source[offset + 1]! << 16) |
      (source[offset + 2]! << 8) |
      source[offset + 3]!) >>>
    0
  );
}

/** Writes a non-negative safe integer as 8 bytes. */
export function putU64(target: Uint8Array, offset: number, value: number): void {
  putU32(target, offset, Math.floor(value / 0x1_0000_0000));
  putU32(target, offset + 4, value >>> 0);
}

/** Reads 8 bytes as a number; above 2^53 − 1 it loses precision, so callers bound it. */
export function getU64(source: Uint8Array, offset: number): number {
  return getU32(source, offset) * 0x1_0000_0000 + getU32(source, offset + 4);
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** @throws TypeError unless `text` is an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw new TypeError("not a hexadecimal string");
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

export function requireBytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
}
