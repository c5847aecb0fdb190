/** The standard job: 10,000 distinct 32-byte keys, own nonce and 48 bytes of associated data each. */
import { randomFillSync } from "node:crypto";

export const COUNT = 10_000;
export const KEY = 32;
export const AAD = 48;
export const TAG = 16;

export function random(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length));
}

/** The i-th of many records of one length, as a view. */
export function at(all: Uint8Array, i: number, length: number): Uint8Array {
  return all.subarray(i * length, (i + 1) * length);
}

export interface Batch {
  key: Uint8Array;
  nonces: Uint8Array;
  nonceLength: number;
  aads: Uint8Array;
  plaintexts: Uint8Array;
}

export function batch(nonceLength: number): Batch {
  return {
    key: random(32),
    nonces: random(COUNT * nonceLength),
    nonceLength,
    aads: random(COUNT * AAD),
    plaintexts: random(COUNT * KEY),
  };
}
