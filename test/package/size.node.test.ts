import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

import { build, type Rollup } from "vite";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const KB = 1000;

function brotli(data: string | Uint8Array): number {
  return brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
}

/** Bundles a small application the way a user's vite does, with the package resolved by its exports. */
async function bundle(code: string): Promise<Rollup.OutputBundle[string][]> {
  const entry = "\0application";
  const result = await build({
    root: ROOT,
    configFile: false,
    logLevel: "warn",
    build: { write: false, target: "es2022", rollupOptions: { input: entry }, modulePreload: false },
    plugins: [
      {
        name: "application",
        resolveId: (id) => (id === entry ? entry : null),
        load: (id) => (id === entry ? code : null),
      },
      {
        // The package can't be installed into itself: find it as Node's self-reference would.
        name: "self-reference",
        enforce: "pre",
        resolveId: (id) => (id.startsWith("keyloom") ? selfReference(id) : null),
      },
    ],
  });
  const outputs = Array.isArray(result) ? result : [result as Rollup.RollupOutput];
  return outputs.flatMap(({ output }) => output);
}

function selfReference(id: string): string {
  const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  const target = exports[id.replace(/^keyloom/, ".")];
  return ROOT + (target.browser ?? target.default).slice(2);
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
