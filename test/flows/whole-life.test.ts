/** Suspending, revoking, archiving, importing, exporting: every row of the table by a command, and what it means. */
import { beforeEach, describe, expect, it } from "vitest";
import { REVOCATION_REASON_NAMES, type AuditEntry, type Key, type KeyManager } from "../../sdk/index.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { MIN_CHECKS, MIN_MUTATIONS } from "../../sdk/storage/adapter.js";
import { PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { memoryStorage, type MemorySpace } from "../../sdk/storage/memory.js";
import type { VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "./support.js";

let keys: KeyManager;
let clock: VirtualClock;
let space: MemorySpace;
let start: number;

beforeEach(async () => {
  ({ keys, clock, space } = await openMemory());
  start = clock.now();
});

const at = (ms: number): Date => new Date(start + ms);
const versionsOf = async (name: string): Promise<Key["versions"]> => (await keys.get(name))!.versions;
const statesOf = async (name: string): Promise<string[]> =>
  (await versionsOf(name)).map(({ state }) => state);

async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    const { code, details } = error as { code: string; details: { reason?: string } };
    return details.reason ?? code;
  }
  return "no error";
}

async function eventOf(operation: string): Promise<AuditEntry> {
  let found: AuditEntry | undefined;
  for await (const entry of keys.audit()) if (entry.operation === operation) found = entry;
  return found!;
}

