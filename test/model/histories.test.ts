/** Random histories of two managers on one store, beside the reference model; 20,000 of them in the slow suite. */
import fc from "fast-check";
import { it } from "vitest";
import { arbitraries, runHistory } from "../../sdk/testing/index.js";

/** The same ones each time, so that a change is what makes the difference; the slow suite draws others. */
const SEED = 1;

it("of every kind end as the model says", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(arbitraries(fc).history(), (history) => runHistory(history)),
    { numRuns: 150, seed: SEED },
  );
});
