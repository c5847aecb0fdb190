// A suite that lets a broken store pass is worth nothing: each defect here must be found, by its own test.
import { describe, expect, it } from "vitest";

import { compareBytes, type Commit, type Entry, type StorageAdapter } from "../../sdk/storage/adapter.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import type { StoreUnderTest } from "../../sdk/storage/conformance-kit.js";
import { MemorySpace, memoryStorage } from "../../sdk/storage/memory.js";

/** Methods that replace the sound ones. `inner` is the sound store. */
type Defect = (inner: StorageAdapter) => Partial<StorageAdapter>;

const same = (a: Uint8Array, b: Uint8Array): boolean => compareBytes(a, b) === 0;
const written = (commit: Commit, key: Uint8Array): boolean =>
  commit.mutations.some((one) => same(one.key, key));
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

async function* filtered(entries: AsyncIterable<Entry>, change: (entry: Entry, i: number) => Entry | null) {
  let i = 0;
  for await (const entry of entries) {
    const changed = change(entry, i++);
    if (changed !== null) yield changed;
  }
}

const DEFECTS: readonly (readonly [string, RegExp, Defect])[] = [
  [
    "ignores checks on keys that the commit doesn't write",
    /checks on keys that the commit doesn't write/,
    (inner) => ({
      commit: (commit) =>
        inner.commit({ ...commit, checks: commit.checks.filter(({ key }) => written(commit, key)) }),
    }),
  ],
  [
    "ignores checks on absent keys that it doesn't write",
    /each need what the other creates to be absent/,
    (inner) => ({
      commit: (commit) =>
        inner.commit({
          ...commit,
          checks: commit.checks.filter(({ key, version }) => version !== null || written(commit, key)),
        }),
    }),
  ],
  [
    "compares first and writes a turn later",
    /loses no increment/,
    (inner) => ({
      async commit(commit) {
        const outcome = await inner.commit({ ...commit, mutations: [] });
        if (!outcome.committed) return outcome;
        await turn();
        return inner.commit({ ...commit, checks: [] });
      },
    }),
  ],
  [
    "writes in halves",
    /writes nothing, however many/,
    (inner) => ({
      async commit(commit) {
        const outcome = await inner.commit(commit);
        if (!outcome.committed)
          await inner.commit({ ...commit, checks: [], mutations: commit.mutations.slice(0, 1) });
        return outcome;
      },
    }),
  ],
  [
    "reports the first conflict only",
    /reports every failed check/,
    (inner) => ({
      async commit(commit) {
        const outcome = await inner.commit(commit);
        return outcome.committed ? outcome : { committed: false, conflicts: outcome.conflicts.slice(0, 1) };
      },
    }),
  ],
  [
    "gives every put a version, and every delete too",
    /gives versions to puts in their order/,
    (inner) => ({
      async commit(commit) {
        const outcome = await inner.commit(commit);
        if (!outcome.committed) return outcome;
        return { committed: true, versions: commit.mutations.map(() => outcome.versions[0] ?? "0") };
      },
    }),
  ],
  [
    "splits a commit that is too large",
    /refuses a commit over a limit/,
    (inner) => ({
      async commit(commit) {
        const { maxMutations } = inner.capabilities;
        if (commit.mutations.length <= maxMutations) return inner.commit(commit);
        await inner.commit({ ...commit, mutations: commit.mutations.slice(0, maxMutations) });
        return inner.commit({ ...commit, checks: [], mutations: commit.mutations.slice(maxMutations) });
      },
    }),
  ],
  [
    "takes a key twice, the last wins",
    /refuses a malformed commit/,
    (inner) => ({
      commit: (commit) =>
        inner.commit({
          ...commit,
          mutations: commit.mutations.filter(
            ({ key }, i) => !commit.mutations.slice(i + 1).some((later) => same(later.key, key)),
          ),
        }),
    }),
  ],
  [
    "reads many keys one after the other",
    /getMany reads one instant/,
    (inner) => ({
      async getMany(keys) {
        const entries: (Entry | null)[] = [];
        for (const key of keys) {
          entries.push(await inner.get(key));
          await Promise.resolve();
        }
        return entries;
      },
    }),
  ],
  [
    "lists the end of a range",
    /half-open/,
    (inner) => ({
      list(range, options) {
        const end = range.end === null ? null : Uint8Array.from([...range.end, 0]);
        return inner.list({ start: range.start, end }, options);
      },
    }),
  ],
  [
    "forgets to reverse",
    /lists bytewise/,
    (inner) => ({ list: (range, options) => inner.list(range, { ...options, reverse: false }) }),
  ],
  [
    "forgets the limit",
    /honours limit/,
    (inner) => ({ list: (range, options) => inner.list(range, { ...options, limit: undefined }) }),
  ],
  [
    "loses an entry of a long listing at a page's end",
    /shows every unchanged entry once/,
    (inner) => ({
      list: (range, options) =>
        filtered(inner.list(range, options), (entry, i) => (i === 1055 ? null : entry)),
    }),
  ],
  [
    "lists by number of entries passed instead of by key",
    /shows every unchanged entry once/,
    (inner) => ({
      async *list(range, options = {}) {
        for (let passed = 0, limit = options.limit ?? Infinity; limit > 0;) {
          const page: Entry[] = [];
          for await (const entry of inner.list(range, { ...options, limit: passed + Math.min(limit, 100) })) {
            page.push(entry);
          }
          const rest = page.slice(passed);
          if (rest.length === 0) return;
          yield* rest;
          passed += rest.length;
          limit -= rest.length;
        }
      },
    }),
  ],
  [
    "takes the live store for a snapshot",
    /a snapshot shows its instant/,
    (inner) => ({
      snapshot: async () => ({
        get: (key) => inner.get(key),
        getMany: (keys) => inner.getMany(keys),
        list: (range, options) => inner.list(range, options),
        count: (range) => inner.count(range),
        close: async () => {},
      }),
    }),
  ],
  [
    "counts the end of a range with it",
    /counts what it lists/,
    (inner) => ({
      async count(range) {
        const atEnd = range.end === null ? null : await inner.get(range.end);
        return (await inner.count(range)) + (atEnd === null ? 0 : 1);
      },
    }),
  ],
  ["goes on after it was closed", /is closed for good/, () => ({ close: async () => {} })],
  [
    "answers a conflict where it should throw nothing and commit",
    /a commit without mutations/,
    (inner) => ({
      async commit(commit) {
        return commit.mutations.length === 0 ? { committed: true, versions: [] } : inner.commit(commit);
      },
    }),
  ],
];

