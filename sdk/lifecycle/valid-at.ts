/** "Was it valid then?": whether a version was allowed to protect at a moment, from its history and the evidence. Pure. */
import { EVIDENCE_KINDS, permits, type Evidence, type Refusal } from "./permits.js";
import type { State } from "./states.js";
import { effectiveState, type VersionDates } from "./transition.js";

/** A change that took effect at a time: of the version's state, or of the key's archive date. */
export interface StateChangeAt {
  at: number;
  to: State;
}

export interface ArchivingAt {
  at: number;
  archived: boolean;
}

export interface VersionPast {
  /** The stored state, and the dates, as they are now. */
  state: State;
  dates: VersionDates;
  /** Of the version, in their order; the first is its creation. */
  changes: readonly StateChangeAt[];
  /** Of the key, in their order. */
  archivings: readonly ArchivingAt[];
  /** The key's usage mask, and the bits in it that protect. */
  usages: number;
  protecting: number;
}

export const INVALIDITIES = ["not-yet-made", "after-compromise"] as const;

/** Why it was not: what would have refused the use then, or what has become known since. */
export type Invalidity = Refusal | (typeof INVALIDITIES)[number];

export interface Validity {
  valid: boolean;
  /** The state then; `null`: the version did not exist. */
  state: State | null;
  reason?: Invalidity;
}

/** The state at a time that has passed: after the last change up to it, or moved on by dates since the last of all. */
function stateAt({ state, dates, changes }: VersionPast, time: number): State | null {
  const last = changes.findLastIndex(({ at }) => at <= time);
  if (last < 0) return null;
  // Between two entries no date has moved it: a change writes down first what dates have done before it.
  return last === changes.length - 1 ? effectiveState(state, dates, time) : changes[last]!.to;
}

/**
 * Whether a version was allowed to protect at `evidence.time`.
 *
 * A version that was compromised is judged by when that happened, not by when it was learned; and whoever has the key can
 * write any date, so only trusted evidence says that something was protected before.
 */
export function validAt(past: VersionPast, evidence: Evidence): Validity {
  const { dates, usages, protecting, archivings } = past;
  const { time, kind } = evidence;
  const state = stateAt(past, time);
  if (state === null) return { valid: false, state, reason: "not-yet-made" };
  const permit = permits(
    {
      state,
      // What was a date then has been frozen since; the state is the one of that time already.
      dates: { ...dates, activation: undefined, deactivation: undefined },
      archived: archivings.findLast(({ at }) => at <= time)?.archived ?? false,
      usages,
    },
    { kind: "protect", usage: protecting },
    time,
    { processDeactivated: false, trusted: false },
  );
  if (!permit.allowed) return { valid: false, state, reason: permit.refusal };
  if (dates.compromise === undefined) return { valid: true, state };
  if (time >= (dates.occurrence ?? dates.initial)) return { valid: false, state, reason: "after-compromise" };
  if (!EVIDENCE_KINDS[kind].trusted) return { valid: false, state, reason: "evidence-too-weak" };
  return { valid: true, state };
}
