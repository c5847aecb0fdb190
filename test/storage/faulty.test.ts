import { describe, expect, it } from "vitest";

import type { Commit, StorageAdapter } from "../../sdk/storage/adapter.js";
import { bytes, commitId, dump, EVERYTHING, listed, put } from "../../sdk/storage/conformance-kit.js";
import {
  type Fault,
  FAULTS,
  type FaultyCall,
  faultyStorage,
  seededFaults,
} from "../../sdk/storage/faulty.js";
import { memoryStorage } from "../../sdk/storage/memory.js";

function commitOf(key: string): Commit {
  return { id: commitId(), checks: [], mutations: [put(key, "v")] };
}

/** Whether the commit was applied at once, the code that the caller saw, and whether it was applied later. */
async function outcomeOf(fault: Fault | null): Promise<unknown[]> {
  const inner = memoryStorage();
  const faulty = faultyStorage(inner, [fault]);
  const code = await faulty.commit(commitOf("k")).then(
    () => "none",
    (error: { code: string }) => error.code,
  );
  const now = (await inner.get(bytes("k"))) !== null;
  const released = await faulty.release();
  return [code, now, released.length];
}

describe("the fault layer", () => {
  it("does with a commit what each fault's name says", async () => {
    expect(await outcomeOf(null)).toEqual(["none", true, 0]);
    expect(await outcomeOf("fail-before")).toEqual(["STORAGE_IO", false, 0]);
    expect(await outcomeOf("full")).toEqual(["STORAGE_FULL", false, 0]);
    expect(await outcomeOf("closed")).toEqual(["STORAGE_CLOSED", false, 0]);
    expect(await outcomeOf("lost-request")).toEqual(["STORAGE_OUTCOME_UNKNOWN", false, 0]);
    expect(await outcomeOf("lost-reply")).toEqual(["STORAGE_OUTCOME_UNKNOWN", true, 0]);
    expect(await outcomeOf("late")).toEqual(["STORAGE_OUTCOME_UNKNOWN", false, 1]);
    expect(await outcomeOf("duplicate")).toEqual(["STORAGE_OUTCOME_UNKNOWN", true, 1]);
  });

  it("releases late commits in order, as many as asked for, with the bytes that they had", async () => {
    const inner = memoryStorage();
    const faulty = faultyStorage(inner, ["late", "late", "late"]);
    for (const key of ["a", "b", "c"]) {
      const commit = commitOf(key);
      await expect(faulty.commit(commit)).rejects.toMatchObject({ code: "STORAGE_OUTCOME_UNKNOWN" });
      // The caller has its answer, and wipes what it sent.
      for (const { key: sent } of commit.mutations) sent.fill(0);
    }
    expect(faulty.held.length).toBe(3);
    await faulty.release(2);
    expect(await listed(inner, EVERYTHING)).toEqual(["a=v", "b=v"]);
    await faulty.release();
    expect(await listed(inner, EVERYTHING)).toEqual(["a=v", "b=v", "c=v"]);
  });

  it("strikes reads where the schedule says so, and an unknown outcome of a read is a failed read", async () => {
    const calls: FaultyCall[] = [];
    const inner = memoryStorage();
    await inner.commit(commitOf("a"));
    let fault: Fault | null = "lost-reply";
    const faulty = faultyStorage(inner, (call) => {
      calls.push(call);
      return fault;
    });
    const reads = [
      () => faulty.get(bytes("a")),
      () => faulty.getMany([bytes("a")]),
      () => dump(faulty),
      () => faulty.snapshot!(),
    ];
    for (const read of reads) await expect(read()).rejects.toMatchObject({ code: "STORAGE_IO" });
    fault = null;
    for (const read of reads) await expect(read()).resolves.toBeDefined();
    const operations = ["get", "getMany", "list", "snapshot"];
    expect(calls.map(({ operation }) => operation)).toEqual([...operations, ...operations]);
    expect(calls.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(calls.map(({ indexOfOperation }) => indexOfOperation)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  });

  it("draws the same faults for the same seed, and about as many as the rates say", () => {
    const rates = { late: 0.1, "lost-reply": 0.3 };
    const draw = (seed: number) => {
      const schedule = seededFaults(seed, rates);
      return Array.from({ length: 4000 }, (_, i) =>
        schedule({ operation: "commit", index: i, indexOfOperation: i }),
      );
    };
    const drawn = draw(7);
    expect(draw(7)).toEqual(drawn);
    expect(draw(8)).not.toEqual(drawn);
    const share = (fault: Fault) => drawn.filter((one) => one === fault).length / drawn.length;
    expect(Math.abs(share("late") - 0.1)).toBeLessThan(0.03);
    expect(Math.abs(share("lost-reply") - 0.3)).toBeLessThan(0.04);
    const reads = seededFaults(7, { late: 1 });
    expect(reads({ operation: "get", index: 0, indexOfOperation: 0 })).toBeNull();
  });

  it("offers a snapshot only where the store below does", () => {
    const { snapshot: _, ...bare } = { ...memoryStorage(), snapshot: undefined };
    expect(faultyStorage(bare as unknown as StorageAdapter, []).snapshot).toBeUndefined();
    expect(Object.keys(FAULTS).length).toBe(7);
  });
});
