/** Uses that change nothing and are audited all the same: each leaves an event before its result is handed out. */
import type { Evidence } from "../lifecycle/permits.js";
import type { Decision, Operation } from "../policy/model.js";
import type { Subject } from "../audit/event.js";
import { noChange, planOf } from "./change.js";
import { execute, type StoreContext } from "./execute.js";

export interface ExceptionalUseEvent {
  operation: Operation;
  decision: Decision;
  time: number;
  subject: Subject;
  /** Why it was permitted, beside the policy's rules. */
  reasons: readonly string[];
  evidence: Evidence | undefined;
}

export async function recordException(context: StoreContext, use: ExceptionalUseEvent): Promise<void> {
  const { operation, decision, time, subject, reasons, evidence } = use;
  const change = { ...noChange(), subjects: [subject] };
  const more = { reasons: [...decision.rules, ...reasons], ...(evidence === undefined ? {} : { evidence }) };
  await execute(context, async () => ({
    result: undefined,
    plan: planOf(context, operation, decision, change, time, more),
  }));
}
