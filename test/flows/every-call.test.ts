/** Each single call that a command makes to the store fails once, in each way that it can fail. */
import { describe, expect, it } from "vitest";
import type { Key, KeyManager } from "../../sdk/index.js";
import { FAULTS, faultyStorage, type Fault, type FaultyCall } from "../../sdk/storage/faulty.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { virtualClock, type VirtualClock } from "../../sdk/testing/clock.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "./support.js";

const NOW = Date.UTC(2030, 0, 1);
let clock: VirtualClock;
const JOB = "01890000-0000-7000-8000-000000000001";
const ALL_FAULTS = (Object.keys(FAULTS) as Fault[]).filter((fault) => fault !== "closed");

interface Command {
  /** What there is before it, beside a wrapping key `kek` with the keys `a` and `b` under it. */
  prepare?: (keys: KeyManager) => Promise<unknown>;
  run: (keys: KeyManager) => PromiseLike<unknown>;
  /** Whether it has taken effect as a whole. */
  done: (keys: KeyManager) => Promise<boolean>;
}

const versionsOf = async (keys: KeyManager, name: string): Promise<Key["versions"]> =>
  (await keys.get(name))?.versions ?? [];

let signature: Uint8Array;

async function verifiesOwn(keys: KeyManager, pair: Key | string): Promise<void> {
  const signed = await keys.sign(pair, text("own"));
  expect((await keys.verify(pair, text("own"), signed.signature)).version).toBe(signed.version);
}

const COMMANDS: Record<string, Command> = {
  create: {
    run: (keys) => keys.create({ name: "new", algorithm: AEAD, under: "kek", tags: ["t"] }),
    done: async (keys) => (await keys.get("new")) !== null,
  },
  createMany: {
    run: (keys) => keys.createMany(5, { algorithm: AEAD, under: "kek", job: JOB }),
    done: async (keys) => (await keys.list({ under: "kek" })).keys.length === 7,
  },
  deactivate: {
    run: (keys) => keys.deactivate("a"),
    done: async (keys) => (await versionsOf(keys, "a"))[0]?.state === "deactivated",
  },
  "suspend and resume": {
    run: async (keys) => {
      const [version] = await versionsOf(keys, "a");
      if (version!.state !== "suspended") await keys.suspend("a");
      await keys.resume("a");
    },
    done: async (keys) => (await versionsOf(keys, "a"))[0]?.state === "active",
  },
  sweep: {
    prepare: async (keys) => {
      await keys.create({ name: "due", algorithm: AEAD, deactivation: new Date(NOW + 10) });
      await keys.create({ name: "due too", algorithm: AEAD, activation: new Date(NOW + 5) });
      clock.advance(20);
    },
    run: (keys) => keys.sweep({ job: JOB }),
    // A second one finds nothing left to do.
    done: async (keys) => (await keys.sweep()).moved === 0,
  },
  "set dates": {
    run: (keys) => keys.setDates("a", { deactivation: new Date(NOW + 1000) }),
    done: async (keys) => (await versionsOf(keys, "a"))[0]?.dates.deactivation !== undefined,
  },
  archive: {
    run: (keys) => keys.archive("a"),
    done: async (keys) => (await keys.get("a"))!.archived !== undefined,
  },
  import: {
    run: (keys) => keys.import(new Uint8Array(32).fill(7), { name: "new", algorithm: AEAD, under: "kek" }),
    done: async (keys) => (await keys.get("new")) !== null,
  },
  "createMany of pairs": {
    run: (keys) => keys.createMany(2, { algorithm: "Ed25519", under: "kek", job: JOB }),
    done: async (keys) => {
      const { keys: pairs } = await keys.list({ algorithm: "Ed25519" });
      for (const pair of pairs) await verifiesOwn(keys, pair);
      return pairs.length === 2;
    },
  },
  "rotate of a pair": {
    prepare: (keys) => keys.create({ name: "pair", algorithm: "Ed25519", under: "kek" }),
    run: (keys) => keys.rotate("pair"),
    done: async (keys) => {
      await verifiesOwn(keys, "pair");
      return (await versionsOf(keys, "pair")).length === 2;
    },
  },
  "destroy of a pair": {
    prepare: async (keys) => {
      await keys.create({ name: "pair", algorithm: "Ed25519" });
      ({ signature } = await keys.sign("pair", text("m")));
      await keys.deactivate("pair");
    },
    run: (keys) => keys.destroy("pair"),
    done: async (keys) => (await keys.verify("pair", text("m"), signature)).state === "destroyed",
  },
  "verify by exception": {
    prepare: async (keys) => {
      await keys.create({ name: "pair", algorithm: "Ed25519" });
      ({ signature } = await keys.sign("pair", text("m")));
      clock.advance(10);
      await keys.suspend("pair");
    },
    run: (keys) =>
      keys.verify("pair", text("m"), signature, {
        evidence: { kind: "assertion", time: new Date(NOW + 5) },
        acceptSuspended: true,
      }),
    done: async (keys) => (await auditOperations(keys)).includes("verify"),
  },
  agree: {
    prepare: (keys) => keys.create({ name: "pair", algorithm: "X25519", under: "kek" }),
    run: (keys) => keys.agree("pair", new Uint8Array(32).fill(9), { name: "agreed", algorithm: AEAD }),
    done: async (keys) => (await keys.get("agreed")) !== null,
  },
  rotate: {
    run: (keys) => keys.rotate("kek"),
    done: async (keys) => (await versionsOf(keys, "kek")).length === 2,
  },
  rewrap: {
    prepare: (keys) => keys.rotate("kek"),
    run: (keys) => keys.rewrap("kek", { job: JOB }),
    // A second one finds nothing left to do.
    done: async (keys) => (await keys.rewrap("kek")).rewrapped === 0,
  },
  "destroy of a wrapping key": {
    prepare: async (keys) => {
      await keys.rotate("kek");
      await keys.rewrap("kek");
      await keys.deactivate("kek", { version: 1 });
    },
    run: (keys) => keys.destroy("kek", { version: 1 }),
    done: async (keys) => (await versionsOf(keys, "kek"))[0]?.state === "destroyed",
  },
  "deactivate of all versions": {
    prepare: (keys) => keys.rotate("a"),
    run: (keys) => keys.deactivate("a", { versions: "all", job: JOB }),
    done: async (keys) => (await versionsOf(keys, "a")).every(({ state }) => state === "deactivated"),
  },
  "destroy of all versions": {
    prepare: async (keys) => {
      await keys.rotate("kek");
      await keys.rotate("kek");
      await keys.rewrap("kek");
      await keys.deactivate("kek", { version: 1 });
      await keys.deactivate("kek", { version: 2 });
    },
    run: (keys) => keys.destroy("kek", { versions: "all", job: JOB }),
    done: async (keys) =>
      (await versionsOf(keys, "kek")).every(({ state }, i) => state === (i < 2 ? "destroyed" : "active")),
  },
};

