/** Where the compiled core comes from in Node, Deno and Bun: a file beside this module. */
import { readFile } from "node:fs/promises";

import type { WasmKind } from "./wasm-source.js";

/** Reads one build of the core from disk. @see wasm-source.ts */
export async function wasmSource(kind: WasmKind): Promise<WebAssembly.Module | BufferSource> {
  const url =
    kind === "simd"
      ? new URL("./keyloom-simd.wasm", import.meta.url)
      : new URL("./keyloom-scalar.wasm", import.meta.url);
  return readFile(url);
}
