/** Making index entries agree with their records again: a record has the authority, and what is derived from it follows. */
import { equalBytes, toHex } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { indexKeys } from "../keys/indexes.js";
import { readKey, readKeys, type StoredKey } from "../keys/reads.js";
import type { Entry } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import { noChange, planOf, type Change } from "./change.js";
import { itemsPerCommit, type Plan } from "./committer.js";
import { authorize, commandTime, commitPlan, execute, type StoreContext } from "./execute.js";
import { exposing, markExposed } from "./expose.js";
import type { UpkeepOperation } from "./upkeep.js";

/** An index entry that may be missing, wrong or too much, and the key that it speaks of. */
export interface DoubtfulEntry {
  key: Id;
  entry: Uint8Array;
}

const ROW_COST = { checks: 2, mutations: 1 };
const MAX_ROWS = 128;
const RETRIES = 16;
const EMPTY = new Uint8Array(0);

/**
 * Puts what a record says must be there, and deletes what it does not confirm. All is read anew: what another process has
 * put in order meanwhile stays.
 *
 * @returns the entries that agree now, as hexadecimal storage keys
 */
export async function repairIndexes(
  context: StoreContext,
  doubtful: readonly DoubtfulEntry[],
): Promise<Set<string>> {
  const size = itemsPerCommit(context.storage, ROW_COST, MAX_ROWS);
  const repaired = new Set<string>();
  for (let at = 0; at < doubtful.length; at += size) {
    for (const entry of await repairBatch(context, doubtful.slice(at, at + size))) repaired.add(entry);
  }
  return repaired;
}

async function repairBatch(context: StoreContext, batch: readonly DoubtfulEntry[]): Promise<string[]> {
  // An entry is repaired once, whoever has doubts about it.
  const wanted = [...new Map(batch.map((item) => [toHex(item.entry), item])).values()];
  for (let attempt = 0; attempt < RETRIES; attempt++) {
    const stored = await readKeys(
      context.storage,
      context.records,
      wanted.map(({ key }) => key),
    );
    const entries = await context.storage.getMany(wanted.map(({ entry }) => entry));
    const change = noChange();
    const repaired: string[] = [];
    for (const [i, item] of wanted.entries()) {
      if (await repairEntry(context, change, item, stored[i]!, entries[i]!)) repaired.push(toHex(item.entry));
    }
    if (change.mutations.length === 0) return repaired;
    const commit = await commitPlan(context, planToRepair(context, change));
    if (commit.committed) return repaired;
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same keys; try again" });
}

/** @returns whether the entry agrees with the record once the change is committed */
async function repairEntry(
  context: StoreContext,
  change: Change,
  { key, entry }: DoubtfulEntry,
  stored: StoredKey | null,
  found: Entry | null,
): Promise<boolean> {
  const expected = stored !== null && indexKeys(stored.record).some((own) => equalBytes(own, entry));
  const isName =
    stored?.record.name !== undefined && equalBytes(keyspace.indexName(stored.record.name), entry);
  const value = isName ? key : EMPTY;
  if (expected ? found !== null && equalBytes(found.value, value) : found === null) return true;
  // A name that leads to another key, which has it: two records with one name are for somebody to decide between.
  if (found !== null && !equalBytes(found.value, key) && (await isConfirmed(context, found)))
    return !expected;
  change.checks.push({ key: keyspace.key(key), version: stored?.storageVersion ?? null });
  change.checks.push({ key: entry, version: found?.version ?? null });
  change.mutations.push(expected ? { kind: "put", key: entry, value } : { kind: "delete", key: entry });
  if (!change.subjects.some((subject) => equalBytes(subject.key, key))) {
    change.subjects.push({ key, version: 0 });
  }
  return true;
}

/** Does the key that a name leads to have the name? */
async function isConfirmed({ storage, records }: StoreContext, { key, value }: Entry): Promise<boolean> {
  if (value.length !== ID_LENGTH) return false;
  const stored = await readKey(storage, records, value);
  return stored !== null && indexKeys(stored.record).some((own) => equalBytes(own, key));
}

/** Marks anew what was ever wrapped under an exposed wrapping-key version. */
export async function repairExposure(context: StoreContext, kek: Id, kekVersion: number): Promise<void> {
  await execute(context, async () => ({
    result: undefined,
    plan: planToRepair(context, {
      ...noChange(),
      mutations: [exposing(kek, kekVersion)],
      subjects: [{ key: kek, version: kekVersion }],
    }),
  }));
  await markExposed(context);
}

function planToRepair(context: StoreContext, change: Change): Plan {
  const decision = authorize(context, "repair", null);
  const operation = "repair" satisfies UpkeepOperation;
  return planOf(context, "repair", decision, change, commandTime(context), { operation });
}
