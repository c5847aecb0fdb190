/**
 * The reference model of a whole store: keys, the mark, and what every step of a history may do to them. Written from
 * docs/LIFECYCLE.md's sources as `model.ts` is, and not from the library's own tables.
 */
import {
  modelCauseAt,
  ModelKey,
  modelMayProcess,
  modelStateAt,
  type ModelDate,
  type ModelEvent,
  type ModelException,
  type ModelRules,
  type ModelVersion,
} from "./model.js";

export const MODEL_REASONS = [
  "unspecified",
  "key-compromise",
  "ca-compromise",
  "affiliation-changed",
  "superseded",
  "cessation-of-operation",
  "privilege-withdrawn",
] as const;

/** How a key is made. Times are milliseconds from the clock's now on. */
export interface KeyShape {
  /** `undefined`: at once; `null`: by a command. */
  activation?: number | null | undefined;
  /** Process-start, protect-stop, deactivation: each so long after the one before it. */
  gaps: readonly [number | undefined, number | undefined, number | undefined];
  /** Under the wrapping key, not under the root key. */
  wrapped: boolean;
  imported: boolean;
  /** How many operations each version may protect. */
  limit?: number | undefined;
  /** Which uses are audited. Default: what has a limit is counted, other uses are not. */
  audit?: "counted" | "each" | undefined;
}

/** A command that changes a key. `pick` chooses a version; it is taken modulo their number. */
export type ChangeStep =
  | { do: "create"; key: string; shape: KeyShape }
  | { do: "activate" | "suspend" | "resume" | "archive" | "recover"; key: string }
  | { do: "deactivate" | "destroy"; key: string; pick: number }
  | BulkStep
  | {
      do: "revoke";
      key: string;
      pick: number;
      reason: (typeof MODEL_REASONS)[number];
      /** So many milliseconds ago; below 0: in the future. */
      ago?: number | undefined;
    }
  | { do: "rotate"; key: string; offset: number }
  | { do: "set-date"; key: string; pick: number; date: ModelDate; by: number | null };

/** Of all versions, one commit each. */
type BulkStep = { do: "deactivate-all"; key: string } | { do: "destroy-all"; key: string };

/** What a step may lead to: how it ends when nothing fails, and each world that there is on the way. */
export interface Outlook {
  code: string;
  /** In their order: the first is the world before, which a refusal leaves, the last the one that a success leaves. */
  worlds: readonly ModelStore[];
  /** From this one on all that was asked for has been done; what follows is upkeep. */
  done: number;
}

function isCompromise(reason: (typeof MODEL_REASONS)[number]): boolean {
  return reason === "key-compromise" || reason === "ca-compromise";
}

function refusal(world: ModelStore, code: string): Outlook {
  return { code, worlds: [world], done: 0 };
}

/** One key, and the time of its last change: nothing about it is evaluated before that. */
interface Entry {
  key: ModelKey;
  time: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The dates that a key is asked to have, by the clock. Without an activation it begins when it is made. */
export function datesOf({ activation, gaps }: KeyShape, now: number): Pick<ModelVersion, ModelDate> {
  let at = now + (activation ?? 0);
  const [processStart, protectStop, deactivation] = gaps.map((gap) =>
    gap === undefined ? undefined : (at += gap),
  );
  const start = typeof activation === "number" ? now + activation : undefined;
  return { activation: start, processStart, protectStop, deactivation };
}

export class ModelStore {
  readonly keys = new Map<string, Entry>();
  readonly rules: ModelRules;
  /** When the store was made, swept or believed last. */
  mark: number;
  /** How often each operation has to be in the audit. */
  readonly events: Record<string, number> = {};

  constructor(mark: number, rules: ModelRules = {}) {
    this.mark = mark;
    this.rules = rules;
  }

