/**
 * A manager of its own on a store that others work on too: `processes-child.ts URL`. Each line on stdin is a task,
 * `WHAT JSON`, answered by one line of JSON on stdout.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { storageFromUrl } from "../../sdk/storage/url.js";

const AEAD = "XChaCha20-Poly1305";

/** What the others' work may do to a call here: it is refused, whole, and may be made again. */
const IN_THE_WAY = ["STORE_CONFLICT", "STORAGE_LOCKED", "KEY_HAS_DEPENDENTS", "KEY_TRANSITION_NOT_ALLOWED"];

async function unlessInTheWay<T>(work: () => PromiseLike<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (IN_THE_WAY.includes((error as { code: string }).code)) return null;
    throw error;
  }
}

const storage = await storageFromUrl(process.argv[2]!);
const keys = await KeyManager.open({
  storage,
  unlock: rawKey(new Uint8Array(32).fill(7)),
  create: false,
  freshness: 50,
});

const TASKS = {
  /** Rotates one key; answers with how often it did. */
  async rotate({ key, times }: { key: string; times: number }): Promise<number> {
    let done = 0;
    for (let i = 0; i < times; i++) if ((await unlessInTheWay(() => keys.rotate(key))) !== null) done++;
    return done;
  },
  /** Uses a key until its limit refuses; answers with how often it did, and lets go of what it reserved. */
  async spend({ key }: { key: string }): Promise<number> {
    for (let used = 0; ;) {
      try {
        await keys.encrypt(key, new Uint8Array(1));
        used++;
      } catch (error) {
        const { code, details } = error as { code: string; details?: { reason?: string } };
        if (code === "STORE_CONFLICT") continue;
        if (details?.reason === "usage-limit") return used;
        throw error;
      }
    }
  },
  /** Makes keys under a wrapping key, one by one and by a job; answers with what it made. */
  async create({ kek, rounds, many }: { kek: string; rounds: number; many: number }): Promise<string[]> {
    const made: string[] = [];
    for (let i = 0; i < rounds; i++) {
      const key = await unlessInTheWay(() => keys.create({ algorithm: AEAD, under: kek }));
      if (key !== null) made.push(key.id);
      // Whatever becomes of the versions that they lie under, they can be used all the time.
      for (const id of made) await keys.encrypt(id, new Uint8Array(1));
      const job = crypto.randomUUID();
      const options = { algorithm: AEAD, under: kek, job } as const;
      while ((await unlessInTheWay(() => keys.createMany(many, options))) === null);
    }
    return made;
  },
  /** Gives a wrapping key new versions and destroys its old ones; answers with how many it destroyed. */
  async replace({ kek, rounds }: { kek: string; rounds: number }): Promise<number> {
    let destroyed = 0;
    for (let i = 0; i < rounds; i++) {
      await unlessInTheWay(() => keys.rotate(kek));
      for (const { version, current } of (await keys.get(kek))!.versions) {
        if (current) continue;
        await unlessInTheWay(() => keys.rewrap(kek));
        await unlessInTheWay(() => keys.deactivate(kek, { version }));
        if ((await unlessInTheWay(() => keys.destroy(kek, { version }))) !== null) destroyed++;
      }
    }
    return destroyed;
  },
} as const;

writeSync(1, '"open"\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [, what, options] = /^(\w+) (.*)$/.exec(line) as unknown as [string, keyof typeof TASKS, string];
  const answer = await TASKS[what](JSON.parse(options) as never).catch(
    (error: Error & { code?: string }) => ({
      failed: `${what}: ${error.code ?? ""} ${error.stack ?? error.message}`,
    }),
  );
  writeSync(1, `${JSON.stringify(answer)}\n`);
}
await keys.close();
