/** Reading the options of a command: each reader refuses what it can't make sense of. */
import { usage } from "./io.js";

export interface Option {
  readonly type: "string" | "boolean";
  readonly multiple?: true;
  readonly short?: string;
  readonly about: string;
}

export type OptionTable = Readonly<Record<string, Option>>;

/** What was given on the command line, by option. */
export interface Values {
  readonly [option: string]: string | boolean | string[] | undefined;
}

export function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** A positive whole number. */
export function count(values: Values, name: string): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (/^[1-9][0-9]{0,9}$/.test(value)) return Number(value);
  throw usage(`--${name} takes a positive whole number`);
}

const DATE = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** A day (its beginning in UTC), or a time with its zone. */
export function date(values: Values, name: string): Date | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  const day = DATE.exec(value)?.[1];
  const time = new Date(value);
  // The engine takes February 30th for March 2nd.
  if (day !== undefined && !Number.isNaN(time.getTime()) && new Date(day).toISOString().startsWith(day)) {
    return time;
  }
  throw usage(`--${name} takes a date such as 2027-01-31 or 2027-01-31T12:00:00Z`);
}

/** A date, or `none`: the date is to go. */
export function dateOrNone(values: Values, name: string): Date | null | undefined {
  return values[name] === "none" ? null : date(values, name);
}

/** The values of an option that may be given several times. */
export function many(values: Values, name: string): string[] | undefined {
  const value = values[name];
  return Array.isArray(value) ? value : undefined;
}

export function commaSeparated(values: Values, name: string): string[] | undefined {
  return text(values, name)
    ?.split(",")
    .filter((item) => item !== "");
}

/** @throws {KeyloomError} `CLI_USAGE` where both are given */
export function exclude(values: Values, one: string, other: string): void {
  if (values[one] !== undefined && values[other] !== undefined) {
    throw usage(`--${one} and --${other} exclude each other`);
  }
}

/** @throws {KeyloomError} `CLI_USAGE` where an option is given without the one that it belongs to */
export function needs(values: Values, name: string, needed: string): void {
  if (values[name] !== undefined && values[needed] === undefined) {
    throw usage(`--${name} goes with --${needed}`);
  }
}

/** Options that several commands have. */
export const VERSION_OPTION = {
  "key-version": { type: "string", about: "the version meant; may be left out where there is only one" },
} as const;
export const OUTPUT_OPTIONS = {
  output: { type: "string", short: "o", about: "where to write; - is stdout, which then holds nothing else" },
  force: { type: "boolean", about: "replace an existing output" },
} as const;
