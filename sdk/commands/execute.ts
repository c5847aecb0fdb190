/** Runs commands: a plan is built from what was just read, committed, and built anew when a check failed. */
import type { Clock } from "../foundation/clock.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import type { RandomSource } from "../foundation/random.js";
import { equalBytes } from "../foundation/bytes.js";
import type { Id } from "../foundation/ids.js";
import { algorithmOfId } from "../crypto/algorithms.js";
import type { Vault } from "../crypto/core.js";
import type { Records } from "../crypto/records.js";
import type { KeyRing } from "../keys/keyring.js";
import type { KeyRecord } from "../keys/record.js";
import { refreshMark, type Mark } from "../keys/store-records.js";
import type { UsePolicy } from "../lifecycle/permits.js";
import { effectiveState, type TransitionOptions } from "../lifecycle/transition.js";
import type { Decision, Operation, Principal } from "../policy/model.js";
import type { StorageAdapter } from "../storage/adapter.js";
import type { Sha256 } from "../audit/intake.js";
import type { TreeHashes } from "../audit/tree.js";
import type { Authority } from "./authority.js";
import type { DenialAudit } from "./denials.js";
import { lookAtSpending, noteSpent, spendingFor, type Spending } from "./spend.js";
import type { UsageLedger } from "./usage.js";
import type { UseAudit } from "./use-audit.js";
import type { Committer, CommitResult, Plan } from "./committer.js";

/** Everything that a command or a service of one open store works with. */
export interface StoreContext {
  storeId: Id;
  storage: StorageAdapter;
  vault: Vault;
  records: Records;
  sha256: Sha256;
  /** Ed25519, by the rule of docs/FORMATS.md: is it the public key's signature of the message? */
  verifySignature: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** The hashes of the audit log's tree. */
  tree: TreeHashes;
  clock: Clock;
  random: RandomSource;
  newId: () => Id;
  committer: Committer;
  ring: KeyRing;
  principal: Principal;
  /** The entity that the built-in policy is about. */
  storeOwner: Id;
  /** What decides. */
  authority: Authority;
  /** The proposal that the command at hand spends. */
  spending?: Spending;
  /** The store's mark: no time below it is used. Rises when this process or another one raises it. */
  mark: Mark;
  /** Counts what versions with usage limits protect. */
  usage: UsageLedger;
  /** Writes down the use of keys whose records ask for it. */
  uses: UseAudit;
  /** Counts what policy denies. */
  denials: DenialAudit;
  /** Which rows of the transition table commands may use. */
  transitions: TransitionOptions;
}

const RETRIES = 16;

/** What policy can know of a key, or of one that is to be made (which has no versions yet). */
export type KeySubject = Pick<KeyRecord, "owner" | "algorithm" | "tags" | "versions" | "time">;

/** Of the version concerned, or of all; those destroyed count where there is nothing else. */
function statesOf(context: StoreContext, { versions, time }: KeySubject, version?: number): string[] {
  const now = commandTime(context, time);
  const rows = version === undefined ? versions : versions.filter((row) => row.version === version);
  const states = [...new Set(rows.map(({ state, dates }) => effectiveState(state, dates, now)))];
  const left = states.filter((state) => state !== "destroyed" && state !== "destroyed-compromised");
  return left.length > 0 ? left : states;
}

/**
 * What policy says.
 *
 * @param key - the key concerned, `null` for what is about the store as a whole
 * @param version - the version concerned. Absent: all of them.
 */
export function decide(
  context: StoreContext,
  operation: Operation,
  key: KeySubject | null,
  version?: number,
): Decision {
  return context.authority.decide({
    principal: context.principal,
    operation,
    key: key && {
      owner: key.owner,
      facts: () => ({
        owner: key.owner,
        algorithm: algorithmOfId(key.algorithm) ?? "",
        tags: key.tags,
        states: statesOf(context, key, version),
      }),
    },
    time: commandTime(context),
    approvers: spendingFor(context, operation)?.approvers ?? [],
  });
}

