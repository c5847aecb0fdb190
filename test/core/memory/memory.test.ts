/**
 * Every export with every status it can return, and with each of its addresses outside of staging: after each call all of
 * memory is what the design says, live slots to the byte. Calls follow each other on one instance, over the lengths and
 * counts at which the kernels take other paths. Memory is imported by the core, so the test sees all of it.
 */
import { describe, expect, it } from "vitest";
import { Probe, SCRATCH_END, SLOT_SIZE, SLOTS, STAGING, STATIC_END, subkey, type Call } from "./probe.js";
import { ALL_CIPHER, at, bytes } from "../support.js";
import { NEW_ID, seal, type Cases } from "./kit.js";
import { digestCases } from "./digest-cases.js";
import { kdfCases } from "./kdf-cases.js";
import { memoryHardCases } from "./memory-hard-cases.js";
import { aeadCases } from "./aead-cases.js";
import { aesKwCases } from "./aes-kw-cases.js";
import { vaultKeysCases } from "./vault-keys-cases.js";
import { rewrapping, vaultWrapCases } from "./vault-wrap-cases.js";
import { vaultUseCases } from "./vault-use-cases.js";
import { vaultRecordsCases } from "./vault-records-cases.js";
import { vaultAgeCases } from "./vault-age-cases.js";
import { curveCases } from "./curve-cases.js";
import { vaultCurveCases } from "./vault-curve-cases.js";
import { vaultTransferCases } from "./vault-transfer-cases.js";
import { wrapUnder } from "./wrap-algorithms.js";
import { WRAPPING } from "../wrapped-key.js";

const CASES: Cases = {
  ...digestCases,
  ...kdfCases,
  ...memoryHardCases,
  ...aeadCases,
  ...aesKwCases,
  ...vaultKeysCases,
  ...vaultWrapCases,
  ...vaultUseCases,
  ...vaultRecordsCases,
  ...vaultAgeCases,
  ...curveCases,
  ...vaultCurveCases,
  ...vaultTransferCases,
};

describe.each(["simd", "scalar"] as const)("all of memory, %s build", (kind) => {
  it("is looked at after every function that the core exports", async () => {
    const { exports } = await Probe.create(kind);
    const functions = Object.keys(exports).filter((name) => typeof exports[name] === "function");
    expect(Object.keys(CASES).sort()).toEqual(functions.sort());
  });

  it.each(Object.keys(CASES))("is as it should be after %s, whatever it returns", async (name) => {
    const t = await Probe.create(kind);
    CASES[name]!.run(t);
    expect([...t.seen.get(name)!].sort()).toEqual([...CASES[name]!.statuses].sort());
  });

  it.each(WRAPPING)("is as it should be after wrapping and unwrapping under $name", async (row) => {
    wrapUnder(await Probe.create(kind), row);
  });

  it.each([
    ["static data", 1030],
    ["static data", STATIC_END - 1],
    ["scratch", STATIC_END],
    ["scratch", SCRATCH_END - 1],
    ["a table", SCRATCH_END + 4],
    ["a table", SLOTS - 1],
    ["a free slot", SLOTS + 5 * SLOT_SIZE + 200],
    ["a live slot", SLOTS + 32 + 40],
    ["a live slot", SLOTS + SLOT_SIZE - 1],
    ["a slot's generation", SLOTS + 9 * SLOT_SIZE + 1],
    ["staging before the output", STAGING + 3],
    ["staging behind the output", STAGING + 5000],
  ])("would show a residue in %s (at %i)", async (where, address) => {
    const t = await Probe.create(kind);
    const key = t.key(ALL_CIPHER);
    const plant = (memory: Uint8Array): void => void (memory[address]! ^= 0x55);
    const { findings } = t.attempt("vaultSeal", { ...seal(key, bytes(100)), plant });
    expect(findings.join()).toContain(where);
    expect(t.attempt("vaultSeal", seal(key, bytes(100))).status).toBe("OK");
  });

  it("would show eight bytes of a key or of a subkey in an output", async () => {
    for (const secret of [
      bytes(32, 99),
      subkey(bytes(32, 99), "message/enc"),
      subkey(bytes(32, 99), "mac"),
    ]) {
      const t = await Probe.create(kind);
      const key = t.key(ALL_CIPHER, { material: bytes(32, 99) });
      const plant = (memory: Uint8Array): void => memory.set(secret.subarray(7, 15), STAGING + 160 + 61);
      const { findings } = t.attempt("vaultSeal", { ...seal(key, bytes(100)), plant });
      expect(findings.join()).toContain("a copy of");
    }
  });

  it("has nothing of a key whose commitment is wrong, in the middle of a batch either", async () => {
    const t = await Probe.create(kind);
    const { call, wrapped, keys } = rewrapping(t, 129);
    const [foreign, broken, fine] = [3, 4, 5] as const;
    wrapped[foreign * 104 + 5]! ^= 1;
    wrapped[broken * 104 + 5]! ^= 1;
    wrapped[broken * 104 + 103]! ^= 1;
    const latin1 = new TextDecoder("latin1");
    // The second piece's nonces are drawn when the first piece's keys have been opened and sealed.
    const found: number[][] = [];
    t.onDraw = (memory) => {
      const scratch = latin1.decode(memory.subarray(STATIC_END, SCRATCH_END));
      found.push(keys.flatMap((key, i) => (scratch.includes(latin1.decode(key.subarray(0, 8))) ? [i] : [])));
    };
    const { output } = t.call("vaultRewrap", call);
    const [before, between] = found;
    expect(before).toEqual([]);
    expect(between).toContain(fine);
    expect(between).not.toContain(foreign);
    expect(between).toHaveLength(126);
    const statuses = output.subarray(129 * 104);
    expect([...statuses.subarray(foreign, fine + 1)]).toEqual([1, 1, 0]);
    for (const i of [foreign, broken]) expect(at(output, i, 104)).toEqual(new Uint8Array(104));
  });

  it("retires a slot whose generations are used up", async () => {
    const t = await Probe.create(kind);
    const first = t.key(ALL_CIPHER);
    const last = 2 ** 21 - 1;
    t.setGenerations(last - 1);
    const newest = t.key(ALL_CIPHER);
    expect(newest >>> 10).toBe(last);
    expect(newest).toBeGreaterThan(0);
    t.fillSlots();
    t.dispose(newest);
    const again: Call = { inputs: [NEW_ID], args: ([id], end) => [1, 0, 4, id!, 1, end] };
    t.call("vaultGenerate", again, "SLOTS_EXHAUSTED");
    t.dispose(first);
    expect(t.key(ALL_CIPHER) & 1023).toBe(first & 1023);
  });
});
