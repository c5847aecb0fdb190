/** Changing the dates of a version, as far as they have not been reached. */
import { KeyloomError } from "../foundation/errors.js";
import { CHANGEABLE_DATES, changeDates, type DateChanges } from "../lifecycle/dates.js";
import type { StoredKey } from "../keys/reads.js";
import { applyDueDates, withRow } from "../keys/versions.js";
import { announce, changed, changeOf, planOf } from "./change.js";
import { chooseVersion, readForChange } from "./change-state.js";
import { believeClock } from "./clock.js";
import { checkTime } from "./create.js";
import { requireStrong } from "./strength.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";

/** Dates to set; `null` = none. What is left out stays as it is. */
export interface DatesOptions {
  activation?: Date | null | undefined;
  processStart?: Date | null | undefined;
  protectStop?: Date | null | undefined;
  deactivation?: Date | null | undefined;
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` where no date is named, or one that no format can hold */
export function checkDates(options: DatesOptions): DateChanges {
  const changes: Partial<Record<(typeof CHANGEABLE_DATES)[number], number | null>> = {};
  for (const date of CHANGEABLE_DATES) {
    const value = options[date];
    if (value !== undefined) changes[date] = value === null ? null : checkTime(value, date)!;
  }
  if (Object.keys(changes).length > 0) return changes;
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: `name a date to set: ${CHANGEABLE_DATES.join(", ")}`,
  });
}

/** @throws {KeyloomError} `KEY_DATE_FROZEN`, `KEY_INVALID_OPTION`, `KEY_NOT_FOUND`, `KEY_VERSION_NOT_FOUND` */
export async function setDates(
  context: StoreContext,
  reference: string,
  changes: DateChanges,
  version?: number,
): Promise<StoredKey> {
  const followClock = await believeClock(context);
  const { result } = await execute(context, async () => {
    const before = await readForChange(context, reference);
    const chosen = chooseVersion(before.record, version);
    const decision = authorize(context, "set-dates", before.record, chosen.version);
    const time = commandTime(context, before.record.time);
    const due = applyDueDates(chosen, time, context.principal.entity);
    const dates = changeDates(due.row.state, due.row.dates, changes, time);
    requireStrong(context, before.record.algorithm, dates, "maxCryptoperiodDays");
    const moved = { ...due, row: { ...due.row, dates } };
    const record = withRow(before.record, moved.row, time);
    const change = changeOf(before, record, [moved]);
    await announce(context, change);
    return {
      result: changed(before, record),
      plan: planOf(context, "set-dates", decision, change, time),
    };
  });
  context.ring.invalidate();
  await followClock();
  return result;
}
