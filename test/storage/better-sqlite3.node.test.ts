import { createRequire } from "node:module";

import type { SqliteDatabase } from "../../sdk/storage/sqlite-engine.js";
import { cannotRun } from "../newer-node.js";
import { sqliteSuite } from "./sqlite-suite.js";

// It compiles C++ when it is installed, so nothing here depends on it; `.ci/run` installs it beside and names it here.
const folder = process.env["KEYLOOM_BETTER_SQLITE3"];

if (folder === undefined) {
  cannotRun("better-sqlite3", "KEYLOOM_BETTER_SQLITE3 names no folder where it is installed", false);
} else {
  const Database = createRequire(import.meta.url)(folder) as new (path: string) => SqliteDatabase;
  sqliteSuite("better-sqlite3", async () => (path) => new Database(path));
}
