/** What listings of every adapter have in common: pages read at once, entries handed out one by one. */
import type { Entry, ListOptions, Range } from "./adapter.js";

/** A `keysOnly` entry's value. */
export const NO_VALUE = new Uint8Array(0);

// Pages grow, so that a caller who stops early has not paid for a thousand entries.
const FIRST_PAGE = 32;
const LARGEST_PAGE = 1024;

/** Reads at most `count` further entries; fewer mean that the range is at its end. Keeps its own place. */
export type ReadPage = (count: number) => Entry[] | Promise<Entry[]>;

/**
 * Makes a listing of a page reader.
 *
 * @param open - called once per iteration; every iteration reads the range anew.
 */
export function pagedList(limit: number | undefined, open: () => ReadPage): AsyncIterable<Entry> {
  return { [Symbol.asyncIterator]: () => new PagedIterator(limit ?? Infinity, open()) };
}

/** Not a generator: a generator costs several promises per entry, this one. */
class PagedIterator implements AsyncIterator<Entry> {
  #read: ReadPage | null;
  #left: number;
  #pageSize = FIRST_PAGE;
  #page: Entry[] = [];
  #next = 0;
  /** The page on its way, if any: calls of `next` that don't wait for each other queue behind it. */
  #pending: Promise<unknown> | null = null;

  constructor(limit: number, read: ReadPage) {
    this.#left = limit;
    this.#read = read;
  }

  next(): Promise<IteratorResult<Entry>> {
    if (this.#pending === null && this.#next < this.#page.length) {
      return Promise.resolve({ done: false, value: this.#page[this.#next++] as Entry });
    }
    const turn = (this.#pending ?? Promise.resolve()).then(() => this.#advance());
    const settled = turn.then(noop, noop).then(() => {
      if (this.#pending === settled) this.#pending = null;
    });
    this.#pending = settled;
    return turn;
  }

  return(): Promise<IteratorResult<Entry>> {
    this.#read = null;
    this.#page = [];
    this.#next = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  async #advance(): Promise<IteratorResult<Entry>> {
    if (this.#next >= this.#page.length) await this.#turn();
    if (this.#next < this.#page.length) return { done: false, value: this.#page[this.#next++] as Entry };
    return { done: true, value: undefined };
  }

  async #turn(): Promise<void> {
    const read = this.#read;
    const count = Math.min(this.#left, this.#pageSize);
    this.#page = [];
    this.#next = 0;
    if (read === null || count <= 0) return;
    this.#read = null; // a failed page ends the iteration
    const page = await read(count);
    this.#left -= page.length;
    this.#pageSize = Math.min(this.#pageSize * 4, LARGEST_PAGE);
    this.#page = page;
    if (page.length === count) this.#read = read;
  }
}

function noop(): void {}

export interface CopiedRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | null;
  readonly reverse: boolean;
  readonly limit: number | undefined;
  readonly keysOnly: boolean;
}

/** The caller's range and options, checked and copied: the iteration may start long after the call. */
export function copyRange(range: Range, options: ListOptions): CopiedRange {
  const { start, end } = range;
  if (!(start instanceof Uint8Array) || !(end === null || end instanceof Uint8Array)) {
    throw new TypeError("a range is { start: Uint8Array, end: Uint8Array | null }");
  }
  const { reverse = false, limit, keysOnly = false } = options;
  if (limit !== undefined && !(limit >= 0)) throw new TypeError("a limit is a number from 0 on");
  // Not slice(): a Buffer's slice is no copy.
  const copied = { start: new Uint8Array(start), end: end === null ? null : new Uint8Array(end) };
  return { ...copied, reverse, limit, keysOnly };
}

const FIRST_BUFFER = 4096;
const LARGEST_BUFFER = 32_768;
/** What is copied together is kept together: at most so many bytes. */
export const LARGEST_RUN = LARGEST_BUFFER;

/**
 * Copies of many small byte strings, as views of few buffers. An `ArrayBuffer` per value costs close to a
 * microsecond once the collector's share is counted, a view 30 ns; a view kept keeps its buffer alive.
 */
export class Arena {
  #buffer = new Uint8Array(0);
  #used = 0;
  #size = FIRST_BUFFER;

  /** Copies `source[start, end)`. */
  copy(source: Uint8Array, start: number, end: number): Uint8Array {
    const at = this.#reserve(end - start);
    this.#buffer.set(source.subarray(start, end), at);
    return new Uint8Array(this.#buffer.buffer, at, end - start);
  }

  #reserve(length: number): number {
    if (this.#used + length > this.#buffer.length) {
      this.#buffer = new Uint8Array(Math.max(length, this.#size));
      this.#size = Math.min(this.#size * 4, LARGEST_BUFFER);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    return at;
  }
}
