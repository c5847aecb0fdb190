/** Decides requests. Pure: default deny, forbid wins, every decision names its rules. */
import { equalBytes } from "../foundation/bytes.js";
import type { Id } from "../foundation/ids.js";
import type { Decision, PolicyRequest } from "./model.js";

/** The built-in policy `owner`, version 1: the owner may do everything that the lifecycle permits. */
export function evaluate(storeOwner: Id, request: PolicyRequest): Decision {
  const isOwner = equalBytes(request.principal.entity, storeOwner);
  const ownsKey = request.owner === null || equalBytes(request.owner, request.principal.entity);
  const allowed = isOwner && ownsKey;
  return {
    allowed,
    policy: "owner",
    policyVersion: 1,
    rules: [allowed ? "owner-may" : "default-deny"],
    trusted: isOwner,
    grants: { processDeactivated: allowed },
  };
}
