/**
 * Who may do what in one open store: the policy in force and the roles of those who act, kept at hand like cached keys while
 * the epoch stands still. What they decide is checked once more by the commit that follows: see `commitPlan`.
 */
import { equalBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import type { Records } from "../crypto/records.js";
import { evaluate, evaluateOwner, OWNER_POLICY } from "../policy/evaluate.js";
import type { Approver, Decision, KeyFacts, Operation, Principal } from "../policy/model.js";
import type { Check, StorageAdapter } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import { OWNER_ROLE, readEntities, type StoredEntity } from "../entities/record.js";
import { readPolicies, type StoredPolicy } from "../governance/policy-record.js";

export interface AuthorityParts {
  storage: StorageAdapter;
  records: Records;
  storeOwner: Id;
}

export interface Asked {
  principal: Principal;
  operation: Operation;
  /** `null`: about the store as a whole. Called only where a stored policy needs it. */
  key: { owner: Id; facts: () => KeyFacts } | null;
  time: number;
  approvers: readonly Approver[];
}

export class Authority {
  readonly #parts: AuthorityParts;
  #policy: StoredPolicy | null = null;
  readonly #acting = new Map<string, StoredEntity>();

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
  }

  /** The stored policy in force; `null`: the built-in one. */
  get policy(): StoredPolicy | null {
    return this.#policy;
  }

  /** Reads the policy and those who act anew. */
  async reload(): Promise<void> {
    const { storage, records } = this.#parts;
    const [newest] = await readPolicies(storage, records, 1);
    const names = [...this.#acting.keys()];
    const ids = names.map((name) => this.#acting.get(name)!.entity.id);
    const entities = await readEntities(storage, records, ids);
    for (const [i, name] of names.entries()) if (entities[i] !== null) this.#acting.set(name, entities[i]!);
    this.#policy = newest ?? null;
  }

  /** Makes an entity one of those who act. @throws {KeyloomError} `ENTITY_NOT_FOUND`, also for a revoked one */
  async admit(id: Id): Promise<void> {
    const [stored] = await readEntities(this.#parts.storage, this.#parts.records, [id]);
    if (stored === null || stored === undefined || stored.entity.revoked !== undefined) {
      throw new KeyloomError("ENTITY_NOT_FOUND", {
        message: `there is no entity ${idToString(id)} that may act`,
        entity: idToString(id),
      });
    }
    this.#acting.set(idToString(id), stored);
  }

  #isOwner(entity: Id): boolean {
    return equalBytes(entity, this.#parts.storeOwner);
  }

  decide({ principal, operation, key, time, approvers }: Asked): Decision {
    if (this.#policy === null) {
      return evaluateOwner(this.#parts.storeOwner, { principal, operation, key });
    }
    const { policy, version } = this.#policy;
    const roles = this.#rolesOf(principal.entity);
    const decision = evaluate(policy, version, {
      principal: { ...principal, roles: roles ?? [] },
      operation,
      key: key === null ? null : key.facts(),
      context: { time, approvers },
    });
    if (roles !== null) return decision;
    const grants = { processDeactivated: false };
    return { ...decision, allowed: false, rules: ["entity-revoked"], trusted: false, grants };
  }

  #rolesOf(entity: Id): readonly string[] | null {
    if (this.#isOwner(entity)) return [OWNER_ROLE];
    const stored = this.#acting.get(idToString(entity));
    return stored === undefined || stored.entity.revoked !== undefined ? null : stored.entity.roles;
  }

  /** A decision for what follows from a command that was allowed, whoever gave it. */
  consequence(): Decision {
    return {
      allowed: true,
      policy: this.#policy?.policy.name ?? OWNER_POLICY,
      policyVersion: this.#policy?.version ?? 1,
      rules: ["follows-from-a-command"],
      trusted: true,
      grants: { processDeactivated: true },
    };
  }

  /**
   * What a commit checks so that it stands by the policy it was decided by, and by an entity that may still act.
   *
   * @param decision - its policy, by name and version, as its event has it
   */
  checks(decision: { policy: string; policyVersion: number }, principal: Principal): Check[] {
    const version = decision.policy === OWNER_POLICY ? 0 : decision.policyVersion;
    const checks: Check[] = [{ key: keyspace.policy(version + 1), version: null }];
    const acting = this.#acting.get(idToString(principal.entity));
    if (acting !== undefined) {
      checks.push({ key: keyspace.entity(principal.entity), version: acting.storageVersion });
    }
    return checks;
  }
}
