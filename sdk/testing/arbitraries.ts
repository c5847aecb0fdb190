/**
 * Arbitraries for fast-check. They are made by the fast-check that the caller has, so that this entry works without one:
 * `const { history } = arbitraries(fc)`.
 */
import type fastCheck from "fast-check";
import type { CreateKeyOptions } from "../index.js";
import { FAULTS } from "../storage/faulty.js";
import type { Policy } from "../policy/model.js";
import type { Act, Actor, FaultPlan, History, HistoryStep } from "./histories.js";
import { MODEL_DATES } from "./model.js";
import { MODEL_REASONS, type ChangeStep, type KeyShape } from "./model-store.js";
import { policyArbitrary, type PolicyNames } from "./policies.js";

type FastCheck = typeof fastCheck;
type Arbitrary<T> = fastCheck.Arbitrary<T>;

export interface HistoryConstraints {
  /** Default 40. */
  maxSteps?: number | undefined;
  /** Whether calls to the store fail. Default true. */
  faults?: boolean | undefined;
  /** Names of keys. Default three. */
  names?: readonly string[] | undefined;
}

export interface Arbitraries {
  /** Options of a key that `create` takes as they are, without a name: dates in their order, around `now`. */
  keyOptions(now: number | Date): Arbitrary<CreateKeyOptions>;
  /** A policy that may be stored. */
  policy(names?: PolicyNames): Arbitrary<Policy>;
  /** How a key of a history is made. */
  keyShape(): Arbitrary<KeyShape>;
  /** A history for `runHistory`. */
  history(constraints?: HistoryConstraints): Arbitrary<History>;
}

const DAY = 24 * 3_600_000;
const FAULT_NAMES = (Object.keys(FAULTS) as (keyof typeof FAULTS)[]).filter((fault) => fault !== "closed");
/** What is more than one commit, or none: a race of it has more outcomes than two orders. */
const ALONE: readonly ChangeStep["do"][] = ["deactivate-all", "destroy-all"];

