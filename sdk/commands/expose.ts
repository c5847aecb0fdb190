/**
 * Marking what somebody else may have: every version that was ever wrapped under a compromised wrapping-key version is
 * `exposed`, wherever a re-wrap has moved it since, and so is what lies under a wrapping key that is exposed itself.
 *
 * The commit that brings it about leaves an entry `exposing/<kek>/<version>`, and the entry goes when all are marked. So
 * an interrupted marking is finished by the next one, and `sweep` looks for one too.
 */
import { toHex } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import { gateRecord, readGate, readTrail } from "../keys/store-records.js";
import { encodeKeyRecord, type KeyRecord } from "../keys/record.js";
import { readKey, readKeys, type StoredKey } from "../keys/reads.js";
import { indexMutations } from "../keys/indexes.js";
import type { Mutation } from "../storage/adapter.js";
import { idOfKey, keyspace, parseMaterialKey, ranges, versionOfKey } from "../storage/keyspace.js";
import { noChange, planOf, type Change } from "./change.js";
import { itemsPerCommit, type Plan } from "./committer.js";
import { commandTime, execute, type StoreContext } from "./execute.js";
import type { UpkeepOperation } from "./upkeep.js";
import { wrapsKeys } from "./wrapping.js";

const EMPTY = new Uint8Array(0);
/** A version adds at most its index entry and, where it wraps others, an entry of its own; a key its record. */
const ROW_COST = { checks: 1, mutations: 3 };
const MAX_ROWS = 256;

/** The entry that a commit leaves which exposes what lies under a wrapping-key version. */
export function exposing(kek: Id, kekVersion: number): Mutation {
  return { kind: "put", key: keyspace.indexExposing(kek, kekVersion), value: EMPTY };
}

/** Adds to the change that makes a wrapping-key version compromised: nothing can be put under it from here on. */
export async function closeForCompromise(
  context: StoreContext,
  change: Change,
  record: KeyRecord,
  version: number,
): Promise<void> {
  if (!wrapsKeys(record)) return;
  change.mutations.push(exposing(record.id, version));
  const gate = await readGate(context.storage, context.records, record.id, version);
  if (gate === null) throw new KeyloomError("STORE_DAMAGED", { message: "a gate is missing" });
  change.checks.push({ key: keyspace.gate(record.id, version), version: gate.storageVersion });
  if (gate.open) change.records.push(gateRecord(record.id, version, false, gate.revision + 1));
}

/** Marks everything that waits for it. @returns how many versions were marked */
export async function markExposed(context: StoreContext): Promise<number> {
  let marked = 0;
  for (;;) {
    let pending: Uint8Array | null = null;
    for await (const { key } of context.storage.list(ranges.exposing(), { limit: 1, keysOnly: true }))
      pending = key.slice();
    if (pending === null) break;
    marked += await markUnder(context, idOfKey(pending), versionOfKey(pending));
  }
  if (marked > 0) context.ring.invalidate();
  return marked;
}

interface Row {
  key: Id;
  version: number;
}

async function markUnder(context: StoreContext, kek: Id, kekVersion: number): Promise<number> {
  let marked = 0;
  if (await isExposing(context, kek, kekVersion)) {
    const most = itemsPerCommit(context.storage, ROW_COST, MAX_ROWS);
    let batch: Row[] = [];
    for await (const row of everUnder(context, kek, kekVersion)) {
      batch.push(row);
      if (batch.length < most) continue;
      marked += await markRows(context, batch);
      batch = [];
    }
    marked += await markRows(context, batch);
  }
  await execute(context, async () => ({
    result: undefined,
    plan: planToMark(context, {
      ...noChange(),
      mutations: [{ kind: "delete", key: keyspace.indexExposing(kek, kekVersion) }],
      subjects: [{ key: kek, version: kekVersion }],
    }),
  }));
  return marked;
}

/** The entry is an index entry and carries no authority: the wrapping key's record does. */
async function isExposing(context: StoreContext, kek: Id, kekVersion: number): Promise<boolean> {
  const stored = await readKey(context.storage, context.records, kek);
  const row = stored?.record.versions.find(({ version }) => version === kekVersion);
  return row !== undefined && (row.exposed || row.dates.compromise !== undefined);
}

/** What lies under a wrapping-key version, then what a re-wrap has moved away from it. */
async function* everUnder(context: StoreContext, kek: Id, kekVersion: number): AsyncGenerator<Row> {
  const { storage, records } = context;
  for await (const { key } of storage.list(ranges.materialUnder(kek, kekVersion), { keysOnly: true })) {
    const { key: id, version } = parseMaterialKey(key);
    yield { key: id, version };
  }
  for await (const entry of storage.list(ranges.trail(kek, kekVersion))) {
    yield* readTrail(records.open([entry])[0]!.body);
  }
}

/** Marks the rows that are not marked yet. */
async function markRows(context: StoreContext, rows: readonly Row[]): Promise<number> {
  if (rows.length === 0) return 0;
  const byKey = new Map<string, { id: Id; versions: Set<number> }>();
  for (const { key, version } of rows) {
    const text = toHex(key);
    const known = byKey.get(text) ?? { id: key, versions: new Set() };
    known.versions.add(version);
    byKey.set(text, known);
  }
  const wanted = [...byKey.values()];
  const { result } = await execute(context, async () => {
    const ids = wanted.map(({ id }) => id);
    const stored = await readKeys(context.storage, context.records, ids);
    const change = noChange();
    for (const [i, { versions }] of wanted.entries()) {
      const before = stored[i]!;
      // A key that has no record is the store's own MAC key.
      if (before !== null) markKey(change, before, versions);
    }
    return { result: change.subjects.length, plan: planToMark(context, change) };
  });
  return result;
}

function markKey(change: Change, before: StoredKey, versions: ReadonlySet<number>): void {
  const fresh = before.record.versions.filter((row) => versions.has(row.version) && !row.exposed);
  if (fresh.length === 0) return;
  const record = withExposed(before.record, (row) => fresh.includes(row));
  change.checks.push({ key: keyspace.key(record.id), version: before.storageVersion });
  change.records.push({
    storageKey: keyspace.key(record.id),
    revision: before.revision + 1,
    body: encodeKeyRecord(record),
  });
  change.mutations.push(...indexMutations(before.record, record));
  for (const { version } of fresh) {
    change.subjects.push({ key: record.id, version });
    if (wrapsKeys(record)) change.mutations.push(exposing(record.id, version));
  }
}

export function withExposed(
  record: KeyRecord,
  which: (row: KeyRecord["versions"][number]) => boolean,
): KeyRecord {
  return {
    ...record,
    versions: record.versions.map((row) => (which(row) ? { ...row, exposed: true } : row)),
  };
}

function planToMark(context: StoreContext, change: Change): Plan {
  const decision = context.authority.consequence();
  const operation = "expose" satisfies UpkeepOperation;
  return planOf(context, "revoke", decision, change, commandTime(context), { operation });
}
