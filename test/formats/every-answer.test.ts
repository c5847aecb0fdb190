/**
 * What every use of an edited store answers, one by one: the healthy store's answer, or a refusal with a code. And where
 * the record edited is one that the uses look at, some use does refuse.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { POLICY_TEMPLATES, type ErrorCode, type Key, type KeyManager } from "../../sdk/index.js";
import { concat } from "../../sdk/foundation/bytes.js";
import { cborMap, encodeCbor, type CborMap } from "../../sdk/foundation/cbor.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { encodeHead, MAC_LENGTH, RECORD_HEAD_LENGTH } from "../../sdk/crypto/records.js";
import { wrappedLength } from "../../sdk/crypto/core.js";
import { MAC_ID } from "../../sdk/crypto/material.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import {
  keyspace,
  parseMaterialKey,
  PREFIX,
  RECORD_PREFIXES,
  ranges,
  type Prefix,
} from "../../sdk/storage/keyspace.js";
import { virtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory, text } from "../flows/support.js";

interface Item {
  key: Uint8Array;
  value: Uint8Array;
}

/** A store with a record of every kind, as it lies in storage, and messages of its keys. */
interface Specimen {
  items: Item[];
  messages: Uint8Array[];
  keys: Key[];
  job: string;
}

const JOB_KEYS = 3;
const MOVE_JOB = "01890000-0000-7000-8000-000000000002";
const clock = virtualClock();
let specimen: Specimen;
let healthy: Map<string, string>;

async function itemsOf(space: MemorySpace): Promise<Item[]> {
  const items: Item[] = [];
  for await (const { key, value } of memoryStorage({ space }).list(ranges.everything())) {
    items.push({ key: key.slice(), value: value.slice() });
  }
  return items;
}

async function spaceOf(items: readonly Item[]): Promise<MemorySpace> {
  const space = new MemorySpace();
  const mutations = items.map(({ key, value }) => ({ kind: "put" as const, key, value }));
  await memoryStorage({ space }).commit({ id: new Uint8Array(16), checks: [], mutations });
  return space;
}

async function makeSpecimen(seed: number): Promise<Specimen> {
  const { keys, space } = await openMemory({ clock, seed });
  await keys.create({ name: "kek", ...KEK });
  await keys.create({ name: "a", algorithm: AEAD, under: "kek", tags: ["t"], limits: { operations: 99 } });
  const messages = [await keys.encrypt("a", text("a, version 1"))];
  await keys.rotate("kek");
  await keys.rotate("a");
  messages.push(await keys.encrypt("a", text("a, version 2")));
  await keys.create({ name: "moved-kek", ...KEK });
  await keys.create({ name: "moved", algorithm: AEAD, under: "moved-kek" });
  await keys.rotate("moved-kek");
  await keys.rewrap("moved-kek", { job: MOVE_JOB });
  await keys.deactivate("moved-kek", { version: 1 });
  await keys.destroy("moved-kek", { version: 1 });
  messages.push(await keys.encrypt("moved", text("moved")));
  await keys.checkpointAudit();
  await keys.create({ name: "b", algorithm: AEAD });
  messages.push(await keys.encrypt("b", text("b")));
  const job = keys.createMany(JOB_KEYS, { algorithm: AEAD, under: "kek" });
  await job;
  const { keys: all } = await keys.list();
  for (const key of all) if (key.origin !== undefined) messages.push(await keys.encrypt(key, text("job")));
  await keys.setPolicy(POLICY_TEMPLATES.roles);
  await keys.propose({ operation: "recover", key: "b" });
  await keys.close();
  return { items: await itemsOf(space), messages, keys: all, job: job.id };
}