/** Counts versions per key, and forgets the count with the key. */
function forgetfulOfDeletes(inner: StorageAdapter): Partial<StorageAdapter> {
  const counts = new Map<string, number>();
  const versions = new Map<string, string>();
  const shown = (entry: Entry | null) => {
    if (entry === null) return null;
    return { ...entry, version: versions.get(String(entry.key)) ?? entry.version };
  };
  return {
    get: async (key) => shown(await inner.get(key)),
    getMany: async (keys) => (await inner.getMany(keys)).map(shown),
    list: (range, options) => filtered(inner.list(range, options), shown),
    async commit(commit) {
      const conflicts = commit.checks
        .map(({ key, version }) => ({ key, found: versions.get(String(key)) ?? null, expected: version }))
        .filter(({ found, expected }) => found !== expected);
      if (conflicts.length > 0) return { committed: false, conflicts };
      await inner.commit({ ...commit, checks: [] });
      const given: string[] = [];
      for (const { kind, key } of commit.mutations) {
        const name = String(key);
        if (kind === "delete") {
          counts.delete(name);
          versions.delete(name);
        } else {
          counts.set(name, (counts.get(name) ?? 0) + 1);
          versions.set(name, `v${counts.get(name)}`);
          given.push(`v${counts.get(name)}`);
        }
      }
      return { committed: true, versions: given };
    },
  };
}

/** Keeps what the caller gave instead of a copy. */
function holdsOn(inner: StorageAdapter): Partial<StorageAdapter> {
  const values = new Map<string, Uint8Array>();
  const shown = (entry: Entry) => ({ ...entry, value: values.get(String(entry.key)) ?? entry.value });
  return {
    list: (range, options) => filtered(inner.list(range, options), shown),
    async commit(commit) {
      for (const one of commit.mutations) if (one.kind === "put") values.set(String(one.key), one.value);
      return inner.commit(commit);
    },
  };
}

/** The names of the suite's tests that fail on a store with the defect. */
async function failures(defect: Defect): Promise<string[]> {
  const tests: [string, () => Promise<void>][] = [];
  storageConformance({
    test: (name, run) => tests.push([name, run]),
    name: "planted",
    factory: async (): Promise<StoreUnderTest> => {
      const open = (space: MemorySpace): StorageAdapter => {
        const inner = memoryStorage({ space, limits: { maxMutations: 400 } });
        const bound: StorageAdapter = {
          capabilities: inner.capabilities,
          get: inner.get.bind(inner),
          getMany: inner.getMany.bind(inner),
          list: inner.list.bind(inner),
          count: inner.count.bind(inner),
          commit: inner.commit.bind(inner),
          snapshot: inner.snapshot!.bind(inner),
          close: inner.close.bind(inner),
        };
        return { ...bound, ...defect(inner) };
      };
      return { storage: open(new MemorySpace()) };
    },
    lacks: ["reopen", "second"],
  });
  const failed: string[] = [];
  for (const [name, run] of tests) {
    const stuck = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("stuck")), 10_000));
    stuck.catch(() => {});
    await Promise.race([run(), stuck]).catch(() => failed.push(name));
  }
  return failed;
}

describe("the conformance suite", () => {
  it("passes a store without a defect", async () => {
    expect(await failures(() => ({}))).toEqual([]);
  });

  const all = [
    ...DEFECTS,
    [
      "counts versions per key and forgets them with it",
      /never uses a version of a key again/,
      forgetfulOfDeletes,
    ],
    ["keeps the caller's bytes", /keeps no hold of the caller's bytes/, holdsOn],
  ] as const;
  for (const [what, finder, defect] of all) {
    it(`fails a store that ${what}`, async () => {
      const failed = await failures(defect);
      expect(failed.some((name) => finder.test(name))).toBe(true);
    });
  }
});
