/** Pulls bytes from a source of pieces of any size: lines for the header, chunks for the payload. */
import { concat, requireBytes } from "../../foundation/bytes.js";

/** What can be encrypted and decrypted: a stream, anything that yields byte arrays, or one array. */
export type AgeSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Uint8Array;

/** A source being read: one piece after another, until it is done or no more is wanted. */
export interface Pieces {
  next(): Promise<{ done?: boolean; value?: unknown }>;
  cancel(reason: unknown): Promise<unknown>;
}

const EMPTY = new Uint8Array(0);
const LINE_FEED = 0x0a;

/** A chunk of the payload. `bytes` is a view, valid until the next call of the reader. */
export interface Chunk {
  readonly bytes: Uint8Array;
  /** Whether the source ended right behind these bytes. */
  readonly last: boolean;
}

/**
 * One reader over one source. Calls must not overlap, except `cancel`, which may come at any time.
 * The source's own errors are thrown as they are; a piece that isn't a `Uint8Array` is a `TypeError`.
 */
export class ByteReader {
  readonly #pieces: Pieces;
  #piece: Uint8Array = EMPTY;
  #at = 0;
  #ended = false;
  #buffer = EMPTY;

  /**
   * Locks the source, if it is a stream.
   *
   * @param through - what its pieces go through before they are read.
   * @throws TypeError for anything that isn't a source.
   */
  constructor(source: AgeSource, through?: (pieces: Pieces) => Pieces) {
    const pieces = piecesOf(source);
    this.#pieces = through === undefined ? pieces : through(pieces);
  }

  /**
   * Reads one line.
   *
   * @param limit - the most bytes the line may have, its line feed counted.
   * @returns the line with its line feed, owned by the caller; "too-long" as soon as `limit` bytes
   *   held none, "ended" when the source ended first.
   */
  async readLine(limit: number): Promise<Uint8Array | "too-long" | "ended"> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const end = Math.min(this.#piece.length, this.#at + limit - length);
      const found = this.#piece.subarray(0, end).indexOf(LINE_FEED, this.#at);
      const stop = found < 0 ? end : found + 1;
      // Copied: the source may use its buffer again once it is asked for more.
      if (stop > this.#at) parts.push(Uint8Array.prototype.slice.call(this.#piece, this.#at, stop));
      length += stop - this.#at;
      this.#at = stop;
      if (found >= 0) return parts.length === 1 ? parts[0]! : concat(...parts);
      if (length >= limit) return "too-long";
      if (!(await this.#pull())) return "ended";
    }
  }

  /**
   * Reads `size` bytes, or all that are left if those are fewer. Doesn't wait for what follows.
   *
   * @returns a view of the source's piece or of the reader's buffer, valid until the next call.
   */
  async readUpTo(size: number): Promise<Uint8Array> {
    return this.#held() < size ? this.#fill(size) : this.#take(size);
  }

  /** The same, looking one byte ahead: the end of the source is all that marks a last chunk. */
  async readChunk(size: number): Promise<Chunk> {
    // With more in the piece than the chunk there is nothing to copy and nothing to wait for.
    if (this.#held() > size) return { bytes: this.#take(size), last: false };
    const bytes = await this.#fill(size);
    return { bytes, last: bytes.length < size || !(await this.hasMore()) };
  }

  /** Waits until there is a byte more, or the source has ended. */
  async hasMore(): Promise<boolean> {
    return this.#held() > 0 || this.#pull();
  }

  /** Wipes the reader's own buffer, which may hold plaintext. The source stays as it is. */
  wipe(): void {
    this.#buffer.fill(0);
    this.#buffer = EMPTY;
    this.#piece = EMPTY;
    this.#at = 0;
  }

  /** Tells the source that no more is wanted. Rejects if the source's own clean-up fails. */
  async cancel(reason: unknown): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#pieces.cancel(reason);
  }

  #held(): number {
    return this.#piece.length - this.#at;
  }

  #take(size: number): Uint8Array {
    this.#at += size;
    return this.#piece.subarray(this.#at - size, this.#at);
  }

  async #fill(size: number): Promise<Uint8Array> {
    if (this.#buffer.length < size) this.#buffer = new Uint8Array(size);
    const buffer = this.#buffer;
    let filled = 0;
    while (filled < size && (await this.hasMore())) {
      const part = this.#take(Math.min(size - filled, this.#held()));
      buffer.set(part, filled);
      filled += part.length;
    }
    return buffer.subarray(0, filled);
  }

  /** Waits for the next piece with a byte in it. False at the end of the source. */
  async #pull(): Promise<boolean> {
    while (!this.#ended) {
      const { done, value } = await this.#pieces.next();
      if (done === true || this.#ended) break;
      requireBytes(value, "a piece of the source");
      if (value.length === 0) continue;
      this.#piece = value;
      this.#at = 0;
      return true;
    }
    this.#ended = true;
    this.#piece = EMPTY;
    this.#at = 0;
    return false;
  }
}

function piecesOf(source: AgeSource): Pieces {
  if (source instanceof Uint8Array) {
    let value: Uint8Array | undefined = source;
    const next = async () => {
      const step = value === undefined ? { done: true } : { value };
      value = undefined;
      return step;
    };
    return { next, cancel: async () => {} };
  }
  // Streams first: where they are iterable too, cancelling a reader still ends a pending read.
  if (typeof (source as ReadableStream<Uint8Array> | undefined)?.getReader === "function") {
    const reader = (source as ReadableStream<Uint8Array>).getReader();
    return { next: () => reader.read(), cancel: (reason) => reader.cancel(reason) };
  }
  if (typeof (source as AsyncIterable<Uint8Array> | undefined)?.[Symbol.asyncIterator] === "function") {
    const iterator = (source as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    return { next: () => iterator.next(), cancel: async () => iterator.return?.() };
  }
  throw new TypeError("a source must be a ReadableStream, an async iterable or a Uint8Array");
}
