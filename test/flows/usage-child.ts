/**
 * Protects with the key `k` until its limit is reached: `usage-child.ts <folder>`. Begins with the first line on stdin, and says on
 * stdout how often it was allowed: `made <count>`.
 */
import { createInterface } from "node:readline";
import { isKeyloomError, KeyManager, rawKey } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";

const keys = await KeyManager.open({
  storage: lmdbStorage({ path: process.argv[2]! }),
  unlock: rawKey(new Uint8Array(32).fill(7)),
  create: false,
});
process.stdout.write("open\n");
for await (const _ of createInterface({ input: process.stdin })) break;
let made = 0;
for (;;) {
  try {
    await keys.encrypt("k", new Uint8Array(8));
    made++;
  } catch (error) {
    if (!isKeyloomError(error) || error.details["reason"] !== "usage-limit") throw error;
    break;
  }
}
process.stdout.write(`made ${made}\n`);
await keys.close();
process.exit(0);
