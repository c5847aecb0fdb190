/** Random histories of keys, run through the manager and through the reference model side by side. */
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  REVOCATION_REASON_NAMES,
  STATE_NAMES,
  type KeyManager,
  type RevocationReason,
} from "../../sdk/index.js";
import { MemorySpace } from "../../sdk/storage/memory.js";
import { virtualClock, type VirtualClock } from "../../sdk/testing/clock.js";
import { ModelKey, modelMayProcess, modelStateAt, type ModelEvent } from "../../sdk/testing/model.js";
import { AEAD, codeOf, KEK, openMemory, text } from "../flows/support.js";

const RUNS = Number((globalThis.process as NodeJS.Process | undefined)?.env["KEYLOOM_MODEL_RUNS"] ?? 250);
const NAMES = ["a", "b", "c"];

interface ModelledKey {
  key: ModelKey;
  /** The time of its last change: nothing about the key is evaluated before it. */
  time: number;
  /** Messages, each with the index of the version that made it. */
  messages: { version: number; sealed: Uint8Array }[];
}

class Model {
  readonly keys = new Map<string, ModelledKey>();
  /** The store's mark: when it was made, or swept last. */
  mark: number;
  now: number;
  /** Events that have to be in the audit. */
  events: string[] = ["init", "create"];

  constructor(now: number) {
    this.mark = now;
    this.now = now;
  }

  timeOf(key?: ModelledKey): number {
    return Math.max(this.now, this.mark, key?.time ?? 0);
  }

  changed(key: ModelledKey, event: string): void {
    key.time = this.timeOf(key);
    this.events.push(event);
  }
}

interface Real {
  keys: KeyManager;
  clock: VirtualClock;
  space: MemorySpace;
  seed: number;
}

type Command = fc.AsyncCommand<Model, Real>;

/** A command on a key that may or may not exist; `run` is told which. */
abstract class OnKey implements Command {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  check(model: Readonly<Model>): boolean {
    return model.keys.has(this.name);
  }
  async run(model: Model, real: Real): Promise<void> {
    await this.act(model, model.keys.get(this.name)!, real);
    await compare(model, real, this.name);
  }
  abstract act(model: Model, key: ModelledKey, real: Real): Promise<void>;
}

/** What the manager shows of a key is what the model says, for every version. */
async function compare(model: Model, real: Real, name: string): Promise<void> {
  const modelled = model.keys.get(name)!;
  const time = model.timeOf(modelled);
  const shown = (await real.keys.get(name))!;
  expect(shown.versions.map(({ state }) => state)).toEqual(
    modelled.key.versions.map((version) => modelStateAt(version, time)),
  );
  expect(shown.versions.findIndex(({ current }) => current)).toBe(modelled.key.current(time));
}

interface Shape {
  activation: number | null | undefined;
  steps: [number | undefined, number | undefined, number | undefined];
  wrapped: boolean;
}

class Create implements Command {
  readonly name: string;
  readonly shape: Shape;
  constructor(name: string, shape: Shape) {
    this.name = name;
    this.shape = shape;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, { keys, ...real }: Real): Promise<void> {
    const { activation, steps, wrapped } = this.shape;
    const time = model.timeOf();
    const start = time + (activation ?? 0);
    // In order: every date lies some steps behind the one before it.
    let at = start;
    const [processStart, protectStop, deactivation] = steps.map((step) =>
      step === undefined ? undefined : (at += step),
    );
    const date = (value: number | undefined): Date | undefined =>
      value === undefined ? undefined : new Date(value);
    const code = await codeOf(
      keys.create({
        name: this.name,
        algorithm: AEAD,
        under: wrapped ? "kek" : undefined,
        activation: activation === null ? null : activation === undefined ? undefined : new Date(start),
        processStart: date(processStart),
        protectStop: date(protectStop),
        deactivation: date(deactivation),
      }),
    );
    if (model.keys.has(this.name)) {
      expect(code).toBe("KEY_NAME_TAKEN");
      return;
    }
    expect(code).toBe("no error");
    const modelled: ModelledKey = { key: new ModelKey(), time: 0, messages: [] };
    modelled.key.versions.push({
      state: "pre-active",
      activation: activation === null ? undefined : start,
      processStart,
      protectStop,
      deactivation,
    });
    model.keys.set(this.name, modelled);
    model.changed(modelled, "create");
    await compare(model, { keys, ...real }, this.name);
  }
  toString(): string {
    return `create ${this.name} ${JSON.stringify(this.shape)}`;
  }
}

