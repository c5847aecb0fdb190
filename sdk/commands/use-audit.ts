/**
 * The audit of cryptographic use, as each key's record asks: none; each use, with an event before its result is handed out;
 * or counted, with an event for many uses of one kind. What is counted and not yet written is lost with the process: less than
 * a batch of uses per version and kind, none older than the window when a counted key is used again.
 */
import { idToString, type Id } from "../foundation/ids.js";
import type { KeyRecord } from "../keys/record.js";
import type { Decision, Operation } from "../policy/model.js";
import { recordPast, type PastUse } from "./exceptions.js";
import type { StoreContext } from "./execute.js";

/** At most so many uses stand in one event. */
export const MAX_COUNTED = 1024;
/** In milliseconds. */
export const COUNT_WINDOW = 60_000;

/** Uses of one version that have the same meaning. */
interface Tally extends PastUse {
  key: Id;
  version: number;
  /** By the monotonic clock. */
  since: number;
}

export class UseAudit {
  readonly #tallies = new Map<string, Tally>();

  /**
   * Audits a use that has just been made, before its result is handed out.
   *
   * @throws {KeyloomError} what the commit throws: then the result is not to be handed out
   */
  async record(
    context: StoreContext,
    { id, audit }: KeyRecord,
    version: number,
    operation: Operation,
    decision: Decision,
  ): Promise<void> {
    if (audit === "none") return;
    const since = context.clock.monotonic();
    const { principal } = context;
    const use: Tally = { key: id, version, operation, decision, principal, count: 1, since };
    if (audit === "each") return write(context, use);
    const ids = [id, principal.entity].map(idToString);
    const name = [...ids, version, operation, decision.policy, decision.policyVersion, decision.rules].join(
      "/",
    );
    const tally = this.#tallies.get(name);
    if (tally === undefined) this.#tallies.set(name, use);
    else tally.count++;
    for (const [of, { count, since: first }] of this.#tallies) {
      if (count >= MAX_COUNTED || since - first >= COUNT_WINDOW) await this.#flush(context, of);
    }
  }

  /** Writes what was counted. */
  async flush(context: StoreContext): Promise<void> {
    for (const name of [...this.#tallies.keys()]) await this.#flush(context, name);
  }

  async #flush(context: StoreContext, name: string): Promise<void> {
    const tally = this.#tallies.get(name);
    if (tally === undefined) return;
    this.#tallies.delete(name);
    try {
      await write(context, tally);
    } catch (error) {
      const later = this.#tallies.get(name);
      this.#tallies.set(name, { ...tally, count: tally.count + (later?.count ?? 0) });
      throw error;
    }
  }
}

function write(context: StoreContext, tally: Tally): Promise<void> {
  return recordPast(context, tally, [{ key: tally.key, version: tally.version }]);
}
