/**
 * Restoring a backup: under a new store id, so that no record of the old store is one of the new. Every record is sealed
 * anew by the core, in batches; material stays wrapped as it is.
 */
import { toHex } from "../foundation/bytes.js";
import { CborReader } from "../foundation/cbor.js";
import type { Clock } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import type { Core } from "../crypto/core.js";
import {
  checkRecords,
  MAC_LENGTH,
  parseRecord,
  RECORD_HEAD_LENGTH,
  type Records,
  type UnsealedRecord,
} from "../crypto/records.js";
import { Committer, itemsPerCommit } from "../commands/committer.js";
import type { JobControl } from "../commands/jobs.js";
import { readRestoring, Restoration } from "../commands/restore.js";
import type { UpkeepEvent } from "../commands/upkeep.js";
import {
  compareBytes,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Mutation,
  type StorageAdapter,
} from "../storage/adapter.js";
import { prefixOf, RECORD_PREFIXES, type Prefix } from "../storage/keyspace.js";
import { ChunkReader, damaged, EntryReader, understood, type ByteSource, type Opening } from "./format.js";

export interface RestoreSummary {
  /** The id of the backup, and those of the store that it is of and of the new one. */
  backup: string;
  from: string;
  store: string;
  /** When the backup was taken. */
  taken: Date;
  /** How many entries were restored, in this run and before. */
  entries: number;
  /** How many records were damaged when the backup was taken, and still are: `doctor` names them. */
  damaged: number;
}

interface Entry {
  key: Uint8Array;
  value: Uint8Array;
}

/** How a store is unlocked, handed in: from the entries that everything hangs on to what seals records. */
export interface Keys {
  records: Records;
  /** What of the new store differs, beside the MACs. */
  copy(storeId: Id): { records: Records; header: UnsealedRecord; slotTable: Mutation; event: UpkeepEvent };
}

export interface RestoreParts {
  source: ByteSource;
  storage: StorageAdapter;
  core: Core;
  clock: Clock;
  newId: () => Id;
  unlock(opening: Opening): Promise<Keys>;
  /** Decides whether a store may go back to what this backup has. @throws {KeyloomError} `BACKUP_ROLLBACK` */
  allow(opening: Opening): void;
}

const MAX_ENTRIES = 2048;
const MAX_BYTES = 2_097_152;
/** In the opening, or made anew: an entry of theirs would be another store's. */
const NOT_AMONG_ENTRIES: readonly (Prefix | null)[] = ["header", "unlockSlots", "restoring"];

/**
 * @throws {KeyloomError} `BACKUP_DAMAGED`, `BACKUP_NEWER_FORMAT`, `UNLOCK_FAILED`, `STORE_EXISTS` where the target is not
 * empty, `BACKUP_ROLLBACK`; what was restored before stays, and the same backup goes on from there
 */
export async function restoreBackup(parts: RestoreParts, control: JobControl): Promise<RestoreSummary> {
  const { core, storage, newId } = parts;
  const reader = new ChunkReader(parts.source);
  const opening = await reader.open();
  const keys = await understood(() => parts.unlock(opening));
  await reader.authenticate(core.vault, keys.records.key.handle, opening.id);
  parts.allow(opening);
  const found = await readRestoring(storage, opening.id);
  const copy = keys.copy(found?.storeId ?? newId());
  const storeId = copy.records.key.prefix.slice(48);
  const fresh = { backup: opening.id, storeId, done: 0, damaged: 0 };
  const restoration = new Restoration(storage, copy.records, newId, fresh);
  if (found !== null) await restoration.resume();
  const batches = new Batches(parts, keys.records, copy.records, restoration);
  control.report(restoration.state.done, opening.entries);
  for await (const entry of entriesOf(reader, opening)) {
    if (!(await batches.add(entry))) continue;
    control.report(restoration.state.done, opening.entries);
    await control.pause();
  }
  await batches.flush();
  const committer = new Committer({
    storage,
    records: copy.records,
    sha256: core.sha256,
    clock: parts.clock,
    newId,
  });
  const time = Math.max(parts.clock.now(), opening.time);
  await restoration.finish(committer, { ...copy, time, logHead: opening.logHead });
  control.report(opening.entries, opening.entries);
  return {
    backup: idToString(opening.id),
    from: idToString(opening.storeId),
    store: idToString(storeId),
    taken: new Date(opening.time),
    entries: opening.entries,
    damaged: restoration.state.damaged,
  };
}

