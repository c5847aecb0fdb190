/** Editing a store underneath: whatever is changed, a typed refusal follows, and never a wrong answer. */
import { beforeAll, describe, expect, it } from "vitest";
import { KeyManager, passphrase, POLICY_TEMPLATES, rawKey } from "../../sdk/index.js";
import { decodeCborMap, encodeCbor } from "../../sdk/foundation/cbor.js";
import type { Entry, Mutation } from "../../sdk/storage/adapter.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { keyspace, PREFIX, ranges, RECORD_PREFIXES } from "../../sdk/storage/keyspace.js";
import { AEAD, codeOf, collect, KEK, openMemory, SECRET, text } from "../flows/support.js";

/** A small store with a record of every kind that exists, as plain entries. */
let original: Entry[] = [];
let sealed: Uint8Array;
let file: Uint8Array;

beforeAll(async () => {
  const { keys, space } = await openMemory({ seed: 5 });
  await keys.create({ name: "kek", ...KEK });
  await keys.createMany(1, { algorithm: AEAD, under: "kek" });
  await keys.checkpointAudit();
  await keys.rotate("kek");
  await keys.rewrap("kek");
  await keys.createMany(2, { algorithm: AEAD, under: "kek" });
  await keys.create({ name: "k", algorithm: AEAD, under: "kek", tags: ["t"], limits: { operations: 100 } });
  sealed = await keys.encrypt("k", text("message"));
  file = await collect(keys.encryptStream("k", text("file")));
  await keys.setPolicy(POLICY_TEMPLATES.roles);
  await keys.propose({ operation: "recover", key: "k" });
  original = await entriesOf(space);
  await keys.close();
});

async function entriesOf(space: MemorySpace): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of memoryStorage({ space }).list(ranges.everything())) {
    entries.push({ ...entry, key: entry.key.slice(), value: entry.value.slice() });
  }
  return entries;
}

async function storeOf(entries: readonly { key: Uint8Array; value: Uint8Array }[]): Promise<MemorySpace> {
  const space = new MemorySpace();
  const mutations: Mutation[] = entries.map(({ key, value }) => ({ kind: "put", key, value }));
  await memoryStorage({ space }).commit({ id: new Uint8Array(16), checks: [], mutations });
  return space;
}

const REFUSALS = [
  "STORE_DAMAGED",
  "STORE_NEWER_FORMAT",
  "UNLOCK_FAILED",
  "UNLOCK_KDF_OUT_OF_BOUNDS",
  "KEY_MATERIAL_MISSING",
];

/** Opens a store and uses everything in it. @returns "fine", or the code of the first refusal */
async function useAll(space: MemorySpace): Promise<string> {
  return codeOf(async () => {
    const { keys } = await openMemory({ space, create: false });
    try {
      const names = (await keys.list()).keys.map(({ name }) => name);
      if (names.length !== 6 || !names.includes("k")) throw new Error(`a wrong list: ${names.join()}`);
      const key = await keys.get("k");
      if (key?.versions[0]?.state !== "active") throw new Error("a wrong state");
      if (String(await keys.decrypt(sealed)) !== String(text("message"))) throw new Error("a wrong message");
      if ((await keys.proposals()).length !== 1) throw new Error("a wrong proposal");
      await keys.encrypt("k", text("x"));
      await keys.verifyAudit();
      await keys.create({ name: "new", algorithm: AEAD, under: "kek" });
      await keys.rotate("kek");
      await keys.rewrap("kek");
      await keys.sequenceAudit();
    } finally {
      await keys.close();
    }
  });
}

const nameOf = (key: Uint8Array): string =>
  Object.entries(PREFIX).find(([, prefix]) => prefix === key[0])?.[0] ?? "unknown";
/** Records that reading, using and changing everything looks at. Gates of keys without dependents and histories aren't. */
const UNREAD = new Set(["history", "entity", "job", "trail"]);

it("is fine as long as nobody edits it", async () => {
  expect(await useAll(await storeOf(original))).toBe("no error");
  const kinds = new Set(original.map(({ key }) => nameOf(key)));
  // These two come and go with jobs.
  const passing = ["restoring", "leaseRange"];
  expect(RECORD_PREFIXES.filter((kind) => !kinds.has(kind) && !passing.includes(kind))).toEqual([]);
});

