/** Memory after every call that wraps or unwraps, under one wrap algorithm. */
import { expect } from "vitest";
import { USAGE } from "../../../bindings/attributes.js";
import type { Call, Probe } from "./probe.js";
import { ALL_CIPHER, ALL_WRAP, bytes } from "../support.js";
import { WRAPPING, type Wrapping } from "../wrapped-key.js";
import {
  attributes,
  flipped,
  KEK_MATERIAL,
  KEK_VERSION,
  model,
  NEW_MATERIAL,
  theKek,
  unwrapped,
  words,
} from "./kit.js";

export function wrapUnder(t: Probe, row: Wrapping): void {
  const size = 32 + row.overhead;
  const kek = theKek(t, KEK_VERSION, ALL_WRAP, row.algorithm);
  const attributesOf = (count: number): Uint8Array => attributes(count, {}, KEK_VERSION, row.wrap);
  const generating = (count: number): Call => ({
    inputs: [attributesOf(count)],
    reserve: count * size,
    args: ([a], out) => [kek, a!, count, 32, out],
    secrets: (output) => unwrapped(KEK_MATERIAL, attributesOf(count), output),
  });
  const fresh = (count: number): Uint8Array => t.call("vaultGenerateAndWrap", generating(count)).output;
  for (const count of [0, 1, 2, 9, 128, 129, 300]) fresh(count);
  t.ranges("vaultGenerateAndWrap", generating(3));
  for (const draws of [0, 1]) {
    t.drawsLeft = draws;
    const drawn = t.attempt("vaultGenerateAndWrap", generating(129));
    // Keys are always drawn. Where there are no nonces, a piece takes one draw.
    expect({ status: drawn.status, findings: drawn.findings }).toEqual({ status: "RANDOM", findings: [] });
  }
  t.drawsLeft = Infinity;

  const keys = Array.from({ length: 5 }, (_, i) => t.key(ALL_CIPHER, { material: bytes(32, 300 + i) }));
  for (const count of [1, 5, 129]) {
    const handles = Array.from({ length: count }, (_, i) => keys[i % 5]!);
    t.call("vaultWrap", {
      inputs: [words(...handles)],
      reserve: count * size,
      args: ([h], out) => [kek, h!, count, 32, out],
    });
  }

  const wrapped = fresh(1);
  const [material] = unwrapped(KEK_MATERIAL, attributesOf(1), wrapped) as [Uint8Array];
  t.addKey(material);
  const unwrapping = (record: Uint8Array): Call => ({
    inputs: [attributesOf(1), record],
    args: ([a, w], end) => [kek, a!, w!, record.length - row.overhead, end],
    key: () => model({}, 0, material),
  });
  t.call("vaultUnwrap", unwrapping(wrapped));
  for (const i of [0, 31, 32, 63, 64, size - 1])
    t.call("vaultUnwrap", unwrapping(flipped(wrapped, i)), "AUTHENTICATION");
  for (const length of [0, 5, 16, 31, 33, 64])
    t.call("vaultUnwrap", unwrapping(bytes(row.overhead + length, 5)), "AUTHENTICATION");

  for (const count of [1, 5, 129]) {
    const records = fresh(count);
    const broken = count > 1 ? [0, 2, count - 1] : [];
    broken.forEach((i, n) => (records[i * size + [60, 3, size - 1][n]!]! ^= 1));
    const expected = Array.from({ length: count }, (_, i) => (broken.includes(i) ? 1 : 0));
    const opened = t.call("vaultOpenCheck", {
      inputs: [attributesOf(count), records],
      reserve: count,
      args: ([a, w], out) => [kek, a!, w!, count, 32, out],
    });
    expect([...opened.output]).toEqual(expected);
    for (const to of WRAPPING) {
      const next = theKek(t, 4, ALL_WRAP, to.algorithm);
      const toSize = 32 + to.overhead;
      const moving: Call = {
        inputs: [attributesOf(count), records],
        reserve: count * (toSize + 1),
        args: ([a, w], out) => [kek, next, a!, w!, count, 32, out],
      };
      const { output } = t.call("vaultRewrap", moving);
      expect([...output.subarray(count * toSize)]).toEqual(expected);
      if (count === 5) t.ranges("vaultRewrap", moving);
    }
  }

  const parent = t.key(USAGE.DERIVE | ALL_CIPHER, { algorithm: 3, material: NEW_MATERIAL });
  for (const count of [1, 129]) {
    t.call("vaultDeriveAndWrap", {
      inputs: [attributesOf(count), bytes(count * 3, 5)],
      reserve: count * size,
      args: ([a, i], out) => [parent, kek, a!, i!, 3, count, out],
      secrets: (output) => unwrapped(KEK_MATERIAL, attributesOf(count), output),
    });
  }
}
