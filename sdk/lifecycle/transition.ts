/** The pure half of the lifecycle: data and a time in, data out. Clock, storage and policy are elsewhere. */
import { KeyloomError } from "../foundation/errors.js";
import { TRANSITIONS, type LifecycleEvent, type Profile, type State, type Transition } from "./states.js";

export interface TransitionOptions {
  profile?: Profile;
  /** Rows off by default that the policy has switched on, by row number. */
  enabledRows?: readonly string[];
}

function isOn(row: Transition, options: TransitionOptions): boolean {
  if (options.profile === "kmip-2.1" && row.row.startsWith("N")) return false;
  return row.offByDefault !== true || (options.enabledRows?.includes(row.row) ?? false);
}

/** The rows of one profile and policy. */
export function transitionsOf(options: TransitionOptions = {}): readonly Transition[] {
  return (TRANSITIONS as readonly Transition[]).filter((row) => isOn(row, options));
}

/** The state that `event` leads to, or `null` where the table has no such row. */
export function next(
  from: State | null,
  event: LifecycleEvent,
  options: TransitionOptions = {},
): State | null {
  return transitionsOf(options).find((row) => row.from === from && row.event === event)?.to ?? null;
}

/** The states from which `event` would be allowed. */
export function allowedFrom(event: LifecycleEvent, options: TransitionOptions = {}): State[] {
  return transitionsOf(options).flatMap((row) =>
    row.event === event && row.from !== null ? [row.from] : [],
  );
}

/**
 * The state that `event` leads to.
 *
 * @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED`, naming the state, the event and the states that
 * would have allowed it
 */
export function transition(
  from: State | null,
  event: LifecycleEvent,
  options: TransitionOptions = {},
): State {
  const to = next(from, event, options);
  if (to !== null) return to;
  const allowed = allowedFrom(event, options);
  // Ending a version that was never used is destroying it (KMIP has no other way out of pre-active).
  const instead =
    from === "pre-active" && (event === "revoke" || event === "deactivate") ? "destroy" : undefined;
  throw new KeyloomError("KEY_TRANSITION_NOT_ALLOWED", {
    message:
      `${event} is not allowed for a version that is ${from ?? "absent"}` +
      (allowed.length === 0 ? "" : `; it is from ${allowed.join(", ")}`) +
      (instead === undefined ? "" : `; use ${instead}`),
    state: from,
    event,
    allowedFrom: allowed,
    ...(instead === undefined ? {} : { instead }),
  });
}

/** The dates of one version, in milliseconds since 1970. LIFECYCLE's table of dates. */
export interface VersionDates {
  initial: number;
  activation?: number | undefined;
  processStart?: number | undefined;
  protectStop?: number | undefined;
  deactivation?: number | undefined;
  compromise?: number | undefined;
  occurrence?: number | undefined;
  destroy?: number | undefined;
}

/** A state change that a date has brought about. */
export interface DueChange {
  event: "activation-due" | "deactivation-due";
  from: State;
  to: State;
  /** The due date itself, not the time at which somebody noticed. */
  at: number;
}

/**
 * The state changes that `dates` have brought about in a version stored as `state`, up to and including
 * `time`, in date order. Reading applies them lazily; a commit makes them durable.
 */
export function dueChanges(
  state: State,
  dates: VersionDates,
  time: number,
  options: TransitionOptions = {},
): DueChange[] {
  const dated = (
    [
      ["activation-due", dates.activation],
      ["deactivation-due", dates.deactivation],
    ] as const
  ).flatMap(([event, at]) => (at !== undefined && at <= time ? [{ event, at }] : []));
  // A stable sort: activation before deactivation where both fall on one instant.
  dated.sort((a, b) => a.at - b.at);
  const changes: DueChange[] = [];
  let current = state;
  for (const { event, at } of dated) {
    const to = next(current, event, options);
    if (to === null) continue;
    changes.push({ event, from: current, to, at });
    current = to;
  }
  return changes;
}

/** The state at `time`: the stored one, moved on by the dates that have passed. */
export function effectiveState(
  state: State,
  dates: VersionDates,
  time: number,
  options: TransitionOptions = {},
): State {
  return dueChanges(state, dates, time, options).at(-1)?.to ?? state;
}

/** The stored states in which a version can be that is effectively in `state`: itself, and those that dates lead on. */
export function statesLeadingTo(state: State): State[] {
  const leading: State[] = [state];
  for (const reached of leading) {
    for (const { from, event, to } of TRANSITIONS as readonly Transition[]) {
      const due = event === "activation-due" || event === "deactivation-due";
      if (due && to === reached && from !== null && !leading.includes(from)) leading.push(from);
    }
  }
  return leading;
}

const ORDERED = [
  ["activation", "processStart"],
  ["activation", "protectStop"],
  ["activation", "deactivation"],
  ["protectStop", "deactivation"],
  ["processStart", "deactivation"],
] as const;

/**
 * @param changed - only what these dates stand beside: activating late leaves a process-start behind that nobody minds
 * @throws {KeyloomError} `KEY_INVALID_OPTION` naming the two dates that are out of order
 */
export function checkDateOrder(dates: VersionDates, changed?: readonly (keyof VersionDates)[]): void {
  for (const [earlier, later] of ORDERED) {
    if (changed !== undefined && !changed.includes(earlier) && !changed.includes(later)) continue;
    const a = dates[earlier];
    const b = dates[later];
    if (a !== undefined && b !== undefined && a > b) {
      throw new KeyloomError("KEY_INVALID_OPTION", {
        message: `the ${earlier} date lies after the ${later} date`,
        earlier: a,
        later: b,
      });
    }
  }
}
