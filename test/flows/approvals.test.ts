/** Dual control: a proposal is for one request, for a time, for once, and its approvals are what they say. */
import { describe, expect, it } from "vitest";
import {
  POLICY_TEMPLATES,
  type EntityInfo,
  type KeyManager,
  type Policy,
  type ProposalInfo,
  type ProposedRequest,
} from "../../sdk/index.js";
import { AEAD, codeOf, openMemory, type Opened } from "./support.js";

const DAY = 86_400_000;

interface Office extends Opened {
  /** Where the approvers' keys are: another store, as elsewhere as can be. */
  desk: KeyManager;
  approvers: EntityInfo[];
  sign: (approver: number, proposal: ProposalInfo) => Promise<Uint8Array>;
  approve: (proposal: ProposalInfo, ...approvers: number[]) => Promise<ProposalInfo>;
  /** Proposed by the owner, and approved. */
  approved: (request: ProposedRequest, ...approvers: number[]) => Promise<string>;
}

/** A store under the template `strict`, with three approvers and a key that can be destroyed and exported. */
async function office(): Promise<Office> {
  const opened = await openMemory();
  const { keys } = opened;
  const { keys: desk } = await openMemory();
  const approvers: EntityInfo[] = [];
  for (let i = 0; i < 3; i++) {
    await desk.create({ name: `approver-${i}`, algorithm: "Ed25519" });
    const { raw } = await desk.publicKey(`approver-${i}`);
    approvers.push(await keys.registerEntity({ name: `approver ${i}`, roles: ["approver"], publicKey: raw }));
  }
  await keys.create({ name: "k", algorithm: AEAD, exportable: true });
  await keys.deactivate("k");
  await keys.setPolicy(POLICY_TEMPLATES.strict);
  const sign = async (approver: number, { toSign }: ProposalInfo): Promise<Uint8Array> =>
    (await desk.sign(`approver-${approver}`, toSign)).signature;
  const approve = async (proposal: ProposalInfo, ...by: number[]): Promise<ProposalInfo> => {
    let last = proposal;
    for (const i of by) {
      const signature = await sign(i, proposal);
      last = await keys.approve(proposal, { approver: approvers[i]!.id, signature });
    }
    return last;
  };
  const approved = async (request: ProposedRequest, ...by: number[]): Promise<string> =>
    (await approve(await keys.propose(request), ...by)).id;
  return { ...opened, desk, approvers, sign, approve, approved };
}

const DESTROY: ProposedRequest = { operation: "destroy", key: "k" };

