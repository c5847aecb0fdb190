/** Rounds of: let a child process work on a store, kill it at a random moment, and look at what is left. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { toHex } from "../../sdk/foundation/bytes.js";
import { storageFromUrl } from "../../sdk/storage/url.js";
import { agreement, type Agreed } from "./agreement.js";
import { ROTATED, type Work } from "./child.js";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
const ALGORITHM = "XChaCha20-Poly1305";
const BATCH = 1024;
const SAMPLES = 50;
/** What the child does, in turn. A fifth round is the first kind again. */
const KINDS = ["rewrap", "create", "rotate", "destroy"] as const satisfies readonly Work[];

/** A store that is used for some rounds: every create job leaves it with more keys to look at. */
export interface CrashStore {
  url: string;
  /** SIGKILL to the store's server, and another one in its place. */
  killServer?(): Promise<void>;
  remove(): Promise<void>;
}

export interface RoundsOptions {
  fresh(): Promise<CrashStore>;
  rounds: number;
  /** Keys that exist before the first round. */
  keys: number;
  /** Milliseconds since 1970: no further round is begun then. */
  until?: number;
}

export interface RoundsResult {
  rounds: number;
  /** How many of them ended in the middle of the work: a child that had finished proves nothing. */
  killed: number;
  serverKilled: number;
}

