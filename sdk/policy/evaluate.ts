/** Decides requests. Pure: default deny, forbid wins, every decision names its rules. */
import { DAY, HOUR } from "../foundation/clock.js";
import { equalBytes } from "../foundation/bytes.js";
import type { Id } from "../foundation/ids.js";
import type {
  Decision,
  Operation,
  Policy,
  PolicyRequest,
  PolicyRule,
  Principal,
  TimeWindow,
} from "./model.js";

/** The name of the built-in policy. No stored one has it. */
export const OWNER_POLICY = "owner";

/** The built-in policy `owner`, version 1: the owner may do everything that the lifecycle permits. */
export function evaluateOwner(
  storeOwner: Id,
  request: { principal: Principal; operation: Operation; key: { owner: Id } | null },
): Decision {
  const { principal, key } = request;
  const isOwner = equalBytes(principal.entity, storeOwner);
  const ownsKey = key === null || equalBytes(key.owner, principal.entity);
  const allowed = isOwner && ownsKey;
  return {
    allowed,
    policy: OWNER_POLICY,
    policyVersion: 1,
    rules: [allowed ? "owner-may" : "default-deny"],
    trusted: isOwner,
    grants: { processDeactivated: allowed },
  };
}

/** Decides a request by a stored policy. @param version - which version of it this is */
export function evaluate(policy: Policy, version: number, request: PolicyRequest): Decision {
  const allows: PolicyRule[] = [];
  const forbids: PolicyRule[] = [];
  const met: PolicyRule[] = [];
  const unmet: PolicyRule[] = [];
  for (const rule of policy.rules) {
    if (!applies(rule, request)) continue;
    if (rule.effect === "allow") allows.push(rule);
    else if (rule.effect === "forbid") forbids.push(rule);
    else (approvedBy(rule, request) >= rule.approvals! ? met : unmet).push(rule);
  }
  const deny = (rules: readonly string[]): Decision => ({
    allowed: false,
    policy: policy.name,
    policyVersion: version,
    rules,
    trusted: false,
    grants: { processDeactivated: false },
  });
  if (forbids.length > 0) return deny(namesOf(forbids));
  if (allows.length === 0) return deny(["default-deny"]);
  if (unmet.length > 0) {
    const approvalsNeeded = Math.max(...[...met, ...unmet].map(({ approvals }) => approvals!));
    return { ...deny(namesOf(unmet)), approvalsNeeded };
  }
  const { key, principal } = request;
  const granted = (grant: "trusted" | "process-deactivated"): boolean =>
    allows.some(({ grants }) => grants?.includes(grant) === true);
  const owns = key !== null && equalBytes(key.owner, principal.entity);
  return {
    allowed: true,
    policy: policy.name,
    policyVersion: version,
    rules: namesOf([...allows, ...met]),
    trusted: granted("trusted"),
    grants: { processDeactivated: owns || granted("process-deactivated") },
  };
}

const namesOf = (rules: readonly PolicyRule[]): string[] => rules.map(({ name }) => name);

function meet(named: readonly string[] | undefined, there: readonly string[]): boolean {
  return named === undefined || named.some((item) => there.includes(item));
}

function applies(rule: PolicyRule, { principal, operation, key, context }: PolicyRequest): boolean {
  if (rule.operations !== undefined && !rule.operations.includes(operation)) return false;
  if (!meet(rule.roles, principal.roles)) return false;
  if (rule.window !== undefined && !inWindow(rule.window, context.time)) return false;
  const { tags, algorithms, states, own } = rule;
  if (key === null) {
    return tags === undefined && algorithms === undefined && states === undefined && own === undefined;
  }
  if (own === true && !equalBytes(key.owner, principal.entity)) return false;
  if (!meet(tags, key.tags) || !meet(algorithms, [key.algorithm])) return false;
  if (states === undefined) return true;
  const named = key.states.filter((state) => states.includes(state)).length;
  return named > 0 && (rule.effect !== "allow" || named === key.states.length);
}

/** How many different entities with one of the rule's roles have approved, the principal not counted. */
function approvedBy({ approvers }: PolicyRule, { principal, context }: PolicyRequest): number {
  const counted: Id[] = [];
  for (const { entity, roles } of context.approvers) {
    if (!meet(approvers, roles)) continue;
    if ([principal.entity, ...counted].some((other) => equalBytes(other, entity))) continue;
    counted.push(entity);
  }
  return counted.length;
}

export function inWindow({ from, until, days, hours }: TimeWindow, time: number): boolean {
  if (from !== undefined && time < from.getTime()) return false;
  if (until !== undefined && time >= until.getTime()) return false;
  // January 1st, 1970 was a Thursday.
  if (days !== undefined && !days.includes(((Math.floor(time / DAY) + 3) % 7) + 1)) return false;
  if (hours === undefined) return true;
  const [first, last] = hours;
  const hour = (time % DAY) / HOUR;
  return first <= last ? hour >= first && hour < last : hour >= first || hour < last;
}

const WEEK_HOURS = 7 * 24;

/**
 * Will a request be allowed at some hour of a week, whichever recurring windows there are? Asked of the week that begins at
 * the request's time, and of the last one there is, so that no rule that begins or ends in between goes unnoticed.
 */
export function allowedLastingly(policy: Policy, request: PolicyRequest, lastTime: number): boolean {
  const allowedIn = (start: number): boolean =>
    Array.from({ length: WEEK_HOURS }, (_, i) => start + i * HOUR).some(
      (time) => evaluate(policy, 0, { ...request, context: { ...request.context, time } }).allowed,
    );
  return allowedIn(request.context.time) && allowedIn(lastTime - WEEK_HOURS * HOUR);
}
