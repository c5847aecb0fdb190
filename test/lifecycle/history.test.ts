import { beforeEach, describe, expect, it } from "vitest";
import type { KeyManager } from "../../sdk/index.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { decodeHistory } from "../../sdk/keys/history.js";
import { parseRecord } from "../../sdk/crypto/records.js";
import { keyspace, ranges } from "../../sdk/storage/keyspace.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, openMemory } from "../flows/support.js";

let keys: KeyManager;
let clock: VirtualClock;
let space: MemorySpace;
let start: number;

beforeEach(async () => {
  ({ keys, clock, space } = await openMemory());
  start = clock.now();
});

const at = (ms: number): Date => new Date(start + ms);

/** A version's history as it lies in the store, times from the start of the test. */
async function historyOf(id: string, version = 1): Promise<unknown[]> {
  const entries: unknown[] = [];
  for await (const { value } of memoryStorage({ space }).list(ranges.history(parseId(id), version))) {
    const { event, from, to, at: when, recorded } = decodeHistory(parseRecord(value).body);
    entries.push([event, from, to, when - start, recorded - start]);
  }
  return entries;
}

describe("the history of a version", () => {
  it("has an entry for each change, with the time it took effect and the time it was written", async () => {
    const { id } = await keys.create({ algorithm: AEAD, activation: null });
    clock.advance(5);
    await keys.activate(id);
    clock.advance(5);
    await keys.deactivate(id);
    clock.advance(5);
    await keys.destroy(id);
    expect(await historyOf(id)).toEqual([
      ["create", null, "pre-active", 0, 0],
      ["activate", "pre-active", "active", 5, 5],
      ["deactivate", "active", "deactivated", 10, 10],
      ["destroy", "deactivated", "destroyed", 15, 15],
    ]);
  });

  it("dates what dates brought about by the dates, in their order and in one commit", async () => {
    const { id } = await keys.create({ algorithm: AEAD, activation: at(10), deactivation: at(20) });
    clock.advance(100);
    // Nobody has called: nothing is written, and everybody sees it.
    expect(await historyOf(id)).toHaveLength(1);
    expect((await keys.get(id))!.versions[0]).toMatchObject({ state: "deactivated", cause: "expired" });
    const before = await memoryStorage({ space }).get(keyspace.key(parseId(id)));
    await keys.destroy(id);
    const after = await memoryStorage({ space }).get(keyspace.key(parseId(id)));
    expect(await historyOf(id)).toEqual([
      ["create", null, "pre-active", 0, 0],
      ["activation-due", "pre-active", "active", 10, 100],
      ["deactivation-due", "active", "deactivated", 20, 100],
      ["destroy", "deactivated", "destroyed", 100, 100],
    ]);
    expect(parseRecord(after!.value).revision).toBe(parseRecord(before!.value).revision + 1);
    expect((await keys.get(id))!.versions[0]).toMatchObject({
      state: "destroyed",
      cause: "expired",
      dates: { activation: at(10), deactivation: at(20), destroy: at(100) },
    });
  });

  it("says expired of a version whose end had passed when it was made", async () => {
    const key = await keys.create({ algorithm: AEAD, activation: at(-20), deactivation: at(-10) });
    expect(key.versions[0]).toMatchObject({ state: "deactivated", cause: "expired", current: false });
    clock.advance(1);
    await keys.destroy(key);
    expect(await historyOf(key.id)).toEqual([
      ["create", null, "deactivated", 0, 0],
      ["destroy", "deactivated", "destroyed", 1, 1],
    ]);
  });

  it("of a successor begins with its own creation", async () => {
    const { id } = await keys.create({ algorithm: AEAD });
    clock.advance(7);
    await keys.rotate(id, { offsetMs: 3 });
    expect(await historyOf(id, 2)).toEqual([["create", null, "pre-active", 7, 7]]);
    clock.advance(50);
    await keys.deactivate(id, { version: 2 });
    expect(await historyOf(id, 2)).toEqual([
      ["create", null, "pre-active", 7, 7],
      ["activation-due", "pre-active", "active", 10, 57],
      ["deactivate", "active", "deactivated", 57, 57],
    ]);
    expect(await historyOf(id, 1)).toEqual([["create", null, "active", 0, 0]]);
  });
});
