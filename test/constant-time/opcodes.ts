/**
 * The opcodes of WebAssembly (MVP, sign extension, saturating conversions, bulk memory, 128-bit SIMD), and of each
 * numeric one what it does to taint. Source: WebAssembly Core Specification 2.0, §5.4.
 */

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** An opcode as it is encoded: one byte, or a prefix and a number. */
export type Code = readonly [byte: number, sub?: number];

/** What follows an opcode in the code. */
export type Immediate = "none" | "memory" | "memory+lane" | "lane" | "16 bytes";

/**
 * How the taint of a result follows from the operands and their taint. Taint is a mask with a bit for each bit of a value.
 *
 * | rule | the result's mask |
 * |---|---|
 * | same | the same operation on the masks (what moves bits: extensions, splats, shuffles, lanes) |
 * | and, or, xor, andnot, not, bitselect | bit by bit; a bit that a public operand decides stays public |
 * | carry | from the lowest tainted bit upwards (add, sub, mul, neg) |
 * | extmul | as carry, over the widened masks |
 * | lane | the whole lane when one bit of it is tainted |
 * | narrow | the same, in narrower lanes |
 * | verdict | the lowest bit when any bit is tainted (comparisons) |
 * | all | every bit when any is tainted |
 * | shift | the same shift of the mask; every bit when the distance is tainted |
 * | swizzle | the same selection of the mask; every bit of a lane whose index is tainted |
 */
export type TaintRule =
  | "same"
  | "and"
  | "or"
  | "xor"
  | "andnot"
  | "not"
  | "bitselect"
  | "carry"
  | "extmul"
  | "lane"
  | "narrow"
  | "verdict"
  | "all"
  | "shift"
  | "swizzle";

export interface Numeric {
  kind: "numeric";
  operands: ValueType[];
  result: ValueType;
  taint: TaintRule;
  /** What makes this operation unfit for secrets. */
  forbids?: "division" | "float";
  immediate: Immediate;
}

export interface Access {
  kind: "load" | "store";
  type: ValueType;
  /** A load into a lane, or a store of one: the vector is an operand. */
  lane: boolean;
  immediate: Immediate;
}

interface Named {
  name: string;
  code: Code;
}

export type NumericOpcode = Named & Numeric;
export type AccessOpcode = Named & Access;
export type Opcode = NumericOpcode | AccessOpcode;

const COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const FLOAT_COMPARISONS = "eq ne lt gt le ge";
const INTEGER = "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
const FLOAT = "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign";

/** Names in the order of their codes, from a first code on. `-` is a gap; a name without a dot belongs to the word before the colon. */
const PLAIN: [first: number, names: string][] = [
  [0x28, "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u"],
  [0x30, "i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u"],
  [0x36, "i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32"],
  [0x45, `i32: eqz ${COMPARISONS}`],
  [0x50, `i64: eqz ${COMPARISONS}`],
  [0x5b, `f32: ${FLOAT_COMPARISONS}`],
  [0x61, `f64: ${FLOAT_COMPARISONS}`],
  [0x67, `i32: ${INTEGER}`],
  [0x79, `i64: ${INTEGER}`],
  [0x8b, `f32: ${FLOAT}`],
  [0x99, `f64: ${FLOAT}`],
  [0xa7, "i32: wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"],
  [0xac, "i64: extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"],
  [0xb2, "f32: convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64"],
  [0xb7, "f64: convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32"],
  [0xbc, "i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64"],
  [0xc0, "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s"],
];

const SATURATING: [first: number, names: string][] = [
  [0, "i32: trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u"],
  [4, "i64: trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u"],
];

const VECTOR: [first: number, names: string][] = [
  [0, "v128: load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u"],
  [7, "v128: load8_splat load16_splat load32_splat load64_splat store"],
  [13, "i8x16.shuffle i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat"],
  [21, "i8x16: extract_lane_s extract_lane_u replace_lane"],
  [24, "i16x8: extract_lane_s extract_lane_u replace_lane"],
  [27, "i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane"],
  [31, "f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane"],
  [35, `i8x16: ${COMPARISONS}`],
  [45, `i16x8: ${COMPARISONS}`],
  [55, `i32x4: ${COMPARISONS}`],
  [65, `f32x4: ${FLOAT_COMPARISONS}`],
  [71, `f64x2: ${FLOAT_COMPARISONS}`],
  [77, "v128: not and andnot or xor bitselect any_true load8_lane load16_lane load32_lane load64_lane"],
  [88, "v128: store8_lane store16_lane store32_lane store64_lane load32_zero load64_zero"],
  [94, "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4"],
  [96, "i8x16: abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u"],
  [103, "f32x4: ceil floor trunc nearest"],
  [107, "i8x16: shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u"],
  [116, "f64x2.ceil f64x2.floor i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u f64x2.trunc i8x16.avgr_u"],
  [124, "i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u"],
  [126, "i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u"],
  [128, "i16x8: abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u"],
  [135, "i16x8: extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u"],
  [139, "i16x8: shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u"],
  [148, "f64x2.nearest i16x8.mul i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u - i16x8.avgr_u"],
  [156, "i16x8: extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u"],
  [160, "i32x4: abs neg - all_true bitmask"],
  [167, "i32x4: extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u"],
  [171, "i32x4: shl shr_s shr_u add - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s"],
  [188, "i32x4: extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u"],
  [192, "i64x2: abs neg - all_true bitmask"],
  [199, "i64x2: extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u"],
  [203, "i64x2: shl shr_s shr_u add - - sub - - - mul eq ne lt_s gt_s le_s ge_s"],
  [220, "i64x2: extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u"],
  [224, "f32x4: abs neg - sqrt add sub mul div min max pmin pmax"],
  [236, "f64x2: abs neg - sqrt add sub mul div min max pmin pmax"],
  [248, "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u"],
  [252, "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero"],
  [254, "f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u"],
];

