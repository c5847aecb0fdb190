/**
 * Where the compiled core comes from in workerd (Cloudflare Workers): a module import. The host
 * compiles it when the worker is deployed and refuses to compile WebAssembly from bytes.
 */
import scalar from "./keyloom-scalar.wasm";
import simd from "./keyloom-simd.wasm";

import type { WasmKind } from "./wasm-source.js";

/** Hands out one build of the core, already compiled by the host. @see wasm-source.ts */
export async function wasmSource(kind: WasmKind): Promise<WebAssembly.Module | BufferSource> {
  return kind === "simd" ? simd : scalar;
}
