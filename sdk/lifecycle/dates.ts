/** The nine dates of a version, one table: who sets each, and until when it can be changed. Pure. */
import { KeyloomError } from "../foundation/errors.js";
import type { State } from "./states.js";
import { checkDateOrder, type VersionDates } from "./transition.js";

export interface DateRule {
  readonly setBy: "system" | "both" | "caller, with revoke";
  readonly about: string;
  /** The states in which a command can change it; absent: none can. */
  readonly changeableIn?: readonly State[];
}

/** A changeable date is frozen once it is reached, whatever the state. */
export const DATES = {
  initial: { setBy: "system", about: "when the version came into being" },
  activation: { setBy: "both", about: "begins its active life", changeableIn: ["pre-active"] },
  processStart: {
    setBy: "both",
    about: "bars processing before it; not before activation",
    changeableIn: ["pre-active", "active", "suspended"],
  },
  protectStop: {
    setBy: "both",
    about: "bars protecting from it on; not after deactivation",
    changeableIn: ["pre-active", "active", "suspended"],
  },
  deactivation: { setBy: "both", about: "ends its active life", changeableIn: ["pre-active", "active"] },
  compromise: { setBy: "system", about: "when a compromise was learned" },
  occurrence: {
    setBy: "caller, with revoke",
    about: "when the compromise happened; default: the initial date",
  },
  destroy: { setBy: "system", about: "when its material was destroyed" },
  archive: { setBy: "system", about: "of the key: when it was archived, until it is recovered" },
} as const satisfies Record<keyof VersionDates | "archive", DateRule>;

export const CHANGEABLE_DATES = ["activation", "processStart", "protectStop", "deactivation"] as const;
export type ChangeableDate = (typeof CHANGEABLE_DATES)[number];

/** What a command sets: a time, or `null` for none. */
export type DateChanges = { readonly [date in ChangeableDate]?: number | null | undefined };

function frozen(date: ChangeableDate, state: State, why: string): KeyloomError {
  return new KeyloomError("KEY_DATE_FROZEN", {
    message: `the ${date} date can't be changed: ${why}`,
    date,
    state,
    changeableIn: DATES[date].changeableIn,
  });
}

/**
 * The dates after `changes`, at `time`.
 *
 * @param state - the effective one
 * @throws {KeyloomError} `KEY_DATE_FROZEN` for a date that was reached, or that its state has left behind;
 * `KEY_INVALID_OPTION` for a time that lies in the past, and for dates out of order
 */
export function changeDates(
  state: State,
  dates: VersionDates,
  changes: DateChanges,
  time: number,
): VersionDates {
  const changed: VersionDates = { ...dates };
  for (const date of CHANGEABLE_DATES) {
    const to = changes[date];
    if (to === undefined) continue;
    const { changeableIn } = DATES[date];
    if (!(changeableIn as readonly State[]).includes(state))
      throw frozen(date, state, `the version is ${state}`);
    const from = dates[date];
    if (from !== undefined && from <= time) throw frozen(date, state, "it has been reached");
    if (to !== null && to < time) {
      throw new KeyloomError("KEY_INVALID_OPTION", { message: `the ${date} date lies in the past`, date });
    }
    changed[date] = to ?? undefined;
  }
  checkDateOrder(
    changed,
    CHANGEABLE_DATES.filter((date) => changes[date] !== undefined),
  );
  return changed;
}