/** The type of a value that a lane of a vector is taken from or put into. */
const LANE: Record<string, ValueType> = {
  i8x16: "i32",
  i16x8: "i32",
  i32x4: "i32",
  i64x2: "i64",
  f32x4: "f32",
  f64x2: "f64",
};

type Shape = [taint: TaintRule, operands: ValueType[], result: ValueType, immediate?: Immediate];

function scalarShape(type: ValueType, operation: string): Shape {
  const source = /_(i32|i64|f32|f64)/.exec(operation)?.[1] as ValueType | undefined;
  if (source !== undefined) return [/^(wrap|extend)/.test(operation) ? "same" : "all", [source], type];
  if (operation.startsWith("extend")) return ["same", [type], type];
  if (operation === "eqz") return ["verdict", [type], "i32"];
  if (/^(eq|ne|[lg][te])(_|$)/.test(operation)) return ["verdict", [type, type], "i32"];
  if (/^(clz|ctz|popcnt)$/.test(operation)) return ["all", [type], type];
  if (type.startsWith("f")) {
    return ["all", /^(abs|neg|ceil|floor|trunc|nearest|sqrt)$/.test(operation) ? [type] : [type, type], type];
  }
  if (/^(shl|shr|rot)/.test(operation)) return ["shift", [type, type], type];
  if (/^(div|rem)/.test(operation)) return ["all", [type, type], type];
  return [/^(and|or|xor)$/.test(operation) ? (operation as TaintRule) : "carry", [type, type], type];
}

function vectorShape(shape: string, operation: string): Shape {
  const one: ValueType[] = ["v128"];
  const two: ValueType[] = ["v128", "v128"];
  switch (operation) {
    case "shuffle":
      return ["same", two, "v128", "16 bytes"];
    case "swizzle":
      return ["swizzle", two, "v128"];
    case "splat":
      return ["same", [LANE[shape]!], "v128"];
    case "replace_lane":
      return ["same", ["v128", LANE[shape]!], "v128", "lane"];
    case "not":
      return ["not", one, "v128"];
    case "and":
    case "or":
    case "xor":
    case "andnot":
      return [operation, two, "v128"];
    case "bitselect":
      return ["bitselect", ["v128", "v128", "v128"], "v128"];
    case "any_true":
    case "all_true":
      return ["verdict", one, "i32"];
    case "bitmask":
      return ["same", one, "i32"];
    case "add":
    case "sub":
    case "mul":
      return ["carry", two, "v128"];
    case "neg":
      return ["carry", one, "v128"];
    default:
  }
  if (operation.startsWith("extract_lane")) return ["same", one, LANE[shape]!, "lane"];
  if (operation.startsWith("extend_")) return ["same", one, "v128"];
  if (operation.startsWith("extmul_")) return ["extmul", two, "v128"];
  if (operation.startsWith("narrow_")) return ["narrow", two, "v128"];
  if (/^sh[lr]/.test(operation)) return ["shift", ["v128", "i32"], "v128"];
  const unary = /^(abs|popcnt|extadd_pairwise|ceil|floor|trunc|nearest|sqrt|demote|promote|convert)/;
  return ["lane", unary.test(operation) ? one : two, "v128"];
}

function describe(name: string, code: Code): Opcode {
  const [prefix, operation] = name.split(".") as [string, string];
  if (/^(load|store)/.test(operation)) {
    const lane = operation.endsWith("_lane");
    return {
      name,
      code,
      kind: operation.startsWith("load") ? "load" : "store",
      type: prefix as ValueType,
      lane,
      immediate: lane ? "memory+lane" : "memory",
    };
  }
  const vector = prefix === "v128" || prefix.includes("x");
  const [taint, operands, result, immediate = "none"] = vector
    ? vectorShape(prefix, operation)
    : scalarShape(prefix as ValueType, operation);
  const float = /(^|_)f(32|64)/.test(name);
  const forbids = float ? "float" : /^(div|rem)_/.test(operation) ? "division" : undefined;
  const rule = float ? "all" : taint;
  const numeric: Numeric = { kind: "numeric", operands, result, taint: rule, immediate };
  return { name, code, ...numeric, ...(forbids === undefined ? {} : { forbids }) };
}

function* spelledOut(table: [number, string][]): Generator<[code: number, name: string]> {
  for (const [first, names] of table) {
    const words = names.split(" ");
    const prefix = words[0]!.endsWith(":") ? words.shift()!.replace(":", ".") : "";
    for (const [i, word] of words.entries()) if (word !== "-") yield [first + i, prefix + word];
  }
}

/** Every opcode that computes, loads or stores. What decides where control goes is in `instrument.ts`. */
export const OPCODES: readonly Opcode[] = [
  ...Array.from(spelledOut(PLAIN), ([code, name]) => describe(name, [code])),
  ...Array.from(spelledOut(SATURATING), ([code, name]) => describe(name, [0xfc, code])),
  ...Array.from(spelledOut(VECTOR), ([code, name]) => describe(name, [0xfd, code])),
];

const byName = new Map(OPCODES.map((opcode) => [opcode.name, opcode]));
const byCode = new Map(OPCODES.map((opcode) => [keyOf(...opcode.code), opcode]));

function keyOf(byte: number, sub = 0): number {
  return byte * 1024 + sub;
}

export function opcodeNamed(name: string): Opcode {
  const opcode = byName.get(name);
  if (opcode === undefined) throw new Error(`no opcode ${name}`);
  return opcode;
}

export function opcodeOf(byte: number, sub?: number): Opcode | undefined {
  return byCode.get(keyOf(byte, sub));
}
