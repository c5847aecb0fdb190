/** What one process restricts, another refuses within its freshness: two processes, one store, real clocks. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { AEAD } from "./support.js";

const folder = mkdtempSync(join(tmpdir(), "keyloom-two-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FRESHNESS = 300;
/** Two processes round their clocks each its own way. A busy machine needs no more: what counts is when a use began. */
const ROUNDING = 2;

const RESTRICTIONS: Record<string, (keys: KeyManager, name: string) => PromiseLike<unknown>> = {
  suspend: (keys, name) => keys.suspend(name),
  archive: (keys, name) => keys.archive(name),
  deactivate: (keys, name) => keys.deactivate(name),
  revoke: (keys, name) => keys.revoke(name, { reason: "key-compromise" }),
  "a protect-stop": (keys, name) => keys.setDates(name, { protectStop: new Date(Date.now() + 50) }),
};

it("a restriction made here is refused there within its freshness", { timeout: 60_000 }, async () => {
  const path = join(folder, "store");
  const keys = await KeyManager.open({
    storage: lmdbStorage({ path }),
    unlock: rawKey(new Uint8Array(32).fill(7)),
  });
  for (const name of Object.keys(RESTRICTIONS)) await keys.create({ name, algorithm: AEAD });
  const program = fileURLToPath(new URL("two-processes-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", program, path, String(FRESHNESS)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => (await lines.next()).value ?? "";
  expect(await line()).toBe("open");
  for (const [name, restrict] of Object.entries(RESTRICTIONS)) {
    child.stdin.write(`${name}\n`);
    expect(await line()).toBe(`using ${name}`);
    await restrict(keys, name);
    const restricted = Date.now();
    const [word, ...rest] = (await line()).split(" ");
    expect(word).toBe("refused");
    expect(Number(rest.at(-1)) - restricted, name).toBeLessThanOrEqual(FRESHNESS + ROUNDING);
  }
  child.stdin.end();
  expect(await ended).toBe(0);
  await keys.close();
});
