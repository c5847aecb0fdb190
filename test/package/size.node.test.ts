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

  it("is at most 92 kB for an application with the memory store and both cores inside", async () => {
    const files = await bundle(`
      import { KeyManager } from "keyloom/inline";
      import { memoryStorage } from "keyloom/inline/storage/memory";
      globalThis.application = { KeyManager, memoryStorage };
    `);
    const text = files.map((file) => (file.type === "chunk" ? file.code : "")).join("");
    expect(text).toContain("0061736d01000000"); // "\0asm", version 1: the core is inside
    expect(brotli(text)).toBeLessThanOrEqual(92 * KB);
  });

  it("has the .wasm files beside it when the bundler copies assets", async () => {
    const files = await bundle(`import { loadCore } from "keyloom/core"; globalThis.load = loadCore;`);
    const wasm = files.map(({ fileName }) => fileName).filter((name) => name.endsWith(".wasm"));
    expect(wasm).toHaveLength(2);
    const text = files.map((file) => (file.type === "chunk" ? file.code : "")).join("");
    for (const name of wasm) expect(text).toContain(name.split("/").at(-1));
  });
});
