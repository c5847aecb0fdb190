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
  state: ModelState;
  activation?: number | undefined;
  processStart?: number | undefined;
  protectStop?: number | undefined;
  deactivation?: number | undefined;
  /** Deactivated by a command: that time was not planned, and a successor doesn't inherit it. */
  endedByCommand?: boolean | undefined;
}

/** The state at a time, with the dates that have passed applied in their order. */
export function modelStateAt(version: ModelVersion, time: number): ModelState {
  let { state } = version;
  if (state === "pre-active" && version.activation !== undefined && version.activation <= time)
    state = "active";
  const ended = version.deactivation !== undefined && version.deactivation <= time;
  if (ended && (state === "active" || state === "suspended")) state = "deactivated";
  return state;
}

/** May a version encrypt (or wrap) at a time? */
export function modelMayProtect(version: ModelVersion, time: number): boolean {
  if (modelStateAt(version, time) !== "active") return false;
  return version.protectStop === undefined || time < version.protectStop;
}

/** May a version decrypt (or unwrap) at a time, for a principal with the grant for deactivated versions? */
export function modelMayProcess(version: ModelVersion, time: number): boolean {
  const state = modelStateAt(version, time);
  if (state === "deactivated") return true;
  if (state !== "active") return false;
  return version.processStart === undefined || time >= version.processStart;
}

/** One key: what its commands do to its versions, and which version is current. */
export class ModelKey {
  readonly versions: ModelVersion[] = [];
  /** The archive date is set: nothing can be used. */
  archived = false;

  /** The index of the newest version that may protect, or -1. */
  current(time: number): number {
    if (this.archived) return -1;
    return this.versions.findLastIndex((version) => modelMayProtect(version, time));
  }

  /** The index of the newest version that waits for its activation, or -1. */
  newestPreActive(time: number): number {
    return this.versions.findLastIndex((version) => modelStateAt(version, time) === "pre-active");
  }

  /** Applies an event to one version. @returns whether it was allowed */
  apply(index: number, event: ModelEvent, time: number): boolean {
    const version = this.versions[index]!;
    const to = modelNext(modelStateAt(version, time), event);
    if (to === null) return false;
    // Dates keep their order: what ended already can't begin.
    if (event === "activate" && version.deactivation !== undefined && version.deactivation <= time)
      return false;
    version.state = to;
    if (event === "activate") version.activation = time;
    if (event === "deactivate" || event === "revoke") {
      version.deactivation = time;
      version.endedByCommand = true;
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
   * Sets a date, or takes it away: as long as it has not been reached, deactivation in pre-active and active, protect-stop
   * in suspended too, and protect-stop never after deactivation.
   *
   * @returns the code of the error, or "no error"
   */
  setDate(
    index: number,
    date: "protectStop" | "deactivation",
    to: number | undefined,
    time: number,
  ): "no error" | "KEY_DATE_FROZEN" | "KEY_INVALID_OPTION" {
    const version = this.versions[index]!;
    const state = modelStateAt(version, time);
    const changeable =
      state === "pre-active" || state === "active" || (date === "protectStop" && state === "suspended");
    const before = version[date];
    if (!changeable || (before !== undefined && before <= time)) return "KEY_DATE_FROZEN";
    const after = { ...version, [date]: to };
    const earliest = Math.max(after.activation ?? 0, date === "deactivation" ? (after.processStart ?? 0) : 0);
    if (to !== undefined && (to < time || to < earliest)) return "KEY_INVALID_OPTION";
    if ((after.protectStop ?? -Infinity) > (after.deactivation ?? Infinity)) return "KEY_INVALID_OPTION";
    // What dates have done by now is written down with the change.
    version.state = state;
    version[date] = to;
    return "no error";
  }

  /** Sets or clears the archive date. @returns whether it was the other way before */
  archive(archived: boolean): boolean {
    if (this.archived === archived) return false;
    this.archived = archived;
    return true;
  }

  /** Adds a successor (KMIP Table 303). @returns whether it was allowed */
  rotate(time: number, offset: number): boolean {
    const old = this.versions.at(-1)!;
    if (this.versions.some((version) => modelStateAt(version, time) === "pre-active")) return false;
    const state = modelStateAt(old, time);
    if (this.archived || state === "destroyed" || state === "destroyed-compromised") return false;
    const activation = time + offset;
    const shift = old.activation === undefined ? undefined : activation - old.activation;
    const moved = (date: number | undefined): number | undefined =>
      date === undefined || shift === undefined ? undefined : date + shift;
    this.versions.push({
      state: "pre-active",
      activation,
      processStart: moved(old.processStart),
      protectStop: moved(old.protectStop),
      deactivation: old.endedByCommand === true ? undefined : moved(old.deactivation),
    });
    return true;
  }
}
