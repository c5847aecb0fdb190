/** The rewriting of one function: see `instrument.ts`. */
import { Reader, typeByte, typeOf, u32 } from "./binary.js";
import type { Context, FunctionType, Rule } from "./context.js";
import { Emitter, maskOf } from "./emitter.js";
import { opcodeOf, type AccessOpcode, type Opcode, type ValueType } from "./opcodes.js";
import { isBlock, skipBlock, skipImmediates, skipRest } from "./skip.js";
import { emitNumeric } from "./taint-rules.js";

interface Operand {
  type: ValueType;
  /** Known when it is a constant. */
  constant?: number | undefined;
}

interface Frame {
  kind: "block" | "loop" | "if" | "function";
  type: FunctionType;
  /** Operands below those of the block. */
  height: number;
  /** After a branch: nothing runs up to the end. */
  dead: boolean;
}

/**
 * @param at - the body's offset in the file
 * @returns the new body, without its length
 */
export function rewriteFunction(body: Uint8Array, index: number, at: number, context: Context): number[] {
  return new FunctionRewriter(body, index, at, context).run();
}

class FunctionRewriter {
  readonly #reader: Reader;
  readonly #index: number;
  readonly #at: number;
  readonly #context: Context;
  readonly #type: FunctionType;
  readonly #locals: ValueType[];
  readonly #e: Emitter;
  readonly #stack: Operand[] = [];
  readonly #frames: Frame[] = [];
  /** Offset of the instruction in hand. */
  #offset = 0;

  constructor(body: Uint8Array, index: number, at: number, context: Context) {
    this.#reader = new Reader(body);
    this.#index = index;
    this.#at = at;
    this.#context = context;
    this.#type = context.types[context.functions[index]!]!;
    const declared = this.#reader.list(() => {
      const count = this.#reader.u32();
      return new Array<ValueType>(count).fill(typeOf(this.#reader.byte()));
    });
    this.#locals = declared.flat();
    this.#e = new Emitter(2 * (this.#type.params.length + this.#locals.length));
  }

  run(): number[] {
    const { results } = this.#type;
    // A block around the body, so that every way out passes the end, where the mask of the result is handed over.
    this.#e.raw([0x02, ...(results.length === 0 ? [0x40] : [typeByte(results[0]!)])]);
    if (results.length > 1) throw new Error("more than one result");
    this.#frames.push({ kind: "function", type: this.#type, height: 0, dead: false });
    while (this.#frames.length > 0) this.#step();
    if (results.length === 1) {
      this.#e.get(this.#mask(0, results[0]!));
      this.#setGlobal(this.#context.resultMasks[maskOf(results[0]!)]);
    }
    this.#e.raw([0x0b]);
    return [...this.#e.locals([...this.#locals, ...this.#locals.map(maskOf)]), ...this.#e.code];
  }

  // --- Operands and their masks

  get #frame(): Frame {
    return this.#frames.at(-1)!;
  }

  /** The local with the mask of the operand at a height. */
  #mask(height: number, type: ValueType): number {
    return this.#e.local(`mask ${height}`, maskOf(type));
  }

