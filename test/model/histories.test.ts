/** Random histories of two managers on one store, beside the reference model; 20,000 of them in the slow suite. */
import fc from "fast-check";
import { it } from "vitest";
import { arbitraries, runHistory } from "../../sdk/testing/index.js";

it("of every kind end as the model says", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(arbitraries(fc).history(), (history) => runHistory(history)),
    { numRuns: 150 },
  );
});
