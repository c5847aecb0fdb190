/**
 * The storage adapter for bulk work in a browser's worker: SQLite compiled to WebAssembly, over files of the
 * origin private file system.
 */
import type { ErrorCode, KeyloomError } from "../foundation/errors.js";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES, type StorageAdapter, type StorageCapabilities } from "./adapter.js";
import { type OpfsFile, openOpfs } from "./opfs-sqlite-open.js";
import { openLayout, pragma, sqliteError, unreadable } from "./sqlite-engine.js";
import { SqliteStorage } from "./sqlite-store.js";

export interface OpfsSqliteStorageOptions {
  /** Names the store among those of this site; `keyloom` by default. */
  readonly name?: string | undefined;
  /** Make the store where it is missing (default); `false`: `STORE_NOT_FOUND` instead. */
  readonly create?: boolean | undefined;
}

const CAPABILITIES: StorageCapabilities = Object.freeze({
  maxChecks: 65_536,
  maxMutations: 65_536,
  maxCommitBytes: 16 * 1024 * 1024,
  maxKeyBytes: MAX_KEY_BYTES,
  maxValueBytes: MAX_VALUE_BYTES,
  durable: true,
  multiProcess: false,
  snapshot: false,
  watch: false,
});

/**
 * A write costs a call into the browser, whatever its length: few large pages, and a log that is seldom folded back. The
 * page size is a new file's; the log's limit is 64 MB, the cache's too.
 */
const BULK_SETTINGS = ["page_size = 16384", "wal_autocheckpoint = 4000", "cache_size = -65536"];

/** What a DOMException of the file system means here. */
const HOST_ERRORS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  QuotaExceededError: ["STORAGE_FULL", "the browser's quota for this site is used up"],
  NoModificationAllowedError: ["STORAGE_LOCKED", "another tab or worker holds the store"],
  SecurityError: ["STORAGE_READ_ONLY", "this page may not use the origin private file system"],
};

/**
 * A store in the origin private file system, for one owner at a time: a second tab or worker that opens it gets
 * `STORAGE_LOCKED` until the first has closed it or is gone. Works in dedicated workers only, where alone a
 * browser gives synchronous access to files.
 *
 * Durable: the write-ahead log is flushed before a commit is acknowledged (`synchronous=FULL`). The browser may
 * evict a site's files unless `navigator.storage.persist()` was granted.
 *
 * The first call throws what opening throws: `STORAGE_DRIVER_MISSING`, `STORAGE_UNSUPPORTED` outside a dedicated
 * worker, `STORAGE_LOCKED`, `STORE_NOT_FOUND`, `STORE_UNREADABLE`, `STORE_DAMAGED`, `STORE_NEWER_FORMAT`,
 * `STORAGE_FULL`, `STORAGE_IO`. The next call tries again.
 */
export function opfsSqliteStorage(options: OpfsSqliteStorageOptions = {}): StorageAdapter {
  const { name = "keyloom", create = true } = options;
  if (typeof name !== "string" || name === "") throw new TypeError("a store's name is a text");
  let file: OpfsFile | null = null;
  return new SqliteStorage({
    capabilities: CAPABILITIES,
    where: name,
    patience: 0,
    async open() {
      const opened = await openOpfs(name, create);
      try {
        const { db } = opened;
        // One connection, ever. Before anything is read: the log's index lies in memory then, and could lie nowhere else.
        db.exec("PRAGMA locking_mode = EXCLUSIVE");
        for (const setting of BULK_SETTINGS) db.exec(`PRAGMA ${setting}`);
        openLayout(db, name, create, () => {
          if (pragma(db, "journal_mode = WAL", "journal_mode") !== "wal") {
            throw unreadable(name, "the engine can't keep a write-ahead log");
          }
        });
        file = opened;
        return db;
      } catch (error) {
        opened.close();
        throw error;
      }
    },
    close() {
      file?.close();
      file = null;
    },
    error: (error, doing): KeyloomError => sqliteError(error, doing, name, HOST_ERRORS),
  });
}
