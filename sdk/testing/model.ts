/**
 * A reference model of the lifecycle, written from the specification (KMIP 2.1 §4.57, NIST SP 800-57 part 1 §7) and not
 * from the library's own table, so that the two can be held against each other.
 */

export type ModelState =
  | "pre-active"
  | "active"
  | "suspended"
  | "deactivated"
  | "compromised"
  | "destroyed"
  | "destroyed-compromised";

export type ModelEvent =
  | "create"
  | "activate"
  | "activation-due"
  | "suspend"
  | "resume"
  | "deactivate"
  | "deactivation-due"
  | "revoke"
  | "revoke-compromised"
  | "destroy";

export interface ModelRules {
  /** Only the ten transitions that KMIP numbers. */
  kmipOnly?: boolean;
  /** N6: an active version may be destroyed. */
  destroyActive?: boolean;
}

/** Where an event leads, or `null`: refused. */
export function modelNext(
  from: ModelState | null,
  event: ModelEvent,
  rules: ModelRules = {},
): ModelState | null {
  const nist = rules.kmipOnly !== true;
  switch (event) {
    case "create":
      return from === null ? "pre-active" : null;
    case "activate":
    case "activation-due":
      return from === "pre-active" ? "active" : null;
    case "suspend":
      return nist && from === "active" ? "suspended" : null;
    case "resume":
      return nist && from === "suspended" ? "active" : null;
    case "deactivate":
    case "deactivation-due":
    case "revoke":
      if (from === "active") return "deactivated";
      return nist && from === "suspended" ? "deactivated" : null;
    case "revoke-compromised":
      if (from === "pre-active" || from === "active" || from === "deactivated") return "compromised";
      if (from === "suspended") return nist ? "compromised" : null;
      return from === "destroyed" ? "destroyed-compromised" : null;
    case "destroy":
      if (from === "pre-active" || from === "deactivated") return "destroyed";
      if (from === "compromised") return "destroyed-compromised";
      if (from === "suspended") return nist ? "destroyed" : null;
      return from === "active" && nist && rules.destroyActive === true ? "destroyed" : null;
  }
}

export interface ModelVersion {
  /** As it was last written down: dates lead on from it. */
  state: ModelState;
  initial: number;
  activation?: number | undefined;
  processStart?: number | undefined;
  protectStop?: number | undefined;
  deactivation?: number | undefined;
  compromise?: number | undefined;
  occurrence?: number | undefined;
  destroy?: number | undefined;
  cause?: "command" | "expired" | "revoked" | undefined;
  suspendedAt?: number | undefined;
  /** Deactivated by a command: that time was not planned, and a successor doesn't inherit it. */
  endedByCommand?: boolean | undefined;
  /** How many operations may protect (KMIP §4.59). */
  limit?: number | undefined;
}

export const MODEL_DATES = ["activation", "processStart", "protectStop", "deactivation"] as const;
/** The dates that a command can set. */
export type ModelDate = (typeof MODEL_DATES)[number];

/** The state at a time, with the dates that have passed applied in their order. */
export function modelStateAt(version: ModelVersion, time: number): ModelState {
  let { state } = version;
  if (state === "pre-active" && version.activation !== undefined && version.activation <= time)
    state = "active";
  const ended = version.deactivation !== undefined && version.deactivation <= time;
  if (ended && (state === "active" || state === "suspended")) state = "deactivated";
  return state;
}

/** Why a version left its last state. */
export function modelCauseAt(version: ModelVersion, time: number): ModelVersion["cause"] {
  const ended = version.state !== "deactivated" && modelStateAt(version, time) === "deactivated";
  return ended ? "expired" : version.cause;
}

/** May a version encrypt (or wrap) at a time? */
export function modelMayProtect(version: ModelVersion, time: number): boolean {
  if (modelStateAt(version, time) !== "active") return false;
  return version.protectStop === undefined || time < version.protectStop;
}

/** What a caller brings where the state alone does not permit to process. */
export interface ModelException {
  /** The data was protected at this time or before. */
  evidence?: number | undefined;
  recovery?: boolean | undefined;
}

/** May a version decrypt (or unwrap) at a time, for a trusted principal with the grant for deactivated versions? */
export function modelMayProcess(version: ModelVersion, time: number, by: ModelException = {}): boolean {
  const begun = version.processStart === undefined || time >= version.processStart;
  switch (modelStateAt(version, time)) {
    case "active":
      return begun;
    case "suspended":
      return begun && by.evidence !== undefined && by.evidence < version.suspendedAt!;
    case "deactivated":
      return true;
    case "compromised":
      return by.recovery === true;
    default:
      return false;
  }
}

/** One key: what its commands do to its versions, and which version is current. */
export class ModelKey {
  readonly versions: ModelVersion[] = [];
  /** The archive date: while there is one, nothing can be used. */
  archived: number | undefined;
  readonly rules: ModelRules;

  constructor(rules: ModelRules = {}) {
    this.rules = rules;
  }

