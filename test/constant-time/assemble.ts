/** A small assembler for the tests of the checker: one module of a few functions, from the names of instructions. */
import { module, sized, s32, typeByte, u32, vector } from "./binary.js";
import { opcodeNamed, type ValueType } from "./opcodes.js";

/** A name and its immediates: `["i32.const", 5]`, `["br_if", 0]`, `["i32.load", 2, 16]`. */
export type Instruction = readonly [name: string, ...immediates: number[]];

export interface FunctionSource {
  /** Exported under this name. */
  name: string;
  params?: readonly ValueType[];
  result?: ValueType;
  locals?: readonly ValueType[];
  code: readonly Instruction[];
}

/** What `opcodes.ts` leaves to the rewriting of functions. */
const CONTROL: Record<string, number[]> = {
  unreachable: [0x00],
  block: [0x02],
  loop: [0x03],
  if: [0x04],
  else: [0x05],
  end: [0x0b],
  br: [0x0c],
  br_if: [0x0d],
  br_table: [0x0e],
  return: [0x0f],
  call: [0x10],
  call_indirect: [0x11],
  drop: [0x1a],
  select: [0x1b],
  "local.get": [0x20],
  "local.set": [0x21],
  "local.tee": [0x22],
  "global.get": [0x23],
  "global.set": [0x24],
  "memory.size": [0x3f],
  "memory.grow": [0x40],
  "i32.const": [0x41],
  "i64.const": [0x42],
  "memory.copy": [0xfc, 10],
  "memory.fill": [0xfc, 11],
  "v128.const": [0xfd, 12],
};

/** Types of blocks, as immediates. */
export const EMPTY = 0x40;
export const I32 = 0x7f;

function encode([name, ...immediates]: Instruction): number[] {
  const control = CONTROL[name];
  if (control === undefined) {
    const { code, immediate } = opcodeNamed(name);
    const [byte, sub] = code;
    const opcode = [byte, ...(sub === undefined ? [] : u32(sub))];
    return [...opcode, ...(immediate === "16 bytes" ? immediates : immediates.flatMap(u32))];
  }
  const asIs = ["block", "loop", "if", "v128.const"].includes(name);
  if (asIs) return [...control, ...immediates];
  return [...control, ...immediates.flatMap(name.endsWith(".const") ? s32 : u32)];
}

function text(value: string): number[] {
  return sized([...new TextEncoder().encode(value)]);
}

/**
 * One page of memory and the host's `random` (function 0) are imported. There is a global, an i32, and a table that holds
 * every function; both begin with index 0.
 */
export function assemble(functions: readonly FunctionSource[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ params = [], result }) => [
    0x60,
    ...vector(params.map((type) => [typeByte(type)])),
    ...vector(result === undefined ? [] : [[typeByte(result)]]),
  ]);
  const randomType = [0x60, 2, I32, I32, 1, I32];
  const count = u32(functions.length + 1);
  const bodies = functions.map(({ locals = [], code }) =>
    sized([...vector(locals.map((type) => [1, typeByte(type)])), ...code.flatMap(encode), 0x0b]),
  );
  return module([
    { id: 1, contents: vector([...types, randomType]) },
    {
      id: 2,
      contents: vector([
        [...text("env"), ...text("memory"), 2, 0, 1],
        [...text("env"), ...text("random"), 0, ...u32(functions.length)],
      ]),
    },
    { id: 3, contents: vector(functions.map((_, i) => u32(i))) },
    { id: 4, contents: [1, 0x70, 0, ...count] },
    { id: 6, contents: [1, I32, 1, 0x41, 0, 0x0b] },
    { id: 7, contents: vector(functions.map(({ name }, i) => [...text(name), 0, ...u32(i + 1)])) },
    {
      id: 9,
      contents: [1, 0, 0x41, 0, 0x0b, ...vector([u32(0), ...functions.map((_, i) => u32(i + 1))])],
    },
    { id: 10, contents: vector(bodies) },
  ]);
}
