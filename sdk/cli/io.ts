/** What a command talks to: handed in, so that tests can listen. */
import type { Readable, Writable } from "node:stream";
import { KeyloomError } from "../index.js";

export interface Io {
  stdin: Readable & { isTTY?: boolean; setRawMode?: (on: boolean) => unknown };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first interrupt; a text as the reason says what it was. */
  signal: AbortSignal;
}

/** @param outcome - how things stand now, for the message */
export function interrupted(signal: AbortSignal, outcome: string): KeyloomError {
  const reason = typeof signal.reason === "string" ? signal.reason : "interrupted";
  return new KeyloomError("JOB_CANCELLED", { message: `${reason}; ${outcome}` });
}

export function usage(message: string): KeyloomError {
  return new KeyloomError("CLI_USAGE", { message });
}

// Names and file names come from anywhere; a terminal must not take orders from them.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text with control characters written as `\u{…}`. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** A value as one line of JSON. Control characters stand in it by JSON's own escapes, so the value is the same. */
export function jsonLine(value: unknown): string {
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(value).replace(UNSAFE, (character) => character.split("").map(escape).join(""))}\n`;
}

/** Columns of equal width; the first row is the heading. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join("  "))
    .join("\n");
}
