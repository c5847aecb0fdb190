import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { LAYERS, violations, type SourceTree } from "./rooms.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

function readTree(): SourceTree {
  const tree = new Map<string, string>();
  for (const room of ["assembly", "bindings", "sdk"]) {
    for (const name of readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })) {
      const path = join(ROOT, room, name);
      if (!name.endsWith(".ts")) continue;
      tree.set(relative(ROOT, path).split(sep).join("/"), readFileSync(path, "utf8"));
    }
  }
  return tree;
}

describe("the source tree", () => {
  it("imports in one direction, commits in one room and keeps adapters out of the main entry", () => {
    const tree = readTree();
    expect(tree.size).toBeGreaterThan(10);
    expect(violations(tree)).toEqual([]);
  });

  it("has a room for every folder of sdk, and no other file at its top", () => {
    const rooms: readonly string[] = LAYERS.flat();
    const places = new Set([...readTree().keys()].filter((path) => path.startsWith("sdk/")).map(placeOf));
    expect([...places].filter((place) => !rooms.includes(place))).toEqual([]);
  });
});

function placeOf(path: string): string {
  return path.split("/").slice(0, 2).join("/");
}

describe("the checker", () => {
  /** A small tree in order; a test plants one violation in it. */
  const SOUND: Record<string, string> = {
    "assembly/index.ts": `import { OK } from "./abi"; export function f(): i32 { return OK; }`,
    "assembly/abi.ts": `export const OK: i32 = 0;`,
    "bindings/index.ts": `import { CoreError } from "../sdk/foundation/errors.js"; import "@assemblyscript/loader";`,
    "sdk/foundation/errors.ts": `export class CoreError extends Error {}`,
    "sdk/foundation/bytes.ts": `import { CoreError } from "./errors.js";`,
    "sdk/crypto/core.ts": `export { loadCore } from "../../bindings/index.js";`,
    "sdk/storage/adapter.ts": `export interface StorageAdapter { commit(): Promise<void> }`,
    "sdk/storage/memory.ts": `import type { StorageAdapter } from "./adapter.js";`,
    "sdk/storage/lmdb.ts": `export const open = () => import("lmdb"); import { join } from "node:path";`,
    "sdk/lifecycle/states.ts": `export const STATES = [];`,
    "sdk/keys/record.ts": `import { STATES } from "../lifecycle/states.js";`,
    "sdk/audit/event.ts": `import "../foundation/bytes.js";`,
    "sdk/commands/execute.ts": `import "../keys/record.js"; export const go = (storage: any) => storage.commit();`,
    "sdk/rotation/rotate.ts": `import { go } from "../commands/execute.js"; // storage.commit( is in commands`,
    "sdk/messages/envelope.ts": `import type { StorageAdapter } from "../storage/adapter.js";`,
    "sdk/key-manager.ts": `import "./rotation/rotate.js"; import "./messages/envelope.js";`,
    "sdk/index.ts": `export * from "./key-manager.js";`,
    "sdk/cli/index.ts": `import "../index.js"; import "../storage/lmdb.js"; import "node:fs";`,
    "sdk/testing/index.ts": `import "../key-manager.js"; import "../storage/memory.js";`,
    "sdk/testing/model.ts": `import "../foundation/errors.js";`,
  };

  function violationsWith(path: string, line: string): string[] {
    return violations(new Map(Object.entries({ ...SOUND, [path]: `${SOUND[path] ?? ""}\n${line}` })));
  }

  it("accepts a tree in order", () => {
    expect(violations(new Map(Object.entries(SOUND)))).toEqual([]);
  });

  it.each([
    ["an import upwards", "sdk/keys/record.ts", `import { go } from "../commands/execute.js";`],
    ["an import between rooms of one brace", "sdk/rotation/rotate.ts", `import "../messages/envelope.js";`],
    ["an import between rooms of one lower brace", "sdk/keys/record.ts", `import "../audit/event.js";`],
    ["a type import upwards", "sdk/storage/adapter.ts", `import type { X } from "../keys/record.js";`],
    ["a re-export upwards", "sdk/foundation/bytes.ts", `export { STATES } from "../lifecycle/states.js";`],
    ["a dynamic import upwards", "sdk/audit/event.ts", `export const f = () => import("../index.js");`],
    ["a typeof import upwards", "sdk/audit/event.ts", `export type T = typeof import("../index.js");`],
    [
      "an import whose target is computed",
      "sdk/audit/event.ts",
      `export const f = (x: string) => import(x);`,
    ],
    [
      "bindings that take more than the error base",
      "bindings/index.ts",
      `import "../sdk/foundation/bytes.js";`,
    ],
    [
      "a room beside crypto that takes bindings",
      "sdk/storage/memory.ts",
      `import "../../bindings/index.js";`,
    ],
    ["a command line that goes under the API", "sdk/cli/index.ts", `import "../commands/execute.js";`],
    ["a model that reads the lifecycle table", "sdk/testing/model.ts", `import "../lifecycle/states.js";`],
    ["a core that takes from the host", "assembly/index.ts", `import { X } from "../bindings/index";`],
    ["a core that takes a package", "assembly/index.ts", `import { X } from "some-package";`],
    ["a builtin outside its files", "sdk/crypto/core.ts", `import { createHash } from "node:crypto";`],
    ["a driver outside its adapter", "sdk/storage/memory.ts", `import type { Database } from "lmdb";`],
    ["a package that no table names", "sdk/crypto/core.ts", `import "left-pad";`],
    ["an import of a file that isn't there", "sdk/crypto/core.ts", `import "./nowhere.js";`],
    ["a file that lies in no room", "sdk/helpers/misc.ts", `import "../foundation/errors.js";`],
    ["a commit outside sdk/commands", "sdk/rotation/rotate.ts", `export const f = (s: any) => s.commit({});`],
    ["a commit taken as a value", "sdk/rotation/rotate.ts", `export const f = (s: any) => s["commit"];`],
    [
      "a commit taken apart",
      "sdk/messages/envelope.ts",
      `export const f = (s: any) => { const { commit } = s; };`,
    ],
    ["a main entry that reaches an adapter", "sdk/key-manager.ts", `import "./storage/memory.js";`],
    [
      "a main entry that reaches a driver later",
      "sdk/index.ts",
      `export const f = () => import("./storage/lmdb.js");`,
    ],
  ])("finds %s", (_, path, line) => {
    expect(violationsWith(path, line)).not.toEqual([]);
  });

  it("names both ends of a forbidden import", () => {
    expect(violationsWith("sdk/keys/record.ts", `import "../commands/execute.js";`)).toEqual([
      "sdk/keys/record.ts imports sdk/commands/execute.ts: against the direction",
    ]);
  });
});
