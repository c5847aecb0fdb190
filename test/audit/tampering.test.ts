/** Editing the audit underneath: whatever is changed, removed, put in, moved or set back, the walk finds it. */
import { beforeAll, describe, expect, it } from "vitest";
import { concat, equalBytes, toHex } from "../../sdk/foundation/bytes.js";
import { parseRecord, type Records } from "../../sdk/crypto/records.js";
import { Sequencer } from "../../sdk/commands/sequence.js";
import type { Mutation } from "../../sdk/storage/adapter.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { PREFIX, ranges, type Prefix } from "../../sdk/storage/keyspace.js";
import { decodeRows, encodeRow } from "../../sdk/audit/log.js";
import { codeOf, openMemory } from "../flows/support.js";
import { CONTROL, openBare, walkAll, type Bare } from "./support.js";

interface Item {
  key: Uint8Array;
  value: Uint8Array;
}

const KINDS = [
  "auditWriters",
  "auditHead",
  "auditIntake",
  "auditLog",
  "auditTile",
  "auditBundle",
  "auditMoved",
  "auditCheckpoint",
] as const satisfies readonly Prefix[];

let bare: Bare;
/** The store at three times: before anything was logged, with some of it, and at last. */
let first: Item[];
let second: Item[];
let last: Item[];

async function itemsOf(space: MemorySpace): Promise<Item[]> {
  const items: Item[] = [];
  for await (const { key, value } of memoryStorage({ space }).list(ranges.everything())) {
    items.push({ key: key.slice(), value: value.slice() });
  }
  return items;
}

async function checkpointed(space: MemorySpace): Promise<string> {
  const { keys } = await openMemory({ space });
  const { note } = await keys.checkpointAudit();
  await keys.close();
  return note;
}

const notes: string[] = [];

beforeAll(async () => {
  bare = await openBare({ seed: 11 });
  const other = bare.other();
  await bare.write(120);
  await bare.write(40, other.committer);
  first = await itemsOf(bare.space);
  notes.push(await checkpointed(bare.space));
  await bare.write(30, other.committer);
  second = await itemsOf(bare.space);
  await bare.write(110);
  await new Sequencer(other).run(CONTROL);
  notes.push(await checkpointed(bare.space));
  await bare.write(4);
  await bare.write(3, other.committer);
  last = await itemsOf(bare.space);
});

async function spaceOf(items: readonly Item[]): Promise<MemorySpace> {
  const space = new MemorySpace();
  const mutations = items.map(({ key, value }): Mutation => ({ kind: "put", key, value }));
  await memoryStorage({ space }).commit({ id: new Uint8Array(16), checks: [], mutations });
  return space;
}

/** What a verification of such a store says. */
async function verified(items: readonly Item[], checkpoint?: string): Promise<string> {
  const { keys } = await openMemory({ space: await spaceOf(items), create: false });
  const code = await codeOf(keys.verifyAudit({ checkpoint }));
  await keys.close();
  return code;
}

const ofKind = (items: readonly Item[], kind: Prefix): Item[] =>
  items.filter(({ key }) => key[0] === PREFIX[kind]);

/** Some of many: the first one, one in the middle, the last one. */
function some<T>(all: readonly T[]): T[] {
  return [...new Set([0, all.length >> 1, all.length - 1])].flatMap((i) => all[i] ?? []);
}

const replaced = (item: Item, value: Uint8Array): Item[] =>
  last.map((other) => (other === item ? { key: item.key, value } : other));

it("an untouched audit is found in order, and has all that is edited here", async () => {
  for (const items of [first, second, last]) expect(await verified(items)).toBe("no error");
  for (const note of notes) expect(await verified(last, note)).toBe("no error");
  for (const kind of KINDS) expect(ofKind(last, kind).length, kind).toBeGreaterThan(0);
  expect(ofKind(last, "auditTile").length).toBeGreaterThan(2);
  expect(ofKind(last, "auditBundle").length).toBeGreaterThan(2);
});

describe.each(KINDS)("the kind %s", (kind) => {
  it("edited: a byte of it is another", async () => {
    for (const item of some(ofKind(last, kind))) {
      for (const at of [0, 8, item.value.length >> 1, item.value.length - 1]) {
        const value = item.value.slice();
        value[at]! ^= 0x10;
        expect(["STORE_DAMAGED", "STORE_NEWER_FORMAT"]).toContain(await verified(replaced(item, value)));
      }
    }
  });

  it("removed", async () => {
    for (const item of some(ofKind(last, kind))) {
      expect(await verified(last.filter((other) => other !== item))).toBe("STORE_DAMAGED");
    }
    expect(await verified(last.filter(({ key }) => key[0] !== PREFIX[kind]))).toBe("STORE_DAMAGED");
  });

  it("put in a second time, before, behind or among the others", async () => {
    const items = ofKind(last, kind);
    if (items[0]!.key.length === 1) return;
    for (const item of some(items)) {
      for (const step of [1, -1, 3, 256]) {
        const key = item.key.slice();
        const view = new DataView(key.buffer);
        const at = key.length - 4;
        view.setUint32(at, view.getUint32(at) + step);
        if (items.some((other) => equalBytes(other.key, key))) continue;
        expect(await verified([...last, { key, value: item.value }]), toHex(key)).toBe("STORE_DAMAGED");
      }
    }
  });

  it("in another order", async () => {
    const items = some(ofKind(last, kind));
    for (let i = 1; i < items.length; i++) {
      const [a, b] = [items[i - 1]!, items[i]!];
      const swapped = last.map((item) =>
        item === a ? { key: a.key, value: b.value } : item === b ? { key: b.key, value: a.value } : item,
      );
      expect(await verified(swapped)).toBe("STORE_DAMAGED");
    }
  });

  it("set back to what it was, or there again", async () => {
    for (const earlier of [first, second]) {
      const changed = ofKind(earlier, kind).filter(
        ({ key, value }) => !last.some((item) => equalBytes(item.key, key) && equalBytes(item.value, value)),
      );
      for (const item of some(changed)) {
        const rest = last.filter(({ key }) => !equalBytes(key, item.key));
        expect(await verified([...rest, item]), toHex(item.key)).toBe("STORE_DAMAGED");
      }
    }
  });

  it("set back as a whole", async () => {
    for (const earlier of [first, second]) {
      const back = ofKind(earlier, kind);
      const now = ofKind(last, kind);
      if (back.length === now.length && back.every((item, i) => equalBytes(item.value, now[i]!.value)))
        continue;
      const rest = last.filter(({ key }) => key[0] !== PREFIX[kind]);
      expect(await verified([...rest, ...back])).toBe("STORE_DAMAGED");
    }
  });
});

