/** Commands that act on all versions of a key: suspend and resume, archive and recover. */
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import { effectiveState, next, transition } from "../lifecycle/transition.js";
import { encodeHistory, KEY_HISTORY, type KeyEvent } from "../keys/history.js";
import type { KeyRecord, KeyVersion } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { advance, withRow } from "../keys/versions.js";
import { keyspace } from "../storage/keyspace.js";
import { announce, changed, changeOf, planOf } from "./change.js";
import { readForChange } from "./change-state.js";
import { believeClock } from "./clock.js";
import { itemsPerCommit } from "./committer.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";

/** What moving one version adds to a commit at most: its history (two due dates and the event) and its index entries. */
const ROW_COST = { checks: 3, mutations: 8 };
/** The versions to which an event can happen now. @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED`: to none */
function movable(
  { transitions }: StoreContext,
  record: KeyRecord,
  event: "suspend" | "resume",
  time: number,
): KeyVersion[] {
  const stateOf = ({ state, dates }: KeyVersion): ReturnType<typeof effectiveState> =>
    effectiveState(state, dates, time);
  const rows = record.versions.filter((row) => next(stateOf(row), event, transitions) !== null);
  if (rows.length === 0) transition(stateOf(record.versions.at(-1)!), event, transitions);
  return rows;
}

/**
 * Suspends every active version, or makes every suspended one active again. All of them in one commit, unless they are
 * more than a commit takes: then the oldest go first, so that the current version is the last to go.
 *
 * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_TRANSITION_NOT_ALLOWED` where no version is in the state it needs
 */
export async function changeAll(
  context: StoreContext,
  reference: string,
  event: "suspend" | "resume",
): Promise<StoredKey> {
  const followClock = await believeClock(context);
  for (let begun = false; ; begun = true) {
    const { result } = await execute(context, async () => {
      const before = await readForChange(context, reference);
      const decision = authorize(context, event, before.record);
      const time = commandTime(context, before.record.time);
      const rows = movable(context, before.record, event, time);
      const now = rows.slice(0, itemsPerCommit(context.storage, ROW_COST, rows.length));
      const moved = now.map((row) =>
        advance(row, event, time, context.principal.entity, context.transitions),
      );
      const record = moved.reduce((all, { row }) => withRow(all, row, time), before.record);
      const change = changeOf(before, record, moved);
      await announce(context, change);
      return {
        result: {
          stored: changed(before, record),
          rest: rows.length - now.length,
        },
        plan: planOf(context, event, decision, change, time),
      };
    }).catch((error: unknown) => {
      // Another process did the rest meanwhile.
      if (begun && (error as KeyloomError).code === "KEY_TRANSITION_NOT_ALLOWED") return { result: null };
      throw error;
    });
    context.ring.invalidate();
    if (result !== null && result.rest > 0) continue;
    await followClock();
    return result === null ? readForChange(context, reference) : result.stored;
  }
}

/**
 * Sets or clears the archive date, a flag beside the states of all versions: while it is set, material can't be used or
 * got, metadata and look-ups still work.
 *
 * @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED` where it is so already
 */
export async function setArchived(
  context: StoreContext,
  reference: string,
  event: KeyEvent,
): Promise<StoredKey> {
  const followClock = await believeClock(context);
  const { result } = await execute(context, async () => {
    const before = await readForChange(context, reference);
    const decision = authorize(context, event, before.record);
    const time = commandTime(context, before.record.time);
    const { id, archived, history = 0 } = before.record;
    if ((archived === undefined) !== (event === "archive")) throw refuseArchived(before.record, event);
    const record: KeyRecord = {
      ...before.record,
      time: Math.max(before.record.time, time),
      archived: event === "archive" ? time : undefined,
      history: history + 1,
    };
    const change = changeOf(before, record, []);
    const key = keyspace.history(id, KEY_HISTORY, history + 1);
    change.checks.push({ key, version: null });
    change.records.push({
      storageKey: key,
      revision: 1,
      body: encodeHistory({
        event,
        from: null,
        to: null,
        at: time,
        recorded: time,
        entity: context.principal.entity,
      }),
    });
    change.subjects.push(...record.versions.map(({ version }) => ({ key: id, version })));
    await announce(context, change);
    return {
      result: changed(before, record),
      plan: planOf(context, event, decision, change, time),
    };
  });
  context.ring.invalidate();
  await followClock();
  return result;
}

function refuseArchived(record: KeyRecord, event: KeyEvent): KeyloomError {
  const archived = event === "archive";
  return new KeyloomError("KEY_TRANSITION_NOT_ALLOWED", {
    message: `can't ${event} key ${record.name ?? idToString(record.id)}: it is ${archived ? "archived already" : "not archived"}`,
    keyId: idToString(record.id),
    event,
    archived,
  });
}
