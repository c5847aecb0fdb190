/**
 * The core's exports over a memory that the test sees whole. Staging is poisoned before every call; after it, all of
 * memory is compared with what the design allows: see `inspect`.
 */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import nacl from "tweetnacl";
import { expect } from "vitest";
import { wasmSource, type WasmKind } from "../../../bindings/wasm-source.js";
import { toHex } from "../support.js";

// The regions, written down a second time.
export const STATIC_END = 0x4000;
export const SCRATCH_END = 0x2_c000;
/** Tables computed at first use lie between scratch and slots. */
export const SLOTS = SCRATCH_END + 0xa400;
export const SLOT_COUNT = 1024;
export const SLOT_SIZE = 256;
export const SLOTS_END = SLOTS + SLOT_COUNT * SLOT_SIZE;
/** Where staging begins: behind the slots. */
export const STAGING = SLOTS_END;
const PAGES = 64;
const POISON = 0xa5;
const POISON_WORD = 0xa5a5_a5a5;

export const STATUS = {
  OK: 0,
  AUTHENTICATION: 1,
  LENGTH: 2,
  PARAMETER: 3,
  STALE: 4,
  MISUSE: 5,
  SLOTS_EXHAUSTED: 6,
  RANDOM: 7,
  NOT_EXPORTABLE: 8,
  RANGE: 9,
  WEAK_KEY: 10,
} as const;
export type StatusName = keyof typeof STATUS;

/** What a slot is to hold while its key lives. */
export interface KeyModel {
  algorithm: number;
  usages: number;
  flags: number;
  version: number;
  id: Uint8Array;
  material: Uint8Array;
}

export interface Call {
  /** Laid out back to back, 16-byte aligned; a number is that many bytes of room. */
  inputs?: readonly (Uint8Array | number)[];
  /** Bytes of room for the output. */
  reserve?: number;
  /** What stands at the beginning of that room before the call: an output made in place. */
  inPlace?: Uint8Array;
  /** Bytes of it that are the declared output after success; all of it when absent. */
  output?: number;
  args: (at: number[], out: number) => number[];
  /** The key in the slot that a returned handle names. */
  key?: (handle: number) => KeyModel;
  /** What must be nowhere after this call, besides what must be nowhere anyway. */
  secrets?: (output: Uint8Array) => Uint8Array[];
  /** The output is a key in the clear, by contract. */
  cleartext?: boolean;
  /** Plants a residue between the call and the look at memory. */
  plant?: (memory: Uint8Array) => void;
}

export interface Outcome {
  status: StatusName;
  /** A handle or a number, where the export returns one. */
  value: number;
  output: Uint8Array;
  findings: string[];
}

export type Export = (...args: number[]) => number | undefined;
/** Fills memory with random bytes; 0 when it could. */
export type Draw = (at: number, length: number) => number;

/** What runs the exports: the engine itself, or one that looks on (test/constant-time). */
export interface Machine {
  memory: WebAssembly.Memory;
  /** How much of it the core sees. */
  size: number;
  exports: Record<string, Export>;
}
/** Exports that return a handle, or a number, or its negated status; all others return a status. */
const NUMBERS = new Set([
  "vaultGenerate",
  "vaultImport",
  "vaultFromPassword",
  "vaultUnwrap",
  "vaultDerive",
  "vaultAgeUnwrap",
  "vaultAgeScryptUnwrap",
  "vaultAgePayloadKey",
  "vaultLength",
  "vaultOverhead",
  "aesKwpUnwrap",
  "vaultAgree",
  "vaultAgeX25519Unwrap",
  "vaultOpenFrom",
  "vaultLiveCount",
]);

const modules = new Map<WasmKind, Promise<WebAssembly.Module>>();

export async function compile(kind: WasmKind): Promise<WebAssembly.Module> {
  const source = await wasmSource(kind);
  return source instanceof WebAssembly.Module ? source : WebAssembly.compile(source);
}

