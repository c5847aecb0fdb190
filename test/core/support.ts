/** What the core's tests share. */
import { loadCoreWith, type Core } from "../../bindings/load.js";
import { ALGORITHM, USAGE, type KeyTemplate } from "../../bindings/attributes.js";

/** Both builds of the core, each with its name for test titles. */
export const BUILDS = [
  { name: "SIMD", simd: true },
  { name: "scalar", simd: false },
] as const;

export const cores = async (): Promise<{ name: string; core: Core }[]> =>
  Promise.all(BUILDS.map(async ({ name, simd }) => ({ name, core: await loadCoreWith({ simd }) })));

/** Bytes that depend on the seed alone. */
export function bytes(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state >>> 9;
  }
  return out;
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(value: Uint8Array): string {
  return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The code of the error that `run` throws; fails when it throws none. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name;
  }
  throw new Error("nothing was thrown");
}

export function at(all: Uint8Array, i: number, length: number): Uint8Array {
  return all.subarray(i * length, (i + 1) * length);
}

export const ALL_CIPHER = USAGE.ENCRYPT | USAGE.DECRYPT;
export const ALL_WRAP = USAGE.WRAP | USAGE.UNWRAP;
export const ALL_MAC = USAGE.MAC_GENERATE | USAGE.MAC_VERIFY;

export function template(usages: number, more: Partial<KeyTemplate> = {}): KeyTemplate {
  return {
    algorithm: ALGORITHM.XCHACHA20_POLY1305,
    usages,
    exportable: false,
    id: bytes(16, 77),
    version: 1,
    ...more,
  };
}
