/** The storage adapter for Node over LMDB, an embedded B+ tree in a memory-mapped file. */
import { KeyloomError } from "../foundation/errors.js";
import {
  type Commit,
  type Committed,
  type Conflict,
  closedError,
  type Entry,
  type Found,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Range,
  type Snapshot,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "./adapter.js";
import { lmdbError } from "./lmdb-errors.js";
import { type Driver, type OpenLmdb, openLmdb, probeSpace } from "./lmdb-open.js";
import { loadDriver, Opening } from "./opening.js";
import { countKeys, decimal, fresh, pageReader, type ReadTransaction, read } from "./lmdb-reads.js";
import { copyRange, pagedList } from "./pages.js";

export interface LmdbStorageOptions {
  /** The store's folder; the engine keeps `data.mdb` and `lock.mdb` in it. Not on a network file system. */
  readonly path: string;
  /** Make the folder and the store where they are missing (default); `false`: `STORE_NOT_FOUND` instead. */
  readonly create?: boolean | undefined;
  /** Loads the engine, for hosts that can't `import("lmdb")`. */
  readonly driver?: (() => Promise<Driver>) | undefined;
}

const CAPABILITIES: StorageCapabilities = Object.freeze({
  maxChecks: 65_536,
  maxMutations: 65_536,
  maxCommitBytes: 64 * 1024 * 1024,
  maxKeyBytes: MAX_KEY_BYTES,
  maxValueBytes: MAX_VALUE_BYTES,
  durable: true,
  multiProcess: true,
  snapshot: true,
  watch: false,
});

/**
 * A store in an LMDB environment. Nothing is opened before the first call.
 *
 * Durable: a commit is acknowledged after its pages were synced to the device and the header that makes
 * them current was written through; a process killed at any moment, and a loss of power as far as the
 * device keeps its word, leave every acknowledged commit. Commits run one after the other, those of other
 * processes too, and block the event loop meanwhile. Readers never wait; an open snapshot keeps the pages
 * it sees, so the file grows while it is held.
 *
 * The first call throws what opening throws: `STORAGE_DRIVER_MISSING`, `STORE_NOT_FOUND`, `STORE_UNREADABLE`
 * (a foreign file), `STORE_DAMAGED` (a file cut short), `STORE_NEWER_FORMAT`, `STORAGE_READ_ONLY`,
 * `STORAGE_FULL`, `STORAGE_LOCKED`, `STORAGE_IO`. The next call tries again.
 */
export function lmdbStorage(options: LmdbStorageOptions): StorageAdapter {
  if (typeof options.path !== "string" || options.path === "") {
    throw new TypeError("lmdbStorage needs a path");
  }
  return new LmdbStorage(options);
}

class LmdbStorage implements StorageAdapter {
  readonly capabilities = CAPABILITIES;
  readonly #path: string;
  readonly #opening: Opening<OpenLmdb>;
  readonly #snapshots = new Set<LmdbSnapshot>();
  /** Set once the engine has given up on its environment, which no later call may touch. */
  #broken: KeyloomError | null = null;

  constructor({ path, create = true, driver = () => import("lmdb") }: LmdbStorageOptions) {
    this.#path = path;
    this.#opening = new Opening(async () => {
      try {
        return await openLmdb(await loadDriver(driver, "LMDB", "run `npm i lmdb`"), path, create);
      } catch (error) {
        throw lmdbError(error, "cannot open the store", path);
      }
    });
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    const store = await this.#opening.get();
    return this.#guard("cannot read the store", () => read(fresh(store), key, undefined));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    const store = await this.#opening.get();
    return this.#guard("cannot read the store", () => {
      fresh(store);
      return keys.map((key) => read(store, key, undefined));
    });
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => {
      const readPage = pageReader(copied);
      return async (count) => {
        const store = await this.#opening.get();
        return this.#guard("cannot read the store", () => readPage(fresh(store), count, undefined));
      };
    });
  }

  async count(range: Range): Promise<number> {
    const copied = copyRange(range, {});
    const store = await this.#opening.get();
    return this.#guard("cannot read the store", () => countKeys(fresh(store), copied, undefined));
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    const store = await this.#opening.get();
    validateCommit(CAPABILITIES, commit);
    if (this.#broken !== null) throw this.#broken;
    try {
      return apply(store, commit);
    } catch (error) {
      this.#probe(store);
      if (this.#broken === null) throw await this.#commitError(error);
      // The header may have reached the device, or not.
      const { message } = this.#broken;
      throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", { message, cause: error });
    }
  }

  async snapshot(): Promise<Snapshot> {
    const store = await this.#opening.get();
    return this.#guard("cannot read the store", () => {
      const snapshot = new LmdbSnapshot(fresh(store), this.#path, () => this.#snapshots.delete(snapshot));
      this.#snapshots.add(snapshot);
      return snapshot;
    });
  }

  async close(): Promise<void> {
    const store = await this.#opening.close();
    // Before the environment goes: ending a transaction of a closed one would crash.
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
    await store?.root.close();
  }

  async #commitError(error: unknown): Promise<KeyloomError> {
    const path = this.#path;
    const doing = "cannot commit to the store";
    const translated = lmdbError(error, doing, path);
    if (translated.code !== "STORAGE_IO") return translated;
    try {
      const fs = await import("node:fs");
      probeSpace(fs, path, fs.statSync(`${path}/data.mdb`).size);
    } catch (probed) {
      const reason = lmdbError(probed, doing, path);
      if (reason.code === "STORAGE_FULL") return reason;
    }
    return translated;
  }

  #guard<T>(doing: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw lmdbError(error, doing, this.#path);
    }
  }

  /** After a failed commit: an environment that has panicked can't even be read, and would crash on a write. */
  #probe(store: OpenLmdb): void {
    try {
      fresh(store).readSequence();
    } catch (error) {
      const doing = "the store must be closed and opened again: the engine stopped";
      this.#broken = lmdbError(error, doing, this.#path);
    }
  }
}

