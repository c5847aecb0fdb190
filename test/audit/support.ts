/** A store below the manager: writers that commit bare events, and what the log's code is handed. */
import { openStore } from "../../sdk/unlock/open-store.js";
import { loadCoreWith } from "../../sdk/crypto/core.js";
import { idGenerator, type Id } from "../../sdk/foundation/ids.js";
import { Committer } from "../../sdk/commands/committer.js";
import type { SequencerContext } from "../../sdk/commands/sequence.js";
import { rawKey, type StorageAdapter } from "../../sdk/index.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { ranges } from "../../sdk/storage/keyspace.js";
import { AuditWalk, type AuditLink } from "../../sdk/audit/walk.js";
import type { LogReads } from "../../sdk/audit/log.js";
import { seededRandom, virtualClock, type VirtualClock } from "../../sdk/testing/index.js";
import { SECRET } from "../flows/support.js";

export const CONTROL = { pause: () => Promise.resolve(), report: () => undefined };

export interface Bare {
  space: MemorySpace;
  clock: VirtualClock;
  owner: Id;
  context: SequencerContext;
  /** Commits so many events, one by one. */
  write(count: number, committer?: Committer): Promise<void>;
  /** Another process: its own writer and its own sequencer, perhaps over another adapter. */
  other(storage?: StorageAdapter): SequencerContext;
}

export async function openBare(
  options: { space?: MemorySpace; clock?: VirtualClock; maxMutations?: number; seed?: number } = {},
): Promise<Bare> {
  const { space = new MemorySpace(), clock = virtualClock(), maxMutations = 4096 } = options;
  const random = seededRandom(options.seed ?? 1);
  const core = await loadCoreWith({ random });
  const storage = memoryStorage({ space, limits: { maxMutations } });
  const newId = idGenerator(random, () => clock.now());
  const opened = await openStore({
    storage,
    core,
    clock,
    random,
    newId,
    unlock: rawKey(SECRET.slice()),
    create: true,
  });
  const { records, committer, owner } = opened;
  const context = { storage, records, tree: core, clock, newId, committer };
  return {
    space,
    clock,
    owner,
    context,
    async write(count, by = committer) {
      for (let i = 0; i < count; i++) await by.commit(eventPlan(owner, clock.now()));
    },
    other(over = storage) {
      const parts = { storage: over, records, sha256: core.sha256, clock, newId };
      return { ...context, storage: over, committer: new Committer(parts) };
    },
  };
}

export function eventPlan(owner: Id, time: number): Parameters<Committer["commit"]>[0] {
  return {
    checks: [],
    records: [],
    mutations: [],
    time,
    event: {
      operation: "read",
      entity: owner,
      authenticated: "unlock",
      policy: "owner",
      policyVersion: 1,
      decision: "allow",
      reasons: [],
      subjects: [],
    },
  };
}

export async function walkAll(reads: LogReads): Promise<AuditLink[]> {
  const links: AuditLink[] = [];
  for await (const link of new AuditWalk(reads).entries()) links.push(link);
  return links;
}

/** The same store with another way to commit. */
export function withCommit(storage: StorageAdapter, commit: StorageAdapter["commit"]): StorageAdapter {
  return {
    capabilities: storage.capabilities,
    get: (key) => storage.get(key),
    getMany: (keys) => storage.getMany(keys),
    list: (range, options) => storage.list(range, options),
    count: (range) => storage.count(range),
    close: () => storage.close(),
    commit,
  };
}

/** Names of entries: writer and sequence. */
export const namesOf = (links: readonly AuditLink[]): string[] =>
  links.map(({ writer, sequence }) => `${String(writer)}/${sequence}`);

export async function waiting({ storage }: Pick<LogReads, "storage">): Promise<number> {
  return storage.count(ranges.auditIntake());
}
