import { beforeEach, describe, expect, it } from "vitest";
import type { Job, Key, KeyManager } from "../../sdk/index.js";
import { decodeHistory, encodeHistory } from "../../sdk/keys/history.js";
import { decodeKeyRecord, encodeKeyRecord } from "../../sdk/keys/record.js";
import { RECORD_HEAD_LENGTH, MAC_LENGTH } from "../../sdk/crypto/records.js";
import { indexKeys } from "../../sdk/keys/indexes.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import { idOfKey, PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "./support.js";

let keys: KeyManager;
let space: MemorySpace;

beforeEach(async () => {
  ({ keys, space } = await openMemory());
  await keys.create({ name: "kek", ...KEK });
});

async function allUnder(kek: string): Promise<Key[]> {
  const all: Key[] = [];
  let cursor: string | undefined;
  do {
    const page = await keys.list({ under: kek, limit: 1000, cursor });
    all.push(...page.keys);
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

/** Cancels a job once so many items are done; reading on then throws, as awaiting it does. */
async function cancelAfter(job: Job<unknown>, items: number): Promise<void> {
  try {
    for await (const { done } of job) if (done >= items) job.cancel();
  } catch {
    // What it was is looked at by the caller, who awaits the job.
  }
}

const OPTIONS = { algorithm: AEAD, under: "kek" };

describe("createMany", () => {
  it("makes every item once, tells its progress, and each key works", async () => {
    const job = keys.createMany(2500, { ...OPTIONS, tags: ["bulk"] });
    const seen: number[] = [];
    for await (const { done, total } of job) {
      expect(total).toBe(2500);
      seen.push(done);
    }
    expect(seen.at(-1)).toBe(2500);
    expect(await job).toEqual({ job: job.id, created: 2500 });
    const made = await allUnder("kek");
    expect(made.map(({ origin }) => origin?.item).sort((a, b) => a! - b!)).toEqual(made.map((_, i) => i));
    expect(new Set(made.map(({ id }) => id)).size).toBe(2500);
    for (const key of made.filter((_, i) => i % 500 === 0)) {
      expect(await keys.decrypt(await keys.encrypt(key, text("x")))).toEqual(text("x"));
      expect(key.tags).toEqual(["bulk"]);
    }
    expect((await auditOperations(keys)).filter((operation) => operation === "create")).toHaveLength(1 + 3);
  });

  it("resumes with the same id and request, and refuses another request", async () => {
    const first = keys.createMany(3000, OPTIONS);
    await cancelAfter(first, 1024);
    expect(await codeOf(first)).toBe("JOB_CANCELLED");
    const before = (await allUnder("kek")).length;
    expect(before % 1024).toBe(0);
    expect(before).toBeLessThan(3000);
    expect(await codeOf(keys.createMany(3001, { ...OPTIONS, job: first.id }))).toBe("JOB_REQUEST_MISMATCH");
    expect(await codeOf(keys.createMany(3000, { ...OPTIONS, tags: ["x"], job: first.id }))).toBe(
      "JOB_REQUEST_MISMATCH",
    );
    expect(await keys.createMany(3000, { ...OPTIONS, job: first.id })).toEqual({
      job: first.id,
      created: 3000,
    });
    const items = (await allUnder("kek")).map(({ origin }) => origin!.item);
    expect(new Set(items).size).toBe(3000);
    expect(items).toHaveLength(3000);
    // Once more does nothing.
    expect(await keys.createMany(3000, { ...OPTIONS, job: first.id })).toEqual({
      job: first.id,
      created: 3000,
    });
    expect(await allUnder("kek")).toHaveLength(3000);
  });

  it("is stopped by a signal, and by closing", async () => {
    const signal = AbortSignal.abort("no");
    expect(await codeOf(keys.createMany(10, { ...OPTIONS, signal }))).toBe("JOB_CANCELLED");
    const job = keys.createMany(50_000, OPTIONS);
    await keys.close();
    expect(await codeOf(job)).toBe("JOB_CANCELLED");
  });

  it.each([0, -1, 1.5, 2 ** 32])("refuses a count of %d", async (count) => {
    expect(await codeOf(() => keys.createMany(count, OPTIONS))).toBe("KEY_INVALID_OPTION");
  });

  it("writes the very bytes that the encoders of single records give", async () => {
    await keys.createMany(7, { ...OPTIONS, usages: ["wrap", "unwrap"], tags: ["a", "b"] });
    const storage = memoryStorage({ space });
    const entries = new Map<number, { key: Uint8Array; value: Uint8Array }[]>();
    for await (const entry of storage.list(ranges.everything())) {
      const list = entries.get(entry.key[0]!) ?? [];
      list.push(entry);
      entries.set(entry.key[0]!, list);
    }
    const body = (value: Uint8Array): Uint8Array =>
      value.subarray(RECORD_HEAD_LENGTH, value.length - MAC_LENGTH);
    const records = entries.get(PREFIX.key)!;
    expect(records).toHaveLength(8);
    const indexed: string[] = [];
    for (const { key, value } of records) {
      const record = decodeKeyRecord(idOfKey(key), body(value));
      expect(encodeKeyRecord(record)).toEqual(body(value));
      indexed.push(...indexKeys(record).map(String));
    }
    for (const { value } of entries.get(PREFIX.history)!) {
      expect(encodeHistory(decodeHistory(body(value)))).toEqual(body(value));
    }
    expect(entries.get(PREFIX.history)).toHaveLength(8);
    expect(entries.get(PREFIX.gate)).toHaveLength(1 + 8);
    const prefixes = [
      PREFIX.indexName,
      PREFIX.indexTag,
      PREFIX.indexOwner,
      PREFIX.indexState,
      PREFIX.indexDue,
    ];
    const stored = prefixes.flatMap((prefix) => entries.get(prefix) ?? []).map(({ key }) => String(key));
    expect(stored.sort()).toEqual(indexed.sort());
  });
});

describe("rewrap", () => {
  it("moves everything under old versions, of every length, and destroys nothing", async () => {
    await keys.createMany(1500, OPTIONS);
    await keys.create({ name: "named", ...OPTIONS });
    const sealed = await keys.encrypt("named", text("x"));
    await keys.rotate("kek");
    await keys.createMany(10, OPTIONS);
    await keys.rotate("kek");
    const job = keys.rewrap("kek");
    const seen: number[] = [];
    for await (const { done, total } of job) {
      expect(total).toBe(1511);
      seen.push(done);
    }
    expect(await job).toEqual({ job: job.id, rewrapped: 1511 });
    expect(seen[0]).toBe(0);
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: 0 });
    for (const version of [1, 2]) {
      await keys.deactivate("kek", { version });
      expect(await keys.destroy("kek", { version })).toMatchObject({ shredded: 0 });
    }
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
  });

  it("resumes after a cancellation, and counts on", async () => {
    await keys.createMany(3000, OPTIONS);
    await keys.rotate("kek");
    const first = keys.rewrap("kek");
    await cancelAfter(first, 1024);
    expect(await codeOf(first)).toBe("JOB_CANCELLED");
    expect(await keys.rewrap("kek", { job: first.id })).toEqual({ job: first.id, rewrapped: 3000 });
  });

  it("is refused for keys that wrap nothing, or are not there", async () => {
    await keys.create({ name: "plain", algorithm: AEAD });
    expect(await codeOf(keys.rewrap("plain"))).toBe("KEY_NOT_USABLE");
    expect(await codeOf(keys.rewrap("nobody"))).toBe("KEY_NOT_FOUND");
    expect(await codeOf(() => keys.rewrap("kek", { job: "no uuid" }))).toBe("KEY_INVALID_OPTION");
  });
});

