/** What every SQLite store has in common, whatever the driver and wherever the file lies: layout, result codes, commits. */
import { type ErrorCode, isKeyloomError, KeyloomError } from "../foundation/errors.js";

/** What the drivers have in common. */
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
 * Makes sure that an open database is a Keyloom store, and makes one of an empty database.
 *
 * @param where - for messages
 * @param configure - sets what the connection needs, once it is known whose database this is
 * @throws {KeyloomError} `STORE_NOT_FOUND`, `STORE_UNREADABLE`, `STORE_NEWER_FORMAT`; and what the engine throws,
 *   not yet translated: "busy" among it, while another process makes the store.
 */
export function openLayout(db: SqliteDatabase, where: string, create: boolean, configure: () => void): void {
  const isNew = inspect(db, where);
  if (isNew && !create) throw notFound(where);
  configure();
  // FULL syncs the log at each commit. The last two ask macOS for a true sync.
  for (const setting of ["synchronous = FULL", "fullfsync = 1", "checkpoint_fullfsync = 1"]) {
    db.exec(`PRAGMA ${setting}`);
  }
  if (isNew) makeLayout(db, where);
}

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

export function pragma(db: SqliteDatabase, text: string, name = text): unknown {
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

export function notFound(path: string): KeyloomError {
  return new KeyloomError("STORE_NOT_FOUND", { message: `there is no store at ${path}`, path });
}

export function unreadable(path: string, reason: string): KeyloomError {
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

/** The engine's result code by its name, from any driver's error; null for another error. */
export function resultOf(error: unknown): string | null {
  const { code, errcode, resultCode } = (error ?? {}) as Record<string, unknown>;
  const exact = errcode ?? resultCode;
  const row = RESULTS.find(([name, number]) =>
    typeof exact === "number"
      ? (exact & 255) === number // the higher bits say it more precisely
      : code === name || (typeof code === "string" && code.startsWith(`${name}_`)),
  );
  return row?.[0] ?? null;
}

/**
 * The error to throw for what the engine or the file system threw; anything unknown is `STORAGE_IO`.
 *
 * @param doing - what failed, for the message: "cannot open the store".
 * @param others - what the host's own errors mean, by their `code` or name.
 */
export function sqliteError(
  error: unknown,
  doing: string,
  path: string,
  others: Readonly<Record<string, readonly [ErrorCode, string]>>,
): KeyloomError {
  if (isKeyloomError(error)) return error;
  const { code, name, message } = (error ?? {}) as Record<string, unknown>;
  const engineCode = String(code ?? name);
  const result = resultOf(error);
  const row = RESULTS.find(([name]) => name === result);
  const [meaning, reason] = (row?.slice(2) ?? others[engineCode] ?? []) as [ErrorCode?, string?];
  return new KeyloomError(meaning ?? "STORAGE_IO", {
    message: `${doing} at ${path}: ${reason ?? String(message ?? error)}`,
    path,
    engineCode: result ?? engineCode,
    cause: error,
  });
}
