/**
 * Lazy evaluation and sweep agree at every instant: the same random history runs in two stores, one that is swept at
 * random and one that never is, and both show the same, whatever the clock does meanwhile.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { STATE_NAMES, type Key, type KeyManager } from "../../sdk/index.js";
import { virtualClock } from "../../sdk/testing/clock.js";
import { AEAD, codeOf, openMemory } from "../flows/support.js";

const RUNS = Number((globalThis.process as NodeJS.Process | undefined)?.env["KEYLOOM_MODEL_RUNS"] ?? 60);
const NAMES = ["a", "b"];
const DAY = 24 * 3_600_000;

type Step =
  | { do: "create"; name: string; dates: (number | undefined)[]; waits: boolean }
  | { do: "activate" | "suspend" | "resume" | "archive" | "recover"; name: string }
  | { do: "deactivate" | "destroy"; name: string; pick: number }
  | { do: "revoke"; name: string; pick: number; compromise: boolean }
  | { do: "rotate"; name: string; offset: number }
  | { do: "dates"; name: string; pick: number; date: number; by: number }
  | { do: "clock"; by: number }
  | { do: "sweep" };

const name = fc.constantFrom(...NAMES);
const pick = fc.nat(3);
const date = fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("create" as const),
    name,
    dates: fc.array(date, { minLength: 4, maxLength: 4 }),
    waits: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom("activate", "suspend", "resume", "archive", "recover"), name }),
  fc.record({ do: fc.constantFrom("deactivate", "destroy"), name, pick }),
  fc.record({ do: fc.constant("revoke" as const), name, pick, compromise: fc.boolean() }),
  fc.record({ do: fc.constant("rotate" as const), name, offset: fc.constantFrom(0, 5, 40) }),
  fc.record({
    do: fc.constant("dates" as const),
    name,
    pick,
    date: fc.nat(3),
    by: fc.integer({ min: -5, max: 60 }),
  }),
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("clock" as const), by: fc.integer({ min: -60, max: 90 }) }),
  },
  { weight: 3, arbitrary: fc.constant({ do: "sweep" } as const) },
);

/** The same command in either store. @returns how it ended */
function run(keys: KeyManager, now: number, what: Step): Promise<string> {
  const at = (ms: number | undefined): Date | undefined =>
    ms === undefined ? undefined : new Date(now + ms);
  const versionOf = async (key: string, n: number): Promise<number> =>
    (n % ((await keys.get(key))?.versions.length ?? 1)) + 1;
  return codeOf(async () => {
    switch (what.do) {
      case "create": {
        let sum = 0;
        const [activation, processStart, protectStop, deactivation] = what.dates.map((by) =>
          by === undefined ? undefined : at((sum += by)),
        );
        const activate = what.waits ? null : activation;
        return keys.create({
          name: what.name,
          algorithm: AEAD,
          activation: activate,
          processStart,
          protectStop,
          deactivation,
        });
      }
      case "activate":
      case "suspend":
      case "resume":
      case "archive":
      case "recover":
        return keys[what.do](what.name);
      case "deactivate":
      case "destroy":
        return keys[what.do](what.name, { version: await versionOf(what.name, what.pick) });
      case "revoke":
        return keys.revoke(what.name, {
          reason: what.compromise ? "key-compromise" : "superseded",
          version: await versionOf(what.name, what.pick),
        });
      case "rotate":
        return keys.rotate(what.name, { offsetMs: what.offset });
      case "dates": {
        const which = (["activation", "processStart", "protectStop", "deactivation"] as const)[what.date]!;
        const version = await versionOf(what.name, what.pick);
        return keys.setDates(what.name, { [which]: what.by < 0 ? null : at(what.by) }, { version });
      }
      default:
        return undefined;
    }
  });
}

/** What everybody can see of a key, without what differs between any two stores. */
const shown = ({ name: called, archived, versions }: Key): unknown => ({ called, archived, versions });

async function everything(keys: KeyManager): Promise<unknown> {
  const byState: Record<string, unknown> = {};
  for (const state of STATE_NAMES) byState[state] = (await keys.list({ state })).keys.map(shown);
  return { all: (await keys.list()).keys.map(shown), byState };
}

it("shows the same with sweeps and without, at every instant", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
      const swept = await openMemory({ clock: virtualClock(), seed: 1 });
      const lazy = await openMemory({ clock: virtualClock(), seed: 1 });
      let mark = 0;
      for (const what of steps) {
        if (what.do === "clock") {
          swept.clock.set(swept.clock.now() + what.by);
        } else if (what.do === "sweep") {
          const before = await everything(swept.keys);
          await swept.keys.sweep();
          expect(await everything(swept.keys)).toEqual(before);
          mark = Math.max(mark, swept.clock.now());
        }
        // A sweep raises the mark: the other store's clock does not go behind it either.
        lazy.clock.set(Math.max(swept.clock.now(), mark));
        const now = lazy.clock.now();
        const ended = await run(swept.keys, now, what);
        expect(await run(lazy.keys, now, what)).toBe(ended);
        expect(await everything(swept.keys)).toEqual(await everything(lazy.keys));
      }
      await swept.keys.close();
      await lazy.keys.close();
    }),
    { numRuns: RUNS },
  );
});

it("loses nothing to a clock that leaps ahead, whatever was planned", { timeout: 600_000 }, async () => {
  const leap = fc.integer({ min: DAY + 1, max: 400 * DAY });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), leap, async (steps, by) => {
      const { keys, clock } = await openMemory({ clock: virtualClock(), seed: 1 });
      for (const what of steps) {
        if (what.do === "clock") clock.set(clock.now() + Math.abs(what.by));
        await run(keys, clock.now(), what);
      }
      const now = clock.now();
      const before = await everything(keys);
      clock.set(now + by);
      const code = await codeOf(keys.sweep());
      expect(["CLOCK_AHEAD", "no error"]).toContain(code);
      for (const called of NAMES) await run(keys, clock.now(), { do: "deactivate", name: called, pick: 0 });
      clock.set(now);
      // Either nothing hung on the leap, or nothing was written.
      if (code === "CLOCK_AHEAD") expect(await everything(keys)).toEqual(before);
      else expect(by).toBeLessThanOrEqual(31 * DAY);
      await keys.close();
    }),
    { numRuns: RUNS },
  );
});
