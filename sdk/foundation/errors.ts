/**
 * Every error code of the library, with the class of failure it belongs to.
 *
 * The one table for error codes: the `ErrorCode` union, the command line's exit codes and the
 * documentation all derive from it. Codes are part of semver; messages are not.
 */
export const ERROR_CODES = {
  // The core and its byte-level door.
  CORE_AUTHENTICATION_FAILED: "integrity",
  CORE_INVALID_LENGTH: "usage",
  CORE_INVALID_PARAMETER: "usage",
  CORE_INPUT_TOO_LARGE: "usage",
  CORE_HANDLE_STALE: "failed",
  CORE_HANDLE_MISUSE: "denied",
  CORE_SLOTS_EXHAUSTED: "failed",
  CORE_NO_RANDOM: "failed",
  CORE_NOT_EXPORTABLE: "denied",
  CORE_POOL_CLOSED: "usage",
  CORE_UNSUPPORTED: "failed",
  CORE_WEAK_PUBLIC_KEY: "integrity",
  CORE_WORKER_LOST: "failed",
  CORE_INTERNAL: "failed",

  // Storage.
  STORAGE_CLOSED: "failed",
  STORAGE_COMMIT_TOO_LARGE: "failed",
  STORAGE_DRIVER_MISSING: "failed",
  STORAGE_FULL: "failed",
  STORAGE_INVALID_COMMIT: "usage",
  STORAGE_IO: "failed",
  STORAGE_LOCKED: "failed",
  STORAGE_OUTCOME_UNKNOWN: "failed",
  STORAGE_READ_ONLY: "failed",
  STORAGE_UNSUPPORTED: "failed",
  STORAGE_URL_INVALID: "usage",

  // The store as a whole.
  STORE_CLOSED: "usage",
  STORE_CONFLICT: "conflict",
  STORE_DAMAGED: "integrity",
  STORE_EXISTS: "conflict",
  STORE_NOT_FOUND: "not-found",
  STORE_NEWER_FORMAT: "failed",
  STORE_UNREADABLE: "failed",

  // Backups.
  BACKUP_DAMAGED: "integrity",
  BACKUP_NEWER_FORMAT: "failed",
  BACKUP_ROLLBACK: "denied",
  BACKUP_UNSUPPORTED: "failed",

  // Unlocking.
  UNLOCK_FAILED: "denied",
  UNLOCK_INVALID_SECRET: "usage",
  UNLOCK_KDF_OUT_OF_BOUNDS: "integrity",

  // Time.
  CLOCK_AHEAD: "denied",

  // Keys.
  KEY_ALGORITHM_NOT_SUPPORTED: "usage",
  KEY_ALREADY_EXISTS: "conflict",
  KEY_DATE_FROZEN: "conflict",
  KEY_DESTROYED: "conflict",
  KEY_HAS_DEPENDENTS: "conflict",
  KEY_INVALID_NAME: "usage",
  KEY_INVALID_OPTION: "usage",
  KEY_MALFORMED: "usage",
  KEY_MATERIAL_MISSING: "integrity",
  KEY_NAME_TAKEN: "conflict",
  KEY_NOT_FOUND: "not-found",
  KEY_NOT_USABLE: "denied",
  KEY_TRANSITION_NOT_ALLOWED: "conflict",
  KEY_USAGE_CONFLICT: "usage",
  KEY_VERSION_NOT_FOUND: "not-found",
  KEY_VERSIONS_EXHAUSTED: "conflict",

  // Policy and governance.
  APPROVAL_INVALID: "denied",
  ENTITY_NOT_FOUND: "not-found",
  POLICY_APPROVAL_NEEDED: "denied",
  POLICY_DENIED: "denied",
  POLICY_INVALID: "usage",
  POLICY_LOCKOUT: "conflict",
  POLICY_TOO_WEAK: "denied",
  PROPOSAL_EXPIRED: "denied",
  PROPOSAL_MISMATCH: "denied",
  PROPOSAL_NOT_FOUND: "not-found",
  PROPOSAL_SPENT: "conflict",

  // Messages and files.
  MESSAGE_AUTHENTICATION_FAILED: "integrity",
  MESSAGE_INVALID_IDENTITY: "usage",
  MESSAGE_INVALID_RECIPIENT: "usage",
  MESSAGE_MALFORMED: "integrity",
  MESSAGE_NO_MATCH: "denied",
  MESSAGE_TOO_LARGE: "usage",
  SIGNATURE_INVALID: "integrity",

  // The audit log.
  AUDIT_CHECKPOINT_INVALID: "integrity",
  AUDIT_ENTRY_NOT_FOUND: "not-found",

  // Records and jobs.
  CBOR_INVALID: "integrity",
  JOB_CANCELLED: "interrupted",
  JOB_REQUEST_MISMATCH: "conflict",

  // The command line.
  CLI_FILE_EXISTS: "conflict",
  CLI_FILE_NOT_FOUND: "not-found",
  CLI_USAGE: "usage",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
export type ErrorClass = (typeof ERROR_CODES)[ErrorCode];

/** Structured context of an error. Never holds secret bytes. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

export interface ErrorInit {
  message: string;
  cause?: unknown;
  /** Structured fields, copied onto the error: ids, states, limits, indexes. */
  [detail: string]: unknown;
}

/** The one base class of what Keyloom throws on purpose. Wrong argument types are `TypeError`. */
export class KeyloomError extends Error {
  readonly code: ErrorCode;
  /** The structured fields given at construction, without message and cause. */
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, init: ErrorInit) {
    const { message, cause, ...details } = init;
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }

  /** The class of failure of {@link code}, from the table. */
  get class(): ErrorClass {
    return ERROR_CODES[this.code];
  }

  toJSON(): object {
    return { name: this.name, code: this.code, message: this.message, ...this.details };
  }
}

/** An error of the WebAssembly core: a bad length, a failed authentication, a stale handle. */
export class CoreError extends KeyloomError {}

export function isKeyloomError(value: unknown, code?: ErrorCode): value is KeyloomError {
  return value instanceof KeyloomError && (code === undefined || value.code === code);
}
