/** The tests of the SQLite adapter, for one driver or the other. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import type { Mutation, StorageAdapter } from "../../sdk/storage/adapter.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import { bytes, commitId, EVERYTHING, listed, put, text } from "../../sdk/storage/conformance-kit.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { sqliteStorage, type SqliteStorageOptions } from "../../sdk/storage/sqlite.js";
import { FILE_ERRORS } from "../../sdk/storage/node-files.js";
import { sqliteError, type SqliteDatabase } from "../../sdk/storage/sqlite-engine.js";
import { loadSqlite } from "../../sdk/storage/sqlite-open.js";

export function sqliteSuite(name: string, driver: SqliteStorageOptions["driver"]): void {
  const base = mkdtempSync(join(tmpdir(), "keyloom-sqlite-"));
  let files = 0;
  const freshPath = (): string => join(base, `store-${++files}.sqlite`);
  const open = (path: string, options: Partial<SqliteStorageOptions> = {}): StorageAdapter =>
    sqliteStorage({ path, driver, ...options });
  const raw = async (path: string): Promise<SqliteDatabase> => (await loadSqlite(driver))(path);

  afterAll(() => rmSync(base, { recursive: true, force: true }));

  storageConformance({
    test: it,
    expect,
    name,
    factory: async () => {
      const path = freshPath();
      return {
        storage: open(path),
        reopen: async () => open(path, { create: false }),
        second: async () => open(path),
      };
    },
  });

  storageConformance({
    test: it,
    name: `${name} behind a quiet fault layer`,
    factory: async () => ({ storage: faultyStorage(open(freshPath()), []) }),
    lacks: ["reopen", "second"],
  });

  const commit = (storage: StorageAdapter, ...mutations: Mutation[]) =>
    storage.commit({ id: commitId(), checks: [], mutations });

  const codeOf = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "none",
      (error: { code?: string }) => String(error.code),
    );

  /** A driver whose connections fail at a statement, with an error as the driver throws it. */
  function failingAt(statement: string, error: object, times = 1): SqliteStorageOptions["driver"] {
    let left = times;
    return async () => {
      const openFile = await loadSqlite(driver);
      return (path) => {
        const db = openFile(path);
        return {
          exec(sql) {
            if (sql === statement && left > 0) {
              left--;
              throw Object.assign(new Error("planted"), error);
            }
            return db.exec(sql);
          },
          prepare: (sql) => db.prepare(sql),
          close: () => db.close(),
        };
      };
    };
  }

  describe(`a store of ${name}`, () => {
    it("syncs its write-ahead log at every commit", async () => {
      const statements: string[] = [];
      const path = freshPath();
      const storage = open(path, {
        driver: async () => {
          const openFile = await loadSqlite(driver);
          return (file) => {
            const db = openFile(file);
            return {
              exec: (sql) => (statements.push(sql), db.exec(sql)),
              prepare: (sql) => db.prepare(sql),
              close: () => db.close(),
            };
          };
        },
      });
      await commit(storage, put("a", "1"));
      expect(statements).toContain("PRAGMA synchronous = FULL");
      expect(statements.slice(-2)).toEqual(["BEGIN IMMEDIATE", "COMMIT"]);
      expect(existsSync(`${path}-wal`)).toBe(true);
      const reader = await raw(path);
      expect(reader.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
      reader.close();
      await storage.close();
    });

    it("is one file that is for the owner alone, in folders made for it", async () => {
      const path = join(freshPath(), "a", "b.sqlite");
      const storage = open(path);
      await commit(storage, put("a", "1"));
      expect(statSync(path).mode & 0o077).toBe(0);
      expect(statSync(`${path}-wal`).mode & 0o077).toBe(0);
      expect(statSync(join(path, "..")).mode & 0o077).toBe(0);
      await storage.close();
      expect(existsSync(`${path}-wal`)).toBe(false);
    });

    it("makes nothing where create is false and there is none, nor before the first call", async () => {
      const path = freshPath();
      expect(await codeOf(open(path, { create: false }).get(bytes("a")))).toBe("STORE_NOT_FOUND");
      const untouched = open(path);
      await untouched.close();
      expect(existsSync(path)).toBe(false);
      writeFileSync(path, "");
      expect(await codeOf(open(path, { create: false }).get(bytes("a")))).toBe("STORE_NOT_FOUND");
      expect(readFileSync(path).length).toBe(0);
    });

    it("refuses what is no Keyloom store, and leaves it as it was", async () => {
      const foreign = freshPath();
      const db = await raw(foreign);
      db.exec("CREATE TABLE theirs (x)");
      db.close();
      const noise = freshPath();
      writeFileSync(noise, "hello ".repeat(2000));
      const folder = freshPath();
      mkdirSync(folder);
      for (const path of [foreign, noise, folder]) {
        const before = path === folder ? "" : readFileSync(path, "latin1");
        const storage = open(path);
        expect([path, await codeOf(storage.get(bytes("a")))]).toEqual([path, "STORE_UNREADABLE"]);
        expect(await codeOf(commit(storage, put("a", "1")))).toBe("STORE_UNREADABLE");
        await storage.close();
        if (path !== folder) expect(readFileSync(path, "latin1") === before).toBe(true);
      }
      const newer = freshPath();
      const storage = open(newer);
      await commit(storage, put("a", "1"));
      await storage.close();
      const again = await raw(newer);
      again.exec("PRAGMA user_version = 2");
      again.close();
      expect(await codeOf(open(newer).get(bytes("a")))).toBe("STORE_NEWER_FORMAT");
    });

    it("says that its file is damaged", async () => {
      const path = freshPath();
      const storage = open(path);
      for (let i = 0; i < 40; i++) await commit(storage, put(`k${i}`, "v".repeat(3000)));
      await storage.close();
      const content = readFileSync(path);
      content.fill(0x5a, 4096 * 2, content.length - 4096);
      writeFileSync(path, content);
      expect(await codeOf(listed(open(path), EVERYTHING))).toBe("STORE_DAMAGED");
    });

    it("refuses a commit on a full disk, keeps what it has, and goes on once there is room", async () => {
      const path = freshPath();
      let limit = 0;
      const storage = open(path, {
        driver: async () => {
          const openFile = await loadSqlite(driver);
          return (file) => {
            const db = openFile(file);
            const exec = (sql: string): unknown => {
              if (sql === "BEGIN IMMEDIATE" && limit > 0) db.exec(`PRAGMA max_page_count = ${limit}`);
              return db.exec(sql);
            };
            return { exec, prepare: (sql) => db.prepare(sql), close: () => db.close() };
          };
        },
      });
      await commit(storage, put("kept", "1"));
      limit = 30;
      let code = "none";
      for (let i = 0; i < 50 && code === "none"; i++) {
        code = await codeOf(commit(storage, put(`k${i}`, "v".repeat(9000))));
      }
      expect(code).toBe("STORAGE_FULL");
      limit = 1000;
      expect(await commit(storage, put("after", "1"))).toMatchObject({ committed: true });
      expect(text((await storage.get(bytes("kept")))!.value)).toBe("1");
      await storage.close();
    });

    it("waits for another connection's commit, and is locked out after its time", async () => {
      const path = freshPath();
      const storage = open(path, { lockTimeoutMs: 100 });
      await commit(storage, put("a", "1"));
      const other = await raw(path);
      other.exec("BEGIN IMMEDIATE");
      expect(await codeOf(commit(storage, put("a", "2")))).toBe("STORAGE_LOCKED");
      expect(text((await storage.get(bytes("a")))!.value)).toBe("1");
      const patient = open(path);
      const waiting = commit(patient, put("a", "3"));
      setTimeout(() => other.exec("ROLLBACK"), 200);
      expect(await waiting).toMatchObject({ committed: true });
      other.close();
      await patient.close();
      await storage.close();
    });

    it("knows no outcome when the log's last write fails, and reads the log anew", async () => {
      for (const error of [{ code: "ERR_SQLITE_ERROR", errcode: 1034 }, { code: "SQLITE_IOERR_FSYNC" }]) {
        const path = freshPath();
        const storage = open(path, { driver: failingAt("COMMIT", error, 1) });
        // The first COMMIT is the one that makes the store: that one fails as it is.
        expect(await codeOf(storage.get(bytes("a")))).toBe("STORAGE_IO");
        await commit(storage, put("a", "1"));
        await storage.close();
        const again = open(path, { driver: failingAt("COMMIT", error, 1) });
        expect(await codeOf(commit(again, put("a", "2")))).toBe("STORAGE_OUTCOME_UNKNOWN");
        expect(text((await again.get(bytes("a")))!.value)).toBe("1");
        expect(await commit(again, put("a", "3"))).toMatchObject({ committed: true });
        await again.close();
      }
    });

    it("closes its snapshots with itself", async () => {
      const storage = open(freshPath());
      await commit(storage, put("a", "1"));
      const snapshot = await storage.snapshot!();
      await storage.close();
      expect(await codeOf(snapshot.get(bytes("a")))).toBe("STORAGE_CLOSED");
    });

    it("gives back plain Uint8Arrays, no Buffers", async () => {
      const storage = open(freshPath());
      await commit(storage, put("a", ""), put("b", "x".repeat(65_536)));
      const entries = await storage.getMany([bytes("a"), bytes("b")]);
      for await (const entry of storage.list(EVERYTHING)) entries.push(entry);
      for (const entry of entries) {
        expect(Object.getPrototypeOf(entry!.key)).toBe(Uint8Array.prototype);
        expect(Object.getPrototypeOf(entry!.value)).toBe(Uint8Array.prototype);
      }
      await storage.close();
    });

    it("gives every known error of the engine its code, and the others STORAGE_IO", () => {
      const code = (error: object): string =>
        sqliteError(Object.assign(new Error("x"), error), "cannot", "/p", FILE_ERRORS).code;
      expect([code({ errcode: 13 }), code({ code: "SQLITE_FULL" }), code({ code: "ENOSPC" })]).toEqual(
        Array(3).fill("STORAGE_FULL"),
      );
      expect([code({ errcode: 8 | (1 << 8) }), code({ code: "SQLITE_READONLY_DIRECTORY" })]).toEqual(
        Array(2).fill("STORAGE_READ_ONLY"),
      );
      expect([code({ errcode: 267 }), code({ code: "SQLITE_CORRUPT_VTAB" })]).toEqual(
        Array(2).fill("STORE_DAMAGED"),
      );
      expect([code({ errcode: 5 }), code({ code: "SQLITE_BUSY" })]).toEqual(Array(2).fill("STORAGE_LOCKED"));
      expect([code({ errcode: 1 }), code({ code: "SQLITE_ERROR" }), code({})]).toEqual(
        Array(3).fill("STORAGE_IO"),
      );
    });
  });
}
