import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowedLastingly, evaluate, evaluateOwner, inWindow } from "../../sdk/policy/evaluate.js";
import {
  OPERATION_NAMES,
  OPERATIONS,
  type Operation,
  type Policy,
  type PolicyRequest,
  type PolicyRule,
} from "../../sdk/policy/model.js";

const OWNER = new Uint8Array(16).fill(1);
const OTHER = new Uint8Array(16).fill(2);

describe("the built-in policy", () => {
  const ask = (entity: Uint8Array, operation: Operation, owner: Uint8Array | null, storeOwner = OWNER) =>
    evaluateOwner(storeOwner, {
      principal: { entity, authenticated: "unlock" },
      operation,
      key: owner === null ? null : { owner },
    });

  it.each(OPERATION_NAMES)("lets the owner %s keys of its own, and new ones", (operation) => {
    for (const owner of [OWNER, null]) {
      expect(ask(OWNER, operation, owner)).toEqual({
        allowed: true,
        policy: "owner",
        policyVersion: 1,
        rules: ["owner-may"],
        trusted: true,
        grants: { processDeactivated: true },
      });
    }
  });

  it.each(OPERATION_NAMES)("denies everyone else to %s, by default and with the rule's name", (operation) => {
    for (const owner of [OWNER, OTHER, null]) {
      expect(ask(OTHER, operation, owner)).toMatchObject({
        allowed: false,
        rules: ["default-deny"],
        trusted: false,
        grants: { processDeactivated: false },
      });
    }
  });

  it("denies the owner what belongs to another entity", () => {
    for (const operation of OPERATION_NAMES) {
      expect(ask(OWNER, operation, OTHER)).toMatchObject({
        allowed: false,
        grants: { processDeactivated: false },
      });
    }
  });

  it("compares ids whole, and decides the same whenever it is asked", () => {
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(id, fc.nat(127), fc.constantFrom(...OPERATION_NAMES), (owner, bit, operation) => {
        const near = owner.slice();
        near[bit >> 3]! ^= 1 << (bit & 7);
        expect(ask(owner.slice(), operation, owner, owner).allowed).toBe(true);
        expect(ask(near, operation, owner, owner).allowed).toBe(false);
        expect(ask(near, operation, near, owner).allowed).toBe(false);
        expect(ask(owner, operation, near, owner).allowed).toBe(false);
      }),
    );
  });
});

const TIME = Date.UTC(2026, 10, 24, 12);
const ENTITIES = [OWNER, OTHER, new Uint8Array(16).fill(3), new Uint8Array(16).fill(4)];

function request(more: Partial<PolicyRequest> = {}, roles: readonly string[] = ["a"]): PolicyRequest {
  return {
    principal: { entity: OWNER, authenticated: "unlock", roles },
    operation: "destroy",
    key: { owner: OTHER, algorithm: "Ed25519", tags: ["prod"], states: ["active"] },
    context: { time: TIME, approvers: [] },
    ...more,
  };
}

const decide = (rules: readonly PolicyRule[], asked: PolicyRequest = request()) =>
  evaluate({ name: "test", rules }, 7, asked);

/** The conditions of a rule, each alone, with requests that meet it and that don't. */
const CONDITIONS: readonly [string, Partial<PolicyRule>, PolicyRequest[], PolicyRequest[]][] = [
  [
    "operations",
    { operations: ["destroy", "export"] },
    [request(), request({ operation: "export" }), request({ key: null })],
    [request({ operation: "read" })],
  ],
  [
    "roles",
    { roles: ["a", "b"] },
    [request(), request({}, ["x", "b"])],
    [request({}, []), request({}, ["c"])],
  ],
  [
    "tags",
    { tags: ["prod", "stage"] },
    [request(), request({ key: { ...request().key!, tags: ["x", "stage"] } })],
    [request({ key: { ...request().key!, tags: [] } }), request({ key: null })],
  ],
  [
    "algorithms",
    { algorithms: ["Ed25519"] },
    [request()],
    [request({ key: { ...request().key!, algorithm: "X25519" } }), request({ key: null })],
  ],
  [
    "own",
    { own: true },
    [request({ key: { ...request().key!, owner: OWNER } })],
    [request(), request({ key: null })],
  ],
  [
    "window",
    { window: { from: new Date(TIME), until: new Date(TIME + 1) } },
    [request()],
    [
      request({ context: { time: TIME - 1, approvers: [] } }),
      request({ context: { time: TIME + 1, approvers: [] } }),
    ],
  ],
];

