/** May this version protect or process now? One pure function, with a typed reason for every refusal. */
import { PERMISSIONS, type State } from "./states.js";
import { effectiveState, type VersionDates } from "./transition.js";

/** Protect = encrypt, sign, wrap, MAC, derive. Process = decrypt, verify, unwrap, MAC-verify. */
export type UseKind = "protect" | "process";

export type Refusal =
  | "not-yet-active"
  | "state"
  | "before-process-start"
  | "after-protect-stop"
  | "archived"
  | "acceptance-needed"
  | "grant-needed"
  | "recovery-only";

export type Permit = { allowed: true; state: State } | { allowed: false; state: State; refusal: Refusal };

/** What the caller brings besides the key: grants of the policy in force. */
export interface UseGrants {
  /** The named grant to process with a deactivated version. */
  processDeactivated: boolean;
}

export interface UsableVersion {
  state: State;
  dates: VersionDates;
  archived: boolean;
}

export function permits(version: UsableVersion, use: UseKind, time: number, grants: UseGrants): Permit {
  const { dates } = version;
  const state = effectiveState(version.state, dates, time);
  const no = (refusal: Refusal): Permit => ({ allowed: false, state, refusal });
  if (version.archived) return no("archived");
  if (state === "pre-active") return no("not-yet-active");
  switch (PERMISSIONS[state][use]) {
    case "no":
      return no("state");
    case "date":
      // KMIP §§4.40/4.41: process-start bars processing only, protect-stop bars protecting only.
      if (use === "process" && dates.processStart !== undefined && time < dates.processStart) {
        return no("before-process-start");
      }
      if (use === "protect" && dates.protectStop !== undefined && time >= dates.protectStop) {
        return no("after-protect-stop");
      }
      return { allowed: true, state };
    case "grant":
      return grants.processDeactivated ? { allowed: true, state } : no("grant-needed");
    case "acceptance":
      return no("acceptance-needed");
    case "recovery":
      return no("recovery-only");
  }
}
