/** Opens an IndexedDB database, makes sure that it is a Keyloom store, and names the errors of the engine. */
import type { DBSchema, IDBPDatabase } from "idb";

import { type ErrorCode, isKeyloomError, KeyloomError } from "../foundation/errors.js";

export type Driver = typeof import("idb");

/** The two object stores. An entry's value is its version (a number, 8 bytes) before the value itself. */
export interface Schema extends DBSchema {
  "keyloom.about": { key: string; value: number };
  "keyloom.entries": { key: Uint8Array<ArrayBuffer>; value: Uint8Array<ArrayBuffer> };
}

export const ABOUT = "keyloom.about";
export const ENTRIES = "keyloom.entries";
export const VERSION_BYTES = 8;

/** Of the layout above; a record of its own, so that other programs' databases are told apart. */
const FORMAT = 1;

export interface OpenDatabase {
  readonly db: IDBPDatabase<Schema>;
  /** Number before the database's first commit, drawn at random: it tells one database from its successor. */
  readonly origin: number;
}

/**
 * Opens the database `name`.
 *
 * @param onGone - called when the connection has ended from outside: another tab removes or upgrades the
 *   database, or the browser has taken it away.
 * @throws {KeyloomError} `STORE_NOT_FOUND`, `STORE_UNREADABLE`, `STORE_NEWER_FORMAT`; and what the engine
 *   throws, not yet translated.
 */
export async function openDatabase(
  { openDB }: Driver,
  name: string,
  create: boolean,
  onGone: (opened: OpenDatabase) => void,
): Promise<OpenDatabase> {
  let missing = false;
  let db: IDBPDatabase<Schema> | null = null;
  let opened: OpenDatabase | null = null;
  const gone = (): void => {
    db?.close();
    if (opened !== null) onGone(opened);
  };
  try {
    db = await openDB<Schema>(name, 1, {
      upgrade(db, oldVersion, _, transaction) {
        transaction.done.catch(noop); // openDB's own promise tells it
        if (oldVersion > 0) return;
        if (!create) {
          missing = true;
          transaction.abort();
          return;
        }
        db.createObjectStore(ENTRIES);
        const about = db.createObjectStore(ABOUT);
        const origin = randomOrigin();
        for (const [key, value] of Object.entries({ format: FORMAT, origin, sequence: origin })) {
          about.put(value, key).catch(noop);
        }
      },
      blocking: gone,
      terminated: gone,
    });
  } catch (error) {
    if (!missing) throw error;
    const message = `there is no store in the database ${name}`;
    throw new KeyloomError("STORE_NOT_FOUND", { message, database: name });
  }
  try {
    opened = { db, origin: await readOrigin(db, name) };
    return opened;
  } catch (error) {
    db.close();
    throw error;
  }
}

async function readOrigin(db: IDBPDatabase<Schema>, name: string): Promise<number> {
  const hasStores = db.objectStoreNames.contains(ABOUT) && db.objectStoreNames.contains(ENTRIES);
  const format = hasStores ? await db.get(ABOUT, "format") : undefined;
  const origin = hasStores ? await db.get(ABOUT, "origin") : undefined;
  if (format === undefined || origin === undefined) {
    const message = `the database ${name} is not a Keyloom store`;
    throw new KeyloomError("STORE_UNREADABLE", { message, database: name });
  }
  if (format > FORMAT) throw newer(name);
  return origin;
}

/** Versions go on from here. A database made anew after the browser removed one would else repeat them. */
function randomOrigin(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
  return (high & 0x3ffff) * 2 ** 32 + low; // below 2^50: commits enough are left before 2^53
}

function newer(name: string, cause?: unknown): KeyloomError {
  const message = `the store in the database ${name} has a newer format than this version of Keyloom reads`;
  return new KeyloomError("STORE_NEWER_FORMAT", { message, database: name, cause });
}

/** What a DOMException of the engine means here: one table. */
const MEANING: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  QuotaExceededError: ["STORAGE_FULL", "the browser's quota for this site is used up"],
  NotReadableError: ["STORE_DAMAGED", "the engine can't read its own files"],
  ReadOnlyError: ["STORAGE_READ_ONLY", "the database can't be written"],
  SecurityError: ["STORAGE_READ_ONLY", "this page may not use IndexedDB"],
  NotFoundError: ["STORE_UNREADABLE", "an object store is missing"],
};

/**
 * The error to throw for what the engine threw; anything unknown is `STORAGE_IO`.
 *
 * @param doing - what failed, for the message: "cannot open the store".
 */
export function indexeddbError(error: unknown, doing: string, database: string): KeyloomError {
  if (isKeyloomError(error)) return error;
  const { name: engineCode, message: text } = (error ?? {}) as { name?: string; message?: string };
  if (engineCode === "VersionError") return newer(database, error);
  const known = MEANING[engineCode ?? ""];
  return new KeyloomError(known?.[0] ?? "STORAGE_IO", {
    message: `${doing} in the database ${database}: ${known?.[1] ?? text ?? String(error)}`,
    database,
    engineCode,
    cause: error,
  });
}

export function noop(): void {}
