/** What a report says of a store, and what the policy's strength rules refuse. */
import { describe, expect, it } from "vitest";
import {
  passphrase,
  POLICY_TEMPLATES,
  type KeyManager,
  type Policy,
  type ReportEntry,
  type ReportOptions,
} from "../../sdk/index.js";
import { memoryStorage } from "../../sdk/storage/memory.js";
import { openWith, virtualClock } from "../../sdk/testing/index.js";
import { AEAD, codeOf, KEK, openMemory, text } from "./support.js";

const DAY = 86_400_000;
const strict = (strength: Policy["strength"]): Policy => ({ ...POLICY_TEMPLATES.roles, strength });

async function reported(keys: KeyManager, options?: ReportOptions): Promise<ReportEntry[]> {
  const entries: ReportEntry[] = [];
  for await (const entry of keys.report(options)) entries.push(entry);
  return entries;
}

const brief = (entries: readonly ReportEntry[]): string[] =>
  entries.map(({ finding, key, version, rule }) =>
    [finding, key?.name ?? "-", version, rule].filter((part) => part !== undefined).join(" "),
  );

describe("a report", () => {
  it("says what is out of policy, due, expired, exposed and over-used, and nothing of what is in order", async () => {
    const { keys, clock } = await openMemory();
    const after = (days: number): Date => new Date(clock.now() + days * DAY);
    await keys.create({ name: "fine", algorithm: AEAD, protectStop: after(300) });
    await keys.create({ name: "due", algorithm: AEAD, protectStop: after(29), deactivation: after(31) });
    await keys.create({ name: "waits", algorithm: AEAD, activation: after(10), deactivation: after(300) });
    await keys.create({ name: "ends", algorithm: AEAD, deactivation: after(1) });
    await keys.create({ name: "stops", algorithm: AEAD, protectStop: after(1) });
    await keys.create({ name: "gone", algorithm: AEAD, deactivation: after(1) });
    await keys.create({ name: "kek", ...KEK, protectStop: after(300) });
    await keys.create({ name: "under", algorithm: AEAD, under: "kek", protectStop: after(300) });
    await keys.create({
      name: "counted",
      algorithm: AEAD,
      limits: { operations: 1 },
      protectStop: after(300),
    });
    await keys.create({ name: "endless", algorithm: AEAD });
    await keys.create({ name: "pair", algorithm: "Ed25519", protectStop: after(300) });
    await keys.encrypt("counted", text("x"));
    await keys.revoke("kek", { reason: "key-compromise" });
    expect(brief(await reported(keys)).sort()).toEqual(
      [
        "due due 1",
        "due waits 1",
        "due ends 1",
        "due stops 1",
        "due gone 1",
        "exposed under 1",
        "over-used counted 1",
      ].sort(),
    );
    await keys.setPolicy(strict({ algorithms: [AEAD], maxCryptoperiodDays: 365 }));
    clock.advance(2 * DAY);
    await keys.confirmClock();
    await keys.destroy("gone");
    const entries = await reported(keys, { withinDays: 1 });
    expect(brief(entries).sort()).toEqual(
      [
        "expired ends 1",
        "expired stops 1",
        "exposed under 1",
        "out-of-policy endless 1 maxCryptoperiodDays",
        "out-of-policy pair 1 algorithms",
        "over-used counted 1",
      ].sort(),
    );
    const find = (name: string) => entries.find(({ key }) => key?.name === name);
    expect(find("ends")!.at).toEqual(new Date(clock.now() - DAY));
    expect(find("counted")!.detail).toBe("1 of 1 operations are spent");
    expect(find("endless")!.detail).toBe("its cryptoperiod is without end, at most 365 days are allowed");
    await keys.close();
  });

  it("goes over pages, and over every version", async () => {
    const { keys } = await openMemory();
    await keys.createMany(600, { algorithm: AEAD });
    await keys.create({ name: "k", algorithm: AEAD });
    await keys.rotate("k");
    await keys.setPolicy(strict({ algorithms: ["Ed25519"] }));
    const entries = await reported(keys);
    expect(entries).toHaveLength(602);
    expect(new Set(entries.map(({ key, version }) => `${key!.id}/${version}`)).size).toBe(602);
    await keys.close();
  });

  it("tells an entity of the keys that it may read only", async () => {
    const { keys } = await openMemory();
    const { id } = await keys.registerEntity({ name: "ann", roles: ["red"] });
    await keys.create({ name: "red", algorithm: AEAD, tags: ["red"] });
    await keys.create({ name: "blue", algorithm: AEAD, tags: ["blue"] });
    await keys.setPolicy({
      ...strict({ algorithms: ["Ed25519"] }),
      rules: [
        ...POLICY_TEMPLATES.roles.rules,
        { name: "red", effect: "allow", roles: ["red"], tags: ["red"], operations: ["read"] },
      ],
    });
    expect(brief(await reported(await keys.as(id)))).toEqual(["out-of-policy red 1 algorithms"]);
    expect(await reported(keys)).toHaveLength(2);
    await keys.close();
  });

  it("names root slots whose key derivation is weaker than demanded", async () => {
    const keys = await openWith(
      {
        storage: memoryStorage(),
        unlock: passphrase("pass", { kdf: "Argon2id", memoryKiB: 19_456, passes: 2 }),
      },
      { clock: virtualClock() },
    );
    expect(await reported(keys)).toEqual([]);
    await keys.setPolicy(
      strict({ minArgon2idMemoryKiB: 65_536, minArgon2idPasses: 2, minPbkdf2Iterations: 1e6 }),
    );
    expect(await reported(keys)).toEqual([
      {
        finding: "out-of-policy",
        rule: "minArgon2idMemoryKiB",
        slot: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        detail: "Argon2id with memoryKiB 19456, at least 65536 are demanded",
      },
    ]);
    await keys.close();
  });

  it.each([-1, 0.5, NaN, 1e9])("is refused for %s days", async (withinDays) => {
    const { keys } = await openMemory();
    expect(await codeOf(reported(keys, { withinDays }))).toBe("KEY_INVALID_OPTION");
    await keys.close();
  });
});