  clone(): ModelStore {
    const copy = new ModelStore(this.mark, this.rules);
    for (const [name, { key, time }] of this.keys) copy.keys.set(name, { key: key.clone(), time });
    Object.assign(copy.events, this.events);
    return copy;
  }

  key(name: string): ModelKey {
    return this.keys.get(name)!.key;
  }

  /** The time at which something is evaluated: no clock that steps back takes it below what was reached. */
  timeOf(name: string | undefined, now: number): number {
    return Math.max(now, this.mark, name === undefined ? 0 : (this.keys.get(name)?.time ?? 0));
  }

  count(operation: string, by = 1): void {
    this.events[operation] = (this.events[operation] ?? 0) + by;
  }

  /**
   * Whether the clock is believed by what can't be undone: at most a day ahead of the mark, or a month where nothing falls
   * due on the way.
   */
  believes(now: number): boolean {
    const ahead = now - this.mark;
    return ahead <= DAY || (ahead <= 31 * DAY && !this.#fallsDue(now));
  }

  /** The same with the mark at `now`, or where it is if that is later. */
  marked(now: number): ModelStore {
    const raised = this.clone();
    raised.mark = Math.max(raised.mark, now);
    return raised;
  }

  sweep(now: number): Outlook {
    if (!this.believes(now)) return refusal(this, "CLOCK_AHEAD");
    return { code: "no error", worlds: [this, this.marked(now)], done: 1 };
  }

  confirmClock(now: number): Outlook {
    const after = this.marked(now);
    after.count("confirm-clock");
    return { code: "no error", worlds: [this, after], done: 1 };
  }

  #fallsDue(until: number): boolean {
    const due = (date: number | undefined): boolean =>
      date !== undefined && date > this.mark && date <= until;
    return [...this.keys.values()].some(({ key }) =>
      key.versions.some(({ state, activation, deactivation }) => {
        if (state === "pre-active" && due(activation)) return true;
        return ["pre-active", "active", "suspended"].includes(state) && due(deactivation);
      }),
    );
  }

  /** The wrapping key gets a new version, everything moves there, the old version goes. */
  renewWrappingKey(now: number): Outlook {
    if (!this.believes(now)) return refusal(this, "CLOCK_AHEAD");
    const after = now - this.mark > HOUR ? this.marked(now) : this.clone();
    for (const operation of ["rotate", "deactivate", "destroy"]) after.count(operation);
    return { code: "no error", worlds: [this, after], done: 1 };
  }

  /** What a command may lead to. */
  change(step: ChangeStep, now: number): Outlook {
    if (step.do === "create") return this.#create(step.key, step.shape, now);
    // A reason without a compromise has no occurrence: nothing is looked at before that is said.
    if (step.do === "revoke" && step.ago !== undefined && !isCompromise(step.reason))
      return refusal(this, "KEY_INVALID_OPTION");
    if (!this.believes(now)) return refusal(this, "CLOCK_AHEAD");
    if (!this.keys.has(step.key)) return refusal(this, "KEY_NOT_FOUND");
    const time = this.timeOf(step.key, now);
    const worlds: ModelStore[] = [this];
    if (step.do === "deactivate-all" || step.do === "destroy-all") {
      const event = step.do === "destroy-all" ? "destroy" : "deactivate";
      for (const index of this.key(step.key).versions.keys()) {
        const next = worlds.at(-1)!.clone();
        if (!next.key(step.key).apply(index, event, time)) continue;
        next.#changed(step.key, time, event);
        worlds.push(next);
      }
    } else {
      const after = this.clone();
      const code = after.#apply(step, time, now);
      if (code !== "no error") return refusal(this, code);
      after.#changed(step.key, time, step.do === "set-date" ? "set-dates" : step.do);
      worlds.push(after);
    }
    const done = worlds.length - 1;
    if (now - this.mark > HOUR) worlds.push(worlds[done]!.marked(now));
    return { code: "no error", worlds, done };
  }

