/** The records of governance, byte by byte, and what their decoders refuse. */
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../sdk/foundation/bytes.js";
import { decodeCborMap, encodeCbor, type CborValue } from "../../sdk/foundation/cbor.js";
import { decodeEntity, encodeEntity, type Entity } from "../../sdk/entities/record.js";
import { decodePolicy, policyRecord, VOCABULARY } from "../../sdk/governance/policy-record.js";
import {
  approvalInput,
  decodeProposal,
  proposalRecord,
  type Proposal,
} from "../../sdk/governance/proposal-record.js";
import { checkPolicy } from "../../sdk/policy/check.js";
import { POLICY_TEMPLATES } from "../../sdk/policy/templates.js";
import { codeOf } from "../flows/support.js";

const ID = new Uint8Array(16).fill(0xab);

/** The body with a field put in, or taken out (`undefined`). */
function edited(body: Uint8Array, field: number, value: CborValue | undefined): Uint8Array {
  const map = decodeCborMap(body, "test");
  if (value === undefined) map.delete(field);
  else map.set(field, value);
  return encodeCbor(map);
}

describe("an entity record", () => {
  const owner: Entity = { id: ID, name: "owner", roles: ["owner"], registered: 5 };
  const ann: Entity = {
    id: ID,
    name: "ann",
    roles: ["b", "a"],
    publicKey: new Uint8Array(32).fill(1),
    registered: 5,
    revoked: 6,
  };

  it("has the documented bytes", () => {
    expect(toHex(encodeEntity(owner))).toBe("a301656f776e657202010305");
    expect(toHex(encodeEntity(ann))).toBe(`a60163616e6e02020305048261626161055820${"01".repeat(32)}0606`);
    for (const entity of [owner, ann]) expect(decodeEntity(ID, encodeEntity(entity))).toEqual(entity);
  });

  it.each<[string, Uint8Array]>([
    ["an unknown kind", edited(encodeEntity(owner), 2, 3)],
    ["an owner with roles", edited(encodeEntity(owner), 4, ["x"])],
    ["a registered one as the owner", edited(encodeEntity(ann), 4, ["owner"])],
    ["an unknown field", edited(encodeEntity(ann), 7, 1)],
    ["no roles", edited(encodeEntity(ann), 4, undefined)],
    [
      "too many roles",
      edited(
        encodeEntity(ann),
        4,
        Array.from({ length: 65 }, (_, i) => `${i}`),
      ),
    ],
    ["a public key of 31 bytes", edited(encodeEntity(ann), 5, new Uint8Array(31))],
    ["a truncated body", encodeEntity(ann).slice(0, -1)],
  ])("is refused with %s", async (_, body) => {
    expect(["STORE_DAMAGED", "CBOR_INVALID"]).toContain(await codeOf(() => decodeEntity(ID, body)));
  });
});

describe("a policy record", () => {
  const policy = checkPolicy(
    {
      name: "p",
      rules: [
        {
          name: "r",
          effect: "allow",
          operations: ["read"],
          roles: ["a"],
          tags: ["t"],
          algorithms: ["Ed25519"],
          states: ["active", "deactivated"],
          own: true,
          window: { from: new Date(1), until: new Date(2), days: [1], hours: [22, 6] },
          grants: ["trusted"],
        },
        { name: "q", effect: "require", operations: ["destroy"], approvals: 2, approvers: ["b"] },
      ],
      strength: {
        algorithms: ["Ed25519"],
        maxCryptoperiodDays: 365,
        minPbkdf2Iterations: 700_000,
        minArgon2idMemoryKiB: 65_536,
        minArgon2idPasses: 3,
      },
    },
    VOCABULARY,
  );
  const stored = { version: 3, policy, time: 9, by: ID };
  const { storageKey, body } = policyRecord(stored);
  const rules = (rule: Record<number, CborValue>): Uint8Array =>
    edited(body, 4, [new Map(Object.entries(rule).map(([field, value]) => [Number(field), value]))]);

  it("has the documented bytes", () => {
    expect(toHex(storageKey)).toBe("1100000003");
    expect(toHex(body)).toBe(
      [
        "a5",
        "016170",
        "0209",
        `0350${"ab".repeat(16)}`,
        "0482",
        "ad0161720201038164726561640481616105816174068167456432353531390782020408f509010a020b81010c8216060d02",
        "a5016171020303816764657374726f790e020f816162",
        "05a5018167456432353531390219016d031a000aae60041a000100000503",
      ].join(""),
    );
    expect(decodePolicy(3, body)).toEqual(stored);
  });

  it("holds every template, and the largest policy there is", () => {
    for (const template of Object.values(POLICY_TEMPLATES)) {
      const one = { ...stored, policy: template };
      expect(decodePolicy(3, policyRecord(one).body).policy).toEqual(template);
    }
    const many = { ...stored, policy: { name: "none", rules: [] } };
    expect(decodePolicy(3, policyRecord(many).body)).toEqual(many);
  });

  it.each<[string, Uint8Array, string]>([
    [
      "an operation that this version does not know",
      rules({ 1: "r", 2: 1, 3: ["teleport"] }),
      "STORE_NEWER_FORMAT",
    ],
    ["an effect that it does not know", rules({ 1: "r", 2: 4 }), "STORE_NEWER_FORMAT"],
    ["a state that it does not know", rules({ 1: "r", 2: 1, 7: [99] }), "STORE_NEWER_FORMAT"],
    ["a condition that it does not know", rules({ 1: "r", 2: 1, 16: true }), "STORE_DAMAGED"],
    ["a grant that it does not know", rules({ 1: "r", 2: 1, 13: 5 }), "STORE_DAMAGED"],
    ["an empty list of roles", rules({ 1: "r", 2: 1, 4: [] }), "STORE_NEWER_FORMAT"],
    ["own that is false", rules({ 1: "r", 2: 1, 8: false }), "STORE_NEWER_FORMAT"],
    ["an unknown field", edited(body, 6, 1), "STORE_DAMAGED"],
    ["an unknown strength rule", edited(body, 5, new Map([[9, 1]])), "STORE_DAMAGED"],
    ["rules that are no maps", edited(body, 4, [1]), "CBOR_INVALID"],
    ["roles that are no texts", rules({ 1: "r", 2: 1, 4: [1] }), "CBOR_INVALID"],
    [
      "33 rules",
      edited(
        body,
        4,
        Array.from({ length: 33 }, () => new Map()),
      ),
      "CBOR_INVALID",
    ],
    ["another length", fromHex(toHex(body).slice(0, -2)), "CBOR_INVALID"],
  ])("is refused with %s", async (_, changed, code) => {
    expect(await codeOf(() => decodePolicy(3, changed))).toBe(code);
  });
});

