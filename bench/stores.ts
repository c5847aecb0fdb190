/**
 * Keys per second of one manager on a store, events, index entries and MACs included: creates so many keys under one,
 * rotates that one and re-wraps them all. The store must be empty, or not there yet.
 *
 *   npx tsx bench/stores.ts URL [COUNT]          `postgres` as the URL starts a server of its own
 */
import { KeyManager, rawKey } from "../sdk/index.js";
import { storageFromUrl } from "../sdk/storage/url.js";
import { startPostgres } from "../test/storage/postgres-server.js";

const [asked = "memory:", count = "20000"] = process.argv.slice(2);
const server = asked === "postgres" ? await startPostgres({ fsync: true }) : null;
try {
  const storage = await storageFromUrl(server?.url("bench") ?? asked);
  console.log(`${asked.split(":")[0]}: ${await measure(Number(count))}`);

  async function measure(keysToMake: number): Promise<string> {
    const keys = await KeyManager.open({
      storage,
      unlock: rawKey(crypto.getRandomValues(new Uint8Array(32))),
    });
    try {
      await keys.create({ name: "kek", algorithm: "XChaCha20-Poly1305", usages: ["wrap", "unwrap"] });
      const options = { algorithm: "XChaCha20-Poly1305", under: "kek" } as const;
      const created = await perSecond(keysToMake, () => keys.createMany(keysToMake, options));
      await keys.rotate("kek");
      const rewrapped = await perSecond(keysToMake, () => keys.rewrap("kek"));
      return `${created} keys/s created, ${rewrapped} keys/s re-wrapped (${keysToMake} keys)`;
    } finally {
      await keys.close();
    }
  }
} finally {
  await server?.stop();
}

async function perSecond(keys: number, work: () => PromiseLike<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return Math.round((keys / (performance.now() - start)) * 1000);
}
