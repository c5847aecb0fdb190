/** Moving entries from writers' chains into the log: once each, whoever does it, and whatever goes wrong on the way. */
import { describe, expect, it } from "vitest";
import { toHex } from "../../sdk/foundation/bytes.js";
import { KeyloomError } from "../../sdk/index.js";
import { readLogHead } from "../../sdk/audit/log.js";
import { MAX_ENTRY_LENGTH } from "../../sdk/audit/event.js";
import { tailOfAudit } from "../../sdk/audit/walk.js";
import { LEASE_MS } from "../../sdk/commands/leases.js";
import { Sequencer } from "../../sdk/commands/sequence.js";
import { keyspace, ranges } from "../../sdk/storage/keyspace.js";
import type { Commit, StorageAdapter } from "../../sdk/storage/adapter.js";
import { FAULTS, faultyStorage, type Fault } from "../../sdk/storage/faulty.js";
import { memoryStorage } from "../../sdk/storage/memory.js";
import { AEAD, codeOf, openMemory } from "../flows/support.js";
import { NaiveTree, leafHash } from "./naive-tree.js";
import { CONTROL, eventPlan, namesOf, openBare, waiting, walkAll, withCommit } from "./support.js";

describe("the sequencer", () => {
  it("moves all entries into the log, in the order of each chain, and the tree is RFC 6962's", async () => {
    const bare = await openBare();
    const second = bare.other();
    await bare.write(100);
    await bare.write(80, second.committer);
    const before = await walkAll(bare.context);
    expect(before).toHaveLength(181);
    expect(before.every(({ index }) => index === null)).toBe(true);

    expect(await new Sequencer(bare.context).run(CONTROL)).toEqual({ moved: 181, size: 181 });
    expect(await waiting(bare.context)).toBe(0);
    await bare.write(200);
    expect(await new Sequencer(second).run(CONTROL)).toEqual({ moved: 200, size: 381 });
    await bare.write(3);

    const after = await walkAll(bare.context);
    expect(after.map(({ index }) => index)).toEqual([...Array(381).keys(), null, null, null]);
    expect(new Set(namesOf(after)).size).toBe(384);
    expect(namesOf(after).sort()).toEqual(expect.arrayContaining(namesOf(before)) as unknown);
    const tree = new NaiveTree(after.slice(0, 381).map(({ bytes }) => leafHash(bytes)));
    const head = await readLogHead(bare.context);
    expect([head.size, toHex(head.root)]).toEqual([381, toHex(tree.hash(0, 381))]);
  });

  it("writes the same records whether it moves entries one by one or all at once", async () => {
    const stores = [];
    for (const every of [3, 50, 600]) {
      const bare = await openBare({ seed: 3 });
      const mover = new Sequencer(bare.context);
      for (let written = 0; written < 300; written += every) {
        await bare.write(Math.min(every, 300 - written));
        await mover.run(CONTROL);
      }
      const stored: string[] = [];
      const range = { start: keyspace.auditLog(), end: ranges.auditMoved().end };
      for await (const { key, value } of bare.context.storage.list(range)) {
        stored.push(`${toHex(key)} ${toHex(value)}`);
      }
      stores.push(stored);
    }
    expect(stores[0]!.length).toBeGreaterThan(6);
    expect(stores[1]).toEqual(stores[0]);
    expect(stores[2]).toEqual(stores[0]);
  });

  it("needs no more of a store than every store has", async () => {
    const bare = await openBare({ maxMutations: 64 });
    await bare.write(120);
    const { moved } = await new Sequencer(bare.context).run(CONTROL);
    expect(moved).toBe(121);
    expect(await walkAll(bare.context)).toHaveLength(121);
  });

  it("takes the longest event that a commit takes, and a longer one is refused before anything is written", async () => {
    const bare = await openBare();
    const plan = eventPlan(bare.owner, bare.clock.now());
    const empty = { ...plan, event: { ...plan.event, bulk: new Uint8Array(60_000) } };
    await bare.context.committer.commit(empty);
    const [, link] = await walkAll(bare.context);
    const room = MAX_ENTRY_LENGTH - link!.bytes.length;
    const filled = (more: number): typeof plan => ({
      ...plan,
      event: { ...plan.event, bulk: new Uint8Array(60_000 + room + more) },
    });
    await bare.context.committer.commit(filled(0));
    expect(await codeOf(bare.context.committer.commit(filled(1)))).toBe("KEY_INVALID_OPTION");
    expect((await new Sequencer(bare.context).run(CONTROL)).moved).toBe(3);
    const links = await walkAll(bare.context);
    expect(links.map(({ bytes }) => bytes.length).at(-1)).toBe(MAX_ENTRY_LENGTH);
  });

  it("leaves what an audit shows as it was", async () => {
    const { keys, clock } = await openMemory();
    for (let i = 0; i < 30; i++) {
      await keys.create({ algorithm: AEAD });
      clock.advance(1);
    }
    const shown = async (): Promise<[unknown[], unknown[]]> => {
      const all = [];
      for await (const entry of keys.audit()) all.push({ ...entry, index: undefined });
      const tail = (await keys.auditTail(12)).map((entry) => ({ ...entry, index: undefined }));
      return [all, tail];
    };
    const before = await shown();
    const { moved, size } = await keys.sequenceAudit();
    expect([moved, size]).toEqual([31, 31]);
    expect(await shown()).toEqual(before);
    await keys.create({ algorithm: AEAD });
    const tail = await keys.auditTail(3);
    expect(tail.map(({ index }) => index)).toEqual([undefined, 30, 29]);
    await keys.close();
  });

  it("works by itself once many entries wait, and at the latest when a manager is closed", async () => {
    const { keys, space } = await openMemory();
    const storage = memoryStorage({ space });
    await keys.create({ name: "k", algorithm: AEAD });
    for (let i = 0; i < 127; i++) {
      await keys.suspend("k");
      await keys.resume("k");
    }
    await keys.close();
    // 256 of one manager and none more: it was told to close before it had time for them.
    expect(await storage.count(ranges.auditIntake())).toBe(0);
    const { keys: again } = await openMemory({ space });
    await again.suspend("k");
    await again.close();
    expect(await storage.count(ranges.auditIntake())).toBe(1);
  });
});

