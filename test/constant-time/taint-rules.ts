/** Code that computes the taint mask of a numeric operation's result. The rules are those of `opcodes.ts`. */
import { type Emitter, maskOf } from "./emitter.js";
import type { NumericOpcode, ValueType } from "./opcodes.js";

/** Rules that need the operands' values as well as their masks. */
const NEEDS_VALUES = new Set(["and", "or", "andnot", "bitselect", "shift", "swizzle"]);

/**
 * Emits the operation, whose operands are on the stack, and the computation of its result's mask.
 *
 * @param masks - locals with the operands' masks
 * @param out - the local for the result's mask; it may be one of `masks`
 */
export function emitNumeric(
  e: Emitter,
  opcode: NumericOpcode,
  immediates: Uint8Array,
  masks: readonly number[],
  out: number,
): void {
  const { name, operands, taint } = opcode;
  const values = operands.map((type, i) => e.local(`operand ${i}`, type));
  if (NEEDS_VALUES.has(taint)) {
    for (const value of [...values].reverse()) e.set(value);
    for (const value of values) e.get(value);
  }
  e.op(name, immediates);
  emitMask(e, opcode, immediates, masks, values);
  e.set(out);
}

function emitMask(
  e: Emitter,
  opcode: NumericOpcode,
  immediates: Uint8Array,
  masks: readonly number[],
  values: readonly number[],
): void {
  const { name, operands, result, taint } = opcode;
  const type = maskOf(result);
  const shape = name.split(".")[0]!;
  const [a, b] = masks as [number, number];
  const [va, vb] = values as [number, number];
  const logic = (operation: string): void => e.op(`${type}.${operation}`);
  const not = (): void => {
    if (type === "v128") return logic("not");
    if (type === "i32") e.i32(-1);
    else e.raw([0x42, 0x7f]);
    logic("xor");
  };
  /** All operands' masks, or-ed. */
  const union = (): void => {
    e.get(a);
    if (masks.length === 1) return;
    e.get(b);
    logic("or");
  };
  switch (taint) {
    case "same":
      for (const mask of masks) e.get(mask);
      return e.op(name, immediates);
    case "xor":
      return union();
    case "not":
      return e.get(a);
    case "and": // a & (vb | b)  |  b & va
      return bitwise(e, type, [a, vb, b], [b, va]);
    case "or": // a & (~vb | b)  |  b & ~va
      e.get(vb);
      not();
      e.set(e.local("inverse", type));
      bitwiseFirst(e, type, a, e.local("inverse", type), b);
      e.get(b);
      e.get(va);
      not();
      logic("and");
      return logic("or");
    case "andnot": // va & ~vb:  a & (~vb | b)  |  b & va
      e.get(vb);
      not();
      e.set(e.local("inverse", type));
      return bitwise(e, type, [a, e.local("inverse", type), b], [b, va]);
    case "bitselect": // where the choice is public, the mask of what was chosen
      e.get(a);
      e.get(b);
      e.get(values[2]!);
      e.op("v128.bitselect");
      e.get(masks[2]!);
      return logic("or");
    case "carry":
      union();
      return carry(e, type, shape);
    case "extmul": {
      const wider = name.replace("extmul", "extend").replace(/_[su]$/, "_u");
      union();
      e.op(wider);
      return carry(e, type, shape);
    }
    case "lane":
      union();
      return wholeLanes(e, shape);
    case "narrow": {
      const from = /_(i\d+x\d+)_/.exec(name)![1]!;
      for (const mask of masks) {
        e.get(mask);
        wholeLanes(e, from);
      }
      return e.op(`${shape}.narrow_${from}_s`);
    }
    case "verdict":
      return anyOf(e, masks, operands);
    case "all":
      anyOf(e, masks, operands);
      return e.spread(result);
    case "shift":
      e.get(a);
      e.get(vb);
      e.op(name);
      e.any(b, operands[1]!);
      e.spread(result);
      return logic("or");
    case "swizzle":
      e.get(a);
      e.get(vb);
      e.op(name);
      e.get(b);
      wholeLanes(e, "i8x16");
      return logic("or");
  }
}

/** a & (x | b) */
function bitwiseFirst(e: Emitter, type: string, a: number, x: number, b: number): void {
  e.get(a);
  e.get(x);
  e.get(b);
  e.op(`${type}.or`);
  e.op(`${type}.and`);
}

/** a & (x | b)  |  c & y */
function bitwise(
  e: Emitter,
  type: string,
  [a, x, b]: [number, number, number],
  [c, y]: [number, number],
): void {
  bitwiseFirst(e, type, a, x, b);
  e.get(c);
  e.get(y);
  e.op(`${type}.and`);
  e.op(`${type}.or`);
}

/** From its lowest set bit upwards: t | −t, in every lane. */
function carry(e: Emitter, type: "i32" | "i64" | "v128", shape: string): void {
  const mask = e.local("carry", type);
  if (type === "v128") {
    e.tee(mask);
    e.op(`${shape}.neg`);
  } else {
    e.set(mask);
    e.zero(type);
    e.get(mask);
    e.op(`${type}.sub`);
  }
  e.get(mask);
  e.op(`${type}.or`);
}

function wholeLanes(e: Emitter, shape: string): void {
  e.zero("v128");
  e.op(`${shape}.ne`);
}

/** 0 or 1: is any bit of any mask set? */
function anyOf(e: Emitter, masks: readonly number[], types: readonly ValueType[]): void {
  for (const [i, mask] of masks.entries()) {
    e.any(mask, types[i]!);
    if (i > 0) e.op("i32.or");
  }
}