describe("destroying a wrapping key", () => {
  it("is refused with the count of what lies under it, and leaves everything as it was", async () => {
    await keys.createMany(42, OPTIONS);
    await keys.deactivate("kek");
    let thrown: unknown;
    try {
      await keys.destroy("kek");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "KEY_HAS_DEPENDENTS", details: { dependents: 42 } });
    expect(await auditOperations(keys)).toEqual(["init", "create", "create", "deactivate"]);
    const [key] = await allUnder("kek");
    expect(await keys.decrypt(await keys.encrypt(key!, text("x")))).toEqual(text("x"));
  });

  it("shreds what lies under it when that is asked for by name", async () => {
    await keys.create({ name: "lost", ...OPTIONS });
    const sealed = await keys.encrypt("lost", text("x"));
    await keys.deactivate("kek");
    expect(await keys.destroy("kek", { cryptoShred: true })).toMatchObject({ shredded: 1 });
    expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_MATERIAL_MISSING");
    expect(await codeOf(keys.create({ ...OPTIONS }))).toBe("KEY_DESTROYED");
    await keys.deactivate("lost");
    expect(await keys.destroy("lost")).toMatchObject({ erasure: "cryptographic" });
  });

  it("needs it deactivated, so nothing can be put under it meanwhile", async () => {
    expect(await codeOf(keys.destroy("kek"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    await keys.deactivate("kek");
    expect(await codeOf(keys.create(OPTIONS))).toBe("KEY_NOT_USABLE");
    expect(await keys.destroy("kek")).toMatchObject({ shredded: 0 });
  });
});
