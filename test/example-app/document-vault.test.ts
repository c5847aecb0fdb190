/**
 * How an application tests itself with `keyloom/testing`: two of its servers on one store, beside a model of what it promises,
 * on a clock that the test turns and a store that loses answers. Each planted mistake is found.
 */
import fc from "fast-check";
import { rawKey, type KeyManager } from "keyloom";
import { memoryStorage, MemorySpace } from "keyloom/storage/memory";
import {
  faultyStorage,
  ModelKey,
  modelMayProcess,
  openWith,
  seededRandom,
  virtualClock,
  type VirtualClock,
} from "keyloom/testing";
import { expect, it } from "vitest";
import { DocumentVault, MISTAKES, Refused, type Documents, type Mistake } from "./document-vault.js";

const SECRET = new Uint8Array(32).fill(1);
const TENANTS = ["acme", "umbra"];
const TITLES = ["plan"];

/** What the vault promises, told with the reference model of a key. */
interface Tenant {
  key: ModelKey;
  quota: number;
  /** How many documents each version has protected. */
  used: number[];
  documents: Map<string, { text: string; version: number; storedAt: number }>;
}

interface Model {
  tenants: Map<string, Tenant>;
}

interface Real {
  servers: DocumentVault[];
  keys: KeyManager;
  clock: VirtualClock;
  /** The first commit of what it runs arrives, and then nothing is to be heard from the store for a while. */
  losingAnswers: <T>(run: () => Promise<T>) => Promise<T>;
}

type Command = fc.AsyncCommand<Model, Real>;

/** What a server answers: a text, "done", or "refused". */
async function answer(run: Promise<string | void>): Promise<string> {
  try {
    return (await run) ?? "done";
  } catch (error) {
    if (error instanceof Refused) return "refused";
    throw error;
  }
}

/** A command told by what it asks a server, and what the model answers. */
function command(
  text: string,
  ask: (real: Real) => Promise<string | void>,
  expected: (model: Model, now: number) => string,
): Command {
  return {
    check: () => true,
    async run(model, real) {
      const now = real.clock.now();
      expect(await answer(ask(real))).toBe(expected(model, now));
      // A tenant has one key, whatever happened when it was made.
      for (const tenant of model.tenants.keys())
        expect((await real.keys.list({ tag: tenant })).keys).toHaveLength(1);
    },
    toString: () => text,
  };
}

const done = (allowed: boolean | undefined): string => (allowed === true ? "done" : "refused");

function join(server: number, tenant: string, quota: number, lossy: boolean): Command {
  return command(
    `join ${tenant} by ${server}${lossy ? ", answers lost" : ""}`,
    ({ servers, losingAnswers }) => {
      const run = (): Promise<void> => servers[server]!.join(tenant, quota);
      return lossy ? losingAnswers(run) : run();
    },
    ({ tenants }, now) => {
      if (tenants.has(tenant)) return "refused";
      const key = new ModelKey();
      key.add({ state: "pre-active", initial: now, activation: now }, now);
      tenants.set(tenant, { key, quota, used: [0], documents: new Map() });
      return "done";
    },
  );
}

function put(server: number, tenant: string, title: string, text: string): Command {
  return command(
    `put ${tenant}/${title} by ${server}`,
    ({ servers }) => servers[server]!.put(tenant, title, text),
    ({ tenants }, now) => {
      const of = tenants.get(tenant);
      const version = of?.key.current(now) ?? -1;
      if (of === undefined || version < 0 || of.used[version] === of.quota) return "refused";
      of.used[version]!++;
      of.documents.set(title, { text, version, storedAt: now });
      return "done";
    },
  );
}

function read(how: "get" | "inspect", server: number, tenant: string, title: string): Command {
  return command(
    `${how} ${tenant}/${title} by ${server}`,
    ({ servers }) => servers[server]![how](tenant, title),
    ({ tenants }, now) => {
      const of = tenants.get(tenant);
      const document = of?.documents.get(title);
      if (of === undefined || document === undefined || of.key.archived !== undefined) return "refused";
      const evidence = how === "inspect" ? document.storedAt : undefined;
      const may = modelMayProcess(of.key.versions[document.version]!, now, { evidence });
      return may ? document.text : "refused";
    },
  );
}