describe("a proposal", () => {
  it("shows what it will do, and with its approvals lets it be done, once, as the event says", async () => {
    const { keys, clock, approve, approvers } = await office();
    expect(await codeOf(keys.destroy("k"))).toBe("POLICY_APPROVAL_NEEDED");
    const { id: key } = (await keys.get("k"))!;
    const proposal = await keys.propose(DESTROY);
    expect(proposal).toMatchObject({
      request: { operation: "destroy", key, version: 1, cryptoShred: false },
      created: new Date(clock.now()),
      expires: new Date(clock.now() + 7 * DAY),
      approvals: [],
    });
    expect(await codeOf(keys.destroy("k", { approval: proposal.id }))).toBe("POLICY_APPROVAL_NEEDED");
    await approve(proposal, 0);
    expect(await codeOf(keys.destroy("k", { approval: proposal.id }))).toBe("POLICY_APPROVAL_NEEDED");
    const both = await approve(proposal, 2);
    expect(both.approvals.map(({ entity }) => entity)).toEqual([approvers[0]!.id, approvers[2]!.id]);
    expect(both.toSign).toEqual(proposal.toSign);
    clock.advance(DAY);
    await keys.destroy("k", { approval: proposal.id });
    expect((await keys.get("k"))!.versions[0]!.state).toBe("destroyed");
    const event = (await keys.auditTail(5)).find(
      ({ operation, decision }) => operation === "destroy" && decision === "allow",
    );
    expect(event).toMatchObject({ operation: "destroy", reasons: ["owner-may", "two-approve"] });
    const [spent] = await keys.proposals();
    expect(spent).toMatchObject({ id: proposal.id, spent: new Date(clock.now()) });
    await keys.close();
  });

  it.each<[string, ProposedRequest, (keys: KeyManager, approval: string) => Promise<unknown>]>([
    [
      "export",
      { operation: "export", key: "k" },
      (keys, approval) => keys.exportInsecureCleartext("k", { approval }),
    ],
    ["recover", { operation: "recover", key: "k" }, (keys, approval) => keys.recover("k", { approval })],
    [
      "set-policy",
      { operation: "set-policy", policy: POLICY_TEMPLATES.roles },
      (keys, approval) => keys.setPolicy(POLICY_TEMPLATES.roles, { approval }),
    ],
    [
      "register-entity",
      { operation: "register-entity", name: "ann", roles: ["user"] },
      (keys, approval) => keys.registerEntity({ name: "ann", roles: ["user"], approval }),
    ],
  ])("is needed and enough for %s", async (operation, request, run) => {
    const { keys, approved } = await office();
    if (operation === "recover") await keys.archive("k");
    const bare = await keys.propose(request);
    expect(await codeOf(run(keys, bare.id))).toBe("POLICY_APPROVAL_NEEDED");
    const id = await approved(request, 1, 2);
    await run(keys, id);
    expect(["PROPOSAL_SPENT", "POLICY_APPROVAL_NEEDED"]).toContain(await codeOf(run(keys, id)));
    expect((await keys.proposals()).find((proposal) => proposal.id === id)!.spent).toBeDefined();
    await keys.close();
  });

  it("for revoke-entity and revoke binds their parameters", async () => {
    const { keys, approved, approvers } = await office();
    const request = { operation: "revoke-entity", entity: approvers[0]!.id } as const;
    const id = await approved(request, 1, 2);
    expect(await codeOf(keys.revokeEntity(approvers[1]!, { approval: id }))).toBe("PROPOSAL_MISMATCH");
    expect(await codeOf(keys.revokeEntity(approvers[0]!, { approval: id, force: true }))).toBe(
      "PROPOSAL_MISMATCH",
    );
    await keys.revokeEntity(approvers[0]!, { approval: id });
    await keys.create({ name: "r", algorithm: AEAD });
    const occurrence = new Date("2020-01-01");
    const revoke = { operation: "revoke", key: "r", reason: "key-compromise", occurrence } as const;
    const proposal = await keys.propose(revoke);
    expect(proposal.request).toMatchObject({ reason: "key-compromise", occurrence, version: 1 });
    const { id: approval } = proposal;
    expect(await codeOf(keys.revoke("r", { reason: "key-compromise", approval }))).toBe("PROPOSAL_MISMATCH");
    expect(await codeOf(keys.revoke("r", { reason: "superseded", approval }))).toBe("PROPOSAL_MISMATCH");
    // Not under dual control here: the proposal is spent all the same, and what follows spends nothing.
    await keys.revoke("r", { reason: "key-compromise", occurrence, approval });
    expect((await keys.proposals())[0]!.spent).toBeDefined();
    await keys.close();
  });

  it("can't be spent on another request, altered in any respect", async () => {
    const { keys, approved } = await office();
    await keys.rotate("k");
    await keys.create({ name: "other", algorithm: AEAD });
    await keys.deactivate("other");
    const approval = await approved({ ...DESTROY, version: 1 }, 0, 1);
    expect(await codeOf(keys.destroy("k", { approval }))).toBe("KEY_INVALID_OPTION");
    for (const altered of [
      () => keys.destroy("other", { approval }),
      () => keys.destroy("k", { version: 2, approval }),
      () => keys.destroy("k", { version: 1, cryptoShred: true, approval }),
      () => keys.exportInsecureCleartext("k", { version: 1, approval }),
    ]) {
      expect(await codeOf(altered)).toBe("PROPOSAL_MISMATCH");
    }
    await keys.destroy("k", { version: 1, approval });
    await keys.close();
  });

  it("can't be spent twice, nor by two managers at once", async () => {
    const { keys, approved, space, clock } = await office();
    const b = await openMemory({ space, clock, freshness: 0 });
    const approval = await approved({ operation: "export", key: "k" }, 0, 1);
    const race = [keys, b.keys, keys, b.keys].map((each) =>
      codeOf(each.exportInsecureCleartext("k", { approval })),
    );
    expect((await Promise.all(race)).sort()).toEqual([
      "PROPOSAL_SPENT",
      "PROPOSAL_SPENT",
      "PROPOSAL_SPENT",
      "no error",
    ]);
    expect(await codeOf(keys.exportInsecureCleartext("k", { approval }))).toBe("PROPOSAL_SPENT");
    const exports = (await keys.auditTail(100)).filter(({ operation }) => operation === "export");
    expect(exports).toHaveLength(1);
    await keys.close();
    await b.keys.close();
  });

  it("expires, for approving and for spending", async () => {
    const { keys, clock, approve, sign, approvers } = await office();
    const expires = new Date(clock.now() + DAY);
    const proposal = await keys.propose(DESTROY, { expires });
    await approve(proposal, 0, 1);
    const signature = await sign(2, proposal);
    clock.advance(DAY - 1);
    await keys.proposals();
    clock.advance(1);
    expect(await codeOf(keys.approve(proposal, { approver: approvers[2]!.id, signature }))).toBe(
      "PROPOSAL_EXPIRED",
    );
    expect(await codeOf(keys.destroy("k", { approval: proposal.id }))).toBe("PROPOSAL_EXPIRED");
    for (const bad of [new Date(clock.now()), new Date(clock.now() + 91 * DAY), new Date(NaN)]) {
      expect(await codeOf(keys.propose(DESTROY, { expires: bad }))).toBe("KEY_INVALID_OPTION");
    }
    await keys.close();
  });

  it("is refused for what can't be proposed or can't be meant", async () => {
    const { keys } = await office();
    const propose = (request: unknown) => codeOf(() => keys.propose(request as ProposedRequest));
    expect(await propose({ operation: "encrypt", key: "k" })).toBe("POLICY_INVALID");
    expect(await propose({ operation: "toString", key: "k" })).toBe("POLICY_INVALID");
    expect(await propose({ operation: "destroy", key: "nowhere" })).toBe("KEY_NOT_FOUND");
    expect(await propose({ operation: "destroy", key: "k", version: 9 })).toBe("KEY_VERSION_NOT_FOUND");
    expect(await propose({ operation: "revoke", key: "k", reason: "because" })).toBe("KEY_INVALID_OPTION");
    expect(await propose({ operation: "set-policy", policy: { name: "", rules: [] } })).toBe(
      "POLICY_INVALID",
    );
    expect(await propose({ operation: "revoke-entity", entity: "x" })).toBe("ENTITY_NOT_FOUND");
    expect(await propose({ operation: "register-entity", name: "x", roles: [] })).toBe("POLICY_INVALID");
    expect(await codeOf(keys.destroy("k", { approval: "01890000-0000-7000-8000-000000000001" }))).toBe(
      "PROPOSAL_NOT_FOUND",
    );
    expect(await codeOf(keys.destroy("k", { approval: "x" }))).toBe("PROPOSAL_NOT_FOUND");
    expect(await keys.proposals()).toEqual([]);
    await keys.close();
  });
});