/** Instantiates the core over a memory of the vault's size. */
export function runEngine(module: WebAssembly.Module, draw: Draw): Machine {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, random: draw } });
  return { memory, size: memory.buffer.byteLength, exports: exports as Machine["exports"] };
}

const tables = new Map<WasmKind, Uint32Array>();

/** The tables that an instance computes for itself, without any input: it verifies no signatures. */
function tablesOf(module: WebAssembly.Module): Uint32Array {
  const { memory, exports } = runEngine(module, () => 1);
  expect(exports["ed25519Verify"]!(STAGING, STAGING, STAGING, STAGING, 0, STAGING)).toBe(0);
  return new Uint32Array(memory.buffer.slice(SCRATCH_END, SLOTS));
}

export class Probe {
  readonly memory: WebAssembly.Memory;
  readonly exports: Record<string, Export>;
  readonly live = new Map<number, KeyModel>();
  /** The statuses that each export has returned. */
  readonly seen = new Map<string, Set<StatusName>>();
  /** How many draws of random bytes succeed before one fails, having written its bytes already. */
  drawsLeft = Infinity;
  /** Whether `ranges` tries every address, or one. */
  protected readonly everyPlace: boolean = true;
  /** Sees memory at every draw, in the middle of a call. */
  onDraw: ((memory: Uint8Array) => void) | null = null;
  #draws = 0;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #static: Uint32Array;
  readonly #generations = new Uint32Array(SLOT_COUNT);
  readonly #secrets = new Map<bigint, string>();

  readonly #tables: Uint32Array;

