/** Managed signing keys: one pair, two halves, of which the public one outlives the other. */
import nacl from "tweetnacl";
import { beforeEach, describe, expect, it } from "vitest";
import type { Key, KeyManager, VerifyOptions } from "../../sdk/index.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { keyspace, PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { virtualClock, type VirtualClock } from "../../sdk/testing/index.js";
import { AEAD, auditOperations, codeOf, KEK, openMemory, text } from "../flows/support.js";

const NOW = Date.UTC(2030, 0, 1);
let space: MemorySpace;
let clock: VirtualClock;
let keys: KeyManager;

beforeEach(async () => {
  space = new MemorySpace();
  clock = virtualClock(NOW);
  ({ keys } = await openMemory({ space, clock, seed: 1 }));
});

const reasonOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const error = await promise.then(
    () => undefined,
    (cause: { details?: { reason?: unknown } }) => cause,
  );
  return error?.details?.reason ?? codeOf(promise);
};
const rawOf = async (key: string, version?: number): Promise<Uint8Array> =>
  (await keys.publicKey(key, { version })).raw;
const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) & 255);

describe("a signature", () => {
  it("is one that TweetNaCl accepts, of messages of every length around the hash's blocks", async () => {
    const key = await keys.create({ name: "k", algorithm: "Ed25519" });
    const publicKey = await rawOf("k");
    for (let length = 0; length <= 300; length += 13) {
      const message = bytes(length, 1);
      const { signature, ...of } = await keys.sign("k", message);
      expect(of).toEqual({ key: key.id, version: 1 });
      expect(signature).toHaveLength(64);
      expect(nacl.sign.detached.verify(message, signature, publicKey)).toBe(true);
      expect(await keys.verify("k", message, signature)).toMatchObject({ key: key.id, version: 1 });
    }
  });

  it("of TweetNaCl's is accepted of an imported key, whose public half is TweetNaCl's", async () => {
    const pair = nacl.sign.keyPair.fromSeed(bytes(32, 2));
    await keys.import(bytes(32, 2), { name: "k", algorithm: "Ed25519" });
    expect(await rawOf("k")).toEqual(pair.publicKey);
    const signature = nacl.sign.detached(text("m"), pair.secretKey);
    expect(await keys.sign("k", text("m"))).toMatchObject({ signature });
    expect((await keys.verify("k", text("m"), signature)).imported).toBe(true);
  });

  it("is refused with one code, whatever is wrong with it", async () => {
    await keys.create({ name: "k", algorithm: "Ed25519" });
    await keys.create({ name: "other", algorithm: "Ed25519" });
    const { signature } = await keys.sign("k", text("m"));
    const wrong = [signature.with(0, signature[0]! ^ 1), signature.subarray(1), new Uint8Array(0)];
    for (const one of wrong) {
      expect(await codeOf(keys.verify("k", text("m"), one))).toBe("SIGNATURE_INVALID");
      expect(await codeOf(keys.verify("k", text("m"), one, { version: 1 }))).toBe("SIGNATURE_INVALID");
    }
    expect(await codeOf(keys.verify("k", text("M"), signature))).toBe("SIGNATURE_INVALID");
    expect(await codeOf(keys.verify("other", text("m"), signature))).toBe("SIGNATURE_INVALID");
    expect(await codeOf(keys.verify("k", text("m"), signature, { version: 2 }))).toBe(
      "KEY_VERSION_NOT_FOUND",
    );
    expect(await codeOf(keys.verify("nobody", text("m"), signature))).toBe("KEY_NOT_FOUND");
    expect(await codeOf(keys.verify("k", "m" as never, signature))).toMatch(/^TypeError/);
    expect(await codeOf(keys.sign("k", new Uint8Array(1024 * 1024 + 1)))).toBe("MESSAGE_TOO_LARGE");
    const longest = new Uint8Array(1024 * 1024);
    const made = await keys.sign("k", longest);
    expect(await keys.verify("k", longest, made.signature)).toMatchObject({ state: "active" });
  });
});

