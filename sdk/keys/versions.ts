/** Pure edits of the version table: a version and an event in, the changed version and its history out. */
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { LifecycleEvent, RevocationReason, State } from "../lifecycle/states.js";
import {
  dueChanges,
  transition,
  type TransitionOptions,
  type VersionDates,
} from "../lifecycle/transition.js";
import type { HistoryEntry } from "./history.js";
import type { Cause, KeyRecord, KeyVersion } from "./record.js";

export interface Advanced {
  row: KeyVersion;
  entries: readonly HistoryEntry[];
}

/** Makes durable what dates have brought about up to `time`: each change is dated by its due date. */
export function applyDueDates(row: KeyVersion, time: number, entity: Id): Advanced {
  const changes = dueChanges(row.state, row.dates, time);
  if (changes.length === 0) return { row, entries: [] };
  const last = changes.at(-1)!;
  return {
    row: {
      ...row,
      state: last.to,
      ...(last.event === "deactivation-due" ? { cause: "expired" as const } : {}),
      history: row.history + changes.length,
    },
    entries: changes.map(({ event, from, to, at }) => ({ event, from, to, at, recorded: time, entity })),
  };
}

/** What an event sets beside the state. */
const EFFECTS: Partial<Record<LifecycleEvent, { date?: keyof VersionDates; cause?: Cause; ends?: true }>> = {
  activate: { date: "activation" },
  deactivate: { date: "deactivation", cause: "command", ends: true },
  revoke: { date: "deactivation", cause: "revoked", ends: true },
  "revoke-compromised": { date: "compromise", cause: "revoked" },
  destroy: { date: "destroy" },
};

/** What a revocation says. */
export interface Revocation {
  reason: RevocationReason;
  /** When the compromise happened, for compromise reasons. Default: the initial date, so at any time. */
  occurrence?: number | undefined;
}

/** A version can't begin behind its own end: dates out of order give a state that depends on who looks when. */
function requireFutureEnd({ version, state, dates }: KeyVersion, time: number): void {
  if (dates.deactivation === undefined || time < dates.deactivation) return;
  throw new KeyloomError("KEY_TRANSITION_NOT_ALLOWED", {
    message: `can't activate version ${version}: its deactivation date has passed; use destroy`,
    version,
    state,
    event: "activate",
    allowedFrom: [],
    instead: "destroy",
  });
}

/**
 * Applies due dates, then `event`.
 *
 * @param options - which rows of the table are on; dates move states by all of them
 * @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED`
 */
export function advance(
  row: KeyVersion,
  event: LifecycleEvent,
  time: number,
  entity: Id,
  options: TransitionOptions = {},
  revocation?: Revocation,
): Advanced {
  const due = applyDueDates(row, time, entity);
  const to = transition(due.row.state, event, options);
  if (event === "activate") requireFutureEnd(due.row, time);
  const { date, cause, ends } = EFFECTS[event] ?? {};
  const dates: VersionDates = { ...due.row.dates };
  if (date !== undefined) dates[date] = time;
  if (event === "revoke-compromised") dates.occurrence = revocation?.occurrence ?? dates.initial;
  const entry: HistoryEntry = { event, from: due.row.state, to, at: time, recorded: time, entity };
  return {
    row: {
      ...due.row,
      state: to,
      dates,
      ...(cause === undefined ? {} : { cause }),
      ...(ends === undefined ? {} : { endedByCommand: true }),
      ...(revocation === undefined ? {} : { reason: revocation.reason }),
      history: due.row.history + 1,
    },
    entries: [...due.entries, entry],
  };
}

/** A version that comes into being at `time`: pre-active, or active at once where its activation has passed. */
export function newVersion(
  version: number,
  dates: VersionDates,
  time: number,
  entity: Id,
  marks: Pick<KeyVersion, "exposed" | "imported" | "limits"> = { exposed: false },
): Advanced {
  const created: State = transition(null, "create");
  const state = dueChanges(created, dates, time).at(-1)?.to ?? created;
  return {
    row: {
      version,
      state,
      dates,
      ...marks,
      history: 1,
      ...(state === "deactivated" ? { cause: "expired" as const } : {}),
    },
    entries: [{ event: "create", from: null, to: state, at: time, recorded: time, entity }],
  };
}

/** The record with one row replaced, or appended where the version is new. */
export function withRow(record: KeyRecord, row: KeyVersion, time: number): KeyRecord {
  const known = record.versions.some((candidate) => candidate.version === row.version);
  return {
    ...record,
    time: Math.max(record.time, time),
    versions: known
      ? record.versions.map((candidate) => (candidate.version === row.version ? row : candidate))
      : [...record.versions, row],
  };
}