export function arbitraries(fc: FastCheck): Arbitraries {
  const gap = fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined });
  const seldom = <T>(arbitrary: Arbitrary<T>, weight = 4): Arbitrary<T | undefined> =>
    fc.option(arbitrary, { nil: undefined, freq: weight });

  const keyShape = (): Arbitrary<KeyShape> =>
    fc.record({
      activation: fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom(null, undefined) },
        { weight: 1, arbitrary: fc.integer({ min: -50, max: 100 }) },
      ),
      gaps: fc.tuple(gap, gap, gap),
      wrapped: fc.boolean(),
      imported: fc.boolean(),
      limit: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined, freq: 2 }),
      audit: fc.option(fc.constantFrom("counted", "each"), { nil: undefined, freq: 2 }),
    });

  const keyOptions = (now: number | Date): Arbitrary<CreateKeyOptions> =>
    fc
      .record({
        usages: fc.constantFrom<CreateKeyOptions["usages"]>(
          undefined,
          ["encrypt", "decrypt"],
          ["wrap", "unwrap"],
        ),
        tags: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12, unit: "grapheme-ascii" }), {
          maxLength: 4,
        }),
        exportable: fc.boolean(),
        shape: keyShape(),
      })
      .map(({ shape: { activation, gaps, limit, audit }, ...options }) => {
        let at = Number(now) + Math.max(0, activation ?? 0);
        const begins = typeof activation === "number" ? new Date(at) : activation;
        const [processStart, protectStop, deactivation] = gaps.map((by) =>
          by === undefined ? undefined : new Date((at += by * 1000)),
        );
        const limits = limit === undefined ? undefined : { operations: limit };
        return {
          algorithm: "XChaCha20-Poly1305",
          ...options,
          activation: begins,
          processStart,
          protectStop,
          deactivation,
          limits,
          audit,
        };
      });

  const changes = (name: Arbitrary<string>): Arbitrary<ChangeStep> => {
    const pick = fc.nat(7);
    const of = <D extends string>(...names: D[]): Arbitrary<D> => fc.constantFrom(...names);
    const create = fc.record({ do: of("create"), key: name, shape: keyShape() });
    const single = fc.record({ do: of("deactivate", "destroy", "destroy"), key: name, pick });
    return fc.oneof(
      { weight: 4, arbitrary: create },
      { weight: 4, arbitrary: single },
      { weight: 2, arbitrary: fc.record({ do: of("activate"), key: name }) },
      { weight: 3, arbitrary: fc.record({ do: of("suspend", "resume"), key: name }) },
      { weight: 2, arbitrary: fc.record({ do: of("archive", "recover", "recover"), key: name }) },
      { weight: 1, arbitrary: fc.record({ do: of("deactivate-all"), key: name }) },
      { weight: 1, arbitrary: fc.record({ do: of("destroy-all"), key: name }) },
      {
        weight: 3,
        arbitrary: fc.record({
          do: of("revoke"),
          key: name,
          pick,
          reason: fc.constantFrom(...MODEL_REASONS),
          ago: seldom(fc.integer({ min: -10, max: 100 })),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ do: of("rotate"), key: name, offset: fc.constantFrom(0, 0, 1, 40) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: of("set-date"),
          key: name,
          pick,
          date: fc.constantFrom(...MODEL_DATES),
          by: fc.option(fc.integer({ min: -5, max: 60 })),
        }),
      },
    );
  };

  const history = ({
    maxSteps = 40,
    faults = true,
    names = ["a", "b", "c"],
  }: HistoryConstraints = {}): Arbitrary<History> => {
    const name = fc.constantFrom(...names);
    const actor = fc.constantFrom<Actor>(0, 1);
    const change = changes(name);
    const recover = fc.record({
      do: fc.constant("recover-message" as const),
      key: name,
      pick: fc.nat(7),
      ago: seldom(fc.integer({ min: -5, max: 100 }), 1),
      recovery: fc.boolean(),
    });
    const act = fc.oneof(
      { weight: 12, arbitrary: change },
      { weight: 6, arbitrary: fc.record({ do: fc.constant("encrypt" as const), key: name }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("decrypt" as const), key: name }) },
      { weight: 2, arbitrary: recover },
      { weight: 1, arbitrary: fc.constant<Act>({ do: "look" }) },
      { weight: 2, arbitrary: fc.constant<Act>({ do: "sweep" }) },
      { weight: 1, arbitrary: fc.constant<Act>({ do: "confirm-clock" }) },
    );
    const fault: Arbitrary<FaultPlan> = fc.record({
      call: fc.nat(9),
      fault: fc.constantFrom(...FAULT_NAMES),
      outage: fc.oneof(
        { weight: 7, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
      arrives: fc.boolean(),
    });
    const one = fc.record({ actor, act, fault: faults ? seldom(fault, 3) : fc.constant(undefined) });
    const racer = change.filter(({ do: what }) => !ALONE.includes(what));
    const step = fc.oneof<{ weight: number; arbitrary: Arbitrary<HistoryStep> }[]>(
      { weight: 24, arbitrary: one },
      { weight: 1, arbitrary: fc.record({ actor, act: fc.constant<Act>({ do: "renew-wrapping-key" }) }) },
      { weight: 3, arbitrary: fc.record({ race: fc.tuple(racer, racer) }) },
      { weight: 4, arbitrary: fc.record({ clock: fc.integer({ min: -80, max: 120 }) }) },
      { weight: 1, arbitrary: fc.record({ clock: fc.integer({ min: -40 * DAY, max: 40 * DAY }) }) },
      { weight: 1, arbitrary: fc.record({ reopen: actor, crash: fc.boolean() }) },
    );
    return fc.record({
      profile: fc.constantFrom("default", "default", "kmip-2.1"),
      freshness: fc.constantFrom(0, 0, 40),
      steps: fc.array(step, { maxLength: maxSteps, size: "max" }),
    });
  };

  const policy = (names?: PolicyNames): Arbitrary<Policy> => policyArbitrary(fc, names);
  return { keyOptions, policy, keyShape, history };
}
