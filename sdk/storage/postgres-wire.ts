/** Bytes to and from PostgreSQL, and what its errors mean here. */
import { type ErrorCode, isKeyloomError, KeyloomError } from "../foundation/errors.js";

const BYTEA = 17;

/**
 * Many byte strings as one parameter: `$1::bytea[]` in the binary form. As text each byte would travel as two
 * characters, quoted on one side and read on the other.
 *
 * @see PostgreSQL, src/backend/utils/adt/arrayfuncs.c, array_recv
 */
export function byteaArray(items: readonly Uint8Array[]): Buffer {
  let size = 20;
  for (const item of items) size += 4 + item.length;
  const bytes = Buffer.allocUnsafe(size);
  // One dimension (none for an empty array), no NULLs, the elements' type, their number, the first index.
  const head = items.length === 0 ? [0, 0, BYTEA] : [1, 0, BYTEA, items.length, 1];
  let offset = 0;
  for (const field of head) offset = bytes.writeInt32BE(field, offset);
  for (const item of items) {
    offset = bytes.writeInt32BE(item.length, offset);
    bytes.set(item, offset);
    offset += item.length;
  }
  return bytes.subarray(0, offset);
}

/** A key's name in maps: one character per byte, so that names order as keys do. */
export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

/** SQLSTATEs, the class (two characters) where no row has the whole code. */
const MEANING: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  "53100": ["STORAGE_FULL", "no space is left on the server's device"],
  "25006": ["STORAGE_READ_ONLY", "the server takes no writes: it is a standby, or set to read-only"],
  "42501": ["STORAGE_READ_ONLY", "the user may not read and write the store's tables"],
  "55P03": ["STORAGE_LOCKED", "another commit held an entry for too long"],
  "40001": ["STORAGE_LOCKED", "other commits were in the way at every attempt"],
  "40P01": ["STORAGE_LOCKED", "other commits were in the way at every attempt"],
  "3D000": ["STORE_NOT_FOUND", "there is no such database"],
  "42P01": ["STORE_NOT_FOUND", "there is no store"],
  "42703": ["STORE_UNREADABLE", "the table is not one of a Keyloom store"],
  "42804": ["STORE_UNREADABLE", "the table is not one of a Keyloom store"],
  "42883": ["STORE_UNREADABLE", "the table is not one of a Keyloom store"],
  XX001: ["STORE_DAMAGED", "the server found damage in its files"],
  XX002: ["STORE_DAMAGED", "the server found damage in an index"],
};

/** What may succeed a moment later, with nothing committed: a deadlock or a lost race. */
export function isContention(error: unknown): boolean {
  return ["40001", "40P01"].includes(sqlstate(error) ?? "");
}

/** A connection that could not be made or was lost; a server that is stopping, starting or has no room for more. */
export function isDisconnection(error: unknown): boolean {
  const state = sqlstate(error);
  if (isKeyloomError(error)) return false;
  return state === null || /^(08|57P0|53300|25P03)/.test(state);
}

/** The server's answer to COMMIT was that it did not happen; anything else leaves it open. */
export function isRefusal(error: unknown): boolean {
  const { severity } = (error ?? {}) as { severity?: unknown };
  return sqlstate(error) !== null && severity === "ERROR" && sqlstate(error) !== "40003";
}

/** Null where the server didn't say it. */
export function sqlstate(error: unknown): string | null {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof severity === "string" && typeof code === "string" ? code : null;
}

/**
 * The error to throw for what the driver threw; anything unknown is `STORAGE_IO`.
 *
 * The connection string is in no message: it may hold a password.
 */
export function postgresError(error: unknown, doing: string, table: string): KeyloomError {
  if (isKeyloomError(error)) return error;
  const state = sqlstate(error);
  const [code, reason] = MEANING[state ?? ""] ?? [];
  return new KeyloomError(code ?? "STORAGE_IO", {
    message: `${doing} in the table ${table}: ${reason ?? (error as Error | null)?.message ?? String(error)}`,
    table,
    engineCode: state ?? (error as { code?: unknown } | null)?.code,
    cause: error,
  });
}
