/** Replacing a key by a new version (KMIP Re-key). The old version stays as it is. */
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import { effectiveState, type VersionDates } from "../lifecycle/transition.js";
import { announce, changed, changeOf, planOf } from "../commands/change.js";
import { readForChange } from "../commands/change-state.js";
import { believeClock } from "../commands/clock.js";
import { authorize, commandTime, execute, type StoreContext } from "../commands/execute.js";
import { requireStrong } from "../commands/strength.js";
import { openWrappingVersion, spendWrapping, wrapMaterial, wrapsKeys } from "../commands/wrapping.js";
import { MAX_VERSIONS, type KeyRecord, type KeyVersion } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { gateRecord } from "../keys/store-records.js";
import { newVersion, withRow } from "../keys/versions.js";

export interface RotateOptions {
  /** Milliseconds from now until the new version becomes active. 0 = at once. */
  offsetMs?: number | undefined;
}

/**
 * The dates of the successor (KMIP 2.1 Table 303): its activation is its initial date plus the offset, and the
 * other dates keep their distance from the activation.
 */
export function successorDates(old: VersionDates, now: number, offsetMs: number): VersionDates {
  const activation = now + offsetMs;
  const dates: VersionDates = { initial: now, activation };
  if (old.activation === undefined) return dates;
  const shift = activation - old.activation;
  for (const date of ["processStart", "protectStop", "deactivation"] as const) {
    const value = old[date];
    // What ends with the calendar has no end: formats hold no later time.
    if (value !== undefined) dates[date] = Math.min(value + shift, MAX_TIME);
  }
  return dates;
}

/** The dates that were planned: the time of a command that ended a version is none of its successor's business. */
function plannedDates({ dates, endedByCommand }: KeyVersion): VersionDates {
  return endedByCommand === true ? { ...dates, deactivation: undefined } : dates;
}

function requireRotatable(record: KeyRecord, time: number): KeyVersion {
  const refuse = (message: string, more: object = {}): KeyloomError =>
    new KeyloomError("KEY_TRANSITION_NOT_ALLOWED", {
      message: `can't rotate key ${record.name ?? idToString(record.id)}: ${message}`,
      keyId: idToString(record.id),
      event: "rotate",
      ...more,
    });
  const stateOf = (row: KeyVersion): string => effectiveState(row.state, row.dates, time);
  if (record.versions.some((row) => stateOf(row) === "pre-active")) {
    throw refuse("a version that is not yet active already waits", { state: "pre-active" });
  }
  if (record.archived !== undefined) throw refuse("it is archived", { archived: true });
  if (record.versions.length >= MAX_VERSIONS) {
    throw new KeyloomError("KEY_VERSIONS_EXHAUSTED", {
      message: `a key has at most ${MAX_VERSIONS} versions`,
      keyId: idToString(record.id),
    });
  }
  const newest = record.versions.at(-1)!;
  const state = stateOf(newest);
  if (state === "destroyed" || state === "destroyed-compromised") throw refuse("it is destroyed", { state });
  return newest;
}

/**
 * Adds a version with fresh material, wrapped under the current version of the wrapping key.
 *
 * @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED` while a pre-active successor waits or when the newest version
 * is destroyed; `KEY_VERSIONS_EXHAUSTED`
 */
export async function rotateKey(
  context: StoreContext,
  reference: string,
  options: RotateOptions = {},
): Promise<StoredKey> {
  const offsetMs = options.offsetMs ?? 0;
  if (!Number.isSafeInteger(offsetMs) || offsetMs < 0) {
    throw new KeyloomError("KEY_INVALID_OPTION", { message: "offsetMs must be a non-negative integer" });
  }
  const followClock = await believeClock(context);
  const { result } = await execute(context, async () => {
    const before = await readForChange(context, reference);
    const decision = authorize(context, "rotate", before.record);
    const time = commandTime(context, before.record.time);
    if (time + offsetMs > MAX_TIME) {
      throw new KeyloomError("KEY_INVALID_OPTION", { message: "offsetMs leads beyond the year 9999" });
    }
    const old = requireRotatable(before.record, time);
    const wrapping = await openWrappingVersion(context, before.record.wrappedBy);
    const version = old.version + 1;
    const dates = successorDates(plannedDates(old), time, offsetMs);
    requireStrong(context, before.record.algorithm, dates);
    const { exposed } = wrapping;
    await spendWrapping(context, wrapping, 1);
    const marks = old.limits === undefined ? { exposed } : { exposed, limits: old.limits };
    const added = newVersion(version, dates, time, context.principal.entity, marks);
    added.row.replaces = old.version;
    const linked = withRow(before.record, { ...old, replacedBy: version }, time);
    const planned = withRow(linked, added.row, time);
    const { record, material } = await wrapMaterial(context, planned, version, wrapping);
    const change = changeOf(before, record, [added]);
    change.checks.push(wrapping.gateCheck);
    change.records.push(material);
    if (wrapsKeys(record)) change.records.push(gateRecord(record.id, version, true, 1));
    // Rotating restricts nobody, but everyone should use the new version soon.
    await announce(context, change);
    return {
      result: changed(before, record),
      plan: planOf(context, "rotate", decision, change, time),
    };
  });
  context.ring.invalidate();
  await followClock();
  return result;
}
