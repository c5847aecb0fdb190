/**
 * The checker itself: one small module for each rule that breaks it, and a twin that does the same without breaking it;
 * then the ways in which a secret travels.
 */
import { describe, expect, it } from "vitest";

import { assemble, EMPTY, I32, type FunctionSource, type Instruction } from "./assemble.js";
import { Checker } from "./checker.js";
import { RULES, type Cells, type Rule } from "./context.js";
import { Subject } from "./subject.js";

/** A secret lies at 64 … 127, public bytes at 0 … 63. */
const SECRET = 64;
const PUBLIC = 0;

const secret: Instruction[] = [
  ["i32.const", SECRET],
  ["i32.load", 2, 0],
];
const open: Instruction[] = [
  ["i32.const", PUBLIC],
  ["i32.load", 2, 0],
];

interface Outcome {
  rules: Rule[];
  checker: Checker;
}

function run(code: readonly Instruction[], more: Partial<FunctionSource> = {}, cells?: Cells): Outcome {
  const helper: FunctionSource = { name: "helper", params: ["i32"], result: "i32", code: [["local.get", 0]] };
  const main: FunctionSource = { name: "main", code, ...more };
  const checker = new Checker(new Subject(assemble([main, helper, { ...helper, name: "another" }]), cells));
  checker.memory.fill(1, SECRET, SECRET + 64);
  checker.taint(SECRET, 64);
  checker.call("main", []);
  return { rules: checker.take().violations.map(({ rule }) => rule), checker };
}

type Source = (value: readonly Instruction[]) => Instruction[];

/** Of each rule, code that breaks it when the value that it is given is secret. */
const LEAKS: Record<Exclude<Rule, "result of an export" | "verdict of more than one bit">, Source> = {
  "condition of if": (x) => [...x, ["if", EMPTY], ["end"]],
  "condition of br_if": (x) => [["block", EMPTY], ...x, ["br_if", 0], ["end"]],
  "index of br_table": (x) => [["block", EMPTY], ...x, ["br_table", 1, 0, 0], ["end"]],
  "condition of select": (x) => [["i32.const", 1], ["i32.const", 2], ...x, ["select"], ["drop"]],
  "index of call_indirect": (x) => [
    ["i32.const", 7],
    ...x,
    ["i32.const", 1],
    ["i32.and"],
    ["i32.const", 2],
    ["i32.add"],
    ["call_indirect", 1, 0],
    ["drop"],
  ],
  "address of a load": (x) => [...x, ["i32.const", 15], ["i32.and"], ["i64.load8_u", 0, 4], ["drop"]],
  "address of a store": (x) => [...x, ["i32.const", 15], ["i32.and"], ["i32.const", 1], ["i32.store8", 0, 0]],
  "address or length in bulk memory": (x) => [
    ["i32.const", 256],
    ["i32.const", 0],
    ...x,
    ["i32.const", 15],
    ["i32.and"],
    ["memory.fill", 0],
  ],
  "operand of a division": (x) => [
    ["i32.const", 100],
    ...x,
    ["i32.const", 1],
    ["i32.or"],
    ["i32.rem_u"],
    ["drop"],
  ],
  "operand of floating point": (x) => [...x, ["f64.convert_i32_u"], ["drop"]],
  "argument of the host": (x) => [
    ["i32.const", 512],
    ...x,
    ["i32.const", 15],
    ["i32.and"],
    ["call", 0],
    ["drop"],
  ],
};

/** Other instructions that fall under the same rules. */
const MORE_LEAKS: [rule: Rule, source: Source][] = [
  ["address or length in bulk memory", (x) => [...x, ["memory.grow", 0], ["drop"]]],
  [
    "address or length in bulk memory",
    (x) => [
      ["i32.const", 256],
      ...x,
      ["i32.const", 15],
      ["i32.and"],
      ["i32.const", 4],
      ["memory.copy", 0, 0],
    ],
  ],
  [
    "address of a load",
    (x) => [
      ...x,
      ["i32.const", 15],
      ["i32.and"],
      ["v128.const", ...zeros(16)],
      ["v128.load32_lane", 0, 0, 1],
      ["drop"],
    ],
  ],
  [
    "address of a store",
    (x) => [
      ...x,
      ["i32.const", 15],
      ["i32.and"],
      ["v128.const", ...zeros(16)],
      ["v128.store8_lane", 0, 0, 1],
    ],
  ],
  [
    "operand of a division",
    (x) => [
      ["i64.const", 9],
      ...x,
      ["i64.extend_i32_u"],
      ["i64.const", 1],
      ["i64.or"],
      ["i64.div_u"],
      ["drop"],
    ],
  ],
  ["operand of floating point", (x) => [...x, ["i32x4.splat"], ["f32x4.sqrt"], ["drop"]]],
  ["operand of floating point", (x) => [...x, ["f32.reinterpret_i32"], ["drop"]]],
];

