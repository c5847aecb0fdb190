/** Opens a SQLite file on Node by one of two drivers, and makes sure that what lies there is a Keyloom store. */
import { type FileSystem, syncFolder } from "./node-files.js";
import { loadDriver } from "./opening.js";
import { notFound, openLayout, pragma, type SqliteDatabase, unreadable } from "./sqlite-engine.js";

/** Opens a file that is there. */
export type SqliteDriver = (path: string) => SqliteDatabase;

export const SQLITE_DRIVERS = {
  "node:sqlite": async (): Promise<SqliteDriver> => {
    // @ts-expect-error: Node 20's own types don't know it.
    const { DatabaseSync } = await import("node:sqlite");
    return (path) => new DatabaseSync(path) as SqliteDatabase;
  },
  "better-sqlite3": async (): Promise<SqliteDriver> => {
    // @ts-expect-error: an optional peer dependency, which this repository doesn't install: it compiles C++.
    const { default: Database } = await import("better-sqlite3");
    return (path) => new Database(path) as SqliteDatabase;
  },
} as const;

export type SqliteDriverName = keyof typeof SQLITE_DRIVERS;

/** @param asked - a driver by name or by a function that loads one; the first that loads where not given. */
export function loadSqlite(
  asked: SqliteDriverName | (() => Promise<SqliteDriver>) | undefined,
): Promise<SqliteDriver> {
  const { "node:sqlite": builtin, "better-sqlite3": better } = SQLITE_DRIVERS;
  const either = (): Promise<SqliteDriver> => builtin().catch(better);
  const load = typeof asked === "function" ? asked : asked === undefined ? either : SQLITE_DRIVERS[asked];
  return loadDriver(load, "SQLite", "use Node 22.13 or newer, or run `npm i better-sqlite3`");
}

/**
 * Makes the file and its folders where they are missing, and looks whether they can be worked on.
 *
 * @throws {KeyloomError} `STORE_NOT_FOUND`, `STORE_UNREADABLE`; and what the file system throws.
 */
export async function prepareFile(path: string, create: boolean): Promise<void> {
  const [fs, { dirname }] = await Promise.all([import("node:fs"), import("node:path")]);
  if (fs.existsSync(path)) {
    if (!fs.statSync(path).isFile()) throw unreadable(path, "it is no regular file");
    fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK);
    fs.accessSync(dirname(path), fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  } else {
    if (!create) throw notFound(path);
    makeFile(fs, path, dirname(path));
  }
}

function makeFile(fs: FileSystem, path: string, folder: string): void {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  // For the owner alone: the engine gives its other files the same permissions.
  fs.closeSync(fs.openSync(path, "a", 0o600));
  syncFolder(fs, folder);
}

/**
 * Opens the store in the file `path`, which is there.
 *
 * @throws {KeyloomError} `STORE_NOT_FOUND`, `STORE_UNREADABLE`, `STORE_NEWER_FORMAT`; and what the engine throws,
 *   not yet translated: "busy" among it, while another process makes the store.
 */
export function openSqlite(driver: SqliteDriver, path: string, create: boolean): SqliteDatabase {
  const db = driver(path);
  try {
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    openLayout(db, path, create, () => {
      if (pragma(db, "journal_mode = WAL", "journal_mode") !== "wal") {
        throw unreadable(path, "its file system can't hold a write-ahead log");
      }
    });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** How long the engine itself waits, with the event loop standing still; the adapter waits on. */
const BUSY_MS = 20;
