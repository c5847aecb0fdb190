/** Processes of their own on one store: what holds on every store that several may hold open. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import type { Mutation, StorageAdapter } from "../../sdk/storage/adapter.js";
import { bytes, commitId, listed, put, text } from "../../sdk/storage/conformance-kit.js";
import { storageFromUrl } from "../../sdk/storage/url.js";

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

const commit = (storage: StorageAdapter, ...mutations: Mutation[]) =>
  storage.commit({ id: commitId(), checks: [], mutations });

/** Runs the child, under a limit of so many KiB on the size of any file where one is given. */
function child(
  args: string[],
  fileLimitKiB?: number,
): { process: ChildProcess; lines: AsyncIterable<string> } {
  const script = fileURLToPath(new URL("./fixtures/storage-child.ts", import.meta.url));
  const command = [process.execPath, "--import", "tsx", script, ...args];
  // SIGXFSZ would end the process where a write should fail.
  const limit = fileLimitKiB === undefined ? "" : `trap '' XFSZ; ulimit -f ${fileLimitKiB}; `;
  const started = spawn("bash", ["-c", `${limit}exec "$@"`, "bash", ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(started);
  started.on("exit", () => children.delete(started));
  return { process: started, lines: createInterface({ input: started.stdout }) };
}

export async function output(args: string[], fileLimitKiB?: number): Promise<string[]> {
  const { process: started, lines } = child(args, fileLimitKiB);
  const ended = new Promise<unknown>((resolve) =>
    started.on("exit", (code, signal) => resolve(signal ?? code)),
  );
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  expect(await ended).toBe(0);
  return all;
}

/**
 * @param freshUrl - of a store that is not there yet.
 * @param kills - after how many acknowledged commits a writer is killed, one after the other.
 */
export function severalProcesses(name: string, freshUrl: () => string, kills = [1, 7, 20, 43]): void {
  describe(`several processes on ${name}`, () => {
    it("a process killed at any moment loses no acknowledged commit and leaves no half of one", async () => {
      const url = freshUrl();
      const storage = await storageFromUrl(url);
      let total = 0;
      // The parent holds the store open all the while: a killed writer must not lock it out.
      for (const lines of kills) {
        const { process: started, lines: acknowledged } = child(["append", url]);
        const ended = new Promise((resolve) => started.on("exit", resolve));
        let last = 0;
        let seen = 0;
        for await (const line of acknowledged) {
          last = Number(line);
          if (++seen === lines) started.kill("SIGKILL");
        }
        await ended;
        expect(last).toBeGreaterThan(total);
        const stored = Number(text((await storage.get(bytes("last")))!.value));
        // One commit may have taken effect whose line was never written.
        expect([last, last + 1]).toContain(stored);
        const found = await listed(
          storage,
          { start: bytes("part/"), end: bytes("part0") },
          { keysOnly: true },
        );
        expect(found.length).toBe(stored * 8);
        expect(await commit(storage, put("parent", String(lines)))).toMatchObject({ committed: true });
        total = stored;
      }
      await storage.close();
      const again = await storageFromUrl(url);
      expect(await listed(again, { start: bytes("parent"), end: null })).toContain(`parent=${kills.at(-1)}`);
      await again.close();
    });

    it("lose no increment of one another", async () => {
      const url = freshUrl();
      const storage = await storageFromUrl(url);
      await commit(storage, put("n", "0"));
      await Promise.all([output(["increment", url, "150"]), output(["increment", url, "150"])]);
      expect(text((await storage.get(bytes("n")))!.value)).toBe("300");
      await storage.close();
    });

    it("may create it at the same moment", async () => {
      const url = freshUrl();
      const outputs = await Promise.all([1, 2, 3].map(() => output(["open", url])));
      expect(outputs).toEqual([["opened"], ["opened"], ["opened"]]);
    });
  });
}