function change(what: "renew" | "hold" | "release" | "leave", server: number, tenant: string): Command {
  return command(
    `${what} ${tenant} by ${server}`,
    ({ servers }) => servers[server]![what](tenant),
    ({ tenants }, now) => {
      const of = tenants.get(tenant);
      switch (what) {
        case "renew": {
          const allowed = of?.key.rotate(now, 0);
          if (allowed === true) of!.used.push(0);
          return done(allowed);
        }
        case "leave":
          if (of?.key.archive(true, now) !== true) return "refused";
          of.key.applyAll("revoke", now);
          return "done";
        default:
          return done(of?.key.applyAll(what === "hold" ? "suspend" : "resume", now));
      }
    },
  );
}

function wait(ms: number): Command {
  return {
    check: () => true,
    run: async (_, { clock }) => clock.advance(ms),
    toString: () => `wait ${ms}`,
  };
}

const server = fc.constantFrom(0, 1);
const tenant = fc.constantFrom(...TENANTS);
const title = fc.constantFrom(...TITLES);
const commands = fc.commands(
  [
    fc.tuple(server, tenant, fc.integer({ min: 1, max: 5 }), fc.boolean()).map((args) => join(...args)),
    fc.tuple(server, tenant, title, fc.string({ maxLength: 8 })).map((args) => put(...args)),
    fc.tuple(server, tenant, title).map((args) => read("get", ...args)),
    fc.tuple(server, tenant, title).map((args) => read("get", ...args)),
    fc.tuple(server, tenant, title).map((args) => read("inspect", ...args)),
    fc
      .tuple(
        fc.constantFrom("renew" as const, "hold" as const, "release" as const, "leave" as const),
        server,
        tenant,
      )
      .map((args) => change(...args)),
    fc.integer({ min: 1, max: 100 }).map(wait),
  ],
  { maxCommands: 30, size: "+1" },
);

async function run(steps: Iterable<Command>, mistake: Mistake | null): Promise<void> {
  const space = new MemorySpace();
  const clock = virtualClock();
  const documents: Documents = new Map();
  let losing = 0;
  const managers: KeyManager[] = [];
  for (const seed of [1, 2]) {
    const storage = faultyStorage(memoryStorage({ space }), ({ operation }) => {
      if (operation !== "commit" || losing === 0) return null;
      return losing-- === OUTAGE ? "lost-reply" : "lost-request";
    });
    const options = { storage, unlock: rawKey(() => SECRET.slice()), freshness: 0 };
    managers.push(await openWith(options, { clock, random: seededRandom(seed) }));
  }
  const servers = managers.map((keys) => new DocumentVault(keys, documents, () => clock.now(), mistake));
  const losingAnswers: Real["losingAnswers"] = async (doing) => {
    losing = OUTAGE;
    return doing().finally(() => (losing = 0));
  };
  const real: Real = { servers, keys: managers[0]!, clock, losingAnswers };
  await fc.asyncModelRun(() => ({ model: { tenants: new Map() }, real }), steps);
  for (const keys of managers) await keys.close();
}

/** As many calls as a manager makes before it says that it does not know. */
const OUTAGE = 6;

const property = (mistake: Mistake | null): fc.IAsyncProperty<unknown[]> =>
  fc.asyncProperty(commands, (steps) => run(steps, mistake));

it("the vault keeps its promises", { timeout: 300_000 }, async () => {
  await fc.assert(property(null), { numRuns: 60 });
});

it.each(Object.keys(MISTAKES) as Mistake[])(
  "a vault that %s is found out",
  { timeout: 300_000 },
  async (mistake) => {
    const found = await fc.check(property(mistake), { numRuns: 1000, endOnFailure: true });
    expect(found.failed).toBe(true);
    // By an answer that is not the model's, or a second key; not by an error that nobody expected.
    expect((found.errorInstance as Error).name).toBe("AssertionError");
  },
);
