/** Policies in a store: set, obeyed by every command, heard of by other managers, and never a lock without a key. */
import { describe, expect, it } from "vitest";
import { POLICY_TEMPLATES, type KeyManager, type Operation, type Policy } from "../../sdk/index.js";
import { doctor } from "../../sdk/entries/maintenance.js";
import { memoryStorage } from "../../sdk/storage/memory.js";
import { AEAD, codeOf, KEK, openMemory, text, type Opened } from "./support.js";

const DAY = 86_400_000;
const ALL: Policy["rules"][number] = { name: "owner-may", effect: "allow", roles: ["owner"] };
const withRules = (...rules: Policy["rules"]): Policy => ({ name: "test", rules: [ALL, ...rules] });

async function withUser(opened?: Opened): Promise<Opened & { user: KeyManager; userId: string }> {
  const all = opened ?? (await openMemory());
  const { id } = await all.keys.registerEntity({ name: "ann", roles: ["user"] });
  return { ...all, user: await all.keys.as(id), userId: id };
}

describe("without a policy", () => {
  it("the owner may everything, and an entity nothing", async () => {
    const { keys, user, userId } = await withUser();
    await keys.create({ name: "k", algorithm: AEAD });
    const sealed = await keys.encrypt("k", text("x"));
    expect(await keys.policies()).toEqual([]);
    for (const refused of [
      () => user.get("k"),
      () => user.encrypt("k", text("x")),
      () => user.decrypt(sealed),
      () => user.create({ algorithm: AEAD }),
      () => user.rotate("k"),
      () => user.setPolicy(POLICY_TEMPLATES.roles),
      () => user.registerEntity({ name: "bob", roles: ["owner2"] }),
      () => user.revokeEntity(userId),
      () => user.policies(),
      () => user.auditTail(),
    ]) {
      expect(await codeOf(refused)).toBe("POLICY_DENIED");
    }
    expect((await user.list()).keys).toEqual([]);
    expect(await codeOf(user.audit().next())).toBe("POLICY_DENIED");
    await keys.close();
  });
});