function zeros(length: number): number[] {
  return new Array<number>(length).fill(0);
}

const ALL_LEAKS = [...(Object.entries(LEAKS) as [Rule, Source][]), ...MORE_LEAKS];

describe("a secret", () => {
  it.each(ALL_LEAKS)("is noticed as %s", (rule, source) => {
    expect(run(source(secret)).rules).toEqual([rule]);
  });

  it.each(ALL_LEAKS)("is not seen where a public value is %s", (_rule, source) => {
    expect(run(source(open)).rules).toEqual([]);
  });

  it.each(ALL_LEAKS)("is not seen in bits that were masked away before it is %s", (_rule, source) => {
    expect(run(source([...secret, ["i32.const", 0], ["i32.and"]])).rules).toEqual([]);
  });

  it("is noticed as result of an export", () => {
    expect(run(secret, { result: "i32" }).rules).toEqual(["result of an export"]);
    expect(run(open, { result: "i32" }).rules).toEqual([]);
  });

  it("has a planted leak here for every rule", () => {
    const rest = ["result of an export", "verdict of more than one bit"];
    expect([...Object.keys(LEAKS), ...rest].sort()).toEqual([...RULES].sort());
  });
});

/** Ways from the secret to a branch. */
const WAYS: Record<string, { code: Instruction[]; more?: Partial<FunctionSource> }> = {
  "a local": { code: [...secret, ["local.set", 0], ["local.get", 0]], more: { locals: ["i32"] } },
  "a global": { code: [...secret, ["global.set", 0], ["global.get", 0]] },
  "a function's parameter and result": { code: [...secret, ["call", 2]] },
  "an indirect call": { code: [...secret, ["i32.const", 2], ["call_indirect", 1, 0]] },
  "a block's result": { code: [["block", I32], ...secret, ["br", 0], ["end"]] },
  "a branch out of two blocks with operands below": {
    code: [["block", I32], ["block", I32], ["i32.const", 9], ...secret, ["br", 1], ["end"], ["end"]],
  },
  "a conditional branch with a value": {
    code: [["block", I32], ["i32.const", 9], ...secret, ["i32.const", 1], ["br_if", 0], ["i32.add"], ["end"]],
  },
  "one arm of an if": {
    code: [["i32.const", 1], ["if", I32], ...secret, ["else"], ["i32.const", 1], ["end"]],
  },
  "a return": { code: [...secret, ["call", 2], ["return"], ["i32.const", 0]], more: { result: "i32" } },
  select: { code: [["i32.const", 5], ...secret, ["i32.const", 0], ["select"]] },
  memory: {
    code: [["i32.const", 200], ...secret, ["i32.store16", 1, 0], ["i32.const", 200], ["i32.load8_s", 0, 1]],
  },
  "memory.copy": {
    code: [
      ["i32.const", 300],
      ["i32.const", SECRET],
      ["i32.const", 8],
      ["memory.copy", 0, 0],
      ["i32.const", 300],
      ["i32.load8_u", 0, 7],
    ],
  },
  "memory.fill": {
    code: [
      ["i32.const", 300],
      ...secret,
      ["i32.const", 8],
      ["memory.fill", 0],
      ["i32.const", 300],
      ["i32.load8_u", 0, 7],
    ],
  },
  "a lane": { code: [...secret, ["i32x4.splat"], ["i16x8.extract_lane_u", 5]] },
  "a shuffle": {
    code: [
      ["v128.const", ...zeros(16)],
      ...secret,
      ["i32x4.splat"],
      ["i8x16.shuffle", ...zeros(15), 20],
      ["i8x16.extract_lane_u", 15],
    ],
  },
  "random bytes": {
    code: [
      ["i32.const", 400],
      ["i32.const", 4],
      ["call", 0],
      ["drop"],
      ["i32.const", 400],
      ["i32.load", 2, 0],
    ],
  },
  "the carry of an addition": {
    code: [
      ...secret,
      ["i32.const", 1],
      ["i32.and"],
      ["i32.const", 255],
      ["i32.add"],
      ["i32.const", 8],
      ["i32.shr_u"],
    ],
  },
};

