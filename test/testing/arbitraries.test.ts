/** What the published arbitraries make can be used as it is, and reaches all that it should. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ALGORITHMS } from "../../sdk/crypto/algorithms.js";
import { STATE_NAMES, type Commit, type KeyManager, type StorageAdapter } from "../../sdk/index.js";
import { checkPolicy } from "../../sdk/policy/check.js";
import { EFFECTS, OPERATION_NAMES } from "../../sdk/policy/model.js";
import {
  arbitraries,
  historyText,
  runHistory,
  type History,
  type HistoryStep,
} from "../../sdk/testing/index.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { codeOf, openMemory } from "../flows/support.js";

const { keyOptions, policy, history } = arbitraries(fc);

describe("options of keys", () => {
  let keys: KeyManager;
  let now: number;
  beforeAll(async () => {
    const opened = await openMemory();
    ({ keys } = opened);
    now = opened.clock.now();
  });

  it("are taken by create as they are", async () => {
    await fc.assert(
      fc.asyncProperty(keyOptions(Date.UTC(2030, 0, 1)), async (options) => {
        const key = await keys.create(options);
        expect(key.versions[0]!.dates.initial!.getTime()).toBe(now);
        expect([...key.tags].sort()).toEqual([...new Set(options.tags)].sort());
      }),
    );
  });
});

it("policies are such as may be stored, with rules of every effect and for every operation", () => {
  const algorithms = Object.keys(ALGORITHMS);
  const seen = new Set<string>();
  fc.assert(
    fc.property(policy(), (given) => {
      for (const { effect, operations = [] } of checkPolicy(given, { states: STATE_NAMES, algorithms }).rules)
        for (const what of [effect, ...operations]) seen.add(what);
    }),
    { numRuns: 300 },
  );
  expect([...Object.keys(EFFECTS), ...OPERATION_NAMES].filter((what) => !seen.has(what))).toEqual([]);
});

describe("histories", () => {
  it("hold every kind of step", () => {
    const kinds = fc
      .sample(history(), 200)
      .flatMap(({ steps }) => steps.flatMap((step) => ("act" in step ? [step.act.do] : Object.keys(step))));
    const expected = ["create", "destroy", "set-date", "sweep", "encrypt", "race", "clock", "reopen"];
    expect(expected.filter((kind) => !kinds.includes(kind))).toEqual([]);
    expect(historyText(fc.sample(history({ maxSteps: 3 }), 1)[0]!)).toMatch(/^profile .*, freshness \d+/);
  });

  const create: HistoryStep = {
    actor: 0,
    act: {
      do: "create",
      key: "a",
      shape: {
        activation: undefined,
        gaps: [undefined, undefined, undefined],
        wrapped: false,
        imported: false,
      },
    },
  };
  const twice: HistoryStep = {
    race: [
      { do: "rotate", key: "a", offset: 40 },
      { do: "rotate", key: "a", offset: 40 },
    ],
  };
  const plain = (steps: HistoryStep[]): History => ({ profile: "default", freshness: 0, steps });

  /** A store in memory of which one call is not what it should be. */
  function flawed(space: MemorySpace, changed: (commit: Commit) => Commit | null): StorageAdapter {
    const inner = memoryStorage({ space });
    return Object.assign(Object.create(inner) as StorageAdapter, {
      capabilities: inner.capabilities,
      get: inner.get.bind(inner),
      getMany: inner.getMany.bind(inner),
      list: inner.list.bind(inner),
      count: inner.count.bind(inner),
      close: inner.close.bind(inner),
      async commit(commit: Commit) {
        const instead = changed(commit);
        if (instead !== null) return inner.commit(instead);
        const versions = commit.mutations.filter(({ kind }) => kind === "put").map((_, i) => `lost${i}`);
        return { committed: true, versions };
      },
    });
  }

  it("find a store that forgets to check, and one that loses a commit", async () => {
    const flaws: ((commit: Commit, nth: number) => Commit | null)[] = [
      (commit, nth) => (nth < 3 ? commit : { ...commit, checks: [] }),
      (commit, nth) => (nth === 3 ? null : commit),
    ];
    for (const flaw of flaws) {
      const space = new MemorySpace();
      let commits = 0;
      const storage = (): StorageAdapter => flawed(space, (commit) => flaw(commit, commits++));
      expect(await codeOf(runHistory(plain([create, twice]), { storage }))).not.toBe("no error");
    }
    await runHistory(plain([create, twice]));
  });
});
