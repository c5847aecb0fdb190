import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate } from "../../sdk/policy/evaluate.js";
import { OPERATIONS, type Operation, type PolicyRequest } from "../../sdk/policy/model.js";

const OWNER = new Uint8Array(16).fill(1);
const OTHER = new Uint8Array(16).fill(2);
const EVERY = Object.keys(OPERATIONS) as Operation[];

const request = (entity: Uint8Array, operation: Operation, owner: Uint8Array | null): PolicyRequest => ({
  principal: { entity, authenticated: "unlock" },
  operation,
  owner,
});

describe("the built-in policy", () => {
  it.each(EVERY)("lets the owner %s keys of its own, and new ones", (operation) => {
    for (const owner of [OWNER, null]) {
      expect(evaluate(OWNER, request(OWNER, operation, owner))).toEqual({
        allowed: true,
        policy: "owner",
        policyVersion: 1,
        rules: ["owner-may"],
        trusted: true,
        grants: { processDeactivated: true },
      });
    }
  });

  it.each(EVERY)("denies everyone else to %s, by default and with the rule's name", (operation) => {
    for (const owner of [OWNER, OTHER, null]) {
      expect(evaluate(OWNER, request(OTHER, operation, owner))).toMatchObject({
        allowed: false,
        rules: ["default-deny"],
        trusted: false,
        grants: { processDeactivated: false },
      });
    }
  });

  it("denies the owner what belongs to another entity", () => {
    for (const operation of EVERY) {
      expect(evaluate(OWNER, request(OWNER, operation, OTHER))).toMatchObject({
        allowed: false,
        grants: { processDeactivated: false },
      });
    }
  });

  it("compares ids whole, and decides the same whenever it is asked", () => {
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(id, fc.nat(127), fc.constantFrom(...EVERY), (owner, bit, operation) => {
        const near = owner.slice();
        near[bit >> 3]! ^= 1 << (bit & 7);
        expect(evaluate(owner, request(owner.slice(), operation, owner)).allowed).toBe(true);
        expect(evaluate(owner, request(near, operation, owner)).allowed).toBe(false);
        expect(evaluate(owner, request(near, operation, near)).allowed).toBe(false);
        expect(evaluate(owner, request(owner, operation, near)).allowed).toBe(false);
      }),
    );
  });
});

describe("the table of operations", () => {
  it("says which ones restrict use, and so reach every process", () => {
    expect(EVERY.filter((operation) => OPERATIONS[operation].restricts).sort()).toEqual([
      "archive",
      "confirm-clock",
      "deactivate",
      "destroy",
      "revoke",
      "set-dates",
      "suspend",
      "sweep",
    ]);
  });
});
