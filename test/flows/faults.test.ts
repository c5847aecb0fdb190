import { beforeEach, describe, expect, it } from "vitest";
import type { Key, KeyManager } from "../../sdk/index.js";
import { faultyStorage, seededFaults, seededRandom } from "../../sdk/testing/index.js";
import type { Fault, FaultSchedule, FaultyStorage } from "../../sdk/storage/faulty.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { AEAD, codeOf, KEK, openMemory, text } from "./support.js";

let space: MemorySpace;
let storage: FaultyStorage;
let keys: KeyManager;
let schedule: FaultSchedule | null;

async function open(over: MemorySpace): Promise<KeyManager> {
  space = over;
  storage = faultyStorage(memoryStorage({ space }), (call) => schedule?.(call));
  return (await openMemory({ storage, space })).keys;
}

beforeEach(async () => {
  schedule = null;
  keys = await open(new MemorySpace());
});

/** Strikes the nth commit from now on, and lets a held commit arrive just before the commit after it if asked to. */
function strike(nth: number, fault: Fault, arrival: "never" | "before the next" | "at the end"): void {
  let commits = 0;
  schedule = ({ operation }) => {
    if (operation !== "commit") return null;
    // A commit on memory has happened when the call returns, so the next one finds it done.
    if (arrival === "before the next" && commits > nth) void storage.release();
    return commits++ === nth ? fault : null;
  };
}

async function everyKey(manager: KeyManager): Promise<Key[]> {
  const all: Key[] = [];
  let cursor: string | undefined;
  do {
    const page = await manager.list({ limit: 1000, cursor });
    all.push(...page.keys);
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

/** What must hold whatever went wrong. Looks through the manager at hand and through a new one. */
async function checkStore(): Promise<Key[]> {
  schedule = null;
  await storage.release();
  const other = (await openMemory({ space })).keys;
  for (const manager of [keys, other]) {
    let entries = 0;
    for await (const entry of manager.audit()) entries += entry.sequence > 0 ? 1 : 0;
    expect(entries).toBeGreaterThan(0);
  }
  const all = await everyKey(other);
  const items = all.flatMap(({ origin }) => (origin === undefined ? [] : [`${origin.job}/${origin.item}`]));
  expect(new Set(items).size).toBe(items.length);
  for (const key of all) {
    const current = key.versions.filter((version) => version.current);
    expect(current.length).toBeLessThanOrEqual(1);
    if (current.length === 0 || !key.usages.includes("encrypt")) continue;
    // Of a job's keys, the ones around the seam of two batches and a few more.
    const item = key.origin?.item ?? 0;
    if (item % 100 !== 0 && Math.abs(item - 1024) > 2) continue;
    expect(await other.decrypt(await keys.encrypt(key, text("x")))).toEqual(text("x"));
  }
  await other.close();
  return all;
}

const FAULTS = ["fail-before", "full", "lost-request", "lost-reply", "late", "duplicate"] as const;
/** Only these leave something behind that arrives later. */
const HELD: readonly Fault[] = ["late", "duplicate"];
const CASES = FAULTS.flatMap((fault): { fault: Fault; arrival: Parameters<typeof strike>[2] }[] =>
  HELD.includes(fault)
    ? (["before the next", "at the end"] as const).map((arrival) => ({ fault, arrival }))
    : [{ fault, arrival: "never" as const }],
);

describe.each(CASES)("a commit struck by $fault, arriving $arrival", ({ fault, arrival }) => {
  const outcome = fault === "full" ? "STORAGE_FULL" : "no error";

  it("makes a key once or not at all", async () => {
    strike(0, fault, arrival);
    expect(await codeOf(keys.create({ name: "k", algorithm: AEAD }))).toBe(outcome);
    expect((await checkStore()).map(({ name }) => name)).toEqual(fault === "full" ? [] : ["k"]);
    const again = await codeOf(keys.create({ name: "k", algorithm: AEAD }));
    expect(again).toBe(fault === "full" ? "no error" : "KEY_NAME_TAKEN");
  });

  it("rotates once or not at all", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const sealed = await keys.encrypt("k", text("before"));
    strike(0, fault, arrival);
    expect(await codeOf(keys.rotate("k"))).toBe(outcome);
    const [key] = await checkStore();
    expect(key!.versions).toHaveLength(fault === "full" ? 1 : 2);
    expect(await keys.decrypt(sealed)).toEqual(text("before"));
    expect((await keys.rotate("k")).versions).toHaveLength(fault === "full" ? 2 : 3);
  });

  it("destroys once or not at all", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    await keys.deactivate("k");
    strike(0, fault, arrival);
    expect(await codeOf(keys.destroy("k"))).toBe(outcome);
    const [key] = await checkStore();
    expect(key!.versions[0]!.state).toBe(fault === "full" ? "deactivated" : "destroyed");
  });

  it.each([0, 1])("makes every key of a job once, at batch %i", async (batch) => {
    const kek = await keys.create({ name: "kek", ...KEK });
    const job = crypto.randomUUID();
    const run = async (): Promise<string> =>
      codeOf(keys.createMany(1100, { algorithm: AEAD, under: kek, job }));
    strike(batch, fault, arrival);
    expect(await run()).toBe(outcome);
    schedule = null;
    expect(await run()).toBe("no error");
    const made = (await checkStore()).filter(({ origin }) => origin?.job === job);
    expect(made.map(({ origin }) => origin!.item).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1100 }, (_, i) => i),
    );
  });

  it.each([0, 1])("moves every key to its new wrapping key, at batch %i", async (batch) => {
    const kek = await keys.create({ name: "kek", ...KEK });
    await keys.createMany(1100, { algorithm: AEAD, under: kek });
    await keys.rotate("kek");
    strike(batch, fault, arrival);
    expect(await codeOf(keys.rewrap("kek"))).toBe(outcome);
    schedule = null;
    await keys.rewrap("kek");
    expect(await checkStore()).toHaveLength(1101);
    await keys.deactivate("kek", { version: 1 });
    expect((await keys.destroy("kek", { version: 1 })).shredded).toBe(0);
    await checkStore();
  });
});

