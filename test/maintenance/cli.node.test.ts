/** `keyloom doctor` over an LMDB store that was edited with LMDB's own interface; `backup` and `restore`. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { open as openLmdb } from "lmdb";
import { afterEach, beforeEach, expect, it } from "vitest";
import { EXIT_CODES } from "../../sdk/cli/exit-codes.js";
import { PREFIX } from "../../sdk/storage/keyspace.js";
import { bench, type Bench } from "../cli/support.js";

let at: Bench;
beforeEach(async () => {
  at = await bench();
  await at.run("init");
  await at.run("create", "one", "--tag", "blue");
  await at.run("create", "two");
});
afterEach(() => rm(at.folder, { recursive: true, force: true }));

/** Deletes what lies under a prefix byte. */
async function take(prefix: number): Promise<number> {
  const binary = { keyEncoding: "binary", encoding: "binary" } as const;
  const environment = openLmdb({ path: at.path("store"), noSubdir: false, maxDbs: 4, ...binary });
  try {
    const table = environment.openDB<Uint8Array, Uint8Array>("keyloom.entries", {
      useVersions: true,
      ...binary,
    });
    const keys = [...table.getKeys()].map((key) => new Uint8Array(key)).filter((key) => key[0] === prefix);
    for (const key of keys) await table.remove(key as Uint8Array & string);
    return keys.length;
  } finally {
    await environment.close();
  }
}

it("agrees with a store that nobody edited", async () => {
  const ran = await at.run("doctor");
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(ran.stdout).toMatch(/^\d+ entries: all of them agree\n$/);
});

it("finds index entries that were dropped, repairs them, and then agrees", async () => {
  expect(await take(PREFIX.indexName)).toBe(2);
  const found = await at.run("doctor");
  expect(found.code).toBe(EXIT_CODES.integrity);
  expect(found.stdout).toMatch(
    /^FINDING .*\nindex-missing .*\nindex-missing .*\n\d+ entries: 2 findings, 2 left\n$/,
  );
  const repaired = await at.run("doctor", "--repair");
  expect(repaired.code).toBe(EXIT_CODES.done);
  expect(repaired.stdout).toMatch(/2 findings, 0 left\n$/);
  expect((await at.run("doctor")).code).toBe(EXIT_CODES.done);
  expect((await at.run("show", "one")).code).toBe(EXIT_CODES.done);
});

it("says what it can't repair, and fails, as JSON too", async () => {
  expect(await take(PREFIX.history)).toBe(2);
  const ran = await at.run("doctor", "--repair", "--json");
  expect(ran.code).toBe(EXIT_CODES.integrity);
  expect(JSON.parse(ran.stdout)).toMatchObject({ found: 2, repaired: 0, kinds: { "history-gap": 2 } });
});

it("backs up and restores into another store, and refuses without the word for it", async () => {
  const file = at.path("backup");
  const other = ["--store", `lmdb:${at.path("other")}`, "--raw-key-file", at.path("key")];
  expect((await at.run("backup", file)).stdout).toMatch(/: [\d,]+ bytes\n$/);
  expect((await at.run("backup", file)).code).toBe(EXIT_CODES.conflict);
  expect((await at.bare(["restore", file, ...other])).code).toBe(EXIT_CODES.denied);
  const restored = await at.bare(["restore", file, "--accept-rollback", ...other]);
  expect(restored).toMatchObject({ code: 0, stderr: "" });
  expect(restored.stdout).toMatch(/^\d+ entries of .*Z \(store [-0-9a-f]{36}\)\n$/);
  const list = async (ran: Promise<{ stdout: string }>): Promise<string> => (await ran).stdout;
  expect(await list(at.bare(["list", ...other]))).toBe(await list(at.run("list")));
  expect((await at.bare(["restore", file, "--accept-rollback", ...other])).code).toBe(EXIT_CODES.conflict);
  const cut = (await readFile(file)).subarray(0, -1);
  await writeFile(file, cut);
  const third = ["--store", `lmdb:${at.path("third")}`, "--raw-key-file", at.path("key")];
  const damaged = await at.bare(["restore", file, "--accept-rollback", ...third]);
  expect(damaged.code).toBe(EXIT_CODES.integrity);
  expect(damaged.stderr).toContain("BACKUP_DAMAGED");
});
