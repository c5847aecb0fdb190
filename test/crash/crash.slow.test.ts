import { expect, it } from "vitest";
import { crashRounds } from "./rounds.js";

const ROUNDS = Number(process.env["KEYLOOM_CRASH_ROUNDS"] ?? 100);
const SECONDS = Number(process.env["KEYLOOM_CRASH_SECONDS"] ?? 3600);
/** A store is used for so many rounds: every create job leaves it with more keys to check. */
const ROUNDS_A_STORE = 10;

it("loses no key in many rounds of being killed", { timeout: SECONDS * 1000 + 120_000 }, async () => {
  const until = Date.now() + SECONDS * 1000;
  const sum = { rounds: 0, killed: 0 };
  while (sum.rounds < ROUNDS && Date.now() < until) {
    const { rounds, killed } = await crashRounds(Math.min(ROUNDS_A_STORE, ROUNDS - sum.rounds), until);
    sum.rounds += rounds;
    sum.killed += killed;
  }
  console.info(`${sum.rounds} rounds, ${sum.killed} of them killed in the middle`);
  expect(sum.rounds).toBeGreaterThan(0);
  expect(sum.killed).toBeGreaterThan(sum.rounds / 2);
});
