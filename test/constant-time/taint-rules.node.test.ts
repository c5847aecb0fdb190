/**
 * What the checker claims of each operation: whatever the secret bits of the operands are, the result differs only in bits
 * that its mask names. Every integer and vector operation is run on random operands, then again with secret bits changed.
 */
import { describe, expect, it } from "vitest";

import { bytes } from "../core/support.js";
import { assemble, type Instruction } from "./assemble.js";
import { Checker } from "./checker.js";
import { OPCODES, type NumericOpcode, type ValueType } from "./opcodes.js";
import { Subject } from "./subject.js";

const OPERANDS = 64;
const RESULT = 256;
const ROUNDS = 120;

/** Operations on floating point are forbidden for secrets; their rule is the coarsest. */
const TESTED = OPCODES.filter(
  (opcode): opcode is NumericOpcode => opcode.kind === "numeric" && opcode.forbids !== "float",
);

function variants({ immediate }: NumericOpcode): number[][] {
  if (immediate === "lane") return [[0], [1]];
  if (immediate === "16 bytes") return [[...bytes(16, 3)].map((byte) => byte & 31)];
  return [[]];
}

const FUNCTIONS = TESTED.flatMap((opcode) =>
  variants(opcode).map((immediates, variant) => ({
    opcode,
    name: variant === 0 ? opcode.name : `${opcode.name} ${immediates.join()}`,
    code: [
      ["i32.const", RESULT],
      ...opcode.operands.flatMap((type, i): Instruction[] => [
        ["i32.const", OPERANDS + 16 * i],
        [`${type}.load`, 0, 0],
      ]),
      [opcode.name, ...immediates],
      [`${opcode.result}.store`, 0, 0],
    ] as Instruction[],
  })),
);

const SIZE: Record<ValueType, number> = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 };

/** Masks of every kind: nothing, everything, one bit, some bytes, any bits. */
function mask(round: number, length: number): Uint8Array {
  const random = bytes(length, 7 * round + 3);
  switch (round % 5) {
    case 0:
      return new Uint8Array(length);
    case 1:
      return new Uint8Array(length).fill(255);
    case 2: {
      const bit = random[0]! % (8 * length);
      return Uint8Array.from({ length }, (_, i) => (i === bit >> 3 ? 1 << (bit & 7) : 0));
    }
    case 3:
      return random.map((byte) => ((byte & 1) !== 0 ? 255 : 0));
    default:
      return random;
  }
}

/** Values with small numbers, zeros and sign bits among them. */
function value(round: number, length: number): Uint8Array {
  const random = bytes(length, 11 * round + 5);
  return round % 3 === 0 ? random : random.map((byte, i) => [0, 255, 1, 128, byte][(byte + i) % 5]!);
}

const subject = new Subject(assemble(FUNCTIONS));

describe("the mask of a result", () => {
  const checker = new Checker(subject);
  const { memory, masks } = checker;
  const room = 16 * 3;

  /** @returns the result, or null where the operation traps */
  function compute(name: string, size: number): Uint8Array | null {
    try {
      checker.call(name, []);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) return null;
      throw error;
    }
    return memory.slice(RESULT, RESULT + size);
  }

  it.each(FUNCTIONS)("of $name names every bit that secret bits can change", ({ name, opcode }) => {
    const size = SIZE[opcode.result];
    let secretResults = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [values, secrets] = [value(round, room), mask(round, room)];
      // One operand alone is secret in most rounds.
      const only = round % 4;
      for (let i = 0; i < room; i++) if (only < 3 && i >> 4 !== only % opcode.operands.length) secrets[i] = 0;
      memory.set(values, OPERANDS);
      masks.set(secrets, OPERANDS);
      const result = compute(name, size);
      if (result === null) continue;
      const named = masks.slice(RESULT, RESULT + size);
      if (named.some((byte) => byte !== 0)) secretResults++;
      if (secrets.every((byte) => byte === 0)) expect([...named]).toEqual(Array.from(named, () => 0));
      for (let change = 0; change < 3; change++) {
        const other = values.map((byte, i) => byte ^ (bytes(room, round * 31 + change)[i]! & secrets[i]!));
        memory.set(other, OPERANDS);
        masks.set(secrets, OPERANDS);
        const changed = compute(name, size);
        if (changed === null) continue;
        const escaped = changed.some((byte, i) => ((byte ^ result[i]!) & ~named[i]!) !== 0);
        if (escaped) expect.fail(`round ${round}: a bit changes that the mask does not name`);
      }
    }
    expect(secretResults).toBeGreaterThan(0);
    checker.take();
  });

  it("is looked at for some 200 operations", () => {
    expect(new Set(FUNCTIONS.map(({ opcode }) => opcode.name)).size).toBeGreaterThan(200);
  });
});