/**
 * Asks policy. Parameters as of `decide`.
 *
 * @throws {KeyloomError} `POLICY_DENIED` with the rules that decided, `POLICY_APPROVAL_NEEDED` where only approvals are missing
 */
export function authorize(
  context: StoreContext,
  operation: Operation,
  key: KeySubject | null,
  version?: number,
): Decision {
  const decision = decide(context, operation, key, version);
  if (decision.allowed) return decision;
  context.denials.note(context, operation, decision);
  const { policy, policyVersion, rules, approvalsNeeded } = decision;
  const details = { operation, policy, policyVersion, rules };
  if (approvalsNeeded === undefined) {
    throw new KeyloomError("POLICY_DENIED", {
      message: `policy ${policy} does not permit ${operation}: ${rules.join(", ")}`,
      ...details,
    });
  }
  throw new KeyloomError("POLICY_APPROVAL_NEEDED", {
    message: `policy ${policy} permits ${operation} with ${approvalsNeeded} approvals: propose it first`,
    ...details,
    approvals: approvalsNeeded,
  });
}

/** What a decision means for the use of a version. */
export function usePolicy({ grants, trusted }: Decision): UsePolicy {
  return { ...grants, trusted };
}

/** The fields of an event that follow from who acts and what policy said. */
export function eventBy(
  context: StoreContext,
  operation: Operation | "init",
  decision: Decision,
): Pick<
  Plan["event"],
  "operation" | "entity" | "authenticated" | "policy" | "policyVersion" | "decision" | "reasons"
> {
  return {
    operation,
    entity: context.principal.entity,
    authenticated: context.principal.authenticated,
    policy: decision.policy,
    policyVersion: decision.policyVersion,
    decision: decision.allowed ? "allow" : "deny",
    reasons: decision.rules,
  };
}

/** The time a command works at: never below the store's mark or the key's own time. */
export function commandTime(context: StoreContext, keyTime = 0): number {
  return Math.max(context.clock.now(), keyTime, context.mark.time);
}

/**
 * Commits a plan if the policy that it was decided by is still in force and who acts may still act. Where not, that is a
 * conflict like any other, and what is at hand is read anew before the caller decides again.
 */
export async function commitPlan(context: StoreContext, plan: Plan): Promise<CommitResult> {
  if (plan.past === true) return context.committer.commit(plan);
  const own = context.authority.checks(plan.event, context.principal);
  const result = await context.committer.commit({ ...plan, checks: [...plan.checks, ...own] });
  if (
    !result.committed &&
    result.conflicts.some(({ key }) => own.some((check) => equalBytes(check.key, key)))
  ) {
    context.ring.invalidate();
    await context.authority.reload();
  }
  return result;
}

const isDenial = (error: unknown): boolean =>
  isKeyloomError(error, "POLICY_DENIED") || isKeyloomError(error, "POLICY_APPROVAL_NEEDED");

/**
 * Builds and commits a plan until no check fails.
 *
 * @param build - reads, decides and plans; called again after a conflict, so it must read afresh
 * @returns what `build` returned beside its plan, and the result of the commit
 * @throws {KeyloomError} `STORE_CONFLICT` when others keep changing the same records
 */
export async function execute<T>(
  context: StoreContext,
  build: () => Promise<{ plan: Plan; result: T }>,
): Promise<{ result: T; commit: Extract<CommitResult, { committed: true }> }> {
  for (let attempt = 0; attempt < RETRIES; attempt++) {
    // A change goes by the store's own time, not by what was heard of it a while ago.
    await refreshMark(context.storage, context.records, context.mark);
    await lookAtSpending(context, commandTime(context));
    const { plan, result } = await build().catch((error: unknown) => {
      if (attempt > 0 || !isDenial(error)) throw error;
      // By the policy at hand: another process may have set one that permits it.
      return context.authority.reload().then(build);
    });
    const commit = await commitPlan(context, plan);
    if (commit.committed) {
      noteSpent(context, plan.records);
      return { result, commit };
    }
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same records; try again" });
}