describe("a rule", () => {
  it.each(CONDITIONS)("applies by %s, to allow and to forbid", (_, condition, meets, misses) => {
    const allow: PolicyRule = { name: "allow", effect: "allow", ...condition };
    const forbid: PolicyRule = { name: "forbid", effect: "forbid", ...condition };
    const all: PolicyRule = { name: "all", effect: "allow" };
    for (const asked of meets) {
      expect(decide([allow], asked)).toMatchObject({ allowed: true, rules: ["allow"], policyVersion: 7 });
      expect(decide([all, forbid], asked)).toMatchObject({ allowed: false, rules: ["forbid"] });
    }
    for (const asked of misses) {
      expect(decide([allow], asked)).toMatchObject({ allowed: false, rules: ["default-deny"] });
      expect(decide([all, forbid], asked)).toMatchObject({ allowed: true, rules: ["all"] });
    }
  });

  it("by states allows where all versions concerned are in one, and forbids where any is", () => {
    const inStates = (...states: string[]) => request({ key: { ...request().key!, states } });
    const allow: PolicyRule = { name: "allow", effect: "allow", states: ["active", "suspended"] };
    const forbid: PolicyRule = { name: "forbid", effect: "forbid", states: ["active", "suspended"] };
    const all: PolicyRule = { name: "all", effect: "allow" };
    expect(decide([allow], inStates("active", "suspended", "active")).allowed).toBe(true);
    expect(decide([allow], inStates("active", "deactivated")).allowed).toBe(false);
    expect(decide([allow], inStates()).allowed).toBe(false);
    expect(decide([all, forbid], inStates("active", "deactivated")).allowed).toBe(false);
    expect(decide([all, forbid], inStates("deactivated")).allowed).toBe(true);
    expect(decide([all, forbid], inStates()).allowed).toBe(true);
  });

  it("grants what the rules that apply grant, and to a key's owner its deactivated versions", () => {
    const trust: PolicyRule = { name: "t", effect: "allow", roles: ["a"], grants: ["trusted"] };
    const plain: PolicyRule = { name: "p", effect: "allow" };
    expect(decide([trust, plain])).toMatchObject({ trusted: true, grants: { processDeactivated: false } });
    expect(decide([trust, plain], request({}, []))).toMatchObject({ allowed: true, trusted: false });
    const own = request({ key: { ...request().key!, owner: OWNER } });
    expect(decide([plain], own)).toMatchObject({ trusted: false, grants: { processDeactivated: true } });
    const process: PolicyRule = { name: "d", effect: "allow", grants: ["process-deactivated"] };
    expect(decide([process]).grants.processDeactivated).toBe(true);
  });
});

describe("a rule that requires approvals", () => {
  const rules: PolicyRule[] = [
    { name: "all", effect: "allow" },
    { name: "two", effect: "require", operations: ["destroy"], approvals: 2, approvers: ["approver"] },
  ];
  const by = (...who: [number, string][]) =>
    request({
      context: { time: TIME, approvers: who.map(([i, role]) => ({ entity: ENTITIES[i]!, roles: [role] })) },
    });

  it("says how many it needs, and counts each entity once, in its role, and never the principal", () => {
    const needs = { allowed: false, rules: ["two"], approvalsNeeded: 2, trusted: false };
    expect(decide(rules)).toMatchObject(needs);
    expect(decide(rules, by([1, "approver"]))).toMatchObject(needs);
    expect(decide(rules, by([1, "approver"], [1, "approver"]))).toMatchObject(needs);
    expect(decide(rules, by([1, "approver"], [0, "approver"]))).toMatchObject(needs);
    expect(decide(rules, by([1, "approver"], [2, "auditor"]))).toMatchObject(needs);
    expect(decide(rules, by([1, "approver"], [2, "approver"]))).toMatchObject({
      allowed: true,
      rules: ["all", "two"],
    });
  });

  it("allows nothing by itself, and loses to a rule that forbids", () => {
    const approved = by([1, "approver"], [2, "approver"]);
    expect(decide([rules[1]!], approved)).toMatchObject({ allowed: false, rules: ["default-deny"] });
    const decision = decide([...rules, { name: "no", effect: "forbid" }], approved);
    expect(decision).toMatchObject({ allowed: false, rules: ["no"] });
    expect(decision.approvalsNeeded).toBeUndefined();
  });

  it("leaves other operations alone", () => {
    expect(decide(rules, request({ operation: "revoke" })).allowed).toBe(true);
  });
});

