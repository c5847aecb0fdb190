/**
 * Works on a store until it is killed: `child.ts <folder> <create|rewrap> <job id>`. Tells on stdout what is acknowledged,
 * a line each.
 */
import { KeyManager, rawKey } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";

const [folder, what, job] = process.argv.slice(2) as [string, "create" | "rewrap", string];

const keys = await KeyManager.open({
  storage: lmdbStorage({ path: folder }),
  unlock: rawKey(new Uint8Array(32).fill(7)),
});
process.stdout.write("open\n");
const work =
  what === "create"
    ? keys.createMany(200_000, { algorithm: "XChaCha20-Poly1305", under: "kek", job })
    : keys.rewrap("kek", { job });
for await (const { done } of work) process.stdout.write(`${done}\n`);
process.stdout.write("finished\n");
await keys.close();