describe("a stored policy", () => {
  it("decides, and stands in events with its name, version and rules", async () => {
    const { keys, user, userId } = await withUser();
    await keys.create({ name: "k", algorithm: AEAD });
    const first = await keys.setPolicy(withRules());
    const second = await keys.setPolicy(POLICY_TEMPLATES.roles);
    expect([first.version, second.version]).toEqual([1, 2]);
    expect((await keys.policies()).map(({ version, policy }) => [version, policy.name])).toEqual([
      [2, "roles"],
      [1, "test"],
    ]);
    expect(second.policy).toEqual(POLICY_TEMPLATES.roles);
    expect(await user.decrypt(await user.encrypt("k", text("x")))).toEqual(text("x"));
    const refusal = await user.rotate("k").then(
      () => null,
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({
      code: "POLICY_DENIED",
      details: { operation: "rotate", policy: "roles", policyVersion: 2, rules: ["default-deny"] },
    });
    await keys.rotate("k");
    const [rotated, set, before] = await keys.auditTail(3);
    expect(rotated).toMatchObject({
      operation: "rotate",
      policy: "roles",
      policyVersion: 2,
      reasons: ["owner-may"],
    });
    // The change itself was decided by the policy before it.
    expect(set).toMatchObject({ operation: "set-policy", policy: "test", policyVersion: 1 });
    expect(before).toMatchObject({ operation: "set-policy", policy: "owner", policyVersion: 1 });
    expect(userId).not.toBe(rotated!.entity);
    await keys.close();
  });

  it("is asked by every command, and what it forbids leaves the store as it was", async () => {
    const { keys, space } = await openMemory();
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek", exportable: true });
    await keys.create({ name: "s", algorithm: "Ed25519" });
    const sealed = await keys.encrypt("k", text("x"));
    const { signature } = await keys.sign("s", text("x"));
    const { id } = await keys.registerEntity({ name: "ann", roles: ["user"] });
    const commands: Record<
      Exclude<Operation, "wrap" | "propose" | "approve" | "agree" | "backup">,
      () => PromiseLike<unknown>
    > = {
      create: () => keys.create({ algorithm: AEAD }),
      import: () => keys.import(new Uint8Array(32).fill(1), { algorithm: AEAD }),
      activate: () => keys.activate("k"),
      suspend: () => keys.suspend("k"),
      resume: () => keys.resume("k"),
      deactivate: () => keys.deactivate("k"),
      revoke: () => keys.revoke("k", { reason: "key-compromise" }),
      archive: () => keys.archive("k"),
      recover: () => keys.recover("k"),
      rotate: () => keys.rotate("k"),
      rewrap: () => keys.rewrap("kek"),
      destroy: () => keys.destroy("k"),
      "set-dates": () => keys.setDates("k", { deactivation: new Date("2090-01-01") }),
      sweep: () => keys.sweep(),
      "confirm-clock": () => keys.confirmClock(),
      export: () => keys.exportInsecureCleartext("k"),
      encrypt: () => keys.encrypt("k", text("x")),
      decrypt: () => keys.decrypt(sealed),
      sign: () => keys.sign("s", text("x")),
      verify: () => keys.verify("s", text("x"), signature),
      read: () => keys.get("k"),
      repair: () => doctor(keys, { repair: true }),
      audit: () => keys.auditTail(),
      "set-policy": () => keys.setPolicy(withRules()),
      "register-entity": () => keys.registerEntity({ name: "bob", roles: ["user"] }),
      "revoke-entity": () => keys.revokeEntity(id),
    };
    const operations = Object.keys(commands) as (keyof typeof commands)[];
    await keys.setPolicy(
      withRules({ name: "nothing-more", effect: "forbid", operations, window: { from: new Date(0) } }),
      { force: true },
    );
    const before = await snapshot(space);
    for (const operation of operations) {
      expect(await codeOf(commands[operation]()), operation).toBe("POLICY_DENIED");
    }
    const all = keys.createMany(2, { algorithm: AEAD });
    expect(await codeOf(all)).toBe("POLICY_DENIED");
    for (const job of [
      () => keys.deactivate("k", { versions: "all" }),
      () => keys.revoke("k", { versions: "all", reason: "superseded" }),
      () => keys.destroy("k", { versions: "all" }),
    ]) {
      expect(await codeOf(job)).toBe("POLICY_DENIED");
    }
    expect((await keys.list()).keys).toEqual([]);
    expect((await keys.due()).due).toEqual([]);
    expect(await snapshot(space)).toEqual(before);
    await keys.close();
  });

  it("limits entities to keys by tag, owner, algorithm and state, in listings too", async () => {
    const { keys, user, userId } = await withUser();
    await keys.create({ name: "red", algorithm: AEAD, tags: ["red"], deactivation: new Date("2090-01-01") });
    await keys.create({
      name: "blue",
      algorithm: AEAD,
      tags: ["blue"],
      deactivation: new Date("2090-01-01"),
    });
    await keys.setPolicy(
      withRules(
        { name: "red", effect: "allow", roles: ["user"], tags: ["red"], operations: ["read", "encrypt"] },
        { name: "own", effect: "allow", roles: ["user"], own: true },
        { name: "no-pairs", effect: "forbid", algorithms: ["Ed25519"], operations: ["create"] },
        { name: "keep", effect: "forbid", states: ["deactivated"], operations: ["destroy"] },
      ),
    );
    await user.encrypt("red", text("x"));
    expect(await codeOf(user.encrypt("blue", text("x")))).toBe("POLICY_DENIED");
    expect(await codeOf(user.rotate("red"))).toBe("POLICY_DENIED");
    await user.create({ name: "mine", algorithm: AEAD });
    await user.rotate("mine");
    expect(await codeOf(user.create({ algorithm: "Ed25519" }))).toBe("POLICY_DENIED");
    expect((await user.list()).keys.map(({ name, owner }) => [name, owner === userId])).toEqual([
      ["red", false],
      ["mine", true],
    ]);
    expect((await keys.list()).keys.map(({ name }) => name)).toEqual(["red", "blue", "mine"]);
    expect((await user.due()).due.map(({ key }) => key.name)).toEqual(["red"]);
    await keys.deactivate("mine", { version: 1 });
    expect(await codeOf(user.destroy("mine", { version: 1 }))).toBe("POLICY_DENIED");
    await keys.close();
  });

  it("has hours", async () => {
    const opened = await openMemory();
    const { keys, user, clock } = await withUser(opened);
    await keys.create({ name: "k", algorithm: AEAD });
    const now = new Date(clock.now());
    const hour = now.getUTCHours();
    await keys.setPolicy(
      withRules({ name: "now", effect: "allow", roles: ["user"], window: { hours: [hour, hour + 1] } }),
    );
    await user.encrypt("k", text("x"));
    clock.advance(3_600_000);
    expect(await codeOf(user.encrypt("k", text("x")))).toBe("POLICY_DENIED");
    await keys.close();
  });

  it("lets a command's own consequences happen, although it forbids them by themselves", async () => {
    const { keys, user, clock } = await withUser();
    await keys.create({ name: "kek", ...KEK });
    await keys.create({ name: "k", algorithm: AEAD, under: "kek" });
    const operations: Operation[] = ["read", "revoke"];
    await keys.setPolicy(withRules({ name: "revoke", effect: "allow", roles: ["user"], operations }));
    // The mark lags behind by now, and what lay under the key has to be marked.
    clock.advance(2 * 3_600_000);
    await user.revoke("kek", { reason: "key-compromise" });
    expect((await keys.get("k"))!.versions[0]!.exposed).toBe(true);
    const events = (await keys.auditTail(4)).map(({ operation, reasons }) => [operation, reasons?.[0]]);
    expect(events).toContainEqual(["expose", "follows-from-a-command"]);
    expect(events).toContainEqual(["revoke", "revoke"]);
    await keys.close();
  });

  it("trusts whom it says it trusts", async () => {
    const { keys, user } = await withUser();
    await keys.create({ name: "k", algorithm: AEAD });
    const sealed = await keys.encrypt("k", text("x"));
    await keys.revoke("k", { reason: "key-compromise" });
    await keys.setPolicy(POLICY_TEMPLATES.roles);
    expect(await codeOf(user.recoverMessage(sealed, { recovery: true }))).toBe("KEY_NOT_USABLE");
    expect((await keys.recoverMessage(sealed, { recovery: true })).mark).toBe("compromised");
    await keys.close();
  });
});

async function snapshot(space: Opened["space"]): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of memoryStorage({ space }).list({ start: new Uint8Array(0), end: null })) {
    found.push(`${key}:${value}`);
  }
  return found;
}

