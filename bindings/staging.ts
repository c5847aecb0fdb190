/**
 * The staging region of one instance's memory, as the host sees it: inputs are laid out back to back from its base, the
 * output behind them.
 *
 * The memory object itself is not handed out. Views detach when memory grows, so `bytes` is re-read after every growth.
 */
import { CoreError } from "../sdk/foundation/errors.js";

const PAGE = 65_536;
const ALIGN = 16;

/** The next multiple of 16. Addresses may lie beyond 2^31, which `&` alone makes negative. */
function aligned(address: number): number {
  return ((address + ALIGN - 1) & -ALIGN) >>> 0;
}

export class Staging {
  readonly base: number;
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array;
  #at: number;

  constructor(memory: WebAssembly.Memory, base: number) {
    this.#memory = memory;
    this.base = base;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#at = base;
  }

  /** Room for inputs and outputs without growing. */
  get capacity(): number {
    return this.#bytes.length - this.base;
  }

  /**
   * Begins a call that needs `length` bytes of inputs and outputs in all, plus 16 for each of `parts`.
   *
   * @throws {CoreError} `CORE_INPUT_TOO_LARGE` when memory can't grow to it: its own maximum is the limit
   */
  begin(length: number, parts: number): void {
    this.#at = this.base;
    const needed = this.base + length + parts * ALIGN;
    if (needed <= this.#bytes.length) return;
    try {
      this.#memory.grow(Math.ceil((needed - this.#bytes.length) / PAGE));
    } catch {
      throw tooLarge(length);
    } finally {
      this.#bytes = new Uint8Array(this.#memory.buffer);
    }
  }

  /** Copies an input in. @returns its address */
  put(bytes: Uint8Array): number {
    const at = this.#at;
    this.#bytes.set(bytes, at);
    this.#at = aligned(at + bytes.length);
    return at;
  }

  /** As `put`, for bytes that the core changes in place: an output, room for others may follow right behind it. */
  putInPlace(bytes: Uint8Array): number {
    const at = this.#at;
    this.#bytes.set(bytes, at);
    return at;
  }

  /** Copies inputs in that are to lie back to back. @returns the address of the first */
  putAll(parts: readonly Uint8Array[]): number {
    const first = this.#at;
    let at = first;
    for (const part of parts) {
      this.#bytes.set(part, at);
      at += part.length;
    }
    this.#at = aligned(at);
    return first;
  }

  /** Copies 32-bit numbers in, little-endian as the core reads them. @returns their address */
  putWords(words: ArrayLike<number>): number {
    const at = this.#at;
    // Staging is 16-byte aligned, and WebAssembly is little-endian; so are the hosts' typed arrays in practice.
    new Uint32Array(this.#bytes.buffer, at, words.length).set(words);
    this.#at = aligned(at + words.length * 4);
    return at;
  }

  /** Room for scratch or an output of `length` bytes. @returns its address; inputs end here */
  reserve(length: number): number {
    const at = this.#at;
    this.#at = aligned(at + length);
    return at;
  }

  /** Where the next input or output will be: handed to calls without an output. */
  get end(): number {
    return this.#at;
  }

  /** Copies an output out, and zeroes it. */
  take(at: number, length: number): Uint8Array {
    try {
      return this.#bytes.slice(at, at + length);
    } finally {
      this.#bytes.fill(0, at, at + length);
    }
  }

  /** Runs with a view of an output, and zeroes it: what needn't be copied to the heap. */
  lend<T>(at: number, length: number, use: (view: Uint8Array) => T): T {
    const view = this.#bytes.subarray(at, at + length);
    try {
      return use(view);
    } finally {
      view.fill(0);
    }
  }

  /** Zeroes all of memory, static data too: the end of an instance. */
  wipe(): void {
    this.#bytes.fill(0);
  }

  /** As `take`, into the caller's buffer. */
  takeInto(at: number, length: number, target: Uint8Array, offset: number): void {
    try {
      target.set(this.#bytes.subarray(at, at + length), offset);
    } finally {
      this.#bytes.fill(0, at, at + length);
    }
  }
}

function tooLarge(length: number): CoreError {
  return new CoreError("CORE_INPUT_TOO_LARGE", {
    message: `${length} bytes are more than this call can handle at once`,
    length,
  });
}