describe("the halves of a pair", () => {
  it("have masks of their own under one id", async () => {
    const signer = await keys.create({ name: "signer", algorithm: "Ed25519", usages: ["sign"] });
    const verifier = await keys.create({ name: "verifier", algorithm: "Ed25519", usages: ["verify"] });
    expect(signer.halves).toEqual({ private: ["sign"], public: [] });
    expect(verifier.halves).toEqual({ private: [], public: ["verify"] });
    expect((await keys.create({ algorithm: AEAD })).halves).toBeUndefined();
    const { signature } = await keys.sign("signer", text("m"));
    expect(await reasonOf(keys.verify("signer", text("m"), signature))).toBe("usage");
    expect(await reasonOf(keys.sign("verifier", text("m")))).toBe("usage");
  });

  it("are nothing that keys of other kinds have", async () => {
    await keys.create({ name: "aead", algorithm: AEAD });
    expect(await codeOf(keys.publicKey("aead"))).toBe("KEY_USAGE_CONFLICT");
    expect(await reasonOf(keys.sign("aead", text("m")))).toBe("usage");
    expect(await reasonOf(keys.verify("aead", text("m"), new Uint8Array(64)))).toBe("usage");
    await keys.create({ name: "x", algorithm: "X25519" });
    expect(await rawOf("x")).toHaveLength(32);
    expect(await reasonOf(keys.sign("x", text("m")))).toBe("usage");
    expect(await reasonOf(keys.verify("x", text("m"), new Uint8Array(64)))).toBe("usage");
  });

  it("change with each rotation, and old versions go on verifying", async () => {
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "k", algorithm: "Ed25519", under: "kek" });
    const signatures = [];
    for (let version = 1; version <= 3; version++) {
      signatures.push(await keys.sign("k", text(`m${version}`)));
      await keys.rotate("k");
    }
    await keys.rotate("kek");
    expect((await keys.rewrap("kek")).rewrapped).toBe(4);
    const publicKeys = await Promise.all([1, 2, 3, 4].map((version) => rawOf("k", version)));
    expect(new Set(publicKeys.map(String)).size).toBe(4);
    expect(await rawOf("k")).toEqual(publicKeys[3]);
    for (const [i, { signature, version }] of signatures.entries()) {
      expect(version).toBe(i + 1);
      const message = text(`m${version}`);
      expect(nacl.sign.detached.verify(message, signature, publicKeys[i]!)).toBe(true);
      // Named or not, it is found whose it is.
      expect(await keys.verify("k", message, signature)).toMatchObject({ version, current: false });
      expect(await keys.verify("k", message, signature, { version })).toMatchObject({ version });
      const other = { version: version === 1 ? 2 : 1 };
      expect(await codeOf(keys.verify("k", message, signature, other))).toBe("SIGNATURE_INVALID");
    }
    expect((await keys.sign("k", text("x"))).version).toBe(4);
  });

  it("are made by the thousand, each with its own", async () => {
    await keys.create({ name: "kek", ...KEK });
    await keys.createMany(70, { algorithm: "Ed25519", under: "kek", tags: ["many"] });
    const { keys: many } = await keys.list({ tag: "many", limit: 1000 });
    expect(many).toHaveLength(70);
    const seen = new Set<string>();
    for (const key of many) {
      const { raw } = await keys.publicKey(key);
      seen.add(String(raw));
      const { signature } = await keys.sign(key, text("m"));
      expect(nacl.sign.detached.verify(text("m"), signature, raw)).toBe(true);
    }
    expect(seen.size).toBe(70);
    // A wrapping key that can't unwrap is enough to make them.
    await keys.create({ name: "blind", algorithm: AEAD, usages: ["wrap"] });
    expect((await keys.createMany(3, { algorithm: "X25519", under: "blind" })).created).toBe(3);
  });

  it("stay as they are in a store that is opened again", async () => {
    await keys.create({ name: "k", algorithm: "Ed25519" });
    const { signature } = await keys.sign("k", text("m"));
    const before = await keys.publicKey("k");
    await keys.close();
    ({ keys } = await openMemory({ space, clock, seed: 2 }));
    expect(await keys.publicKey("k")).toEqual(before);
    expect(await keys.sign("k", text("m"))).toMatchObject({ signature });
  });
});

