/**
 * A commit on PostgreSQL: every key of its checks and mutations is locked, then all are written.
 *
 * Strict two-phase locking over rows, at READ COMMITTED, so that a lock that was waited for shows what the one
 * before has left:
 *
 * 1. Keys that should be there (a version is checked) or may be (nothing is) are locked in the order of the
 *    keys: FOR UPDATE where they are written, FOR SHARE where they are only checked.
 * 2. Keys that should be absent, and those not found in 1, are inserted in the order of the keys, ON CONFLICT DO
 *    NOTHING: puts as what they are, the others as guards, which are deleted again before the end. An index entry
 *    of a transaction under way makes every other insert of its key wait: that is the lock on an absent key.
 * 3. Updates and deletes, which wait for nothing.
 *
 * Commits wait for each other in one order, and none waits in 1 for what another did in 2, so there is no
 * deadlock among them. A guard does what an advisory lock would, but only those who meet at its key pay, no table
 * of locks overflows in a bulk commit, and servers that only speak PostgreSQL's protocol have it too.
 */
import type { PoolClient } from "pg";

import type { Check, Commit, Committed, Conflict, Found, Mutation } from "./adapter.js";
import { byteaArray, nameOf } from "./postgres-wire.js";

/** Anything that runs a query: a client, or a pool. */
export type Queryable = Pick<PoolClient, "query">;

interface Planned {
  readonly key: Uint8Array;
  /** A version, `null` for absent; `undefined`: not checked. */
  expected: string | null | undefined;
  mutation: Mutation | undefined;
}

/** In the order of the keys; `contradictory` where two checks of one key can't both hold. */
export interface Plan {
  readonly keys: readonly Planned[];
  readonly contradictory: boolean;
}

export function planOf({ checks, mutations }: Commit): Plan {
  const byName = new Map<string, Planned>();
  let contradictory = false;
  for (const { key, version } of checks) {
    const name = nameOf(key);
    const planned = byName.get(name);
    if (planned === undefined) byName.set(name, { key, expected: version, mutation: undefined });
    else if (planned.expected !== version) contradictory = true;
  }
  for (const mutation of mutations) {
    const { key } = mutation;
    const name = nameOf(key);
    const planned = byName.get(name);
    if (planned === undefined) byName.set(name, { key, expected: undefined, mutation });
    else planned.mutation = mutation;
  }
  const sorted = [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
  return { keys: sorted.map(([, planned]) => planned), contradictory };
}

/**
 * Locks and writes, inside a transaction.
 *
 * @returns whether it may be committed; `false`: some check failed, or a key appeared in between. Nothing may be
 *   committed then.
 */
export async function applyPlan(
  client: Queryable,
  table: string,
  { keys }: Plan,
  version: string,
): Promise<boolean> {
  const present = await lockPresent(client, table, keys);
  if (present === null) return false;
  const absent = keys.filter(({ key }) => !present.has(nameOf(key)));
  const { rowCount } = await insert(client, table, absent, version);
  if (rowCount !== absent.length) return false;

  const updates: Planned[] = [];
  const deletes: Planned[] = [];
  for (const planned of keys) {
    const isThere = present.has(nameOf(planned.key));
    const { mutation } = planned;
    if (mutation?.kind === "put" && isThere) updates.push(planned);
    if (mutation?.kind === "delete" || (mutation === undefined && !isThere)) deletes.push(planned);
  }
  if (updates.length > 0) {
    await client.query(
      `UPDATE ${table} AS t SET version = $1, value = s.value
         FROM unnest($2::bytea[], $3::bytea[]) AS s(key, value) WHERE t.key = s.key`,
      [version, keysOf(updates), valuesOf(updates)],
    );
  }
  if (deletes.length > 0) {
    await client.query(`DELETE FROM ${table} WHERE key = ANY($1::bytea[])`, [keysOf(deletes)]);
  }
  return true;
}

/** Statements a commit may take for its row locks; with more, all rows are locked as if they were written. */
const LOCK_STATEMENTS = 8;

/** @returns the names of the keys that are there, now locked; null where a checked version isn't. */
async function lockPresent(
  client: Queryable,
  table: string,
  keys: readonly Planned[],
): Promise<Set<string> | null> {
  const wanted = keys.filter(({ expected }) => expected !== null);
  const runs = runsOf(wanted);
  const present = new Set<string>();
  for (const { mode, run } of runs.length > LOCK_STATEMENTS ? [{ mode: "UPDATE", run: wanted }] : runs) {
    const { rows } = await client.query<[Buffer, string]>({
      text: `SELECT key, version FROM ${table} WHERE key = ANY($1::bytea[]) ORDER BY key FOR ${mode}`,
      values: [keysOf(run)],
      rowMode: "array",
    });
    const versions = new Map(rows.map(([key, version]) => [nameOf(key), version]));
    for (const { key, expected } of run) {
      const found = versions.get(nameOf(key));
      if (expected !== undefined && found !== expected) return null;
    }
    for (const name of versions.keys()) present.add(name);
  }
  return present;
}

/** Neighbours in the order of the keys that want the same kind of lock. */
function runsOf(keys: readonly Planned[]): { mode: string; run: Planned[] }[] {
  const runs: { mode: string; run: Planned[] }[] = [];
  for (const planned of keys) {
    const mode = planned.mutation === undefined ? "SHARE" : "UPDATE";
    const last = runs.at(-1);
    if (last?.mode === mode) last.run.push(planned);
    else runs.push({ mode, run: [planned] });
  }
  return runs;
}

async function insert(
  client: Queryable,
  table: string,
  absent: readonly Planned[],
  version: string,
): Promise<{ rowCount: number | null }> {
  if (absent.length === 0) return { rowCount: 0 };
  return client.query(
    `INSERT INTO ${table} (key, version, value)
       SELECT s.key, $1::uuid, s.value FROM unnest($2::bytea[], $3::bytea[]) AS s(key, value) ORDER BY s.key
       ON CONFLICT (key) DO NOTHING`,
    [version, keysOf(absent), valuesOf(absent)],
  );
}

/** Compares checks at one instant: that of one statement. */
export async function failedChecks(
  client: Queryable,
  table: string,
  checks: readonly Check[],
): Promise<Found[]> {
  if (checks.length === 0) return [];
  const { rows } = await client.query<[Buffer, string]>({
    text: `SELECT key, version FROM ${table} WHERE key = ANY($1::bytea[])`,
    values: [keysOf(checks)],
    rowMode: "array",
  });
  const versions = new Map(rows.map(([key, version]) => [nameOf(key), version]));
  const conflicts: Found[] = [];
  for (const { key, version } of checks) {
    const found = versions.get(nameOf(key)) ?? null;
    if (found !== version) conflicts.push({ key: new Uint8Array(key), found, expected: version });
  }
  return conflicts;
}

export function committed({ mutations }: Commit, version: string): Committed {
  const puts = mutations.filter(({ kind }) => kind === "put");
  return { committed: true, versions: puts.map(() => version) };
}

export function conflict(conflicts: readonly Found[]): Conflict {
  return { committed: false, conflicts };
}

const NOTHING = new Uint8Array(0);

function keysOf(items: readonly { key: Uint8Array }[]): Buffer {
  return byteaArray(items.map(({ key }) => key));
}

function valuesOf(items: readonly Planned[]): Buffer {
  return byteaArray(items.map(({ mutation }) => (mutation?.kind === "put" ? mutation.value : NOTHING)));
}
