/**
 * What is left in linear memory after every exported call, success or failure. The layout is written down here a second
 * time; the module's own exports say where staging begins and how many slots there are.
 */
import { describe, expect, it } from "vitest";
import { encodeAttributes } from "../../bindings/attributes.js";
import { wasmSource } from "../../bindings/wasm-source.js";
import { ALL_CIPHER, ALL_MAC, ALL_WRAP, bytes, template } from "./support.js";

const PAGES = 64;
const STATIC_END = 16 * 1024;
const SLOTS = 64 * 1024;
const SLOT_SIZE = 256;
const SLOT_COUNT = 1024;
const STAGING = SLOTS + SLOT_COUNT * SLOT_SIZE;
const POISON = 0xa5;
/** Slots from this one on are never given out in a test, so their bytes can be poisoned too. */
const FIRST_POISONED_SLOT = 200;

type Export = (...args: (number | bigint)[]) => number;
type Region = "static data" | "scratch" | "slots" | "staging";

/** An instance whose memory this test can see. */
class Rig {
  readonly memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  readonly view = new Uint8Array(this.memory.buffer);
  readonly exports: Record<string, Export>;
  readonly #initialStatic: Uint8Array;
  /** Every secret that this instance has seen: nothing of it may lie outside live slots. */
  readonly secrets: Uint8Array[] = [];
  readonly live = new Set<number>();
  randomFails = false;
  #drawn = 1;
  #at = STAGING;

  constructor(module: WebAssembly.Module) {
    const random = (at: number, length: number): number => {
      if (this.randomFails) return 1;
      const drawn = bytes(length, 1000 + this.#drawn++);
      this.view.set(drawn, at);
      // Nonces go straight to outputs; what is drawn anywhere else is a key.
      if (at < STAGING) this.secrets.push(drawn);
      return 0;
    };
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory, random } });
    this.exports = instance.exports as unknown as Record<string, Export>;
    this.#initialStatic = this.view.slice(0, STATIC_END);
  }

  /** Poisons what no call may touch: staging, which calls lay out anew, and slots that are never given out. */
  begin(): this {
    this.view.fill(POISON, STAGING);
    for (let slot = FIRST_POISONED_SLOT; slot < SLOT_COUNT; slot++) {
      this.view.fill(POISON - 1, SLOTS + slot * SLOT_SIZE + 4, SLOTS + (slot + 1) * SLOT_SIZE);
    }
    this.#at = STAGING;
    return this;
  }

  put(value: Uint8Array, secret = false): number {
    const at = this.#at;
    this.#at = (at + value.length + 15) & -16;
    this.view.fill(0, at, this.#at);
    this.view.set(value, at);
    if (secret) this.secrets.push(value.slice());
    return at;
  }

  reserve(length: number): number {
    const at = this.#at;
    this.#at = (at + length + 15) & -16;
    return at;
  }

  get end(): number {
    return this.#at;
  }

  /** A new live key. */
  handle(returned: number): number {
    expect(returned).toBeGreaterThan(0);
    this.live.add(returned & (SLOT_COUNT - 1));
    return returned;
  }

  /**
   * Compares memory by region.
   *
   * @param out - the declared output, where a success leaves bytes
   * @param wiped - up to where staging must be zero; beyond it the poison must be untouched
   */
  residue(out: [number, number] | null, wiped: number): Region[] {
    const found = new Set<Region>();
    for (let i = 0; i < STATIC_END; i++)
      if (this.view[i] !== this.#initialStatic[i]) found.add("static data");
    for (let i = STATIC_END; i < SLOTS; i++) if (this.view[i] !== 0) found.add("scratch");
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      if (this.live.has(slot)) continue;
      // The first four bytes are the generation, which outlives the key.
      const expected = slot >= FIRST_POISONED_SLOT ? POISON - 1 : 0;
      for (let i = 4; i < SLOT_SIZE; i++) {
        if (this.view[SLOTS + slot * SLOT_SIZE + i] !== expected) found.add("slots");
      }
    }
    for (let i = STAGING; i < this.view.length; i++) {
      if (out !== null && i >= out[0] && i < out[0] + out[1]) continue;
      if (this.view[i] !== (i < wiped ? 0 : POISON)) found.add("staging");
    }
    return [...found, ...this.#leaks(out)];
  }

  /** Regions where eight bytes of a secret stand. The declared output isn't searched: some calls give secrets out. */
  #leaks(out: [number, number] | null): Region[] {
    const first = new Map<number, Uint8Array[]>();
    for (const secret of this.secrets) {
      for (let i = 0; i + 8 <= secret.length; i++) {
        const window = secret.subarray(i, i + 8);
        const list = first.get(window[0]!) ?? [];
        list.push(window);
        first.set(window[0]!, list);
      }
    }
    const found = new Set<Region>();
    for (let i = 0; i + 8 <= this.view.length; i++) {
      if (i >= SLOTS && i < STAGING) {
        const slot = (i - SLOTS) >> 8;
        if (this.live.has(slot) || slot >= FIRST_POISONED_SLOT) continue;
      }
      const byte = this.view[i]!;
      if (byte === 0 || byte === POISON) continue;
      if (out !== null && i >= out[0] && i < out[0] + out[1]) continue;
      for (const window of first.get(byte) ?? []) {
        let same = true;
        for (let j = 1; j < 8 && same; j++) same = this.view[i + j] === window[j];
        if (same)
          found.add(
            i < STATIC_END ? "static data" : i < SLOTS ? "scratch" : i < STAGING ? "slots" : "staging",
          );
      }
    }
    return [...found];
  }
}

