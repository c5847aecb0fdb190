/** Uses that change nothing and are audited all the same: each leaves an event before its result is handed out. */
import { KeyloomError } from "../foundation/errors.js";
import { EVIDENCE_KINDS, type Evidence, type EvidenceKind } from "../lifecycle/permits.js";
import type { Decision, Operation, Principal } from "../policy/model.js";
import type { Subject } from "../audit/event.js";
import { noChange, planOf } from "./change.js";
import { commandTime, execute, type StoreContext } from "./execute.js";

/** How a caller knows that data was protected at a time or before. */
export interface GivenEvidence {
  kind: EvidenceKind;
  time: Date;
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` */
export function evidenceOf(given: GivenEvidence | undefined): Evidence | undefined {
  if (given === undefined) return undefined;
  const time = given.time instanceof Date ? given.time.getTime() : NaN;
  if (Object.hasOwn(EVIDENCE_KINDS, given.kind) && Number.isInteger(time)) return { kind: given.kind, time };
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: `evidence has a time and a kind: ${Object.keys(EVIDENCE_KINDS).join(", ")}`,
  });
}

/** What has happened already, once or several times, to somebody who may not be the one who acts now. */
export interface PastUse {
  principal: Principal;
  operation: Operation;
  decision: Decision;
  count: number;
}

/** Writes it down, whatever policy has become since. */
export async function recordPast(
  acting: StoreContext,
  { principal, operation, decision, count }: PastUse,
  subjects: Subject[],
): Promise<void> {
  const context: StoreContext = { ...acting, principal };
  const change = { ...noChange(), subjects };
  await execute(context, async () => {
    const plan = planOf(context, operation, decision, change, commandTime(context), { count });
    return { result: undefined, plan: { ...plan, past: true as const } };
  });
}

export interface ExceptionalUseEvent {
  operation: Operation;
  /** Asked anew where the policy has changed meanwhile. */
  decide: () => Decision;
  time: number;
  subject: Subject;
  /** Why it was permitted, beside the policy's rules. */
  reasons: readonly string[];
  evidence: Evidence | undefined;
}

export async function recordException(context: StoreContext, use: ExceptionalUseEvent): Promise<void> {
  const { operation, time, subject, reasons, evidence } = use;
  const change = { ...noChange(), subjects: [subject] };
  await execute(context, async () => {
    const decision = use.decide();
    const more = {
      reasons: [...decision.rules, ...reasons],
      ...(evidence === undefined ? {} : { evidence }),
    };
    return { result: undefined, plan: planOf(context, operation, decision, change, time, more) };
  });
}
