/** Two and four processes on one store, each with a manager of its own: what holds on every store that several may open. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { storageFromUrl } from "../../sdk/storage/url.js";
import { agreement } from "../crash/agreement.js";
import { AEAD, codeOf, KEK } from "./support.js";

const CHILD = fileURLToPath(new URL("processes-child.ts", import.meta.url));
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

interface Worker {
  /** One task, and its answer. */
  run<T>(what: string, options: object): Promise<T>;
  end(): Promise<void>;
}

async function worker(url: string): Promise<Worker> {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, url], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.add(child);
  child.stdin.on("error", () => {});
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async <T>(): Promise<T> => {
    const parsed = JSON.parse((await lines.next()).value ?? '{"failed":"it ended"}') as T & {
      failed?: string;
    };
    if (parsed.failed !== undefined) throw new Error(parsed.failed);
    return parsed;
  };
  expect(await answer()).toBe("open");
  return {
    run(what, options) {
      child.stdin.write(`${what} ${JSON.stringify(options)}\n`);
      return answer();
    },
    async end() {
      child.stdin.end();
      expect(await ended).toBe(0);
      children.delete(child);
    },
  };
}

/** @param freshUrl - of a store that is not there yet. */
export function processesShareAStore(name: string, freshUrl: () => string): void {
  describe.each([2, 4])(`%i processes on one ${name} store`, (count) => {
    it(
      "lose no update, spend no limit twice, keep one current version, and lose no key",
      { timeout: 300_000 },
      async () => {
        const url = freshUrl();
        const keys = await KeyManager.open({
          storage: await storageFromUrl(url),
          unlock: rawKey(new Uint8Array(32).fill(7)),
          freshness: 0,
        });
        const LIMIT = 400;
        await keys.create({ name: "rotated", algorithm: AEAD });
        await keys.create({ name: "limited", algorithm: AEAD, limits: { operations: LIMIT } });
        await keys.create({ name: "kek", ...KEK });
        const workers = await Promise.all(Array.from({ length: count }, () => worker(url)));

        const rotations = await Promise.all(
          workers.map(({ run }) => run<number>("rotate", { key: "rotated", times: 12 })),
        );
        const { versions } = (await keys.get("rotated"))!;
        expect(Math.min(...rotations)).toBeGreaterThan(0);
        expect(versions).toHaveLength(1 + rotations.reduce((a, b) => a + b));
        expect(versions.filter(({ current }) => current).map(({ version }) => version)).toEqual([
          versions.length,
        ]);

        const used = await Promise.all(workers.map(({ run }) => run<number>("spend", { key: "limited" })));
        const together = used.reduce((a, b) => a + b);
        expect(together).toBeLessThanOrEqual(LIMIT);

        // Half of them make keys under a wrapping key whose versions the others replace and destroy.
        const half = count / 2;
        const made = workers
          .slice(0, half)
          .map(({ run }) => run<string[]>("create", { kek: "kek", rounds: 4, many: 200 }));
        const replaced = workers
          .slice(half)
          .map(({ run }) => run<number>("replace", { kek: "kek", rounds: 4 }));
        const ids = (await Promise.all(made)).flat();
        const destroyed = (await Promise.all(replaced)).reduce((a, b) => a + b);
        expect([ids.length, destroyed].every((number) => number > 0)).toBe(true);
        await Promise.all(workers.map(({ end }) => end()));

        // What the others had reserved and not used came back: not one use is lost, and none is left over.
        for (let left = LIMIT - together; left > 0; left--) await keys.encrypt("limited", new Uint8Array(1));
        expect(await codeOf(keys.encrypt("limited", new Uint8Array(1)))).toBe("KEY_NOT_USABLE");
        for (const id of ids) expect(await keys.encrypt(id, new Uint8Array(1))).toHaveLength(94);
        // A re-wrap opens every key.
        await keys.rewrap("kek");
        await keys.rotate("kek");
        const all = ids.length + half * 4 * 200;
        expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: all });
        await keys.close();
        const storage = await storageFromUrl(url);
        const { keys: records } = await agreement(storage);
        expect(records.size).toBe(3 + all);
        await storage.close();
      },
    );
  });
}
