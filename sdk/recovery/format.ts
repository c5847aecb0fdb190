/**
 * A backup as bytes: a line that says what it is, then chunks, each authenticated and numbered, the last one marked.
 *
 * A chunk is sealed as if it were a record: its kind is the storage key, its number the revision, and the MAC is made with
 * the store's MAC key under a label and for an id that are the backup's own. So no chunk can be changed, left out, moved,
 * or put into another backup, and no record of the store is a chunk.
 */
import { concat, equalBytes, fromUtf8, getU32, putU32, utf8 } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { isKeyloomError, KeyloomError, type ErrorCode } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { Handle, Vault } from "../crypto/core.js";
import {
  MAC_LENGTH,
  MAX_BODY_LENGTH,
  openRecords,
  parseRecord,
  RECORD_HEAD_LENGTH,
  recordPrefix,
  sealRecords,
} from "../crypto/records.js";

const LINE = /^keyloom backup v([0-9]{1,9})\n$/;
const FORMAT = 1;
export const FIRST_LINE = utf8(`keyloom backup v${FORMAT}\n`);
/** In clear: what unlocks the backup. Then entries, and the end. */
export const CHUNK_KINDS = { opening: 1, entries: 2, end: 3 } as const;
export type ChunkKind = keyof typeof CHUNK_KINDS;
/** kind (1) ‖ length of the value (4). */
const CHUNK_HEAD = 5;
/** Entries go as one run of bytes, cut into pieces of this length. */
export const CHUNK_BODY = MAX_BODY_LENGTH;
const LARGEST_VALUE = RECORD_HEAD_LENGTH + MAX_BODY_LENGTH + MAC_LENGTH;

/** What comes first: all that is needed to unlock, and how far the store had come. */
export interface Opening {
  id: Id;
  storeId: Id;
  time: number;
  /** How many entries follow. */
  entries: number;
  /** `chainHeads` of the store's log. */
  logHead: Uint8Array;
  /** The values of these records. */
  header: Uint8Array;
  slots: Uint8Array;
  macKey: Uint8Array;
}

export function encodeOpening(opening: Opening): Uint8Array {
  const { id, storeId, time, entries, logHead, header, slots, macKey } = opening;
  return encodeCbor(
    cborMap(
      [1, id],
      [2, storeId],
      [3, time],
      [4, entries],
      [5, logHead],
      [6, header],
      [7, slots],
      [8, macKey],
    ),
  );
}

function decodeOpening(body: Uint8Array): Opening {
  const reader = CborReader.decode(body, "a backup's opening");
  return {
    id: reader.bytes(1, ID_LENGTH),
    storeId: reader.bytes(2, ID_LENGTH),
    time: reader.uint(3, MAX_TIME),
    entries: reader.uint(4),
    logHead: reader.bytes(5, 32),
    header: reader.bytes(6),
    slots: reader.bytes(7),
    macKey: reader.bytes(8),
  };
}

export function damaged(message: string, cause?: unknown): KeyloomError {
  return new KeyloomError("BACKUP_DAMAGED", { message: `the backup is damaged: ${message}`, cause });
}

export class ChunkWriter {
  readonly #vault: Vault;
  readonly #key: { handle: Handle; prefix: Uint8Array };
  #number = 0;

  constructor(vault: Vault, macKey: Handle, backup: Id) {
    this.#vault = vault;
    this.#key = { handle: macKey, prefix: recordPrefix("keyloom backup v1", backup) };
  }