describe("suspend and resume", () => {
  it("act on all versions that are active, in one commit, and bar every use between", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const sealed = await keys.encrypt("k", text("x"));
    await keys.rotate("k");
    await keys.rotate("k", { offsetMs: 100 });
    clock.advance(5);
    expect((await keys.suspend("k")).versions.map(({ state }) => state)).toEqual([
      "suspended",
      "suspended",
      "pre-active",
    ]);
    expect((await eventOf("suspend")).keys).toHaveLength(2);
    expect(await codeOf(keys.encrypt("k", text("x")))).toBe("KEY_NOT_USABLE");
    expect(await reasonOf(keys.decrypt(sealed))).toBe("acceptance-needed");
    clock.advance(5);
    await keys.resume("k");
    expect(await statesOf("k")).toEqual(["active", "active", "pre-active"]);
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
  });

  it("are refused where nothing is in the state that they need", async () => {
    await keys.create({ name: "k", algorithm: AEAD, activation: null });
    await expect(keys.suspend("k")).rejects.toMatchObject({
      code: "KEY_TRANSITION_NOT_ALLOWED",
      details: { state: "pre-active", event: "suspend", allowedFrom: ["active"] },
    });
    await keys.activate("k");
    expect(await codeOf(keys.resume("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    await keys.suspend("k");
    expect(await codeOf(keys.suspend("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    expect(await codeOf(keys.rotate("nobody"))).toBe("KEY_NOT_FOUND");
  });

  it("do not bring back what has expired meanwhile", async () => {
    await keys.create({ name: "k", algorithm: AEAD, deactivation: at(10) });
    await keys.suspend("k");
    clock.advance(10);
    expect(await statesOf("k")).toEqual(["deactivated"]);
    expect(await codeOf(keys.resume("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
  });

  it("take several commits where a store takes no more at once, the current version last", async () => {
    const limits = { maxChecks: MIN_CHECKS, maxMutations: MIN_MUTATIONS };
    const { keys: other } = await openMemory({ storage: memoryStorage({ limits }) });
    await other.create({ name: "k", algorithm: AEAD });
    for (let i = 0; i < 19; i++) await other.rotate("k");
    const key = await other.suspend("k");
    expect(key.versions.every(({ state }) => state === "suspended")).toBe(true);
    const operations = await auditOperations(other);
    expect(operations.filter((operation) => operation === "suspend").length).toBeGreaterThan(1);
    await other.resume("k");
    expect((await other.get("k"))!.versions.every(({ state }) => state === "active")).toBe(true);
    await other.create({ name: "kek", ...KEK });
    await other.createMany(40, { algorithm: AEAD, under: "kek" });
    await other.rotate("kek");
    await other.rewrap("kek");
    await other.revoke("kek", { reason: "key-compromise", version: 1 });
    const under = (await other.list({ under: "kek" })).keys;
    expect(under.filter(({ versions }) => versions[0]!.exposed)).toHaveLength(40);
  });
});

describe("a message of a suspended version", () => {
  it("opens on the caller's word that it was made before, audited with that word", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const sealed = await keys.encrypt("k", text("x"));
    clock.advance(10);
    await keys.suspend("k");
    clock.advance(10);
    const accept = (ms: number): ReturnType<KeyManager["recoverMessage"]> =>
      keys.recoverMessage(sealed, { evidence: { kind: "assertion", time: at(ms) } });
    expect(await accept(9)).toMatchObject({
      plaintext: text("x"),
      version: 1,
      state: "suspended",
      mark: "suspended",
      evidence: "assertion",
      exposed: false,
    });
    expect(await reasonOf(accept(10))).toBe("evidence-too-late");
    expect(await reasonOf(keys.recoverMessage(sealed))).toBe("acceptance-needed");
    expect(await eventOf("decrypt")).toMatchObject({
      evidence: { kind: "assertion", time: at(9) },
      reasons: ["owner-may", "suspended version"],
    });
    // And nothing stays at hand that plain use would find.
    expect(await reasonOf(keys.decrypt(sealed))).toBe("acceptance-needed");
  });

  it("opens by evidence also where its wrapping key is the one suspended", async () => {
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    const sealed = await keys.encrypt("k", text("x"));
    clock.advance(10);
    await keys.suspend("kek");
    expect(await reasonOf(keys.decrypt(sealed))).toBe("acceptance-needed");
    const evidence = { kind: "assertion", time: at(5) } as const;
    expect(await keys.recoverMessage(sealed, { evidence })).toMatchObject({ plaintext: text("x") });
    expect(await reasonOf(keys.decrypt(sealed))).toBe("acceptance-needed");
    expect(await codeOf(keys.recoverMessage(sealed, { evidence: { ...evidence, time: at(10) } }))).toBe(
      "KEY_NOT_USABLE",
    );
    const wrong = { evidence: { kind: "rumour" as "assertion", time: at(1) } };
    expect(await codeOf(keys.recoverMessage(sealed, wrong))).toBe("KEY_INVALID_OPTION");
  });
});

describe("revoke", () => {
  it.each(REVOCATION_REASON_NAMES)(
    "for %s leads where the table says, and keeps the reason",
    async (reason) => {
      const compromise = reason === "key-compromise" || reason === "ca-compromise";
      await keys.create({ name: "k", algorithm: AEAD });
      clock.advance(7);
      const [version] = (await keys.revoke("k", { reason })).versions;
      expect(version).toMatchObject({
        state: compromise ? "compromised" : "deactivated",
        cause: "revoked",
        reason,
        dates: compromise ? { compromise: at(7), occurrence: at(0) } : { deactivation: at(7) },
      });
      expect(await eventOf("revoke")).toMatchObject({ revocation: reason });
      // A waiting version can't be revoked without a compromise.
      await keys.create({ name: "w", algorithm: AEAD, activation: null });
      const refused = keys.revoke("w", { reason });
      if (compromise) expect((await refused).versions[0]!.state).toBe("compromised");
      else await expect(refused).rejects.toMatchObject({ details: { instead: "destroy" } });
    },
  );

  it("takes an occurrence with a compromise only, and none that lies ahead", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    clock.advance(10);
    const revoke = (reason: string, ms: number): Promise<string> =>
      codeOf(async () => keys.revoke("k", { reason: reason as "superseded", occurrence: at(ms) }));
    expect(await revoke("superseded", 3)).toBe("KEY_INVALID_OPTION");
    expect(await revoke("key-compromise", 11)).toBe("KEY_INVALID_OPTION");
    expect(await revoke("boredom", 3)).toBe("KEY_INVALID_OPTION");
    expect(await statesOf("k")).toEqual(["active"]);
    expect(await revoke("key-compromise", 3)).toBe("no error");
    expect((await versionsOf("k"))[0]!.dates).toMatchObject({ compromise: at(10), occurrence: at(3) });
  });

  it("reaches what is suspended, deactivated and destroyed, and leads nowhere back", async () => {
    for (const name of ["suspended", "deactivated", "destroyed"])
      await keys.create({ name, algorithm: AEAD });
    await keys.suspend("suspended");
    await keys.deactivate("deactivated");
    await keys.deactivate("destroyed");
    await keys.destroy("destroyed");
    for (const name of ["suspended", "deactivated", "destroyed"])
      await keys.revoke(name, { reason: "key-compromise" });
    expect(await statesOf("suspended")).toEqual(["compromised"]);
    expect(await statesOf("deactivated")).toEqual(["compromised"]);
    expect(await statesOf("destroyed")).toEqual(["destroyed-compromised"]);
    expect((await keys.destroy("suspended")).key.versions[0]!.state).toBe("destroyed-compromised");
    for (const run of [
      () => keys.activate("deactivated"),
      () => keys.resume("deactivated"),
      () => keys.deactivate("deactivated"),
      () => keys.revoke("destroyed", { reason: "key-compromise" }),
      () => keys.destroy("destroyed"),
    ])
      expect(await codeOf(run())).toBe("KEY_TRANSITION_NOT_ALLOWED");
  });

  it("of all versions is a job, and a successor does not inherit the end that it set", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    await keys.rotate("k");
    await keys.rotate("k", { offsetMs: 1000 });
    const job = keys.revoke("k", { reason: "superseded", versions: "all" });
    expect(await job).toEqual({ job: job.id, revoked: 2, skipped: 1 });
    expect(await statesOf("k")).toEqual(["deactivated", "deactivated", "pre-active"]);
    expect(await keys.revoke("k", { reason: "superseded", versions: "all", job: job.id })).toMatchObject({
      revoked: 2,
    });
    const other = keys.revoke("k", { reason: "unspecified", versions: "all", job: job.id });
    expect(await codeOf(other)).toBe("JOB_REQUEST_MISMATCH");
    await keys.create({ name: "end", algorithm: AEAD });
    await keys.deactivate("end");
    await keys.revoke("end", { reason: "key-compromise" });
    expect((await keys.rotate("end")).versions[1]).toMatchObject({ state: "active", dates: {} });
  });

  it("of a compromised version leaves its messages to recovery, by those who ask for it", async () => {
    await keys.create({ name: "k", algorithm: AEAD });
    const sealed = await keys.encrypt("k", text("x"));
    await keys.revoke("k", { reason: "key-compromise" });
    expect(await reasonOf(keys.decrypt(sealed))).toBe("recovery-only");
    const evidence = { kind: "time-stamp", time: at(-1) } as const;
    expect(await reasonOf(keys.recoverMessage(sealed, { evidence }))).toBe("recovery-only");
    expect(await keys.recoverMessage(sealed, { recovery: true })).toMatchObject({
      plaintext: text("x"),
      mark: "compromised",
    });
    expect(await reasonOf(keys.decrypt(sealed))).toBe("recovery-only");
  });
});

describe("a compromised wrapping key", () => {
  const exposedOf = async (name: string): Promise<boolean[]> =>
    (await versionsOf(name)).map(({ exposed }) => exposed);
  const entries = async (prefix: number): Promise<number> => {
    let count = 0;
    for await (const { key } of memoryStorage({ space }).list(ranges.everything(), { keysOnly: true }))
      if (key[0] === prefix) count++;
    return count;
  };

  it("exposes what was ever wrapped under it, wherever it has been moved since", async () => {
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "moved", algorithm: AEAD, under: "kek" });
    await keys.rotate("kek");
    await keys.rewrap("kek");
    await keys.create({ name: "later", algorithm: AEAD, under: "kek" });
    await keys.rotate("moved");
    await keys.create({ name: "elsewhere", algorithm: AEAD });
    await keys.revoke("kek", { reason: "key-compromise", version: 1 });
    expect(await exposedOf("moved")).toEqual([true, false]);
    expect(await exposedOf("later")).toEqual([false]);
    expect(await exposedOf("kek")).toEqual([false, false]);
    await keys.revoke("kek", { reason: "ca-compromise", version: 2 });
    expect(await exposedOf("moved")).toEqual([true, true]);
    expect(await exposedOf("later")).toEqual([true]);
    expect(await exposedOf("elsewhere")).toEqual([false]);
    expect(await entries(PREFIX.indexExposed)).toBe(3);
    expect(await entries(PREFIX.indexExposing)).toBe(0);
  });

  it("exposes what lies under the wrapping keys under it, and what is put there later", async () => {
    await keys.create({ name: "top", ...KEK });
    await keys.create({ name: "middle", ...KEK, under: "top" });
    await keys.create({ name: "leaf", algorithm: AEAD, under: "middle" });
    await keys.createMany(600, { algorithm: AEAD, under: "middle" });
    await keys.rotate("top");
    await keys.revoke("top", { reason: "key-compromise", version: 1 });
    expect(await exposedOf("middle")).toEqual([true]);
    expect(await exposedOf("leaf")).toEqual([true]);
    expect(await entries(PREFIX.indexExposed)).toBe(602);
    await keys.rewrap("top");
    expect(await exposedOf("middle")).toEqual([true]);
    await keys.create({ name: "new", algorithm: AEAD, under: "middle" });
    expect(await exposedOf("new")).toEqual([true]);
    await keys.createMany(2, { algorithm: AEAD, under: "middle" });
    expect(await entries(PREFIX.indexExposed)).toBe(605);
    // Only a new key, under a new wrapping version, is clean again.
    await keys.rotate("middle");
    await keys.rotate("leaf");
    expect(await exposedOf("leaf")).toEqual([true, false]);
  });

  it("wraps nothing any more, and lets go of what it holds: re-wrapping away from it is always allowed", async () => {
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    const sealed = await keys.encrypt("k", text("x"));
    const other = (await openMemory({ space, clock, seed: 7 })).keys;
    await other.get("kek");
    await keys.revoke("kek", { reason: "key-compromise" });
    expect(await reasonOf(keys.decrypt(sealed))).toBe("recovery-only");
    expect(await keys.recoverMessage(sealed, { recovery: true })).toMatchObject({
      plaintext: text("x"),
      exposed: true,
    });
    // A process that has not heard of it meets the closed gate.
    expect(await codeOf(other.create({ name: "never", algorithm: AEAD, under: "kek" }))).toBe(
      "KEY_NOT_USABLE",
    );
    await keys.rotate("kek");
    expect((await keys.rewrap("kek")).rewrapped).toBe(1);
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    expect(await keys.destroy("kek", { version: 1 })).toMatchObject({ shredded: 0 });
    await other.close();
  });
});

describe("archive and recover", () => {
  it("bar all use and all getting of material, and leave metadata and look-ups", async () => {
    await keys.create({ name: "k", algorithm: AEAD, tags: ["t"], exportable: true });
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "under", algorithm: AEAD, under: "kek" });
    const sealed = await keys.encrypt("k", text("x"));
    clock.advance(3);
    expect(await keys.archive("k")).toMatchObject({ archived: at(3), versions: [{ state: "active" }] });
    await keys.archive("kek");
    expect(await reasonOf(keys.encrypt("k", text("x")))).toBe("archived");
    expect(await reasonOf(keys.decrypt(sealed))).toBe("archived");
    expect(await reasonOf(keys.exportInsecureCleartext("k"))).toBe("archived");
    expect(await reasonOf(keys.create({ algorithm: AEAD, under: "kek" }))).toBe("archived");
    expect(await reasonOf(keys.encrypt("under", text("x")))).toBe("archived");
    expect(await codeOf(keys.rotate("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    expect(await codeOf(keys.archive("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    expect((await keys.list({ tag: "t" })).keys).toHaveLength(1);
    clock.advance(3);
    expect((await keys.recover("k")).archived).toBeUndefined();
    expect(await codeOf(keys.recover("k"))).toBe("KEY_TRANSITION_NOT_ALLOWED");
    expect(await keys.decrypt(sealed)).toEqual(text("x"));
    // States go on beside the flag.
    await keys.revoke("kek", { reason: "superseded" });
    expect(await keys.recover("kek")).toMatchObject({ versions: [{ state: "deactivated" }] });
  });
});

describe("import and export", () => {
  const material = (): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => i * 3);

  it("take over raw bytes, marked as not generated here, and give out the same ones, marked as exposed", async () => {
    const bytes = material();
    const key = await keys.import(bytes, { name: "k", algorithm: AEAD, exportable: true });
    expect(bytes).toEqual(material());
    expect(key.versions[0]).toMatchObject({ state: "active", imported: true, exposed: false });
    expect(await keys.decrypt(await keys.encrypt("k", text("x")))).toEqual(text("x"));
    expect(await keys.exportInsecureCleartext("k")).toEqual(material());
    expect((await versionsOf("k"))[0]).toMatchObject({ imported: true, exposed: true });
    expect((await keys.rotate("k")).versions[1]).toMatchObject({ exposed: false });
    expect((await versionsOf("k"))[1]!.imported).toBeUndefined();
    expect(await codeOf(keys.exportInsecureCleartext("k"))).toBe("KEY_INVALID_OPTION");
    expect(await auditOperations(keys)).toEqual(expect.arrayContaining(["import", "export"]) as unknown);
  });

  it("go under wrapping keys of every algorithm, with keys of every algorithm", async () => {
    for (const wrapper of ["A256KW", "A256KWP", AEAD]) {
      await keys.create({ name: wrapper, algorithm: wrapper, usages: ["wrap", "unwrap"] });
      for (const algorithm of [AEAD, "HMAC-SHA256", "Ed25519", "X25519"]) {
        const key = await keys.import(material(), { algorithm, under: wrapper, exportable: true });
        expect(await keys.exportInsecureCleartext(key)).toEqual(material());
      }
      await keys.rotate(wrapper);
      expect((await keys.rewrap(wrapper)).rewrapped).toBe(4);
      await keys.revoke(wrapper, { reason: "key-compromise", version: 1 });
      const under = (await keys.list({ under: wrapper })).keys;
      expect(under.map(({ versions }) => versions[0]!.exposed)).toEqual([true, true, true, true]);
    }
  });

  it("refuse what is no key of the algorithm, and what was not made exportable", async () => {
    const take = (bytes: unknown): Promise<string> =>
      codeOf(keys.import(bytes as Uint8Array, { name: "k", algorithm: AEAD }));
    expect(await take(new Uint8Array(31))).toBe("KEY_INVALID_OPTION");
    expect(await take("0".repeat(32))).toMatch(/^TypeError/);
    expect(await take(material())).toBe("no error");
    expect(await take(material())).toBe("KEY_NAME_TAKEN");
    expect(await codeOf(keys.exportInsecureCleartext("k"))).toBe("CORE_NOT_EXPORTABLE");
    expect((await versionsOf("k"))[0]!.exposed).toBe(false);
  });

  it("of a wrapping key exposes what lies under it; destroyed or suspended keys give nothing out", async () => {
    await keys.create({ name: "kek", ...KEK, exportable: true });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    await keys.suspend("kek");
    expect(await reasonOf(keys.exportInsecureCleartext("kek"))).toBe("state");
    await keys.resume("kek");
    expect(await keys.exportInsecureCleartext("kek")).toHaveLength(32);
    expect((await versionsOf("k"))[0]!.exposed).toBe(true);
  });
});

it("what one process restricts, another refuses within its freshness", async () => {
  const other = (await openMemory({ space, clock, seed: 3 })).keys;
  for (const restrict of ["suspend", "archive", "revoke"] as const) {
    await keys.create({ name: restrict, algorithm: AEAD });
    await other.encrypt(restrict, text("x"));
    if (restrict === "revoke") await keys.revoke(restrict, { reason: "unspecified" });
    else await keys[restrict](restrict);
    clock.advance(1001);
    expect(await codeOf(other.encrypt(restrict, text("x")))).toBe("KEY_NOT_USABLE");
  }
  expect(parseId((await keys.get("suspend"))!.id)).toHaveLength(16);
});
