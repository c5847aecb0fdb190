/**
 * Half of the 20,000 random histories (`KEYLOOM_MODEL_RUNS` says otherwise) of the slow suite, so that two processes share the
 * work. Seeds are printed; `KEYLOOM_MODEL_SEED` runs them again.
 */
import fc from "fast-check";
import { it } from "vitest";
import { arbitraries, runHistory } from "../../sdk/testing/index.js";

const RUNS = Number(process.env["KEYLOOM_MODEL_RUNS"] ?? 20_000) / 2;
const SEED = process.env["KEYLOOM_MODEL_SEED"];
/** So that what is printed shows how far it has come. */
const PARTS = 5;

/** @param half - 0 or 1 */
export function manyHistories(half: number): void {
  const first = (SEED === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(SEED)) + half * PARTS;
  it.each(Array.from({ length: PARTS }, (_, part) => first + part))("histories of seed %i", async (seed) => {
    const numRuns = Math.ceil(RUNS / PARTS);
    const began = performance.now();
    await fc.assert(
      fc.asyncProperty(arbitraries(fc).history(), (history) => runHistory(history)),
      { numRuns, seed },
    );
    const seconds = (performance.now() - began) / 1000;
    console.log(`seed ${seed}: ${numRuns} histories, ${(numRuns / seconds).toFixed(1)} a second`);
  });
}
