import { expect, it } from "vitest";
import { crashRounds } from "./rounds.js";

it(
  "loses no key when a process is killed in the middle of a re-wrap or a create job",
  { timeout: 180_000 },
  async () => {
    const { rounds, killed } = await crashRounds(5);
    expect(rounds).toBe(5);
    // A child that finished before its time was up proves nothing.
    expect(killed).toBeGreaterThan(0);
  },
);
