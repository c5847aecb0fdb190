/** The doctor: an untouched store has no findings, and every kind of planted damage has its own. */
import { beforeAll, describe, expect, it } from "vitest";
import { putU32, toHex } from "../../sdk/foundation/bytes.js";
import { parseId, type Id } from "../../sdk/foundation/ids.js";
import { doctor, FINDINGS, type FindingKind } from "../../sdk/entries/maintenance.js";
import { MAC_ID, ROOT_ID } from "../../sdk/crypto/material.js";
import { keyspace, MATERIAL_KEY, prefixOf, RECORD_PREFIXES } from "../../sdk/storage/keyspace.js";
import { decodeCborMap, encodeCbor } from "../../sdk/foundation/cbor.js";
import { serviceOf } from "../../sdk/key-manager.js";
import type { Entry } from "../../sdk/storage/adapter.js";
import { memoryStorage } from "../../sdk/storage/memory.js";
import { AEAD, auditOperations, codeOf, openMemory } from "../flows/support.js";
import {
  drop,
  edit,
  examined,
  imageOf,
  kindsOf,
  name,
  of,
  opened,
  put,
  repaired,
  sample,
  storeOf,
  type Image,
  type Sample,
} from "./support.js";

let store: Sample;
beforeAll(async () => {
  store = await sample();
});

const NONE = new Uint8Array(0);
const strange: Id = new Uint8Array(16).fill(0x77);
const isRecord = (entry: Entry): boolean =>
  (RECORD_PREFIXES as readonly string[]).includes(prefixOf(entry.key)!);
/** Without these a store does not open, whose checks are told in test/formats. */
const opens = ({ key }: Entry): boolean =>
  !["header", "unlockSlots", "epoch", "mark", "policy"].includes(prefixOf(key)!) &&
  name(key) !== name(keyspace.material(ROOT_ID, 1, MAC_ID, 1));

/** A lease saves work, and is made anew where it is missing. */
const isLease = ({ key }: Entry): boolean => prefixOf(key)!.startsWith("lease");

it("finds nothing in stores that nobody has edited", async () => {
  for (const image of [store.now, store.before]) {
    const summary = await examined(image);
    expect(summary.findings).toEqual([]);
    expect(summary.entries).toBe(image.size);
  }
});

it("has a sample with every kind of entry", () => {
  const kinds = new Set([...store.now.values()].map(({ key }) => prefixOf(key)));
  const expected = Object.keys(keyspace).filter((kind) => !["indexExposing", "restoring"].includes(kind));
  expect(expected.filter((kind) => !kinds.has(kind as never))).toEqual([]);
});