  /** The mask of the operand that lies `depth` below the top. */
  #top(depth = 0): number {
    const height = this.#stack.length - 1 - depth;
    return this.#mask(height, this.#stack[height]!.type);
  }

  #push(type: ValueType, constant?: number): void {
    this.#stack.push({ type, constant });
  }

  #pop(count = 1): Operand {
    if (this.#stack.length - count < this.#frame.height) throw new Error("too few operands");
    return this.#stack.splice(this.#stack.length - count, count)[0]!;
  }

  /** Where a local of the original is now, and its mask. */
  #local(index: number): { value: number; mask: number; type: ValueType } {
    const params = this.#type.params.length;
    if (index < params) return { value: index, mask: index + params, type: this.#type.params[index]! };
    const value = index + params;
    return { value, mask: value + this.#locals.length, type: this.#locals[index - params]! };
  }

  #setGlobal(index: number): void {
    this.#e.raw([0x24, ...u32(index)]);
  }

  #getGlobal(index: number): void {
    this.#e.raw([0x23, ...u32(index)]);
  }

  // --- Places

  #store8(address: number): void {
    this.#e.i32(0);
    this.#e.i32(1);
    this.#e.op("i32.store8", [0, ...u32(address)]);
  }

  /** Makes a place of the instruction in hand, and marks it as reached. */
  #site(rule: Rule | "declassification", cell?: number): number {
    const { sites, reachedAt } = this.#context;
    const site = { rule, functionIndex: this.#index, offset: this.#at + this.#offset };
    const number = sites.push(cell === undefined ? site : { ...site, cell }) - 1;
    this.#store8(reachedAt + number);
    return number;
  }

  /** Emits: when the 0 or 1 on the stack is 1, the place was reached by a secret. */
  #trip(site: number): void {
    this.#e.raw([0x04, 0x40]);
    this.#store8(this.#context.tripsAt + site);
    this.#e.raw([0x0b]);
  }

  /** Emits: none of these operands, counted from the top, may be secret. */
  #check(rule: Rule, depths: readonly number[]): void {
    const site = this.#site(rule);
    for (const [i, depth] of depths.entries()) {
      this.#e.any(this.#top(depth), this.#stack[this.#stack.length - 1 - depth]!.type);
      if (i > 0) this.#e.op("i32.or");
    }
    this.#trip(site);
  }

  // --- Instructions

  #step(): void {
    const reader = this.#reader;
    const start = reader.at;
    this.#offset = start;
    const byte = reader.byte();
    if (this.#frame.dead) return this.#skip(byte);
    switch (byte) {
      case 0x00: // unreachable
        this.#e.raw([byte]);
        this.#frame.dead = true;
        return;
      case 0x01: // nop
        return;
      case 0x02:
      case 0x03:
        return this.#begin(byte === 0x02 ? "block" : "loop", byte);
      case 0x04:
        this.#check("condition of if", [0]);
        this.#pop();
        return this.#begin("if", byte);
      case 0x05:
        return this.#else();
      case 0x0b:
        return this.#end();
      case 0x0c: {
        const depth = reader.u32();
        this.#branch(depth);
        return;
      }
      case 0x0d:
        return this.#branchIf(reader.u32());
      case 0x0e:
        return this.#branchTable();
      case 0x0f: // return
        return this.#branch(this.#frames.length - 1);
      case 0x10: {
        const callee = reader.u32();
        if (callee < this.#context.importedFunctions) return this.#callHost(callee);
        return this.#call(this.#context.functions[callee]!, [byte, ...u32(callee)]);
      }
      case 0x11: {
        this.#check("index of call_indirect", [0]);
        const type = reader.u32();
        const table = reader.u32();
        this.#pop();
        const masked = u32(type + this.#context.types.length);
        const target = this.#e.local("target", "i32");
        this.#e.set(target);
        return this.#call(type, [byte, ...masked, ...u32(table)], target);
      }
      case 0x1a: // drop
        this.#e.raw([byte]);
        this.#pop();
        return;
      case 0x1b:
        return this.#select([byte]);
      case 0x1c: {
        const types = reader.list(() => reader.byte());
        return this.#select([byte, ...u32(types.length), ...types]);
      }
      case 0x20: {
        const { value, mask, type } = this.#local(reader.u32());
        this.#push(type);
        this.#e.get(mask);
        this.#e.set(this.#top());
        return this.#e.get(value);
      }
      case 0x21:
      case 0x22: {
        const { value, mask } = this.#local(reader.u32());
        this.#e.raw([byte, ...u32(value)]);
        this.#e.get(this.#top());
        this.#e.set(mask);
        if (byte === 0x21) this.#pop();
        return;
      }
      case 0x23: {
        const index = reader.u32();
        this.#getGlobal(index);
        this.#push(this.#context.globals[index]!.type);
        this.#getGlobal(this.#context.firstMask + index);
        return this.#e.set(this.#top());
      }
      case 0x24: {
        const index = reader.u32();
        this.#setGlobal(index);
        this.#e.get(this.#top());
        this.#setGlobal(this.#context.firstMask + index);
        this.#pop();
        return;
      }
      case 0x3f: // memory.size: of the original's half
        reader.byte();
        this.#e.i32(this.#context.pages);
        return this.#public("i32");
      case 0x40: // memory.grow: refused, which the specification allows
        reader.byte();
        this.#check("address or length in bulk memory", [0]);
        this.#e.raw([0x1a]);
        this.#pop();
        this.#e.i32(-1);
        return this.#public("i32");
      case 0x41: {
        const constant = reader.signed();
        this.#copy(start);
        return this.#public("i32", constant);
      }
      case 0x42:
        reader.signed();
        this.#copy(start);
        return this.#public("i64");
      case 0x43:
      case 0x44:
        reader.take(byte === 0x43 ? 4 : 8);
        this.#copy(start);
        return this.#public(byte === 0x43 ? "f32" : "f64");
      case 0xfc:
      case 0xfd:
        return this.#prefixed(byte, reader.u32(), start);
      default: {
        const opcode = opcodeOf(byte);
        if (opcode === undefined) throw this.#unknown(byte);
        return this.#opcode(opcode);
      }
    }
  }

  #unknown(byte: number, sub?: number): Error {
    const code = [byte, ...(sub === undefined ? [] : [sub])]
      .map((part) => `0x${part.toString(16)}`)
      .join(" ");
    return new Error(`opcode ${code} at 0x${(this.#at + this.#offset).toString(16)} is not followed`);
  }

  /** Copies the instruction in hand. */
  #copy(start: number): void {
    this.#e.raw(this.#reader.bytes.subarray(start, this.#reader.at));
  }

  /** Pushes a value that is not secret. */
  #public(type: ValueType, constant?: number): void {
    this.#push(type, constant);
    this.#e.zero(type);
    this.#e.set(this.#top());
  }

  #prefixed(byte: number, sub: number, start: number): void {
    if (byte === 0xfd && sub === 12) {
      this.#reader.take(16);
      this.#copy(start);
      return this.#public("v128");
    }
    if (byte === 0xfc && sub >= 8 && sub <= 11) return this.#bulk(sub, start);
    const opcode = opcodeOf(byte, sub);
    if (opcode === undefined) throw this.#unknown(byte, sub);
    this.#opcode(opcode);
  }

  #opcode(opcode: Opcode): void {
    const start = this.#reader.at;
    skipImmediates(this.#reader, opcode);
    const immediates = this.#reader.bytes.subarray(start, this.#reader.at);
    if (opcode.kind !== "numeric") {
      return opcode.kind === "load" ? this.#load(opcode, immediates) : this.#store(opcode, immediates);
    }
    const count = opcode.operands.length;
    const depths = opcode.operands.map((_, i) => count - 1 - i);
    if (opcode.forbids === "division") this.#check("operand of a division", depths);
    if (opcode.forbids === "float") this.#check("operand of floating point", depths);
    const masks = depths.map((depth) => this.#top(depth));
    this.#pop(count);
    this.#push(opcode.result);
    emitNumeric(this.#e, opcode, immediates, masks, this.#top());
  }

  // --- Memory

  /** Immediates of an access, moved by a number of bytes. */
  #moved(immediates: Uint8Array, by: number): number[] {
    const reader = new Reader(immediates);
    const [, offset] = [reader.u32(), reader.u32()];
    // Aligned as little as may be: the mask may lie anywhere.
    return [0, ...u32(offset + by), ...immediates.subarray(reader.at)];
  }

  #load(opcode: AccessOpcode, immediates: Uint8Array): void {
    const e = this.#e;
    const { shadow, cells } = this.#context;
    const mask = maskedAccess(opcode.name);
    const address = e.local("address", "i32");
    if (opcode.lane) {
      this.#check("address of a load", [1]);
      const vector = e.local("vector", "v128");
      e.set(vector);
      e.tee(address);
      e.get(vector);
      e.op(opcode.name, immediates);
      e.get(address);
      e.get(this.#top());
      e.op(mask, this.#moved(immediates, shadow));
      this.#pop(2);
      this.#push("v128");
      return e.set(this.#top());
    }
    this.#check("address of a load", [0]);
    e.tee(address);
    e.op(opcode.name, immediates);
    e.get(address);
    e.op(mask, this.#moved(immediates, shadow));
    const { constant } = this.#pop();
    this.#push(opcode.type);
    e.set(this.#top());
    if (constant === undefined) return;
    const reader = new Reader(immediates);
    const [, offset] = [reader.u32(), reader.u32()];
    const cell = (constant >>> 0) + offset;
    if (cell >= cells.from && cell < cells.to && opcode.name === "i32.load") this.#declassify(cell);
  }

  /** The operand on top was read from a cell of verdicts: it is public from here on. */
  #declassify(cell: number): void {
    const e = this.#e;
    const value = e.local("verdict", "i32");
    const mask = this.#top();
    const declassified = this.#site("declassification", cell);
    e.any(mask, "i32");
    this.#trip(declassified);
    if (!this.#context.cells.wide.includes(cell)) {
      const narrow = this.#site("verdict of more than one bit");
      e.tee(value);
      e.get(value);
      e.i32(1);
      e.op("i32.gt_u");
      e.any(mask, "i32");
      e.op("i32.and");
      this.#trip(narrow);
    }
    e.i32(0);
    e.set(mask);
  }

  #store(opcode: AccessOpcode, immediates: Uint8Array): void {
    const e = this.#e;
    this.#check("address of a store", [1]);
    const value = e.local("stored", opcode.type);
    const address = e.local("address", "i32");
    e.set(value);
    e.tee(address);
    e.get(value);
    e.op(opcode.name, immediates);
    e.get(address);
    e.get(this.#top());
    e.op(maskedAccess(opcode.name), this.#moved(immediates, this.#context.shadow));
    this.#pop(2);
  }

  /** memory.init, data.drop, memory.copy, memory.fill. */
  #bulk(sub: number, start: number): void {
    const e = this.#e;
    this.#reader.u32();
    if (sub === 9) return this.#copy(start);
    if (sub !== 11) this.#reader.u32();
    const bytes = this.#reader.bytes.subarray(start, this.#reader.at);
    this.#check("address or length in bulk memory", sub === 11 ? [0, 2] : [0, 1, 2]);
    const [to, from, length] = [e.local("to", "i32"), e.local("from", "i32"), e.local("length", "i32")];
    const shadowed = (local: number): void => {
      e.get(local);
      e.i32(this.#context.shadow);
      e.op("i32.add");
    };
    e.set(length);
    e.set(from);
    e.tee(to);
    e.get(from);
    e.get(length);
    e.raw(bytes);
    shadowed(to);
    if (sub === 10) {
      shadowed(from);
      e.get(length);
      e.raw(bytes);
    } else {
      if (sub === 11) e.get(this.#top(1));
      else e.i32(0);
      e.get(length);
      e.raw([0xfc, 11, 0]);
    }
    this.#pop(3);
  }

  // --- Calls

  #call(typeIndex: number, bytes: number[], target?: number): void {
    const { params, results } = this.#context.types[typeIndex]!;
    for (let depth = params.length - 1; depth >= 0; depth--) this.#e.get(this.#top(depth));
    if (target !== undefined) this.#e.get(target);
    this.#e.raw(bytes);
    this.#pop0(params.length);
    if (results.length === 0) return;
    if (results.length > 1) throw new Error("more than one result");
    this.#push(results[0]!);
    this.#getGlobal(this.#context.resultMasks[maskOf(results[0]!)]);
    this.#e.set(this.#top());
  }

  /** What the host is told is public, and so is what it answers. */
  #callHost(callee: number): void {
    const { params, results } = this.#context.types[this.#context.functions[callee]!]!;
    if (params.length > 0) this.#check("argument of the host", [...params.keys()]);
    this.#e.raw([0x10, ...u32(callee)]);
    this.#pop0(params.length);
    for (const result of results) this.#public(result);
  }

  #pop0(count: number): void {
    if (count > 0) this.#pop(count);
  }

  #select(bytes: number[]): void {
    this.#check("condition of select", [0]);
    const condition = this.#e.local("condition", "i32");
    this.#e.tee(condition);
    this.#e.raw(bytes);
    const [second, first] = [this.#top(1), this.#top(2)];
    this.#e.get(first);
    this.#e.get(second);
    this.#e.get(condition);
    this.#e.raw([0x1b]);
    this.#e.set(first);
    const { type } = this.#pop(3);
    this.#push(type);
  }

  // --- Control

  #blockType(): FunctionType {
    const code = this.#reader.signed();
    if (code >= 0) return this.#context.types[code]!;
    return { params: [], results: code === -64 ? [] : [typeOf(code & 127)] };
  }

  #begin(kind: Frame["kind"], byte: number): void {
    const start = this.#reader.at;
    const type = this.#blockType();
    this.#e.raw([byte, ...this.#reader.bytes.subarray(start, this.#reader.at)]);
    this.#frames.push({ kind, type, height: this.#stack.length - type.params.length, dead: false });
  }

  #resetTo(types: readonly ValueType[]): void {
    this.#stack.length = this.#frame.height;
    for (const type of types) this.#push(type);
  }

  #else(): void {
    this.#resetTo(this.#frame.type.params);
    this.#frame.dead = false;
    this.#e.raw([0x05]);
  }

  #end(): void {
    const { type } = this.#frame;
    this.#resetTo(type.results);
    this.#frames.pop();
    this.#e.raw([0x0b]);
  }

  #label(depth: number): { types: ValueType[]; height: number } {
    const frame = this.#frames[this.#frames.length - 1 - depth]!;
    return { types: frame.kind === "loop" ? frame.type.params : frame.type.results, height: frame.height };
  }

  /** Moves the masks of what a branch takes along to where its target has them. */
  #carryTo(depth: number, onlyIf?: number): void {
    const { types, height } = this.#label(depth);
    for (const [i, type] of types.entries()) {
      const from = this.#mask(this.#stack.length - types.length + i, type);
      const to = this.#mask(height + i, type);
      if (from === to) continue;
      this.#e.get(from);
      if (onlyIf !== undefined) {
        this.#e.get(to);
        this.#e.get(onlyIf);
        this.#e.raw([0x1b]);
      }
      this.#e.set(to);
    }
  }

  #branch(depth: number): void {
    this.#carryTo(depth);
    this.#e.raw([0x0c, ...u32(depth)]);
    this.#frame.dead = true;
  }

  #branchIf(depth: number): void {
    this.#check("condition of br_if", [0]);
    this.#pop();
    const condition = this.#e.local("condition", "i32");
    this.#e.tee(condition);
    this.#carryTo(depth, condition);
    this.#e.raw([0x0d, ...u32(depth)]);
  }

  #branchTable(): void {
    this.#check("index of br_table", [0]);
    this.#pop();
    const depths = this.#reader.list(() => this.#reader.u32());
    depths.push(this.#reader.u32());
    if (depths.some((depth) => this.#label(depth).types.length > 0))
      throw new Error("br_table with operands");
    this.#e.raw([0x0e, ...u32(depths.length - 1), ...depths.flatMap(u32)]);
    this.#frame.dead = true;
  }

  /** Code that is never reached: nothing of it is kept. */
  #skip(byte: number): void {
    if (byte === 0x05) this.#else();
    else if (byte === 0x0b) this.#end();
    else if (isBlock(byte)) skipBlock(this.#reader);
    else skipRest(this.#reader, byte);
  }
}

/** The access that reads or writes the mask of what an access reads or writes. */
function maskedAccess(name: string): string {
  return name.replace("f32.", "i32.").replace("f64.", "i64.");
}
