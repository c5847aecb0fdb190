/** Public randomness (ids, nonces of files). Secret randomness goes from the host straight into the core. */
import { KeyloomError } from "./errors.js";

/** Fills `view` (any length) with random bytes. */
export type RandomSource = (view: Uint8Array) => void;

/** `getRandomValues` refuses more at once. */
const PIECE = 65_536;

/** The host's CSPRNG. @throws {KeyloomError} `CORE_NO_RANDOM` where there is none. */
export const hostRandom: RandomSource = (view) => {
  const source = globalThis.crypto as Crypto | undefined;
  if (typeof source?.getRandomValues !== "function") {
    throw new KeyloomError("CORE_NO_RANDOM", { message: "this host has no cryptographic random source" });
  }
  for (let offset = 0; offset < view.length; offset += PIECE) {
    source.getRandomValues(view.subarray(offset, offset + PIECE) as Uint8Array<ArrayBuffer>);
  }
};

export function randomBytes(source: RandomSource, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  source(bytes);
  return bytes;
}