class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;
  #problem = "";

  /** Loads its modules; the work begins when it is told. */
  constructor() {
    this.#process = spawn(process.execPath, ["--import", "tsx", CHILD]);
    this.#process.stdin!.on("error", () => {});
    this.#process.stderr!.on("data", (chunk: Buffer) => (this.#problem += chunk.toString()));
    this.#ended = new Promise((resolve) =>
      this.#process.on("exit", (code, signal) => resolve(signal ?? code)),
    );
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** @param kill - called when the child has acknowledged so many lines, and some milliseconds more. */
  async work(url: string, what: Work, job: string, lines: number, kill: () => unknown): Promise<Worked> {
    this.#process.stdin!.write(`${url} ${what} ${job}\n`);
    const worked: Worked = { opened: false, acknowledged: 0, finished: false, failed: null };
    let killing: Promise<unknown> | null = null;
    let seen = 0;
    for (let next = await this.#lines.next(); next.done !== true; next = await this.#lines.next()) {
      if (next.value === "open") worked.opened = true;
      else if (next.value === "finished") worked.finished = true;
      else if (next.value.startsWith("failed ")) worked.failed = next.value.slice("failed ".length);
      else worked.acknowledged = Number(next.value);
      if (++seen < lines || killing !== null) continue;
      killing = new Promise((resolve) => setTimeout(resolve, Math.random() * 30)).then(kill);
    }
    await killing;
    const status = await this.#ended;
    if (status !== "SIGKILL" && status !== 0) throw new Error(`the child failed: ${this.#problem}`);
    return worked;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

interface Worked {
  opened: boolean;
  /** The last number that it said. */
  acknowledged: number;
  finished: boolean;
  /** The code of the error that it gave up with, as its server was killed. */
  failed: string | null;
}

const below = (limit: number): number => Math.floor(Math.random() * limit);

/** Lines to wait for, so that a kill falls anywhere in the work: lines are batches of a job, or commands. */
function linesOf(what: Work, keys: number): number {
  const batches = Math.floor(keys / BATCH);
  return 1 + below(what === "rewrap" || what === "create" ? batches : 40);
}

/** Rounds on one store. Every fifth one kills the store's server, where it has one, and the child a moment later. */
export async function crashRounds({
  fresh,
  rounds,
  keys: count,
  until = Infinity,
}: RoundsOptions): Promise<RoundsResult> {
  const store = await fresh();
  const result: RoundsResult = { rounds: 0, killed: 0, serverKilled: 0 };
  const open = async (): Promise<KeyManager> => {
    const storage = await storageFromUrl(store.url);
    return KeyManager.open({ storage, unlock: rawKey(new Uint8Array(32).fill(7)) });
  };
  const look = async (): Promise<Agreed> => {
    const storage = await storageFromUrl(store.url);
    try {
      return await agreement(storage);
    } finally {
      await storage.close();
    }
  };
  let child = new Child();
  try {
    let keys = await open();
    await keys.create({ name: "kek", algorithm: ALGORITHM, usages: ["wrap", "unwrap"] });
    await keys.createMany(count, { algorithm: ALGORITHM, under: "kek" });
    const { keys: some } = await keys.list({ under: "kek", limit: SAMPLES });
    const message = new TextEncoder().encode("still here");
    const samples = await Promise.all(some.map(({ id }) => keys.encrypt(id, message)));
    await keys.rotate("kek");
    await keys.close();

    for (; result.rounds < rounds && Date.now() < until; result.rounds++) {
      const what = KINDS[result.rounds % KINDS.length]!;
      const job = crypto.randomUUID();
      if (what === "rotate") {
        keys = await open();
        for (let i = 0; i < ROTATED; i++) {
          await keys.create({ name: `${job}-${i}`, algorithm: ALGORITHM, under: "kek" });
        }
        await keys.close();
      }
      const serverToo = store.killServer !== undefined && result.rounds % 5 === 4;
      const working = child;
      const worked = await working.work(store.url, what, job, linesOf(what, count), async () => {
        if (serverToo) await store.killServer!();
        // It may have come through: a lost connection is made again, and the work goes on.
        if (serverToo) await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
        working.kill();
      });
      if (result.rounds + 1 < rounds) child = new Child();
      if (!worked.finished) result.killed++;
      if (serverToo) result.serverKilled++;
      if (worked.failed !== null)
        expect([serverToo, worked.failed]).toEqual([true, expect.stringMatching(/^STORAGE_/)]);

      const before = await look();
      keys = await open();
      const gone = await acknowledgedIsThere(keys, what, job, worked, before);
      for (const sealed of samples) expect(await keys.decrypt(sealed)).toEqual(message);
      await everyKeyOpens(keys, before, gone);
      // What the check itself did is whole too, and the next round's work is laid out.
      await keys.rotate("kek");
      await keys.close();
    }
    await look();
    return result;
  } finally {
    child.kill();
    await store.remove();
  }
}

/**
 * What the child said is there; what it was at is whole or absent.
 *
 * @returns how many versions the check itself destroyed
 */
async function acknowledgedIsThere(
  keys: KeyManager,
  what: Work,
  job: string,
  { acknowledged, finished }: Worked,
  { keys: records, jobs }: Agreed,
): Promise<number> {
  /** Of numbered commands, those that took effect: as many as acknowledged, or one more. */
  const inEffect = (commands: number): void => {
    expect([acknowledged, acknowledged + 1]).toContain(commands);
  };
  if (what === "rotate") {
    const versions = Array.from({ length: ROTATED }, (_, i) => records.get(`${job}-${i}`)!.versions);
    inEffect(versions.reduce((sum, { length }) => sum + length - 1, 0));
    for (const rows of versions) {
      expect(rows.map(({ version }) => version)).toEqual(rows.map((_, i) => i + 1));
      expect(rows.filter(({ replacedBy }) => replacedBy === undefined)).toHaveLength(1);
    }
  } else if (what === "destroy") {
    let commands = 0;
    for (let n = 0; records.has(`${job}-${n}`); n++) {
      const { versions } = records.get(`${job}-${n}`)!;
      const steps = { active: 2, deactivated: 3, destroyed: 4 } as Record<string, number>;
      commands += versions.length === 1 ? 1 : steps[versions[0]!.state]!;
    }
    inEffect(commands);
    // A gate that was closed just before is no obstacle to doing it again.
    const last = `${job}-${Math.max(0, Math.ceil(commands / 4) - 1)}`;
    if (commands % 4 !== 3) return 0;
    expect((await keys.destroy(last, { version: 1 })).shredded).toBe(0);
    return 1;
  } else {
    const done = jobs.get(job)?.done ?? 0;
    expect(done).toBeGreaterThanOrEqual(acknowledged);
    if (!finished && what === "create") expect(done % BATCH).toBe(0);
    if (what === "create") {
      const items = [...records.values()].filter(
        ({ origin }) => origin !== undefined && toHex(origin.job) === job.replaceAll("-", ""),
      );
      // Item n exists once, and the record says how many there are.
      const numbers = items.map(({ origin }) => origin!.item).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: done }, (_, i) => i));
    } else {
      expect((await keys.rewrap("kek", { job })).rewrapped).toBeGreaterThanOrEqual(done);
    }
  }
  return 0;
}

/** A re-wrap opens every key in the core; then nothing lies under the old versions, and they can go. */
async function everyKeyOpens(
  keys: KeyManager,
  { keys: records, under }: Agreed,
  gone: number,
): Promise<void> {
  const kek = records.get("kek")!;
  await keys.rewrap("kek");
  await keys.rotate("kek");
  const { rewrapped } = await keys.rewrap("kek");
  expect(rewrapped).toBe(under.get(Buffer.from(kek.id).toString("latin1"))! - gone);
  const { versions } = (await keys.get("kek"))!;
  for (const { version, state, current } of versions) {
    if (current || state === "destroyed") continue;
    if (state === "active") await keys.deactivate("kek", { version });
    expect((await keys.destroy("kek", { version })).shredded).toBe(0);
  }
}
