/**
 * The lifecycle's facts, one table. The transition function, the checks, the state diagram and the
 * documentation derive from it.
 *
 * Sources: KMIP 2.1 §4.57 (rows K1 to K10), NIST SP 800-57 part 1 §7 (rows N1 to N6).
 */

/** States with the code each has in records. A code never changes its meaning. */
export const STATES = {
  "pre-active": 1,
  active: 2,
  suspended: 3,
  deactivated: 4,
  compromised: 5,
  destroyed: 6,
  "destroyed-compromised": 7,
} as const;

export type State = keyof typeof STATES;
export const STATE_NAMES = Object.keys(STATES) as readonly State[];

const STATE_BY_CODE = new Map<number, State>(STATE_NAMES.map((name) => [STATES[name], name]));

/** The state of a stored code, or `null` for a code this version doesn't know. */
export function stateOfCode(code: number): State | null {
  return STATE_BY_CODE.get(code) ?? null;
}

/**
 * What can happen to a version. `create` stands for generate, derive, import and rotate; the two `…-due`
 * events are dates being reached; `revoke` is split by its reason, since the table treats them differently.
 */
export const EVENTS = [
  "create",
  "activate",
  "activation-due",
  "suspend",
  "resume",
  "deactivate",
  "deactivation-due",
  "revoke",
  "revoke-compromised",
  "destroy",
] as const;

export type LifecycleEvent = (typeof EVENTS)[number];

/** KMIP §11.48, with the code each has in records. */
export const REVOCATION_REASONS = {
  unspecified: 1,
  "key-compromise": 2,
  "ca-compromise": 3,
  "affiliation-changed": 4,
  superseded: 5,
  "cessation-of-operation": 6,
  "privilege-withdrawn": 7,
} as const;

export type RevocationReason = keyof typeof REVOCATION_REASONS;

export function isCompromise(reason: RevocationReason): boolean {
  return reason === "key-compromise" || reason === "ca-compromise";
}

/** Which transitions exist: all of them, or only the ten that KMIP numbers. */
export type Profile = "default" | "kmip-2.1";

export interface Transition {
  /** The row's number in the specification. */
  readonly row: string;
  /** `null`: the version does not exist yet. */
  readonly from: State | null;
  readonly event: LifecycleEvent;
  readonly to: State;
  /** Refused unless the policy switches it on. */
  readonly offByDefault?: true;
}

export const TRANSITIONS = [
  { row: "K1", from: null, event: "create", to: "pre-active" },
  { row: "K2", from: "pre-active", event: "destroy", to: "destroyed" },
  { row: "K3", from: "pre-active", event: "revoke-compromised", to: "compromised" },
  { row: "K4", from: "pre-active", event: "activation-due", to: "active" },
  { row: "K4", from: "pre-active", event: "activate", to: "active" },
  { row: "K5", from: "active", event: "revoke-compromised", to: "compromised" },
  { row: "K6", from: "active", event: "deactivation-due", to: "deactivated" },
  { row: "K6", from: "active", event: "deactivate", to: "deactivated" },
  { row: "K6", from: "active", event: "revoke", to: "deactivated" },
  { row: "K7", from: "deactivated", event: "destroy", to: "destroyed" },
  { row: "K8", from: "deactivated", event: "revoke-compromised", to: "compromised" },
  { row: "K9", from: "compromised", event: "destroy", to: "destroyed-compromised" },
  { row: "K10", from: "destroyed", event: "revoke-compromised", to: "destroyed-compromised" },
  { row: "N1", from: "active", event: "suspend", to: "suspended" },
  { row: "N2", from: "suspended", event: "resume", to: "active" },
  { row: "N3", from: "suspended", event: "deactivate", to: "deactivated" },
  { row: "N3", from: "suspended", event: "deactivation-due", to: "deactivated" },
  { row: "N3", from: "suspended", event: "revoke", to: "deactivated" },
  { row: "N4", from: "suspended", event: "revoke-compromised", to: "compromised" },
  { row: "N5", from: "suspended", event: "destroy", to: "destroyed" },
  { row: "N6", from: "active", event: "destroy", to: "destroyed", offByDefault: true },
] as const satisfies readonly Transition[];

/** What a state permits. `date` = only between the version's dates; `grant` = by a named grant of policy. */
export const PERMISSIONS = {
  "pre-active": { protect: "no", process: "no" },
  active: { protect: "date", process: "date" },
  suspended: { protect: "no", process: "acceptance" },
  deactivated: { protect: "no", process: "grant" },
  compromised: { protect: "no", process: "recovery" },
  destroyed: { protect: "no", process: "no" },
  "destroyed-compromised": { protect: "no", process: "no" },
} as const satisfies Record<
  State,
  { protect: "no" | "date"; process: "no" | "date" | "acceptance" | "grant" | "recovery" }
>;