/** Planted damage, and the kinds of findings that it must give. */
const DAMAGES: Record<string, { plant: (image: Image) => void; found: FindingKind[] }> = {
  "an entry of no kind": {
    plant: (image) => put(image, new Uint8Array([0x7f, 1]), NONE),
    found: ["entry-unknown"],
  },
  "a history entry deleted, in the middle": {
    plant: (image) => image.delete(name(keyspace.history(parseId(store.ids.gone), 1, 2))),
    found: ["history-gap"],
  },
  "a history entry deleted, at the end": {
    plant: (image) => image.delete(name(keyspace.history(parseId(store.ids.gone), 1, 3))),
    found: ["history-gap"],
  },
  "a key's record deleted": {
    plant: (image) => image.delete(name(keyspace.key(parseId(store.ids.data)))),
    found: ["index-dangling", "record-missing", "record-unowned"],
  },
  "material deleted": {
    plant: (image) => drop(image, ...of(image, "material", store.ids.data)),
    found: ["material-missing"],
  },
  "material of a destroyed version put back": {
    plant: (image) =>
      of(store.before, "material", store.ids.gone).forEach(({ key, value }) => put(image, key, value)),
    found: ["material-returned"],
  },
  "material left where a re-wrap took it away": {
    plant: (image) =>
      of(store.before, "material", store.ids.data).forEach(({ key, value }) => put(image, key, value)),
    found: ["material-duplicate"],
  },
  "material moved back to before a re-wrap": {
    plant(image) {
      drop(image, ...of(image, "material", store.ids.data));
      of(store.before, "material", store.ids.data).forEach(({ key, value }) => put(image, key, value));
    },
    found: ["record-older"],
  },
  "material under a version that its wrapping key has not": {
    plant(image) {
      const [entry] = of(image, "material", store.ids.data);
      const key = entry!.key.slice();
      putU32(key, MATERIAL_KEY.kekVersion, 9);
      drop(image, entry!);
      put(image, key, entry!.value);
    },
    found: ["material-misplaced", "material-missing", "record-damaged"],
  },
  "a gate deleted": {
    plant: (image) => image.delete(name(keyspace.gate(parseId(store.ids.kek), 2))),
    found: ["record-missing"],
  },
  "a gate opened again, with its copy from before": {
    plant: (image) =>
      of(store.before, "gate", store.ids.kek).forEach(({ key, value }) => put(image, key, value)),
    found: ["gate-open", "record-older"],
  },
  "a usage count put back": {
    plant: (image) => drop(image, ...of(image, "usage")),
    found: ["record-missing"],
  },
  "an index entry of a key that does not exist": {
    plant: (image) => put(image, keyspace.indexTag("a", strange), NONE),
    found: ["index-dangling"],
  },
  "an index entry that the record does not confirm": {
    plant: (image) => put(image, keyspace.indexState(1, parseId(store.ids.data), 1), NONE),
    found: ["index-extra"],
  },
  "a name that leads to another key": {
    plant: (image) => put(image, keyspace.indexName("data"), parseId(store.ids.kek)),
    found: ["index-extra", "index-wrong"],
  },
  "a name that leads nowhere": {
    plant: (image) => put(image, keyspace.indexName("data"), new Uint8Array(3)),
    found: ["index-dangling", "index-wrong"],
  },
  "the log cut at its end": {
    plant: (image) => drop(image, of(image, "auditIntake").at(-1)!),
    found: ["chain-broken"],
  },
  "the log cut in the middle": {
    plant: (image) => drop(image, ...of(image, "auditIntake").slice(3, 5)),
    found: ["chain-broken"],
  },
  "two entries of the log swapped": {
    plant(image) {
      const [a, b] = of(image, "auditIntake").slice(3, 5);
      put(image, a!.key, b!.value);
      put(image, b!.key, a!.value);
    },
    found: ["chain-broken", "record-damaged"],
  },
  "the log's head put back": {
    plant: (image) => of(store.before, "auditHead").forEach(({ key, value }) => put(image, key, value)),
    found: ["chain-broken"],
  },
  "the log's entries deleted": {
    plant: (image) => drop(image, ...of(image, "auditBundle")),
    found: ["chain-broken", "log-broken"],
  },
  "the log's entries put back to what they were": {
    plant: (image) => of(store.before, "auditBundle").forEach(({ key, value }) => put(image, key, value)),
    found: ["chain-broken", "log-broken"],
  },
  "a tile of the log deleted": {
    plant: (image) => drop(image, ...of(image, "auditTile")),
    found: ["log-broken"],
  },
  "an older copy of a tile": {
    plant: (image) => of(store.before, "auditTile").forEach(({ key, value }) => put(image, key, value)),
    found: ["log-broken"],
  },
  "the root of the log put back": {
    plant: (image) => of(store.before, "auditLog").forEach(({ key, value }) => put(image, key, value)),
    found: ["log-broken"],
  },
  "the root of the log deleted": {
    plant: (image) => drop(image, ...of(image, "auditLog")),
    found: ["log-broken"],
  },
  "a chain's cursor put back": {
    plant: (image) => of(store.before, "auditMoved").forEach(({ key, value }) => put(image, key, value)),
    found: ["log-broken"],
  },
  "a chain's cursor deleted": {
    plant: (image) => drop(image, ...of(image, "auditMoved")),
    found: ["log-broken"],
  },
  "a whole chain deleted, with its head": {
    plant: (image) => drop(image, ...of(image, "auditIntake"), ...of(image, "auditHead")),
    found: ["writers-wrong"],
  },
  "a chain's head deleted": {
    plant: (image) => drop(image, ...of(image, "auditHead")),
    found: ["writers-wrong"],
  },
  "the list of writers deleted": {
    plant: (image) => drop(image, ...of(image, "auditWriters")),
    found: ["writers-wrong"],
  },
};

