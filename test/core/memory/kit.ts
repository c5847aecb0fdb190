/** What the cases of every family share: keys, attributes, calls. */
import { ALGORITHM, encodeAttributes, WRAP_ALGORITHM } from "../../../bindings/attributes.js";
import { type Call, type KeyModel, type Probe, type StatusName } from "./probe.js";
import { ALL_CIPHER, ALL_WRAP, at, bytes } from "../support.js";
import { unwrapKey } from "../wrapped-key.js";

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

export const KEK_ID = bytes(16, 70);

export const KEK_VERSION = 3;

export const kek = { id: KEK_ID, version: KEK_VERSION };

export interface Child {
  algorithm?: number;
  usages?: number;
  flags?: number;
}

/** Attributes of `count` keys under the wrapping key that the tests use. */
export function attributes(
  count: number,
  child: Child = {},
  version = KEK_VERSION,
  wrap: number = WRAP_ALGORITHM.XCHACHA20_POLY1305,
): Uint8Array {
  const out = new Uint8Array(count * 48);
  for (let i = 0; i < count; i++) {
    const { algorithm = 1, usages = ALL_CIPHER, flags = 0 } = child;
    const template = { algorithm, usages, exportable: flags === 1, id: bytes(16, i + 1), version: i + 1 };
    encodeAttributes(template, KEK_ID, version, out, i * 48, wrap);
  }
  return out;
}

export function model(child: Child, i: number, material: Uint8Array): KeyModel {
  const { algorithm = 1, usages = ALL_CIPHER, flags = 0 } = child;
  return { algorithm, usages, flags, version: i + 1, id: bytes(16, i + 1), material };
}

/** The keys that were wrapped, opened by noble from what the formats' page says. */
export function unwrapped(kekMaterial: Uint8Array, all: Uint8Array, wrapped: Uint8Array): Uint8Array[] {
  const count = all.length / 48;
  const size = count === 0 ? 0 : wrapped.length / count;
  return Array.from({ length: count }, (_, i) =>
    unwrapKey(kekMaterial, at(all, i, 48), at(wrapped, i, size)),
  );
}

export const KEK_MATERIAL = bytes(32, 5071);
/** The material of every other version of the wrapping key. */
export const NEXT_MATERIAL = bytes(32, 5072);

export function theKek(
  t: Probe,
  version = KEK_VERSION,
  usages: number = ALL_WRAP,
  algorithm: number = ALGORITHM.XCHACHA20_POLY1305,
): number {
  return t.key(usages, {
    algorithm,
    id: KEK_ID,
    version,
    material: version === KEK_VERSION ? KEK_MATERIAL : NEXT_MATERIAL,
  });
}

/** One case per export of the core. */
export type Cases = Record<string, Case>;