/** One LMDB transaction: compares every check, then writes; a conflict and an error abort it. */
function apply(store: OpenLmdb, { checks, mutations }: Commit): Committed | Conflict {
  const { driver, entries } = store;
  let outcome: Committed | Conflict | undefined;
  entries.transactionSync(() => {
    const conflicts: Found[] = [];
    for (const { key, version } of checks) {
      const found = entries.getBinaryFast(key) === undefined ? null : decimal(driver.getLastVersion());
      if (found !== version) conflicts.push({ key: new Uint8Array(key), found, expected: version });
    }
    if (conflicts.length > 0) {
      outcome = { committed: false, conflicts };
      return driver.ABORT;
    }
    if (mutations.length === 0) {
      outcome = { committed: true, versions: [] };
      return driver.ABORT;
    }
    const sequence = store.readSequence() + 1;
    const version = decimal(sequence);
    const versions: string[] = [];
    for (const mutation of mutations) {
      if (mutation.kind === "put") {
        void entries.put(mutation.key, mutation.value, sequence);
        versions.push(version);
      } else {
        void entries.remove(mutation.key);
      }
    }
    store.writeSequence(sequence);
    outcome = { committed: true, versions };
    return undefined;
  });
  return outcome as Committed | Conflict;
}

class LmdbSnapshot implements Snapshot {
  readonly #store: OpenLmdb;
  readonly #path: string;
  readonly #onClose: () => void;
  #transaction: ReadTransaction | null;

  constructor(store: OpenLmdb, path: string, onClose: () => void) {
    this.#store = store;
    this.#path = path;
    this.#onClose = onClose;
    this.#transaction = store.entries.useReadTransaction();
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return this.#read((transaction) => read(this.#store, key, transaction));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    return this.#read((transaction) => keys.map((key) => read(this.#store, key, transaction)));
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => {
      const readPage = pageReader(copied);
      return (count) => this.#read((transaction) => readPage(this.#store, count, transaction));
    });
  }

  async count(range: Range): Promise<number> {
    const copied = copyRange(range, {});
    return this.#read((transaction) => countKeys(this.#store, copied, transaction));
  }

  async close(): Promise<void> {
    this.#transaction?.done();
    this.#transaction = null;
    this.#onClose();
  }

  #read<T>(work: (transaction: ReadTransaction) => T): T {
    if (this.#transaction === null) throw closedError("snapshot");
    try {
      return work(this.#transaction);
    } catch (error) {
      throw lmdbError(error, "cannot read the store", this.#path);
    }
  }
}