describe("a proposal record", () => {
  const proposal: Proposal = {
    id: new Uint8Array(16).fill(0xcd),
    request: { operation: "destroy", key: ID, version: 2, parameters: new Map([[1, true]]) },
    by: new Uint8Array(16).fill(0xef),
    created: 1,
    expires: 300,
    approvals: [{ entity: ID, signature: new Uint8Array(64).fill(7), time: 2 }],
    spent: 3,
  };
  const terms = `016764657374726f790250${"ab".repeat(16)}030204a101f50550${"ef".repeat(16)}06010719012c`;
  const { storageKey, body } = proposalRecord(proposal, 1);

  it("has the documented bytes", () => {
    expect(toHex(storageKey)).toBe(`12${"cd".repeat(16)}`);
    expect(toHex(body)).toBe(`a9${terms}0881a30150${"ab".repeat(16)}025840${"07".repeat(64)}03020903`);
    expect(decodeProposal(proposal.id, body)).toEqual(proposal);
  });

  it("is signed with its store, in all that never changes, and in nothing else", () => {
    const store = new Uint8Array(16).fill(0x11);
    const digest = sha256(fromHex(`${"cd".repeat(16)}a7${terms}`));
    const signed = toHex(approvalInput(store, proposal, sha256));
    const label = "6b65796c6f6f6d20617070726f76616c20763100";
    expect(signed).toBe(`${label}${"11".repeat(16)}${toHex(digest)}000000000000012c`);
    const later: Proposal = { ...proposal, approvals: [], spent: undefined };
    expect(toHex(approvalInput(store, later, sha256))).toBe(signed);
    const { request } = proposal;
    for (const changed of [
      { ...proposal, id: ID },
      { ...proposal, by: ID },
      { ...proposal, created: 2 },
      { ...proposal, expires: 301 },
      { ...proposal, request: { ...request, operation: "export" as const } },
      { ...proposal, request: { ...request, key: store } },
      { ...proposal, request: { ...request, version: 3 } },
      { ...proposal, request: { ...request, parameters: new Map([[1, false]]) } },
    ]) {
      expect(toHex(approvalInput(store, changed, sha256))).not.toBe(signed);
    }
    expect(toHex(approvalInput(ID, proposal, sha256))).not.toBe(signed);
  });

  it.each<[string, Uint8Array, string]>([
    ["an operation that can't be approved", edited(body, 1, "encrypt"), "STORE_NEWER_FORMAT"],
    ["an operation that nobody knows", edited(body, 1, "teleport"), "STORE_NEWER_FORMAT"],
    [
      "a signature of 63 bytes",
      edited(body, 8, [
        new Map<number, CborValue>([
          [1, ID],
          [2, new Uint8Array(63)],
          [3, 1],
        ]),
      ]),
      "CBOR_INVALID",
    ],
    [
      "17 approvals",
      edited(
        body,
        8,
        Array.from({ length: 17 }, () => new Map()),
      ),
      "CBOR_INVALID",
    ],
    ["parameters that are no map", edited(body, 4, 1), "CBOR_INVALID"],
    ["an unknown field", edited(body, 10, 1), "STORE_DAMAGED"],
  ])("is refused with %s", async (_, changed, code) => {
    expect(await codeOf(() => decodeProposal(ID, changed))).toBe(code);
  });
});
