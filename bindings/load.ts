/** Loading the core. */
import { hostRandom } from "./host-random.js";
import {
  chooseKind,
  compile,
  GROWN_PAGES,
  INITIAL_PAGES,
  newInstance,
  type RandomSource,
} from "./instantiate.js";
import { memoryHardOf } from "./memory-hard.js";
import { primitivesOf, type Primitives } from "./primitives/index.js";
import { vaultOf, type Vault } from "./vault.js";

export interface LoadOptions {
  /** `false`: the scalar build. Default: SIMD where the host has it. `true`: SIMD, or an error. */
  simd?: boolean | undefined;
}

/** The core: primitives on bytes, and a vault of its own. */
export interface Core extends Primitives {
  /** Is this the SIMD build? */
  readonly simd: boolean;
  /** Keys as handles. Its memory never grows and is this core's alone. */
  readonly vault: Vault;
}

/** What tests may replace, and what a worker is given. */
export interface Internals {
  random?: RandomSource | undefined;
  /** The build that `simd` says, compiled already. */
  module?: WebAssembly.Module | undefined;
}

/**
 * Loads the core: detects what the host can run, compiles (once per build) and makes fresh instances.
 *
 * @throws {CoreError} `CORE_UNSUPPORTED` where WebAssembly is missing or forbidden
 */
export async function loadCoreWith(options: LoadOptions & Internals = {}): Promise<Core> {
  const kind = await chooseKind(options.simd);
  const random = options.random ?? hostRandom;
  const module = options.module ?? (await compile(kind));
  // The vault's memory has its initial size as its maximum; the primitives' may grow for large inputs.
  const [vault, primitives] = await Promise.all([
    newInstance(module, random, INITIAL_PAGES),
    newInstance(module, random, GROWN_PAGES),
  ]);
  const memoryHard = memoryHardOf(module, primitives.staging.base);
  return {
    simd: kind === "simd",
    ...primitivesOf(primitives, memoryHard),
    vault: vaultOf(vault, memoryHard),
  };
}