class Change extends OnKey {
  readonly event: "activate" | "deactivate" | "destroy";
  readonly pick: number;
  constructor(name: string, event: "activate" | "deactivate" | "destroy", pick: number) {
    super(name);
    this.event = event;
    this.pick = pick;
  }
  override async act(model: Model, modelled: ModelledKey, { keys }: Real): Promise<void> {
    const time = model.timeOf(modelled);
    const { key } = modelled;
    const newest = key.versions.length - 1;
    let index = this.pick % key.versions.length;
    let version: number | undefined = index + 1;
    if (this.event === "activate") {
      const waiting = key.newestPreActive(time);
      index = waiting < 0 ? newest : waiting;
      version = undefined;
    }
    const allowed = key.apply(index, this.event satisfies ModelEvent, time);
    expect(await codeOf(keys[this.event](this.name, { version }))).toBe(
      allowed ? "no error" : "KEY_TRANSITION_NOT_ALLOWED",
    );
    if (allowed) model.changed(modelled, this.event);
  }
  override toString(): string {
    return `${this.event} ${this.name} ${this.pick}`;
  }
}

class Revoke extends OnKey {
  readonly reason: RevocationReason;
  readonly pick: number;
  constructor(name: string, reason: RevocationReason, pick: number) {
    super(name);
    this.reason = reason;
    this.pick = pick;
  }
  override async act(model: Model, modelled: ModelledKey, { keys }: Real): Promise<void> {
    const index = this.pick % modelled.key.versions.length;
    const compromise = this.reason === "key-compromise" || this.reason === "ca-compromise";
    const event = compromise ? "revoke-compromised" : "revoke";
    const allowed = modelled.key.apply(index, event, model.timeOf(modelled));
    expect(await codeOf(keys.revoke(this.name, { reason: this.reason, version: index + 1 }))).toBe(
      allowed ? "no error" : "KEY_TRANSITION_NOT_ALLOWED",
    );
    if (allowed) model.changed(modelled, "revoke");
  }
  override toString(): string {
    return `revoke ${this.name} ${this.pick} for ${this.reason}`;
  }
}

class WholeKey extends OnKey {
  readonly event: "suspend" | "resume" | "archive" | "recover";
  constructor(name: string, event: "suspend" | "resume" | "archive" | "recover") {
    super(name);
    this.event = event;
  }
  override async act(model: Model, modelled: ModelledKey, { keys }: Real): Promise<void> {
    const { key } = modelled;
    const allowed =
      this.event === "archive" || this.event === "recover"
        ? key.archive(this.event === "archive")
        : key.applyAll(this.event, model.timeOf(modelled));
    expect(await codeOf(keys[this.event](this.name))).toBe(
      allowed ? "no error" : "KEY_TRANSITION_NOT_ALLOWED",
    );
    if (allowed) model.changed(modelled, this.event);
  }
  override toString(): string {
    return `${this.event} ${this.name}`;
  }
}

class Rotate extends OnKey {
  readonly offsetMs: number;
  constructor(name: string, offsetMs: number) {
    super(name);
    this.offsetMs = offsetMs;
  }
  override async act(model: Model, modelled: ModelledKey, { keys }: Real): Promise<void> {
    const allowed = modelled.key.rotate(model.timeOf(modelled), this.offsetMs);
    expect(await codeOf(keys.rotate(this.name, { offsetMs: this.offsetMs }))).toBe(
      allowed ? "no error" : "KEY_TRANSITION_NOT_ALLOWED",
    );
    if (allowed) model.changed(modelled, "rotate");
  }
  override toString(): string {
    return `rotate ${this.name} in ${this.offsetMs}`;
  }
}