describe("two managers", () => {
  it("obey a policy that the other set, within the freshness", async () => {
    const a = await withUser();
    const b = await openMemory({ space: a.space, clock: a.clock, freshness: 1000 });
    const user = await b.keys.as(a.userId);
    await a.keys.create({ name: "k", algorithm: AEAD });
    await a.keys.setPolicy(POLICY_TEMPLATES.roles);
    a.clock.advance(1001);
    await user.encrypt("k", text("x"));
    await a.keys.setPolicy(withRules());
    a.clock.advance(999);
    await user.encrypt("k", text("believed a while"));
    a.clock.advance(2);
    expect(await codeOf(user.encrypt("k", text("x")))).toBe("POLICY_DENIED");
    await a.keys.close();
    await b.keys.close();
  });

  it("never commit what a policy set meanwhile forbids, however fresh they think they are", async () => {
    const a = await withUser();
    const b = await openMemory({ space: a.space, clock: a.clock, freshness: 1e9 });
    const user = await b.keys.as(a.userId);
    const manage = withRules({ name: "manage", effect: "allow", roles: ["user"] });
    await a.keys.setPolicy(manage);
    await a.keys.create({ name: "k", algorithm: AEAD });
    a.clock.advance(2e9);
    await user.rotate("k");
    await a.keys.setPolicy(withRules());
    expect(await codeOf(user.rotate("k"))).toBe("POLICY_DENIED");
    await a.keys.setPolicy(manage);
    // What is denied is decided anew by the policy in the store.
    await user.rotate("k");
    const job = user.createMany(3, { algorithm: AEAD });
    expect((await job).created).toBe(3);
    await a.keys.setPolicy(withRules());
    expect(await codeOf(user.createMany(3, { algorithm: AEAD }))).toBe("STORE_CONFLICT");
    expect(await codeOf(user.createMany(3, { algorithm: AEAD }))).toBe("POLICY_DENIED");
    await a.keys.close();
    await b.keys.close();
  });

  it("never commit for an entity that was revoked meanwhile", async () => {
    const a = await withUser();
    const b = await openMemory({ space: a.space, clock: a.clock, freshness: 1e9 });
    const user = await b.keys.as(a.userId);
    await a.keys.setPolicy(withRules({ name: "manage", effect: "allow", roles: ["user"] }));
    await a.keys.create({ name: "k", algorithm: AEAD });
    a.clock.advance(2e9);
    await user.rotate("k");
    await a.keys.revokeEntity(a.userId);
    const refusal = await user.rotate("k").catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "POLICY_DENIED", details: { rules: ["entity-revoked"] } });
    expect(await codeOf(user.encrypt("k", text("x")))).toBe("POLICY_DENIED");
    expect(await codeOf(a.keys.as(a.userId))).toBe("ENTITY_NOT_FOUND");
    await a.keys.close();
    await b.keys.close();
  });

  it("set policies at the same time, one after the other", async () => {
    const a = await openMemory();
    const b = await openMemory({ space: a.space, clock: a.clock });
    const policies = [a, b, a, b].map(({ keys }, i) => keys.setPolicy({ ...withRules(), name: `p${i}` }));
    expect((await Promise.all(policies)).map(({ version }) => version).sort()).toEqual([1, 2, 3, 4]);
    expect(await a.keys.policies()).toHaveLength(4);
    await a.keys.close();
    await b.keys.close();
  });
});