describe("strength rules", () => {
  it("refuse weak keys when they are made, by whatever way, and leave nothing behind", async () => {
    const { keys, clock } = await openMemory();
    const after = (days: number): Date => new Date(clock.now() + days * DAY);
    await keys.create({ name: "old", algorithm: "A256KW" });
    await keys.create({ name: "waits", algorithm: AEAD, activation: null });
    await keys.setPolicy(strict({ algorithms: [AEAD], maxCryptoperiodDays: 100 }));
    const good = { algorithm: AEAD, protectStop: after(100) };
    for (const weak of [
      () => keys.create({ algorithm: AEAD }),
      () => keys.create({ ...good, protectStop: after(101) }),
      () => keys.create({ ...good, algorithm: "Ed25519" }),
      () => keys.create({ algorithm: AEAD, cryptoperiod: "data" }),
      () => keys.import(new Uint8Array(32), { algorithm: AEAD }),
      () => keys.createMany(3, { algorithm: AEAD }),
      () => keys.rotate("old"),
      () => keys.activate("waits"),
    ]) {
      expect(await codeOf(weak)).toBe("POLICY_TOO_WEAK");
    }
    expect((await keys.list()).keys.map(({ name, versions }) => [name, versions.length])).toEqual([
      ["old", 1],
      ["waits", 1],
    ]);
    await keys.create({ ...good, name: "k" });
    await keys.rotate("k");
    expect(await codeOf(keys.setDates("k", { protectStop: null }, { version: 2 }))).toBe("POLICY_TOO_WEAK");
    await keys.setDates("k", { protectStop: after(50) }, { version: 2 });
    await keys.setDates("waits", { protectStop: after(90) });
    await keys.activate("waits");
    expect((await keys.createMany(3, good)).created).toBe(3);
    const denial = await keys.create({ algorithm: "Ed25519" }).catch((error: unknown) => error);
    expect(denial).toMatchObject({ details: { rules: ["algorithms", "maxCryptoperiodDays"] } });
    await keys.close();
  });
});
