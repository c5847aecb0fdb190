/** History entries: one per state change of a version, kept for ever, at `history/<key>/<version>/<n>`. */
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { EVENTS, STATES, stateOfCode, type LifecycleEvent, type State } from "../lifecycle/states.js";

export interface HistoryEntry {
  event: LifecycleEvent;
  from: State | null;
  to: State;
  /** When the change took effect: the due date where a date brought it about. */
  at: number;
  /** When it was written down. */
  recorded: number;
  /** The entity that acted; for a due date, the one that wrote it down. */
  entity: Id;
}

const FIELD = { event: 1, from: 2, to: 3, at: 4, recorded: 5, entity: 6 } as const;

export function encodeHistory(entry: HistoryEntry): Uint8Array {
  return encodeCbor(
    cborMap(
      [FIELD.event, entry.event],
      [FIELD.from, entry.from === null ? undefined : STATES[entry.from]],
      [FIELD.to, STATES[entry.to]],
      [FIELD.at, entry.at],
      [FIELD.recorded, entry.recorded],
      [FIELD.entity, entry.entity],
    ),
  );
}

export function decodeHistory(body: Uint8Array): HistoryEntry {
  const reader = CborReader.decode(body, "a history entry");
  const event = reader.text(FIELD.event, 64) as LifecycleEvent;
  const to = stateOfCode(reader.uint(FIELD.to, 255));
  const from = reader.has(FIELD.from) ? stateOfCode(reader.uint(FIELD.from, 255)) : null;
  if (!EVENTS.includes(event) || to === null || (from === null && reader.has(FIELD.from))) {
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
