/** Passing over instructions without rewriting them. */
import type { Reader } from "./binary.js";
import { opcodeOf, type Opcode } from "./opcodes.js";

/** Opcodes without anything behind them that `opcodes.ts` doesn't list. */
const BARE = [0x00, 0x01, 0x0f, 0x1a, 0x1b];
/** Those with one index behind them. */
const INDEXED = [0x0c, 0x0d, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x3f, 0x40];

export function isBlock(byte: number): boolean {
  return byte >= 0x02 && byte <= 0x04;
}

/** Passes over the rest of a block, up to and with its end. */
export function skipBlock(reader: Reader): void {
  reader.signed();
  for (;;) {
    const byte = reader.byte();
    if (byte === 0x0b) return;
    if (isBlock(byte)) skipBlock(reader);
    else if (byte !== 0x05) skipRest(reader, byte);
  }
}

/** Passes over what follows an opcode that begins or ends no block. */
export function skipRest(reader: Reader, byte: number): void {
  if (BARE.includes(byte)) return;
  if (INDEXED.includes(byte)) return void reader.u32();
  switch (byte) {
    case 0x0e: // br_table
      reader.list(() => reader.u32());
      return void reader.u32();
    case 0x11: // call_indirect
      reader.u32();
      return void reader.u32();
    case 0x1c: // select of a type
      return void reader.list(() => reader.byte());
    case 0x41:
    case 0x42:
      return void reader.signed();
    case 0x43:
      return void reader.take(4);
    case 0x44:
      return void reader.take(8);
    default:
      return skipOpcode(reader, byte, byte === 0xfc || byte === 0xfd ? reader.u32() : undefined);
  }
}

function skipOpcode(reader: Reader, byte: number, sub?: number): void {
  if (byte === 0xfd && sub === 12) return void reader.take(16);
  if (byte === 0xfc && sub !== undefined && sub >= 8) {
    reader.u32();
    if (sub === 8 || sub === 10) reader.u32();
    return;
  }
  const opcode = opcodeOf(byte, sub);
  if (opcode === undefined) throw new Error(`opcode 0x${byte.toString(16)} ${sub ?? ""} is not known`);
  skipImmediates(reader, opcode);
}

export function skipImmediates(reader: Reader, { immediate }: Opcode): void {
  if (immediate === "memory" || immediate === "memory+lane") {
    reader.u32();
    reader.u32();
  }
  if (immediate === "lane" || immediate === "memory+lane") reader.byte();
  if (immediate === "16 bytes") reader.take(16);
}
