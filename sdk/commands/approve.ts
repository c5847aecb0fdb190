/** Dual control: proposing, approving, and running a command with what was approved. */
import { DAY } from "../foundation/clock.js";
import { equalBytes, requireBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, isIdText, parseId, type Id } from "../foundation/ids.js";
import { REVOCATION_REASONS, revocationEvent } from "../lifecycle/states.js";
import { checkGovernanceName, checkPolicy, checkRoles } from "../policy/check.js";
import { OPERATIONS } from "../policy/model.js";
import { readEntities } from "../entities/record.js";
import { VOCABULARY } from "../governance/policy-record.js";
import {
  approvalInput,
  MAX_PROPOSAL_APPROVALS,
  proposalRecord,
  readProposal,
  type ApprovableRequest,
  type Proposal,
} from "../governance/proposal-record.js";
import { parametersOf, type ProposedRequest } from "../governance/requests.js";
import { keyspace } from "../storage/keyspace.js";
import { noChange, planOf } from "./change.js";
import { chooseVersion, readForChange } from "./change-state.js";
import { checkTime } from "./create.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";
import { requireOpen } from "./spend.js";

export interface ApprovalOption {
  /** The id of a proposal of exactly this, which is spent with it. */
  approval?: string | undefined;
}

export interface ProposeOptions {
  /** Until when it can be approved and spent: at most 90 days from now. Default: 7 days from now. */
  expires?: Date | undefined;
}

export interface ApproveOptions {
  /** The approver's entity id. */
  approver: string;
  /** Ed25519 over the proposal's `toSign`, by the approver's registered key: 64 bytes. */
  signature: Uint8Array;
}

const DEFAULT_LIFE = 7 * DAY;
const MAX_LIFE = 90 * DAY;

function idOf(text: unknown, missing: "PROPOSAL_NOT_FOUND" | "ENTITY_NOT_FOUND"): Id {
  if (typeof text !== "string") throw new TypeError("an id must be a string");
  if (isIdText(text)) return parseId(text);
  throw new KeyloomError(missing, { message: "an id is a lower-case UUID" });
}

/** A request with its key's id and version: exactly what will be done. @throws {KeyloomError} as the operation does */
async function resolve(context: StoreContext, given: ProposedRequest): Promise<ApprovableRequest> {
  if (typeof given !== "object" || given === null) throw new TypeError("a request must be an object");
  const { operation } = given;
  if (!Object.hasOwn(OPERATIONS, operation) || !("approvals" in OPERATIONS[operation])) {
    throw new KeyloomError("POLICY_INVALID", { message: `${String(operation)} can't be proposed` });
  }
  switch (given.operation) {
    case "set-policy":
      return {
        operation,
        parameters: parametersOf({ ...given, policy: checkPolicy(given.policy, VOCABULARY) }),
      };
    case "register-entity": {
      const name = checkGovernanceName(given.name, "an entity's name");
      const checked = { ...given, name, roles: checkRoles(given.roles, "roles") };
      return { operation, parameters: parametersOf(checked) };
    }
    case "revoke-entity":
      return { operation, parameters: parametersOf(given, idOf(given.entity, "ENTITY_NOT_FOUND")) };
    case "revoke":
      if (!Object.hasOwn(REVOCATION_REASONS, given.reason)) {
        throw new KeyloomError("KEY_INVALID_OPTION", { message: "there is no such reason to revoke" });
      }
      checkTime(given.occurrence, "occurrence");
      if (given.occurrence !== undefined && revocationEvent(given.reason) === "revoke") {
        throw new KeyloomError("KEY_INVALID_OPTION", { message: "only a compromise has an occurrence" });
      }
  }
  const { record } = await readForChange(context, given.key);
  const parameters = parametersOf(given);
  if (given.operation === "recover") return { operation, key: record.id, parameters };
  const { version } = chooseVersion(record, given.version);
  return { operation, key: record.id, version, parameters };
}

/**
 * Runs a command, with a proposal's approvals where one is given.
 *
 * @param run - is given the version that the request is about, where it names one
 */
