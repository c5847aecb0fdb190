/** `versions: "all"`: a job over the versions of one key. */
import { beforeEach, describe, expect, it } from "vitest";
import type { AuditEntry, Job, Key, KeyManager } from "../../sdk/index.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { readGate } from "../../sdk/keys/store-records.js";
import { MIN_CHECKS, MIN_MUTATIONS } from "../../sdk/storage/adapter.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import { parseMaterialKey, PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { RECORD_HEAD_LENGTH, MAC_LENGTH } from "../../sdk/crypto/records.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory, text } from "./support.js";

let keys: KeyManager;
let space: MemorySpace;
let clock: VirtualClock;

beforeEach(async () => {
  ({ keys, space, clock } = await openMemory());
});

const all = { versions: "all" } as const;

/** A key with versions that are destroyed, deactivated, active, active, and, with `waiting`, pre-active. */
async function mixed(options: { waiting?: boolean; kek?: boolean } = {}): Promise<void> {
  const name = "k";
  await keys.create(options.kek === true ? { name, ...KEK } : { name, algorithm: AEAD });
  await keys.rotate(name);
  await keys.rotate(name);
  await keys.rotate(name);
  await keys.deactivate(name, { version: 1 });
  await keys.destroy(name, { version: 1 });
  await keys.deactivate(name, { version: 2 });
  if (options.waiting === true) await keys.rotate(name, { offsetMs: 60_000 });
}

async function statesOf(manager: KeyManager = keys, name = "k"): Promise<string[]> {
  return (await manager.get(name))!.versions.map(({ state }) => state);
}

async function eventsOf(operation: string, manager: KeyManager = keys): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for await (const entry of manager.audit()) if (entry.operation === operation) entries.push(entry);
  return entries;
}

async function materialsOf({ id }: Key): Promise<number> {
  let count = 0;
  for await (const { key } of memoryStorage({ space }).list(ranges.everything(), { keysOnly: true })) {
    if (key[0] === PREFIX.material && String(parseMaterialKey(key).key) === String(parseId(id))) count++;
  }
  return count;
}

/** Cancels a job once so many versions are done. */
async function cancelAfter(job: Job<unknown>, versions: number): Promise<void> {
  try {
    for await (const { done } of job) if (done >= versions) job.cancel();
  } catch {
    // The caller awaits the job and looks at what it was.
  }
}

describe("deactivate with all versions", () => {
  it("ends those that are active, oldest first, and counts the others", async () => {
    await mixed({ waiting: true });
    const job = keys.deactivate("k", all);
    const seen: number[] = [];
    for await (const { job: id, done, total } of job) {
      expect([id, total]).toEqual([job.id, 2]);
      seen.push(done);
    }
    expect(seen).toEqual([0, 1, 2]);
    expect(await job).toEqual({ job: job.id, deactivated: 2, skipped: 3 });
    expect(await statesOf()).toEqual([
      "destroyed",
      "deactivated",
      "deactivated",
      "deactivated",
      "pre-active",
    ]);
    const events = (await eventsOf("deactivate")).filter((entry) => entry.job === job.id);
    expect(events.map((entry) => entry.keys!.map(({ version }) => version))).toEqual([[3], [4]]);
    expect(events[0]!.keys).toMatchObject([{ before: "active", after: "deactivated" }]);
  });

  it("applies dates that have passed: what has become active is ended, what has expired is skipped", async () => {
    await keys.create({ name: "k", algorithm: AEAD, deactivation: new Date(clock.now() + 1000) });
    await keys.create({ name: "later", algorithm: AEAD, activation: new Date(clock.now() + 1000) });
    clock.advance(2000);
    expect(await keys.deactivate("k", all)).toMatchObject({ deactivated: 0, skipped: 1 });
    expect(await keys.deactivate("later", all)).toMatchObject({ deactivated: 1, skipped: 0 });
    expect((await keys.get("k"))!.versions).toMatchObject([{ state: "deactivated", cause: "expired" }]);
    expect((await keys.get("later"))!.versions).toMatchObject([{ state: "deactivated", cause: "command" }]);
  });

  it("leaves messages readable, and makes no new ones", async () => {
    await mixed();
    const sealed = await keys.encrypt("k", text("x"));
    await keys.deactivate("k", all);
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
  });

  it("does nothing where nothing is left, and writes nothing then", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: null });
    const entries = (await keys.auditTail(100)).length;
    expect(await keys.deactivate("k", all)).toMatchObject({ deactivated: 0, skipped: 1 });
    expect(await keys.auditTail(100)).toHaveLength(entries);
  });
});

