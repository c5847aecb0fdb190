/** Checks of arguments, and how batches are cut in pieces: what every primitive begins with. */
import { CoreError } from "../../sdk/foundation/errors.js";

export const MAX_U32 = 0xffff_ffff;
/** Batches go through memory in pieces of about this size, which a core's second-level cache holds. */
const PIECE_BYTES = 256 * 1024;

export function bytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
}

export function length(value: Uint8Array, expected: number, what: string): void {
  bytes(value, what);
  if (value.length === expected) return;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `${what} has ${value.length} bytes, not ${expected}`,
    expected,
    length: value.length,
  });
}

export function invalidLength(what: string, length: number, expected: string): CoreError {
  return new CoreError("CORE_INVALID_LENGTH", {
    message: `${what} has ${length} bytes, not ${expected}`,
    expected,
    length,
  });
}

/** As `length`, for a range of lengths. */
export function lengthFrom(value: Uint8Array, minimum: number, maximum: number, what: string): void {
  bytes(value, what);
  if (value.length >= minimum && value.length <= maximum) return;
  throw invalidLength(what, value.length, `${minimum} to ${maximum}`);
}

export function integer(value: number, minimum: number, maximum: number, what: string): void {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
  throw new CoreError("CORE_INVALID_PARAMETER", {
    message: `${what} must be an integer from ${minimum} to ${maximum}`,
    minimum,
    maximum,
  });
}

/** The length of one of `count` records that lie back to back. */
export function recordLength(all: Uint8Array, count: number, what: string): number {
  bytes(all, what);
  const each = count === 0 ? 0 : all.length / count;
  if (Number.isInteger(each) && (count > 0 || all.length === 0)) return each;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `${what} can't be divided into ${count} records of one length`,
    length: all.length,
    count,
  });
}

/** Room for an output that is larger than its inputs: here a number alone can ask for more than the host has. */
export function output(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new CoreError("CORE_INPUT_TOO_LARGE", { message: `no room for ${length} bytes`, length, cause });
  }
}

/** How many records of `each` bytes, inputs and outputs counted, go through memory in one call: a multiple of 4. */
export function pieceOf(each: number, bytesAtOnce = PIECE_BYTES): number {
  return Math.max(4, Math.floor(bytesAtOnce / each) & ~3);
}

export function failedRecords(indexes: readonly number[]): CoreError {
  return new CoreError("CORE_AUTHENTICATION_FAILED", {
    message: `${indexes.length} records of the batch failed to authenticate`,
    indexes,
  });
}
