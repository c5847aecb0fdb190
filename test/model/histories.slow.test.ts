/**
 * 20,000 random histories (`KEYLOOM_MODEL_RUNS` says otherwise) of two managers on one store, beside the reference model. The seed
 * is printed; `KEYLOOM_MODEL_SEED` runs it again.
 */
import fc from "fast-check";
import { it } from "vitest";
import { arbitraries, runHistory } from "../../sdk/testing/index.js";

const RUNS = Number(process.env["KEYLOOM_MODEL_RUNS"] ?? 20_000);
const SEED = Number(process.env["KEYLOOM_MODEL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** Reports are short, so that a seed and a number say which history it was. */
const PARTS = 10;

it.each(Array.from({ length: PARTS }, (_, part) => part))("part %i of the histories", async (part) => {
  const seed = SEED + part;
  const numRuns = Math.ceil(RUNS / PARTS);
  const began = performance.now();
  await fc.assert(
    fc.asyncProperty(arbitraries(fc).history(), (history) => runHistory(history)),
    { numRuns, seed },
  );
  const seconds = (performance.now() - began) / 1000;
  console.log(`seed ${seed}: ${numRuns} histories, ${(numRuns / seconds).toFixed(1)} a second`);
});
