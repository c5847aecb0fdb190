/** What adapters over a driver have in common: a driver may be missing, and they open at their first call. */
import { KeyloomError } from "../foundation/errors.js";
import { closedError } from "./adapter.js";

/**
 * Loads a driver, which is an optional peer dependency.
 *
 * @param name - what to call it in the message.
 * @param remedy - how to get it: "run `npm i lmdb`".
 * @throws {KeyloomError} `STORAGE_DRIVER_MISSING`.
 */
export async function loadDriver<D>(load: () => Promise<D>, name: string, remedy: string): Promise<D> {
  try {
    return await load();
  } catch (cause) {
    const message = `the ${name} driver is not installed: ${remedy}`;
    throw new KeyloomError("STORAGE_DRIVER_MISSING", { message, driver: name, cause });
  }
}

/** Something that is opened once for all calls, by the first of them; after a failure the next call tries again. */
export class Opening<T> {
  readonly #openNow: () => Promise<T>;
  #opened: T | null = null;
  #pending: Promise<T> | null = null;
  #closed = false;

  constructor(openNow: () => Promise<T>) {
    this.#openNow = openNow;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws {KeyloomError} `STORAGE_CLOSED` after {@link close}; and what opening throws. */
  async get(): Promise<T> {
    if (this.#closed) throw closedError();
    if (this.#opened !== null) return this.#opened;
    this.#pending ??= this.#open();
    const opened = await this.#pending;
    if (this.#closed) throw closedError();
    return opened;
  }

  /** Forgets what was opened, if it is still this one: the next call opens anew. */
  drop(opened: T): void {
    if (this.#opened === opened) this.#opened = null;
  }

  /** For good. @returns what is left to be closed; null where nothing is, and from the second call on. */
  async close(): Promise<T | null> {
    this.#closed = true;
    const opened = this.#opened ?? (await this.#pending?.catch(() => null)) ?? null;
    const mine = this.#opened === opened ? opened : null;
    this.#opened = null;
    return mine;
  }

  async #open(): Promise<T> {
    try {
      this.#opened = await this.#openNow();
      return this.#opened;
    } finally {
      this.#pending = null;
    }
  }
}
