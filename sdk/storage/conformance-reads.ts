/** Conformance of reads: what is put comes back, in order, from one instant. */
import { compareBytes } from "./adapter.js";
import {
  bytes,
  type ConformanceCase,
  del,
  EVERYTHING,
  listed,
  put,
  range,
  shown,
  snapshotOf,
  text,
} from "./conformance-kit.js";

/** As Node's Buffer: its slice is a view, no copy. */
class SlicedByView extends Uint8Array {
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer as ArrayBuffer).subarray(start, end);
  }
}

export const READ_CASES: readonly ConformanceCase[] = [
  {
    name: "gives back empty, binary and largest keys and values byte for byte",
    run: async (kit) => {
      const { maxKeyBytes, maxValueBytes } = kit.storage.capabilities;
      const every = Uint8Array.from({ length: 256 }, (_, i) => i);
      const largest = Uint8Array.from({ length: maxValueBytes }, (_, i) => (i * 7) & 255);
      const pairs: [Uint8Array, Uint8Array][] = [
        [new Uint8Array([0]), new Uint8Array(0)],
        [new Uint8Array([255]), new Uint8Array([0])],
        [every, every],
        [new Uint8Array(maxKeyBytes).fill(255), largest],
      ];
      const mutations = pairs.map(([key, value]) => ({ kind: "put", key, value }) as const);
      const versions = await kit.commit(mutations);
      kit.equal(versions.length, pairs.length, "one version per put");
      for (const [i, [key, value]] of pairs.entries()) {
        const entry = await kit.storage.get(key);
        kit.ok(entry !== null && compareBytes(entry.key, key) === 0, `key ${i} comes back`);
        kit.ok(entry !== null && compareBytes(entry.value, value) === 0, `value ${i} comes back`);
        kit.equal(entry?.version, versions[i], `version ${i} is the one that the commit gave`);
      }
    },
  },
  {
    name: "answers null for an absent, an empty and an oversized key",
    run: async (kit) => {
      await kit.commit([put("a", "1")]);
      const keys = [bytes("b"), new Uint8Array(0), new Uint8Array(kit.storage.capabilities.maxKeyBytes + 1)];
      for (const key of keys) kit.equal(await kit.storage.get(key), null, `key of ${key.length} bytes`);
      kit.equal(await kit.storage.getMany(keys), [null, null, null], "getMany");
    },
  },
  {
    name: "getMany answers in the order of the keys, repeated and absent ones too",
    run: async (kit) => {
      await kit.commit([put("a", "1"), put("b", "2")]);
      const entries = await kit.storage.getMany(["b", "x", "a", "b"].map(bytes));
      kit.equal(entries.map(shown), ["b=2", null, "a=1", "b=2"], "entries");
      kit.equal(await kit.storage.getMany([]), [], "no keys");
    },
  },
  {
    name: "getMany reads one instant while commits go on",
    run: async (kit) => {
      await kit.commit([put("left", "0"), put("right", "0")]);
      let torn = 0;
      const reading = async (): Promise<void> => {
        for (let i = 0; i < 60; i++) {
          const [left, right] = await kit.storage.getMany([bytes("left"), bytes("right")]);
          if (shown(left ?? null)?.slice(4) !== shown(right ?? null)?.slice(5)) torn++;
        }
      };
      const writing = async (): Promise<void> => {
        for (let i = 1; i <= 60; i++) await kit.commit([put("left", `${i}`), put("right", `${i}`)]);
      };
      await Promise.all([writing(), reading(), reading()]);
      kit.equal(torn, 0, "reads that saw half of a commit");
    },
  },
  {
    name: "lists bytewise: a prefix before its extensions, 0x7f before 0x80, without regard to length",
    run: async (kit) => {
      const keys = [
        "\0",
        "\0\0",
        "\0\x01",
        "\x01",
        "a",
        "a\0",
        "a\xff",
        "b",
        "\x7f",
        "\x80",
        "\xff",
        "\xff\0",
        "\xff\xff",
      ];
      for (const key of [...keys].reverse()) await kit.commit([put(key, "v")]);
      const expected = keys.map((key) => `${key}=v`);
      kit.equal(await listed(kit.storage, EVERYTHING), expected, "all");
      kit.equal(
        await listed(kit.storage, EVERYTHING, { reverse: true }),
        expected.reverse(),
        "all in reverse",
      );
    },
  },
  {
    name: "lists half-open ranges: the start belongs to them, the end does not",
    run: async (kit) => {
      await kit.commit(["a", "b", "ba", "c", "d"].map((key) => put(key)));
      const longer = "b".repeat(kit.storage.capabilities.maxKeyBytes + 20);
      const ranges: [string, string | null, string[]][] = [
        ["b", "d", ["b", "ba", "c"]],
        ["b", "b\0", ["b"]],
        ["b\0", "c", ["ba"]],
        ["", "b", ["a"]],
        ["c\0", null, ["d"]],
        ["b", "b", []],
        ["d", "a", []],
        ["", "", []],
        ["e", null, []],
        [longer, null, ["c", "d"]],
        ["", longer, ["a", "b", "ba"]],
      ];
      for (const [start, end, keys] of ranges) {
        const expected = keys.map((key) => `${key}=`);
        const what = `[${start.slice(0, 9)}, ${end?.slice(0, 9) ?? "end"})`;
        kit.equal(await listed(kit.storage, range(start, end)), expected, what);
        const reversed = await listed(kit.storage, range(start, end), { reverse: true });
        kit.equal(reversed, [...expected].reverse(), `${what} in reverse`);
      }
    },
  },
  {
    name: "honours limit, reverse and keysOnly together and over many entries",
    run: async (kit) => {
      const names = Array.from({ length: 3000 }, (_, i) => `n${String(i).padStart(5, "0")}`);
      const { maxMutations } = kit.storage.capabilities;
      for (let i = 0; i < names.length; i += maxMutations) {
        await kit.commit(names.slice(i, i + maxMutations).map((name) => put(name, "v")));
      }
      for (const limit of [0, 1, 31, 32, 33, 1024, 2999, 3000, 4000]) {
        for (const reverse of [false, true]) {
          for (const keysOnly of [false, true]) {
            const all = (reverse ? [...names].reverse() : names).slice(0, limit);
            const expected = all.map((name) => (keysOnly ? `${name}=` : `${name}=v`));
            const found = await listed(kit.storage, EVERYTHING, { limit, reverse, keysOnly });
            kit.equal(found, expected, `limit ${limit}, reverse ${reverse}, keysOnly ${keysOnly}`);
          }
        }
      }
      for await (const entry of kit.storage.list(EVERYTHING, { keysOnly: true, limit: 1 })) {
        kit.equal(entry.version, await kit.version("n00000"), "keysOnly gives versions");
      }
    },
  },
  {
    name: "a listing reads its range and bounds as they were at the call, and can be iterated twice",
    run: async (kit) => {
      await kit.commit(["a", "b", "c"].map((key) => put(key)));
      const bounds = { start: new SlicedByView(bytes("b")), end: new SlicedByView(bytes("c")) };
      const listing = kit.storage.list(bounds);
      bounds.start.fill(0);
      bounds.end.fill(255);
      for (let round = 0; round < 2; round++) {
        const found: string[] = [];
        for await (const entry of listing) found.push(text(entry.key));
        kit.equal(found, ["b"], `round ${round}`);
      }
    },
  },
  ...[false, true].map((reverse): ConformanceCase => ({
    name: `a listing${reverse ? " in reverse" : ""} shows every unchanged entry once while others are written`,
    run: async (kit) => {
      const stay = Array.from({ length: 2400 }, (_, i) => `k${String(i).padStart(5, "0")}`);
      const { maxMutations } = kit.storage.capabilities;
      for (let i = 0; i < stay.length; i += maxMutations / 2) {
        const some = stay.slice(i, i + maxMutations / 2);
        await kit.commit(some.flatMap((name) => [put(name, "stays"), put(`${name}~`, "changes")]));
      }
      const seen: string[] = [];
      let count = 0;
      for await (const entry of kit.storage.list(EVERYTHING, { reverse })) {
        if (text(entry.value) === "stays") seen.push(text(entry.key));
        if (count++ % 40 !== 0) continue;
        // Before, at and after the place where the listing stands.
        const i = (count * 17) % stay.length;
        const here = text(entry.key).slice(0, 6);
        await kit.commit([del(`${stay[i]}~`), put(`${stay[i]}!${count}`, "new"), put(`${here}+`, "new")]);
        await kit.commit([del(`${here}~`), put(`a${count}`, "new"), put(`z${count}`, "new")]);
      }
      kit.equal(seen, reverse ? [...stay].reverse() : stay, "unchanged entries");
    },
  })),
  {
    name: "counts what it lists, of every range",
    run: async (kit) => {
      kit.equal(await kit.storage.count(EVERYTHING), 0, "an empty store");
      const names = Array.from({ length: 1500 }, (_, i) => `k${String(i).padStart(4, "0")}`);
      for (let i = 0; i < names.length; i += 50) {
        await kit.commit(names.slice(i, i + 50).map((name) => put(name, "")));
      }
      await kit.commit([del("k0000"), del("k0700"), del("k1499"), put("k0001", "again")]);
      const bounds = ["", "k", "k0000", "k0001", "k0700", "k0700x", "k1499", "z"];
      for (const start of bounds) {
        for (const end of [...bounds, null]) {
          const bound = range(start, end);
          const expected = (await listed(kit.storage, bound)).length;
          kit.equal(await kit.storage.count(bound), expected, `${start} to ${end}`);
        }
      }
    },
  },
  {
    name: "a listing that is left early doesn't stand in the way of commits or of closing",
    run: async (kit) => {
      await kit.commit(Array.from({ length: 60 }, (_, i) => put(`k${i}`)));
      for await (const entry of kit.storage.list(EVERYTHING)) {
        kit.ok(entry.key.length > 0, "an entry has a key");
        await kit.commit([put("k0", "changed")]);
        break;
      }
      kit.equal(await kit.value("k0"), "changed", "the commit took effect");
    },
  },
  {
    name: "bytes that were read belong to the caller: changing them changes no store",
    run: async (kit) => {
      await kit.commit([put("a", "one"), put("b", "two")]);
      const got = [
        await kit.storage.get(bytes("a")),
        ...(await kit.storage.getMany([bytes("a"), bytes("b")])),
      ];
      for await (const entry of kit.storage.list(EVERYTHING)) got.push(entry);
      for (const entry of got) {
        entry?.key.fill(0);
        entry?.value.fill(0);
      }
      kit.equal(await listed(kit.storage, EVERYTHING), ["a=one", "b=two"], "the store");
    },
  },
  {
    name: "a snapshot shows its instant, whatever is put, changed and deleted later",
    needs: "snapshot",
    run: async (kit) => {
      await kit.commit([put("a", "1"), put("b", "1"), put("c", "1")]);
      const first = await snapshotOf(kit.storage);
      await kit.commit([put("a", "2"), del("b"), put("d", "2")]);
      const second = await snapshotOf(kit.storage);
      await kit.commit([put("b", "3"), del("a"), put("d", "3")]);
      await kit.commit([del("d")]);
      kit.equal(await listed(first, EVERYTHING), ["a=1", "b=1", "c=1"], "the first snapshot");
      kit.equal(await listed(second, EVERYTHING, { reverse: true }), ["d=2", "c=1", "a=2"], "the second");
      kit.equal(await listed(kit.storage, EVERYTHING), ["b=3", "c=1"], "the store");
      const keys = ["a", "b", "d"].map(bytes);
      kit.equal((await first.getMany(keys)).map(shown), ["a=1", "b=1", null], "getMany of the first");
      kit.equal((await second.getMany(keys)).map(shown), ["a=2", null, "d=2"], "getMany of the second");
      const counts = [first, second, kit.storage].map((reads) => reads.count(EVERYTHING));
      kit.equal(await Promise.all(counts), [3, 3, 2], "counts of both and of the store");
      await first.close();
      kit.equal(shown(await second.get(bytes("a"))), "a=2", "the second, after the first was closed");
      await second.close();
      await second.close();
      await kit.rejects(() => second.get(bytes("a")), "STORAGE_CLOSED", "a closed snapshot");
      kit.equal(await listed(kit.storage, EVERYTHING), ["b=3", "c=1"], "the store at the end");
    },
  },
];