describe("signing", () => {
  it("counts against the limits, and verifying doesn't", async () => {
    await keys.create({ name: "k", algorithm: "Ed25519", limits: { operations: 2, bytes: 100 } });
    const { signature } = await keys.sign("k", bytes(60, 1));
    expect(await reasonOf(keys.sign("k", bytes(41, 1)))).toBe("usage-limit");
    await keys.sign("k", bytes(40, 1));
    expect(await reasonOf(keys.sign("k", bytes(0, 1)))).toBe("usage-limit");
    for (let i = 0; i < 5; i++) expect(await keys.verify("k", bytes(60, 1), signature)).toBeTruthy();
    expect(await keys.usage("k", 1)).toEqual({ operations: 2, bytes: 100 });
  });

  it("is audited as the key asks, and so is verifying", async () => {
    await keys.create({ name: "each", algorithm: "Ed25519", audit: "each" });
    const { signature } = await keys.sign("each", text("m"));
    await keys.verify("each", text("m"), signature);
    expect(await codeOf(keys.verify("each", text("M"), signature))).toBe("SIGNATURE_INVALID");
    expect((await auditOperations(keys)).slice(-2)).toEqual(["sign", "verify"]);
  });

  it("and verifying know at once what was made usable elsewhere", async () => {
    const other = (await openMemory({ space, clock, seed: 3 })).keys;
    await keys.create({ name: "k", algorithm: "Ed25519", activation: null });
    expect(await reasonOf(other.sign("k", text("m")))).toBe("not-yet-active");
    await keys.activate("k");
    await other.sign("k", text("m"));
    await keys.rotate("k");
    const { signature, version } = await keys.sign("k", text("m"));
    expect(await other.verify("k", text("m"), signature)).toMatchObject({ version: 2 });
    await keys.rotate("k");
    const third = await keys.sign("k", text("m"));
    expect(await other.verify("k", text("m"), third.signature, { version: 3 })).toMatchObject({ version: 3 });
    expect(version).toBe(2);
  });

  it("ends everywhere within the freshness of a restriction elsewhere", async () => {
    const other = (await openMemory({ space, clock, seed: 3 })).keys;
    for (const restrict of ["suspend", "revoke", "compromise"]) {
      await keys.create({ name: restrict, algorithm: "Ed25519" });
      const { signature } = await other.sign(restrict, text("m"));
      if (restrict === "suspend") await keys.suspend(restrict);
      else if (restrict === "revoke") await keys.revoke(restrict, { reason: "superseded" });
      else await keys.revoke(restrict, { reason: "key-compromise" });
      expect(await reasonOf(keys.sign(restrict, text("m")))).toBe("state");
      clock.advance(1001);
      expect(await reasonOf(other.sign(restrict, text("m")))).toBe("state");
      if (restrict === "revoke") expect(await other.verify(restrict, text("m"), signature)).toBeTruthy();
      else expect(await codeOf(other.verify(restrict, text("m"), signature))).toBe("KEY_NOT_USABLE");
    }
  });

  it("has the cryptoperiod of a private signature key, after which its signatures still verify", async () => {
    const key = await keys.create({ name: "k", algorithm: "Ed25519", cryptoperiod: "signature" });
    const { protectStop, deactivation } = key.versions[0]!.dates;
    const years = [protectStop, deactivation].map((date) => date!.getUTCFullYear() - 2030);
    for (const year of years) expect(year >= 1 && year <= 3).toBe(true);
    const { signature } = await keys.sign("k", text("m"));
    clock.advance(deactivation!.getTime() - NOW);
    expect(await codeOf(keys.sign("k", text("m")))).toBe("KEY_NOT_USABLE");
    expect(await keys.verify("k", text("m"), signature)).toMatchObject({
      state: "deactivated",
      cause: "expired",
      dates: { deactivation },
    });
  });
});