/** Each use's answer, or `!` and the code of its refusal. */
async function exercise(items: readonly Item[]): Promise<Map<string, string>> {
  const space = await spaceOf(items);
  const answers = new Map<string, string>();
  let keys: KeyManager | undefined;
  const use = async (name: string, run: () => Promise<unknown>): Promise<void> => {
    let answer: unknown;
    const code = await codeOf(run().then((value) => (answer = value)));
    answers.set(name, code === "no error" ? JSON.stringify(answer) : `!${code}`);
  };
  await use("open", async () => {
    keys = (await openMemory({ space, clock, create: false })).keys;
    return "opened";
  });
  if (keys === undefined) return answers;
  const manager = keys;
  for (const { id, name } of specimen.keys) {
    await use(`get ${id}`, () => manager.get(id));
    if (name !== undefined) await use(`get ${name}`, () => manager.get(name));
  }
  await use("list", () => manager.list());
  await use("list by tag", () => manager.list({ tag: "t" }));
  for (const [i, message] of specimen.messages.entries()) {
    await use(`decrypt ${i}`, async () => String(await manager.decrypt(message)));
  }
  for (const version of [1, 2]) await use(`usage ${version}`, () => manager.usage("a", version));
  await use("audit", async () => {
    const entries: unknown[] = [];
    for await (const entry of manager.audit()) entries.push(entry);
    return entries;
  });
  await use("sign", async () => (await manager.sign("keyloom/audit-checkpoint", text("x"))).version);
  await use("verify", () => manager.verifyAudit());
  await use("proposals", () => manager.proposals());
  await use("job", async () => {
    const options = { algorithm: AEAD, under: "kek", job: specimen.job };
    return (await manager.createMany(JOB_KEYS, options)).created;
  });
  await use("create", async () => (await manager.create({ name: "new", algorithm: AEAD })).versions.length);
  await use("rotate", async () => (await manager.rotate("a")).versions.length);
  await use("renew", async () => {
    await manager.rewrap("kek");
    await manager.deactivate("kek", { version: 1 });
    return (await manager.destroy("kek", { version: 1 })).shredded;
  });
  await use("move", async () => {
    await manager.create({ algorithm: AEAD, under: "moved-kek" });
    return (await manager.rewrap("moved-kek", { job: MOVE_JOB })).rewrapped;
  });
  await use("compromise", async () => {
    const { versions } = await manager.revoke("moved-kek", { version: 1, reason: "key-compromise" });
    return versions[0]!.state;
  });
  await manager.close();
  return answers;
}

const REFUSALS: readonly ErrorCode[] = ["STORE_DAMAGED", "STORE_NEWER_FORMAT", "UNLOCK_FAILED"];
/** What was taken away is missing; a missing gate counts as a closed one. */
const MISSES: readonly ErrorCode[] = ["KEY_NOT_FOUND", "KEY_MATERIAL_MISSING", "KEY_NOT_USABLE"];

/** @returns how many uses were refused; all the others answered as the healthy store does */
function refusals(answers: Map<string, string>, allowed: readonly ErrorCode[] = REFUSALS): number {
  let refused = 0;
  for (const [use, answer] of answers) {
    if (answer === healthy.get(use)) continue;
    expect(
      allowed.map((code) => `!${code}`),
      use,
    ).toContain(answer);
    refused++;
  }
  return refused;
}

const itemsWith = (kind: Prefix): Item[] => specimen.items.filter(({ key }) => key[0] === PREFIX[kind]);

const without = (items: readonly Item[]): Item[] => specimen.items.filter((item) => !items.includes(item));

function replaced(item: Item, value: Uint8Array): Item[] {
  return specimen.items.map((other) => (other === item ? { key: item.key, value } : other));
}

function flipped(value: Uint8Array, at: number): Uint8Array {
  const out = value.slice();
  out[at]! ^= 0x01;
  return out;
}

beforeAll(async () => {
  specimen = await makeSpecimen(1);
  healthy = await exercise(specimen.items);
});

it("are answers all, as long as nobody edits it", () => {
  expect(healthy.size).toBeGreaterThan(20);
  for (const [use, answer] of healthy) expect(answer, use).not.toMatch(/^!|^null$/);
});

