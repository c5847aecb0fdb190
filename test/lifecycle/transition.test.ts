import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  EVENTS,
  STATE_NAMES,
  STATES,
  stateOfCode,
  TRANSITIONS,
  type State,
  type UseKind,
} from "../../sdk/lifecycle/states.js";
import {
  allowedFrom,
  checkDateOrder,
  dueChanges,
  effectiveState,
  next,
  transition,
  type TransitionOptions,
} from "../../sdk/lifecycle/transition.js";
import { permits } from "../../sdk/lifecycle/permits.js";
import { successorDates } from "../../sdk/rotation/rotate.js";
import {
  modelMayProcess,
  modelMayProtect,
  modelNext,
  modelStateAt,
  type ModelEvent,
  type ModelRules,
  type ModelState,
} from "../../sdk/testing/model.js";

const RULES: { name: string; options: TransitionOptions; model: ModelRules }[] = [
  { name: "default", options: {}, model: {} },
  { name: "kmip-2.1", options: { profile: "kmip-2.1" }, model: { kmipOnly: true } },
  { name: "default with N6", options: { enabledRows: ["N6"] }, model: { destroyActive: true } },
  {
    name: "kmip-2.1 with N6",
    options: { profile: "kmip-2.1", enabledRows: ["N6"] },
    model: { kmipOnly: true, destroyActive: true },
  },
];

describe.each(RULES)("the transition table, $name", ({ options, model }) => {
  const pairs = [null, ...STATE_NAMES].flatMap((from) => EVENTS.map((event) => [from, event] as const));

  it.each(pairs)("agrees with the specification on %s and %s", (from, event) => {
    const expected = modelNext(from as ModelState | null, event as ModelEvent, model);
    expect(next(from, event, options)).toBe(expected);
    if (expected !== null) {
      expect(transition(from, event, options)).toBe(expected);
      return;
    }
    const allowed = STATE_NAMES.filter((state) => modelNext(state, event as ModelEvent, model) !== null);
    let thrown: unknown;
    try {
      transition(from, event, options);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: "KEY_TRANSITION_NOT_ALLOWED",
      details: { state: from, event, allowedFrom: expect.arrayContaining(allowed) as unknown },
    });
    expect(allowedFrom(event, options).sort()).toEqual([...allowed].sort());
  });
});

describe("the transition table", () => {
  it("has the sixteen rows of the specification, and a code for every state that leads back to it", () => {
    const rows = new Set(TRANSITIONS.map(({ row }) => row));
    const expected = [
      ...Array.from({ length: 10 }, (_, i) => `K${i + 1}`),
      ...Array.from({ length: 6 }, (_, i) => `N${i + 1}`),
    ];
    expect([...rows].sort()).toEqual(expected.sort());
    for (const state of STATE_NAMES) expect(stateOfCode(STATES[state])).toBe(state);
    expect(stateOfCode(0)).toBeNull();
    expect(stateOfCode(8)).toBeNull();
  });

  it("leads nowhere out of destroyed-compromised, and out of destroyed only by K10", () => {
    for (const event of EVENTS) {
      expect(next("destroyed-compromised", event)).toBeNull();
      expect(next("destroyed", event)).toBe(event === "revoke-compromised" ? "destroyed-compromised" : null);
    }
  });

  it("names destroy where a pre-active version is to be revoked without a compromise", () => {
    expect(() => transition("pre-active", "revoke")).toThrow(/use destroy/);
    expect(() => transition("pre-active", "deactivate")).toThrow(/use destroy/);
  });
});

const time = fc.integer({ min: 0, max: 40 });
const dates = fc.record(
  { activation: time, processStart: time, protectStop: time, deactivation: time },
  { requiredKeys: [] },
);
const state = fc.constantFrom(...STATE_NAMES) as fc.Arbitrary<State>;

describe("dates", () => {
  it("move states as the specification says, at every instant", () => {
    fc.assert(
      fc.property(state, dates, time, (stored, given, now) => {
        // A version can't end before it begins: such dates are refused when they are set.
        fc.pre((given.activation ?? 0) <= (given.deactivation ?? 99));
        const expected = modelStateAt({ state: stored, initial: 0, ...given }, now);
        expect(effectiveState(stored, { initial: 0, ...given }, now)).toBe(expected);
      }),
    );
  });

  it("are applied in their order, each dated by itself, and all at once or one by one to the same end", () => {
    fc.assert(
      fc.property(state, dates, time, time, (stored, given, a, b) => {
        const [first, second] = [Math.min(a, b), Math.max(a, b)];
        const all = dueChanges(stored, { initial: 0, ...given }, second);
        const before = dueChanges(stored, { initial: 0, ...given }, first);
        const between = effectiveState(stored, { initial: 0, ...given }, first);
        const rest = dueChanges(between, { initial: 0, ...given }, second).filter(({ at }) => at > first);
        expect([...before, ...rest].map(({ at, to }) => [at, to])).toEqual(all.map(({ at, to }) => [at, to]));
        for (const [i, change] of all.entries()) {
          expect(change.at).toBeGreaterThanOrEqual(all[i - 1]?.at ?? 0);
          expect(change.at).toBeLessThanOrEqual(second);
          expect(change.from).toBe(i === 0 ? stored : all[i - 1]!.to);
        }
      }),
    );
  });

  it("out of order are refused by name", () => {
    const at =
      (given: object): (() => void) =>
      () =>
        checkDateOrder({ initial: 0, ...given });
    expect(at({ activation: 5, processStart: 5, protectStop: 6, deactivation: 7 })).not.toThrow();
    expect(at({ activation: 5, processStart: 4 })).toThrow(/activation date lies after the processStart/);
    expect(at({ protectStop: 8, deactivation: 7 })).toThrow(/protectStop date lies after the deactivation/);
    expect(at({ activation: 8, deactivation: 7 })).toThrow(/activation date lies after the deactivation/);
    expect(at({ activation: 8, protectStop: 7 })).toThrow(/activation date lies after the protectStop/);
  });

  it("of a successor shift with its activation (KMIP Table 303)", () => {
    const old = { initial: 100, activation: 110, processStart: 112, protectStop: 150, deactivation: 190 };
    expect(successorDates(old, 1000, 25)).toEqual({
      initial: 1000,
      activation: 1025,
      processStart: 1027,
      protectStop: 1065,
      deactivation: 1105,
    });
    expect(successorDates({ initial: 1, deactivation: 50 }, 1000, 0)).toEqual({
      initial: 1000,
      activation: 1000,
    });
  });
});

const POLICY = { processDeactivated: true, trusted: true };

describe("what a version permits", () => {
  it("agrees with the specification for every state, date and use", () => {
    fc.assert(
      fc.property(state, dates, time, (stored, given, now) => {
        fc.pre((given.activation ?? 0) <= (given.deactivation ?? 99));
        const version = { state: stored, dates: { initial: 0, ...given }, archived: false, usages: 1 };
        const may = (kind: UseKind): boolean => permits(version, { kind, usage: 1 }, now, POLICY).allowed;
        expect(may("protect")).toBe(modelMayProtect({ state: stored, initial: 0, ...given }, now));
        expect(may("open")).toBe(modelMayProcess({ state: stored, initial: 0, ...given }, now));
      }),
    );
  });
});
