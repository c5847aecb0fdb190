import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

import { describe, expect, it } from "vitest";
import { bundle, ROOT } from "./bundle.js";

const KB = 1000;

function brotli(data: string | Uint8Array): number {
  return brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
}

describe("what a browser downloads", () => {
  it("is at most 26 kB for the SIMD core, under brotli", () => {
    expect(brotli(readFileSync(`${ROOT}build/keyloom-simd.wasm`))).toBeLessThanOrEqual(26 * KB);
  });

  it("is at most 105 kB for an application with the memory store and both cores inside, and 13 kB once it audits or governs", async () => {
    const files = await bundle(`
      import { KeyManager } from "keyloom/inline";
      import { memoryStorage } from "keyloom/inline/storage/memory";
      globalThis.application = { KeyManager, memoryStorage };
    `);
    const chunks = files.filter((file) => file.type === "chunk");
    const first = new Set(chunks.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
    for (const name of first) {
      for (const imported of chunks.find(({ fileName }) => fileName === name)!.imports) first.add(imported);
    }
    const text = (atOnce: boolean): string =>
      chunks.map(({ fileName, code }) => (first.has(fileName) === atOnce ? code : "")).join("");
    expect(text(true)).toContain("0061736d01000000"); // "\0asm", version 1: the core is inside
    expect(brotli(text(true))).toBeLessThanOrEqual(105 * KB);
    expect(brotli(text(false))).toBeGreaterThan(KB);
    expect(brotli(text(false))).toBeLessThanOrEqual(13 * KB);
  });

  it("has the .wasm files beside it when the bundler copies assets", async () => {
    const files = await bundle(`import { loadCore } from "keyloom/core"; globalThis.load = loadCore;`);
    const wasm = files.map(({ fileName }) => fileName).filter((name) => name.endsWith(".wasm"));
    expect(wasm).toHaveLength(2);
    const text = files.map((file) => (file.type === "chunk" ? file.code : "")).join("");
    for (const name of wasm) expect(text).toContain(name.split("/").at(-1));
  });
});
