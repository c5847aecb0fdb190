/**
 * Compiling and instantiating the core.
 *
 * Instances are made through `@assemblyscript/loader`, which instantiates and does nothing else here: its own
 * marshalling of values costs hundreds of nanoseconds a call, so data goes through `staging.ts`.
 */
import { instantiate, instantiateSync } from "@assemblyscript/loader";
import { simd as hostHasSimd } from "wasm-feature-detect";
import { CoreError } from "../sdk/foundation/errors.js";
import type { Abi } from "./abi.js";
import { Staging } from "./staging.js";
import { wasmSource } from "./wasm-source.js";

export type WasmKind = "simd" | "scalar";

/** Fills a view (of linear memory) with random bytes, or throws. */
export type RandomSource = (view: Uint8Array) => void;

export const PAGE = 65_536;
/** The build's own minimum: 4 MiB. */
export const INITIAL_PAGES = 64;
/** 1 GiB: what the byte-level door may grow to. */
export const GROWN_PAGES = 16_384;

const compiled = new Map<WasmKind, Promise<WebAssembly.Module>>();

/** @throws {CoreError} `CORE_UNSUPPORTED` where WebAssembly is missing, or forbidden by the page's policy */
export function compile(kind: WasmKind): Promise<WebAssembly.Module> {
  let module = compiled.get(kind);
  if (module === undefined) {
    module = compileSource(kind);
    compiled.set(kind, module);
    // A failed attempt is not remembered: the next one may find the file.
    module.catch(() => compiled.delete(kind));
  }
  return module;
}

async function compileSource(kind: WasmKind): Promise<WebAssembly.Module> {
  if (typeof WebAssembly !== "object") {
    throw new CoreError("CORE_UNSUPPORTED", { message: "this host has no WebAssembly" });
  }
  const source = await wasmSource(kind);
  if (source instanceof WebAssembly.Module) return source;
  try {
    return await WebAssembly.compile(source);
  } catch (cause) {
    throw new CoreError("CORE_UNSUPPORTED", {
      message:
        "the host refuses to compile WebAssembly; a page's Content-Security-Policy needs script-src 'wasm-unsafe-eval'",
      cause,
    });
  }
}

/** Which build this host runs; `simd: false` asks for the scalar one. */
export async function chooseKind(simd: boolean | undefined): Promise<WasmKind> {
  const wanted = simd ?? true;
  if (!wanted) return "scalar";
  if (await hostHasSimd()) return "simd";
  if (simd === true)
    throw new CoreError("CORE_UNSUPPORTED", { message: "this host has no WebAssembly SIMD" });
  return "scalar";
}

export interface Instance {
  abi: Abi;
  staging: Staging;
}

function importsOf(memory: WebAssembly.Memory, random: RandomSource): { env: WebAssembly.ModuleImports } {
  return {
    env: {
      memory,
      // A failure of the source crosses the core as a status: an exception must not skip its wiping.
      random(at: number, length: number): number {
        try {
          random(new Uint8Array(memory.buffer, at >>> 0, length));
          return 0;
        } catch {
          return 1;
        }
      },
    },
  };
}

/**
 * At once where the host lets it: the loader's `instantiate` first looks for `Response`, and Node then loads its HTTP client,
 * which takes longer than all else here. Chrome before 115 has large modules instantiated off its main thread only.
 */
async function exportsOf(module: WebAssembly.Module, imports: WebAssembly.Imports): Promise<unknown> {
  try {
    return instantiateSync(module, imports).exports;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return (await instantiate(module, imports)).exports;
  }
}

function instanceOf(exports: unknown, memory: WebAssembly.Memory): Instance {
  const abi = exports as Abi;
  return { abi, staging: new Staging(memory, abi.stagingBase.value >>> 0) };
}

/**
 * A fresh instance with a memory of its own.
 *
 * @param maximumPages - `INITIAL_PAGES`: the memory never grows, so secrets in it are never moved
 */
export async function newInstance(
  module: WebAssembly.Module,
  random: RandomSource,
  maximumPages: number,
): Promise<Instance> {
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: maximumPages });
  return instanceOf(await exportsOf(module, importsOf(memory, random)), memory);
}

/**
 * As `newInstance`, at once, with a memory of `pages` from the beginning. It has no source of randomness.
 *
 * @throws {RangeError} where the host has not so much memory
 */
export function newInstanceSync(module: WebAssembly.Module, pages: number): Instance {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const noRandom: RandomSource = () => {
    throw new CoreError("CORE_NO_RANDOM", { message: "an instance for derivations has no randomness" });
  };
  const { exports } = instantiateSync(module, importsOf(memory, noRandom));
  return instanceOf(exports, memory);
}