describe("a store that does not answer", () => {
  it("is no store that lost anything: what was asked is settled once it answers again", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    schedule = ({ operation }) => (operation === "commit" ? "lost-request" : null);
    expect(await codeOf(keys.rotate("k"))).toBe("STORAGE_OUTCOME_UNKNOWN");
    expect((await checkStore())[0]!.versions).toHaveLength(1);
    expect((await keys.rotate("k")).versions).toHaveLength(2);
  });

  it("and applied the last change all the same shows it afterwards, once", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    let commits = 0;
    schedule = ({ operation }) => {
      if (operation !== "commit") return null;
      return commits++ === 0 ? "lost-reply" : "lost-request";
    };
    expect(await codeOf(keys.rotate("k"))).toBe("STORAGE_OUTCOME_UNKNOWN");
    schedule = null;
    expect((await keys.rotate("k")).versions).toHaveLength(3);
    await checkStore();
  });

  it("while it is opened leaves nothing half made", async () => {
    for (const fault of FAULTS) {
      schedule = null;
      const empty = new MemorySpace();
      let commits = 0;
      schedule = ({ operation }) => (operation === "commit" && commits++ === 0 ? fault : null);
      const code = await codeOf(open(empty).then((manager) => (keys = manager)));
      expect(code, fault).toBe(fault === "full" ? "STORAGE_FULL" : "no error");
      if (code !== "no error") keys = await open(empty);
      await keys.create({ name: "k", algorithm: AEAD });
      expect(await checkStore(), fault).toHaveLength(1);
    }
  });
});

describe("commands under faults at random", () => {
  it.each([1, 2, 3, 4, 5, 6])("leave the store whole (seed %i)", async (seed) => {
    const rates = { "fail-before": 0.08, full: 0.08, "lost-reply": 0.08, late: 0.08, duplicate: 0.08 };
    const chance = new Uint8Array(1);
    const random = seededRandom(seed);
    const draw = (bound: number): number => (random(chance), chance[0]! % bound);
    await keys.create({ name: "kek", ...KEK });
    const sealed: Uint8Array[] = [];
    const made = new Set<string>();
    const faults = seededFaults(seed, rates, ["commit", "get", "getMany", "list"]);
    for (let step = 0; step < 60; step++) {
      schedule = faults;
      const name = `k${draw(8)}`;
      const what = draw(9);
      let code: string;
      if (!made.has(name)) {
        code = await codeOf(keys.create({ name, algorithm: AEAD, under: draw(2) ? "kek" : undefined }));
        // Taken: a create that failed without an answer had landed.
        if (code === "no error" || code === "KEY_NAME_TAKEN") made.add(name);
      } else if (what < 3) {
        code = await codeOf(keys.rotate(name));
      } else if (what < 5) {
        code = await codeOf(keys.rotate("kek").then(() => keys.rewrap("kek")));
      } else {
        code = await codeOf(keys.encrypt(name, text(name)).then((message) => sealed.push(message)));
      }
      expect(code).toMatch(
        /^(no error|STORAGE_FULL|STORAGE_IO|STORAGE_OUTCOME_UNKNOWN|KEY_NAME_TAKEN|KEY_TRANSITION_NOT_ALLOWED)$/,
      );
      if (draw(4) === 0) {
        schedule = null;
        await storage.release(1);
      }
    }
    const all = await checkStore();
    for (const name of made) expect(all.map((key) => key.name)).toContain(name);
    for (const message of sealed) {
      expect(made.has(new TextDecoder().decode(await keys.decrypt(message)))).toBe(true);
    }
    await keys.create({ name: "afterwards", algorithm: AEAD });
  });
});
