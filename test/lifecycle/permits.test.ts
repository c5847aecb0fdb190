/** What a version permits: every state, kind of use, date, mask, flag, evidence and policy. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVIDENCE_KINDS, permits, REFUSALS, type EvidenceKind } from "../../sdk/lifecycle/permits.js";
import { PERMISSIONS, STATE_NAMES, type State, type UseKind } from "../../sdk/lifecycle/states.js";

interface Case {
  state: State;
  kind: UseKind;
  now: number;
  processStart?: number | undefined;
  protectStop?: number | undefined;
  occurrence?: number | undefined;
  inMask: boolean;
  archived: boolean;
  suspendedAt?: number | undefined;
  evidence?: { kind: EvidenceKind; time: number } | undefined;
  recovery: boolean;
  granted: boolean;
  trusted: boolean;
}

/**
 * The specification's table of states (SP 800-57 part 1 §7, KMIP 2.1 §§4.40, 4.41) a second time, in its own words: may
 * it, yes or no. Written from the page, so that it shares no mistake with the code's table.
 */
function specified(c: Case): boolean {
  if (!c.inMask || c.archived) return false;
  const started = c.processStart === undefined || c.now >= c.processStart;
  const trustedTime =
    c.evidence !== undefined && (c.evidence.kind === "time-stamp" || c.evidence.kind === "inclusion");
  const predates = trustedTime && c.evidence!.time < (c.occurrence ?? 0);
  if (c.kind === "protect")
    return c.state === "active" && (c.protectStop === undefined || c.now < c.protectStop);
  switch (c.state) {
    case "pre-active":
      return false;
    case "active":
      return started;
    case "suspended":
      return (
        started && c.evidence !== undefined && c.suspendedAt !== undefined && c.evidence.time < c.suspendedAt
      );
    case "deactivated":
      return c.kind === "verify" || c.granted;
    case "compromised":
      return c.kind === "open" ? c.recovery && c.trusted : predates;
    case "destroyed":
      return c.kind === "verify";
    case "destroyed-compromised":
      return c.kind === "verify" && predates;
  }
}

function decide(c: Case): ReturnType<typeof permits> {
  const { state, processStart, protectStop, occurrence, archived, suspendedAt, kind, evidence, recovery } = c;
  const dates = { initial: 0, activation: 0, processStart, protectStop, occurrence };
  // Dates that would move the state are tested with the transition table.
  const version = {
    state,
    dates: state === "pre-active" ? { initial: 0 } : dates,
    archived,
    usages: 6,
    suspendedAt,
  };
  const request = { kind, usage: c.inMask ? 4 : 1, evidence, recovery };
  return permits(version, request, c.now, { processDeactivated: c.granted, trusted: c.trusted });
}

const time = fc.integer({ min: 0, max: 12 });
const maybeTime = fc.option(time, { nil: undefined });
const cases: fc.Arbitrary<Case> = fc.record({
  state: fc.constantFrom(...STATE_NAMES),
  kind: fc.constantFrom("protect", "open", "check", "verify"),
  now: time,
  processStart: maybeTime,
  protectStop: maybeTime,
  occurrence: maybeTime,
  inMask: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)),
  archived: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
  suspendedAt: maybeTime,
  evidence: fc.option(
    fc.record({ kind: fc.constantFrom(...(Object.keys(EVIDENCE_KINDS) as EvidenceKind[])), time }),
    { nil: undefined },
  ),
  recovery: fc.boolean(),
  granted: fc.boolean(),
  trusted: fc.boolean(),
});

describe("what a version permits", () => {
  it("is what the specification says, for every state, use, date, flag, evidence and policy", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(cases, (c) => {
        const permit = decide(c);
        expect(permit.allowed).toBe(specified(c));
        expect(permit.state).toBe(c.state);
        seen.add(permit.allowed ? `allowed ${permit.mark ?? ""}` : permit.refusal);
        if (permit.allowed) {
          const exception = c.state === "suspended" || c.state.endsWith("compromised");
          expect(permit.mark !== undefined).toBe(exception);
          if (c.evidence !== undefined && exception) expect(permit.evidence).toBe(c.evidence.kind);
        }
      }),
      { numRuns: 30_000 },
    );
    // Each reason there is was given, and each mark.
    const all = [...Object.keys(REFUSALS), "allowed ", "allowed suspended", "allowed compromised"];
    expect([...seen].sort()).toEqual(all.sort());
  });

  it("is never more with less: taking away evidence, a grant or trust permits nothing new", () => {
    fc.assert(
      fc.property(cases, (c) => {
        for (const less of [
          { evidence: undefined },
          { recovery: false },
          { granted: false },
          { trusted: false },
        ])
          if (decide({ ...c, ...less }).allowed) expect(decide(c).allowed).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  it("is protecting in one state only, and a rule for each state and use", () => {
    const protecting = STATE_NAMES.filter((state) => PERMISSIONS[state].protect !== "no");
    expect(protecting).toEqual(["active"]);
    for (const state of STATE_NAMES) expect(Object.keys(PERMISSIONS[state])).toHaveLength(4);
  });

  it("gives every refusal its reason", () => {
    const base: Case = {
      state: "active",
      kind: "open",
      now: 5,
      inMask: true,
      archived: false,
      recovery: false,
      granted: true,
      trusted: true,
    };
    const assertion = { kind: "assertion", time: 1 } as const;
    const stamp = { kind: "time-stamp", time: 3 } as const;
    const rows: [Partial<Case>, string][] = [
      [{ inMask: false }, "usage"],
      [{ archived: true }, "archived"],
      [{ state: "pre-active" }, "not-yet-active"],
      [{ processStart: 6 }, "before-process-start"],
      [{ kind: "protect", protectStop: 5 }, "after-protect-stop"],
      [{ state: "suspended" }, "acceptance-needed"],
      [{ state: "suspended", suspendedAt: 1, evidence: assertion }, "evidence-too-late"],
      [{ state: "suspended", evidence: assertion }, "evidence-too-late"],
      [{ state: "suspended", kind: "protect", suspendedAt: 4, evidence: assertion }, "state"],
      [{ state: "deactivated", granted: false }, "grant-needed"],
      [{ state: "compromised" }, "recovery-only"],
      [{ state: "compromised", evidence: stamp, occurrence: 4 }, "recovery-only"],
      [{ state: "compromised", recovery: true, trusted: false }, "trust-needed"],
      [{ state: "compromised", kind: "check" }, "evidence-needed"],
      [{ state: "compromised", kind: "check", evidence: assertion, occurrence: 4 }, "evidence-too-weak"],
      [{ state: "compromised", kind: "verify", evidence: stamp, occurrence: 3 }, "evidence-too-late"],
      [{ state: "compromised", kind: "verify", evidence: stamp }, "evidence-too-late"],
      [{ state: "destroyed" }, "state"],
      [{ state: "destroyed-compromised", recovery: true }, "state"],
    ];
    for (const [change, refusal] of rows)
      expect(decide({ ...base, ...change }), JSON.stringify(change)).toMatchObject({
        allowed: false,
        refusal,
      });
  });
});
