import { mkdtempSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll } from "vitest";

import { sqliteStorage } from "../../sdk/storage/sqlite.js";
import { inNewerNode } from "../newer-node.js";
import { durableStoreFlows } from "./durable-store.js";
import { fullDisk } from "./full-disk.js";
import { processesShareAStore } from "./processes.js";

if (isBuiltin("node:sqlite")) {
  const base = mkdtempSync(join(tmpdir(), "keyloom-flows-"));
  let files = 0;
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  durableStoreFlows("SQLite", () => {
    const path = join(base, `store-${++files}.sqlite`);
    return { open: (options) => sqliteStorage({ path, ...options }) };
  });
  fullDisk("SQLite", (file) => sqliteStorage({ path: file }));
  processesShareAStore("SQLite", () => `sqlite:${join(base, `store-${++files}.sqlite`)}`);
} else {
  await inNewerNode(import.meta.url);
}
