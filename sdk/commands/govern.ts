/** Governing: the policy in force, and the entities it speaks of. Commands like any other, heard by every process. */
import { equalBytes, requireBytes } from "../foundation/bytes.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import { PUBLIC_KEY_LENGTH } from "../crypto/algorithms.js";
import { checkGovernanceName, checkPolicy, checkRoles } from "../policy/check.js";
import { allowedLastingly } from "../policy/evaluate.js";
import type { Operation, Policy } from "../policy/model.js";
import { keyspace } from "../storage/keyspace.js";
import { entityRecord, listEntities, OWNER_ROLE, readEntities, type Entity } from "../entities/record.js";
import { policyRecord, VOCABULARY, type StoredPolicy } from "../governance/policy-record.js";
import { announce, noChange, planOf } from "./change.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";

export interface GovernOptions {
  /** Do it although nobody could change policy afterwards. */
  force?: boolean | undefined;
}

/** May one of these, by this policy, change policy again, with the approvals of the others where it needs them? */
function canChangePolicy(
  policy: Policy,
  candidates: readonly Entity[],
  all: readonly Entity[],
  time: number,
): boolean {
  const approvers = all
    .filter(({ publicKey, revoked }) => publicKey !== undefined && revoked === undefined)
    .map(({ id, roles }) => ({ entity: id, roles }));
  return candidates.some(({ id, roles, revoked }) => {
    if (revoked !== undefined) return false;
    const may = (operation: Operation, given: typeof approvers): boolean => {
      const principal = { entity: id, authenticated: "unlock" as const, roles };
      const request = { principal, operation, key: null, context: { time, approvers: given } };
      return allowedLastingly(policy, request, MAX_TIME);
    };
    if (may("set-policy", [])) return true;
    return may("set-policy", approvers) && may("propose", []) && may("approve", []);
  });
}

function lockout(message: string): KeyloomError {
  return new KeyloomError("POLICY_LOCKOUT", { message: `${message}; force: true does it all the same` });
}

/**
 * Puts another policy in force.
 *
 * @param given - checked by `checkPolicy`
 * @throws {KeyloomError} `POLICY_INVALID`; `POLICY_LOCKOUT` where it would deny who sets it to set another
 */
export async function setPolicy(
  context: StoreContext,
  given: Policy,
  { force }: GovernOptions,
): Promise<StoredPolicy> {
  const policy = checkPolicy(given, VOCABULARY);
  await context.ring.refresh();
  const { result } = await execute(context, async () => {
    const decision = authorize(context, "set-policy", null);
    const time = commandTime(context);
    const change = noChange();
    await announce(context, change);
    if (force !== true) await requireAuthorMayChange(context, policy, time);
    const version = (context.authority.policy?.version ?? 0) + 1;
    const stored: StoredPolicy = { version, policy, time, by: context.principal.entity };
    // That this version is absent is what every commit checks: see `commitPlan`.
    change.records.push(policyRecord(stored));
    return { result: stored, plan: planOf(context, "set-policy", decision, change, time) };
  });
  context.ring.invalidate();
  return result;
}

async function requireAuthorMayChange(
  { storage, records, principal }: StoreContext,
  policy: Policy,
  time: number,
): Promise<void> {
  const entities = (await listEntities(storage, records)).map(({ entity }) => entity);
  const author = entities.filter(({ id }) => equalBytes(id, principal.entity));
  if (!canChangePolicy(policy, author, entities, time)) {
    throw lockout("by this policy, who sets it could never change it again");
  }
}

export interface RegisterOptions {
  name: string;
  /** What policies call it: 1 to 64 roles, of names that policies use. `owner` is the owner's alone. */
  roles: readonly string[];
  /** An Ed25519 public key of 32 bytes, for who approves. Copied. */
  publicKey?: Uint8Array | undefined;
}

/** @throws {KeyloomError} `POLICY_INVALID` for a bad name or role, a public key of another length or one registered already */
export async function registerEntity(context: StoreContext, options: RegisterOptions): Promise<Entity> {
  if (typeof options !== "object" || options === null) throw new TypeError("options must be an object");
  const name = checkGovernanceName(options.name, "an entity's name");
  const roles = checkRoles(options.roles, "roles");
  const refuse = (message: string): KeyloomError => new KeyloomError("POLICY_INVALID", { message });
  if (roles.includes(OWNER_ROLE)) throw refuse(`the role ${OWNER_ROLE} is the store's owner's alone`);
  const { publicKey } = options;
  if (publicKey !== undefined) {
    requireBytes(publicKey, "publicKey");
    if (publicKey.length !== PUBLIC_KEY_LENGTH) throw refuse("an Ed25519 public key has 32 bytes");
  }
  const id = context.newId();
  await context.ring.refresh();
  const { result } = await execute(context, async () => {
    const decision = authorize(context, "register-entity", null);
    const time = commandTime(context);
    const entity: Entity = { id, name, roles, publicKey: publicKey?.slice(), registered: time };
    const change = noChange();
    await announce(context, change);
    if (publicKey !== undefined) {
      // One key under two names would be two approvals of one hand.
      const taken = (await listEntities(context.storage, context.records)).some(
        ({ entity: other }) => other.publicKey !== undefined && equalBytes(other.publicKey, publicKey),
      );
      if (taken) throw refuse("an entity with this public key is registered already");
    }
    change.checks.push({ key: keyspace.entity(id), version: null });
    change.records.push(entityRecord(entity, 1));
    return { result: entity, plan: planOf(context, "register-entity", decision, change, time) };
  });
  context.ring.invalidate();
  return result;
}

/**
 * From now on the entity may nothing, and its approvals count no more. Its record stays, and so do its keys.
 *
 * @throws {KeyloomError} `ENTITY_NOT_FOUND`, also for the owner and for one that is revoked; `POLICY_LOCKOUT` where nobody
 * could change policy without it
 */
export async function revokeEntity(context: StoreContext, id: Id, { force }: GovernOptions): Promise<Entity> {
  await context.ring.refresh();
  const { storage, records } = context;
  const { result } = await execute(context, async () => {
    const decision = authorize(context, "revoke-entity", null);
    const time = commandTime(context);
    const change = noChange();
    await announce(context, change);
    const [stored] = await readEntities(storage, records, [id]);
    if (stored == null || stored.entity.revoked !== undefined || stored.entity.roles.includes(OWNER_ROLE)) {
      throw new KeyloomError("ENTITY_NOT_FOUND", {
        message: `there is no entity ${idToString(id)} that can be revoked`,
        entity: idToString(id),
      });
    }
    const entity: Entity = { ...stored.entity, revoked: time };
    const policy = context.authority.policy?.policy;
    if (policy !== undefined && force !== true) {
      const before = (await listEntities(storage, records)).map((other) => other.entity);
      const after = before.map((other) => (equalBytes(other.id, id) ? entity : other));
      if (canChangePolicy(policy, before, before, time) && !canChangePolicy(policy, after, after, time)) {
        throw lockout("without this entity nobody could change policy any more");
      }
    }
    change.checks.push({ key: keyspace.entity(id), version: stored.storageVersion });
    change.records.push(entityRecord(entity, stored.revision + 1));
    return { result: entity, plan: planOf(context, "revoke-entity", decision, change, time) };
  });
  context.ring.invalidate();
  return result;
}
