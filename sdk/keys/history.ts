/**
 * History entries, kept for ever: one per state change of a version, at `history/<key>/<version>/<n>`, and one per
 * archiving or recovery of the key, which has all versions in it, at version 0.
 */
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import type { StorageAdapter } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import { EVENTS, STATES, stateOfCode, type LifecycleEvent, type State } from "../lifecycle/states.js";

/** What happens to a key as a whole and moves no state. */
export const KEY_EVENTS = ["archive", "recover"] as const;
export type KeyEvent = (typeof KEY_EVENTS)[number];

/** Where the key's own entries stand: versions count from 1. */
export const KEY_HISTORY = 0;

export interface HistoryEntry {
  event: LifecycleEvent | KeyEvent;
  /** `null`: it did not exist yet, or the event moves no state. */
  from: State | null;
  /** `null`: the event moves no state. */
  to: State | null;
  /** When the change took effect: the due date where a date brought it about. */
  at: number;
  /** When it was written down. */
  recorded: number;
  /** The entity that acted; for a due date, the one that wrote it down. */
  entity: Id;
}

const FIELD = { event: 1, from: 2, to: 3, at: 4, recorded: 5, entity: 6 } as const;

/** When a version that is suspended was suspended: its newest entry says so. `undefined`: it is not. */
export async function suspensionOf(
  storage: StorageAdapter,
  records: Records,
  key: Id,
  { state, version, history }: { state: State; version: number; history: number },
): Promise<number | undefined> {
  if (state !== "suspended") return undefined;
  const entry = await storage.get(keyspace.history(key, version, history));
  if (entry === null)
    throw new KeyloomError("STORE_DAMAGED", { message: "a version's history is incomplete" });
  return decodeHistory(records.open([entry])[0]!.body).at;
}

export function encodeHistory(entry: HistoryEntry): Uint8Array {
  return encodeCbor(
    cborMap(
      [FIELD.event, entry.event],
      [FIELD.from, entry.from === null ? undefined : STATES[entry.from]],
      [FIELD.to, entry.to === null ? undefined : STATES[entry.to]],
      [FIELD.at, entry.at],
      [FIELD.recorded, entry.recorded],
      [FIELD.entity, entry.entity],
    ),
  );
}

export function decodeHistory(body: Uint8Array): HistoryEntry {
  const reader = CborReader.decode(body, "a history entry");
  const event = reader.text(FIELD.event, 64) as LifecycleEvent | KeyEvent;
  const ofKey = (KEY_EVENTS as readonly string[]).includes(event);
  const known = ofKey || (EVENTS as readonly string[]).includes(event);
  const to = reader.has(FIELD.to) ? stateOfCode(reader.uint(FIELD.to, 255)) : null;
  const from = reader.has(FIELD.from) ? stateOfCode(reader.uint(FIELD.from, 255)) : null;
  if (!known || ofKey !== (to === null) || (from === null && reader.has(FIELD.from))) {
    throw new KeyloomError("STORE_DAMAGED", { message: "a history entry names an unknown event or state" });
  }
  return {
    event,
    from,
    to,
    at: reader.uint(FIELD.at, MAX_TIME),
    recorded: reader.uint(FIELD.recorded, MAX_TIME),
    entity: reader.bytes(FIELD.entity, ID_LENGTH),
  };
}
