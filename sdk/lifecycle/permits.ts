/** May this version do this now? One pure function, with a typed reason for every refusal. */
import { PERMISSIONS, type State, type UseKind } from "./states.js";
import { effectiveState, type VersionDates } from "./transition.js";

/**
 * How the caller knows when data was protected: a verified time-stamp, an inclusion proof in the audit log, or its bare
 * word. Never the message itself.
 */
export const EVIDENCE_KINDS = {
  assertion: { trusted: false },
  "time-stamp": { trusted: true },
  inclusion: { trusted: true },
} as const satisfies Record<string, { trusted: boolean }>;

export type EvidenceKind = keyof typeof EVIDENCE_KINDS;

export interface Evidence {
  kind: EvidenceKind;
  /** The data was protected then or before. */
  time: number;
}

export const REFUSALS = {
  usage: "the key was not made for it",
  archived: "the key is archived: recover it first",
  "not-yet-active": "the version is not active yet",
  state: "the version's state never permits it",
  "before-process-start": "the version's process-start date lies ahead",
  "after-protect-stop": "the version's protect-stop date has passed",
  "acceptance-needed": "the version is suspended: only with evidence that the data was protected before",
  "grant-needed": "the version is deactivated, and policy does not grant processing",
  "recovery-only": "the version is compromised: only for recovery, and only when that is asked for",
  "trust-needed": "the version is compromised, and policy does not trust the principal",
  "evidence-needed": "the version is compromised: only with evidence that the data predates it",
  "evidence-too-weak": "the version is compromised: nobody's word is evidence enough",
  "evidence-too-late": "the evidence does not say that the data was protected in time",
} as const;

export type Refusal = keyof typeof REFUSALS;

/** What is to be said of a result that only an exception permitted. */
export type Mark = "suspended" | "compromised";

export type Permit =
  | { allowed: true; state: State; mark?: Mark; evidence?: EvidenceKind }
  | { allowed: false; state: State; refusal: Refusal };

/** What the policy in force grants the principal. */
export interface UsePolicy {
  /** To process with a deactivated version. */
  processDeactivated: boolean;
  /** Counts as trusted: recovery from a compromise. */
  trusted: boolean;
}

export interface UsableVersion {
  state: State;
  dates: VersionDates;
  archived: boolean;
  /** The key's usage mask. */
  usages: number;
  /** When it was suspended, where it is. Without it no evidence is early enough. */
  suspendedAt?: number | undefined;
}

/** What a caller asks for explicitly where the state alone does not permit it. */
export interface UseException {
  evidence?: Evidence | undefined;
  /** To read once more what a compromised version protected, so that it can be protected anew. */
  recovery?: boolean | undefined;
  /** `false`: evidence is brought, but not to have a suspended version accepted on it. */
  acceptSuspended?: boolean | undefined;
}

export interface UseRequest extends UseException {
  kind: UseKind;
  /** The usage's bit in the mask. */
  usage: number;
}

export function permits(
  version: UsableVersion,
  request: UseRequest,
  time: number,
  policy: UsePolicy,
): Permit {
  const { dates } = version;
  const { evidence, kind } = request;
  const state = effectiveState(version.state, dates, time);
  const no = (refusal: Refusal): Permit => ({ allowed: false, state, refusal });
  const exception = (mark: Mark): Permit => ({
    allowed: true,
    state,
    mark,
    ...(evidence === undefined ? {} : { evidence: evidence.kind }),
  });

  if ((version.usages & request.usage) === 0) return no("usage");
  if (version.archived) return no("archived");
  if (state === "pre-active") return no("not-yet-active");
  const rule = PERMISSIONS[state][kind];
  // KMIP §§4.40/4.41: process-start bars processing only, protect-stop bars protecting only.
  const early = dates.processStart !== undefined && time < dates.processStart;
  switch (rule) {
    case "no":
      return no("state");
    case "yes":
      return { allowed: true, state };
    case "until protect-stop":
      if (dates.protectStop !== undefined && time >= dates.protectStop) return no("after-protect-stop");
      return { allowed: true, state };
    case "from process-start":
      return early ? no("before-process-start") : { allowed: true, state };
    case "acceptance":
      if (early) return no("before-process-start");
      if (evidence === undefined || request.acceptSuspended === false) return no("acceptance-needed");
      if (!(evidence.time < (version.suspendedAt ?? -Infinity))) return no("evidence-too-late");
      return exception("suspended");
    case "grant":
      return policy.processDeactivated ? { allowed: true, state } : no("grant-needed");
    case "recovery":
      if (request.recovery !== true) return no("recovery-only");
      return policy.trusted ? exception("compromised") : no("trust-needed");
    case "evidence":
      if (evidence === undefined) return no("evidence-needed");
      if (!EVIDENCE_KINDS[evidence.kind].trusted) return no("evidence-too-weak");
      // When it happened, not when it was learned.
      if (evidence.time >= (dates.occurrence ?? dates.initial)) return no("evidence-too-late");
      return exception("compromised");
  }
}