  clone(): ModelKey {
    const copy = new ModelKey(this.rules);
    copy.archived = this.archived;
    for (const version of this.versions) copy.versions.push({ ...version });
    return copy;
  }

  /** Adds a version as it comes into being: active at once where its activation has passed. */
  add(version: ModelVersion, time: number): void {
    writeDown(version, time);
    this.versions.push(version);
  }

  /** The index of the newest version that may protect, or -1. */
  current(time: number): number {
    if (this.archived !== undefined) return -1;
    return this.versions.findLastIndex((version) => modelMayProtect(version, time));
  }

  /** The index of the newest version that waits for its activation, or -1. */
  newestPreActive(time: number): number {
    return this.versions.findLastIndex((version) => modelStateAt(version, time) === "pre-active");
  }

  /** Whether an event can happen to a version. */
  allows(index: number, event: ModelEvent, time: number): boolean {
    const version = this.versions[index]!;
    // Dates keep their order: what ended already can't begin.
    if (event === "activate" && version.deactivation !== undefined && version.deactivation <= time)
      return false;
    return modelNext(modelStateAt(version, time), event, this.rules) !== null;
  }

  /** Applies an event to one version. @returns whether it was allowed */
  apply(index: number, event: ModelEvent, time: number, occurrence?: number): boolean {
    if (!this.allows(index, event, time)) return false;
    const version = this.versions[index]!;
    writeDown(version, time);
    version.state = modelNext(version.state, event, this.rules)!;
    switch (event) {
      case "activate":
        version.activation = time;
        break;
      case "suspend":
        version.suspendedAt = time;
        break;
      case "deactivate":
      case "revoke":
        version.deactivation = time;
        version.endedByCommand = true;
        version.cause = event === "revoke" ? "revoked" : "command";
        break;
      case "revoke-compromised":
        version.compromise = time;
        version.occurrence = occurrence ?? version.initial;
        version.cause = "revoked";
        break;
      case "destroy":
        version.destroy = time;
        break;
      default:
    }
    return true;
  }

  /** Applies an event to every version that it can happen to. @returns whether there was one */
  applyAll(event: ModelEvent, time: number): boolean {
    let any = false;
    for (const index of this.versions.keys()) any = this.apply(index, event, time) || any;
    return any;
  }

  /**
   * Sets a date, or takes it away: as long as it has not been reached, activation in pre-active, deactivation in
   * pre-active and active, the other two in suspended besides; in the order of the dates.
   *
   * @returns the code of the error, or "no error"
   */
  setDate(
    index: number,
    date: ModelDate,
    to: number | undefined,
    time: number,
  ): "no error" | "KEY_DATE_FROZEN" | "KEY_INVALID_OPTION" {
    const version = this.versions[index]!;
    const state = modelStateAt(version, time);
    const changeable =
      state === "pre-active" ||
      (state === "active" && date !== "activation") ||
      (state === "suspended" && (date === "protectStop" || date === "processStart"));
    const before = version[date];
    if (!changeable || (before !== undefined && before <= time)) return "KEY_DATE_FROZEN";
    if (to !== undefined) {
      const earlier = [version.activation, date === "deactivation" ? version.processStart : undefined];
      const later = [date === "activation" ? undefined : version.deactivation];
      if (date === "deactivation") earlier.push(version.protectStop);
      if (date === "activation") later.push(version.processStart, version.protectStop, version.deactivation);
      const bad =
        to < time ||
        (date !== "activation" && earlier.some((other) => other !== undefined && to < other)) ||
        (date !== "deactivation" && later.some((other) => other !== undefined && to > other));
      if (bad) return "KEY_INVALID_OPTION";
    }
    // What dates have done by now is written down with the change.
    writeDown(version, time);
    version[date] = to;
    return "no error";
  }

  /** Sets or clears the archive date. @returns whether it was the other way before */
  archive(archived: boolean, time: number): boolean {
    if ((this.archived !== undefined) === archived) return false;
    this.archived = archived ? time : undefined;
    return true;
  }

  /** Adds a successor (KMIP Table 303). @returns whether it was allowed */
  rotate(time: number, offset: number): boolean {
    const old = this.versions.at(-1)!;
    if (this.newestPreActive(time) >= 0) return false;
    const state = modelStateAt(old, time);
    if (this.archived !== undefined || state === "destroyed" || state === "destroyed-compromised")
      return false;
    const activation = time + offset;
    const shift = old.activation === undefined ? undefined : activation - old.activation;
    const moved = (date: number | undefined): number | undefined =>
      date === undefined || shift === undefined ? undefined : date + shift;
    const deactivation = old.endedByCommand === true ? undefined : moved(old.deactivation);
    const dates = {
      processStart: moved(old.processStart),
      protectStop: moved(old.protectStop),
      deactivation,
    };
    this.add({ state: "pre-active", initial: time, activation, ...dates, limit: old.limit }, time);
    return true;
  }
}

/** Makes durable what dates have brought about. */
function writeDown(version: ModelVersion, time: number): void {
  version.cause = modelCauseAt(version, time);
  version.state = modelStateAt(version, time);
}