const STATUS = {
  authentication: 1,
  length: 2,
  parameter: 3,
  stale: 4,
  misuse: 5,
  random: 7,
  export: 8,
  range: 9,
};
const FAR = 0xffff_fff0;

const kekId = bytes(16, 50);
const attributes = (count: number, usages = ALL_CIPHER, exportable = false): Uint8Array => {
  const all = new Uint8Array(count * 48);
  for (let i = 0; i < count; i++) {
    encodeAttributes(template(usages, { id: bytes(16, 60 + i), exportable }), kekId, 1, all, i * 48);
  }
  return all;
};
const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** Runs one call and checks memory. `outLength` = what a success declares as output. */
interface Call {
  args: (number | bigint)[];
  out?: number;
  outLength?: number;
  expected?: number | "handle";
}

interface Keys {
  kek: number;
  next: number;
  data: number;
  mac: number;
  deriver: number;
  exportable: number;
  fileKey: number;
  payload: number;
  wrapped: Uint8Array;
  sealed: Uint8Array;
  fileBody: Uint8Array;
  chunk: Uint8Array;
}

/** For each export: ways to call it. The first is a success; all others fail in some way. */
const CASES: Record<string, ((rig: Rig, keys: Keys) => Call)[]> = {
  sha256: [
    (rig) => ({ args: [rig.put(bytes(200, 3), true), 200, rig.end], out: rig.end, outLength: 32 }),
    (rig) => ({ args: [rig.put(bytes(200, 3), true), 0x7fff_ffff, rig.end], expected: STATUS.range }),
    (rig) => ({ args: [rig.put(bytes(200, 3), true), 200, FAR], expected: STATUS.range }),
  ],
  hmacSha256: [
    (rig) => ({
      args: [rig.put(bytes(100, 4), true), 100, rig.put(bytes(90, 5), true), 90, rig.end],
      out: rig.end,
      outLength: 32,
    }),
    (rig) => ({ args: [rig.put(bytes(100, 4), true), -1, STAGING, 90, rig.end], expected: STATUS.range }),
  ],
  hkdfSha256: [
    (rig) => ({
      args: [rig.put(bytes(32, 4), true), 32, rig.put(bytes(9)), 9, rig.put(bytes(7)), 7, rig.end, 100],
      out: rig.end,
      outLength: 100,
    }),
    (rig) => ({
      args: [rig.put(bytes(32, 4), true), 32, rig.put(bytes(9)), 9, rig.put(bytes(7)), 7, rig.end, 8161],
      out: rig.end,
      outLength: 8161,
      expected: STATUS.length,
    }),
    (rig) => ({
      args: [rig.put(bytes(32, 4), true), 32, 16, 9, STAGING, 7, rig.end, 32],
      expected: STATUS.range,
    }),
  ],
  hkdfExpandSha256Batch: [
    (rig) => ({
      args: [rig.put(bytes(32, 4), true), 32, rig.put(bytes(90)), 10, 9, rig.end, 40],
      out: rig.end,
      outLength: 360,
    }),
    (rig) => ({
      args: [rig.put(bytes(32, 4), true), 32, rig.put(bytes(90)), 10, 9, rig.end, 9000],
      out: rig.end,
      outLength: 81_000,
      expected: STATUS.length,
    }),
    (rig) => ({
      args: [rig.put(bytes(32, 4), true), 32, rig.put(bytes(90)), 10, 0x7fff_ffff, rig.end, 40],
      expected: STATUS.range,
    }),
  ],
  pbkdf2Sha256: [
    (rig) => ({
      args: [rig.put(bytes(20, 4), true), 20, rig.put(bytes(16)), 16, 3, rig.end, 70],
      out: rig.end,
      outLength: 70,
    }),
    (rig) => ({
      args: [rig.put(bytes(20, 4), true), 20, rig.put(bytes(16)), 16, 0, rig.end, 70],
      out: rig.end,
      outLength: 70,
      expected: STATUS.parameter,
    }),
    (rig) => ({ args: [rig.put(bytes(20, 4), true), 20, STAGING, 16, 3, 100, 70], expected: STATUS.range }),
  ],
  aeadSealOne: [0, 1].flatMap((extended) => [
    (rig: Rig) => ({
      args: [
        extended,
        rig.put(bytes(32, 4), true),
        rig.put(bytes(24)),
        rig.put(bytes(20)),
        20,
        rig.put(bytes(700, 6), true),
        700,
        rig.end,
      ],
      out: rig.end,
      outLength: 716,
    }),
    (rig: Rig) => ({
      args: [extended, rig.put(bytes(32, 4), true), STAGING, STAGING, -5, STAGING, 700, rig.end],
      expected: STATUS.range,
    }),
  ]),
  aeadOpenOne: [
    (rig) => {
      const key = rig.put(bytes(32, 4), true);
      const nonce = rig.put(bytes(24));
      const text = rig.put(new Uint8Array(60));
      const sealed = rig.end;
      rig.exports["aeadSealOne"]!(0, key, nonce, nonce, 0, text, 60, sealed);
      const message = rig.view.slice(sealed, sealed + 76);
      rig.begin();
      return {
        args: [0, rig.put(bytes(32, 4), true), rig.put(bytes(24)), STAGING, 0, rig.put(message), 76, rig.end],
        out: rig.end,
        outLength: 60,
      };
    },
    (rig) => ({
      args: [1, rig.put(bytes(32, 4), true), rig.put(bytes(24)), STAGING, 0, rig.put(bytes(76)), 76, rig.end],
      out: rig.end,
      outLength: 60,
      expected: STATUS.authentication,
    }),
    (rig) => ({
      args: [1, rig.put(bytes(32, 4), true), rig.put(bytes(24)), STAGING, 0, rig.put(bytes(15)), 15, rig.end],
      out: rig.end,
      expected: STATUS.length,
    }),
    (rig) => ({ args: [1, FAR, STAGING, STAGING, 0, STAGING, 76, rig.end], expected: STATUS.range }),
  ],
  // Both code paths: short records, and long ones.
  aeadSealMany: [32, 100].flatMap((length) =>
    [0, 1].flatMap((extended) => [
      (rig: Rig) => ({
        args: [
          extended,
          rig.put(bytes(32, 4), true),
          rig.put(bytes(24 * 7)),
          rig.put(bytes(48 * 7)),
          48,
          rig.put(bytes(length * 7, 6), true),
          length,
          rig.end,
          7,
        ],
        out: rig.end,
        outLength: (length + 16) * 7,
      }),
      (rig: Rig) => ({
        args: [
          extended,
          rig.put(bytes(32, 4), true),
          STAGING,
          STAGING,
          48,
          STAGING,
          length,
          rig.end,
          0x7fff_ffff,
        ],
        expected: STATUS.range,
      }),
    ]),
  ),
  aeadOpenMany: [32, 100].flatMap((length) => [
    (rig: Rig) => {
      const inputs = (): [number, number, number] => [
        rig.put(bytes(32, 4), true),
        rig.put(bytes(24 * 5)),
        rig.put(bytes(48 * 5)),
      ];
      const [key, nonces, aads] = inputs();
      const texts = rig.put(bytes(length * 5, 6), true);
      const out = rig.end;
      rig.exports["aeadSealMany"]!(1, key, nonces, aads, 48, texts, length, out, 5);
      const sealed = rig.view.slice(out, out + (length + 16) * 5);
      // One record of the batch is broken: its plaintext must not be anywhere.
      sealed[length + 16 + 3]! ^= 1;
      rig.begin();
      const again = inputs();
      return {
        args: [1, ...again.slice(0, 3), 48, rig.put(sealed), length + 16, rig.end, 5],
        out: rig.end,
        outLength: length * 5 + 5,
      };
    },
    (rig: Rig) => ({
      args: [1, rig.put(bytes(32, 4), true), STAGING, STAGING, 48, STAGING, 15, rig.end, 1],
      out: rig.end,
      expected: STATUS.length,
    }),
    (rig: Rig) => ({
      args: [1, rig.put(bytes(32, 4), true), STAGING, STAGING, 48, STAGING, length, rig.end, -1],
      expected: STATUS.range,
    }),
  ]),

  vaultGenerate: [
    (rig) => ({ args: [1, 0, ALL_CIPHER, rig.put(bytes(16)), 1, rig.end], out: rig.end, expected: "handle" }),
    (rig) => ({ args: [9, 0, 0, rig.put(bytes(16)), 1, rig.end], out: rig.end, expected: -STATUS.length }),
    (rig) => ({ args: [1, 0, 0x14, rig.put(bytes(16)), 1, rig.end], out: rig.end, expected: -STATUS.misuse }),
    (rig) => {
      rig.randomFails = true;
      return {
        args: [1, 0, ALL_CIPHER, rig.put(bytes(16)), 1, rig.end],
        out: rig.end,
        expected: -STATUS.random,
      };
    },
    (rig) => ({ args: [1, 0, ALL_CIPHER, 0, 1, rig.end], expected: -STATUS.range }),
  ],
  vaultImport: [
    (rig) => ({
      args: [1, 0, ALL_CIPHER, rig.put(bytes(16)), 1, rig.put(bytes(32, 9), true), 32, rig.end],
      out: rig.end,
      expected: "handle",
    }),
    (rig) => ({
      args: [1, 0, ALL_CIPHER, rig.put(bytes(16)), 1, rig.put(bytes(31, 9), true), 31, rig.end],
      out: rig.end,
      expected: -STATUS.length,
    }),
    (rig) => ({
      args: [1, 0, ALL_CIPHER, rig.put(bytes(16)), 1, rig.put(bytes(65, 9), true), 65, rig.end],
      expected: -STATUS.range,
    }),
  ],
  vaultFromPassword: [
    (rig) => ({
      args: [
        1,
        0,
        ALL_WRAP,
        rig.put(bytes(16)),
        1,
        rig.put(bytes(14, 9), true),
        14,
        rig.put(bytes(32)),
        32,
        2,
        rig.end,
      ],
      out: rig.end,
      expected: "handle",
    }),
    (rig) => ({
      args: [
        1,
        0,
        ALL_WRAP,
        rig.put(bytes(16)),
        1,
        rig.put(bytes(14, 9), true),
        14,
        rig.put(bytes(32)),
        32,
        0,
        rig.end,
      ],
      out: rig.end,
      expected: -STATUS.parameter,
    }),
    (rig) => ({
      args: [
        1,
        0,
        ALL_WRAP,
        rig.put(bytes(16)),
        1,
        rig.put(bytes(14, 9), true),
        -14,
        STAGING,
        32,
        2,
        rig.end,
      ],
      expected: -STATUS.range,
    }),
  ],
  vaultDispose: [
    (rig, keys) => {
      rig.live.delete(keys.data & (SLOT_COUNT - 1));
      return { args: [keys.data] };
    },
    () => ({ args: [77], expected: STATUS.stale }),
  ],
  vaultDisposeAll: [
    (rig) => {
      rig.live.clear();
      // The poisoned slots are wiped with all the others.
      for (let slot = FIRST_POISONED_SLOT; slot < SLOT_COUNT; slot++) rig.live.add(slot);
      return { args: [] };
    },
  ],
  vaultLiveCount: [() => ({ args: [], expected: 8 })],
  vaultLength: [
    (_, keys) => ({ args: [keys.data], expected: 32 }),
    () => ({ args: [5], expected: -STATUS.stale }),
  ],
  vaultExport: [
    (rig, keys) => ({ args: [keys.exportable, rig.end], out: rig.end, outLength: 32 }),
    (rig, keys) => ({ args: [keys.data, rig.end], out: rig.end, outLength: 64, expected: STATUS.export }),
    (rig) => ({ args: [3, rig.end], out: rig.end, outLength: 64, expected: STATUS.stale }),
    (_, keys) => ({ args: [keys.exportable, SLOTS], expected: STATUS.range }),
  ],
  vaultGenerateAndWrap: [
    (rig, keys) => ({
      args: [keys.kek, rig.put(attributes(300)), 300, 32, rig.end],
      out: rig.end,
      outLength: 300 * 104,
    }),
    (rig, keys) => ({
      args: [keys.data, rig.put(attributes(2)), 2, 32, rig.end],
      out: rig.end,
      outLength: 208,
      expected: STATUS.misuse,
    }),
    (rig) => ({
      args: [8, rig.put(attributes(2)), 2, 32, rig.end],
      out: rig.end,
      outLength: 208,
      expected: STATUS.stale,
    }),
    (rig, keys) => {
      rig.randomFails = true;
      return {
        args: [keys.kek, rig.put(attributes(2)), 2, 32, rig.end],
        out: rig.end,
        outLength: 208,
        expected: STATUS.random,
      };
    },
    (rig, keys) => ({ args: [keys.kek, 4096, 2, 32, rig.end], expected: STATUS.range }),
  ],
  vaultWrap: [
    (rig, keys) => ({
      args: [keys.kek, rig.put(words(keys.data, keys.mac)), 2, 32, rig.end],
      out: rig.end,
      outLength: 208,
    }),
    (rig, keys) => ({
      args: [keys.kek, rig.put(words(keys.data, 9)), 2, 32, rig.end],
      out: rig.end,
      outLength: 208,
      expected: STATUS.stale,
    }),
    (rig, keys) => ({
      args: [keys.kek, rig.put(words(keys.data, keys.fileKey)), 2, 32, rig.end],
      out: rig.end,
      outLength: 208,
      expected: STATUS.length,
    }),
    (rig, keys) => ({ args: [keys.kek, FAR, 2, 32, rig.end], expected: STATUS.range }),
  ],
  vaultUnwrap: [
    (rig, keys) => ({
      args: [keys.kek, rig.put(attributes(1)), rig.put(keys.wrapped), 32, rig.end],
      out: rig.end,
      expected: "handle",
    }),
    (rig, keys) => ({
      args: [keys.kek, rig.put(attributes(1, ALL_MAC)), rig.put(keys.wrapped), 32, rig.end],
      out: rig.end,
      expected: -STATUS.authentication,
    }),
    (rig, keys) => ({
      args: [keys.data, rig.put(attributes(1)), rig.put(keys.wrapped), 32, rig.end],
      out: rig.end,
      expected: -STATUS.misuse,
    }),
    (rig, keys) => ({ args: [keys.kek, rig.put(attributes(1)), 0, 32, rig.end], expected: -STATUS.range }),
  ],
  vaultOpenCheck: [
    (rig, keys) => ({
      args: [keys.kek, rig.put(attributes(1)), rig.put(keys.wrapped), 1, 32, rig.end],
      out: rig.end,
      outLength: 1,
    }),
    (rig, keys) => ({
      args: [keys.next, rig.put(attributes(1)), rig.put(keys.wrapped), 1, 32, rig.end],
      out: rig.end,
      outLength: 1,
    }),
    (rig, keys) => ({
      args: [keys.mac, rig.put(attributes(1)), rig.put(keys.wrapped), 1, 32, rig.end],
      out: rig.end,
      outLength: 1,
      expected: STATUS.misuse,
    }),
    (rig, keys) => ({ args: [keys.kek, STAGING, FAR, 1, 32, rig.end], expected: STATUS.range }),
  ],
  vaultRewrap: [
    (rig, keys) => ({
      args: [keys.kek, keys.next, rig.put(attributes(1)), rig.put(keys.wrapped), 1, 32, rig.end],
      out: rig.end,
      outLength: 105,
    }),
    (rig, keys) => ({
      args: [keys.kek, keys.next, rig.put(attributes(1)), rig.put(bytes(104)), 1, 32, rig.end],
      out: rig.end,
      outLength: 105,
    }),
    (rig, keys) => {
      rig.randomFails = true;
      return {
        args: [keys.kek, keys.next, rig.put(attributes(1)), rig.put(keys.wrapped), 1, 32, rig.end],
        out: rig.end,
        outLength: 105,
        expected: STATUS.random,
      };
    },
    (rig, keys) => ({
      args: [keys.kek, keys.data, rig.put(attributes(1)), rig.put(keys.wrapped), 1, 32, rig.end],
      out: rig.end,
      outLength: 105,
      expected: STATUS.misuse,
    }),
    (rig, keys) => ({
      args: [keys.kek, keys.next, STAGING, STAGING, -1, 32, rig.end],
      expected: STATUS.range,
    }),
  ],
  vaultDerive: [
    (rig, keys) => ({
      args: [keys.deriver, rig.put(attributes(1)), rig.put(bytes(20)), 20, rig.end],
      out: rig.end,
      expected: "handle",
    }),
    (rig, keys) => ({
      args: [keys.deriver, rig.put(attributes(1, ALL_WRAP)), rig.put(bytes(20)), 20, rig.end],
      out: rig.end,
      expected: -STATUS.misuse,
    }),
    (rig, keys) => ({
      args: [keys.deriver, rig.put(attributes(1)), STAGING, 1025, rig.end],
      expected: -STATUS.range,
    }),
  ],
  vaultDeriveAndWrap: [
    (rig, keys) => ({
      args: [keys.deriver, keys.kek, rig.put(attributes(130)), rig.put(bytes(130 * 4)), 4, 130, rig.end],
      out: rig.end,
      outLength: 130 * 104,
    }),
    (rig, keys) => ({
      args: [keys.deriver, keys.kek, rig.put(attributes(1, ALL_WRAP)), rig.put(bytes(4)), 4, 1, rig.end],
      out: rig.end,
      outLength: 104,
      expected: STATUS.misuse,
    }),
    (rig, keys) => {
      rig.randomFails = true;
      return {
        args: [keys.deriver, keys.kek, rig.put(attributes(1)), rig.put(bytes(4)), 4, 1, rig.end],
        out: rig.end,
        outLength: 104,
        expected: STATUS.random,
      };
    },
    (rig, keys) => ({
      args: [keys.deriver, keys.kek, STAGING, STAGING, -4, 1, rig.end],
      expected: STATUS.range,
    }),
  ],
  vaultSeal: [
    (rig, keys) => ({
      args: [keys.data, rig.put(bytes(9)), 9, rig.put(bytes(500, 8), true), 500, rig.end],
      out: rig.end,
      outLength: 572,
    }),
    (rig, keys) => {
      rig.randomFails = true;
      return {
        args: [keys.data, rig.put(bytes(9)), 9, rig.put(bytes(500, 8), true), 500, rig.end],
        out: rig.end,
        outLength: 572,
        expected: STATUS.random,
      };
    },
    (rig, keys) => ({
      args: [keys.kek, rig.put(bytes(9)), 9, rig.put(bytes(500, 8), true), 500, rig.end],
      out: rig.end,
      outLength: 572,
      expected: STATUS.misuse,
    }),
    (rig, keys) => ({ args: [keys.data, rig.put(bytes(9)), 9, SLOTS, 500, rig.end], expected: STATUS.range }),
  ],
  vaultOpen: [
    (rig, keys) => ({
      args: [keys.data, STAGING, 0, rig.put(keys.sealed), keys.sealed.length, rig.end],
      out: rig.end,
      outLength: keys.sealed.length - 72,
    }),
    (rig, keys) => {
      const changed = keys.sealed.slice();
      changed[60]! ^= 1;
      return {
        args: [keys.data, STAGING, 0, rig.put(changed), changed.length, rig.end],
        out: rig.end,
        outLength: changed.length,
        expected: STATUS.authentication,
      };
    },
    (rig, keys) => ({
      args: [keys.data, STAGING, 0, rig.put(bytes(71)), 71, rig.end],
      out: rig.end,
      outLength: 71,
      expected: STATUS.authentication,
    }),
    (rig, keys) => ({ args: [keys.data, STAGING, 0, FAR, 100, rig.end], expected: STATUS.range }),
  ],
  vaultMac: [
    (rig, keys) => ({
      args: [keys.mac, rig.put(bytes(70, 4), true), 70, rig.end],
      out: rig.end,
      outLength: 32,
    }),
    (rig, keys) => ({
      args: [keys.data, rig.put(bytes(70, 4), true), 70, rig.end],
      out: rig.end,
      outLength: 32,
      expected: STATUS.misuse,
    }),
    (rig, keys) => ({ args: [keys.mac, STAGING, -70, rig.end], expected: STATUS.range }),
  ],
  vaultMacVerify: [
    (rig, keys) => ({
      args: [keys.mac, rig.put(bytes(70, 4), true), 70, rig.put(bytes(32)), rig.end],
      out: rig.end,
      expected: STATUS.authentication,
    }),
    (rig, keys) => ({ args: [keys.mac, STAGING, 70, 8, rig.end], expected: STATUS.range }),
  ],
  vaultMacBatch: [
    (rig, keys) => ({
      args: [keys.mac, rig.put(bytes(200, 4), true), rig.put(words(20, 30, 50, 100)), 4, rig.end],
      out: rig.end,
      outLength: 128,
    }),
    (rig, keys) => ({
      args: [keys.mac, STAGING, rig.put(words(0x7fff_ffff)), 1, rig.end],
      expected: STATUS.range,
    }),
  ],
  vaultRecordSeal: [1, 0].flatMap((digests) => [
    (rig: Rig, keys: Keys) => ({
      args: [
        keys.mac,
        rig.put(bytes(64)),
        rig.put(bytes(200)),
        rig.put(words(20, 30, 50, 100)),
        4,
        digests,
        rig.end,
      ],
      out: rig.end,
      outLength: 4 * (digests === 1 ? 64 : 32),
    }),
    (rig: Rig, keys: Keys) => ({
      args: [keys.data, rig.put(bytes(64)), rig.put(bytes(20)), rig.put(words(20)), 1, digests, rig.end],
      out: rig.end,
      outLength: digests === 1 ? 64 : 32,
      expected: STATUS.misuse,
    }),
    (rig: Rig, keys: Keys) => ({
      args: [keys.mac, rig.put(bytes(64)), STAGING, 100, 4, digests, rig.end],
      expected: STATUS.range,
    }),
  ]),
  vaultRecordCheck: [
    (rig, keys) => ({
      args: [
        keys.mac,
        rig.put(bytes(64)),
        rig.put(bytes(20)),
        rig.put(words(20)),
        rig.put(bytes(32)),
        1,
        rig.end,
      ],
      out: rig.end,
      outLength: 1,
    }),
    (rig, keys) => ({ args: [keys.mac, STAGING, STAGING, STAGING, FAR, 1, rig.end], expected: STATUS.range }),
  ],
  vaultRecordSealRows: [1, 0].flatMap((digests) => [
    (rig: Rig, keys: Keys) => {
      const [prefix, rows] = [rig.put(bytes(64)), rig.put(bytes(5 * 100))];
      const work = rig.reserve(5 * 136);
      return {
        args: [keys.mac, prefix, rows, 100, 5, digests, work, rig.end],
        out: rig.end,
        outLength: 5 * (digests === 1 ? 132 : 100),
      };
    },
    (rig: Rig, keys: Keys) => ({
      args: [keys.mac, rig.put(bytes(64)), STAGING, 31, 5, digests, STAGING, rig.end],
      expected: STATUS.range,
    }),
  ]),
  vaultRecordCheckRows: [
    (rig, keys) => {
      const [prefix, rows] = [rig.put(bytes(64)), rig.put(bytes(5 * 100))];
      const work = rig.reserve(5 * 136);
      return { args: [keys.mac, prefix, rows, 100, 5, work, rig.end], out: rig.end, outLength: 5 };
    },
    (rig, keys) => ({
      args: [keys.mac, STAGING, STAGING, 100, -5, STAGING, rig.end],
      expected: STATUS.range,
    }),
  ],
  vaultAgeWrap: [
    (rig, keys) => ({
      args: [keys.data, keys.fileKey, rig.put(bytes(60)), 60, rig.end],
      out: rig.end,
      outLength: 88,
    }),
    (rig, keys) => ({
      args: [keys.data, keys.mac, rig.put(bytes(60)), 60, rig.end],
      out: rig.end,
      outLength: 88,
      expected: STATUS.misuse,
    }),
    (rig, keys) => ({ args: [keys.data, keys.fileKey, FAR, 60, rig.end], expected: STATUS.range }),
  ],
  vaultAgeUnwrap: [
    (rig, keys) => ({
      args: [keys.data, STAGING, 0, rig.put(keys.fileBody), 88, rig.end],
      out: rig.end,
      expected: "handle",
    }),
    (rig, keys) => ({
      args: [keys.data, STAGING, 0, rig.put(bytes(88)), 88, rig.end],
      out: rig.end,
      expected: -STATUS.authentication,
    }),
    (rig, keys) => ({
      args: [keys.data, STAGING, 0, rig.put(bytes(87)), 87, rig.end],
      out: rig.end,
      expected: -STATUS.length,
    }),
    (rig, keys) => ({ args: [keys.data, STAGING, 0, 0, 88, rig.end], expected: -STATUS.range }),
  ],
  vaultAgeHeaderMac: [
    (rig, keys) => ({ args: [keys.fileKey, rig.put(bytes(300)), 300, rig.end], out: rig.end, outLength: 32 }),
    (rig, keys) => ({
      args: [keys.data, rig.put(bytes(300)), 300, rig.end],
      out: rig.end,
      outLength: 32,
      expected: STATUS.misuse,
    }),
    (rig, keys) => ({ args: [keys.fileKey, FAR, 300, rig.end], expected: STATUS.range }),
  ],
  vaultAgeHeaderMacVerify: [
    (rig, keys) => ({
      args: [keys.fileKey, rig.put(bytes(300)), 300, rig.put(bytes(32)), rig.end],
      out: rig.end,
      expected: STATUS.authentication,
    }),
    (rig, keys) => ({ args: [keys.fileKey, STAGING, 300, 0, rig.end], expected: STATUS.range }),
  ],
  vaultAgePayloadKey: [
    (rig, keys) => ({ args: [keys.fileKey, rig.put(bytes(16)), rig.end], out: rig.end, expected: "handle" }),
    (rig, keys) => ({
      args: [keys.mac, rig.put(bytes(16)), rig.end],
      out: rig.end,
      expected: -STATUS.misuse,
    }),
    (rig, keys) => ({ args: [keys.fileKey, FAR, rig.end], expected: -STATUS.range }),
  ],
  vaultAgeChunkSeal: [
    (rig, keys) => ({
      args: [keys.payload, 0, 3, 1, rig.put(bytes(1000, 9), true), 1000, rig.end],
      out: rig.end,
      outLength: 1016,
    }),
    (rig, keys) => ({
      args: [keys.payload, 0, 3, 2, rig.put(bytes(1000, 9), true), 1000, rig.end],
      out: rig.end,
      outLength: 1016,
      expected: STATUS.parameter,
    }),
    (rig, keys) => ({ args: [keys.payload, 0, 3, 1, FAR, 1000, rig.end], expected: STATUS.range }),
  ],
  vaultAgeChunkOpen: [
    (rig, keys) => ({
      args: [keys.payload, 0, 0, 0, rig.put(keys.chunk), keys.chunk.length, rig.end],
      out: rig.end,
      outLength: keys.chunk.length - 16,
    }),
    (rig, keys) => ({
      args: [keys.payload, 0, 1, 0, rig.put(keys.chunk), keys.chunk.length, rig.end],
      out: rig.end,
      outLength: keys.chunk.length,
      expected: STATUS.authentication,
    }),
    (rig, keys) => ({
      args: [keys.payload, 0, 0, 0, rig.put(bytes(15)), 15, rig.end],
      out: rig.end,
      outLength: 15,
      expected: STATUS.authentication,
    }),
    (rig, keys) => ({ args: [keys.payload, 0, 0, 0, FAR, 30, rig.end], expected: STATUS.range }),
  ],
};

