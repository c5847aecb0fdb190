/** A usage limit holds for all processes that share a store together. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { AEAD, codeOf } from "./support.js";

const folder = mkdtempSync(join(tmpdir(), "keyloom-usage-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LIMIT = 300;
const PROCESSES = 2;

it(
  "is never over-spent by processes, and what they give back is used up to the last",
  { timeout: 120_000 },
  async () => {
    const path = join(folder, "store");
    const unlock = rawKey(new Uint8Array(32).fill(7));
    const keys = await KeyManager.open({ storage: lmdbStorage({ path }), unlock });
    await keys.create({ name: "k", algorithm: AEAD, limits: { operations: LIMIT } });
    const program = fileURLToPath(new URL("usage-child.ts", import.meta.url));
    const children = Array.from({ length: PROCESSES }, () => {
      const child = spawn(process.execPath, ["--import", "tsx", program, path], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      child.stdin.on("error", () => undefined);
      const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      return { child, ended, line: async (): Promise<string> => (await lines.next()).value ?? "" };
    });
    for (const { line } of children) expect(await line()).toBe("open");
    // All at once, when the last of them is there.
    for (const { child } of children) child.stdin.write("begin\n");
    const made: number[] = [];
    for (const { line, ended } of children) {
      made.push(Number((await line()).replace("made ", "")));
      expect(await ended).toBe(0);
    }
    const together = made.reduce((sum, count) => sum + count, 0);
    expect(together).toBeGreaterThan(0);
    expect(together).toBeLessThanOrEqual(LIMIT);
    expect(await keys.usage("k", 1)).toEqual({ operations: together, bytes: 0 });
    for (let left = LIMIT - together; left > 0; left--) await keys.encrypt("k", new Uint8Array(8));
    expect(await codeOf(keys.encrypt("k", new Uint8Array(8)))).toBe("KEY_NOT_USABLE");
    await keys.close();
  },
);
