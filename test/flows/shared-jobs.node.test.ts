/** A re-wrap that several managers share, each of which is told the same job. */
import { beforeEach, describe, expect, it } from "vitest";
import type { KeyManager, StorageAdapter } from "../../sdk/index.js";
import { doctor } from "../../sdk/entries/maintenance.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import { PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory, text } from "./support.js";

/** Two ranges and a bit. */
const KEYS = 2 * 16 * 1024 + 1500;

let keys: KeyManager;
let space: MemorySpace;
let clock: VirtualClock;

beforeEach(async () => {
  ({ keys, space, clock } = await openMemory());
  await keys.create({ name: "kek", ...KEK });
  await keys.createMany(KEYS, { algorithm: AEAD, under: "kek" });
  await keys.rotate("kek");
});

interface Watched {
  keys: KeyManager;
  /** Commits that moved keys; and how many commits found that something had changed. */
  moves: number;
  conflicts: number;
}

/** Another manager; `strike` is called before each commit that moves keys. */
async function another(
  strike: (moves: number) => Promise<void> | undefined = () => undefined,
): Promise<Watched> {
  const inner = memoryStorage({ space });
  const watched = { moves: 0, conflicts: 0 } as Watched;
  const storage: StorageAdapter = {
    capabilities: inner.capabilities,
    get: (key) => inner.get(key),
    getMany: (all) => inner.getMany(all),
    list: (range, options) => inner.list(range, options),
    count: (range) => inner.count(range),
    async commit(commit) {
      const moves = commit.mutations.some(({ key }) => key[0] === PREFIX.material);
      if (moves) await strike(watched.moves);
      const outcome = await inner.commit(commit);
      if (moves && outcome.committed) watched.moves++;
      if (moves && !outcome.committed) watched.conflicts++;
      return outcome;
    },
    close: () => inner.close(),
  };
  watched.keys = (
    await openMemory({ space, clock, storage, seed: Math.floor(Math.random() * 2 ** 32) })
  ).keys;
  return watched;
}

async function under(version: number): Promise<number> {
  const { id } = (await keys.get("kek"))!;
  return memoryStorage({ space }).count(ranges.materialUnder(parseId(id), version));
}

async function cancelledAfter(items: number): Promise<string> {
  const job = keys.rewrap("kek");
  await (async () => {
    for await (const { done } of job) if (done >= items) job.cancel();
  })().catch(() => undefined);
  expect(await codeOf(job)).toBe("JOB_CANCELLED");
  return job.id; // not the job, which would be awaited
}

async function rangesLeft(): Promise<number> {
  let count = 0;
  for await (const { key } of memoryStorage({ space }).list(ranges.everything(), { keysOnly: true })) {
    if (key[0] === PREFIX.leaseRange) count++;
  }
  return count;
}

async function allOpens(): Promise<void> {
  expect([await under(1), await under(2), await rangesLeft()]).toEqual([0, KEYS, 0]);
  await keys.deactivate("kek", { version: 1 });
  expect((await keys.destroy("kek", { version: 1 })).shredded).toBe(0);
  // Another re-wrap opens each of them.
  await keys.rotate("kek");
  expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: KEYS });
}

describe("a shared re-wrap", () => {
  it("is divided among those who were told its id, none of whom is in another's way", async () => {
    const workers = await Promise.all([another(), another(), another()]);
    const job = crypto.randomUUID();
    const summaries = await Promise.all(workers.map(({ keys: each }) => each.rewrap("kek", { job })));
    for (const summary of summaries) expect(summary).toEqual({ job, rewrapped: KEYS });
    expect(workers.map(({ moves }) => moves > 0)).toEqual([true, true, true]);
    expect(workers.map(({ conflicts }) => conflicts)).toEqual([0, 0, 0]);
    await allOpens();
  });

  it("goes on where a worker died: the rest of its range is taken over", { timeout: 60_000 }, async () => {
    const job = crypto.randomUUID();
    const dead = await another((moves) => (moves === 3 ? new Promise<void>(() => {}) : undefined));
    const never = dead.keys.rewrap("kek", { job });
    for await (const { done } of never) if (done >= 3 * 1024) break;
    const { keys: alive } = await another();
    const seen: number[] = [];
    const taken = alive.rewrap("kek", { job });
    for await (const { done, total } of taken) {
      expect(total).toBe(KEYS);
      seen.push(done);
    }
    // What the dead one did counts, and nothing was done twice.
    expect(seen[0]).toBe(3 * 1024);
    expect(seen.at(-1)).toBe(KEYS);
    expect(await taken).toEqual({ job, rewrapped: KEYS });
    await allOpens();
  });

  it("refuses what a worker still does whose range was taken over", { timeout: 60_000 }, async () => {
    const job = crypto.randomUUID();
    let wake = (): void => undefined;
    const asleep = await another((moves) =>
      moves === 3 ? new Promise<void>((resolve) => (wake = resolve)) : undefined,
    );
    const slow = asleep.keys.rewrap("kek", { job });
    for await (const { done } of slow) if (done >= 3 * 1024) break;
    const { keys: alive } = await another();
    await alive.rewrap("kek", { job });
    wake();
    // It finds that there is nothing left for it.
    expect(await slow).toEqual({ job, rewrapped: KEYS });
    expect([asleep.moves, asleep.conflicts]).toEqual([3, 1]);
    await allOpens();
  });

  it("is resumed at once after it was cancelled, from where it was", async () => {
    const job = await cancelledAfter(20 * 1024);
    // What its ranges did is not in its record yet, and the doctor knows.
    expect(await rangesLeft()).toBeGreaterThan(0);
    expect((await doctor(keys)).findings).toEqual([]);
    const moved = await under(2);
    expect(moved % 1024).toBe(0);
    const again = keys.rewrap("kek", { job });
    const progress: number[] = [];
    for await (const { done } of again) progress.push(done);
    expect(progress[0]).toBe(moved);
    expect(await again).toEqual({ job, rewrapped: KEYS });
    expect((await doctor(keys)).findings).toEqual([]);
    await allOpens();
  });

  it("finds what comes to lie under an old version meanwhile", async () => {
    let late = 0;
    const { keys: worker } = await another((moves) => {
      if (moves !== 5) return undefined;
      // The current version is replaced in the middle: what was moved has to be moved once more.
      return keys.rotate("kek").then(async () => {
        clock.advance(1001);
        for (; late < 3; late++) await keys.create({ algorithm: AEAD, under: "kek" });
      });
    });
    const { rewrapped } = await worker.rewrap("kek");
    expect(rewrapped).toBeGreaterThan(KEYS);
    expect([await under(1), await under(2), await under(3)]).toEqual([0, 0, KEYS + late]);
    expect(await rangesLeft()).toBe(0);
    const { keys: some } = await keys.list({ under: "kek", limit: 20 });
    for (const { id } of some)
      expect(await keys.decrypt(await keys.encrypt(id, text("x")))).toEqual(text("x"));
  });

  it("belongs to its request", async () => {
    const job = await cancelledAfter(1024);
    await keys.create({ name: "other", ...KEK });
    expect(await codeOf(keys.rewrap("other", { job }))).toBe("JOB_REQUEST_MISMATCH");
  });
});