/** Fills a vault with a key of each kind, and with what was made under them. */
function furnish(rig: Rig): Keys {
  const { exports } = rig;
  const make = (algorithm: number, usages: number, version: number, exportable = 0, length = 32): number => {
    rig.begin();
    const id = rig.put(kekId);
    const material = rig.put(bytes(length, 200 + version + usages), true);
    return rig.handle(
      exports["vaultImport"]!(algorithm, exportable, usages, id, version, material, length, rig.end),
    );
  };
  const kek = make(1, ALL_WRAP, 1);
  const next = make(1, ALL_WRAP, 2);
  const data = make(1, ALL_CIPHER, 3);
  const mac = make(2, ALL_MAC, 4);
  const deriver = make(3, 0x200 | ALL_CIPHER, 5);
  const exportable = make(1, ALL_CIPHER, 6, 1);
  const fileKey = make(4, 0, 7, 0, 16);
  const made = (call: () => [string, (number | bigint)[], number, number]): Uint8Array => {
    rig.begin();
    const [name, args, out, length] = call();
    expect(exports[name]!(...args)).toBe(0);
    return rig.view.slice(out, out + length);
  };
  const wrapped = made(() => [
    "vaultGenerateAndWrap",
    [kek, rig.put(attributes(1)), 1, 32, rig.end],
    rig.end,
    104,
  ]);
  const sealed = made(() => [
    "vaultSeal",
    [data, STAGING, 0, rig.put(bytes(90, 7), true), 90, rig.end],
    rig.end,
    162,
  ]);
  const fileBody = made(() => ["vaultAgeWrap", [data, fileKey, STAGING, 0, rig.reserve(0)], STAGING, 88]);
  rig.begin();
  const payload = rig.handle(exports["vaultAgePayloadKey"]!(fileKey, rig.put(bytes(16)), rig.end));
  const chunk = made(() => [
    "vaultAgeChunkSeal",
    [payload, 0, 0, 0, rig.put(bytes(333, 7), true), 333, rig.end],
    rig.end,
    349,
  ]);
  return { kek, next, data, mac, deriver, exportable, fileKey, payload, wrapped, sealed, fileBody, chunk };
}

