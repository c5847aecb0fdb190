/** Runs commands: a plan is built from what was just read, committed, and built anew when a check failed. */
import type { Clock } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import type { RandomSource } from "../foundation/random.js";
import type { Id } from "../foundation/ids.js";
import type { Vault } from "../crypto/core.js";
import type { Records } from "../crypto/records.js";
import type { KeyRing } from "../keys/keyring.js";
import { refreshMark, type Mark } from "../keys/store-records.js";
import type { UsePolicy } from "../lifecycle/permits.js";
import type { TransitionOptions } from "../lifecycle/transition.js";
import { evaluateOwner } from "../policy/evaluate.js";
import type { Decision, Operation, Principal } from "../policy/model.js";
import type { StorageAdapter } from "../storage/adapter.js";
import type { Sha256 } from "../audit/intake.js";
import type { TreeHashes } from "../audit/tree.js";
import type { UsageLedger } from "./usage.js";
import type { UseAudit } from "./use-audit.js";
import type { Committer, CommitResult, Plan } from "./committer.js";

/** Everything that a command or a service of one open store works with. */
export interface StoreContext {
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
  /** The store's mark: no time below it is used. Rises when this process or another one raises it. */
  mark: Mark;
  /** Counts what versions with usage limits protect. */
  usage: UsageLedger;
  /** Writes down the use of keys whose records ask for it. */
  uses: UseAudit;
  /** Which rows of the transition table commands may use. */
  transitions: TransitionOptions;
}

const RETRIES = 16;

/**
 * Asks policy.
 *
 * @param owner - the owner of the key concerned, `null` where there is none yet
 * @throws {KeyloomError} `POLICY_DENIED` with the rules that decided
 */
export function authorize(context: StoreContext, operation: Operation, owner: Id | null): Decision {
  const decision = evaluateOwner(context.storeOwner, {
    principal: context.principal,
    operation,
    key: owner === null ? null : { owner },
  });
  if (decision.allowed) return decision;
  throw new KeyloomError("POLICY_DENIED", {
    message: `policy ${decision.policy} does not permit ${operation}`,
    operation,
    policy: decision.policy,
    rules: decision.rules,
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
    const { plan, result } = await build();
    const commit = await context.committer.commit(plan);
    if (commit.committed) return { result, commit };
  }
  throw new KeyloomError("STORE_CONFLICT", { message: "others keep changing the same records; try again" });
}
