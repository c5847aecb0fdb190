import { describe, expect, it } from "vitest";
import { checkPolicy } from "../../sdk/policy/check.js";
import { evaluate } from "../../sdk/policy/evaluate.js";
import { OPERATION_NAMES, type Operation, type Policy, type PolicyRule } from "../../sdk/policy/model.js";
import { kdfWeaknesses, versionWeaknesses } from "../../sdk/policy/strength.js";
import { POLICY_TEMPLATES } from "../../sdk/policy/templates.js";
import { codeOf } from "../flows/support.js";

const VOCABULARY = { states: ["active", "deactivated"], algorithms: ["Ed25519", "X25519"] };
const check = (policy: unknown): Policy => checkPolicy(policy as Policy, VOCABULARY);
const withRule = (rule: object): unknown => ({
  name: "p",
  rules: [{ name: "r", effect: "allow", ...rule }],
});

describe("a policy that is checked", () => {
  it("is a copy in one form: names in NFC, each item once, nothing undefined", () => {
    const given = {
      name: "Poli\u0301tica",
      rules: [
        {
          name: "r",
          effect: "allow",
          roles: ["b", "a", "b"],
          tags: undefined,
          window: { days: [7, 1, 7] },
          grants: ["trusted", "process-deactivated"],
        },
      ],
    } as unknown as Policy;
    const checked = check(given);
    expect(checked).toEqual({
      name: "Pol\u00edtica",
      rules: [
        {
          name: "r",
          effect: "allow",
          roles: ["b", "a"],
          window: { days: [1, 7] },
          grants: ["process-deactivated", "trusted"],
        },
      ],
    });
    expect(check(checked)).toEqual(checked);
    (given.rules[0] as { name: string }).name = "changed";
    expect(checked.rules[0]!.name).toBe("r");
  });

  it.each<[string, unknown]>([
    ["the name of the built-in policy", { name: "owner", rules: [] }],
    ["an empty name", { name: "", rules: [] }],
    ["a control character in a name", { name: "a\u0007", rules: [] }],
    ["a lone surrogate in a name", { name: "\ud800", rules: [] }],
    ["a name of 65 bytes", { name: "ä".repeat(33), rules: [] }],
    ["a field that doesn't exist", { name: "p", rules: [], role: ["x"] }],
    ["a condition that doesn't exist", withRule({ role: ["owner"] })],
    [
      "33 rules",
      { name: "p", rules: Array.from({ length: 33 }, (_, i) => ({ name: `${i}`, effect: "allow" })) },
    ],
    ["two rules of one name", { name: "p", rules: [1, 2].map(() => ({ name: "r", effect: "allow" })) }],
    ["an unknown effect", withRule({ effect: "permit" })],
    ["an inherited effect", withRule({ effect: "toString" })],
    ["an unknown operation", withRule({ operations: ["destroyAll"] })],
    ["an unknown state", withRule({ states: ["asleep"] })],
    ["an unknown algorithm", withRule({ algorithms: ["DES"] })],
    ["an unknown grant", withRule({ grants: ["all"] })],
    ["an empty list, which would never hold", withRule({ roles: [] })],
    ["65 roles", withRule({ roles: Array.from({ length: 65 }, (_, i) => `${i}`) })],
    ["own: false", withRule({ own: false })],
    ["a rule that forbids and grants", withRule({ effect: "forbid", grants: ["trusted"] })],
    ["a rule that requires nothing", withRule({ effect: "require", operations: ["destroy"] })],
    [
      "a rule that requires 0 approvals",
      withRule({ effect: "require", operations: ["destroy"], approvals: 0 }),
    ],
    ["a rule that requires 17", withRule({ effect: "require", operations: ["destroy"], approvals: 17 })],
    ["approvals beside allow", withRule({ approvals: 2 })],
    ["approvers beside allow", withRule({ approvers: ["x"] })],
    ["approvals for all operations", withRule({ effect: "require", approvals: 2 })],
    ["approvals for encrypt", withRule({ effect: "require", operations: ["encrypt"], approvals: 2 })],
    ["an empty window", withRule({ window: {} })],
    ["a window that ends before it begins", withRule({ window: { from: new Date(2), until: new Date(1) } })],
    ["a window with an invalid date", withRule({ window: { from: new Date(NaN) } })],
    ["a window with a day 0", withRule({ window: { days: [0] } })],
    ["a window with half an hour", withRule({ window: { hours: [8.5, 9] } })],
    ["a window of no hours", withRule({ window: { hours: [8, 8] } })],
    ["strength with an unknown rule", { name: "p", rules: [], strength: { minRsa: 2048 } }],
    ["strength with a fraction", { name: "p", rules: [], strength: { maxCryptoperiodDays: 0.5 } }],
  ])("is refused for %s", async (_, policy) => {
    expect(await codeOf(() => check(policy))).toBe("POLICY_INVALID");
  });

  it.each<[string, unknown]>([
    ["no object", null],
    ["rules that are no array", { name: "p", rules: {} }],
    ["a role that is no string", withRule({ roles: [1] })],
    ["roles that are no array", withRule({ roles: "owner" })],
  ])("is a TypeError where it is %s", (_, policy) => {
    expect(() => check(policy)).toThrow(TypeError);
  });
});