/** The entries of a backup, in order, as many as it says. */
async function* entriesOf(reader: ChunkReader, opening: Opening): AsyncGenerator<Entry, void> {
  const entries = new EntryReader();
  let before = new Uint8Array(0);
  let count = 0;
  for await (const { kind, body } of reader.chunks()) {
    if (kind === "end") {
      entries.end();
      if (CborReader.decode(body, "a backup's end").uint(1) === count && count === opening.entries) return;
      throw damaged(`it has ${count} entries and says otherwise`);
    }
    for (const entry of entries.push(body)) {
      const { key, value } = entry;
      const inOrder = key.length > 0 && compareBytes(before, key) < 0;
      if (!inOrder || key.length > MAX_KEY_BYTES || value.length > MAX_VALUE_BYTES) {
        throw damaged(`the entry at ${toHex(key)} is out of order or too long`);
      }
      if (NOT_AMONG_ENTRIES.includes(prefixOf(key))) throw damaged(`an entry at ${toHex(key)} can't be`);
      before = key as Uint8Array<ArrayBuffer>;
      count++;
      yield entry;
    }
  }
}

const isRecord = (key: Uint8Array): boolean =>
  (RECORD_PREFIXES as readonly (Prefix | null)[]).includes(prefixOf(key));

class Batches {
  readonly #parts: RestoreParts;
  readonly #from: Records;
  readonly #to: Records;
  readonly #restoration: Restoration;
  readonly #most: number;
  readonly #mostBytes: number;
  /** Those that a restore before has put. */
  #skip: number;
  #batch: Entry[] = [];
  #bytes = 0;

  constructor(parts: RestoreParts, from: Records, to: Records, restoration: Restoration) {
    this.#parts = parts;
    this.#from = from;
    this.#to = to;
    this.#restoration = restoration;
    this.#skip = restoration.state.done;
    this.#most = itemsPerCommit(parts.storage, { checks: 0, mutations: 1 }, MAX_ENTRIES);
    // The largest entry fits into every store's commit; a batch may be smaller than that.
    this.#mostBytes = Math.min(MAX_BYTES, parts.storage.capabilities.maxCommitBytes - 4096);
  }

  /** @returns whether a batch was committed */
  async add(entry: Entry): Promise<boolean> {
    if (this.#skip > 0) {
      this.#skip--;
      return false;
    }
    const length = entry.key.length + entry.value.length;
    const full =
      this.#batch.length > 0 && (this.#batch.length >= this.#most || this.#bytes + length > this.#mostBytes);
    if (full) await this.flush();
    this.#batch.push(entry);
    this.#bytes += length;
    return full;
  }

  async flush(): Promise<void> {
    if (this.#skip > 0)
      throw new KeyloomError("STORE_DAMAGED", { message: "more was restored than the backup has" });
    const batch = this.#batch;
    if (batch.length === 0) return;
    const bad = this.#reseal(batch);
    const mutations = batch.map(({ key, value }): Mutation => ({ kind: "put", key, value }));
    await this.#restoration.put(mutations, batch.length, bad);
    this.#batch = [];
    this.#bytes = 0;
  }

  /** Seals records for the new store, in place. @returns how many are not authentic: those stay as they are */
  #reseal(batch: Entry[]): number {
    const { vault } = this.#parts.core;
    const records = batch.filter(({ key }) => isRecord(key));
    const whole = records.filter(({ value }) => value.length >= RECORD_HEAD_LENGTH + MAC_LENGTH);
    const statuses = checkRecords(vault, this.#from.key, whole);
    const good = whole.filter((_, i) => statuses[i] === 0);
    const unsealed = good.map(({ key, value }) => ({ storageKey: key, ...parseRecord(value) }));
    const sealed = this.#to.seal(unsealed, false);
    good.forEach((entry, i) => (entry.value = sealed[i]!.value));
    return records.length - good.length;
  }
}
