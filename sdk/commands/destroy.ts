/**
 * Destroying a version: its material and its cached handles go, its metadata stay for ever.
 *
 * A version that wraps other keys is destroyed in three steps, so that no key is lost to a race: close its gate
 * (nothing can be put under it any more), scan what still lies under it, destroy.
 */
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import type { KeyRecord, KeyVersion } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { requireVersion } from "../keys/use.js";
import { advance, withRow } from "../keys/versions.js";
import type { Check } from "../storage/adapter.js";
import type { ApprovalOption } from "./approve.js";
import { announce, changed, changeOf, planOf } from "./change.js";
import { chooseVersion, readForChange } from "./change-state.js";
import { believeClock } from "./clock.js";
import type { Plan } from "./committer.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";
import { setGate } from "./upkeep.js";
import { countUnder, wrapsKeys } from "./wrapping.js";

export interface DestroyOptions extends ApprovalOption {
  /** May be left out where the key has one version only. */
  version?: number | undefined;
  /** Destroy a wrapping-key version although keys still lie under it: all of them become unreadable. */
  cryptoShred?: boolean | undefined;
}

export interface DestroyResult {
  stored: StoredKey;
  version: number;
  /**
   * `deleted`: the wrapped material is gone from the store, but old pages, logs, replicas and backups may still
   * hold it. `cryptographic`: the version that wrapped it was destroyed before, so no copy opens any more.
   */
  erasure: "deleted" | "cryptographic";
  /** How many keys became unreadable with it (`cryptoShred`). */
  shredded: number;
}

function refuseDependents(record: KeyRecord, versions: readonly number[], dependents: number): KeyloomError {
  const which = `version${versions.length === 1 ? "" : "s"} ${versions.join(", ")}`;
  return new KeyloomError("KEY_HAS_DEPENDENTS", {
    message:
      `${dependents} keys are still wrapped under ${which} of ${record.name ?? idToString(record.id)}: ` +
      `rewrap them first, or ask for crypto-shredding`,
    keyId: idToString(record.id),
    ...(versions.length === 1 ? { version: versions[0] } : { versions }),
    dependents,
  });
}

/** @throws {KeyloomError} `KEY_HAS_DEPENDENTS` with the count of what lies under these versions together */
export async function requireNoDependents(
  context: StoreContext,
  record: KeyRecord,
  versions: readonly number[],
): Promise<void> {
  if (!wrapsKeys(record)) return;
  const dependents = await countUnder(context, record.id, versions);
  if (dependents > 0) throw refuseDependents(record, versions, dependents);
}

interface Cleared {
  /** How many keys lie under the version and will be shredded. */
  shredded: number;
  /** That the gate is still closed: another process that was refused may have opened it again. */
  gateCheck: Check | null;
}

/** Closes the gate of a version and makes sure that nothing lies under it, or is to be shredded. */
async function clearWrappingVersion(
  context: StoreContext,
  record: KeyRecord,
  { version }: KeyVersion,
  shred: boolean,
): Promise<Cleared> {
  if (!wrapsKeys(record)) return { shredded: 0, gateCheck: null };
  // A look before the gate is touched: a refusal should leave everything as it was.
  if (!shred) await requireNoDependents(context, record, [version]);
  const gateCheck = await setGate(context, record, version, false);
  const dependents = await countUnder(context, record.id, [version]);
  if (dependents > 0 && !shred) {
    await setGate(context, record, version, true);
    throw refuseDependents(record, [version], dependents);
  }
  return { shredded: dependents, gateCheck };
}

/**
 * @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED` (an active version can't be destroyed),
 * `KEY_HAS_DEPENDENTS` with their count
 */
export async function destroyVersion(
  context: StoreContext,
  reference: string,
  options: DestroyOptions,
): Promise<DestroyResult> {
  const followClock = await believeClock(context);
  const first = await readForChange(context, reference);
  const { version } = chooseVersion(first.record, options.version);
  const { result } = await execute(context, async () => {
    const before = await readForChange(context, reference);
    return planDestruction(context, before, requireVersion(before.record, version), options);
  });
  context.ring.invalidate();
  await followClock();
  return result;
}

/** What destroying a version changes. The gate of one that wraps others is closed on the way. */
export async function planDestruction(
  context: StoreContext,
  before: StoredKey,
  row: KeyVersion,
  { cryptoShred }: Pick<DestroyOptions, "cryptoShred">,
): Promise<{ plan: Plan; result: DestroyResult }> {
  const decision = authorize(context, "destroy", before.record, row.version);
  const time = commandTime(context, before.record.time);
  // Refused before any gate is closed.
  const moved = advance(row, "destroy", time, context.principal.entity, context.transitions);
  const record = withRow(before.record, moved.row, time);
  const cleared = await clearWrappingVersion(context, before.record, row, cryptoShred === true);
  const change = changeOf(before, record, [moved]);
  if (cleared.gateCheck !== null) change.checks.push(cleared.gateCheck);
  const material = await context.ring.findMaterial(before, row.version);
  if (material !== null) {
    change.checks.push({ key: material.entry.key, version: material.entry.version });
    change.mutations.push({ kind: "delete", key: material.entry.key });
  }
  await announce(context, change);
  return {
    result: {
      stored: changed(before, record),
      version: row.version,
      erasure: material === null ? "cryptographic" : "deleted",
      shredded: cleared.shredded,
    },
    plan: planOf(context, "destroy", decision, change, time),
  };
}
