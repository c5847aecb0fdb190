import { mkdtempSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { sqliteStorage } from "../../sdk/storage/sqlite.js";
import { inNewerNode } from "../newer-node.js";
import { severalProcesses } from "./processes.js";
import { sqliteSuite } from "./sqlite-suite.js";

if (isBuiltin("node:sqlite")) {
  const base = mkdtempSync(join(tmpdir(), "keyloom-sqlite-"));
  let files = 0;
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  sqliteSuite("node:sqlite", "node:sqlite");
  const freshUrl = (): string => `sqlite:${join(base, `store-${++files}.sqlite`)}`;
  severalProcesses("one SQLite store", freshUrl, [1, 20]);
} else {
  await inNewerNode(import.meta.url);
}

describe("a SQLite store without a driver", () => {
  it("says what to install", async () => {
    const driver = () => import("sqlite-that-is-not-there" as string) as never;
    const error = await sqliteStorage({ path: join(tmpdir(), "keyloom-never-made"), driver })
      .get(Uint8Array.of(1))
      .then(
        () => null,
        (thrown: Error & { code: string }) => thrown,
      );
    expect(error?.code).toBe("STORAGE_DRIVER_MISSING");
    expect(error?.message).toContain("npm i better-sqlite3");
  });
});