describe("a store that was set back as a whole", () => {
  it("is found by a checkpoint that was kept elsewhere, and only by it", async () => {
    expect(await verified(second)).toBe("no error");
    expect(await verified(second, notes[0])).toBe("no error");
    expect(await verified(second, notes[1])).toBe("STORE_DAMAGED");
    expect(await verified(first, notes[0])).toBe("AUDIT_CHECKPOINT_INVALID");
  });

  it("and has gone another way since is found too", async () => {
    const space = await spaceOf(second);
    const { keys } = await openMemory({ space });
    for (let i = 0; i < 130; i++) await keys.create({ algorithm: "XChaCha20-Poly1305" });
    await keys.checkpointAudit();
    expect(await codeOf(keys.verifyAudit())).toBe("no error");
    expect(await codeOf(keys.verifyAudit({ checkpoint: notes[0] }))).toBe("no error");
    expect(await codeOf(keys.verifyAudit({ checkpoint: notes[1] }))).toBe("STORE_DAMAGED");
    await keys.close();
  });
});

describe("edits with the MAC key in hand", () => {
  /** The value that an edited body would have. */
  function resealed(records: Records, { key, value }: Item, body: Uint8Array): Uint8Array {
    const { revision } = parseRecord(value);
    return records.seal([{ storageKey: key, revision, body }])[0]!.value.slice();
  }

  async function walked(items: readonly Item[]): Promise<string> {
    const storage = memoryStorage({ space: await spaceOf(items) });
    return codeOf(walkAll({ ...bare.context, storage }));
  }

  it("are found wherever they touch what another record vouches for", async () => {
    const { records } = bare.context;
    for (const kind of KINDS) {
      if (kind === "auditCheckpoint") continue;
      for (const item of some(ofKind(last, kind))) {
        const { body } = parseRecord(item.value);
        for (let at = 0; at < body.length; at += 1 + (body.length >> 3)) {
          const edited = body.slice();
          edited[at]! ^= 0x01;
          const outcome = await walked(replaced(item, resealed(records, item, edited)));
          // The list's running hash over writers is what the next one goes on from; nothing repeats it.
          if (kind === "auditWriters" && outcome === "no error") continue;
          expect(["STORE_DAMAGED", "CBOR_INVALID"], `${kind} ${at}`).toContain(outcome);
        }
      }
    }
  });

  it("that take entries out of bundles, put them in or exchange them are found", async () => {
    const { records } = bare.context;
    for (const item of some(ofKind(last, "auditBundle"))) {
      const rows = decodeRows(parseRecord(item.value).body);
      const edits = [
        rows.slice(1),
        rows.slice(0, -1),
        [...rows.slice(0, 3), ...rows.slice(4)],
        [...rows.slice(0, 3), rows[2]!, ...rows.slice(3)],
        [rows[1]!, rows[0]!, ...rows.slice(2)],
        rows.map((row, i) => (i === 1 ? { ...row, sequence: row.sequence + 1 } : row)),
        rows.map((row, i) => (i === 1 ? { ...row, writer: new Uint8Array(16).fill(1) } : row)),
      ];
      for (const [i, edit] of edits.entries()) {
        const value = resealed(records, item, concat(...edit.map(encodeRow)));
        expect(await walked(replaced(item, value)), `edit ${i}`).toBe("STORE_DAMAGED");
      }
    }
  });

  it("of entries that wait, with all links after them made anew, are found by the head", async () => {
    const { records, tree } = bare.context;
    const waiting = ofKind(last, "auditIntake");
    const { body } = parseRecord(waiting.at(-1)!.value);
    const edited = body.slice();
    // A time, at the beginning of every body behind kind and link.
    edited[45]! ^= 1;
    expect(toHex(tree.merkleLeafHash(edited))).not.toBe(toHex(tree.merkleLeafHash(body)));
    expect(await walked(replaced(waiting.at(-1)!, resealed(records, waiting.at(-1)!, edited)))).toBe(
      "STORE_DAMAGED",
    );
  });
});
