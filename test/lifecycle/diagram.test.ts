import { describe, expect, it } from "vitest";
import { dateRows, permissionRows, stateDiagram, transitionRows } from "../../sdk/lifecycle/diagram.js";
import { EVENTS, STATE_NAMES, type State } from "../../sdk/lifecycle/states.js";
import { modelNext, type ModelRules } from "../../sdk/testing/model.js";

/** The pairs of states that some event leads from and to, by the reference model. */
function edges(rules: ModelRules): string[] {
  const found = new Set<string>();
  for (const from of [null, ...STATE_NAMES]) {
    for (const event of EVENTS) {
      const to = modelNext(from, event, rules);
      if (to !== null) found.add(`${from ?? "[*]"} --> ${to}`);
    }
  }
  return [...found].sort();
}

function drawn(lines: readonly string[]): string[] {
  return lines
    .filter((line) => line.includes("-->"))
    .map((line) => line.trim().replace(/: .*$/, "").replaceAll("_", "-"))
    .sort();
}

describe("the diagram", () => {
  it("has an arrow for each way there is, and no other", () => {
    expect(drawn(stateDiagram())).toEqual(edges({ destroyActive: true }));
    expect(drawn(stateDiagram({}))).toEqual(edges({}));
    expect(drawn(stateDiagram({ profile: "kmip-2.1" }))).toEqual(edges({ kmipOnly: true }));
  });

  it("stands beside tables of the sixteen rows, the seven states and the nine dates", () => {
    expect(transitionRows().map(([row]) => row)).toHaveLength(16);
    expect(permissionRows().map(([state]) => state as State)).toEqual(STATE_NAMES);
    expect(dateRows()).toHaveLength(9);
    for (const rows of [transitionRows(), permissionRows(), dateRows()])
      expect(rows.flat()).not.toContain(undefined);
  });
});
