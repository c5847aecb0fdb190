/** Randomness that repeats. For tests only: whoever knows the seed knows every key. */
import type { RandomSource } from "../foundation/random.js";

/** A stream of bytes that depends on nothing but the seed (xorshift32, far from secure). */
export function seededRandom(seed: number): RandomSource {
  // Zero is the one state that xorshift never leaves.
  let state = seed >>> 0 || 0x9e37_79b9;
  return (view) => {
    for (let i = 0; i < view.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      view[i] = state >>> 11;
    }
  };
}