interface World {
  keys: KeyManager;
  /** Another process, whose calls never fail. */
  witness: KeyManager;
  sealed: Uint8Array;
  strike: (fault: ((call: FaultyCall, nth: number) => Fault | null) | null) => void;
  release: () => Promise<unknown>;
}

async function world({ prepare }: Command): Promise<World> {
  const space = new MemorySpace();
  clock = virtualClock(NOW);
  let schedule: ((call: FaultyCall, nth: number) => Fault | null) | null = null;
  let calls = 0;
  const storage = faultyStorage(memoryStorage({ space }), (call) => schedule?.(call, calls++));
  const { keys } = await openMemory({ storage, clock, seed: 1, freshness: 0 });
  await keys.create({ name: "kek", ...KEK });
  await keys.create({ name: "a", algorithm: AEAD, under: "kek" });
  await keys.create({ name: "b", algorithm: AEAD, under: "kek" });
  const sealed = await keys.encrypt("b", text("before"));
  await prepare?.(keys);
  const witness = (await openMemory({ space, clock, seed: 2, freshness: 0 })).keys;
  return {
    keys,
    witness,
    sealed,
    strike(next) {
      schedule = next;
      calls = 0;
    },
    release: () => storage.release(),
  };
}

/** The calls that the command makes when nothing fails. */
async function callsOf(command: Command): Promise<string[]> {
  const { keys, strike, witness } = await world(command);
  const calls: string[] = [];
  strike(({ operation }) => (calls.push(operation), null));
  await command.run(keys);
  strike(null);
  expect(await command.done(witness)).toBe(true);
  return calls;
}

async function checkWhole({ keys, witness, sealed }: World): Promise<void> {
  for (const manager of [keys, witness]) {
    expect(await manager.decrypt(sealed)).toEqual(text("before"));
    await auditOperations(manager);
  }
  const { keys: all } = await witness.list();
  const items = all.flatMap(({ origin }) => (origin === undefined ? [] : [origin.item]));
  expect(new Set(items).size).toBe(items.length);
  for (const key of all) {
    if (!key.usages.includes("encrypt") || !key.versions.some(({ current }) => current)) continue;
    expect(await witness.decrypt(await keys.encrypt(key, text("x")))).toEqual(text("x"));
  }
}

describe.each(Object.entries(COMMANDS))("a %s that loses one call to the store", (_, command) => {
  it.each(ALL_FAULTS)("to %s takes effect once or not at all, and can be asked for again", async (fault) => {
    const calls = await callsOf(command);
    expect(calls.length).toBeGreaterThan(2);
    for (const [nth, planned] of calls.entries()) {
      // A read fails in one way only.
      if (planned !== "commit" && fault !== "fail-before") continue;
      const here = await world(command);
      const { keys, witness, strike, release } = here;
      let operation = "";
      strike((call, index) => {
        if (index !== nth) return null;
        ({ operation } = call);
        return fault;
      });
      const code = await codeOf(command.run(keys));
      strike(null);
      const where = `call ${nth} (${operation})`;
      const { code: expected } = FAULTS[fault];
      if (operation === "commit") {
        // An unknown outcome is found out; only what says that nothing was written may come through.
        const definite = expected === "STORAGE_FULL";
        expect(code, where).toBe(definite ? expected : "no error");
      } else {
        expect(code, where).toBe(expected === "STORAGE_OUTCOME_UNKNOWN" ? "STORAGE_IO" : expected);
      }
      if (code === "no error") expect(await command.done(witness), where).toBe(true);
      const landed = await command.done(witness);
      await checkWhole(here);
      // What was held back arrives at last: too late to change anything.
      const events = await auditOperations(witness);
      for (const outcome of (await release()) as { committed: boolean }[]) {
        expect(outcome.committed, where).toBe(false);
      }
      expect(await auditOperations(witness)).toEqual(events);
      if (!landed) {
        expect(await codeOf(command.run(keys)), where).toBe("no error");
        expect(await command.done(witness), where).toBe(true);
      }
      await checkWhole(here);
      await keys.close();
      await witness.close();
    }
  });
});
