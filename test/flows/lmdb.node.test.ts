import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { fullDisk } from "./full-disk.js";
import { processesShareAStore } from "./processes.js";
import { AEAD, auditOperations, codeOf, collect, KEK, text } from "./support.js";

const base = mkdtempSync(join(tmpdir(), "keyloom-flows-"));
const CHILD = fileURLToPath(new URL("../crash/child.ts", import.meta.url));
let folders = 0;
let path: string;

beforeEach(() => {
  path = join(base, `store-${++folders}`);
});

afterAll(() => rmSync(base, { recursive: true, force: true }));

/** The secret is the one of the child processes. */
function open(options: { create?: boolean; freshness?: number; byte?: number } = {}): Promise<KeyManager> {
  const { byte = 7, ...rest } = options;
  return KeyManager.open({
    storage: lmdbStorage({ path }),
    unlock: rawKey(new Uint8Array(32).fill(byte)),
    ...rest,
  });
}

describe("a store on disk", () => {
  it("keeps keys, names, versions, messages and the audit over a restart", async () => {
    let keys = await open();
    await keys.create({ name: "kek", ...KEK });
    const made = await keys.create({ name: "k", algorithm: AEAD, under: "kek", tags: ["t"] });
    const sealed = await keys.encrypt("k", text("first"));
    const file = await collect(keys.encryptStream("k", new Uint8Array(100_000).fill(3)));
    await keys.rotate("k");
    await keys.rotate("kek");
    expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: 2 });
    const before = await keys.get("k");
    await keys.close();

    keys = await open({ create: false });
    expect(await keys.get(made.id)).toEqual(before);
    expect((await keys.list({ tag: "t" })).keys).toEqual([before]);
    expect(await keys.decrypt(sealed)).toEqual(text("first"));
    expect(await collect(keys.decryptStream(file))).toEqual(new Uint8Array(100_000).fill(3));
    expect((await keys.encrypt("k", text("x")))[20]).toBe(2);
    await keys.deactivate("k", { version: 1 });
    await keys.destroy("k", { version: 1 });
    await keys.close();

    keys = await open({ create: false });
    expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_DESTROYED");
    expect(await codeOf(keys.create({ name: "k", algorithm: AEAD }))).toBe("KEY_NAME_TAKEN");
    const operations = await auditOperations(keys);
    expect(operations.sort()).toEqual(
      ["init", "create", "create", "rotate", "rotate", "rewrap", "deactivate", "destroy"].sort(),
    );
    await keys.close();
  });

  it("opens with its own secret only, and is not made where it must exist", async () => {
    expect(await codeOf(open({ create: false }))).toBe("STORE_NOT_FOUND");
    await (await open()).close();
    expect(await codeOf(open({ byte: 8 }))).toBe("UNLOCK_FAILED");
    const keys = await open();
    expect(await auditOperations(keys)).toEqual(["init"]);
    await keys.close();
  });

  it("resumes a job that was cut off by closing", async () => {
    let keys = await open();
    await keys.create({ name: "kek", ...KEK });
    const options = { algorithm: AEAD, under: "kek" };
    const job = keys.createMany(20_000, options);
    for await (const { done } of job) if (done >= 1024) break;
    await keys.close();
    expect(await codeOf(job)).toBe("JOB_CANCELLED");

    keys = await open();
    expect(await keys.createMany(20_000, { ...options, job: job.id })).toMatchObject({ created: 20_000 });
    const items = new Set<number>();
    let found = 0;
    let cursor: string | undefined;
    do {
      const page = await keys.list({ under: "kek", limit: 1000, cursor });
      for (const { origin } of page.keys) items.add(origin!.item);
      found += page.keys.length;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    expect([found, items.size]).toEqual([20_000, 20_000]);
    await keys.close();
  });

  it("resumes a job over all versions that was cut off by closing", async () => {
    let keys = await open();
    await keys.create({ name: "kek", ...KEK });
    for (let i = 1; i < 20; i++) await keys.rotate("kek");
    const deactivation = keys.deactivate("kek", { versions: "all" });
    for await (const { done } of deactivation) if (done >= 3) break;
    await keys.close();
    expect(await codeOf(deactivation)).toBe("JOB_CANCELLED");

    keys = await open();
    const left = (await keys.get("kek"))!.versions.filter(({ state }) => state === "active");
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThanOrEqual(17);
    const again = { versions: "all", job: deactivation.id } as const;
    expect(await keys.deactivate("kek", again)).toMatchObject({ deactivated: 20, skipped: 0 });
    const destruction = keys.destroy("kek", { versions: "all" });
    for await (const { done } of destruction) if (done >= 3) break;
    await keys.close();
    expect(await codeOf(destruction)).toBe("JOB_CANCELLED");

    keys = await open();
    expect(await keys.destroy("kek", { versions: "all", job: destruction.id })).toEqual({
      job: destruction.id,
      destroyed: 20,
      skipped: 0,
      erasure: "deleted",
      shredded: 0,
    });
    const operations = await auditOperations(keys);
    for (const operation of ["deactivate", "close-gate", "destroy"]) {
      expect(operations.filter((each) => each === operation)).toHaveLength(20);
    }
    await keys.close();
  });

  it("serves two managers at once, which obey each other's restrictions", async () => {
    const a = await open({ freshness: 0 });
    const b = await open({ freshness: 0 });
    await a.create({ name: "k", algorithm: AEAD });
    const sealed = await b.encrypt("k", text("x"));
    await Promise.all([a.rotate("k"), b.rotate("k"), a.rotate("k"), b.rotate("k")]);
    const { versions } = (await b.get("k"))!;
    expect(versions).toHaveLength(5);
    expect(versions.filter(({ current }) => current)).toHaveLength(1);
    await a.deactivate("k", { version: 1 });
    await a.destroy("k", { version: 1 });
    expect(await codeOf(b.decrypt(sealed))).toBe("KEY_DESTROYED");
    await a.close();
    expect(await auditOperations(b)).toHaveLength(8);
    await b.close();
  });

  it("is worked on by another process at the same time", { timeout: 60_000 }, async () => {
    const keys = await open({ freshness: 0 });
    await keys.create({ name: "kek", ...KEK });
    await keys.createMany(5000, { algorithm: AEAD, under: "kek" });
    await keys.rotate("kek");
    const child = spawn(process.execPath, ["--import", "tsx", CHILD], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.on("error", () => {});
    child.stdin.end(`lmdb:${path} rewrap ${crypto.randomUUID()}\n`);
    const lines: string[] = [];
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    const working = new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk: Buffer) => {
        lines.push(...chunk.toString().trimEnd().split("\n"));
        resolve();
      });
    });
    await working;
    // While the other one moves everything: new keys, a rotation of one of its own, and uses.
    for (let i = 0; i < 20; i++) {
      const key = await keys.create({ name: `own-${i}`, algorithm: AEAD, under: "kek" });
      const sealed = await keys.encrypt(key, text("x"));
      await keys.rotate(key);
      expect(await keys.decrypt(sealed)).toEqual(text("x"));
    }
    expect(await ended).toBe(0);
    expect(lines).toContain("finished");
    expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: 0 });
    await keys.deactivate("kek", { version: 1 });
    expect((await keys.destroy("kek", { version: 1 })).shredded).toBe(0);
    expect((await auditOperations(keys)).filter((operation) => operation === "rotate")).toHaveLength(21);
    await keys.close();
  });
});

processesShareAStore("LMDB", () => `lmdb:${join(base, `store-${++folders}`)}`);

fullDisk("LMDB", (path) => lmdbStorage({ path }));
