import { type FileHandle, open } from "node:fs/promises";

import {
  type Commit,
  type Committed,
  type Conflict,
  copyRange,
  type Entry,
  type Found,
  KeyloomError,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  NO_VALUE,
  Opening,
  pagedList,
  type Range,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "keyloom/storage/adapter";

const CAPABILITIES: StorageCapabilities = Object.freeze({
  maxChecks: 4096,
  maxMutations: 4096,
  maxCommitBytes: 8 * 1024 * 1024,
  maxKeyBytes: MAX_KEY_BYTES,
  maxValueBytes: MAX_VALUE_BYTES,
  durable: true,
  multiProcess: false,
  snapshot: false,
  watch: false,
});

/** A commit's line in the file: its number, then what it put and deleted, in hexadecimal. */
type Line = [sequence: number, ...mutations: ([key: string, value: string] | [key: string])[]];

interface Log {
  readonly file: FileHandle;
  readonly entries: Map<string, { value: string; version: string }>;
  sequence: number;
}

/** A store in one file, a line per commit. One process at a time; everything is held in memory. */
export class LogStorage implements StorageAdapter {
  readonly capabilities = CAPABILITIES;
  readonly #opening: Opening<Log>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#opening = new Opening(() => replay(path));
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return (await this.getMany([key]))[0] as Entry | null;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    const { entries } = await this.#opening.get();
    // Nothing is awaited from here on: one instant.
    return keys.map((key) => entryOf(entries, hex(key), false));
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const { limit, reverse, keysOnly, ...bounds } = copyRange(range, options);
    return pagedList(limit, () => {
      let start = hex(bounds.start);
      let end = bounds.end === null ? null : hex(bounds.end);
      return async (count) => {
        const { entries } = await this.#opening.get();
        const names = namesWithin(entries, start, end);
        const page = (reverse ? names.reverse() : names).slice(0, count);
        if (reverse) end = page.at(-1) ?? end;
        else start = `${page.at(-1) ?? ""}00`; // the next key there can be
        return page.map((name) => entryOf(entries, name, keysOnly) as Entry);
      };
    });
  }

  async count(range: Range): Promise<number> {
    const { start, end } = copyRange(range, {});
    const { entries } = await this.#opening.get();
    return namesWithin(entries, hex(start), end === null ? null : hex(end)).length;
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    await this.#opening.get(); // closed comes before invalid
    validateCommit(CAPABILITIES, commit);
    // One at a time: nobody reads between a commit's checks and its line.
    const outcome = this.#turn.then(() => this.#commitNow(commit));
    this.#turn = outcome.catch(() => {});
    return outcome;
  }

  async close(): Promise<void> {
    const log = await this.#opening.close();
    await this.#turn;
    await log?.file.close();
  }

  async #commitNow({ checks, mutations }: Commit): Promise<Committed | Conflict> {
    const log = await this.#opening.get();
    const conflicts: Found[] = [];
    for (const { key, version } of checks) {
      const found = log.entries.get(hex(key))?.version ?? null;
      if (found !== version) conflicts.push({ key: new Uint8Array(key), found, expected: version });
    }
    if (conflicts.length > 0) return { committed: false, conflicts };
    if (mutations.length === 0) return { committed: true, versions: [] };
    const line: Line = [log.sequence + 1];
    for (const mutation of mutations) {
      line.push(mutation.kind === "put" ? [hex(mutation.key), hex(mutation.value)] : [hex(mutation.key)]);
    }
    try {
      await log.file.appendFile(`${JSON.stringify(line)}\n`);
      await log.file.datasync();
    } catch (cause) {
      // The line may be there or not: say so, and let the next call read the file anew.
      this.#opening.drop(log);
      await log.file.close().catch(() => {});
      throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", { message: "the log could not be written", cause });
    }
    apply(log, line);
    const puts = mutations.filter(({ kind }) => kind === "put");
    return { committed: true, versions: puts.map(() => String(log.sequence)) };
  }
}

async function replay(path: string): Promise<Log> {
  try {
    const file = await open(path, "a+", 0o600);
    const text = await file.readFile("utf8");
    const whole = text.lastIndexOf("\n") + 1;
    // A line without its end was never acknowledged.
    if (whole < text.length) await file.truncate(whole);
    const log: Log = { file, entries: new Map(), sequence: 0 };
    for (const line of text.slice(0, whole).split("\n"))
      if (line !== "") apply(log, JSON.parse(line) as Line);
    return log;
  } catch (cause) {
    throw new KeyloomError("STORAGE_IO", { message: `cannot open the log ${path}`, path, cause });
  }
}

function apply(log: Log, [sequence, ...mutations]: Line): void {
  log.sequence = sequence;
  for (const [key, value] of mutations) {
    if (value === undefined) log.entries.delete(key);
    else log.entries.set(key, { value, version: String(sequence) });
  }
}

function entryOf(entries: Log["entries"], name: string, keysOnly: boolean): Entry | null {
  const entry = entries.get(name);
  if (entry === undefined) return null;
  const value = keysOnly ? NO_VALUE : bytes(entry.value);
  return { key: bytes(name), value, version: entry.version };
}

/** Hexadecimal of even length orders as the bytes do. */
function namesWithin(entries: Log["entries"], start: string, end: string | null): string[] {
  return [...entries.keys()].filter((name) => start <= name && (end === null || name < end)).sort();
}

function hex(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString("hex");
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}
