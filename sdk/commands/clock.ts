/**
 * How far the clock is believed. The store's mark is a time that has been reached for certain; it follows the clock with
 * sweeps, and with a change when it is an hour behind. A clock that is more than a day ahead of it may be wrong, and what
 * can't be undone must not follow it:
 *
 * - Where nothing falls due between mark and clock, and the leap is at most 31 days, no state hangs on it: so the mark of
 *   a store that lay idle catches up by itself.
 * - Any other leap is refused, `CLOCK_AHEAD`, until an administrator confirms it.
 */
import { DAY, HOUR } from "../foundation/clock.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { markRecord, readMark, type StoredMark } from "../keys/store-records.js";
import type { Decision, Operation } from "../policy/model.js";
import { keyspace, ranges } from "../storage/keyspace.js";
import { announce, noChange, planOf } from "./change.js";
import { authorize, execute, type StoreContext } from "./execute.js";
import type { UpkeepOperation } from "./upkeep.js";

/** The mark may be so far behind before a change raises it. */
export const MARK_LAG = HOUR;
/** A leap of at most so much is believed. */
export const MAX_LEAP = DAY;
/** And one of so much where nothing falls due on the way. */
export const MAX_IDLE_LEAP = 31 * DAY;

/**
 * Makes sure that the clock is believed, before anything that can't be undone.
 *
 * @returns to be called once that has been done: raises the mark where it lags. Not before, for a command that is refused
 * leaves nothing behind; and where it can't be raised, the next command does it.
 * @throws {KeyloomError} `CLOCK_AHEAD`
 */
export async function believeClock(context: StoreContext): Promise<() => Promise<void>> {
  const now = await aheadOfMark(context, MARK_LAG);
  return async () => {
    if (now === null) return;
    await raiseMark(context, now, "sweep", "mark", () => context.authority.consequence()).catch(
      (error: unknown) => {
        if (!isKeyloomError(error)) throw error;
      },
    );
  };
}

/** As `believeClock`, and raises the mark at once where it lags behind at all. @throws {KeyloomError} `CLOCK_AHEAD` */
export async function settleClock(context: StoreContext): Promise<void> {
  const now = await aheadOfMark(context, 0);
  if (now !== null) await raiseMark(context, now, "sweep", "mark", () => context.authority.consequence());
}

/** The clock's time where the mark lags behind it by more than `lag`. @throws {KeyloomError} `CLOCK_AHEAD` */
async function aheadOfMark(context: StoreContext, lag: number): Promise<number | null> {
  const now = context.clock.now();
  if (now - context.mark.time <= lag) return null;
  const stored = await readMark(context.storage, context.records);
  context.mark.time = Math.max(context.mark.time, stored.time);
  if (now - stored.time <= lag) return null;
  if (now - stored.time > MAX_LEAP) await requireHarmlessLeap(context, stored, now);
  return now;
}

async function requireHarmlessLeap(
  { storage }: StoreContext,
  { time }: StoredMark,
  now: number,
): Promise<void> {
  const short = now - time <= MAX_IDLE_LEAP;
  if (short && (await storage.count(ranges.dueBetween(time, now))) === 0) return;
  throw new KeyloomError("CLOCK_AHEAD", {
    message:
      `the clock says ${new Date(now).toISOString()}, the store was last sure of ${new Date(time).toISOString()}: ` +
      `confirm that the clock is right (confirmClock) before anything that can't be undone`,
    clock: now,
    mark: time,
  });
}

async function raiseMark(
  context: StoreContext,
  to: number,
  operation: Operation,
  named: UpkeepOperation,
  decide: () => Decision,
): Promise<{ from: number; to: number }> {
  const { result } = await execute(context, async () => {
    const decision = decide();
    const stored = await readMark(context.storage, context.records);
    const time = Math.max(stored.time, to);
    const change = noChange();
    change.checks.push({ key: keyspace.mark(), version: stored.storageVersion });
    change.records.push(markRecord(time, stored.revision + 1));
    // Whose clock is behind hears of it: no version comes back to life there.
    await announce(context, change);
    return {
      result: { from: stored.time, to: time },
      plan: planOf(context, operation, decision, change, time, { operation: named }),
    };
  });
  context.mark.time = Math.max(context.mark.time, result.to);
  return result;
}

/** An administrator says that the clock is right, however far ahead: the mark follows it. Audited. */
export async function confirmClock(context: StoreContext): Promise<{ from: number; to: number }> {
  await context.ring.refresh();
  const result = await raiseMark(context, context.clock.now(), "confirm-clock", "confirm-clock", () =>
    authorize(context, "confirm-clock", null),
  );
  context.ring.invalidate();
  return result;
}
