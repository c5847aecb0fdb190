import { describe, expect, it } from "vitest";
import {
  EVENTS,
  STATE_NAMES,
  TRANSITIONS,
  type LifecycleEvent,
  type State,
} from "../../sdk/lifecycle/states.js";
import { transition, type TransitionOptions } from "../../sdk/lifecycle/transition.js";
import { modelNext } from "../../sdk/testing/model.js";

/**
 * KMIP 2.1 §4.57 (K) and NIST SP 800-57 part 1 (N), row by row: from, events, to. Written out a second time, so that
 * the code's table and the reference model are both held against the same page and not against each other alone.
 */
const ROWS: Readonly<Record<string, readonly [State | null, readonly LifecycleEvent[], State]>> = {
  K1: [null, ["create"], "pre-active"],
  K2: ["pre-active", ["destroy"], "destroyed"],
  K3: ["pre-active", ["revoke-compromised"], "compromised"],
  K4: ["pre-active", ["activation-due", "activate"], "active"],
  K5: ["active", ["revoke-compromised"], "compromised"],
  K6: ["active", ["deactivation-due", "deactivate", "revoke"], "deactivated"],
  K7: ["deactivated", ["destroy"], "destroyed"],
  K8: ["deactivated", ["revoke-compromised"], "compromised"],
  K9: ["compromised", ["destroy"], "destroyed-compromised"],
  K10: ["destroyed", ["revoke-compromised"], "destroyed-compromised"],
  N1: ["active", ["suspend"], "suspended"],
  N2: ["suspended", ["resume"], "active"],
  N3: ["suspended", ["deactivate", "deactivation-due", "revoke"], "deactivated"],
  N4: ["suspended", ["revoke-compromised"], "compromised"],
  N5: ["suspended", ["destroy"], "destroyed"],
  N6: ["active", ["destroy"], "destroyed"],
};

interface Flat {
  row: string;
  from: State | null;
  event: LifecycleEvent;
  to: State;
}

const FLAT: Flat[] = Object.entries(ROWS).flatMap(([row, [from, events, to]]) =>
  events.map((event) => ({ row, from, event, to })),
);

function sorted(rows: readonly Flat[]): string[] {
  return rows.map(({ row, from, event, to }) => `${row}: ${from} --${event}--> ${to}`).sort();
}

/** Which rows are on. */
const POLICIES: { name: string; options: TransitionOptions; on: (row: string) => boolean }[] = [
  { name: "the default profile", options: {}, on: (row) => row !== "N6" },
  { name: "the default profile with N6", options: { enabledRows: ["N6"] }, on: () => true },
  { name: "kmip-2.1", options: { profile: "kmip-2.1" }, on: (row) => row.startsWith("K") },
];

describe("the specification's rows", () => {
  it("are the code's rows, no more and no fewer, and N6 alone is off by default", () => {
    expect(sorted(TRANSITIONS)).toEqual(sorted(FLAT));
    expect(TRANSITIONS.filter((row) => "offByDefault" in row).map(({ row }) => row)).toEqual(["N6"]);
  });

  it.each(FLAT)("$row: from $from, $event leads to $to", ({ row, from, event, to }) => {
    for (const { options, on } of POLICIES) {
      if (on(row)) expect(transition(from, event, options)).toBe(to);
    }
    expect(modelNext(from, event, { destroyActive: true })).toBe(to);
  });
});

describe.each(POLICIES)("what $name does not list", ({ options, on }) => {
  const listed = FLAT.filter(({ row }) => on(row));
  const pairs = [null, ...STATE_NAMES].flatMap((from) =>
    EVENTS.filter((event) => !listed.some((row) => row.from === from && row.event === event)).map(
      (event) => ({ from, event }),
    ),
  );

  it.each(pairs)("$event of $from is refused, naming what would be allowed", ({ from, event }) => {
    let thrown: unknown;
    try {
      transition(from, event, options);
    } catch (error) {
      thrown = error;
    }
    const allowedFrom = listed.flatMap((row) => (row.event === event && row.from !== null ? [row.from] : []));
    expect(thrown).toMatchObject({
      code: "KEY_TRANSITION_NOT_ALLOWED",
      details: { state: from, event, allowedFrom },
    });
    // Ending what was never used is destroying it.
    const ends = from === "pre-active" && (event === "revoke" || event === "deactivate");
    expect((thrown as { details: { instead?: string } }).details.instead).toBe(ends ? "destroy" : undefined);
  });
});
