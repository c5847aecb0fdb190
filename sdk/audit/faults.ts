/** Walks that do not end at the first fault: what they have to say, and their common steps. */
import { equalBytes } from "../foundation/bytes.js";
import { isKeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import type { Entry } from "../storage/adapter.js";
import { decodeIntake, type IntakeBody } from "./event.js";

/** Where a chain is wrong. */
export interface ChainFault {
  /**
   * `chain`: a link is missing, changed or in another place; `writers`: a chain as a whole is missing, or too much; `log`: the
   * log's entries, tiles, root and cursors don't agree.
   */
  kind: "chain" | "writers" | "log";
  writer?: Id;
  sequence?: number;
  detail: string;
}

/** An entry at its place in its writer's chain. */
export interface SurveyedEntry {
  writer: Id;
  sequence: number;
  body: IntakeBody;
}

export type Surveyed = { fault: ChainFault } | { fault?: undefined; entry: SurveyedEntry };

/** How far a chain was followed. */
export interface Chain {
  writer: Id;
  sequence: number;
  /** `null`: the entry before can't be believed, so nothing can be said about what follows on it. */
  link: Uint8Array | null;
}

export function fault(kind: ChainFault["kind"], detail: string, writer?: Id, sequence?: number): Surveyed {
  return {
    fault: {
      kind,
      detail,
      ...(writer === undefined ? {} : { writer }),
      ...(sequence === undefined ? {} : { sequence }),
    },
  };
}

/** What a record holds. `null`: it can't be believed, which is told where records are looked at one by one. */
export function believed<T>(records: Records, entry: Entry, decode: (body: Uint8Array) => T): T | null {
  try {
    return decode(records.open([entry])[0]!.body);
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    return null;
  }
}

/** Follows a chain by one authentic entry. @returns whether it could be decoded */
export function* followLink(
  chain: Chain,
  sequence: number,
  bytes: Uint8Array,
  link: Uint8Array,
): Generator<Surveyed, boolean> {
  const { writer } = chain;
  chain.sequence = sequence;
  let body: IntakeBody;
  try {
    body = decodeIntake(bytes);
  } catch (error) {
    if (!isKeyloomError(error)) throw error;
    yield unbelievable(error, writer, sequence);
    chain.link = link;
    return false;
  }
  if (chain.link !== null && !equalBytes(body.previous, chain.link)) {
    yield fault("chain", "an entry does not follow on the one before it", writer, sequence);
  }
  chain.link = link;
  yield { entry: { writer, sequence, body } };
  return true;
}

export function unbelievable({ message }: Error, writer: Id, sequence: number): Surveyed {
  return fault("chain", `an entry can't be believed: ${message}`, writer, sequence);
}