/** The same roads, with nothing secret on them. */
const CLEAN: Record<string, Instruction[]> = {
  "the other arm of an if": [["i32.const", 0], ["if", I32], ...secret, ["else"], ["i32.const", 1], ["end"]],
  "a conditional branch not taken": [
    ["block", I32],
    ["i32.const", 9],
    ...secret,
    ["i32.const", 0],
    ["br_if", 0],
    ["drop"],
    ["end"],
  ],
  "select of the other": [["i32.const", 5], ...secret, ["i32.const", 1], ["select"]],
  "a secret overwritten": [["i32.const", SECRET], ["i32.const", 7], ["i32.store", 2, 0], ...secret],
  "a secret wiped": [
    ["i32.const", SECRET],
    ["i32.const", 0],
    ["i32.const", 4],
    ["memory.fill", 0],
    ...secret,
  ],
  "the byte beside a secret": [
    ["i32.const", 200],
    ...secret,
    ["i32.store8", 0, 0],
    ["i32.const", 200],
    ["i32.load8_u", 0, 1],
  ],
  "the bits that a shift left clear": [
    ...secret,
    ["i32.const", 16],
    ["i32.shl"],
    ["i32.const", 65535],
    ["i32.and"],
  ],
  "a shuffle of the other vector": [
    ["v128.const", ...zeros(16)],
    ...secret,
    ["i32x4.splat"],
    ["i8x16.shuffle", ...zeros(15), 15],
    ["i8x16.extract_lane_u", 15],
  ],
  "a secret index of a swizzle, in the lanes that have another": [
    ["v128.const", ...zeros(16)],
    ["v128.const", ...zeros(16)],
    ...secret,
    ["i8x16.replace_lane", 3],
    ["i8x16.swizzle"],
    ["i8x16.extract_lane_u", 4],
  ],
};

const branch: Instruction[] = [["if", EMPTY], ["end"]];

describe("a secret is followed", () => {
  it.each(Object.keys(WAYS))("through %s", (name) => {
    const { code, more = {} } = WAYS[name]!;
    if (more.result !== undefined) return expect(run(code, more).rules).toEqual(["result of an export"]);
    expect(run([...code, ...branch], more).rules).toEqual(["condition of if"]);
  });

  it.each(Object.keys(CLEAN))("and not into %s", (name) => {
    expect(run([...CLEAN[name]!, ...branch]).rules).toEqual([]);
  });
});

describe("a cell of verdicts", () => {
  const cells: Cells = { from: 1024, to: 1040, wide: [1028] };
  const through = (cell: number, value: Instruction[]): Instruction[] => [
    ["i32.const", 0],
    ...value,
    ["i32.store", 2, cell],
    ["i32.const", 0],
    ["i32.load", 2, cell],
    ...branch,
  ];
  const oneBit: Instruction[] = [...secret, ["i32.eqz"]];

  it("makes one bit public", () => {
    const { rules, checker } = run(through(1024, oneBit), {}, cells);
    expect(rules).toEqual([]);
    expect(checker.take().declassified.size).toBe(0);
    const again = new Checker(new Subject(assemble([{ name: "main", code: through(1024, oneBit) }]), cells));
    again.taint(SECRET, 4);
    again.call("main", []);
    expect([...again.take().declassified]).toEqual([1024]);
  });

  it("makes more bits public only where it is meant to", () => {
    expect(run(through(1024, secret), {}, cells).rules).toEqual(["verdict of more than one bit"]);
    expect(run(through(1028, secret), {}, cells).rules).toEqual([]);
  });

  it("is nothing but memory elsewhere", () => {
    expect(run(through(1040, oneBit), {}, cells).rules).toEqual(["condition of if"]);
  });
});

describe("what the checker does not follow", () => {
  it.each([
    ["a tail call", [0x12, 0]],
    ["an atomic", [0xfe, 0x10, 2, 0]],
    ["a table that changes", [0xfc, 14, 0, 0]],
  ])("is refused: %s", (_, opcode) => {
    const marker = [0x41, 42, 0x1a];
    const bytes = assemble([{ name: "main", code: [["i32.const", 42], ["drop"], ["unreachable"]] }]);
    const at = bytes.findIndex((_, i) => marker.every((byte, k) => bytes[i + k] === byte));
    bytes.set(opcode, at);
    expect(() => new Subject(bytes)).toThrow(/is not followed/);
  });
});