const KINDS = RECORD_PREFIXES.filter((kind) => !/^(lease|restoring)/.test(kind));
/** Written for later: no use looks at them. */
const UNREAD: readonly Prefix[] = ["entity", "history"];

describe.each(KINDS)("after an edit of the kind %s", (kind) => {
  const check = async (items: readonly Item[], what: string): Promise<void> => {
    const refused = refusals(await exercise(items));
    if (!UNREAD.includes(kind)) expect(refused, what).toBeGreaterThan(0);
  };

  it("refuse a record with a changed byte, in any part of it", async () => {
    const items = itemsWith(kind);
    expect(items.length).toBeGreaterThan(0);
    for (const item of items.slice(0, 7)) {
      const { length } = item.value;
      const mac = length - MAC_LENGTH;
      const middle = (RECORD_HEAD_LENGTH + mac) >> 1;
      for (const at of [0, 1, RECORD_HEAD_LENGTH - 1, RECORD_HEAD_LENGTH, middle, mac - 1, mac, length - 1]) {
        await check(replaced(item, flipped(item.value, at)), `byte ${at} of ${length}`);
      }
    }
  });

  it("refuse a record that was cut short or made longer", async () => {
    const item = itemsWith(kind)[0]!;
    for (const length of [0, RECORD_HEAD_LENGTH + MAC_LENGTH - 1, item.value.length - 1]) {
      await check(replaced(item, item.value.slice(0, length)), `${length} bytes`);
    }
    await check(replaced(item, concat(item.value, new Uint8Array(1))), "one byte more");
  });

  it("refuse another record in its place, of the same kind or of any other", async () => {
    const items = itemsWith(kind);
    for (const [i, item] of items.slice(1, 6).entries()) await check(replaced(item, items[i]!.value), kind);
    for (const other of KINDS) {
      if (other !== kind) await check(replaced(items[0]!, itemsWith(other)[0]!.value), other);
    }
  });
});

describe("after something was taken away", () => {
  it.each(["header", "unlockSlots", "mark", "epoch"] as const)("do not begin at all: %s", async (kind) => {
    const rest = without(itemsWith(kind));
    expect([...(await exercise(rest))]).toEqual([["open", "!STORE_DAMAGED"]]);
    // Nor is the rest taken for an empty place and written over.
    const space = await spaceOf(rest);
    expect(await codeOf(openMemory({ space, clock, create: true }))).toBe("STORE_DAMAGED");
    expect(await itemsOf(space)).toEqual(rest);
  });

  it("do not begin without the key of the records' MACs", async () => {
    const macKey = itemsWith("material").filter(
      ({ key }) => String(parseMaterialKey(key).key) === String(MAC_ID),
    );
    expect(macKey).toHaveLength(1);
    expect([...(await exercise(without(macKey)))]).toEqual([["open", "!STORE_DAMAGED"]]);
  });

  it("refuse to walk an audit with a gap, with a chain less, or with nothing left", async () => {
    const audit = RECORD_PREFIXES.filter((kind) => kind.startsWith("audit")).flatMap(itemsWith);
    for (const item of audit) expect((await exercise(without([item]))).get("verify")).toBe("!STORE_DAMAGED");
    const bare = await exercise(without(audit));
    for (const use of ["audit", "verify"]) expect(bare.get(use)).toBe("!STORE_DAMAGED");
  });

  it("refuse what needs the material or the gate that is gone, and nothing else", async () => {
    for (const item of [...itemsWith("material"), ...itemsWith("gate")]) {
      const answers = await exercise(without([item]));
      expect(refusals(answers, [...REFUSALS, ...MISSES])).toBeGreaterThan(0);
      if (answers.has("list")) expect(answers.get("list")).toBe(healthy.get("list"));
    }
  });
});