describe("a policy that would lock everybody out", () => {
  const forbids: Policy = withRules({ name: "never", effect: "forbid", operations: ["set-policy"] });
  const later = (window: object): Policy =>
    withRules({ name: "later", effect: "forbid", operations: ["set-policy"], window });

  it.each<[string, Policy]>([
    ["forbids it", forbids],
    ["allows nobody", { name: "nobody", rules: [] }],
    ["will forbid it one day", later({ from: new Date("2030-01-01") })],
    [
      "allows it only until a day",
      { name: "u", rules: [{ ...ALL, window: { until: new Date("2030-01-01") } }] },
    ],
    ["needs approvers that nobody is", POLICY_TEMPLATES.strict],
  ])("is refused where it %s, unless forced", async (_, policy) => {
    const { keys } = await openMemory();
    expect(await codeOf(keys.setPolicy(policy))).toBe("POLICY_LOCKOUT");
    expect(await keys.policies()).toEqual([]);
    await keys.create({ algorithm: AEAD });
    expect((await keys.setPolicy(policy, { force: true })).version).toBe(1);
    await keys.close();
  });

  it("is not one that forbids it at some hours", async () => {
    const { keys, clock } = await openMemory();
    const hour = new Date(clock.now()).getUTCHours();
    await keys.setPolicy(later({ hours: [(hour + 1) % 24, hour] }));
    const window = { until: new Date(clock.now() + DAY) };
    expect((await keys.setPolicy(later({ ...window, from: new Date(0) }), { force: true })).version).toBe(2);
    expect(await codeOf(keys.setPolicy(withRules()))).toBe("POLICY_DENIED");
    clock.advance(DAY);
    expect((await keys.setPolicy(withRules())).version).toBe(3);
    await keys.close();
  });

  it("is one for who sets it, although others could still change it", async () => {
    const { keys } = await openMemory();
    const { id } = await keys.registerEntity({ name: "admin", roles: ["admin"] });
    const admin = await keys.as(id);
    await keys.setPolicy(withRules({ name: "admins", effect: "allow", roles: ["admin"] }));
    expect(await codeOf(admin.setPolicy(withRules()))).toBe("POLICY_LOCKOUT");
    await admin.setPolicy(withRules({ name: "admins-2", effect: "allow", roles: ["admin"] }));
    await keys.close();
  });

  it("can come from revoking an approver, which is refused too", async () => {
    const { keys } = await openMemory();
    const approvers = [];
    for (let i = 1; i <= 3; i++) {
      const publicKey = new Uint8Array(32).fill(i);
      approvers.push(await keys.registerEntity({ name: `approver ${i}`, roles: ["approver"], publicKey }));
    }
    const needsTwo: Policy = withRules({
      name: "two",
      effect: "require",
      operations: ["set-policy"],
      approvals: 2,
      approvers: ["approver"],
    });
    await keys.setPolicy(needsTwo);
    expect(await codeOf(keys.setPolicy(withRules()))).toBe("POLICY_APPROVAL_NEEDED");
    await keys.revokeEntity(approvers[0]!);
    expect(await codeOf(keys.revokeEntity(approvers[1]!))).toBe("POLICY_LOCKOUT");
    await keys.revokeEntity(approvers[1]!, { force: true });
    await keys.close();
  });
});