describe("a time window", () => {
  const at = (text: string): number => new Date(text).getTime();

  it("knows days of the week and hours in UTC, over midnight too", () => {
    const office = { days: [1, 2, 3, 4, 5], hours: [8, 18] as const };
    expect(inWindow(office, at("2026-11-24T08:00:00Z"))).toBe(true); // a Tuesday
    expect(inWindow(office, at("2026-11-24T17:59:59.999Z"))).toBe(true);
    expect(inWindow(office, at("2026-11-24T18:00:00Z"))).toBe(false);
    expect(inWindow(office, at("2026-11-24T07:59:59.999Z"))).toBe(false);
    expect(inWindow(office, at("2026-11-22T12:00:00Z"))).toBe(false); // a Sunday
    const night = { hours: [22, 6] as const };
    expect(inWindow(night, at("2026-11-24T23:30:00Z"))).toBe(true);
    expect(inWindow(night, at("2026-11-24T05:59:00Z"))).toBe(true);
    expect(inWindow(night, at("2026-11-24T06:00:00Z"))).toBe(false);
  });

  it("agrees with the calendar on every day", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253402300799999 }), (time) => {
        const day = new Date(time).getUTCDay() || 7;
        const hour = new Date(time).getUTCHours();
        expect(inWindow({ days: [day] }, time)).toBe(true);
        expect(inWindow({ days: [1, 2, 3, 4, 5, 6, 7].filter((other) => other !== day) }, time)).toBe(false);
        expect(inWindow({ hours: [hour, hour + 1] }, time)).toBe(true);
      }),
    );
  });

  it("that ends, or a rule that begins to forbid, is no lasting permission; one that recurs is", () => {
    const last = Date.UTC(9999, 11, 31);
    const lasting = (...rules: PolicyRule[]) => allowedLastingly({ name: "t", rules }, request(), last);
    const all: PolicyRule = { name: "all", effect: "allow" };
    expect(lasting(all)).toBe(true);
    expect(lasting({ ...all, window: { until: new Date(TIME + 1000) } })).toBe(false);
    expect(lasting({ ...all, window: { from: new Date(TIME + 86_400_000 * 30) } })).toBe(false);
    expect(lasting(all, { name: "no", effect: "forbid", window: { from: new Date(TIME + 1e12) } })).toBe(
      false,
    );
    expect(lasting({ ...all, window: { days: [7], hours: [3, 4] } })).toBe(true);
    expect(lasting(all, { name: "no", effect: "forbid", window: { hours: [0, 24] } })).toBe(false);
  });
});