describe("a record with a changed byte", () => {
  it("is refused wherever the byte stands, whatever the record", { timeout: 60_000 }, async () => {
    const outcomes = new Map<string, Set<string>>();
    for (const [index, entry] of original.entries()) {
      const kind = nameOf(entry.key);
      if (kind.startsWith("index")) continue;
      const length = entry.value.length;
      const positions = new Set([0, 1, 7, 8, 9, 10, length >> 1, length - 33, length - 32, length - 1]);
      for (const at of positions) {
        const changed = original.map((other) => ({ ...other, value: other.value.slice() }));
        changed[index]!.value[at]! ^= 0x01;
        const outcome = await useAll(await storeOf(changed));
        const known = outcomes.get(kind) ?? new Set();
        outcomes.set(kind, known.add(outcome));
      }
    }
    for (const [kind, codes] of outcomes) {
      for (const code of codes) {
        if (UNREAD.has(kind) || kind === "gate" || kind === "material" || kind === "key") {
          // Not every one of these is looked at by what `useAll` does: unread is fine, a wrong answer isn't.
          expect([...REFUSALS, "no error"]).toContain(code);
        } else {
          expect([kind, REFUSALS.includes(code), code]).toEqual([kind, true, code]);
        }
      }
    }
    expect(outcomes.get("key")).toContain("STORE_DAMAGED");
    expect(outcomes.get("material")).toContain("STORE_DAMAGED");
    expect(outcomes.get("gate")).toContain("STORE_DAMAGED");
  });
});

describe("records that were swapped, moved, cut or taken away", () => {
  it("are refused when two of a kind change places", async () => {
    for (const prefix of [PREFIX.key, PREFIX.material, PREFIX.gate, PREFIX.auditIntake]) {
      const places = original.flatMap(({ key }, i) => (key[0] === prefix ? [i] : []));
      const [first, last] = [places[0]!, places.at(-1)!];
      const changed = original.map((entry, i) => ({
        ...entry,
        value: original[i === first ? last : i === last ? first : i]!.value,
      }));
      expect(REFUSALS).toContain(await useAll(await storeOf(changed)));
    }
  });

  it("are refused when cut short", async () => {
    for (const name of ["header", "unlockSlots", "epoch", "mark", "auditHead", "auditWriters"] as const) {
      for (const length of [0, 1, 39, 40]) {
        const changed = original.map((entry) =>
          entry.key[0] === PREFIX[name] ? { ...entry, value: entry.value.subarray(0, length) } : entry,
        );
        expect([...REFUSALS]).toContain(await useAll(await storeOf(changed)));
      }
    }
  });

  it.each([
    "header",
    "unlockSlots",
    "epoch",
    "mark",
    "auditHead",
    "auditWriters",
    "auditLog",
    "auditTile",
    "auditBundle",
    "auditMoved",
    "auditCheckpoint",
    "material",
    "key",
  ] as const)("are missed: %s", async (name) => {
    const changed = original.filter(({ key }) => key[0] !== PREFIX[name]);
    const outcome = await useAll(await storeOf(changed));
    expect(outcome === "Error: a wrong list: " || REFUSALS.includes(outcome)).toBe(true);
  });

  it("are missed from the audit chain, wherever they were", async () => {
    const links = original.filter(({ key }) => key[0] === PREFIX.auditIntake);
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) {
      const space = await storeOf(original.filter((entry) => entry !== link));
      const { keys } = await openMemory({ space });
      const walked = codeOf(async () => {
        for await (const entry of keys.audit()) expect(entry.kind).toBe("event");
      });
      expect(await walked).toBe("STORE_DAMAGED");
    }
  });
});