describe("entities", () => {
  it("are registered with roles, listed with the owner, and revoked once", async () => {
    const { keys, clock } = await openMemory();
    const publicKey = new Uint8Array(32).fill(7);
    const ann = await keys.registerEntity({ name: "ann", roles: ["user", "auditor", "user"], publicKey });
    publicKey.fill(0);
    expect(ann).toEqual({
      id: ann.id,
      name: "ann",
      roles: ["user", "auditor"],
      publicKey: new Uint8Array(32).fill(7),
      registered: new Date(clock.now()),
    });
    const [owner, listed] = await keys.entities();
    expect(owner).toMatchObject({ name: "owner", roles: ["owner"] });
    expect(listed).toEqual(ann);
    clock.advance(5);
    expect((await keys.revokeEntity(ann)).revoked).toEqual(new Date(clock.now()));
    expect(await codeOf(keys.revokeEntity(ann))).toBe("ENTITY_NOT_FOUND");
    expect(await codeOf(keys.revokeEntity(owner!))).toBe("ENTITY_NOT_FOUND");
    expect(await codeOf(keys.as("nobody"))).toBe("ENTITY_NOT_FOUND");
    expect((await keys.auditTail(2)).map(({ operation }) => operation)).toEqual([
      "revoke-entity",
      "register-entity",
    ]);
    await keys.close();
  });

  it.each([
    ["the owner's role", { roles: ["owner"] }],
    ["no role", { roles: [] }],
    ["an empty name", { name: "" }],
    ["a public key that is too short", { publicKey: new Uint8Array(31) }],
    ["a public key that another has", { publicKey: new Uint8Array(32).fill(7) }],
  ])("are refused with %s", async (_, options) => {
    const { keys } = await openMemory();
    await keys.registerEntity({ name: "a", roles: ["a"], publicKey: new Uint8Array(32).fill(7) });
    expect(await codeOf(keys.registerEntity({ name: "b", roles: ["b"], ...options }))).toBe("POLICY_INVALID");
    await keys.close();
  });

  it("that managers act as make no others, and share what is open", async () => {
    const { keys, user } = await withUser();
    const { keys: owners } = await openMemory();
    const [owner] = await keys.entities();
    await keys.setPolicy(POLICY_TEMPLATES.roles);
    expect(await codeOf(user.as(owner!))).toBe("POLICY_DENIED");
    await user.close();
    expect(await codeOf(keys.list())).toBe("STORE_CLOSED");
    await owners.close();
  });
});
