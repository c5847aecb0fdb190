/** Reading and writing the binary format of WebAssembly (Core Specification 2.0, §5). */
import type { ValueType } from "./opcodes.js";

const TYPE_BYTES: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const TYPES = new Map(Object.entries(TYPE_BYTES).map(([type, byte]) => [byte, type as ValueType]));

export function typeByte(type: ValueType): number {
  return TYPE_BYTES[type];
}

export function typeOf(byte: number): ValueType {
  const type = TYPES.get(byte);
  if (type === undefined) throw new Error(`no value type 0x${byte.toString(16)}`);
  return type;
}

/** Unsigned LEB128. */
export function u32(value: number): number[] {
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  out.push(value);
  return out;
}

/** Signed LEB128 of a 32-bit number. */
export function s32(value: number): number[] {
  const out: number[] = [];
  for (;;) {
    const byte = value & 127;
    value >>= 7;
    if ((value === 0 && byte < 64) || (value === -1 && byte >= 64)) return [...out, byte];
    out.push(byte | 128);
  }
}

export class Reader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.bytes[this.at++]!;
  }

  u32(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  /** A signed LEB128 number of up to 64 bits; above 2^53 only its length is right. */
  signed(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return byte >= 64 ? value - scale * 128 : value;
    }
  }

  take(length: number): Uint8Array {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }

  list<T>(one: () => T): T[] {
    return Array.from({ length: this.u32() }, one);
  }
}

export interface Section {
  id: number;
  /** Where its contents begin in the file. */
  at: number;
  contents: Uint8Array;
}

export function sections(module: Uint8Array): Section[] {
  const reader = new Reader(module, 8);
  const out: Section[] = [];
  while (reader.at < module.length) {
    const id = reader.byte();
    const length = reader.u32();
    out.push({ id, at: reader.at, contents: reader.take(length) });
  }
  return out;
}

export function sized(contents: readonly number[]): number[] {
  return u32(contents.length).concat(contents);
}

export function vector(items: readonly (readonly number[])[]): number[] {
  return u32(items.length).concat(...items);
}

export function module(
  parts: { id: number; contents: readonly number[] | Uint8Array }[],
): Uint8Array<ArrayBuffer> {
  const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  for (const { id, contents } of parts) {
    out.push(id, ...u32(contents.length));
    for (const byte of contents) out.push(byte);
  }
  return Uint8Array.from(out);
}

/** Names of functions, from the custom section that debug builds have. */
export function functionNames(module: Uint8Array): Map<number, string> {
  const names = new Map<number, string>();
  for (const { id, contents } of sections(module)) {
    const reader = new Reader(contents);
    if (id !== 0 || reader.name() !== "name") continue;
    while (reader.at < contents.length) {
      const subsection = reader.byte();
      const end = reader.u32() + reader.at;
      if (subsection === 1)
        for (const [index, name] of reader.list(() => [reader.u32(), reader.name()] as const))
          names.set(index, name);
      reader.at = end;
    }
  }
  return names;
}
