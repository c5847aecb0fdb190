/** What an error of the LMDB engine means here: one table. */
import { type ErrorCode, isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { FILE_ERRORS } from "./node-files.js";

// Codes of lmdb.h are negative; an errno comes positive from the engine and as a name from node:fs.
// Only the errnos that have one number on Linux and macOS stand here by number.
const MEANING: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ...FILE_ERRORS,
  "-30792": ["STORAGE_FULL", "the store's map is full"], // MDB_MAP_FULL
  "-30788": ["STORAGE_FULL", "the commit touches more pages than the engine can hold"], // MDB_TXN_FULL
  "28": ["STORAGE_FULL", "no space is left on the device"],
  "27": ["STORAGE_FULL", "the store's file may not grow further"],
  "13": ["STORAGE_READ_ONLY", "no permission to write the store"],
  "1": ["STORAGE_READ_ONLY", "no permission to write the store"],
  "30": ["STORAGE_READ_ONLY", "the file system is read-only"],
  "-30790": ["STORAGE_LOCKED", "too many readers hold the store open"], // MDB_READERS_FULL
  "-30797": ["STORE_DAMAGED", "a page of the store's file is missing"], // MDB_PAGE_NOTFOUND
  "-30796": ["STORE_DAMAGED", "a page of the store's file is of the wrong kind"], // MDB_CORRUPTED
  "-30793": ["STORE_UNREADABLE", "this is no LMDB file"], // MDB_INVALID
  "-30794": ["STORE_UNREADABLE", "the LMDB file is of another version"], // MDB_VERSION_MISMATCH
};

/**
 * The error to throw for what the engine or the file system threw; anything unknown is `STORAGE_IO`.
 *
 * @param doing - what failed, for the message: "cannot open the store".
 */
export function lmdbError(error: unknown, doing: string, path: string): KeyloomError {
  if (isKeyloomError(error)) return error;
  const engineCode = (error as { code?: unknown } | null)?.code;
  const known = MEANING[String(engineCode)];
  const code = known?.[0] ?? "STORAGE_IO";
  const reason = known?.[1] ?? (error instanceof Error ? error.message : String(error));
  return new KeyloomError(code, {
    message: `${doing} at ${path}: ${reason}`,
    path,
    engineCode,
    cause: error,
  });
}