describe("a store that is not what it seems", () => {
  it("is refused when another store's header is put over its own", async () => {
    const other = await openMemory({ seed: 6 });
    const header = (await entriesOf(other.space)).find(({ key }) => key[0] === PREFIX.header)!;
    const changed = original.map((entry) => (entry.key[0] === PREFIX.header ? header : entry));
    expect(await useAll(await storeOf(changed))).toBe("STORE_DAMAGED");
  });

  it("is refused when another store's slots are put in, although the secret is the same", async () => {
    const other = await openMemory({ seed: 6 });
    const slots = (await entriesOf(other.space)).find(({ key }) => key[0] === PREFIX.unlockSlots)!;
    const changed = original.map((entry) => (entry.key[0] === PREFIX.unlockSlots ? slots : entry));
    expect(await useAll(await storeOf(changed))).toBe("STORE_DAMAGED");
  });

  it("is refused when it is of a newer format", async () => {
    const header = original.find(({ key }) => key[0] === PREFIX.header)!;
    const newerRecord = header.value.slice();
    newerRecord[0] = 2;
    const map = decodeCborMap(header.value.slice(8, -32), "a header");
    map.set(1, 2);
    const newerStore = new Uint8Array([
      ...header.value.subarray(0, 8),
      ...encodeCbor(map),
      ...header.value.subarray(-32),
    ]);
    for (const value of [newerRecord, newerStore]) {
      const changed = original.map((entry) => (entry === header ? { ...entry, value } : entry));
      expect(await useAll(await storeOf(changed))).toBe("STORE_NEWER_FORMAT");
    }
  });

  it("is refused when it holds something else, and left as it is", async () => {
    const space = await storeOf([{ key: text("somebody else's"), value: text("data") }]);
    expect(await codeOf(openMemory({ space }))).toBe("STORE_DAMAGED");
    expect((await entriesOf(space)).map(({ value }) => value)).toEqual([text("data")]);
  });

  it("is refused with the wrong secret, of either kind", { timeout: 30_000 }, async () => {
    const space = await storeOf(original);
    const open = (unlock: ReturnType<typeof rawKey>): Promise<KeyManager> =>
      KeyManager.open({ storage: memoryStorage({ space }), unlock });
    expect(await codeOf(open(rawKey(new Uint8Array(32).fill(1))))).toBe("UNLOCK_FAILED");
    expect(await codeOf(open(passphrase("no slot is made for one")))).toBe("UNLOCK_FAILED");
    expect(await codeOf(open(rawKey(new Uint8Array(31))))).toBe("UNLOCK_INVALID_SECRET");
    for (const wrong of ["", "\ud800"]) {
      expect(await codeOf(open(passphrase(wrong)))).toBe("UNLOCK_INVALID_SECRET");
    }
    await (await open(rawKey(SECRET.slice()))).close();
  });

  it(
    "asks for a work that is out of bounds, and is refused before any is done",
    { timeout: 30_000 },
    async () => {
      const space = new MemorySpace();
      const pbkdf2 = passphrase("right", { kdf: "PBKDF2-HMAC-SHA256" });
      const keys = await KeyManager.open({ storage: memoryStorage({ space }), unlock: pbkdf2 });
      await keys.close();
      const again = (unlock = pbkdf2): Promise<KeyManager> =>
        KeyManager.open({ storage: memoryStorage({ space }), unlock });
      await (await again()).close();
      expect(await codeOf(again(passphrase("wrong")))).toBe("UNLOCK_FAILED");
      const stored = (await memoryStorage({ space }).get(keyspace.unlockSlots()))!;
      for (const iterations of [0, 1, 599_999, 10_000_001, 2 ** 40]) {
        const table = decodeCborMap(stored.value.slice(8, -32), "slots");
        (table.get(2) as Map<number, number>[])[0]!.set(4, iterations);
        const value = new Uint8Array([
          ...stored.value.subarray(0, 8),
          ...encodeCbor(table),
          ...stored.value.subarray(-32),
        ]);
        const mutations: Mutation[] = [{ kind: "put", key: stored.key, value }];
        await memoryStorage({ space }).commit({ id: new Uint8Array(16), checks: [], mutations });
        expect(await codeOf(again())).toBe("UNLOCK_KDF_OUT_OF_BOUNDS");
      }
      for (const iterations of [599_999, 10_000_001, 1e9, NaN]) {
        expect(await codeOf(() => passphrase("x", { iterations }))).toBe("KEY_INVALID_OPTION");
      }
    },
  );
});

describe("index entries", () => {
  it("are not believed where the record disagrees", async () => {
    const kek = original.find(({ key }) => key[0] === PREFIX.key)!.key.slice(1);
    const changed = original.map((entry) =>
      entry.key[0] === PREFIX.indexName && entry.value.length === 16 ? { ...entry, value: kek } : entry,
    );
    const { keys } = await openMemory({ space: await storeOf(changed) });
    for (const name of ["k", "kek"]) {
      const found = await keys.get(name);
      expect(found === null || found.name === name).toBe(true);
    }
    const tagged = { key: keyspace.indexTag("t", kek), value: new Uint8Array(0) };
    const more = await openMemory({ space: await storeOf([...original, tagged]) });
    expect((await more.keys.list({ tag: "t" })).keys.map(({ name }) => name)).toEqual(["k"]);
  });
});

it("files and messages of another store are of unknown keys", async () => {
  const { keys } = await openMemory({ seed: 8 });
  expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_NOT_FOUND");
  expect(await codeOf(collect(keys.decryptStream(file)))).toBe("KEY_NOT_FOUND");
});