describe("destroy with all versions", () => {
  it("destroys those that may be, takes their material, and leaves the active ones", async () => {
    await mixed({ waiting: true });
    const key = (await keys.get("k"))!;
    expect(await materialsOf(key)).toBe(4);
    const job = keys.destroy("k", all);
    expect(await job).toEqual({ job: job.id, destroyed: 2, skipped: 3, erasure: "deleted", shredded: 0 });
    expect(await statesOf()).toEqual(["destroyed", "destroyed", "active", "active", "destroyed"]);
    expect(await materialsOf(key)).toBe(2);
    await keys.deactivate("k", all);
    expect(await keys.destroy("k", all)).toMatchObject({ destroyed: 2, skipped: 3 });
    expect(await materialsOf(key)).toBe(0);
    expect(await keys.destroy("k", all)).toMatchObject({ destroyed: 0, skipped: 5, erasure: null });
  });

  it("refuses with the count under all of them together, and leaves everything as it was", async () => {
    await keys.create({ name: "k", ...KEK });
    await keys.createMany(3, { algorithm: AEAD, under: "k" });
    await keys.rotate("k");
    await keys.createMany(2, { algorithm: AEAD, under: "k" });
    await keys.rotate("k");
    await keys.deactivate("k", all);
    const entries = (await keys.auditTail(100)).length;
    const refusal = await keys.destroy("k", all).then(null, (error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "KEY_HAS_DEPENDENTS",
      message: expect.stringContaining("5 keys are still wrapped under versions 1, 2, 3 of k") as unknown,
      details: { dependents: 5, versions: [1, 2, 3] },
    });
    expect(await statesOf()).toEqual(["deactivated", "deactivated", "deactivated"]);
    expect(await keys.auditTail(100)).toHaveLength(entries);
    const { keys: children } = await keys.list({ under: "k" });
    for (const child of children) {
      expect(await keys.decrypt(await keys.encrypt(child, text("x")))).toEqual(text("x"));
    }
  });

  it("is about what lies under the versions that go, not under those that stay", async () => {
    await keys.create({ name: "k", ...KEK });
    await keys.rotate("k");
    await keys.create({ name: "child", algorithm: AEAD, under: "k" });
    await keys.deactivate("k", { version: 1 });
    expect(await keys.destroy("k", all)).toMatchObject({ destroyed: 1, skipped: 1, shredded: 0 });
    expect(await keys.decrypt(await keys.encrypt("child", text("x")))).toEqual(text("x"));
  });

  it("shreds what lies under any of them when that is asked for by name, and sums it up", async () => {
    await keys.create({ name: "k", ...KEK });
    const { keys: none } = await keys.list({ under: "k" });
    expect(none).toEqual([]);
    await keys.createMany(3, { algorithm: AEAD, under: "k" });
    await keys.rotate("k");
    await keys.createMany(2, { algorithm: AEAD, under: "k" });
    await keys.deactivate("k", all);
    const summary = await keys.destroy("k", { ...all, cryptoShred: true });
    expect(summary).toMatchObject({ destroyed: 2, skipped: 0, shredded: 5, erasure: "deleted" });
    const [child] = (await keys.list({ under: "k" })).keys;
    expect(await codeOf(keys.encrypt(child!, text("x")))).toBe("KEY_MATERIAL_MISSING");
    await keys.deactivate(child!, all);
    expect(await keys.destroy(child!, all)).toMatchObject({ destroyed: 1, erasure: "cryptographic" });
  });

  it("closes the gate of each version that wraps others, and keeps it closed", async () => {
    await mixed({ kek: true });
    const id = parseId((await keys.get("k"))!.id);
    const gates = async (): Promise<(boolean | undefined)[]> => {
      // The bodies alone: their MACs are checked by every command.
      const open = (entries: readonly { value: Uint8Array }[]): { revision: number; body: Uint8Array }[] =>
        entries.map(({ value }) => ({ revision: 1, body: value.slice(RECORD_HEAD_LENGTH, -MAC_LENGTH) }));
      const storage = memoryStorage({ space });
      const records = { open } as unknown as Parameters<typeof readGate>[1];
      return Promise.all([1, 2, 3, 4].map(async (v) => (await readGate(storage, records, id, v))?.open));
    };
    expect(await gates()).toEqual([false, true, true, true]);
    await keys.destroy("k", all);
    expect(await gates()).toEqual([false, false, true, true]);
    await keys.deactivate("k", all);
    await keys.destroy("k", all);
    expect(await gates()).toEqual([false, false, false, false]);
    expect(await eventsOf("close-gate")).toHaveLength(4);
  });
});

