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

export const REVOCATION_REASON_NAMES = Object.keys(REVOCATION_REASONS) as readonly RevocationReason[];

/** The compromise reasons lead elsewhere than the others. */
export function revocationEvent(reason: RevocationReason): "revoke" | "revoke-compromised" {
  return reason === "key-compromise" || reason === "ca-compromise" ? "revoke-compromised" : "revoke";
}

/** Which transitions exist: all of them, or only the ten that KMIP numbers. */
export const PROFILES = ["default", "kmip-2.1"] as const;
export type Profile = (typeof PROFILES)[number];

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

/**
 * What a use is to the lifecycle. `protect`: encrypt, sign, wrap, MAC, derive. `open`: decrypt, unwrap. `check`: verify a
 * MAC. `verify`: verify a signature, for which the public half of a pair is enough.
 */
export type UseKind = "protect" | "open" | "check" | "verify";

/** When a use is permitted; `permits.ts` says what each means. */
export type Permission =
  | "no"
  | "yes"
  | "until protect-stop"
  | "from process-start"
  | "acceptance"
  | "grant"
  | "recovery"
  | "evidence";

/** What a state permits. The usage mask, and that the key is not archived, are needed besides. */
export const PERMISSIONS = {
  "pre-active": { protect: "no", open: "no", check: "no", verify: "no" },
  active: {
    protect: "until protect-stop",
    open: "from process-start",
    check: "from process-start",
    verify: "from process-start",
  },
  suspended: { protect: "no", open: "acceptance", check: "acceptance", verify: "acceptance" },
  deactivated: { protect: "no", open: "grant", check: "grant", verify: "yes" },
  compromised: { protect: "no", open: "recovery", check: "evidence", verify: "evidence" },
  destroyed: { protect: "no", open: "no", check: "no", verify: "yes" },
  "destroyed-compromised": { protect: "no", open: "no", check: "no", verify: "evidence" },
} as const satisfies Record<State, Record<UseKind, Permission>>;