describe("an approval", () => {
  it("is refused where it is not the approver's, for this proposal, in this store", async () => {
    const a = await office();
    const { keys, approvers, sign } = a;
    const elsewhere = await office();
    const proposal = await keys.propose(DESTROY);
    const other = await keys.propose(DESTROY);
    const foreign = await elsewhere.keys.propose(DESTROY);
    const [approver, second] = [approvers[0]!.id, approvers[1]!.id];
    const good = await sign(0, proposal);
    const changed = good.slice();
    changed[63]! ^= 1;
    const owner = (await keys.entities())[0]!.id;
    for (const [who, signature] of [
      [approver, changed],
      [approver, good.slice(1)],
      [approver, await sign(0, other)],
      [approver, await sign(0, foreign)],
      [second, good],
      [owner, good],
      ["01890000-0000-7000-8000-000000000001", good],
    ] as const) {
      expect(await codeOf(keys.approve(proposal, { approver: who, signature })), who).toBe(
        "APPROVAL_INVALID",
      );
    }
    expect((await keys.proposals()).map(({ approvals }) => approvals.length)).toEqual([0, 0]);
    await keys.approve(proposal, { approver, signature: good });
    // The same approver twice is one approval.
    expect(await codeOf(keys.approve(proposal, { approver, signature: good }))).toBe("APPROVAL_INVALID");
    expect(await codeOf(keys.destroy("k", { approval: proposal.id }))).toBe("POLICY_APPROVAL_NEEDED");
    await keys.close();
    await elsewhere.keys.close();
  });

  it("does not count once its approver is revoked, however late", async () => {
    const { keys, approvers, approve, approved, space, clock } = await office();
    const proposal = await keys.propose(DESTROY);
    await approve(proposal, 0, 1);
    // Another manager has looked at everything, and this one revokes meanwhile.
    const b = await openMemory({ space, clock, freshness: 1e9 });
    await b.keys.get("k");
    const revocation = await approved({ operation: "revoke-entity", entity: approvers[0]!.id }, 1, 2);
    await keys.revokeEntity(approvers[0]!, { approval: revocation });
    for (const each of [b.keys, keys]) {
      expect(await codeOf(each.destroy("k", { approval: proposal.id }))).toBe("POLICY_APPROVAL_NEEDED");
    }
    await approve(proposal, 2);
    await keys.destroy("k", { approval: proposal.id });
    await keys.close();
    await b.keys.close();
  });

  it("is none by who proposes, and none by who does it", async () => {
    const { keys, approvers, sign, approve } = await office();
    const asApprover = await keys.as(approvers[0]!);
    const proposal = await asApprover.propose(DESTROY);
    const signature = await sign(0, proposal);
    expect(await codeOf(asApprover.approve(proposal, { approver: approvers[0]!.id, signature }))).toBe(
      "APPROVAL_INVALID",
    );
    await approve(proposal, 1, 2);
    // Who may approve may not do it: the policy's roles are apart.
    expect(await codeOf(asApprover.destroy("k", { approval: proposal.id }))).toBe("POLICY_DENIED");
    await keys.destroy("k", { approval: proposal.id });
    await keys.close();
  });

  it("counts only of approvers whom the rule names, whatever the store holds", async () => {
    const { keys, approved, desk } = await office();
    await desk.create({ name: "auditor", algorithm: "Ed25519" });
    const { raw } = await desk.publicKey("auditor");
    const registering = { name: "auditor", roles: ["auditor"], publicKey: raw };
    const approval = await approved({ operation: "register-entity", ...registering }, 0, 1);
    const { id: auditor } = await keys.registerEntity({ ...registering, approval });
    const proposal = await keys.propose(DESTROY);
    const { signature } = await desk.sign("auditor", proposal.toSign);
    await keys.approve(proposal, { approver: auditor, signature });
    const one = await desk.sign("approver-0", proposal.toSign);
    await keys.approve(proposal, {
      approver: (await keys.entities())[1]!.id,
      signature: one.signature,
    });
    expect(await codeOf(keys.destroy("k", { approval: proposal.id }))).toBe("POLICY_APPROVAL_NEEDED");
    await keys.close();
  });

  it("of a policy is for that policy, and jobs over all versions take none", async () => {
    const { keys, approved } = await office();
    const approval = await approved({ operation: "set-policy", policy: POLICY_TEMPLATES.roles }, 0, 1);
    const wider: Policy = { name: "roles", rules: [{ name: "all", effect: "allow" }] };
    expect(await codeOf(keys.setPolicy(wider, { approval }))).toBe("PROPOSAL_MISMATCH");
    expect((await keys.proposals())[0]!.request).toEqual({
      operation: "set-policy",
      policy: POLICY_TEMPLATES.roles,
      force: false,
    });
    expect(await codeOf(keys.destroy("k", { versions: "all" }))).toBe("POLICY_APPROVAL_NEEDED");
    expect((await keys.setPolicy(POLICY_TEMPLATES.roles, { approval })).version).toBe(2);
    expect(await codeOf(keys.destroy("k"))).toBe("no error");
    await keys.close();
  });
});
