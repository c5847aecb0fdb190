/** Rounds of: let a child process work on a store, kill it at a random moment, and look at what is left. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
const BATCH = 1024;
/** Keys that exist before the first round, and one message under each of some of them. */
const KEYS = 20_000;
const SAMPLES = 50;

export interface Crashed {
  /** What the child said was done when it died. */
  acknowledged: number;
  finished: boolean;
}

function open(folder: string): Promise<KeyManager> {
  return KeyManager.open({
    storage: lmdbStorage({ path: folder }),
    unlock: rawKey(new Uint8Array(32).fill(7)),
    create: true,
  });
}

/** Runs the child and kills it `delay` milliseconds after it has begun to work. */
function crash(folder: string, what: "create" | "rewrap", job: string, delay: number): Promise<Crashed> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", CHILD, folder, what, job], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let problem = "";
    child.stdout.on("data", (chunk: Buffer) => {
      if (output === "") setTimeout(() => child.kill("SIGKILL"), delay);
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => (problem += chunk.toString()));
    child.on("exit", (code, signal) => {
      if (signal !== "SIGKILL" && code !== 0) return reject(new Error(`the child failed: ${problem}`));
      const lines = output.trimEnd().split("\n");
      const numbers = lines.map(Number).filter((value) => Number.isInteger(value));
      resolve({ acknowledged: numbers.at(-1) ?? 0, finished: lines.includes("finished") });
    });
  });
}

async function allKeys(keys: KeyManager): Promise<{ id: string; origin?: { job: string; item: number } }[]> {
  const all: { id: string; origin?: { job: string; item: number } }[] = [];
  let cursor: string | undefined;
  do {
    const page = await keys.list({ under: "kek", limit: 1000, cursor });
    all.push(...page.keys);
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

async function verifyAudit(keys: KeyManager): Promise<number> {
  let entries = 0;
  for await (const entry of keys.audit()) if (entry.sequence > 0) entries++;
  return entries;
}

export interface RoundsResult {
  rounds: number;
  killed: number;
}

/** So many rounds on one store, half of them in the middle of a re-wrap, half in the middle of a create job. */
export async function crashRounds(rounds: number, until = Infinity): Promise<RoundsResult> {
  const folder = join(await mkdtemp(join(tmpdir(), "keyloom-crash-")), "store");
  const message = new TextEncoder().encode("still here");
  let killed = 0;
  let done = 0;
  try {
    let keys = await open(folder);
    await keys.create({ name: "kek", algorithm: "XChaCha20-Poly1305", usages: ["wrap", "unwrap"] });
    await keys.createMany(KEYS, { algorithm: "XChaCha20-Poly1305", under: "kek" });
    const first = await keys.list({ under: "kek", limit: SAMPLES });
    const samples = await Promise.all(first.keys.map(({ id }) => keys.encrypt(id, message)));
    let total = KEYS;
    await keys.rotate("kek");
    await keys.close();
    for (; done < rounds && Date.now() < until; done++) {
      const what = done % 2 === 0 ? "rewrap" : "create";
      const job = crypto.randomUUID();
      const crashed = await crash(folder, what, job, Math.random() * 400);
      if (!crashed.finished) killed++;

      keys = await open(folder);
      // The chain is whole, every sample opens, and no key is lost or half there.
      expect(await verifyAudit(keys)).toBeGreaterThan(0);
      for (const sealed of samples) expect(await keys.decrypt(sealed)).toEqual(message);
      if (what === "create") {
        const made = (await allKeys(keys)).filter(({ origin }) => origin?.job === job);
        const items = made.map(({ origin }) => origin!.item).sort((a, b) => a - b);
        // Item n exists once, and they are a whole number of batches, all the acknowledged ones among them.
        expect(items).toEqual(items.map((_, i) => i));
        if (!crashed.finished) expect(items.length % BATCH).toBe(0);
        expect(items.length).toBeGreaterThanOrEqual(crashed.acknowledged);
        total += items.length;
        // Every one of them opens.
        for (const { id } of made.slice(-5)) {
          expect(await keys.decrypt(await keys.encrypt(id, message))).toEqual(message);
        }
        await keys.rotate("kek");
      } else {
        const { rewrapped } = await keys.rewrap("kek", { job });
        expect(rewrapped).toBeGreaterThanOrEqual(crashed.acknowledged);
        // Nothing lies under the old versions any more: they can go without shredding anything.
        const kek = (await keys.get("kek"))!;
        for (const { version, state, current } of kek.versions) {
          if (current || state === "destroyed") continue;
          if (state === "active") await keys.deactivate("kek", { version });
          expect((await keys.destroy("kek", { version })).shredded).toBe(0);
        }
        const present = await allKeys(keys);
        expect(present.length).toBe(total);
        // Every key's material is there and opens.
        for (const { id } of present)
          expect(await keys.encrypt(id, message)).toHaveLength(93 + message.length);
      }
      await keys.close();
    }
    return { rounds: done, killed };
  } finally {
    await rm(join(folder, ".."), { recursive: true, force: true });
  }
}
