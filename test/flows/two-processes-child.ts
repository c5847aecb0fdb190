/**
 * Uses a key until the parent ends it: `two-processes-child.ts <folder> <freshness>`. Each line on stdin names a key; from
 * then on it is used over and over, and `refused <name> <milliseconds since 1970>` on stdout says when the last use began
 * that was not refused.
 */
import { createInterface } from "node:readline";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";

const [folder, freshness] = process.argv.slice(2) as [string, string];

const keys = await KeyManager.open({
  storage: lmdbStorage({ path: folder }),
  unlock: rawKey(new Uint8Array(32).fill(7)),
  freshness: Number(freshness),
  create: false,
});
process.stdout.write("open\n");
for await (const name of createInterface({ input: process.stdin })) {
  let began = Date.now();
  await keys.encrypt(name, new Uint8Array(8));
  process.stdout.write(`using ${name}\n`);
  for (;;) {
    const now = Date.now();
    try {
      await keys.encrypt(name, new Uint8Array(8));
      began = now;
    } catch {
      process.stdout.write(`refused ${name} ${began}\n`);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
await keys.close();
