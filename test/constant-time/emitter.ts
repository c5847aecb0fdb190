/** Code of one instrumented function, as it grows: instructions, and the locals that they ask for. */
import { s32, typeByte, u32, vector } from "./binary.js";
import { opcodeNamed, type ValueType } from "./opcodes.js";

/** The type of a value's taint mask. */
export function maskOf(type: ValueType): "i32" | "i64" | "v128" {
  return type === "f32" ? "i32" : type === "f64" ? "i64" : type;
}

export class Emitter {
  readonly code: number[] = [];
  readonly #first: number;
  readonly #types: ValueType[] = [];
  readonly #named = new Map<string, number>();

  /** @param first - the index of the first local that is free */
  constructor(first: number) {
    this.#first = first;
  }

  /** The local of a name and a type: one that is made, or the one that was. */
  local(name: string, type: ValueType): number {
    const key = `${name} ${type}`;
    let index = this.#named.get(key);
    if (index === undefined) {
      index = this.#first + this.#types.push(type) - 1;
      this.#named.set(key, index);
    }
    return index;
  }

  raw(bytes: Iterable<number>): void {
    for (const byte of bytes) this.code.push(byte);
  }

  /** Numeric operations by name, without immediates or with those given. */
  op(name: string, immediates: Iterable<number> = []): void {
    const [byte, sub] = opcodeNamed(name).code;
    this.code.push(byte);
    if (sub !== undefined) this.raw(u32(sub));
    this.raw(immediates);
  }

  get(local: number): void {
    this.raw([0x20, ...u32(local)]);
  }

  set(local: number): void {
    this.raw([0x21, ...u32(local)]);
  }

  tee(local: number): void {
    this.raw([0x22, ...u32(local)]);
  }

  i32(value: number): void {
    this.raw([0x41, ...s32(value)]);
  }

  /** The mask of a value without taint. */
  zero(type: ValueType): void {
    const mask = maskOf(type);
    if (mask === "i32") this.i32(0);
    else if (mask === "i64") this.raw([0x42, 0]);
    else this.raw([0xfd, 12, ...new Array<number>(16).fill(0)]);
  }

  /** Is any bit of a mask set? From a local to an i32 on the stack. */
  any(local: number, type: ValueType): void {
    this.get(local);
    const mask = maskOf(type);
    if (mask === "v128") {
      this.op("v128.any_true");
    } else {
      this.zero(type);
      this.op(`${mask}.ne`);
    }
  }

  /** Turns a 0 or 1 on the stack into a mask of no bits or of all. */
  spread(type: ValueType): void {
    const flag = this.local("flag", "i32");
    this.set(flag);
    this.i32(0);
    this.get(flag);
    this.op("i32.sub");
    const mask = maskOf(type);
    if (mask === "i64") this.op("i64.extend_i32_s");
    if (mask === "v128") this.op("i32x4.splat");
  }

  /** The declaration of the locals that were made, behind others. */
  locals(before: readonly ValueType[]): number[] {
    return vector([...before, ...this.#types].map((type) => [1, typeByte(type)]));
  }
}
