/** Tools of the conformance suite: short ways to write commits, and assertions that need no test runner. */
import { type ErrorCode, isKeyloomError } from "../foundation/errors.js";
import type {
  Check,
  Committed,
  Conflict,
  Entry,
  ListOptions,
  Mutation,
  Range,
  StorageAdapter,
  StorageReads,
} from "./adapter.js";

/** A store that a factory made. The suite closes what it opened and then calls `dispose`. */
export interface StoreUnderTest {
  /** An adapter on a store that is empty. */
  readonly storage: StorageAdapter;
  /** Opens the same store again, after `storage` was closed. */
  reopen?(): Promise<StorageAdapter>;
  /** Opens the same store a second time, beside `storage`. */
  second?(): Promise<StorageAdapter>;
  /** Removes the store. */
  dispose?(): Promise<void>;
}

/** As vitest and jest have it; only used to show differences better. */
export type ExpectLike = (actual: unknown) => { toEqual(expected: unknown): void };

export type Aspect = "reopen" | "second" | "snapshot";

export interface ConformanceCase {
  /** A sentence. */
  readonly name: string;
  /** What the store must offer for the case to make sense. */
  readonly needs?: Aspect;
  readonly run: (kit: Kit) => Promise<void>;
}

let commits = 0;

/** 16 bytes, other ones every time. */
export function commitId(): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, ++commits);
  return id;
}

/** A key or value from a text of characters up to U+00FF, one byte each. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export function text(value: Uint8Array): string {
  let result = "";
  for (const byte of value) result += String.fromCharCode(byte);
  return result;
}

export function absent(key: string): Check {
  return { key: bytes(key), version: null };
}

export function at(key: string, version: string | null): Check {
  return { key: bytes(key), version };
}

export function put(key: string, value = ""): Mutation {
  return { kind: "put", key: bytes(key), value: bytes(value) };
}

export function del(key: string): Mutation {
  return { kind: "delete", key: bytes(key) };
}

export const EVERYTHING: Range = { start: new Uint8Array(0), end: null };

export function range(start: string, end: string | null): Range {
  return { start: bytes(start), end: end === null ? null : bytes(end) };
}

/** `key=value`, for comparisons that read well. */
export function shown(entry: Entry | null): string | null {
  return entry === null ? null : `${text(entry.key)}=${text(entry.value)}`;
}

export async function listed(reads: StorageReads, over: Range, options?: ListOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of reads.list(over, options)) found.push(shown(entry) as string);
  return found;
}

/** Everything that lies in the store, versions too. */
export async function dump(reads: StorageReads): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of reads.list(EVERYTHING)) found.push(`${shown(entry)}@${entry.version}`);
  return found;
}

export class Kit {
  readonly store: StoreUnderTest;
  readonly storage: StorageAdapter;
  readonly #expect: ExpectLike | undefined;
  readonly #opened: StorageAdapter[] = [];

  constructor(store: StoreUnderTest, expect: ExpectLike | undefined) {
    this.store = store;
    this.storage = store.storage;
    this.#expect = expect;
  }

  async reopen(): Promise<StorageAdapter> {
    await this.storage.close();
    return this.#open("reopen");
  }

  second(): Promise<StorageAdapter> {
    return this.#open("second");
  }

  /** The case's end: closes all adapters, removes the store. */
  async end(): Promise<void> {
    for (const storage of [this.storage, ...this.#opened]) await storage.close();
    await this.store.dispose?.();
  }

  try(checks: Check[], mutations: Mutation[], storage = this.storage): Promise<Committed | Conflict> {
    return storage.commit({ id: commitId(), checks, mutations });
  }

  /** Commits, and fails on a conflict. @returns the versions of the puts. */
  async commit(
    mutations: Mutation[],
    checks: Check[] = [],
    storage = this.storage,
  ): Promise<readonly string[]> {
    const outcome = await this.try(checks, mutations, storage);
    if (!outcome.committed) throw new Error("the commit met a conflict where there is none");
    return outcome.versions;
  }

  /** Commits, and fails unless it is a conflict. @returns its conflicts as `key: found, expected`. */
  async conflict(checks: Check[], mutations: Mutation[], storage = this.storage): Promise<string[]> {
    const outcome = await this.try(checks, mutations, storage);
    if (outcome.committed) throw new Error("the commit went through where a check should have failed");
    return outcome.conflicts.map(({ key, found, expected }) => `${text(key)}: ${found}, ${expected}`);
  }

  async version(key: string, storage = this.storage): Promise<string | null> {
    return (await storage.get(bytes(key)))?.version ?? null;
  }

  async value(key: string, storage = this.storage): Promise<string | null> {
    const entry = await storage.get(bytes(key));
    return entry === null ? null : text(entry.value);
  }

  /** Compares plain data: strings, numbers, booleans, null, and arrays of them. */
  equal(actual: unknown, expected: unknown, what: string): void {
    if (this.#expect !== undefined) {
      this.#expect(actual).toEqual(expected);
      return;
    }
    const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (a !== b) throw new Error(`${what}: expected ${short(b)}, got ${short(a)}`);
  }

  ok(condition: boolean, what: string): void {
    if (!condition) throw new Error(what);
  }

  async rejects(call: () => Promise<unknown>, code: ErrorCode, what: string): Promise<void> {
    let outcome: unknown = "no error";
    try {
      await call();
    } catch (error) {
      if (isKeyloomError(error, code)) return;
      outcome = error;
    }
    throw new Error(`${what}: expected ${code}, got ${String(outcome)}`, { cause: outcome });
  }

  async #open(how: "reopen" | "second"): Promise<StorageAdapter> {
    const open = this.store[how];
    if (open === undefined) throw new Error(`the factory's store has no ${how}(); say so in \`lacks\``);
    const storage = await open.call(this.store);
    this.#opened.push(storage);
    return storage;
  }
}

function short(json: string | undefined): string {
  return json === undefined || json.length < 300 ? String(json) : `${json.slice(0, 300)}…`;
}

export function snapshotOf(storage: StorageAdapter) {
  if (storage.snapshot === undefined)
    throw new Error("capabilities.snapshot is true, but there is no snapshot()");
  return storage.snapshot();
}
