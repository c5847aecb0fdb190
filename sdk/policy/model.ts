/** What policy decides about. Pure data. */
import type { Id } from "../foundation/ids.js";

/** Who acts, and how that was established. */
export interface Principal {
  entity: Id;
  /** The method of authentication: here, that the store was unlocked. */
  authenticated: "unlock";
}

/** Every operation that is decided, with the effect it has: restricting ones reach every process. */
export const OPERATIONS = {
  create: { restricts: false },
  import: { restricts: false },
  activate: { restricts: false },
  suspend: { restricts: true },
  resume: { restricts: false },
  deactivate: { restricts: true },
  revoke: { restricts: true },
  archive: { restricts: true },
  recover: { restricts: false },
  rotate: { restricts: false },
  rewrap: { restricts: false },
  destroy: { restricts: true },
  "set-dates": { restricts: true },
  sweep: { restricts: true },
  "confirm-clock": { restricts: true },
  export: { restricts: false },
  encrypt: { restricts: false },
  decrypt: { restricts: false },
  sign: { restricts: false },
  verify: { restricts: false },
  read: { restricts: false },
} as const satisfies Record<string, { restricts: boolean }>;

export type Operation = keyof typeof OPERATIONS;

export interface PolicyRequest {
  principal: Principal;
  operation: Operation;
  /** The owner of the key concerned; `null` where the key doesn't exist yet. */
  owner: Id | null;
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
}
