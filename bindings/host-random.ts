/** The host's CSPRNG, straight into a view of linear memory. */
import type { RandomSource } from "./instantiate.js";

/** `getRandomValues` refuses more at once. */
const PIECE = 65_536;

export const hostRandom: RandomSource = (view) => {
  const { crypto } = globalThis;
  for (let offset = 0; offset < view.length; offset += PIECE) {
    crypto.getRandomValues(view.subarray(offset, offset + PIECE) as Uint8Array<ArrayBuffer>);
  }
};