/** A store whose every commit gives others a turn. */
function slowly(
  storage: StorageAdapter,
  watch: (commit: Commit, committed: boolean) => void,
): StorageAdapter {
  return withCommit(storage, async (commit) => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const outcome = await storage.commit(commit);
    watch(commit, outcome.committed);
    return outcome;
  });
}

describe("several processes", () => {
  it("that write and sequence at once move every entry once, and writers never meet on the log", async () => {
    const bare = await openBare({ maxMutations: 200 });
    let [failed, all] = [0, 0];
    const watched = slowly(bare.context.storage, ({ mutations }, committed) => {
      const isSequencing = mutations.some(({ kind }) => kind === "delete");
      if (isSequencing) return;
      all++;
      failed += committed ? 0 : 1;
    });
    const processes = [bare.other(watched), bare.other(watched), bare.other(watched)];
    // Their first commits meet on the list of writers, once.
    for (const { committer } of processes) await bare.write(1, committer);
    [failed, all] = [0, 0];
    const walks: number[] = [];
    await Promise.all([
      ...processes.map(({ committer }) => bare.write(150, committer)),
      ...processes.map(async (context) => {
        const mover = new Sequencer(context);
        for (let i = 0; i < 12; i++) await mover.run(CONTROL);
      }),
      (async () => {
        for (let i = 0; i < 8; i++) walks.push((await walkAll({ ...bare.context, storage: watched })).length);
      })(),
    ]);
    expect([failed, all]).toEqual([0, 450]);
    expect(walks).toHaveLength(8);
    await new Sequencer(processes[0]!).run(CONTROL);
    const links = await walkAll(bare.context);
    expect(links.map(({ index }) => index)).toEqual([...Array(454).keys()]);
    expect(new Set(namesOf(links)).size).toBe(454);
  });

  it("leave the lease to its holder, and take it over when its beat has stood still for its time", async () => {
    const bare = await openBare({ maxMutations: 64 });
    await bare.write(60);
    const dead = new Sequencer(bare.context);
    const first = await dead.step();
    expect(first).toMatchObject({ moved: 16, last: false });

    const heir = new Sequencer(bare.other());
    expect(await heir.step()).toBe("held");
    bare.clock.advance(LEASE_MS - 1);
    expect(await heir.step()).toBe("held");
    // A beat begins the time anew.
    expect(await dead.step()).toMatchObject({ moved: 16 });
    bare.clock.advance(LEASE_MS - 1);
    expect(await heir.step()).toBe("held");
    bare.clock.advance(LEASE_MS);
    expect(await heir.step()).toMatchObject({ moved: 16 });
    // Who comes back finds that it is another's now, and waits in its turn.
    expect(await dead.step()).toBe("held");
    await heir.release();
    expect(await dead.step()).toMatchObject({ moved: 13, last: true });
    expect(await walkAll(bare.context)).toHaveLength(61);
  });

  it("keep out what a holder that was taken for dead had still under way", async () => {
    const bare = await openBare({ maxMutations: 64 });
    await bare.write(60);
    const faulty = faultyStorage(bare.context.storage, ({ commit }) =>
      commit === undefined || bare.clock.monotonic() > 0 ? null : "late",
    );
    const dead = new Sequencer({ ...bare.other(faulty) });
    // It commits, hears nothing, and tries again and again until time has passed.
    const ended = dead.step();
    while (faulty.held.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    bare.clock.advance(1);
    await ended;
    const heir = new Sequencer(bare.other());
    await heir.step();
    bare.clock.advance(LEASE_MS);
    await heir.run(CONTROL);
    const outcomes = await faulty.release();
    expect(outcomes.every(({ committed }) => !committed)).toBe(true);
    expect(new Set(namesOf(await walkAll(bare.context))).size).toBe(61);
  });
});

describe("when replies are lost", () => {
  const faults = (Object.keys(FAULTS) as Fault[]).filter((fault) => fault !== "closed" && fault !== "full");

  it.each(faults)("entries are moved once all the same: %s", async (fault) => {
    for (let nth = 0; nth < 4; nth++) {
      const bare = await openBare({ maxMutations: 64 });
      await bare.write(40);
      let commits = 0;
      const faulty = faultyStorage(bare.context.storage, ({ operation }) =>
        operation === "commit" && commits++ === nth ? fault : null,
      );
      await new Sequencer(bare.other(faulty)).run(CONTROL);
      await faulty.release();
      await bare.write(5);
      await faulty.release();
      await new Sequencer(bare.context).run(CONTROL);
      const links = await walkAll(bare.context);
      expect(links.map(({ index }) => index)).toEqual([...Array(46).keys()]);
      expect(new Set(namesOf(links)).size).toBe(46);
    }
  });

  it.each(["full", "closed"] as const)(
    "a store that can't be written says so, and nothing moves: %s",
    async (fault) => {
      const bare = await openBare();
      await bare.write(3);
      const faulty = faultyStorage(bare.context.storage, ({ operation }) =>
        operation === "commit" ? fault : null,
      );
      expect(await codeOf(new Sequencer(bare.other(faulty)).run(CONTROL))).toBe(FAULTS[fault].code);
      expect(await waiting(bare.context)).toBe(4);
    },
  );

  it("a commit whose event has moved to the log before its writer could look is found to have landed", async () => {
    const bare = await openBare();
    let lose = false;
    const storage = withCommit(bare.context.storage, async (commit) => {
      const outcome = await bare.context.storage.commit(commit);
      if (!lose) return outcome;
      lose = false;
      await new Sequencer(bare.context).run(CONTROL);
      throw new KeyloomError("STORAGE_OUTCOME_UNKNOWN", { message: "no reply came" });
    });
    const { committer } = bare.other(storage);
    for (let i = 0; i < 3; i++) {
      lose = i !== 1;
      expect((await committer.commit(eventPlan(bare.owner, i))).committed).toBe(true);
    }
    const links = await walkAll(bare.context);
    expect(links.map(({ body }) => body.kind)).toEqual(["event", "event", "event", "event"]);
    expect(await tailOfAudit(bare.context, 2)).toHaveLength(2);
  });

  it.each(["late", "duplicate"] as const)(
    "an original that comes after its place went to the log finds no way in: %s",
    async (fault) => {
      const bare = await openBare();
      const faulty = faultyStorage(bare.context.storage, [null, fault]);
      const { committer } = bare.other(faulty);
      await bare.write(2, committer);
      await new Sequencer(bare.context).run(CONTROL);
      expect((await faulty.release()).map(({ committed }) => committed)).toEqual([false]);
      expect(await waiting(bare.context)).toBe(0);
      const kinds = (await walkAll(bare.context)).map(({ body }) => body.kind);
      expect(kinds).toEqual(
        fault === "late" ? ["event", "event", "abandoned", "event"] : ["event", "event", "event"],
      );
    },
  );
});
