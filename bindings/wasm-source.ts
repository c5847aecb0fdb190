/**
 * Where the compiled core comes from when the library runs from its sources (tests, benches).
 *
 * The published builds replace this module by one of its neighbours: `wasm-source.node.ts`,
 * `wasm-source.browser.ts`, `wasm-source.inline.ts` or `wasm-source.workerd.ts`. All of them export
 * this one function with this one signature.
 */

/** The two builds of the core. Which one a host can run is found out when the core is loaded. */
export type WasmKind = "simd" | "scalar";

/**
 * Reads one build of the core.
 *
 * @returns the module's bytes, or a compiled module where the host hands out nothing else. The
 *   caller owns the bytes.
 */
export async function wasmSource(kind: WasmKind): Promise<WebAssembly.Module | BufferSource> {
  // The address is spelled out for each build: bundlers recognise it only as a literal.
  const url =
    kind === "simd"
      ? new URL("../build/keyloom-simd.wasm", import.meta.url)
      : new URL("../build/keyloom-scalar.wasm", import.meta.url);
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`cannot load the WebAssembly core: ${response.status} from ${url.href}`);
  return response.arrayBuffer();
}
