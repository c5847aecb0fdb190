/** Where the compiled core comes from in a browser: an asset that the bundler serves beside this module. */
import { CoreError } from "../sdk/foundation/errors.js";
import type { WasmKind } from "./wasm-source.js";

/**
 * Fetches one build of the core. @see wasm-source.ts
 *
 * @throws {CoreError} `CORE_UNSUPPORTED` where something else lies at the address: some bundlers (esbuild, and
 *   vite's development server for packages that it optimises) take the module along and leave the file behind
 */
export async function wasmSource(kind: WasmKind): Promise<WebAssembly.Module | BufferSource> {
  // vite and webpack copy the file when they see exactly this expression with a literal.
  const url =
    kind === "simd"
      ? new URL("./keyloom-simd.wasm", import.meta.url)
      : new URL("./keyloom-scalar.wasm", import.meta.url);
  const response = await fetch(url);
  const bytes = await response.arrayBuffer();
  // Servers of single-page applications answer any address with their page, and with status 200.
  if (!response.ok || !isWasm(bytes)) {
    throw new CoreError("CORE_UNSUPPORTED", {
      message: `no WebAssembly at ${url.href}: the bundler did not copy it; import keyloom/inline instead, or exclude keyloom from vite's optimizeDeps`,
      url: url.href,
      status: response.status,
    });
  }
  return bytes;
}

function isWasm(bytes: ArrayBuffer): boolean {
  return bytes.byteLength >= 8 && new DataView(bytes).getUint32(0) === 0x0061_736d;
}
