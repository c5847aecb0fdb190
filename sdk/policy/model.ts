/** What policy decides about, and what it is made of. Pure data. */
import type { Id } from "../foundation/ids.js";

/** Who acts, and how that was established. */
export interface Principal {
  entity: Id;
  /** The method of authentication: here, that the store was unlocked. */
  authenticated: "unlock";
}

/**
 * Every operation that is decided, with the effect it has: restricting ones reach every process. `approvals`: a policy
 * can demand them for it, for it is one commit, in which they are spent.
 */
export const OPERATIONS = {
  create: { restricts: false },
  import: { restricts: false },
  activate: { restricts: false },
  suspend: { restricts: true },
  resume: { restricts: false },
  deactivate: { restricts: true },
  revoke: { restricts: true, approvals: true },
  archive: { restricts: true },
  recover: { restricts: false, approvals: true },
  rotate: { restricts: false },
  rewrap: { restricts: false },
  destroy: { restricts: true, approvals: true },
  "set-dates": { restricts: true },
  sweep: { restricts: true },
  "confirm-clock": { restricts: true },
  export: { restricts: false, approvals: true },
  /** Putting a key under a wrapping key: of the wrapping key, beside the operation on the other one. */
  wrap: { restricts: false },
  backup: { restricts: false },
  repair: { restricts: false },
  encrypt: { restricts: false },
  decrypt: { restricts: false },
  sign: { restricts: false },
  verify: { restricts: false },
  agree: { restricts: false },
  read: { restricts: false },
  audit: { restricts: false },
  "set-policy": { restricts: true, approvals: true },
  "register-entity": { restricts: false, approvals: true },
  "revoke-entity": { restricts: true, approvals: true },
  propose: { restricts: false },
  approve: { restricts: false },
} as const satisfies Record<string, { restricts: boolean; approvals?: true }>;

export type Operation = keyof typeof OPERATIONS;
export type ApprovableOperation = {
  [O in Operation]: (typeof OPERATIONS)[O] extends { approvals: true } ? O : never;
}[Operation];
export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly Operation[];

/** What rules can say of the key concerned. */
export interface KeyFacts {
  owner: Id;
  algorithm: string;
  tags: readonly string[];
  /** Of the versions concerned, at the time of the request; empty for a key that doesn't exist yet. */
  states: readonly string[];
}

/** Somebody whose approval of this very request was verified. */
export interface Approver {
  entity: Id;
  roles: readonly string[];
}

export interface PolicyRequest {
  principal: Principal & { roles: readonly string[] };
  operation: Operation;
  /** `null`: the operation is about the store as a whole. */
  key: KeyFacts | null;
  context: { time: number; approvers: readonly Approver[] };
}

/** When a rule applies: all that is given holds. In UTC. */
export interface TimeWindow {
  /** From this time on. */
  from?: Date | undefined;
  /** Before this time. */
  until?: Date | undefined;
  /** Days of the week, Monday = 1 to Sunday = 7 (ISO 8601). */
  days?: readonly number[] | undefined;
  /** From the first hour to before the second, 0 to 24; over midnight where the first is the larger one. */
  hours?: readonly [number, number] | undefined;
}

/** What an allowing rule grants besides: to process with deactivated versions, and to count as trusted after a compromise. */
export const GRANTS = { "process-deactivated": 1, trusted: 2 } as const;
export type Grant = keyof typeof GRANTS;

/**
 * `allow`: one is needed. `forbid`: wins over all that allow. `require`: what is allowed needs approvals besides. Codes
 * never change their meaning.
 */
export const EFFECTS = { allow: 1, forbid: 2, require: 3 } as const;
export type Effect = keyof typeof EFFECTS;

/**
 * A rule applies where everything that it names holds; what it doesn't name doesn't matter. A rule that names something of
 * a key does not apply to the store as a whole.
 */
export interface PolicyRule {
  /** Stands in decisions and events. Unique in its policy. */
  name: string;
  effect: Effect;
  operations?: readonly Operation[] | undefined;
  /** The principal has one of these. */
  roles?: readonly string[] | undefined;
  /** The key has one of these. */
  tags?: readonly string[] | undefined;
  algorithms?: readonly string[] | undefined;
  /** Allowing: all versions concerned are in one of these; else: any is. */
  states?: readonly string[] | undefined;
  /** Only keys that the principal owns. */
  own?: true | undefined;
  window?: TimeWindow | undefined;
  /** For `allow` only. A key's owner may process with its deactivated versions without that. */
  grants?: readonly Grant[] | undefined;
  /** For `require` only: how many different entities have to approve, the proposer and the principal not counted. */
  approvals?: number | undefined;
  /** For `require` only: they have one of these roles. Absent: any registered entity with a public key. */
  approvers?: readonly string[] | undefined;
}

/** What keys and passphrases have to be like. Checked when a version is made, reported of those that exist. */
export interface StrengthRules {
  algorithms?: readonly string[] | undefined;
  /** From activation to protect-stop, or to deactivation where that comes first. */
  maxCryptoperiodDays?: number | undefined;
  minPbkdf2Iterations?: number | undefined;
  minArgon2idMemoryKiB?: number | undefined;
  minArgon2idPasses?: number | undefined;
}

export interface Policy {
  name: string;
  rules: readonly PolicyRule[];
  strength?: StrengthRules | undefined;
}

export interface Decision {
  allowed: boolean;
  /** The policy that decided, and its version: in every event. */
  policy: string;
  policyVersion: number;
  /** The rules that decided, in the policy's own words. */
  rules: readonly string[];
  /** The principal counts as trusted (recovery from compromise, re-wrapping away from it). */
  trusted: boolean;
  grants: { processDeactivated: boolean };
  /** Where the only thing missing is approvals: how many the request needs. */
  approvalsNeeded?: number;
}
