/** A module that runs with secrets marked: what it did with them, and where they are. */
import { maskOf } from "./emitter.js";
import { resultMaskName } from "./instrument.js";
import type { Subject, Violation } from "./subject.js";

/** Fills memory with random bytes; 0 when it could. */
export type Random = (memory: Uint8Array, at: number, length: number) => number;

type Export = (...args: (number | bigint)[]) => number | bigint | undefined;

const PAGE = 65_536;
/** As many zeros as there may be masks: comparing with them is quicker than a loop. */
const ZEROS = Buffer.alloc(64 * PAGE);

export class Checker {
  readonly #subject: Subject;
  readonly #exports: WebAssembly.Exports;
  readonly wholeMemory: WebAssembly.Memory;
  /** The memory that the code sees, and the mask of each of its bytes. */
  readonly memory: Uint8Array;
  readonly masks: Uint8Array;
  readonly #reached: Uint8Array;
  readonly #trips: Uint8Array;
  #secretResults: Violation[] = [];

  constructor(subject: Subject, random: Random = () => 0) {
    this.#subject = subject;
    const { pages, allPages, shadow, reachedAt, tripsAt, sites } = subject.rewritten;
    const memory = new WebAssembly.Memory({ initial: allPages, maximum: allPages });
    this.wholeMemory = memory;
    this.memory = new Uint8Array(memory.buffer, 0, pages * PAGE);
    this.masks = new Uint8Array(memory.buffer, shadow, pages * PAGE);
    this.#reached = new Uint8Array(memory.buffer, reachedAt, sites.length);
    this.#trips = new Uint8Array(memory.buffer, tripsAt, sites.length);
    // Random bytes are secret: keys are made of them.
    const draw = (at: number, length: number): number => {
      const status = random(this.memory, at >>> 0, length);
      this.taint(at >>> 0, length);
      return status;
    };
    this.#exports = new WebAssembly.Instance(subject.compiled, { env: { memory, random: draw } }).exports;
  }

  taint(at: number, length: number, mask = 0xff): void {
    this.masks.fill(mask, at, at + length);
  }

  clear(at: number, length: number): void {
    this.taint(at, length, 0);
  }

  /** The address of the first byte with a secret bit in it, from … to (exclusive). */
  firstSecret(from: number, to: number): number | undefined {
    const masks = this.masks.subarray(from, to);
    if (Buffer.compare(masks, ZEROS.subarray(0, masks.length)) === 0) return undefined;
    return from + masks.findIndex((mask) => mask !== 0);
  }

  /**
   * Calls an export.
   *
   * @param masks - of the arguments; they are public where it says nothing
   */
  call(
    name: string,
    args: readonly (number | bigint)[],
    masks: readonly (number | bigint)[] = [],
  ): number | bigint | undefined {
    const { params, results } = this.#subject.rewritten.exports.get(name)!;
    const given = params.map((type, i) => masks[i] ?? (maskOf(type) === "i64" ? 0n : 0));
    const result = (this.#exports[name] as Export)(...args, ...given);
    if (results[0] !== undefined && this.resultMask(name) !== 0n) {
      this.#secretResults.push({ rule: "result of an export", functionName: name });
    }
    return result;
  }

  /** The mask of what an export returned last. */
  resultMask(name: string): bigint {
    const type = maskOf(this.#subject.rewritten.exports.get(name)!.results[0]!);
    return BigInt((this.#exports[resultMaskName(type)] as WebAssembly.Global).value);
  }

  /** What was done with secrets since this was last asked: rules that were broken, and cells that made secrets public. */
  take(): { violations: Violation[]; declassified: Set<number> } {
    const violations = this.#secretResults;
    const declassified = new Set<number>();
    this.#secretResults = [];
    this.#subject.noteReached(this.#reached);
    for (let i = this.#trips.indexOf(1); i >= 0; i = this.#trips.indexOf(1, i)) {
      const site = this.#subject.rewritten.sites[i]!;
      this.#trips[i] = 0;
      if (site.rule === "declassification") declassified.add(site.cell!);
      else
        violations.push({
          rule: site.rule,
          functionName: this.#subject.nameOf(site.functionIndex),
          offset: site.offset,
        });
    }
    return { violations, declassified };
  }
}