export async function withApproval<T>(
  context: StoreContext,
  { approval }: ApprovalOption,
  given: () => ProposedRequest,
  run: (context: StoreContext, version?: number) => Promise<T>,
): Promise<T> {
  if (approval === undefined) return run(context);
  const proposal = idOf(approval, "PROPOSAL_NOT_FOUND");
  const request = await resolve(context, given());
  return run({ ...context, spending: { proposal, request, found: null, spent: false } }, request.version);
}

/** @throws {KeyloomError} as the request's operation does for what can't be meant; `KEY_INVALID_OPTION` for an expiry out of range */
export async function propose(
  context: StoreContext,
  given: ProposedRequest,
  { expires }: ProposeOptions,
): Promise<Proposal> {
  const until = checkTime(expires, "expires");
  await context.ring.refresh();
  authorize(context, "propose", null);
  const request = await resolve(context, given);
  const id = context.newId();
  const { result } = await execute(context, async () => {
    const decision = authorize(context, "propose", null);
    const time = commandTime(context);
    const life = (until ?? time + DEFAULT_LIFE) - time;
    if (life <= 0 || life > MAX_LIFE) {
      throw new KeyloomError("KEY_INVALID_OPTION", { message: "a proposal expires within 90 days from now" });
    }
    const proposal: Proposal = {
      id,
      request,
      by: context.principal.entity,
      created: time,
      expires: time + life,
      approvals: [],
    };
    const change = noChange();
    change.checks.push({ key: keyspace.proposal(id), version: null });
    change.records.push(proposalRecord(proposal, 1));
    const { key, version } = request;
    if (key !== undefined) change.subjects.push({ key, version: version ?? 0 });
    return { result: proposal, plan: planOf(context, "propose", decision, change, time) };
  });
  return result;
}

/**
 * Adds an approval, which its signature alone makes one: who brings it doesn't matter.
 *
 * @throws {KeyloomError} `PROPOSAL_NOT_FOUND`, `PROPOSAL_SPENT`, `PROPOSAL_EXPIRED`; `APPROVAL_INVALID` for an entity that is
 * unknown, revoked, without a public key, the proposer or has approved already, and for a signature that does not verify
 */
export async function approve(
  context: StoreContext,
  proposalId: string,
  { approver, signature }: ApproveOptions,
): Promise<Proposal> {
  const id = idOf(proposalId, "PROPOSAL_NOT_FOUND");
  const by = idOf(approver, "ENTITY_NOT_FOUND");
  requireBytes(signature, "signature");
  const { storage, records, sha256, storeId } = context;
  await context.ring.refresh();
  const { result } = await execute(context, async () => {
    const decision = authorize(context, "approve", null);
    const time = commandTime(context);
    const stored = await readProposal(storage, records, id);
    const proposal = requireOpen(stored?.proposal, id, time);
    const [found] = await readEntities(storage, records, [by]);
    const entity = found?.entity;
    const refuse = (why: string): KeyloomError =>
      new KeyloomError("APPROVAL_INVALID", {
        message: `this is no approval: ${why}`,
        proposal: proposalId,
        entity: approver,
      });
    if (entity?.publicKey === undefined || entity.revoked !== undefined) {
      throw refuse("the entity is unknown or revoked, or has no public key");
    }
    if (equalBytes(proposal.by, by)) throw refuse("who proposes does not approve");
    if (proposal.approvals.some((approval) => equalBytes(approval.entity, by))) {
      throw refuse("the entity has approved already");
    }
    if (proposal.approvals.length >= MAX_PROPOSAL_APPROVALS) throw refuse("it has approvals enough");
    const input = approvalInput(storeId, proposal, sha256);
    if (signature.length !== 64 || !context.verifySignature(entity.publicKey, input, signature)) {
      throw refuse("the signature does not verify");
    }
    const approvals = [...proposal.approvals, { entity: by, signature: signature.slice(), time }];
    const approved: Proposal = { ...proposal, approvals };
    const change = noChange();
    change.checks.push({ key: keyspace.proposal(id), version: stored!.storageVersion });
    if (!equalBytes(by, context.principal.entity)) {
      change.checks.push({ key: keyspace.entity(by), version: found!.storageVersion });
    }
    change.records.push(proposalRecord(approved, stored!.revision + 1));
    const more = { reasons: [...decision.rules, `approved by ${idToString(by)}`] };
    return { result: approved, plan: planOf(context, "approve", decision, change, time, more) };
  });
  return result;
}
