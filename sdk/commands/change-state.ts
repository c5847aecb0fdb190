/** Moving one version of a key to another state: activate, deactivate, revoke. Destroying is more: `destroy.ts`. */
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import { revocationEvent, type LifecycleEvent } from "../lifecycle/states.js";
import { effectiveState } from "../lifecycle/transition.js";
import type { Operation } from "../policy/model.js";
import type { KeyRecord, KeyVersion } from "../keys/record.js";
import { keyNotFound, readKey, type StoredKey } from "../keys/reads.js";
import { requireVersion } from "../keys/use.js";
import { advance, withRow, type Revocation } from "../keys/versions.js";
import { announce, changed, changeOf, planOf } from "./change.js";
import { believeClock } from "./clock.js";
import type { Plan } from "./committer.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";
import { requireStrong } from "./strength.js";
import { closeForCompromise, markExposed } from "./expose.js";

/** What is to happen to a version. A revocation's event follows from its reason. */
export type StateChange =
  { operation: "activate" | "deactivate" } | { operation: "revoke"; revocation: Revocation };

export function eventOf(change: StateChange): LifecycleEvent {
  return change.operation === "revoke" ? revocationEvent(change.revocation.reason) : change.operation;
}

/** Reads a key anew, past the cache: what a change is built on. @throws {KeyloomError} `KEY_NOT_FOUND` */
export async function readForChange(context: StoreContext, reference: string): Promise<StoredKey> {
  const { record } = await context.ring.require(reference);
  const stored = await readKey(context.storage, context.records, record.id);
  if (stored === null) throw keyNotFound(reference);
  return stored;
}

/**
 * The version a command is about: the one named, or the only one there is.
 *
 * @throws {KeyloomError} `KEY_INVALID_OPTION` where the key has several versions and none is named
 */
export function chooseVersion(record: KeyRecord, version: number | undefined): KeyVersion {
  if (version !== undefined) return requireVersion(record, version);
  if (record.versions.length === 1) return record.versions[0]!;
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: `key ${record.name ?? idToString(record.id)} has ${record.versions.length} versions: name one`,
    keyId: idToString(record.id),
  });
}

/** The newest version that waits for its activation, else the newest one (whose refusal then says why). */
function newestPreActive(record: KeyRecord, time: number): KeyVersion {
  const waiting = record.versions.findLast(
    (row) => effectiveState(row.state, row.dates, time) === "pre-active",
  );
  return waiting ?? record.versions.at(-1)!;
}

/** @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_VERSION_NOT_FOUND`, `KEY_TRANSITION_NOT_ALLOWED` */
export async function changeState(
  context: StoreContext,
  reference: string,
  change: StateChange,
  version?: number,
): Promise<StoredKey> {
  const followClock = await believeClock(context);
  const { result } = await execute(context, async () => {
    const before = await readForChange(context, reference);
    const time = commandTime(context, before.record.time);
    const row =
      change.operation === "activate" && version === undefined
        ? newestPreActive(before.record, time)
        : chooseVersion(before.record, version);
    return planChange(context, before, row, change, time);
  });
  context.ring.invalidate();
  await followClock();
  if (eventOf(change) === "revoke-compromised") await markExposed(context);
  return result;
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for an occurrence in the future */
function requirePast({ occurrence }: Revocation, time: number): void {
  if (occurrence === undefined || occurrence <= time) return;
  throw new KeyloomError("KEY_INVALID_OPTION", { message: "the compromise's occurrence lies in the future" });
}

/** What moving a version changes. @returns beside it the key as it will be stored */
export async function planChange(
  context: StoreContext,
  before: StoredKey,
  row: KeyVersion,
  change: StateChange,
  time: number,
): Promise<{ plan: Plan; result: StoredKey }> {
  const operation: Operation = change.operation;
  const decision = authorize(context, operation, before.record, row.version);
  const revocation = change.operation === "revoke" ? change.revocation : undefined;
  if (revocation !== undefined) requirePast(revocation, time);
  const { transitions, principal } = context;
  const event = eventOf(change);
  const moved = advance(row, event, time, principal.entity, transitions, revocation);
  if (operation === "activate") requireStrong(context, before.record.algorithm, moved.row.dates);
  const record = withRow(before.record, moved.row, time);
  const own = changeOf(before, record, [moved]);
  if (event === "revoke-compromised") await closeForCompromise(context, own, record, row.version);
  // Activating restricts nobody, but it can change which version is current.
  await announce(context, own);
  const more = revocation === undefined ? {} : { revocation: revocation.reason };
  return {
    result: changed(before, record),
    plan: planOf(context, operation, decision, own, time, more),
  };
}
