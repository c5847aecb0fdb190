import { beforeEach, describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import { parseMaterialKey, PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { AEAD, KEK, openMemory } from "./support.js";

let keys: KeyManager;
let space: MemorySpace;

beforeEach(async () => {
  ({ keys, space } = await openMemory());
});

/** The versions of a key whose wrapped material lies in the store, and the versions it lies under. */
async function materialOf(id: string): Promise<{ version: number; under: number }[]> {
  const found: { version: number; under: number }[] = [];
  for await (const { key } of memoryStorage({ space }).list(ranges.everything(), { keysOnly: true })) {
    if (key[0] !== PREFIX.material) continue;
    const path = parseMaterialKey(key);
    if (String(path.key) === String(parseId(id)))
      found.push({ version: path.version, under: path.kekVersion });
  }
  return found;
}

/** Where the store has something by the key's id. */
async function prefixesOf(id: string): Promise<number[]> {
  const text = String(parseId(id));
  const prefixes = new Set<number>();
  for await (const { key, value } of memoryStorage({ space }).list(ranges.everything())) {
    if (String(key).includes(text) || String(value) === text) prefixes.add(key[0]!);
  }
  return [...prefixes].sort((a, b) => a - b);
}

describe("destroying a version", () => {
  it("takes its material and its due dates from the store, and leaves the rest for ever", async () => {
    const { id } = await keys.create({
      name: "k",
      algorithm: AEAD,
      tags: ["t"],
      activation: null,
      deactivation: new Date(Date.UTC(2031, 0, 1)),
    });
    expect(await materialOf(id)).toEqual([{ version: 1, under: 1 }]);
    expect(await prefixesOf(id)).toContain(PREFIX.indexDue);
    expect((await keys.destroy("k")).erasure).toBe("deleted");
    expect(await materialOf(id)).toEqual([]);
    expect(await prefixesOf(id)).toEqual([
      PREFIX.key,
      PREFIX.history,
      PREFIX.indexName,
      PREFIX.indexTag,
      PREFIX.indexOwner,
      PREFIX.indexState,
    ]);
  });

  it("takes only that version's", async () => {
    const { id } = await keys.create({ name: "k", algorithm: AEAD });
    await keys.rotate("k");
    await keys.rotate("k");
    await keys.deactivate("k", { version: 2 });
    await keys.destroy("k", { version: 2 });
    expect((await materialOf(id)).map(({ version }) => version)).toEqual([1, 3]);
  });

  it("takes it from wherever a re-wrap has moved it", async () => {
    await keys.create({ name: "kek", ...KEK });
    const { id } = await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    await keys.rotate("kek");
    await keys.rewrap("kek");
    expect(await materialOf(id)).toEqual([{ version: 1, under: 2 }]);
    await keys.deactivate("k");
    await keys.destroy("k");
    expect(await materialOf(id)).toEqual([]);
  });
});