/** Runs a case on a furnished instance. @returns the regions in which something is left */
function run(module: WebAssembly.Module, name: string, index: number): { rig: Rig; residue: Region[] } {
  const rig = new Rig(module);
  const keys = furnish(rig);
  rig.begin();
  const { args, out, outLength = 0, expected = 0 } = CASES[name]![index]!(rig, keys);
  const inputsEnd = rig.end;
  const status = rig.exports[name]!(...args);
  if (expected === "handle") rig.handle(status);
  else if (name !== "vaultDisposeAll") expect(status).toBe(expected);
  if (name === "vaultDisposeAll") {
    for (let i = SLOTS; i < STAGING; i++) if ((i - SLOTS) % SLOT_SIZE >= 4) expect(rig.view[i]).toBe(0);
  }
  const outOfRange = expected === STATUS.range || expected === -STATUS.range;
  const succeeded = expected === 0 || expected === "handle";
  const touchesStaging = out !== undefined || outOfRange;
  const wiped = outOfRange
    ? rig.view.length
    : !touchesStaging
      ? STAGING
      : succeeded
        ? out!
        : Math.max(out! + outLength, inputsEnd === out ? out! : STAGING);
  const declared: [number, number] | null =
    succeeded && out !== undefined && outLength > 0 ? [out, outLength] : null;
  return { rig, residue: rig.residue(declared, wiped) };
}

