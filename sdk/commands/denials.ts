/**
 * The audit of what policy denies. Equal denials within a window are counted in one event, and all that tells them apart
 * comes from tables and stored policies, not from the caller: so nobody who may do nothing can make the log grow with what
 * he tries. What is counted and not yet written is lost with the process.
 */
import { toHex } from "../foundation/bytes.js";
import type { Decision, Operation } from "../policy/model.js";
import { recordPast, type PastUse } from "./exceptions.js";
import type { StoreContext } from "./execute.js";

/** In milliseconds. */
export const DENIAL_WINDOW = 60_000;

interface Tally extends PastUse {
  /** By the monotonic clock. */
  since: number;
}

export class DenialAudit {
  readonly #tallies = new Map<string, Tally>();
  #writing: Promise<unknown> = Promise.resolve();

  /** Counts a denial. The caller's own refusal waits for nothing. */
  note(
    { clock, principal }: Pick<StoreContext, "clock" | "principal">,
    operation: Operation,
    decision: Decision,
  ): void {
    const { policy, policyVersion, rules } = decision;
    const name = JSON.stringify([toHex(principal.entity), operation, policy, policyVersion, rules]);
    const tally = this.#tallies.get(name);
    if (tally === undefined)
      this.#tallies.set(name, { principal, operation, decision, count: 1, since: clock.monotonic() });
    else tally.count++;
  }

  /**
   * Writes what was counted in windows that are over. Never fails: what can't be written is counted on.
   *
   * @param all - also where the window is not over
   */
  flush(context: StoreContext, all = false): Promise<unknown> {
    if (this.#tallies.size === 0) return this.#writing;
    const now = context.clock.monotonic();
    for (const [name, tally] of this.#tallies) {
      if (!all && now - tally.since < DENIAL_WINDOW) continue;
      this.#tallies.delete(name);
      this.#writing = this.#writing
        .then(() => recordPast(context, tally, []))
        .catch(() => {
          const later = this.#tallies.get(name);
          this.#tallies.set(name, { ...tally, count: tally.count + (later?.count ?? 0) });
        });
    }
    return this.#writing;
  }
}