describe("the templates", () => {
  const KEY = { owner: new Uint8Array(16), algorithm: "Ed25519", tags: [], states: ["active"] };
  const entity = (i: number): Uint8Array => new Uint8Array(16).fill(i);
  const may = (policy: Policy, role: string, approvers: number): Operation[] =>
    OPERATION_NAMES.filter(
      (operation) =>
        evaluate(policy, 1, {
          principal: { entity: entity(1), authenticated: "unlock", roles: [role] },
          operation,
          key: KEY,
          context: {
            time: 0,
            approvers: Array.from({ length: approvers }, (_, i) => ({
              entity: entity(i + 2),
              roles: ["approver"],
            })),
          },
        }).allowed,
    );

  it.each(Object.entries(POLICY_TEMPLATES))("%s is a policy, as it stands", (_, template) => {
    expect(check(template)).toEqual(template);
  });

  it("roles: each role has its own operations, and an unknown one has none", () => {
    const { roles } = POLICY_TEMPLATES;
    expect(may(roles, "owner", 0)).toEqual(OPERATION_NAMES);
    expect(may(roles, "user", 0)).toEqual(["encrypt", "decrypt", "sign", "verify", "read"]);
    expect(may(roles, "auditor", 0)).toEqual(["read", "audit"]);
    expect(may(roles, "approver", 0)).toEqual(["read", "propose", "approve"]);
    expect(may(roles, "operator", 0)).not.toContain("decrypt");
    expect(may(roles, "operator", 0)).not.toContain("export");
    expect(may(roles, "operator", 0)).not.toContain("set-policy");
    expect(may(roles, "operator", 0)).toContain("rotate");
    expect(may(roles, "guest", 2)).toEqual([]);
  });

  it("strict: two approvals for what can't be undone and for what governs", () => {
    const { strict } = POLICY_TEMPLATES;
    const dual = ["recover", "destroy", "export", "set-policy", "register-entity", "revoke-entity"];
    for (const approvers of [0, 1]) {
      const allowed = may(strict, "owner", approvers);
      expect(OPERATION_NAMES.filter((operation) => !allowed.includes(operation))).toEqual(dual);
    }
    expect(may(strict, "owner", 2)).toEqual(OPERATION_NAMES);
    expect(may(strict, "user", 2)).not.toContain("destroy");
  });
});

describe("strength rules", () => {
  const DAY = 86_400_000;
  const rules = { algorithms: ["Ed25519"], maxCryptoperiodDays: 10 };
  const found = (version: object): string[] =>
    versionWeaknesses(rules, { algorithm: "Ed25519", activation: DAY, ...version }).map(({ rule }) => rule);

  it("take the end of a cryptoperiod that comes first, to the millisecond", () => {
    expect(found({ protectStop: 11 * DAY })).toEqual([]);
    expect(found({ protectStop: 11 * DAY + 1 })).toEqual(["maxCryptoperiodDays"]);
    expect(found({ protectStop: 99 * DAY, deactivation: 11 * DAY })).toEqual([]);
    expect(found({})).toEqual(["maxCryptoperiodDays"]);
    expect(found({ activation: undefined })).toEqual([]);
    expect(found({ algorithm: "X25519", protectStop: 2 * DAY })).toEqual(["algorithms"]);
    expect(versionWeaknesses({}, { algorithm: "X25519", activation: 0 })).toEqual([]);
  });

  it("compare a slot's key derivation with what is demanded of its kind only", () => {
    const demands = { minPbkdf2Iterations: 1000, minArgon2idMemoryKiB: 100, minArgon2idPasses: 3 };
    const weak = (kdf: Parameters<typeof kdfWeaknesses>[1]) =>
      kdfWeaknesses(demands, kdf).map(({ rule }) => rule);
    expect(weak({ name: "raw" })).toEqual([]);
    expect(weak({ name: "PBKDF2-HMAC-SHA256", iterations: 1000 })).toEqual([]);
    expect(weak({ name: "PBKDF2-HMAC-SHA256", iterations: 999 })).toEqual(["minPbkdf2Iterations"]);
    expect(weak({ name: "Argon2id", memoryKiB: 99, passes: 2 })).toEqual([
      "minArgon2idMemoryKiB",
      "minArgon2idPasses",
    ]);
    expect(kdfWeaknesses({}, { name: "Argon2id", memoryKiB: 1, passes: 1 })).toEqual([]);
  });

  it("are bounded like the rest", () => {
    const rule: PolicyRule = { name: "r", effect: "allow" };
    expect(check({ name: "p", rules: [rule], strength: { maxCryptoperiodDays: 365 } }).strength).toEqual({
      maxCryptoperiodDays: 365,
    });
  });
});
