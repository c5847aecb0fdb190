/**
 * The probe of test/core/memory over a core that follows secrets. Each call runs in the engine as well, on the bytes of the
 * published module: both must leave the same memory.
 */
import {
  Probe,
  runEngine,
  SLOT_COUNT,
  SLOT_SIZE,
  SLOTS,
  STAGING,
  type Call,
  type Draw,
  type Machine,
} from "../core/memory/probe.js";
import { Checker } from "./checker.js";
import type { Subject } from "./subject.js";
import { EXPORTS, VERDICTS } from "./secrets.js";

/** Slots begin with public attributes; then comes the key and what is derived from it. */
const SLOT_SECRETS = 32;

/** The core as it follows secrets, and as it is. */
export interface Builds {
  subject: Subject;
  engine: WebAssembly.Module;
}

export class TaintProbe extends Probe {
  readonly checker: Checker;
  /** Rules that were broken, "rule: function", each with its places in the file. */
  readonly violations = new Map<string, Set<string>>();
  readonly verdicts = new Set<string>();
  /** The exports whose output had a secret in it. */
  readonly carried = new Set<string>();
  /** A refused call has nothing secret to decide on: one of each kind is enough. */
  protected override readonly everyPlace = false;
  readonly #rig: Rig;
  #calling = "";
  #statuses = 0;

  private constructor(rig: Rig) {
    // What the tables are is compared with the engine's.
    super(rig.start, new Uint32Array(0));
    this.#rig = rig;
    this.checker = rig.checker;
  }

  static over(builds: Builds): TaintProbe {
    return new TaintProbe(new Rig(builds));
  }

  protected override prepare(name: string, call: Call, at: number[], out: number, args: number[]): void {
    this.checker.clear(STAGING, this.#rig.window - STAGING);
    const { secret, statuses } = EXPORTS[name] ?? { secret: {} };
    for (const index of Object.keys(secret).map(Number)) {
      const input = call.inputs?.[index];
      if (input instanceof Uint8Array) this.checker.taint(at[index]!, input.length);
    }
    this.#calling = name;
    this.#statuses = statuses?.(args) ?? 0;
    this.#rig.window = Math.min(this.checker.memory.length, out + (call.reserve ?? 0) + 4096);
  }

  /** Values are compared with the engine's; what is looked at here is where secrets are. */
  override inspect(out: number, outputEnd: number): string[] {
    const { checker } = this;
    const { violations, declassified } = checker.take();
    for (const { rule, functionName, offset } of violations) {
      const text = `${rule}: ${functionName}`;
      const places = this.violations.get(text) ?? new Set();
      this.violations.set(text, places.add(`0x${(offset ?? 0).toString(16)}`));
    }
    for (const cell of declassified) this.verdicts.add(verdictOf(cell));

    const isPublic = EXPORTS[this.#calling]?.output === "none";
    const secretEnd = isPublic ? out : Math.max(out, outputEnd - this.#statuses);
    if (checker.firstSecret(out, secretEnd) !== undefined) this.carried.add(this.#calling);
    const stray = [[0, SLOTS], [STAGING, out], [secretEnd, this.#rig.window]]; // prettier-ignore
    return [...this.#strayIn(stray), ...this.#openKeys(), ...this.#rig.takeDifferences()];
  }

  /** As `inspect`, over all of memory: once, after the last call. */
  inspectAll(): string[] {
    const slots = Array.from({ length: SLOT_COUNT }, (_, i) => SLOTS + i * SLOT_SIZE);
    const heads = slots.map((slot) => [slot, slot + SLOT_SECRETS]);
    return this.#strayIn([...heads, [this.#rig.window, this.checker.memory.length]]);
  }

  #strayIn(ranges: number[][]): string[] {
    const found = ranges.map(([from, to]) => this.checker.firstSecret(from!, to!));
    return found.flatMap((address) =>
      address === undefined ? [] : [`a secret at 0x${address.toString(16)}`],
    );
  }

  /** Live keys that the checker does not take for secrets: it would find nothing about them. */
  #openKeys(): string[] {
    return Array.from(this.live).flatMap(([handle, { material }]) => {
      const at = SLOTS + (handle & (SLOT_COUNT - 1)) * SLOT_SIZE + SLOT_SECRETS;
      const masks = this.checker.masks.subarray(at, at + material.length);
      return masks.every((mask) => mask === 0xff) ? [] : [`the key of handle ${handle} is not secret`];
    });
  }

  /** A thousand calls that are alike: the next one's comparison is theirs too. */
  override fillSlots(): void {
    this.#rig.compares = false;
    super.fillSlots();
    this.#rig.compares = true;
  }

  // No copies are searched for: a secret is known by its mask.
  override addSecret(): void {}
  override addKey(): void {}
}

function verdictOf(cell: number): string {
  return Object.entries(VERDICTS).find(([, address]) => address === cell)?.[0] ?? `cell ${cell}`;
}

/** The two cores, side by side. */
class Rig {
  readonly checker: Checker;
  readonly start: (draw: Draw) => Machine;
  /** Calls leave everything behind this address alone. */
  window = STAGING + 4096;
  /** Whether memories are compared after each call. */
  compares = true;
  /** Where the bytes begin that the test may have written since the last call: all of them before the first one. */
  #written = 0;
  readonly #twin: Machine;
  readonly #twinBytes: Buffer;
  readonly #drawn: { bytes: Uint8Array; status: number }[] = [];
  #draw: Draw = () => 1;
  #differences: string[] = [];

  constructor({ subject, engine }: Builds) {
    const random = (memory: Uint8Array, at: number, length: number): number => {
      const status = this.#draw(at, length);
      this.#drawn.push({ bytes: memory.slice(at, at + length), status });
      return status;
    };
    this.checker = new Checker(subject, random);
    this.#twin = runEngine(engine, (at) => {
      const { bytes, status } = this.#drawn.shift()!;
      this.#twinBytes.set(bytes, at);
      return status;
    });
    this.#twinBytes = Buffer.from(this.#twin.memory.buffer);
    const exports = Object.fromEntries(
      subject.exports.map((name) => [name, (...args: number[]) => this.#call(name, args)]),
    );
    const { wholeMemory: memory, memory: seen } = this.checker;
    this.start = (draw) => {
      this.#draw = draw;
      return { memory, size: seen.length, exports };
    };
  }

  takeDifferences(): string[] {
    return this.#differences.splice(0);
  }

  #call(name: string, args: number[]): number {
    const { memory } = this.checker;
    this.#twinBytes.set(memory.subarray(this.#written, this.window), this.#written);
    this.#written = STAGING;
    const result = Number(this.checker.call(name, args) ?? 0);
    const expected = this.#twin.exports[name]!(...args) ?? 0;
    const same =
      !this.compares || this.#twinBytes.subarray(0, this.window).equals(memory.subarray(0, this.window));
    if (result !== expected || !same || this.#drawn.length > 0) {
      this.#differences.push(`${name}: not what the engine computes`);
    }
    return result;
  }
}
