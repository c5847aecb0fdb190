/**
 * The audit of what policy denies. Equal denials within a window are counted in one event, and all that tells them apart
 * comes from tables and stored policies, not from the caller: so nobody who may do nothing can make the log grow with what
 * he tries. What is counted and not yet written is lost with the process.
 */
import { toHex } from "../foundation/bytes.js";
import type { Decision, Operation, Principal } from "../policy/model.js";
import { noChange, planOf } from "./change.js";
import { commandTime, execute, type StoreContext } from "./execute.js";

/** In milliseconds. */
export const DENIAL_WINDOW = 60_000;

interface Tally {
  /** Who was denied. */
  principal: Principal;
  operation: Operation;
  decision: Decision;
  count: number;
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
    const now = context.clock.monotonic();
    for (const [name, tally] of this.#tallies) {
      if (!all && now - tally.since < DENIAL_WINDOW) continue;
      this.#tallies.delete(name);
      this.#writing = this.#writing
        .then(() => write(context, tally))
        .catch(() => {
          const later = this.#tallies.get(name);
          this.#tallies.set(name, { ...tally, count: tally.count + (later?.count ?? 0) });
        });
    }
    return this.#writing;
  }
}

async function write(acting: StoreContext, { principal, operation, decision, count }: Tally): Promise<void> {
  const context: StoreContext = { ...acting, principal };
  await execute(context, async () => ({
    result: undefined,
    plan: {
      ...planOf(context, operation, decision, noChange(), commandTime(context), { count }),
      past: true as const,
    },
  }));
}
