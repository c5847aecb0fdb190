// Run in an empty project that has the packed keyloom installed: the entry points load and work there.
//
//   node smoke.mjs without-driver | with-driver

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { KeyManager, passphrase } from "keyloom";
import { loadCore } from "keyloom/core";
import { loadCore as loadInlineCore } from "keyloom/inline/core";
import { indexeddbStorage } from "keyloom/storage/indexeddb";
import { lmdbStorage } from "keyloom/storage/lmdb";
import { memoryStorage } from "keyloom/storage/memory";
import { postgresStorage } from "keyloom/storage/postgres";
import { sqliteStorage } from "keyloom/storage/sqlite";

const abc = new TextEncoder().encode("abc");
const ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-4

for (const load of [loadCore, loadInlineCore]) {
  for (const simd of [true, false]) {
    const core = await load({ simd });
    assert.equal(core.simd, simd);
    assert.equal(Buffer.from(core.sha256(abc)).toString("hex"), ABC_SHA256);
  }
}

await roundTrip(memoryStorage());
const folder = mkdtempSync(join(tmpdir(), "keyloom-smoke-"));
try {
  if (process.argv[2] === "with-driver") await roundTrip(lmdbStorage({ path: join(folder, "keys") }));
  else
    await assert.rejects(roundTrip(lmdbStorage({ path: join(folder, "keys") })), {
      code: "STORAGE_DRIVER_MISSING",
    });
  // Never installed here, as for most users: the entry loads, and its first call says what to install.
  const absent = { code: "STORAGE_DRIVER_MISSING" };
  await assert.rejects(postgresStorage({ url: "postgres://127.0.0.1/none" }).get(abc), absent);
  await assert.rejects(sqliteStorage({ path: "none", driver: "better-sqlite3" }).get(abc), absent);
  await assert.rejects(indexeddbStorage().get(abc), { code: "STORAGE_IO" }); // Node has no IndexedDB
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  `smoke (${process.argv[2]}): keyloom, keyloom/core, keyloom/inline/core and the storages load and work`,
);

async function roundTrip(storage) {
  const secret = new TextEncoder().encode("correct horse battery staple");
  const keys = await KeyManager.open({ storage, unlock: passphrase(secret) });
  try {
    await keys.create({ name: "smoke", algorithm: "XChaCha20-Poly1305", usages: ["encrypt", "decrypt"] });
    const sealed = await keys.encrypt("smoke", abc);
    assert.deepEqual(new Uint8Array(await keys.decrypt(sealed)), abc);
  } finally {
    await keys.close();
  }
}
