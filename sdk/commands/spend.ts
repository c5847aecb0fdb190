/**
 * Spending a proposal: a command that was given one counts its approvals, verified now, and its commit puts the proposal as
 * spent. That commit checks the proposal and every approver's record, so it is spent once, and by approvers who still are.
 */
import { equalBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import type { UnsealedRecord } from "../crypto/records.js";
import { readEntities } from "../entities/record.js";
import {
  approvalInput,
  proposalRecord,
  readProposal,
  sameRequest,
  type ApprovableRequest,
  type Proposal,
} from "../governance/proposal-record.js";
import type { Approver, Operation } from "../policy/model.js";
import type { Check } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import type { StoreContext } from "./execute.js";

export interface Spending {
  proposal: Id;
  /** What the command is about to do. */
  request: ApprovableRequest;
  /** What was found when the command last looked. */
  found: { approvers: Approver[]; checks: Check[]; record: UnsealedRecord } | null;
  spent: boolean;
}

/** The spending that an operation of this command may count. What follows from it counts none. */
export function spendingFor({ spending }: StoreContext, operation: Operation): Spending["found"] {
  return spending !== undefined && !spending.spent && spending.request.operation === operation
    ? spending.found
    : null;
}

/** Was that the commit which spends it? Then it is spent. */
export function noteSpent({ spending }: StoreContext, records: readonly UnsealedRecord[]): void {
  if (spending?.found != null && records.includes(spending.found.record)) spending.spent = true;
}

/** @throws {KeyloomError} `PROPOSAL_NOT_FOUND`, `PROPOSAL_SPENT`, `PROPOSAL_EXPIRED` */
export function requireOpen(proposal: Proposal | undefined, id: Id, time: number): Proposal {
  const details = { proposal: idToString(id) };
  if (proposal === undefined) {
    throw new KeyloomError("PROPOSAL_NOT_FOUND", { message: "there is no such proposal", ...details });
  }
  if (proposal.spent !== undefined) {
    throw new KeyloomError("PROPOSAL_SPENT", {
      message: "the proposal is spent: it was for once",
      ...details,
    });
  }
  if (time >= proposal.expires) {
    throw new KeyloomError("PROPOSAL_EXPIRED", { message: "the proposal has expired", ...details });
  }
  return proposal;
}

/**
 * Reads and verifies the proposal that the command spends, if it spends one. An approval whose entity is revoked, or whose
 * signature does not verify, does not count.
 *
 * @throws {KeyloomError} as `requireOpen`; `PROPOSAL_MISMATCH` where it is for another request
 */
export async function lookAtSpending(context: StoreContext, time: number): Promise<void> {
  const { spending, storage, records, sha256, storeId } = context;
  if (spending === undefined || spending.spent) return;
  const id = spending.proposal;
  const stored = await readProposal(storage, records, id);
  const proposal = requireOpen(stored?.proposal, id, time);
  if (!sameRequest(proposal.request, spending.request)) {
    throw new KeyloomError("PROPOSAL_MISMATCH", {
      message: "the proposal was for another request: what was approved is not what is asked",
      proposal: idToString(id),
    });
  }
  const { approvals } = proposal;
  const entities = await readEntities(
    storage,
    records,
    approvals.map(({ entity }) => entity),
  );
  const input = approvalInput(storeId, proposal, sha256);
  const approvers: Approver[] = [];
  const checks: Check[] = [{ key: keyspace.proposal(id), version: stored!.storageVersion }];
  for (const [i, { entity: by, signature }] of approvals.entries()) {
    const entity = entities[i]?.entity;
    if (entity?.publicKey === undefined || entity.revoked !== undefined || equalBytes(by, proposal.by))
      continue;
    if (!context.verifySignature(entity.publicKey, input, signature)) continue;
    approvers.push({ entity: by, roles: entity.roles });
    // The principal's own record is checked by every commit, and its approval counts for nothing.
    if (!equalBytes(by, context.principal.entity)) {
      checks.push({ key: keyspace.entity(by), version: entities[i]!.storageVersion });
    }
  }
  spending.found = {
    approvers,
    checks,
    record: proposalRecord({ ...proposal, spent: time }, stored!.revision + 1),
  };
}