describe.each(["deactivate", "destroy"] as const)("the job of %s", (command) => {
  const COUNT = 12;
  const run = (options: object = {}, manager: KeyManager = keys): Job<{ job: string; skipped: number }> =>
    command === "deactivate"
      ? manager.deactivate("k", { ...all, ...options })
      : manager.destroy("k", { ...all, ...options });
  const target = command === "deactivate" ? "deactivated" : "destroyed";

  beforeEach(async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    for (let i = 1; i < COUNT; i++) await keys.rotate("k");
    if (command === "destroy") await keys.deactivate("k", all);
  });

  it("resumes by its id after a cancellation, and counts on", async () => {
    const first = run();
    await cancelAfter(first, 5);
    expect(await codeOf(first)).toBe("JOB_CANCELLED");
    const done = (await statesOf()).filter((state) => state === target).length;
    expect(done).toBeGreaterThanOrEqual(5);
    expect(done).toBeLessThan(COUNT);
    const again = run({ job: first.id });
    let least = Infinity;
    for await (const progress of again) {
      least = Math.min(least, progress.done);
      expect(progress.total).toBe(COUNT);
    }
    expect(least).toBe(done);
    expect(await again).toMatchObject({ job: first.id, [target]: COUNT, skipped: 0 });
    // Once it is finished, its id does nothing more: not to later versions either.
    if (command === "destroy") return;
    await keys.rotate("k");
    expect(await run({ job: first.id })).toMatchObject({ [target]: COUNT, skipped: 0 });
    expect((await statesOf()).at(-1)).toBe("active");
  });

  it("is refused with the same id and another request", async () => {
    const { job } = await run();
    await keys.create({ name: "other", algorithm: AEAD });
    expect(await codeOf(keys.deactivate("other", { ...all, job }))).toBe("JOB_REQUEST_MISMATCH");
    expect(await codeOf(keys.destroy("other", { ...all, job }))).toBe("JOB_REQUEST_MISMATCH");
    expect(await codeOf(keys.destroy("k", { ...all, cryptoShred: true, job }))).toBe("JOB_REQUEST_MISMATCH");
    expect(await codeOf(keys.createMany(1, { algorithm: AEAD, job }))).toBe("JOB_REQUEST_MISMATCH");
    expect(await statesOf(keys, "other")).toEqual(["active"]);
  });

  it("is stopped by a signal, and by closing", async () => {
    expect(await codeOf(run({ signal: AbortSignal.abort("no") }))).toBe("JOB_CANCELLED");
    const controller = new AbortController();
    const job = run({ signal: controller.signal });
    controller.abort();
    expect(await codeOf(job)).toBe("JOB_CANCELLED");
    const closed = run();
    await keys.close();
    expect(await codeOf(closed)).toBe("JOB_CANCELLED");
  });

  it("run by two managers at once changes every version once", async () => {
    const other = (await openMemory({ space, clock })).keys;
    const job = crypto.randomUUID();
    const [a, b] = await Promise.all([run({ job }), run({ job }, other)]);
    expect(a).toMatchObject({ [target]: COUNT, skipped: 0 });
    expect(b).toEqual(a);
    const versions = (await eventsOf(command))
      .filter((entry) => entry.job === job)
      .flatMap((entry) => entry.keys!.map(({ version }) => version));
    expect(versions.sort((x, y) => x - y)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1));
  });

  it("is obeyed by other managers within their freshness", async () => {
    const other = (await openMemory({ space, clock })).keys;
    await other.get("k");
    await run();
    clock.advance(1001);
    expect(await codeOf(other.encrypt("k", text("x")))).toMatch(/^KEY_(NOT_USABLE|DESTROYED)$/);
  });
});

it("a job takes no single version beside all, and nothing else for all", async () => {
  await keys.create({ name: "k", algorithm: AEAD });
  const bad = [{ versions: "some" }, { versions: "all", version: 1 }] as unknown as (typeof all)[];
  for (const options of bad) {
    expect(await codeOf(() => keys.deactivate("k", options))).toBe("KEY_INVALID_OPTION");
    expect(await codeOf(() => keys.destroy("k", options))).toBe("KEY_INVALID_OPTION");
  }
  expect(await codeOf(keys.deactivate("nobody", all))).toBe("KEY_NOT_FOUND");
  expect(await codeOf(keys.destroy("nobody", all))).toBe("KEY_NOT_FOUND");
  expect(await codeOf(() => keys.destroy("k", { ...all, job: "no uuid" }))).toBe("KEY_INVALID_OPTION");
});

it("a store that takes as little at once as it may is enough", async () => {
  const limits = { maxChecks: MIN_CHECKS, maxMutations: MIN_MUTATIONS };
  ({ keys } = await openMemory({ storage: memoryStorage({ limits }) }));
  await keys.create({ name: "k", ...KEK });
  for (let i = 1; i < 70; i++) await keys.rotate("k");
  expect(await keys.deactivate("k", all)).toMatchObject({ deactivated: 70, skipped: 0 });
  expect(await keys.destroy("k", all)).toMatchObject({ destroyed: 70, skipped: 0 });
});