describe("planted damage", () => {
  it.each(Object.entries(DAMAGES))("%s", async (_, { plant, found }) => {
    const image = new Map(store.now);
    plant(image);
    expect(kindsOf(await examined(image))).toEqual([...found].sort());
  });

  it("is named where it is: the key, the version, the storage key", async () => {
    const image = new Map(store.now);
    const [entry] = of(image, "material", store.ids.data);
    drop(image, entry!);
    put(image, keyspace.indexTag("b", parseId(store.ids.data)), NONE);
    const { findings } = await examined(image);
    expect(findings).toEqual([
      expect.objectContaining({ kind: "material-missing", key: store.ids.data, version: 1, repaired: false }),
      expect.objectContaining({
        kind: "index-extra",
        key: store.ids.data,
        storageKey: expect.stringMatching(/^6162/),
      }),
    ]);
  });
});

describe("every entry of the sample", () => {
  /** Examines with one entry after the other in another way, and puts each back. @returns the kinds that went unnoticed */
  async function unnoticed(
    edits: readonly { key: Uint8Array; value: Uint8Array | null }[],
  ): Promise<string[]> {
    const space = await storeOf(store.now);
    const { keys } = await openMemory({ space, create: false });
    const missed: string[] = [];
    for (const { key, value } of edits) {
      await edit(space, key, value);
      if ((await doctor(keys)).found === 0) missed.push(prefixOf(key)!);
      await edit(space, key, store.now.get(name(key))!.value);
    }
    expect((await doctor(keys)).findings).toEqual([]);
    await keys.close();
    return missed;
  }

  it("is missed when it is taken away", { timeout: 60_000 }, async () => {
    const edits = [...store.now.values()].filter((entry) => opens(entry) && !isLease(entry));
    expect(edits.length).toBeGreaterThan(80);
    expect(await unnoticed(edits.map(({ key }) => ({ key, value: null })))).toEqual([]);
  });

  it("is told from its older copy", { timeout: 60_000 }, async () => {
    const edits = [...store.before.values()].filter((entry) => {
      const now = store.now.get(name(entry.key));
      return opens(entry) && !isLease(entry) && now !== undefined && name(now.value) !== name(entry.value);
    });
    expect(new Set(edits.map(({ key }) => prefixOf(key)))).toEqual(
      new Set([
        "key",
        "gate",
        "usage",
        "auditHead",
        "auditWriters",
        "auditLog",
        "auditTile",
        "auditBundle",
        "auditMoved",
      ]),
    );
    expect(await unnoticed(edits)).toEqual([]);
  });

  it("is found out when a byte of its record was changed, each by itself among all the others", async () => {
    const image = new Map(store.now);
    const records = [...image.values()].filter((entry) => isRecord(entry) && opens(entry));
    for (const { key, value } of records) {
      const changed = value.slice();
      changed[value.length >> 1]! ^= 1;
      put(image, key, changed);
    }
    const damaged = new Set<string>();
    await examined(image, {
      onFinding: ({ kind, storageKey }) => void (kind === "record-damaged" && damaged.add(storageKey!)),
    });
    expect([...damaged].sort()).toEqual(records.map(({ key }) => toHex(key)).sort());
  });
});

it("finds records that nobody put by a command, though their MACs are right", async () => {
  const image = new Map(store.now);
  const job = of(image, "job").find(({ value }) => name(value).includes("create-many"))!;
  const body = job.value.slice(8, -32);
  const done = decodeCborMap(body, "a job").get(3) as number;
  const forged = encodeCbor(new Map(decodeCborMap(body, "a job")).set(3, done + 1));
  const keys = await opened(image);
  const [sealed] = serviceOf(keys).context.records.seal([{ storageKey: job.key, revision: 1, body: forged }]);
  await keys.close();
  put(image, job.key, sealed!.value);
  expect(kindsOf(await examined(image))).toEqual(["job-wrong", "record-unlogged"]);
});

