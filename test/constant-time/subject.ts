/** A module that was rewritten to follow secrets, with names for what is in it. */
import { functionNames, sections } from "./binary.js";
import type { Cells, Rule } from "./context.js";
import { instrument, type Instrumented } from "./instrument.js";

export interface Violation {
  rule: Rule;
  /** Its name, where one is known, or its index. */
  functionName: string;
  /** In the file. Of an export's result: none. */
  offset?: number;
}

export class Subject {
  readonly rewritten: Instrumented;
  readonly compiled: WebAssembly.Module;
  /** Otherwise only exports have names. */
  readonly hasNames: boolean;
  readonly #names: Map<number, string>;
  /** A byte for each site: has any call reached it? */
  readonly #reached: Uint8Array;

  /**
   * @param cells - where secrets become public
   * @param named - the same code with names: a build that differs in nothing but its custom sections
   */
  constructor(original: Uint8Array, cells?: Cells, named?: Uint8Array) {
    this.rewritten = instrument(original, cells);
    this.compiled = new WebAssembly.Module(this.rewritten.bytes);
    this.#reached = new Uint8Array(this.rewritten.sites.length);
    this.#names = new Map([...this.rewritten.exports].map(([name, { index }]) => [index, name]));
    this.hasNames = named !== undefined && sameCode(original, named);
    if (!this.hasNames) return;
    for (const [index, name] of functionNames(named!)) this.#names.set(index, name.replace("assembly/", ""));
  }

  /** The functions that the module exports. */
  get exports(): string[] {
    return [...this.rewritten.exports.keys()];
  }

  nameOf(functionIndex: number): string {
    return this.#names.get(functionIndex) ?? `function ${functionIndex}`;
  }

  /** The functions with a place that reads a cell, in the order of the file. */
  declassifiers(cell: number): string[] {
    const places = this.rewritten.sites.filter((site) => site.cell === cell);
    return places.map(({ functionIndex }) => this.nameOf(functionIndex));
  }

  noteReached(reached: Uint8Array): void {
    for (const [i, byte] of reached.entries()) this.#reached[i]! |= byte;
  }

  /** How many places there are, and of each function those that no call has reached. */
  coverage(): { places: number; unreached: Map<string, string[]> } {
    const { sites } = this.rewritten;
    const unreached = new Map<string, string[]>();
    for (const { functionIndex, offset } of sites.filter((_, i) => this.#reached[i] === 0)) {
      const name = this.nameOf(functionIndex);
      unreached.set(name, [...(unreached.get(name) ?? []), `0x${offset.toString(16)}`]);
    }
    return { places: sites.length, unreached };
  }
}

function sameCode(a: Uint8Array, b: Uint8Array): boolean {
  const [codeA, codeB] = [a, b].map((module) => sections(module).find(({ id }) => id === 10)!.contents);
  return Buffer.compare(codeA!, codeB!) === 0;
}
