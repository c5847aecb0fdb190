/** Policies and proposals as the public API shows them. */
import { idToString, type Id } from "../foundation/ids.js";
import type { Policy } from "../policy/model.js";
import type { StoredPolicy } from "./policy-record.js";
import { approvalInput, type Proposal } from "./proposal-record.js";
import { viewOfRequest, type ProposedRequest } from "./requests.js";

/** A policy that was set. */
export interface PolicyVersion {
  /** From 1. */
  version: number;
  /** Yours: changing it changes nothing in the store. */
  policy: Policy;
  /** When it was set, and by which entity. */
  set: Date;
  by: string;
}

export function viewOfPolicy({ version, policy, time, by }: StoredPolicy): PolicyVersion {
  return { version, policy: structuredClone(policy), set: new Date(time), by: idToString(by) };
}

/** What was proposed, with the approvals that it has. */
export interface ProposalInfo {
  /** A UUID: pass it as `approval` to the method that does what was proposed. */
  id: string;
  /** Exactly what it will do. */
  request: ProposedRequest;
  /** The entity that proposed it. */
  by: string;
  created: Date;
  expires: Date;
  approvals: readonly { entity: string; time: Date }[];
  /** When it was done. */
  spent?: Date;
  /** What approvers sign with Ed25519. */
  toSign: Uint8Array;
}

export function viewOfProposal(
  proposal: Proposal,
  storeId: Id,
  sha256: (data: Uint8Array) => Uint8Array,
): ProposalInfo {
  const { id, request, by, created, expires, approvals, spent } = proposal;
  return {
    id: idToString(id),
    request: viewOfRequest(request),
    by: idToString(by),
    created: new Date(created),
    expires: new Date(expires),
    approvals: approvals.map(({ entity, time }) => ({ entity: idToString(entity), time: new Date(time) })),
    ...(spent === undefined ? {} : { spent: new Date(spent) }),
    toSign: approvalInput(storeId, proposal, sha256),
  };
}