describe("a repair", () => {
  it("makes every index entry anew, and takes away those too many", async () => {
    const image = new Map(store.now);
    drop(image, ...[...image.values()].filter((entry) => !isRecord(entry)));
    put(image, keyspace.indexTag("x", strange), NONE);
    put(image, keyspace.indexName("nobody"), parseId(store.ids.kek));
    put(image, keyspace.indexDue(5, parseId(store.ids.kek), 1), NONE);
    const { first, second, after } = await repaired(image);
    expect(first.found).toBeGreaterThan(20);
    expect(first.repaired).toBe(first.found);
    expect(second.findings).toEqual([]);
    const indexes = (entries: Image): string[] =>
      [...entries.values()]
        .filter((entry) => !isRecord(entry))
        .map(({ key, value }) => name(key) + name(value));
    expect(indexes(after)).toEqual(indexes(store.now));
  });

  it("gives a name back to the key whose record has it", async () => {
    const image = new Map(store.now);
    put(image, keyspace.indexName("data"), parseId(store.ids.kek));
    const { first, second } = await repaired(image);
    expect(first.findings.map(({ repaired: done }) => done)).toEqual([true, true]);
    expect(second.found).toBe(0);
  });

  it("marks what an exposed wrapping key has left unmarked", async () => {
    const { keys, space } = await openMemory({ seed: 3 });
    const kek = await keys.create({ name: "kek", algorithm: AEAD, usages: ["wrap", "unwrap"] });
    await keys.create({ name: "under", algorithm: AEAD, under: kek });
    const before = await imageOf(space);
    await keys.revoke(kek, { reason: "key-compromise" });
    await keys.close();
    const image = await imageOf(space);
    // As it was in the commit that revoked: the entry that asks for the marking is dropped, and nothing is marked.
    const under = [...before.values()].find(
      ({ key, value }) => prefixOf(key) === "key" && name(value).includes("under"),
    )!;
    put(image, under.key, under.value);
    drop(
      image,
      ...of(image, "indexExposed").filter(({ key }) => name(key).includes(name(under.key.slice(1)))),
    );
    const { first, second } = await repaired(image);
    expect(kindsOf(first)).toEqual(["exposure-missing", "record-older"]);
    expect(second.kinds["exposure-missing"]).toBeUndefined();
  });

  it("leaves alone what is derived from nothing, and says so", async () => {
    const image = new Map(store.now);
    drop(image, ...of(image, "material", store.ids.data));
    const { first, second } = await repaired(image);
    expect(first.repaired).toBe(0);
    expect(kindsOf(second)).toEqual(["material-missing"]);
  });

  it("is an audited command", async () => {
    const image = new Map(store.now);
    drop(image, ...of(image, "indexTag"));
    const keys = await opened(image);
    await doctor(keys, { repair: true });
    expect(await auditOperations(keys)).toContain("repair");
    await keys.close();
  });
});

it("changes nothing without being asked to", async () => {
  const image = new Map(store.now);
  drop(image, ...of(image, "indexTag"));
  const space = await storeOf(image);
  const { keys } = await openMemory({ space, create: false });
  const { found, repaired: done } = await doctor(keys);
  expect([found > 0, done]).toEqual([true, 0]);
  await keys.close();
  expect((await imageOf(space)).size).toBe(image.size);
});

it("examines a store without snapshots too, while others write", async () => {
  const storage = memoryStorage({ space: await storeOf(store.now) });
  const capabilities = { ...storage.capabilities, snapshot: false };
  const plain = new Proxy(storage, {
    get(target, property) {
      if (property === "snapshot") return undefined;
      if (property === "capabilities") return capabilities;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { keys } = await openMemory({ storage: plain, create: false });
  const job = doctor(keys);
  for (let i = 0; i < 30; i++) await keys.create({ algorithm: AEAD, tags: ["busy"] });
  expect((await job).findings).toEqual([]);
  await keys.close();
});

it("can be cancelled, and reports how far it is", async () => {
  const keys = await opened(store.now);
  const job = doctor(keys);
  let last = 0;
  for await (const { done, total } of job) {
    expect(done).toBeLessThanOrEqual(total!);
    last = done;
  }
  expect(last).toBe(store.now.size);
  const cancelled = doctor(keys);
  cancelled.cancel();
  expect(await codeOf(cancelled)).toBe("JOB_CANCELLED");
  await keys.close();
});

it("hands over every finding, and keeps the first thousand", async () => {
  const image = new Map(store.now);
  for (let i = 0; i < 1500; i++) {
    const key = strange.slice();
    putU32(key, 0, i);
    put(image, keyspace.indexTag("a", key), NONE);
  }
  let handed = 0;
  const summary = await examined(image, { onFinding: () => void handed++ });
  expect([handed, summary.found, summary.findings.length]).toEqual([1500, 1500, 1000]);
});

it("has no kind of finding that nothing here plants", () => {
  const planted = new Set(Object.values(DAMAGES).flatMap(({ found }) => found));
  const elsewhere = ["exposure-missing", "index-missing", "job-wrong", "record-unlogged"];
  expect([...planted, ...elsewhere].sort()).toEqual(Object.keys(FINDINGS).sort());
});
