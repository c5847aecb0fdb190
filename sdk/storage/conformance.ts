/**
 * The suite that every storage adapter passes, as a function: for adapters of this project and of others.
 *
 * @example
 * import { expect, test } from "vitest";
 * import { storageConformance } from "keyloom/testing";
 *
 * storageConformance({ test, expect, name: "my store", factory: async () => ({ storage: myStorage() }) });
 */
import { COMMIT_CASES } from "./conformance-commits.js";
import {
  type Aspect,
  type ConformanceCase,
  type ExpectLike,
  Kit,
  type StoreUnderTest,
} from "./conformance-kit.js";
import { LIMIT_CASES } from "./conformance-limits.js";
import { OUTCOME_CASES } from "./conformance-outcomes.js";
import { READ_CASES } from "./conformance-reads.js";

export type { Aspect, ExpectLike, StoreUnderTest } from "./conformance-kit.js";

export interface ConformanceOptions {
  /** Registers one test: `test` or `it` of vitest, jest, mocha or node:test. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /** Shows differences better where the runner has it; without it the suite throws errors of its own. */
  readonly expect?: ExpectLike | undefined;
  /** Goes before the name of each test. */
  readonly name: string;
  /** Makes an empty store, a new one at every call. */
  readonly factory: () => Promise<StoreUnderTest>;
  /** What the factory's stores don't offer: tests that need it are left out. */
  readonly lacks?: readonly Aspect[] | undefined;
}

const CASES: readonly ConformanceCase[] = [...READ_CASES, ...COMMIT_CASES, ...LIMIT_CASES, ...OUTCOME_CASES];

/**
 * Registers the suite's tests.
 *
 * @returns the names of the tests, without `name` before them.
 */
export function storageConformance(options: ConformanceOptions): readonly string[] {
  const { test, expect, name, factory, lacks = [] } = options;
  const cases = CASES.filter(({ needs }) => needs === undefined || !lacks.includes(needs));
  for (const { name: sentence, run } of cases) {
    test(`${name}: ${sentence}`, async () => {
      const kit = new Kit(await factory(), expect);
      try {
        await run(kit);
      } finally {
        await kit.end();
      }
    });
  }
  return cases.map(({ name: sentence }) => sentence);
}