  chunk(kind: ChunkKind, body: Uint8Array): Uint8Array {
    const storageKey = new Uint8Array([CHUNK_KINDS[kind]]);
    const [sealed] = sealRecords(
      this.#vault,
      this.#key,
      [{ storageKey, revision: this.#number++, body }],
      false,
    );
    const head = new Uint8Array(CHUNK_HEAD);
    head[0] = CHUNK_KINDS[kind];
    putU32(head, 1, sealed!.value.length);
    return concat(head, sealed!.value);
  }
}

/** What a backup is read from. */
export interface ByteSource {
  /** So many bytes, or all that are left if those are fewer: a view, valid until the next call. */
  readUpTo(size: number): Promise<Uint8Array>;
}

export class ChunkReader {
  readonly #source: ByteSource;
  #key: { vault: Vault; handle: Handle; prefix: Uint8Array } | null = null;
  #opening: { key: Uint8Array; value: Uint8Array } | null = null;
  #number = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * Reads the first line and the opening, which is not believed before `authenticate`.
   *
   * @throws {KeyloomError} `BACKUP_NEWER_FORMAT`, `BACKUP_DAMAGED`
   */
  async open(): Promise<Opening> {
    const line = (await this.#source.readUpTo(FIRST_LINE.length)).slice();
    if (!equalBytes(line, FIRST_LINE)) throw await this.#refuse(line);
    const { kind, value } = await this.#next();
    if (kind !== "opening") throw damaged("it does not begin with what unlocks it");
    this.#opening = { key: new Uint8Array([CHUNK_KINDS.opening]), value };
    return understood(() => decodeOpening(parseRecord(value).body));
  }

  async #refuse(line: Uint8Array): Promise<KeyloomError> {
    // A version of more digits has a longer line.
    const rest = line.at(-1) === 0x0a ? new Uint8Array(0) : await this.#source.readUpTo(16);
    const text = fromUtf8(concat(line, rest).map((byte) => (byte < 0x80 ? byte : 0x3f)));
    const version = LINE.exec(text.slice(0, text.indexOf("\n") + 1))?.[1];
    if (version === undefined || Number(version) <= FORMAT) return damaged("this is no backup of Keyloom's");
    return new KeyloomError("BACKUP_NEWER_FORMAT", {
      message: `the backup has format ${version}; this version reads ${FORMAT}`,
      format: Number(version),
    });
  }

  /** Believes the opening, and reads what follows with this key. @throws {KeyloomError} `BACKUP_DAMAGED` */
  async authenticate(vault: Vault, macKey: Handle, backup: Id): Promise<void> {
    this.#key = { vault, handle: macKey, prefix: recordPrefix("keyloom backup v1", backup) };
    await this.#believe(this.#opening!);
  }

  /** The bodies of the chunks of entries, and at last that of the end. Nothing may follow it. */
  async *chunks(): AsyncGenerator<{ kind: "entries" | "end"; body: Uint8Array }, void> {
    for (;;) {
      const { kind, value } = await this.#next();
      if (kind === "opening") throw damaged("it begins a second time");
      const body = await this.#believe({ key: new Uint8Array([CHUNK_KINDS[kind]]), value });
      if (kind === "end" && (await this.#source.readUpTo(1)).length > 0)
        throw damaged("something follows its end");
      yield { kind, body };
      if (kind === "end") return;
    }
  }

  async #believe(chunk: { key: Uint8Array; value: Uint8Array }): Promise<Uint8Array> {
    const { vault, ...key } = this.#key!;
    const { revision, body } = await understood(() => openRecords(vault, key, [chunk])[0]!);
    if (revision !== this.#number)
      throw damaged(`chunk ${revision} stands in the place of chunk ${this.#number}`);
    this.#number++;
    return body;
  }

  async #next(): Promise<{ kind: ChunkKind; value: Uint8Array }> {
    const head = (await this.#source.readUpTo(CHUNK_HEAD)).slice();
    if (head.length < CHUNK_HEAD) throw damaged("it ends before its end");
    const kind = (Object.keys(CHUNK_KINDS) as ChunkKind[]).find((name) => CHUNK_KINDS[name] === head[0]);
    const length = getU32(head, 1);
    if (kind === undefined || length > LARGEST_VALUE)
      throw damaged("a chunk is of an unknown kind or too long");
    const value = (await this.#source.readUpTo(length)).slice();
    if (value.length < length) throw damaged("it ends within a chunk");
    return { kind, value };
  }
}

/** What makes no sense in a backup is damage; a wrong secret, or one of a KDF out of bounds, stays what it is. */
const SENSELESS: readonly ErrorCode[] = ["CBOR_INVALID", "STORE_DAMAGED", "STORE_NEWER_FORMAT"];

/** @throws {KeyloomError} `BACKUP_DAMAGED` for what says that bytes make no sense */
export async function understood<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!isKeyloomError(cause) || !SENSELESS.includes(cause.code)) throw cause;
    throw damaged(cause.message, cause);
  }
}

/** key length (2) ‖ value length (4) ‖ key ‖ value. */
const ENTRY_HEAD = 6;

export function encodeEntry(key: Uint8Array, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ENTRY_HEAD + key.length + value.length);
  bytes[0] = key.length >>> 8;
  bytes[1] = key.length;
  putU32(bytes, 2, value.length);
  bytes.set(key, ENTRY_HEAD);
  bytes.set(value, ENTRY_HEAD + key.length);
  return bytes;
}

/** Cuts a run of bytes into entries. What is given out are copies. */
export class EntryReader {
  #rest = new Uint8Array(0);

  *push(bytes: Uint8Array): Generator<{ key: Uint8Array; value: Uint8Array }, void> {
    const run = this.#rest.length === 0 ? bytes : concat(this.#rest, bytes);
    let at = 0;
    while (run.length - at >= ENTRY_HEAD) {
      const keyEnd = at + ENTRY_HEAD + (run[at]! * 256 + run[at + 1]!);
      const end = keyEnd + getU32(run, at + 2);
      if (end > run.length) break;
      yield { key: run.slice(at + ENTRY_HEAD, keyEnd), value: run.slice(keyEnd, end) };
      at = end;
    }
    this.#rest = run.slice(at);
    if (this.#rest.length > ENTRY_HEAD + 0xffff + LARGEST_VALUE) throw damaged("an entry is too long");
  }

  end(): void {
    if (this.#rest.length > 0) throw damaged("it ends within an entry");
  }
}