class SetDate extends OnKey {
  readonly date: "protectStop" | "deactivation";
  readonly by: number | null;
  readonly pick: number;
  constructor(name: string, date: "protectStop" | "deactivation", by: number | null, pick: number) {
    super(name);
    this.date = date;
    this.by = by;
    this.pick = pick;
  }
  override async act(model: Model, modelled: ModelledKey, { keys }: Real): Promise<void> {
    const time = model.timeOf(modelled);
    const index = this.pick % modelled.key.versions.length;
    const to = this.by === null ? undefined : time + this.by;
    const expected = modelled.key.setDate(index, this.date, to, time);
    const value = to === undefined ? null : new Date(to);
    expect(await codeOf(keys.setDates(this.name, { [this.date]: value }, { version: index + 1 }))).toBe(
      expected,
    );
    if (expected === "no error") model.changed(modelled, "set-dates");
  }
  override toString(): string {
    return `set ${this.date} of ${this.name} ${this.pick} in ${this.by}`;
  }
}

class Sweep implements Command {
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    await real.keys.sweep();
    model.mark = Math.max(model.mark, model.now);
    for (const name of model.keys.keys()) await compare(model, real, name);
  }
  toString(): string {
    return "sweep";
  }
}

class Encrypt extends OnKey {
  override async act(model: Model, modelled: ModelledKey, { keys }: Real): Promise<void> {
    const current = modelled.key.current(model.timeOf(modelled));
    let sealed: Uint8Array | undefined;
    const code = await codeOf(keys.encrypt(this.name, text(this.name)).then((message) => (sealed = message)));
    if (current < 0) {
      expect(code).toMatch(/^KEY_(NOT_USABLE|DESTROYED)$/);
      return;
    }
    expect(code).toBe("no error");
    // The envelope names the version: its last header byte.
    expect(sealed![20]).toBe(current + 1);
    modelled.messages.push({ version: current, sealed: sealed! });
  }
  override toString(): string {
    return `encrypt ${this.name}`;
  }
}

class DecryptAll extends OnKey {
  override async act(model: Model, modelled: ModelledKey, { keys }: Real): Promise<void> {
    const time = model.timeOf(modelled);
    for (const { version, sealed } of modelled.messages) {
      const row = modelled.key.versions[version]!;
      if (!modelled.key.archived && modelMayProcess(row, time)) {
        expect(await keys.decrypt(sealed)).toEqual(text(this.name));
      } else {
        const gone = modelStateAt(row, time).startsWith("destroyed");
        const destroyed = gone && !modelled.key.archived;
        expect(await codeOf(keys.decrypt(sealed))).toBe(destroyed ? "KEY_DESTROYED" : "KEY_NOT_USABLE");
      }
    }
  }
  override toString(): string {
    return `decrypt everything of ${this.name}`;
  }
}

class TurnClock implements Command {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, { clock }: Real): Promise<void> {
    model.now += this.ms;
    if (this.ms >= 0) clock.advance(this.ms);
    else clock.set(clock.now() + this.ms);
  }
  toString(): string {
    return `clock ${this.ms < 0 ? "back" : "on"} ${Math.abs(this.ms)}`;
  }
}

class Reopen implements Command {
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    await real.keys.close();
    real.seed++;
    real.keys = (await openMemory({ ...real, create: false })).keys;
    for (const name of model.keys.keys()) await compare(model, real, name);
  }
  toString(): string {
    return "close and reopen";
  }
}

