/** What a walk that does not end at the first fault has to say. */
import type { Id } from "../foundation/ids.js";
import type { IntakeBody } from "./event.js";

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