describe("any policy", () => {
  const names = ["a", "b", "c"];
  const some = fc.subarray(names, { minLength: 1 });
  const rule: fc.Arbitrary<Omit<PolicyRule, "name">> = fc.record(
    {
      effect: fc.constantFrom("allow" as const, "require" as const, "require" as const, "forbid" as const),
      operations: fc.subarray<Operation>(["destroy", "export", "read"], { minLength: 1 }),
      roles: some,
      tags: some,
      states: some,
      own: fc.constant(true as const),
      approvers: some,
    },
    { requiredKeys: ["effect"] },
  );
  const policy = fc
    .array(fc.tuple(rule, fc.integer({ min: 1, max: 3 })), { maxLength: 6 })
    .map((rules): Policy => ({
      name: "p",
      rules: rules.map(([each, approvals], i) => ({
        ...each,
        name: `r${i}`,
        ...(each.effect === "require" ? { approvals } : { approvers: undefined }),
      })),
    }));
  const entity = fc.constantFrom(...ENTITIES);
  const key = fc.record({
    owner: entity,
    algorithm: fc.constant("Ed25519"),
    tags: fc.subarray(names),
    states: fc.subarray(names),
  });
  const asked: fc.Arbitrary<PolicyRequest> = fc.record({
    principal: fc.record({
      entity,
      authenticated: fc.constant("unlock" as const),
      roles: fc.subarray(names),
    }),
    operation: fc.constantFrom<Operation>("destroy", "export", "read"),
    key: fc.option(key, { nil: null }),
    context: fc.record({
      time: fc.constant(TIME),
      approvers: fc.array(fc.record({ entity, roles: fc.subarray(names) }), { maxLength: 5 }),
    }),
  });

  /** The meaning of a rule, said a second time. */
  function holds(each: PolicyRule, { principal, operation, key: facts }: PolicyRequest): boolean {
    const shares = (a: readonly string[], b: readonly string[]) =>
      new Set([...a, ...b]).size < a.length + b.length;
    const same = (a: Uint8Array, b: Uint8Array) => a.join() === b.join();
    const tests = [
      each.operations ? each.operations.indexOf(operation) >= 0 : true,
      each.roles ? shares(each.roles, principal.roles) : true,
      each.tags ? facts !== null && shares(each.tags, facts.tags) : true,
      each.own ? facts !== null && same(facts.owner, principal.entity) : true,
      each.states
        ? facts !== null &&
          (each.effect === "allow"
            ? facts.states.length > 0 && facts.states.every((state) => each.states!.includes(state))
            : shares(each.states, facts.states))
        : true,
    ];
    return !tests.includes(false);
  }

  it("denies by default, lets forbid win, counts approvals, and names exactly the rules that decided", () => {
    const seen = { allowed: 0, forbidden: 0, unapproved: 0, default: 0 };
    fc.assert(
      fc.property(policy, asked, (given, what) => {
        const decision = evaluate(given, 3, what);
        const by = (effect: string) => given.rules.filter((r) => r.effect === effect && holds(r, what));
        const [allow, forbid] = [by("allow"), by("forbid")];
        const unmet = by("require").filter((r) => {
          const ids = what.context.approvers
            .filter(({ roles }) => !r.approvers || roles.some((role) => r.approvers!.includes(role)))
            .map(({ entity: id }) => id.join());
          const distinct = new Set(ids);
          distinct.delete(what.principal.entity.join());
          return distinct.size < r.approvals!;
        });
        const expected =
          forbid.length > 0 ? forbid : allow.length === 0 ? [] : unmet.length > 0 ? unmet : null;
        if (expected === null) {
          seen.allowed++;
          expect(decision.allowed).toBe(true);
          expect(decision.rules).toEqual([...allow, ...by("require")].map(({ name }) => name));
          return;
        }
        seen[forbid.length > 0 ? "forbidden" : allow.length === 0 ? "default" : "unapproved"]++;
        expect(decision.allowed).toBe(false);
        expect(decision.rules).toEqual(
          expected.length > 0 ? expected.map(({ name }) => name) : ["default-deny"],
        );
        expect(decision.trusted || decision.grants.processDeactivated).toBe(false);
        expect(decision.approvalsNeeded !== undefined).toBe(expected === unmet);
      }),
      { numRuns: 1500 },
    );
    for (const [outcome, times] of Object.entries(seen)) expect(times, outcome).toBeGreaterThan(0);
  });

  it("allows nothing more when a rule that forbids or requires is added, and nothing less when one that allows is", () => {
    fc.assert(
      fc.property(policy, rule, asked, (given, more, what) => {
        const added: PolicyRule = {
          ...more,
          name: "added",
          ...(more.effect === "require" ? { approvals: 1 } : {}),
        };
        const before = evaluate(given, 1, what).allowed;
        const after = evaluate({ ...given, rules: [...given.rules, added] }, 1, what).allowed;
        if (added.effect === "allow") expect(after || !before).toBe(true);
        else expect(before || !after).toBe(true);
      }),
    );
  });
});

describe("the table of operations", () => {
  it("says which ones restrict use, and so reach every process", () => {
    expect(OPERATION_NAMES.filter((operation) => OPERATIONS[operation].restricts).sort()).toEqual([
      "archive",
      "confirm-clock",
      "deactivate",
      "destroy",
      "revoke",
      "revoke-entity",
      "set-dates",
      "set-policy",
      "suspend",
      "sweep",
    ]);
  });
});
