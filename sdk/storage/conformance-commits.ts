/** Conformance of commits: strictly serializable, all or nothing, within limits. */
import type { Mutation } from "./adapter.js";
import {
  absent,
  at,
  bytes,
  type ConformanceCase,
  del,
  dump,
  EVERYTHING,
  type Kit,
  listed,
  put,
} from "./conformance-kit.js";

export const COMMIT_CASES: readonly ConformanceCase[] = [
  {
    name: "creates a key once: the second create is a conflict with the version found",
    run: async (kit) => {
      const [version] = await kit.commit([put("k", "1")], [absent("k")]);
      kit.equal(await kit.conflict([absent("k")], [put("k", "2")]), [`k: ${version}, null`], "conflicts");
      kit.equal(await kit.value("k"), "1", "the first value stays");
    },
  },
  {
    name: "refuses a stale version and takes the current one",
    run: async (kit) => {
      const [first] = await kit.commit([put("k", "1")]);
      const [second] = await kit.commit([put("k", "2")], [at("k", first as string)]);
      kit.ok(first !== second, "a put gives a new version, also over an old value");
      kit.equal(
        await kit.conflict([at("k", first as string)], [put("k", "3")]),
        [`k: ${second}, ${first}`],
        "conflicts",
      );
      await kit.commit([del("k")], [at("k", second as string)]);
      kit.equal(
        await kit.conflict([at("k", second as string)], [put("k", "4")]),
        [`k: null, ${second}`],
        "after a delete",
      );
      kit.equal(await kit.value("k"), null, "the key stays deleted");
    },
  },
  {
    name: "a put of the same value is a change too",
    run: async (kit) => {
      const [first] = await kit.commit([put("k", "same")]);
      const [second] = await kit.commit([put("k", "same")]);
      kit.ok(first !== second, "another version");
    },
  },
  {
    name: "holds checks on keys that the commit doesn't write, present and absent",
    run: async (kit) => {
      const [version] = await kit.commit([put("gate", "open")]);
      await kit.commit([put("x", "1")], [at("gate", version as string), absent("nothing")]);
      const [closed] = await kit.commit([put("gate", "closed")]);
      const stale = await kit.conflict([at("gate", version as string)], [put("y", "1")]);
      kit.equal(stale, [`gate: ${closed}, ${version}`], "a changed key");
      kit.equal(
        await kit.conflict([absent("gate")], [put("y", "1")]),
        [`gate: ${closed}, null`],
        "a present key",
      );
      kit.equal(
        await kit.conflict([at("nothing", "1")], [put("y", "1")]),
        ["nothing: null, 1"],
        "an absent key",
      );
      kit.equal(await kit.value("y"), null, "nothing was written");
    },
  },
  {
    name: "reports every failed check, in order, and no other",
    run: async (kit) => {
      const [a, b] = await kit.commit([put("a"), put("b"), put("c")]);
      const checks = [
        absent("a"),
        at("b", b as string),
        absent("none"),
        at("c", "no version"),
        at("none", a as string),
      ];
      const c = await kit.version("c");
      const expected = [`a: ${a}, null`, `c: ${c}, no version`, `none: null, ${a}`];
      kit.equal(await kit.conflict(checks, [put("d")]), expected, "conflicts");
    },
  },
  {
    name: "a conflict writes nothing, however many mutations the commit has",
    run: async (kit) => {
      await kit.commit([put("a", "1"), put("b", "1")]);
      const before = await dump(kit.storage);
      const many = Array.from({ length: 60 }, (_, i) => put(`new${i}`));
      await kit.conflict([absent("b")], [put("a", "2"), del("b"), ...many]);
      kit.equal(await dump(kit.storage), before, "the store");
    },
  },
  {
    name: "a commit without mutations compares its checks at one instant",
    run: async (kit) => {
      const [version] = await kit.commit([put("a")]);
      const before = await dump(kit.storage);
      kit.equal(await kit.commit([], [at("a", version as string), absent("b")]), [], "versions");
      kit.equal(await kit.conflict([absent("a")], []), [`a: ${version}, null`], "conflicts");
      kit.equal(await dump(kit.storage), before, "the store");
    },
  },
  {
    name: "gives versions to puts in their order, deletes between them or not",
    run: async (kit) => {
      await kit.commit([put("gone")]);
      const versions = await kit.commit([put("b"), del("gone"), put("a"), del("never"), put("c")]);
      const found = [await kit.version("b"), await kit.version("a"), await kit.version("c")];
      kit.equal(versions, found, "versions");
      kit.equal(await kit.value("gone"), null, "the deleted key");
    },
  },
  {
    name: "never uses a version of a key again, not after a delete either",
    run: async (kit) => {
      const seen: string[] = [];
      for (let i = 0; i < 20; i++) {
        seen.push(...(await kit.commit([put("k", "v")])));
        seen.push(...(await kit.commit([put("k", "v")])));
        await kit.commit([del("k")]);
      }
      kit.equal(new Set(seen).size, seen.length, "different versions");
      await kit.commit([put("k", "v")]);
      for (const version of seen) await kit.conflict([at("k", version)], [put("k", "stale")]);
    },
  },
  {
    name: "never uses a version again after the store was closed and opened",
    needs: "reopen",
    run: async (kit) => {
      const [kept, first] = await kit.commit([put("kept", "v"), put("k", "v")]);
      await kit.commit([del("k")]);
      const again = await kit.reopen();
      kit.equal(await kit.version("kept", again), kept, "a kept entry keeps its version");
      const [second] = await kit.commit([put("k", "v")], [], again);
      kit.ok(first !== second, "another version");
      await kit.conflict([at("k", first as string)], [put("k", "stale")], again);
    },
  },
  {
    name: "keeps what was committed when it is closed and opened again",
    needs: "reopen",
    run: async (kit) => {
      await kit.commit([put("a", "1"), put("b", "1")]);
      await kit.commit([put("a", "2"), del("b"), put("c", "")]);
      const before = await dump(kit.storage);
      kit.equal(await dump(await kit.reopen()), before, "the store");
    },
  },
  {
    name: "lets one of two commits through that each read what the other writes (write skew)",
    run: async (kit) => {
      for (const storage of await handles(kit)) {
        const [a, b] = await kit.commit([put("a", "on duty"), put("b", "on duty")]);
        const checks = [at("a", a as string), at("b", b as string)];
        const outcomes = await Promise.all([
          kit.try(checks, [put("a", "off")]),
          kit.try(checks, [put("b", "off")], storage),
        ]);
        kit.equal(outcomes.filter(({ committed }) => committed).length, 1, "commits that went through");
        const values = [await kit.value("a"), await kit.value("b")].sort();
        kit.equal(values, ["off", "on duty"], "values");
      }
    },
  },
  {
    name: "lets one of two commits through that each need what the other creates to be absent",
    run: async (kit) => {
      for (const storage of await handles(kit)) {
        await kit.commit([del("a"), del("b")]);
        const outcomes = await Promise.all([
          kit.try([absent("b")], [put("a")]),
          kit.try([absent("a")], [put("b")], storage),
        ]);
        kit.equal(outcomes.filter(({ committed }) => committed).length, 1, "commits that went through");
        kit.equal((await listed(kit.storage, EVERYTHING)).length, 1, "keys created");
      }
    },
  },
  {
    name: "loses no increment of many writers",
    run: async (kit) => {
      await kit.commit([put("n", "0")]);
      const [first, other] = await handles(kit);
      const writers = [first, other ?? first, first, other ?? first, first];
      const rounds = 12;
      const increment = async (storage = kit.storage): Promise<void> => {
        for (let attempt = 0; attempt < 500; attempt++) {
          const entry = await storage.get(bytes("n"));
          const next = String(Number(await kit.value("n", storage)) + 1);
          // Between the two reads others may have written: the check finds it out.
          const outcome = await kit.try([at("n", entry?.version ?? null)], [put("n", next)], storage);
          if (outcome.committed) return;
        }
        throw new Error("no attempt of 500 went through");
      };
      await Promise.all(
        writers.map(async (storage) => {
          for (let i = 0; i < rounds; i++) await increment(storage);
        }),
      );
      kit.equal(await kit.value("n"), String(writers.length * rounds), "the sum");
    },
  },
  {
    name: "a second handle sees every commit as soon as it is acknowledged, and its checks hold there",
    needs: "second",
    run: async (kit) => {
      const other = await kit.second();
      for (let i = 0; i < 20; i++) {
        const [writer, reader] = i % 2 === 0 ? [kit.storage, other] : [other, kit.storage];
        const before = await kit.version("k", reader);
        const [version] = await kit.commit([put("k", `${i}`)], [at("k", before)], writer);
        kit.equal(await kit.value("k", reader), `${i}`, "the value");
        kit.equal(
          await kit.conflict([at("k", before)], [del("k")], reader),
          [`k: ${version}, ${before}`],
          "conflicts",
        );
      }
      await other.close();
      kit.equal(await kit.value("k"), "19", "the first handle, after the second was closed");
    },
  },
  {
    name: "keeps no hold of the caller's bytes after a commit",
    run: async (kit) => {
      const mutation: Mutation = { kind: "put", key: bytes("key"), value: bytes("value") };
      const [version] = await kit.commit([mutation]);
      mutation.key.fill(0);
      mutation.value.fill(0);
      kit.equal(await dump(kit.storage), [`key=value@${version}`], "the store");
    },
  },
  {
    name: "takes a check twice, and fails if either does",
    run: async (kit) => {
      const [version] = await kit.commit([put("a")]);
      await kit.commit([put("b")], [at("a", version as string), at("a", version as string)]);
      await kit.conflict([at("a", version as string), absent("a")], [put("c")]);
    },
  },
];

/** One or two handles on the store, as its factory has them. */
async function handles(kit: Kit) {
  return kit.store.second === undefined ? [kit.storage] : [kit.storage, await kit.second()];
}
