/** What the rewriting of a module finds out, and what the rewriting of each function needs to know. */
import type { ValueType } from "./opcodes.js";

/** What a secret must not be. */
export const RULES = [
  "condition of if",
  "condition of br_if",
  "index of br_table",
  "condition of select",
  "index of call_indirect",
  "address of a load",
  "address of a store",
  "address or length in bulk memory",
  "operand of a division",
  "operand of floating point",
  "argument of the host",
  "result of an export",
  "verdict of more than one bit",
] as const;
export type Rule = (typeof RULES)[number];

/** A place in the original module. */
export interface Site {
  rule: Rule | "declassification";
  functionIndex: number;
  /** Byte offset in the file. */
  offset: number;
  /** Of a declassification: the address that is read. */
  cell?: number;
}

/** Addresses whose loads declassify: see `assembly/memory/declassify.ts`. */
export interface Cells {
  from: number;
  /** Exclusive. */
  to: number;
  /** Those that may hold more than one bit. */
  wide: readonly number[];
}

export interface FunctionType {
  params: ValueType[];
  results: ValueType[];
}

export interface GlobalType {
  type: ValueType;
  mutable: boolean;
}

/** What the rewriting of a function needs to know of its module. */
export interface Context {
  types: FunctionType[];
  /** Of each function, its index in `types`. */
  functions: number[];
  importedFunctions: number;
  globals: GlobalType[];
  /** The global with the mask of global 0; those of the others follow. */
  firstMask: number;
  resultMasks: Record<"i32" | "i64" | "v128", number>;
  pages: number;
  shadow: number;
  reachedAt: number;
  tripsAt: number;
  sites: Site[];
  cells: Cells;
}
