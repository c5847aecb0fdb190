/** Where the compiled core comes from in a browser: an asset that the bundler serves beside this module. */
import type { WasmKind } from "./wasm-source.js";

/** Fetches one build of the core. @see wasm-source.ts */
export async function wasmSource(kind: WasmKind): Promise<WebAssembly.Module | BufferSource> {
  // vite and webpack copy the file when they see exactly this expression with a literal.
  const url =
    kind === "simd"
      ? new URL("./keyloom-simd.wasm", import.meta.url)
      : new URL("./keyloom-scalar.wasm", import.meta.url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`cannot load the WebAssembly core: ${response.status} from ${url.href}`);
  return response.arrayBuffer();
}
