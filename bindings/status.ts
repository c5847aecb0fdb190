/** The core's status codes (`assembly/abi.ts`) as typed errors. */
import { CoreError, type ErrorCode } from "../sdk/foundation/errors.js";

const STATUSES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  1: ["CORE_AUTHENTICATION_FAILED", "authentication failed"],
  2: ["CORE_INVALID_LENGTH", "an input has a length that this algorithm doesn't have"],
  3: ["CORE_INVALID_PARAMETER", "a parameter is out of bounds"],
  4: ["CORE_HANDLE_STALE", "this handle's key is no longer in the vault"],
  5: ["CORE_HANDLE_MISUSE", "the key's algorithm or usages forbid this"],
  6: ["CORE_SLOTS_EXHAUSTED", "the vault has no free slot"],
  7: ["CORE_NO_RANDOM", "the host gave no random bytes"],
  8: ["CORE_NOT_EXPORTABLE", "this key may not leave the vault"],
  9: ["CORE_INTERNAL", "an address lies outside the staging region"],
  10: ["CORE_WEAK_PUBLIC_KEY", "the public key has small order: what it agrees upon is known to all"],
};

export function errorOfStatus(status: number): CoreError {
  const [code, message] = STATUSES[status] ?? (["CORE_INTERNAL", `unknown status ${status}`] as const);
  return new CoreError(code, { message });
}

/** @throws {CoreError} unless `status` is 0 */
export function check(status: number): void {
  if (status !== 0) throw errorOfStatus(status);
}

/** A handle, or the failure that a negative number stands for. */
export function checkHandle(handleOrStatus: number): number {
  if (handleOrStatus <= 0) throw errorOfStatus(-handleOrStatus);
  return handleOrStatus;
}

/** Checked before anything is staged: another type would throw on its way into the core and leave the inputs there. */
export function handle(value: unknown): void {
  if (typeof value !== "number") throw new TypeError("a handle must be a number");
}

export const AUTHENTICATION_FAILED = 1;

/** The answer of a call that verifies: false where what it looks at isn't right. */
export function verdict(status: number): boolean {
  if (status === AUTHENTICATION_FAILED) return false;
  check(status);
  return true;
}
