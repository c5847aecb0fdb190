/** What the cases of every family share: keys, attributes, calls. */
import { ALGORITHM } from "../../../bindings/attributes.js";
import { Probe, type Call, type StatusName } from "./probe.js";
import { bytes } from "../support.js";

export const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** Sets a bit, in a copy. */
export function flipped(value: Uint8Array, index: number): Uint8Array {
  const copy = value.slice();
  copy[index]! ^= 0x10;
  return copy;
}

export interface Case {
  /** Every status that the export can return. */
  statuses: StatusName[];
  run: (t: Probe) => void;
}

export const STALE = 0x7fff_fc01;

export function allocating(t: Probe, name: string, call: Call): void {
  t.fillSlots();
  t.call(name, call, "SLOTS_EXHAUSTED");
}

export const FILE_KEY = { algorithm: ALGORITHM.AGE_FILE_KEY };

export const NEW_ID = bytes(16, 90);

export const NEW_MATERIAL = bytes(32, 91);

export const seal = (handle: number, text: Uint8Array, aad = bytes(21, 8)): Call => ({
  inputs: [aad, text],
  reserve: text.length + 72,
  args: ([a, x], out) => [handle, a!, aad.length, x!, text.length, out],
});

/** Lengths of messages in batches: lanes of one length, mixed ones, and long ones. */
export const MIXTURES = [
  [],
  [0],
  [5, 200, 64, 55, 56],
  [160, 160, 160, 160, 160, 160, 160],
  [1, 2, 3, 4, 1000, 0, 0, 0, 0],
];

export function total(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** One case per export of the core. */
export type Cases = Record<string, Case>;