class RenewWrappingKey implements Command {
  check(): boolean {
    return true;
  }
  async run(model: Model, { keys }: Real): Promise<void> {
    const versions = (await keys.rotate("kek")).versions;
    const old = versions.at(-2)!.version;
    await keys.rewrap("kek");
    await keys.deactivate("kek", { version: old });
    expect((await keys.destroy("kek", { version: old })).shredded).toBe(0);
    model.events.push("rotate", "deactivate", "destroy");
  }
  toString(): string {
    return "renew the wrapping key";
  }
}

/** The lists by state, and the audit, at any moment. */
class LookAtAll implements Command {
  check(): boolean {
    return true;
  }
  async run(model: Model, { keys }: Real): Promise<void> {
    for (const state of STATE_NAMES) {
      const expected = [...model.keys].filter(([, modelled]) =>
        modelled.key.versions.some((version) => modelStateAt(version, model.timeOf(modelled)) === state),
      );
      const listed = (await keys.list({ state })).keys.flatMap(({ name }) => name ?? []);
      expect(listed.filter((name) => name !== "kek").sort()).toEqual(expected.map(([name]) => name).sort());
    }
    const events: string[] = [];
    for await (const { operation } of keys.audit()) {
      if (!["rewrap", "close-gate", "sweep", "mark"].includes(operation!)) events.push(operation!);
    }
    expect(events.sort()).toEqual([...model.events].sort());
  }
  toString(): string {
    return "look at all";
  }
}

const name = fc.constantFrom(...NAMES);
const step = fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined });
const shape: fc.Arbitrary<Shape> = fc.record({
  activation: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(null, undefined) },
    { weight: 1, arbitrary: fc.integer({ min: -50, max: 100 }) },
  ),
  steps: fc.tuple(step, step, step),
  wrapped: fc.boolean(),
});
const event = fc.constantFrom("activate" as const, "deactivate" as const, "destroy" as const);

const commands = fc.commands(
  [
    fc.tuple(name, shape).map(([key, what]) => new Create(key, what)),
    fc.tuple(name, event, fc.nat(7)).map(([key, what, pick]) => new Change(key, what, pick)),
    fc.tuple(name, event, fc.nat(7)).map(([key, what, pick]) => new Change(key, what, pick)),
    fc
      .tuple(name, fc.constantFrom(...REVOCATION_REASON_NAMES), fc.nat(7))
      .map(([key, reason, pick]) => new Revoke(key, reason, pick)),
    fc
      .tuple(
        name,
        fc.constantFrom("protectStop", "deactivation"),
        fc.option(fc.integer({ min: 0, max: 60 })),
        fc.nat(7),
      )
      .map(([key, date, by, pick]) => new SetDate(key, date, by, pick)),
    fc.constant(new Sweep()),
    fc.tuple(name, fc.constantFrom("suspend", "resume")).map(([key, what]) => new WholeKey(key, what)),
    fc
      .tuple(name, fc.constantFrom("archive", "recover", "recover"))
      .map(([k, what]) => new WholeKey(k, what)),
    fc.tuple(name, fc.constantFrom(0, 0, 1, 40)).map(([key, offset]) => new Rotate(key, offset)),
    name.map((key) => new Encrypt(key)),
    name.map((key) => new Encrypt(key)),
    name.map((key) => new DecryptAll(key)),
    fc.integer({ min: -80, max: 120 }).map((ms) => new TurnClock(ms)),
    fc.constant(new Reopen()),
    fc.constant(new RenewWrappingKey()),
    fc.constant(new LookAtAll()),
  ],
  { maxCommands: 60, size: "+1" },
);

it("does what the model does, whatever the order of commands", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const clock = virtualClock();
      const space = new MemorySpace();
      const { keys } = await openMemory({ clock, space, seed: 1 });
      await keys.create({ name: "kek", ...KEK });
      const real: Real = { keys, clock, space, seed: 1 };
      const model = new Model(clock.now());
      await fc.asyncModelRun(() => ({ model, real }), steps);
      for (const key of model.keys.keys()) await new DecryptAll(key).run(model, real);
      await new LookAtAll().run(model, real);
      await real.keys.close();
    }),
    { numRuns: RUNS },
  );
});
