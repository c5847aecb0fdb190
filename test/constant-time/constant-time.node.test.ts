/**
 * The compiled core takes no branch on a secret and touches no address that depends on one: the very files that are
 * published run here with secrets marked, over every call of test/core/memory. See SECURITY.md, "Constant time".
 */
import { readdirSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { Cases } from "../core/memory/kit.js";
import { wrapUnder } from "../core/memory/wrap-algorithms.js";
import { WRAPPING } from "../core/wrapped-key.js";
import { CELLS, DECLASSIFIERS, EXPORTS, VERDICTS, type Verdict } from "./secrets.js";
import { Subject } from "./subject.js";
import { TaintProbe, type Builds } from "./taint-probe.js";

const CASES_FOLDER = new URL("../core/memory/", import.meta.url);

async function casesOfAllFamilies(): Promise<Cases> {
  const files = readdirSync(CASES_FOLDER).filter((name) => name.endsWith("-cases.ts"));
  const families = await Promise.all(files.map((name) => import(new URL(name, CASES_FOLDER).href)));
  return Object.assign({}, ...families.flatMap((family) => Object.values(family as object))) as Cases;
}

const CASES = await casesOfAllFamilies();

function read(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
}

describe.each(["simd", "scalar"] as const)("the %s build, with its secrets marked", (kind) => {
  const bytes = read(`build/keyloom-${kind}.wasm`);
  const subject = new Subject(bytes, CELLS, read("build/keyloom-test.wasm"));
  const builds: Builds = { subject, engine: new WebAssembly.Module(bytes) };

  /** Without names of functions, the rule alone must do. */
  const isExcepted = (violation: string, excepted: readonly string[]): boolean =>
    subject.hasNames
      ? excepted.includes(violation)
      : excepted.some((exception) => exception.split(":")[0] === violation.split(":")[0]);

  it("has an entry here for every function that it exports", () => {
    expect(subject.exports.filter((name) => EXPORTS[name] === undefined)).toEqual([]);
    expect(subject.exports.filter((name) => CASES[name] === undefined)).toEqual([]);
  });

  /** What a probe found that is not excepted, and the verdicts that were made public. */
  function look(t: TaintProbe, verdicts: readonly Verdict[], excepted: readonly string[] = []): void {
    const found = Array.from(t.violations, ([violation, places]) => ({ violation, places: [...places] }));
    expect(found.filter(({ violation }) => !isExcepted(violation, excepted))).toEqual([]);
    // An exception that nothing needs any more is to be taken out.
    if (subject.hasNames) expect([...t.violations.keys()].sort()).toEqual([...excepted].sort());
    expect([...t.verdicts].sort()).toEqual([...verdicts].sort());
    expect(t.inspectAll()).toEqual([]);
  }

  it.each(subject.exports)("takes no decision on a secret in %s", (name) => {
    const { output, verdicts = [], excepted } = EXPORTS[name]!;
    const t = TaintProbe.over(builds);
    CASES[name]!.run(t);
    look(t, verdicts, excepted);
    // Secrets were there, and came through.
    if (output !== "none") expect([...t.carried]).toContain(name);
  });

  it.each(WRAPPING)("takes no decision on a secret when keys are wrapped under $name", (row) => {
    const t = TaintProbe.over(builds);
    wrapUnder(t, row);
    look(t, [
      "commitment",
      ...(row.nonceLength === 0 ? (["MAC", "key wrap"] as const) : (["AEAD tag"] as const)),
    ]);
  });

  it("was looked at nearly everywhere", () => {
    const { places, unreached } = subject.coverage();
    const all = [...unreached].map(([name, offsets]) => `${name}: ${offsets.length} (${offsets[0]} …)`);
    const count = [...unreached.values()].flat().length;
    expect(places).toBeGreaterThan(1000);
    expect(count, all.join("\n")).toBeLessThan(places / 100);
  });

  it("would show a verdict that is not declared", () => {
    const undeclared = new Subject(bytes);
    const t = TaintProbe.over({ ...builds, subject: undeclared });
    CASES["vaultOpen"]!.run(t);
    const rules = Array.from(t.violations.keys(), (violation) => violation.split(":")[0]);
    expect(rules).toContain("condition of if");
    expect(rules).toContain("result of an export");
  });

  it("makes secrets public in these functions only", () => {
    if (!subject.hasNames) return;
    const functions = Object.values(VERDICTS).map((cell) => subject.declassifiers(cell));
    expect(Object.fromEntries(Object.keys(VERDICTS).map((name, i) => [name, functions[i]]))).toEqual(
      DECLASSIFIERS,
    );
  });
});