describe("after an edit of an index", () => {
  const INDEXES = ["indexName", "indexTag", "indexOwner", "indexState"] as const;

  it("find no key by another's name, nor by an entry that was invented", async () => {
    const [a, b] = ["a", "b"].map((name) =>
      specimen.items.find(({ key }) => String(key) === String(keyspace.indexName(name))),
    );
    const id = parseId(specimen.keys.find(({ name }) => name === "b")!.id);
    const invented = [
      { key: keyspace.indexName("c"), value: id },
      { key: keyspace.indexName("d"), value: new Uint8Array(3) },
      { key: keyspace.indexTag("t", id), value: new Uint8Array(0) },
    ];
    const { keys } = await openMemory({
      space: await spaceOf([...replaced(a!, b!.value), ...invented]),
      clock,
    });
    for (const name of ["a", "c", "d"]) expect(await keys.get(name)).toBeNull();
    expect(await codeOf(keys.encrypt("a", text("x")))).toBe("KEY_NOT_FOUND");
    expect(await codeOf(keys.create({ name: "a", algorithm: AEAD }))).toBe("KEY_NAME_TAKEN");
    expect((await keys.get("b"))?.name).toBe("b");
    expect((await keys.list({ tag: "t" })).keys.map(({ name }) => name)).toEqual(["a"]);
  });

  it("answer as before, or that there is no such key", async () => {
    const entries = INDEXES.flatMap((kind) => itemsWith(kind));
    expect(entries.length).toBeGreaterThan(10);
    for (const item of entries.slice(0, 12)) {
      for (const value of [new Uint8Array(0), new Uint8Array(16), new Uint8Array(100)]) {
        for (const [use, answer] of await exercise(replaced(item, value))) {
          expect([healthy.get(use), "null", "!KEY_NOT_FOUND"], use).toContain(answer);
        }
      }
    }
  });
});

it("refuse slots of a kind that is not known yet, more slots than there may be, and none", async () => {
  const item = itemsWith("unlockSlots")[0]!;
  const slot = (kdf: number): CborMap =>
    cborMap([1, new Uint8Array(16)], [2, kdf], [5, new Uint8Array(wrappedLength(32))]);
  const open = async (slots: CborMap[]): Promise<string | undefined> => {
    const body = encodeCbor(cborMap([1, 1], [2, slots]));
    const value = concat(encodeHead(1), body, new Uint8Array(MAC_LENGTH));
    return (await exercise(replaced(item, value))).get("open");
  };
  expect(await open([slot(9)])).toBe("!STORE_NEWER_FORMAT");
  expect(await open(Array.from({ length: 9 }, () => slot(0)))).toBe("!STORE_DAMAGED");
  expect(await open([slot(0)])).toBe("!UNLOCK_FAILED");
  expect(await open([])).toBe("!UNLOCK_FAILED");
});

it("refuse another store's header and slots together, although its secret is the same", async () => {
  const other = await makeSpecimen(2);
  const foreign = other.items.filter(({ key }) => key[0] === PREFIX.header || key[0] === PREFIX.unlockSlots);
  const rest = without([...itemsWith("header"), ...itemsWith("unlockSlots")]);
  expect([...(await exercise([...rest, ...foreign]))]).toEqual([["open", "!STORE_DAMAGED"]]);
});

it("are refusals or right whatever bytes stand in whatever record", async () => {
  const records = KINDS.flatMap((kind) => itemsWith(kind));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(records.length - 1),
      fc.uint8Array({ maxLength: 120 }),
      fc.option(fc.nat(300), { nil: undefined }),
      async (which, bytes, at) => {
        const item = records[which]!;
        const { value } = item;
        // Instead of the record, or written over a part of it.
        const edited =
          at === undefined
            ? bytes
            : concat(value.subarray(0, at), bytes, value.subarray(Math.min(at + bytes.length, value.length)));
        const allowed = [...REFUSALS, "UNLOCK_KDF_OUT_OF_BOUNDS"] as const;
        refusals(await exercise(replaced(item, edited)), allowed);
      },
    ),
    { numRuns: 60 },
  );
});
