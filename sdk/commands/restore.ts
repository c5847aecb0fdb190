/**
 * Taking backups and bringing them back. A restore is committed in batches, none of which is a store: the header comes with
 * the last one. A record `restoring` says how far it has come, and each batch checks and puts it, so a batch lands once.
 */
import { equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { parseRecord, type Records, type UnsealedRecord } from "../crypto/records.js";
import type { Check, Mutation, StorageAdapter } from "../storage/adapter.js";
import { keyspace, ranges } from "../storage/keyspace.js";
import { noChange, planOf } from "./change.js";
import { isDefinite, type Committer } from "./committer.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";
import type { UpkeepEvent, UpkeepOperation } from "./upkeep.js";

/** Writes down that a backup is taken: before its instant, so that the backup has it too. @returns the event's time */
export async function recordBackup(context: StoreContext, backup: Id): Promise<number> {
  const { result } = await execute(context, async () => {
    const decision = authorize(context, "backup", null);
    const time = commandTime(context);
    const operation = "backup" satisfies UpkeepOperation;
    return {
      result: time,
      plan: planOf(context, "backup", decision, noChange(), time, { operation, job: backup }),
    };
  });
  return result;
}

/** How far a restore has come. */
export interface Restoring {
  backup: Id;
  /** The id that the new store will have. */
  storeId: Id;
  done: number;
  /** How many of them were damaged in the backup already. */
  damaged: number;
}

function encodeRestoring({ backup, storeId, done, damaged }: Restoring): Uint8Array {
  return encodeCbor(cborMap([1, backup], [2, storeId], [3, done], [4, damaged]));
}

function decodeRestoring(body: Uint8Array): Restoring {
  const reader = CborReader.decode(body, "a restore's record");
  return {
    backup: reader.bytes(1, ID_LENGTH),
    storeId: reader.bytes(2, ID_LENGTH),
    done: reader.uint(3),
    damaged: reader.uint(4),
  };
}

/** What a restore left behind; not believed yet. `null`: the target is empty. @throws {KeyloomError} `STORE_EXISTS` */
export async function readRestoring(storage: StorageAdapter, backup: Id): Promise<Restoring | null> {
  const [header, entry] = await storage.getMany([keyspace.header(), keyspace.restoring()]);
  if (header === null && entry !== null && entry !== undefined) {
    const restoring = decodeRestoring(parseRecord(entry.value).body);
    if (equalBytes(restoring.backup, backup)) return restoring;
    throw new KeyloomError("STORE_EXISTS", { message: "another backup is half restored here" });
  }
  for await (const { key } of storage.list(ranges.everything(), { limit: 1, keysOnly: true })) {
    throw new KeyloomError("STORE_EXISTS", {
      message: "a backup is restored into an empty place, and here is something already",
      storageKey: key,
    });
  }
  return null;
}

const ATTEMPTS = 5;
const EMPTY_HEADER: Check = { key: keyspace.header(), version: null };

/** A restore under way. */
export class Restoration {
  readonly #storage: StorageAdapter;
  readonly #records: Records;
  readonly #newId: () => Id;
  #state: Restoring;
  #revision = 0;
  /** `null`: nothing is written yet. */
  #version: string | null = null;

  /** @param records - of the new store */
  constructor(storage: StorageAdapter, records: Records, newId: () => Id, state: Restoring) {
    this.#storage = storage;
    this.#records = records;
    this.#newId = newId;
    this.#state = state;
  }

  get state(): Readonly<Restoring> {
    return this.#state;
  }

  /** Believes what the restore before left. @throws {KeyloomError} `STORE_DAMAGED` */
  async resume(): Promise<void> {
    const entry = await this.#storage.get(keyspace.restoring());
    if (entry === null)
      throw new KeyloomError("STORE_CONFLICT", { message: "the restore runs elsewhere too" });
    const { revision, body } = this.#records.open([entry])[0]!;
    this.#state = decodeRestoring(body);
    this.#revision = revision;
    this.#version = entry.version;
  }

  /** Commits one batch. @throws {KeyloomError} `STORE_CONFLICT` where the same restore runs elsewhere too */
  async put(mutations: readonly Mutation[], entries: number, damaged: number): Promise<void> {
    const { done, damaged: before } = this.#state;
    const next: Restoring = { ...this.#state, done: done + entries, damaged: before + damaged };
    const record: UnsealedRecord = {
      storageKey: keyspace.restoring(),
      revision: this.#revision + 1,
      body: encodeRestoring(next),
    };
    const [sealed] = this.#records.seal([record], false);
    const commit = {
      checks: [EMPTY_HEADER, { key: record.storageKey, version: this.#version }],
      // Last, so that its version is the last one.
      mutations: [...mutations, { kind: "put", key: record.storageKey, value: sealed!.value } as const],
    };
    this.#version = await this.#commit(commit, sealed!.value);
    this.#revision++;
    this.#state = next;
  }

  async #commit(commit: { checks: Check[]; mutations: Mutation[] }, value: Uint8Array): Promise<string> {
    let last: unknown;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 20 << attempt));
      try {
        // At most one attempt passes the check, so a late one does no harm.
        const outcome = await this.#storage.commit({ id: this.#newId(), ...commit });
        if (outcome.committed) return outcome.versions.at(-1)!;
        const entry = await this.#storage.get(keyspace.restoring());
        if (attempt > 0 && entry !== null && equalBytes(entry.value, value)) return entry.version;
        throw new KeyloomError("STORE_CONFLICT", { message: "the restore runs elsewhere too" });
      } catch (error) {
        if (isKeyloomError(error) && (isDefinite(error) || error.code === "STORE_CONFLICT")) throw error;
        last = error;
      }
    }
    throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", {
      message: "the store did not answer; restore the same backup again, which goes on from there",
      cause: last,
    });
  }

  /** The last commit, which makes a store of it, with the event that says so. */
  async finish(
    committer: Committer,
    last: {
      header: UnsealedRecord;
      slotTable: Mutation;
      time: number;
      event: UpkeepEvent;
      logHead: Uint8Array;
    },
  ): Promise<void> {
    const key = keyspace.restoring();
    const result = await committer.commit({
      checks: [EMPTY_HEADER, { key, version: this.#version }],
      records: [last.header],
      mutations: [last.slotTable, { kind: "delete", key }],
      time: last.time,
      event: {
        ...last.event,
        operation: "restore" satisfies UpkeepOperation,
        job: this.#state.backup,
        logHead: last.logHead,
      },
      resend: true,
    });
    if (!result.committed) {
      throw new KeyloomError("STORE_CONFLICT", { message: "the restore runs elsewhere too" });
    }
  }
}