describe.each(["simd", "scalar"] as const)("memory after a call, %s build", async (kind) => {
  const source = await wasmSource(kind);
  const module = source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source);

  it("has the layout that this test assumes", () => {
    const { exports } = new WebAssembly.Instance(module, {
      env: { memory: new WebAssembly.Memory({ initial: PAGES }), random: () => 0 },
    });
    expect((exports["stagingBase"] as WebAssembly.Global).value).toBe(STAGING);
    expect((exports["slotCount"] as WebAssembly.Global).value).toBe(SLOT_COUNT);
  });

  it("is checked for every exported function", () => {
    const functions = WebAssembly.Module.exports(module).filter((entry) => entry.kind === "function");
    expect(functions.map((entry) => entry.name).sort()).toEqual(Object.keys(CASES).sort());
    expect(WebAssembly.Module.exports(module).some((entry) => entry.kind === "memory")).toBe(false);
  });

  it.each(Object.entries(CASES).flatMap(([name, cases]) => cases.map((_, i) => [name, i] as const)))(
    "holds nothing that it should not: %s, case %i",
    (name, index) => {
      expect(run(module, name, index).residue).toEqual([]);
    },
  );

  it.each([
    ["static data", 100],
    ["static data", STATIC_END - 1],
    ["scratch", STATIC_END],
    ["scratch", SLOTS - 1],
    ["slots", SLOTS + 150 * SLOT_SIZE + 40],
    ["slots", SLOTS + 900 * SLOT_SIZE + 8],
    ["staging", STAGING],
    ["staging", PAGES * 65_536 - 1],
  ] as const)("would show a byte planted in %s at %i", (region, address) => {
    const rig = new Rig(module);
    furnish(rig);
    rig.begin().view.fill(0, STAGING);
    rig.view[address] = 0x5b;
    expect(rig.residue(null, rig.view.length)).toContain(region);
  });

  it("would show eight bytes of a key in an output", () => {
    const { rig } = run(module, "vaultSeal", 0);
    rig.view.set(rig.secrets[2]!.subarray(4, 12), STAGING + 100_000);
    expect(rig.residue(null, STAGING)).toContain("staging");
  });
});
