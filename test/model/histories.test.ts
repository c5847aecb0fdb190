/** Random histories of two managers on one store, beside the reference model; many more of them in `histories.slow.test.ts`. */
import fc from "fast-check";
import { it } from "vitest";
import { arbitraries, runHistory } from "../../sdk/testing/index.js";

it("of every kind end as the model says", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(arbitraries(fc).history(), (history) => runHistory(history)),
    { numRuns: 150 },
  );
});