  protected constructor(start: (draw: Draw) => Machine, tables: Uint32Array) {
    this.#tables = tables;
    const { memory, size, exports } = start((at, length) => this.#random(at, length));
    this.memory = memory;
    this.#bytes = new Uint8Array(memory.buffer, 0, size);
    this.#words = new Uint32Array(memory.buffer, 0, size / 4);
    this.exports = exports;
    // Poison where static memory holds no data, behind the cells of verdicts. The core reads and writes nothing there.
    for (let i = 64; i < STATIC_END; i += 64) {
      const piece = this.#bytes.subarray(i, i + 64);
      if (piece.every((byte) => byte === 0) && (i < 1024 || i >= 0x3000)) piece.fill(POISON);
    }
    this.#static = this.#words.slice(0, STATIC_END / 4);
  }

  static async create(kind: WasmKind): Promise<Probe> {
    if (!modules.has(kind)) modules.set(kind, compile(kind));
    const module = await modules.get(kind)!;
    if (!tables.has(kind)) tables.set(kind, tablesOf(module));
    return new Probe((draw) => runEngine(module, draw), tables.get(kind)!);
  }

  #random(at: number, length: number): number {
    this.onDraw?.(this.#bytes);
    const out = this.#bytes.subarray(at, at + length);
    let state = (0x9e37_79b9 * ++this.#draws) >>> 0 || 1;
    for (let i = 0; i < length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      out[i] = state >>> 11;
    }
    return this.drawsLeft-- > 0 ? 0 : 1;
  }

  /** Registers bytes that must be nowhere but in live slots: any eight in a row are looked for. */
  addSecret(secret: Uint8Array, what: string): void {
    const view = new DataView(secret.buffer, secret.byteOffset, secret.length);
    for (let i = 0; i + 8 <= secret.length; i++) this.#secrets.set(view.getBigUint64(i), what);
  }

  /** A key's material and everything that is derived from it, but for commitments, which are public. */
  addKey(material: Uint8Array): void {
    this.addSecret(material, "a key");
    for (const label of ["wrap/enc", "wrap/mac", "message/enc", "age/enc", "derive", "mac", "record-mac"]) {
      this.addSecret(subkey(material, label), `the ${label} subkey`);
    }
  }

  /** What else is to be done before a call: its inputs lie at `at`, its output is to begin at `out`. */
  protected prepare(_name: string, _call: Call, _at: number[], _out: number, _args: number[]): void {}

  /** Runs a call and looks at memory. */
  attempt(name: string, call: Call): Outcome {
    const bytes = this.#bytes;
    bytes.fill(POISON, STAGING);
    const at: number[] = [];
    let end = STAGING;
    for (const input of call.inputs ?? []) {
      at.push(end);
      const length = typeof input === "number" ? input : input.length;
      if (typeof input !== "number") bytes.set(input, end);
      end = (end + length + 15) & -16;
    }
    if (call.inPlace !== undefined) bytes.set(call.inPlace, end);
    const args = call.args(at, end);
    this.prepare(name, call, at, end, args);
    const result = this.exports[name]!(...args) ?? 0;
    const failed = NUMBERS.has(name) ? result < 0 : result !== 0;
    const code = failed ? Math.abs(result) : 0;
    const status = (Object.keys(STATUS) as StatusName[]).find((key) => STATUS[key] === code)!;
    if (!this.seen.has(name)) this.seen.set(name, new Set());
    this.seen.get(name)!.add(status);
    const reserve = call.reserve ?? 0;
    const outputEnd = failed ? end : end + (call.output ?? reserve);
    const output = bytes.slice(end, outputEnd);
    if (!failed && call.key !== undefined) {
      const key = call.key(result);
      this.live.set(result, key);
      this.addKey(key.material);
      if (key.algorithm === ED25519)
        this.addSecret(expanded(key.material).subarray(0, 64), "an expanded key");
    }
    for (const secret of failed ? [] : (call.secrets?.(output) ?? []))
      this.addSecret(secret, "a key in flight");
    call.plant?.(bytes);
    const findings = this.inspect(end, outputEnd, end + reserve, status === "RANGE", call.cleartext === true);
    return { status, value: failed ? 0 : result, output, findings };
  }

  /** A call that ends with `status` and leaves nothing. */
  call(name: string, call: Call, status: StatusName = "OK"): Outcome {
    const outcome = this.attempt(name, call);
    expect({ status: outcome.status, findings: outcome.findings }, name).toEqual({ status, findings: [] });
    return outcome;
  }

  /** The call again and again, with each of its addresses outside of staging: nothing is touched, all is wiped. */
  ranges(name: string, call: Call, end?: "end"): void {
    let places: number[] = [];
    const known = (value: number, at: readonly number[], out: number): boolean =>
      value === out || at.includes(value);
    const plain = (at: number[], out: number): number[] => {
      const args = call.args(at, out);
      places = args.flatMap((value, i) => (known(value, at, out) ? [i] : []));
      // An `end` says where inputs end and is never read or written: it needs no check.
      if (end === "end") places.pop();
      args[places[0]!] = 0;
      return args;
    };
    this.call(name, { ...call, args: plain }, "RANGE");
    if (!this.everyPlace) return;
    for (const place of places) {
      const behind = place % 2 === 0 ? this.#bytes.length + 16 : 0xffff_fff0;
      for (const outside of [STAGING - 16, behind]) {
        const args = (at: number[], out: number): number[] => call.args(at, out).with(place, outside);
        this.call(name, { ...call, args }, "RANGE");
      }
    }
  }

  /**
   * What memory holds that it must not. Static data is as it was; scratch is zero; a free slot is zero but for its
   * generation, a live one holds its key and what may be cached; staging is zero up to the output, behind which it is as
   * it was before the call; and no secret lies anywhere but in live slots.
   *
   * @param outputEnd - where the declared output ends: `out` itself after a failure
   * @param reserveEnd - where the room for outputs ends; up to there it is zero or as it was
   */
  inspect(out: number, outputEnd: number, reserveEnd: number, allZero = false, cleartext = false): string[] {
    const findings: string[] = [];
    const report = (what: string, address: number): void => {
      if (findings.length < 8) findings.push(`${what} at 0x${address.toString(16)}`);
    };
    const bytes = this.#bytes;
    for (let i = 0; i < STATIC_END / 4; i++)
      if (this.#words[i] !== this.#static[i]) report("static data", i * 4);
    for (let i = STATIC_END / 4; i < SCRATCH_END / 4; i++) if (this.#words[i] !== 0) report("scratch", i * 4);
    // Tables are not there yet, or are what they are in an instance that never saw a secret.
    const computed = this.#words[SCRATCH_END / 4] !== 0;
    for (let i = SCRATCH_END / 4; i < SLOTS / 4; i++) {
      if (this.#words[i] !== (computed ? this.#tables[i - SCRATCH_END / 4] : 0)) report("a table", i * 4);
    }
    for (let index = 0; index < SLOT_COUNT; index++) this.#inspectSlot(index, report);
    for (let i = STAGING; i < out; i++) if (bytes[i] !== 0) report("staging before the output", i);
    for (let i = outputEnd; i < reserveEnd; i++) {
      if (bytes[i] !== 0 && (allZero || bytes[i] !== POISON)) report("room for the output", i);
    }
    let i = reserveEnd;
    const beyond = allZero ? 0 : POISON;
    for (; (i & 3) !== 0; i++) if (bytes[i] !== beyond) report("staging behind the output", i);
    const word = allZero ? 0 : POISON_WORD;
    for (i >>= 2; i < this.#words.length; i++) {
      if (this.#words[i] !== word) report("staging behind the output", i * 4);
    }
    this.#search(reserveEnd, report, cleartext ? [out, outputEnd] : [0, 0]);
    return findings;
  }

  #inspectSlot(index: number, report: (what: string, address: number) => void): void {
    const at = SLOTS + index * SLOT_SIZE;
    const first = at >> 2;
    const generation = this.#words[first]!;
    const before = this.#generations[index]!;
    if (generation !== before && generation !== before + 1) report("a slot's generation", at);
    this.#generations[index] = generation;
    const key = this.live.get((generation << 10) | index);
    if (key === undefined) {
      for (let i = 1; i < SLOT_SIZE / 4; i++)
        if (this.#words[first + i] !== 0) report("a free slot", at + i * 4);
      return;
    }
    const expected = slotBytes(generation, key, this.#bytes[at + 4]!);
    for (let i = 0; i < SLOT_SIZE; i++)
      if (this.#bytes[at + i] !== expected[i]) report("a live slot", at + i);
  }

  /** Searches memory but for slots up to `end`. What lies behind was compared already, word by word. */
  #search(end: number, report: (what: string, address: number) => void, [from, to]: [number, number]): void {
    const view = new DataView(this.memory.buffer, 0, this.#bytes.length);
    const words = this.#words;
    let next = 0;
    for (let w = 0; w < Math.min(words.length, end / 4 + 2); w++) {
      if (w === SCRATCH_END / 4) w = STAGING / 4;
      if (words[w] === 0 || words[w] === POISON_WORD) continue;
      for (let i = Math.max(next, w * 4 - 7); i < w * 4 + 4 && i + 8 <= view.byteLength; i++) {
        next = i + 1;
        if (i + 8 > from && i < to) continue;
        const what = this.#secrets.get(view.getBigUint64(i));
        if (what !== undefined) report(`a copy of ${what}`, i);
      }
    }
  }

  /** Imports a key, by the core itself. @returns its handle */
  key(usages: number, more: Partial<KeyModel> = {}): number {
    const key: KeyModel = {
      algorithm: 1,
      usages,
      flags: 0,
      version: 3,
      id: Uint8Array.from({ length: 16 }, (_, i) => i + 1),
      material: Uint8Array.from(
        { length: more.algorithm === 4 ? 16 : 32 },
        (_, i) => (i * 37 + usages) ^ 0x5a,
      ),
      ...more,
    };
    return this.call("vaultImport", {
      inputs: [key.id, key.material],
      args: ([id, material], end) => [
        key.algorithm,
        key.flags,
        key.usages,
        id!,
        key.version,
        material!,
        key.material.length,
        end,
      ],
      key: () => key,
    }).value;
  }

  /** Fills every free slot, without a look at memory. */
  fillSlots(): void {
    const generate = this.exports["vaultGenerate"]!;
    this.#bytes.fill(1, STAGING, STAGING + 16);
    const id = this.#bytes.slice(STAGING, STAGING + 16);
    for (;;) {
      this.#bytes.fill(1, STAGING, STAGING + 16);
      const handle = generate(1, 0, 4, STAGING, 1, STAGING + 16)!;
      if (handle <= 0) return;
      const index = handle & (SLOT_COUNT - 1);
      const at = SLOTS + index * SLOT_SIZE + 32;
      const material = this.#bytes.slice(at, at + 32);
      this.#generations[index] = handle >>> 10;
      this.live.set(handle, { algorithm: 1, usages: 4, flags: 0, version: 1, id, material });
      this.addSecret(material, "a key");
    }
  }

  /** What lies in a slot as its key's material. */
  materialAt(handle: number): Uint8Array {
    const at = SLOTS + (handle & (SLOT_COUNT - 1)) * SLOT_SIZE;
    return this.#bytes.slice(at + 32, at + 32 + this.#bytes[at + 7]!);
  }

  /** Forgets a key in the model, as the core is told to. */
  dispose(handle: number): void {
    this.live.delete(handle);
    this.call("vaultDispose", { args: () => [handle] });
  }

  /** Sets the generation of every slot that was never used. */
  setGenerations(generation: number): void {
    for (let i = 0; i < SLOT_COUNT; i++) {
      if (this.#generations[i] !== 0) continue;
      this.#generations[i] = generation;
      this.#words[(SLOTS + i * SLOT_SIZE) >> 2] = generation;
    }
  }
}

export function subkey(material: Uint8Array, label: string): Uint8Array {
  return hkdf(sha256, material, new Uint8Array(0), new TextEncoder().encode(`keyloom/v1/${label}`), 32);
}

/** An Ed25519 key as slots keep it: scalar, prefix, public key. */
function expanded(seed: Uint8Array): Uint8Array {
  const hash = sha512(seed);
  hash[0]! &= 248;
  hash[31] = (hash[31]! & 127) | 64;
  return new Uint8Array([...hash, ...nacl.sign.keyPair.fromSeed(seed).publicKey]);
}

const cached = new Map<string, Uint8Array>();

function cachedSubkey(material: Uint8Array, label: string): Uint8Array {
  const name = `${toHex(material)} ${label}`;
  if (!cached.has(name)) cached.set(name, subkey(material, label));
  return cached.get(name)!;
}

const LIVE = 1;
const WRAP_OR_MESSAGE = 2;
const WRAP_MAC_OR_AGE = 4;
const RECORD = 8;
const CURVE = 16;
const ED25519 = 6;

/** What a live slot holds, given its flags of cached subkeys, which are computed here anew. */
function slotBytes(generation: number, key: KeyModel, flags: number): Uint8Array {
  const slot = new Uint8Array(SLOT_SIZE);
  const view = new DataView(slot.buffer);
  view.setUint32(0, generation, true);
  slot[4] = LIVE | (flags & (WRAP_OR_MESSAGE | WRAP_MAC_OR_AGE | RECORD | CURVE));
  slot[5] = key.algorithm;
  slot[6] = key.flags;
  slot[7] = key.material.length;
  view.setUint32(8, key.usages, true);
  view.setUint32(12, key.version, true);
  slot.set(key.id, 16);
  slot.set(key.material, 32);
  const set = (label: string, at: number): void => slot.set(cachedSubkey(key.material, label), at);
  if ((flags & WRAP_OR_MESSAGE) !== 0) {
    const use = (key.usages & 0x30) !== 0 ? "wrap" : "message";
    set(`${use}/enc`, 96);
    set(`${use}/commit`, 128);
  }
  if ((flags & WRAP_MAC_OR_AGE) !== 0) {
    const wraps = (key.usages & 0x30) !== 0;
    set(wraps ? "wrap/mac" : "age/enc", 160);
    if (!wraps) set("age/commit", 192);
  }
  if ((flags & RECORD) !== 0) set("record-mac", 224);
  if ((flags & CURVE) !== 0) {
    if (key.algorithm === ED25519) slot.set(expanded(key.material), 96);
    else slot.set(nacl.scalarMult.base(key.material), 160);
  }
  return slot;
}
