/** Opens a SQLite file by one of two drivers, and makes sure that what lies there is a Keyloom store. */
import { type ErrorCode, isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { FILE_ERRORS, type FileSystem, syncFolder } from "./node-files.js";
import { loadDriver } from "./opening.js";

/** What both drivers have in common. */
export interface SqliteStatement {
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): unknown;
}

export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

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

/** "KLOM", at the place in the file's header that SQLite keeps for this; and the layout's number beside it. */
const APPLICATION_ID = 0x4b4c4f4d;
const FORMAT = 1;

// Without a row id: an entry is found in one descent, and neighbours lie side by side.
const LAYOUT = `
  CREATE TABLE keyloom_entries (key BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL)
    WITHOUT ROWID;
  CREATE TABLE keyloom_about (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO keyloom_about VALUES ('sequence', 0);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

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
    const isNew = inspect(db, path);
    if (isNew && !create) throw notFound(path);
    if (pragma(db, "journal_mode = WAL", "journal_mode") !== "wal") {
      throw unreadable(path, "its file system can't hold a write-ahead log");
    }
    // FULL syncs the log at each commit. The last two ask macOS for a true sync.
    for (const setting of ["synchronous = FULL", "fullfsync = 1", "checkpoint_fullfsync = 1"]) {
      db.exec(`PRAGMA ${setting}`);
    }
    if (isNew) makeLayout(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** How long the engine itself waits, with the event loop standing still; the adapter waits on. */
const BUSY_MS = 20;

/** @returns whether nothing is there yet. */
function inspect(db: SqliteDatabase, path: string): boolean {
  const application = pragma(db, "application_id");
  const format = pragma(db, "user_version") as number;
  if (application === APPLICATION_ID) {
    if (format <= FORMAT) return false;
    const message = `the store at ${path} has a newer format than this version of Keyloom reads`;
    throw new KeyloomError("STORE_NEWER_FORMAT", { message, path, format });
  }
  const { tables } = db.prepare("SELECT count(*) AS tables FROM sqlite_master").get() as { tables: number };
  if (application === 0 && format === 0 && tables === 0) return true;
  throw unreadable(path, "it is a database of another program");
}

function makeLayout(db: SqliteDatabase, path: string): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    if (inspect(db, path)) db.exec(LAYOUT); // another process may have been first
    db.exec("COMMIT");
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

function pragma(db: SqliteDatabase, text: string, name = text): unknown {
  return (db.prepare(`PRAGMA ${text}`).get() as Record<string, unknown>)[name];
}

/** Some errors have ended the transaction already. */
export function rollBack(db: SqliteDatabase): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // There is none.
  }
}

function notFound(path: string): KeyloomError {
  return new KeyloomError("STORE_NOT_FOUND", { message: `there is no store at ${path}`, path });
}

function unreadable(path: string, reason: string): KeyloomError {
  return new KeyloomError("STORE_UNREADABLE", {
    message: `cannot read the store's file ${path}: ${reason}`,
    path,
  });
}

/** Primary result codes of sqlite3.h: name, number, and what they mean here. */
const RESULTS: readonly (readonly [string, number, ErrorCode, string])[] = [
  ["SQLITE_PERM", 3, "STORAGE_READ_ONLY", "no permission to write the store"],
  ["SQLITE_BUSY", 5, "STORAGE_LOCKED", "another connection holds the store"],
  ["SQLITE_LOCKED", 6, "STORAGE_LOCKED", "another connection holds the store"],
  ["SQLITE_READONLY", 8, "STORAGE_READ_ONLY", "no permission to write the store"],
  ["SQLITE_IOERR", 10, "STORAGE_IO", "the engine's input or output failed"],
  ["SQLITE_CORRUPT", 11, "STORE_DAMAGED", "the store's file is damaged"],
  ["SQLITE_FULL", 13, "STORAGE_FULL", "no space is left on the device"],
  ["SQLITE_CANTOPEN", 14, "STORAGE_IO", "the engine can't open its files"],
  ["SQLITE_NOTADB", 26, "STORE_UNREADABLE", "this is no SQLite file"],
];

/** The engine's result code by its name, from either driver's error; null for another error. */
export function resultOf(error: unknown): string | null {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  const row = RESULTS.find(([name, number]) =>
    typeof errcode === "number"
      ? (errcode & 255) === number // the higher bits say it more precisely
      : code === name || (typeof code === "string" && code.startsWith(`${name}_`)),
  );
  return row?.[0] ?? null;
}

/**
 * The error to throw for what the engine or the file system threw; anything unknown is `STORAGE_IO`.
 *
 * @param doing - what failed, for the message: "cannot open the store".
 */
export function sqliteError(error: unknown, doing: string, path: string): KeyloomError {
  if (isKeyloomError(error)) return error;
  const { code: engineCode, message } = (error ?? {}) as { code?: string; message?: string };
  const result = resultOf(error);
  const row = RESULTS.find(([name]) => name === result);
  const [code, reason] = (row?.slice(2) ?? FILE_ERRORS[engineCode ?? ""] ?? []) as [ErrorCode?, string?];
  return new KeyloomError(code ?? "STORAGE_IO", {
    message: `${doing} at ${path}: ${reason ?? message ?? String(error)}`,
    path,
    engineCode: result ?? engineCode,
    cause: error,
  });
}
