/** Conformance at the edges: what a store offers, what it refuses, and that closed is closed. */
import { MAX_KEY_BYTES, MAX_VALUE_BYTES, MIN_CHECKS, MIN_MUTATIONS, type Mutation } from "./adapter.js";
import {
  absent,
  bytes,
  commitId,
  type ConformanceCase,
  del,
  dump,
  EVERYTHING,
  listed,
  put,
  snapshotOf,
} from "./conformance-kit.js";

export const LIMIT_CASES: readonly ConformanceCase[] = [
  {
    name: "offers the least that every store offers",
    run: async (kit) => {
      const { capabilities, snapshot, watch } = kit.storage;
      kit.ok(capabilities.maxChecks >= MIN_CHECKS, "maxChecks");
      kit.ok(capabilities.maxMutations >= MIN_MUTATIONS, "maxMutations");
      kit.equal(capabilities.maxKeyBytes, MAX_KEY_BYTES, "maxKeyBytes");
      kit.equal(capabilities.maxValueBytes, MAX_VALUE_BYTES, "maxValueBytes");
      kit.equal(
        [capabilities.snapshot, capabilities.watch],
        [snapshot !== undefined, watch !== undefined],
        "methods",
      );
      const names = Array.from({ length: MIN_MUTATIONS }, (_, i) => `k${i}`);
      await kit.commit(
        names.map((name) => put(name)),
        names.map(absent),
      );
      kit.equal((await listed(kit.storage, EVERYTHING)).length, MIN_MUTATIONS, "entries");
    },
  },
  {
    name: "refuses a commit over a limit before anything is written, and never splits it",
    run: async (kit) => {
      await kit.commit([put("a", "1")]);
      const before = await dump(kit.storage);
      const { maxChecks, maxMutations, maxCommitBytes, maxValueBytes } = kit.storage.capabilities;
      const puts = Array.from({ length: maxMutations + 1 }, (_, i) => put(`k${i}`));
      await kit.rejects(() => kit.try([], puts), "STORAGE_COMMIT_TOO_LARGE", "mutations");
      const checks = Array.from({ length: maxChecks + 1 }, (_, i) => absent(`k${i}`));
      await kit.rejects(() => kit.try(checks, [put("b")]), "STORAGE_COMMIT_TOO_LARGE", "checks");
      const value = new Uint8Array(maxValueBytes);
      const count = Math.ceil(maxCommitBytes / maxValueBytes);
      if (count <= maxMutations) {
        const large = Array.from({ length: count }, (_, i): Mutation => ({
          kind: "put",
          key: bytes(`l${i}`),
          value,
        }));
        await kit.rejects(() => kit.try([], large), "STORAGE_COMMIT_TOO_LARGE", "bytes");
      }
      kit.equal(await dump(kit.storage), before, "the store");
    },
  },
  {
    name: "refuses a malformed commit before anything is written",
    run: async (kit) => {
      await kit.commit([put("a", "1")]);
      const before = await dump(kit.storage);
      const { maxKeyBytes, maxValueBytes } = kit.storage.capabilities;
      const tooLong = "k".repeat(maxKeyBytes + 1);
      const value = new Uint8Array(maxValueBytes + 1);
      const many = Array.from({ length: 40 }, (_, i) => put(`k${i}`));
      const malformed: [string, () => Promise<unknown>][] = [
        ["a key put twice", () => kit.try([], [put("b"), put("c"), put("b")])],
        ["a key put and deleted", () => kit.try([], [...many, del("k7")])],
        ["an empty key", () => kit.try([], [put("b"), put("")])],
        ["an empty key of a check", () => kit.try([absent("")], [put("b")])],
        ["an oversized key", () => kit.try([], [put("b"), put(tooLong)])],
        ["an oversized key of a check", () => kit.try([absent(tooLong)], [put("b")])],
        ["an oversized value", () => kit.try([], [put("b"), { kind: "put", key: bytes("c"), value }])],
        [
          "a short id",
          () => kit.storage.commit({ id: new Uint8Array(15), checks: [], mutations: [put("b")] }),
        ],
      ];
      for (const [what, call] of malformed) await kit.rejects(call, "STORAGE_INVALID_COMMIT", what);
      kit.equal(await dump(kit.storage), before, "the store");
    },
  },
  {
    name: "is closed for good once it is closed, and closes twice",
    run: async (kit) => {
      const { storage } = kit;
      await kit.commit([put("a")]);
      const listing = storage.list(EVERYTHING)[Symbol.asyncIterator]();
      const snapshot = storage.capabilities.snapshot ? await snapshotOf(storage) : null;
      await storage.close();
      await storage.close();
      const calls: [string, () => Promise<unknown>][] = [
        ["get", () => storage.get(bytes("a"))],
        ["getMany", () => storage.getMany([bytes("a")])],
        ["list", () => listed(storage, EVERYTHING)],
        ["a listing begun before", () => listing.next()],
        ["commit", () => storage.commit({ id: commitId(), checks: [], mutations: [put("b")] })],
      ];
      if (snapshot !== null) {
        calls.push(
          ["snapshot", () => snapshotOf(storage)],
          ["a snapshot opened before", () => snapshot.get(bytes("a"))],
        );
      }
      for (const [what, call] of calls) await kit.rejects(call, "STORAGE_CLOSED", what);
      await snapshot?.close();
    },
  },
];
