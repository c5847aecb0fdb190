/** What the command line exits with: one number per class of failure, from the table of error codes. */
import { ERROR_CODES, KeyloomError, type ErrorClass, type ErrorCode } from "../index.js";

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
  exit: ExitCode;
}

/** An error as one line and an exit code. Never a stack. */
export function failureOf(error: unknown): Failure {
  if (error instanceof KeyloomError) {
    return {
      code: error.code,
      message: error.message,
      exit: EXIT_CODES[ERROR_CODES[error.code as ErrorCode]],
    };
  }
  if (error instanceof Error) {
    const code = (error as { code?: unknown }).code;
    const system = typeof code === "string" ? SYSTEM[code] : undefined;
    return {
      code: typeof code === "string" ? code : error.name,
      message: error.message,
      exit: EXIT_CODES[system ?? "failed"],
    };
  }
  return { code: "UNKNOWN", message: "something that is no error was thrown", exit: EXIT_CODES.failed };
}
