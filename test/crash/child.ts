/**
 * Works on a store until it is killed: `child.ts`, told on stdin by a line `URL WHAT JOB` when to begin, so that it can be
 * started beforehand. Says on stdout what is acknowledged, a line each; `failed CODE` where the store was lost.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { storageFromUrl } from "../../sdk/storage/url.js";

const ALGORITHM = "XChaCha20-Poly1305";
/** A version table has 256 rows, so several keys are rotated in turn. */
export const ROTATED = 8;

const say = (line: string | number): void => void writeSync(1, `${line}\n`);

const WORK = {
  async create(keys: KeyManager, job: string) {
    const options = { algorithm: ALGORITHM, under: "kek", job } as const;
    for await (const { done } of keys.createMany(200_000, options)) say(done);
  },
  async rewrap(keys: KeyManager, job: string) {
    for await (const { done } of keys.rewrap("kek", { job })) say(done);
  },
  async rotate(keys: KeyManager, job: string) {
    for (let n = 1; n < ROTATED * 255; n++) {
      await keys.rotate(`${job}-${n % ROTATED}`);
      say(n);
    }
  },
  /** Four commands for each key: made, rotated, and its first version ended and destroyed, which closes its gate. */
  async destroy(keys: KeyManager, job: string) {
    for (let n = 0; n < 1000; n++) {
      const name = `${job}-${n}`;
      await keys.create({ name, algorithm: ALGORITHM, usages: ["wrap", "unwrap"], under: "kek" });
      say(4 * n + 1);
      await keys.rotate(name);
      say(4 * n + 2);
      await keys.deactivate(name, { version: 1 });
      say(4 * n + 3);
      await keys.destroy(name, { version: 1 });
      say(4 * n + 4);
    }
  },
} as const;

export type Work = keyof typeof WORK;

async function main(): Promise<void> {
  const { value } = await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next();
  // The end of the input before a line: nothing is to be done after all.
  if (value === undefined) return;
  const [url, what, job] = String(value).split(" ") as [string, Work, string];
  try {
    const storage = await storageFromUrl(url);
    const keys = await KeyManager.open({ storage, unlock: rawKey(new Uint8Array(32).fill(7)) });
    say("open");
    await WORK[what](keys, job);
    say("finished");
    await keys.close();
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    say(`failed ${code ?? message}`);
  }
  process.exit(0);
}

if (process.argv[1]?.endsWith("child.ts") === true) await main();