describe("verifying", () => {
  const BEFORE = new Date(NOW + 4);
  const AFTER = new Date(NOW + 20);
  type Answer = "yes" | "no" | "suspended" | "compromised";
  const options = (kind: "assertion" | "time-stamp" | "inclusion", time: Date): VerifyOptions => ({
    evidence: { kind, time },
    acceptSuspended: true,
  });
  /** Every way in which a caller may come; the version is suspended or compromised ten milliseconds after it was made. */
  const WAYS: Record<string, VerifyOptions> = {
    nothing: {},
    "an acceptance alone": { acceptSuspended: true },
    "evidence without an acceptance": { evidence: { kind: "time-stamp", time: BEFORE } },
    "an assertion, before": options("assertion", BEFORE),
    "an assertion, after": options("assertion", AFTER),
    "a time-stamp, before": options("time-stamp", BEFORE),
    "a time-stamp, after": options("time-stamp", AFTER),
    "an inclusion proof, before": options("inclusion", BEFORE),
  };
  const all = (answer: Answer): Answer[] => Object.keys(WAYS).map(() => answer);
  const compromised: Answer[] = ["no", "no", "compromised", "no", "no", "compromised", "no", "compromised"];
  /**
   * The specification's page on the lifecycle, "where the standards disagree" 4 and the table of states, in its own words:
   * active, deactivated whatever the cause, destroyed: yes; suspended: with the acceptance, and any evidence that it was
   * before; the compromised states: trusted evidence of a time before it.
   */
  const STATES: [string, (name: string) => Promise<unknown>, Answer[]][] = [
    ["active", async () => undefined, all("yes")],
    [
      "active after its protect-stop",
      (k) => keys.setDates(k, { protectStop: new Date(NOW + 10) }),
      all("yes"),
    ],
    [
      "suspended",
      (k) => keys.suspend(k),
      ["no", "no", "no", "suspended", "no", "suspended", "no", "suspended"],
    ],
    ["deactivated", (k) => keys.deactivate(k), all("yes")],
    ["deactivated by a revocation", (k) => keys.revoke(k, { reason: "superseded" }), all("yes")],
    ["deactivated by its date", (k) => keys.setDates(k, { deactivation: new Date(NOW + 10) }), all("yes")],
    ["compromised", (k) => revokeAtTen(k), compromised],
    [
      "destroyed",
      async (k) => {
        await keys.deactivate(k);
        await keys.destroy(k);
      },
      all("yes"),
    ],
    [
      "destroyed-compromised",
      async (k) => {
        await revokeAtTen(k);
        await keys.destroy(k);
      },
      compromised,
    ],
    ["archived", (k) => keys.archive(k), all("no")],
  ];
  const revokeAtTen = (key: string): Promise<Key> =>
    keys.revoke(key, { reason: "key-compromise", occurrence: new Date(NOW + 10) });

  it.each(STATES)(
    "with a version that is %s follows the specification's table",
    async (name, lead, answers) => {
      await keys.create({ name: "k", algorithm: "Ed25519" });
      const { signature } = await keys.sign("k", text("m"));
      if (!name.includes("date") && !name.includes("protect-stop")) clock.advance(10);
      await lead("k");
      clock.advance(90);
      const events = (await auditOperations(keys)).length;
      let audited = 0;
      for (const [i, [way, given]] of Object.entries(WAYS).entries()) {
        for (const version of [undefined, 1]) {
          const verified = keys.verify("k", text("m"), signature, { ...given, version });
          const answer = answers[i]!;
          if (answer === "no") {
            expect(await codeOf(verified), way).toBe("KEY_NOT_USABLE");
            continue;
          }
          const result = await verified;
          expect(result.mark, way).toBe(answer === "yes" ? undefined : answer);
          expect(result.evidence, way).toBe(answer === "yes" ? undefined : given.evidence!.kind);
          if (answer !== "yes") audited++;
          const { state, dates } = (await keys.get("k"))!.versions[0]!;
          expect([result.state, result.dates]).toEqual([state, dates]);
          expect(name.startsWith(state)).toBe(true);
          expect(await codeOf(keys.verify("k", text("M"), signature, given))).toBe("SIGNATURE_INVALID");
        }
        // The public half itself is there in every state.
        expect(nacl.sign.detached.verify(text("m"), signature, await rawOf("k"))).toBe(true);
      }
      const verifications = (await auditOperations(keys)).slice(events);
      expect(verifications).toEqual(Array(audited).fill("verify"));
    },
  );

  it("of a version that is not active yet is refused", async () => {
    await keys.create({ name: "k", algorithm: "Ed25519", activation: null });
    expect(await reasonOf(keys.verify("k", text("m"), new Uint8Array(64)))).toBe("not-yet-active");
  });

  it("goes on from the record alone when the material is gone", async () => {
    const key = await keys.create({ name: "k", algorithm: "Ed25519" });
    const { signature } = await keys.sign("k", text("m"));
    const publicKey = await rawOf("k");
    await keys.deactivate("k");
    await keys.destroy("k");
    for await (const entry of memoryStorage({ space }).list(ranges.everything())) {
      const ofKey = entry.key.length === 41 && String(entry.key.slice(21, 37)) === String(parseId(key.id));
      expect(entry.key[0] === PREFIX.material && ofKey).toBe(false);
    }
    expect(await keys.verify("k", text("m"), signature)).toMatchObject({ state: "destroyed" });
    expect(await rawOf("k")).toEqual(publicKey);
    expect(await codeOf(keys.sign("k", text("m")))).toBe("KEY_DESTROYED");
  });

  it("finds a public half that was changed or exchanged in the store", async () => {
    const ids = await Promise.all(
      ["k", "l"].map(async (name) => parseId((await keys.create({ name, algorithm: "Ed25519" })).id)),
    );
    const { signature } = await keys.sign("k", text("m"));
    const publicKeys = [await rawOf("k"), await rawOf("l")];
    const adapter = memoryStorage({ space });
    const [own, other] = (await adapter.getMany(ids.map((id) => keyspace.key(id)))).map((entry) => entry!);
    const at = own!.value.findIndex((_, i) => publicKeys[0]!.every((byte, j) => own!.value[i + j] === byte));
    expect(at).toBeGreaterThan(0);
    const exchanged = own!.value.slice();
    exchanged.set(publicKeys[1]!, at);
    const changed = own!.value.with(at + 5, own!.value[at + 5]! ^ 1);
    for (const value of [exchanged, changed, other!.value]) {
      const mutations = [{ kind: "put" as const, key: own!.key, value }];
      await adapter.commit({ id: new Uint8Array(16), checks: [], mutations });
      const victim = (await openMemory({ space, clock, seed: 9 })).keys;
      expect(await codeOf(victim.verify("k", text("m"), signature))).toBe("STORE_DAMAGED");
      expect(await codeOf(victim.publicKey("k"))).toBe("STORE_DAMAGED");
    }
  });
});
