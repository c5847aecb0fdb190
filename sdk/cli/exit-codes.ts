/** What the command line exits with: one number per class of failure, from the table of error codes. */
import { KeyloomError, type ErrorClass } from "../index.js";

export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  denied: 3,
  "not-found": 4,
  conflict: 5,
  integrity: 6,
  interrupted: 130,
} as const satisfies Record<ErrorClass | "done", number>;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** File-system failures that a caller would want told apart; all others are `failed`. */
const SYSTEM: Readonly<Record<string, ErrorClass>> = {
  ENOENT: "not-found",
  EEXIST: "conflict",
  EACCES: "denied",
};

export interface Failure {
  code: string;
  message: string;
  /** The id of the job that failed: pass it with `--job` to resume. */
  job?: string;
}

/** An error as one line and an exit code. Never a stack. */
export function failureOf(error: unknown): { failure: Failure; exit: ExitCode } {
  if (error instanceof KeyloomError) {
    const { code, message, details } = error;
    const { job } = details;
    return {
      failure: { code, message, ...(typeof job === "string" ? { job } : {}) },
      exit: EXIT_CODES[error.class],
    };
  }
  if (error instanceof Error) {
    const code = (error as { code?: unknown }).code;
    const name = typeof code === "string" ? code : error.name;
    return { failure: { code: name, message: error.message }, exit: EXIT_CODES[SYSTEM[name] ?? "failed"] };
  }
  return {
    failure: { code: "UNKNOWN", message: "something that is no error was thrown" },
    exit: EXIT_CODES.failed,
  };
}
