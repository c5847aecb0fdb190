import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, describe, expect, it } from "vitest";

import { storageConformance } from "../../sdk/storage/conformance.js";
import { bytes, commitId, put, text } from "../../sdk/storage/conformance-kit.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { LogStorage } from "./guide/log-storage.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const base = mkdtempSync(join(tmpdir(), "keyloom-guide-"));
let files = 0;
const freshPath = (): string => join(base, `log-${++files}`);

afterAll(() => rmSync(base, { recursive: true, force: true }));

storageConformance({
  test: it,
  expect,
  name: "the guide's adapter",
  factory: async () => {
    const path = freshPath();
    return { storage: new LogStorage(path), reopen: async () => new LogStorage(path) };
  },
  lacks: ["second", "snapshot"],
});

storageConformance({
  test: it,
  name: "the guide's adapter behind a quiet fault layer",
  factory: async () => ({ storage: faultyStorage(new LogStorage(freshPath()), []) }),
  lacks: ["reopen", "second", "snapshot"],
});

describe("docs/STORAGE.md", () => {
  it("shows the adapter that is tested here, to the letter", () => {
    const guide = readFileSync(join(ROOT, "docs/STORAGE.md"), "utf8");
    const source = readFileSync(join(ROOT, "test/storage/guide/log-storage.ts"), "utf8");
    expect(guide).toContain(`\`\`\`ts\n${source}\`\`\``);
  });

  it("has an adapter that forgets a line cut short, and nothing before it", async () => {
    const path = freshPath();
    const commit = (storage: LogStorage, value: string) =>
      storage.commit({ id: commitId(), checks: [], mutations: [put("a", value)] });
    const first = new LogStorage(path);
    await commit(first, "1");
    await first.close();
    appendFileSync(path, '[2,["61","32');
    const second = new LogStorage(path);
    expect(text((await second.get(bytes("a")))!.value)).toBe("1");
    expect(await commit(second, "3")).toEqual({ committed: true, versions: ["2"] });
    await second.close();
  });
});
