/**
 * Rewrites a compiled module so that it follows secrets while it computes.
 *
 * Every value gets a mask beside it, one bit for each of its bits: locals, operands, globals and results have a second
 * one, and memory a second half, so that the mask of the byte at `a` lies at `a + shadow`. Values are computed by the very
 * instructions of the original. Before an instruction whose time could depend on a value, that value's mask is looked at;
 * two tables of bytes behind the shadow say which of these places were reached, and which by a secret.
 *
 * Not followed, and so refused: tail calls, exceptions, tables that change, more than one memory.
 */
import { module, Reader, sections, sized, typeByte, typeOf, u32, vector } from "./binary.js";
import type { Cells, Context, FunctionType, GlobalType, Site } from "./context.js";
import { maskOf } from "./emitter.js";
import { rewriteFunction } from "./instrument-function.js";
import type { ValueType } from "./opcodes.js";

export interface Instrumented {
  bytes: Uint8Array<ArrayBuffer>;
  sites: Site[];
  /** Pages of the original's memory, and of the instrumented one's. */
  pages: number;
  allPages: number;
  shadow: number;
  /** One byte a site: reached; reached by a secret. */
  reachedAt: number;
  tripsAt: number;
  exports: Map<string, FunctionType & { index: number }>;
  /** Indices of the functions that the module defines. */
  defined: { first: number; count: number };
}

const PAGE = 65_536;
/** Pages for each table of sites: no module has more sites. */
const SITE_PAGES = 4;
const NO_CELLS: Cells = { from: 0, to: 0, wide: [] };

/** The global that hands over the mask of a result is exported under this name. */
export function resultMaskName(type: "i32" | "i64" | "v128"): string {
  return `mask of an ${type}`;
}

export function instrument(original: Uint8Array, cells: Cells = NO_CELLS): Instrumented {
  const found = new Map(sections(original).map((section) => [section.id, section]));
  /** Reads a section that is a vector; one that is absent is empty. */
  const list = <T>(id: number, one: (reader: Reader) => T): T[] => {
    const section = found.get(id);
    if (section === undefined) return [];
    const reader = new Reader(section.contents);
    return reader.list(() => one(reader));
  };

  const types = list(1, (r) => {
    if (r.byte() !== 0x60) throw new Error("not a function type");
    return { params: r.list(() => typeOf(r.byte())), results: r.list(() => typeOf(r.byte())) };
  });
  const functions: number[] = [];
  const globals: GlobalType[] = [];
  let pages = 0;
  const imports = list(2, (r) => {
    const start = r.at;
    r.name();
    r.name();
    const names = r.bytes.slice(start, r.at);
    const kind = r.byte();
    const at = r.at;
    if (kind === 0) {
      functions.push(r.u32());
    } else if (kind === 2) {
      const hasMaximum = (r.byte() & 1) === 1;
      pages = r.u32();
      if (hasMaximum) r.u32();
    } else if (kind === 3) {
      globals.push({ type: typeOf(r.byte()), mutable: r.byte() === 1 });
    } else {
      throw new Error("an imported table");
    }
    return { names, kind, rest: r.bytes.slice(at, r.at) };
  });
  if (pages === 0) throw new Error("memory must be imported");
  const importedFunctions = functions.length;
  functions.push(...list(3, (r) => r.u32()));
  const definedGlobals = list(6, (r) => {
    const start = r.at;
    globals.push({ type: typeOf(r.byte()), mutable: r.byte() === 1 });
    skipConstant(r);
    return r.bytes.slice(start, r.at);
  });

  const shadow = pages * PAGE;
  const reachedAt = 2 * shadow;
  const allPages = 2 * pages + 2 * SITE_PAGES;
  const firstMask = globals.length;
  const context: Context = {
    types,
    functions,
    importedFunctions,
    globals,
    firstMask,
    resultMasks: { i32: 2 * firstMask, i64: 2 * firstMask + 1, v128: 2 * firstMask + 2 },
    pages,
    shadow,
    reachedAt,
    tripsAt: reachedAt + SITE_PAGES * PAGE,
    sites: [],
    cells,
  };

  const code = found.get(10)!;
  const bodies = new Reader(code.contents);
  let next = importedFunctions;
  const rewritten = bodies.list(() => {
    const length = bodies.u32();
    const from = bodies.at;
    const body = bodies.take(length);
    return sized(rewriteFunction(body, next++, code.at + from, context));
  });
  if (context.sites.length > SITE_PAGES * PAGE) throw new Error("more sites than there is room for");

  // Every type again, with a mask for each parameter.
  const masked = types.map(({ params, results }) => ({
    params: [...params, ...params.map(maskOf)],
    results,
  }));
  const masksOfGlobals = globals.map(({ type }) => zeroGlobal(maskOf(type)));
  const masksOfResults = MASKS.map(zeroGlobal);
  const exported = list(7, (r) => {
    const at = r.at;
    const [name, kind, index] = [r.name(), r.byte(), r.u32()];
    return { name, kind, index, bytes: r.bytes.slice(at, r.at) };
  });
  const masksExported = MASKS.map((type, i) => [
    ...nameBytes(resultMaskName(type)),
    3,
    ...u32(2 * firstMask + i),
  ]);

  const replaced: Record<number, number[]> = {
    1: vector([...types, ...masked].map(encodeType)),
    2: vector(
      imports.map(({ names, kind, rest }) => [
        ...names,
        kind,
        ...(kind === 2 ? [0, ...u32(allPages)] : rest),
      ]),
    ),
    3: vector(functions.slice(importedFunctions).map((type) => u32(type + types.length))),
    6: vector([...definedGlobals.map((global) => [...global]), ...masksOfGlobals, ...masksOfResults]),
    7: vector([...exported.map(({ bytes }) => [...bytes]), ...masksExported]),
    10: vector(rewritten),
  };
  const order = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];
  const output = order.flatMap((id) => {
    const contents = replaced[id] ?? found.get(id)?.contents;
    return contents === undefined ? [] : [{ id, contents }];
  });
  return {
    bytes: module(output),
    sites: context.sites,
    pages,
    allPages,
    shadow,
    reachedAt,
    tripsAt: context.tripsAt,
    exports: new Map(
      exported
        .filter(({ kind }) => kind === 0)
        .map(({ name, index }) => [name, { index, ...types[functions[index]!]! }]),
    ),
    defined: { first: importedFunctions, count: functions.length - importedFunctions },
  };
}

const MASKS = ["i32", "i64", "v128"] as const;

function skipConstant(r: Reader): void {
  const opcode = r.byte();
  if (opcode === 0x41 || opcode === 0x42) r.signed();
  else if (opcode === 0x43) r.take(4);
  else if (opcode === 0x44) r.take(8);
  else if (opcode === 0x23) r.u32();
  else if (opcode === 0xfd && r.u32() === 12) r.take(16);
  else throw new Error("a global's value that is no constant");
  if (r.byte() !== 0x0b) throw new Error("a global's value of more than one instruction");
}

function zeroGlobal(type: "i32" | "i64" | "v128"): number[] {
  const zero = { i32: [0x41, 0], i64: [0x42, 0], v128: [0xfd, 12, ...new Array<number>(16).fill(0)] }[type];
  return [typeByte(type), 1, ...zero, 0x0b];
}

function encodeType({ params, results }: FunctionType): number[] {
  const list = (all: readonly ValueType[]): number[] => vector(all.map((type) => [typeByte(type)]));
  return [0x60, ...list(params), ...list(results)];
}

function nameBytes(name: string): number[] {
  return sized([...new TextEncoder().encode(name)]);
}