  #changed(name: string, time: number, operation: string): void {
    this.keys.get(name)!.time = time;
    this.count(operation);
  }

  #create(name: string, shape: KeyShape, now: number): Outlook {
    if (this.keys.has(name)) return refusal(this, "KEY_NAME_TAKEN");
    const after = this.clone();
    const time = after.timeOf(undefined, now);
    const key = new ModelKey(this.rules);
    const dates = datesOf(shape, now);
    if (shape.activation === undefined) {
      dates.activation = time;
      // The store may know better than the clock what time it is: then what was planned ends before it begins.
      const { processStart, protectStop, deactivation } = dates;
      if ([processStart, protectStop, deactivation].some((date) => date !== undefined && date < time))
        return refusal(this, "KEY_INVALID_OPTION");
    }
    key.add({ state: "pre-active", initial: time, ...dates, limit: shape.limit }, time);
    after.keys.set(name, { key, time });
    after.count(shape.imported ? "import" : "create");
    return { code: "no error", worlds: [this, after], done: 1 };
  }

  #apply(step: Exclude<ChangeStep, { do: "create" } | BulkStep>, time: number, now: number): string {
    const key = this.key(step.key);
    const refused = (allowed: boolean): string => (allowed ? "no error" : "KEY_TRANSITION_NOT_ALLOWED");
    const index = "pick" in step ? step.pick % key.versions.length : -1;
    switch (step.do) {
      case "activate": {
        const waiting = key.newestPreActive(time);
        return refused(key.apply(waiting < 0 ? key.versions.length - 1 : waiting, "activate", time));
      }
      case "suspend":
      case "resume":
        return refused(key.applyAll(step.do, time));
      case "archive":
      case "recover":
        return refused(key.archive(step.do === "archive", time));
      case "deactivate":
      case "destroy":
        return refused(key.apply(index, step.do, time));
      case "revoke": {
        const event: ModelEvent = isCompromise(step.reason) ? "revoke-compromised" : "revoke";
        const occurrence = step.ago === undefined ? undefined : now - step.ago;
        if (occurrence !== undefined && occurrence > time) return "KEY_INVALID_OPTION";
        return refused(key.apply(index, event, time, occurrence));
      }
      case "rotate":
        return refused(key.rotate(time, step.offset));
      case "set-date":
        return key.setDate(index, step.date, step.by === null ? undefined : now + step.by, time);
    }
  }

  /** How opening a message of a version ends. */
  opening(name: string, index: number, now: number, by: ModelException = {}): string {
    const key = this.keys.get(name)?.key;
    if (key === undefined) return "KEY_NOT_FOUND";
    const version = key.versions[index];
    if (version === undefined) return "KEY_VERSION_NOT_FOUND";
    const time = this.timeOf(name, now);
    if (key.archived !== undefined) return "KEY_NOT_USABLE";
    if (modelMayProcess(version, time, by)) return "no error";
    return modelStateAt(version, time).startsWith("destroyed") ? "KEY_DESTROYED" : "KEY_NOT_USABLE";
  }

  /** All that anybody can see of a key, as text. */
  shown(name: string, now: number): string {
    const entry = this.keys.get(name);
    if (entry === undefined) return "none";
    const time = this.timeOf(name, now);
    const { key } = entry;
    const current = key.current(time);
    const versions = key.versions.map((version, index) => ({
      state: modelStateAt(version, time),
      current: index === current,
      cause: modelCauseAt(version, time),
      limit: version.limit,
      dates: SHOWN_DATES.map((date) => version[date]),
    }));
    return JSON.stringify({ archived: key.archived, versions });
  }
}

/** The dates of a version in the order in which `shown` tells them. */
export const SHOWN_DATES = [
  "initial",
  "activation",
  "processStart",
  "protectStop",
  "deactivation",
  "compromise",
  "occurrence",
  "destroy",
] as const satisfies readonly (keyof ModelVersion)[];
