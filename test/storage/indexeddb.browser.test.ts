import { deleteDB, openDB } from "idb";
import { afterAll, describe, expect, it } from "vitest";

import type { Mutation, StorageAdapter } from "../../sdk/storage/adapter.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import { bytes, commitId, EVERYTHING, listed, put, text } from "../../sdk/storage/conformance-kit.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { indexeddbStorage } from "../../sdk/storage/indexeddb.js";
import { indexeddbError } from "../../sdk/storage/indexeddb-open.js";

const names: string[] = [];

function freshName(): string {
  const name = `keyloom-test-${crypto.randomUUID()}`;
  names.push(name);
  return name;
}

afterAll(async () => {
  for (const name of names) await deleteDB(name);
});

storageConformance({
  test: it,
  expect,
  name: "indexeddb",
  factory: async () => {
    const name = freshName();
    return {
      storage: indexeddbStorage({ name }),
      reopen: async () => indexeddbStorage({ name, create: false }),
      second: async () => indexeddbStorage({ name }),
      dispose: () => deleteDB(name),
    };
  },
  lacks: ["snapshot"],
});

storageConformance({
  test: it,
  name: "indexeddb, relaxed, behind a quiet fault layer",
  factory: async () => {
    const name = freshName();
    const storage = faultyStorage(indexeddbStorage({ name, durability: "relaxed" }), []);
    return { storage, dispose: () => deleteDB(name) };
  },
  lacks: ["reopen", "second", "snapshot"],
});

const commit = (storage: StorageAdapter, ...mutations: Mutation[]) =>
  storage.commit({ id: commitId(), checks: [], mutations });

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "none",
    (error: { code?: string }) => String(error.code),
  );

describe("an IndexedDB store", () => {
  it("says whether its commits are durable", async () => {
    expect(indexeddbStorage().capabilities.durable).toBe(true);
    expect(indexeddbStorage({ durability: "relaxed" }).capabilities.durable).toBe(false);
    expect(() => indexeddbStorage({ durability: "lax" as never })).toThrow(TypeError);
  });

  it("opens its transactions with the durability asked for", async () => {
    const seen: (string | undefined)[] = [];
    const original = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      if (mode === "readwrite") seen.push(options?.durability);
      return original.call(this, stores, mode, options);
    };
    try {
      for (const durability of [undefined, "relaxed"] as const) {
        const storage = indexeddbStorage({ name: freshName(), durability });
        await commit(storage, put("a", "1"));
        await storage.close();
      }
    } finally {
      IDBDatabase.prototype.transaction = original;
    }
    expect(seen).toEqual(["strict", "relaxed"]);
  });

  it("loses no increment of three connections at once", async () => {
    const name = freshName();
    const tabs = [indexeddbStorage({ name }), indexeddbStorage({ name }), indexeddbStorage({ name })];
    await commit(tabs[0]!, put("n", "0"));
    await Promise.all(
      tabs.map(async (storage) => {
        for (let done = 0; done < 20;) {
          const entry = (await storage.get(bytes("n")))!;
          const outcome = await storage.commit({
            id: commitId(),
            checks: [{ key: entry.key, version: entry.version }],
            mutations: [put("n", String(Number(text(entry.value)) + 1))],
          });
          if (outcome.committed) done++;
        }
      }),
    );
    expect(text((await tabs[0]!.get(bytes("n")))!.value)).toBe("60");
    for (const storage of tabs) await storage.close();
  });

  it("makes nothing where create is false and there is none", async () => {
    const name = freshName();
    const storage = indexeddbStorage({ name, create: false });
    expect(await codeOf(storage.get(bytes("a")))).toBe("STORE_NOT_FOUND");
    expect((await indexedDB.databases()).map((database) => database.name)).not.toContain(name);
    const other = indexeddbStorage({ name });
    await commit(other, put("a", "1"));
    expect(await listed(storage, EVERYTHING)).toEqual(["a=1"]);
    await other.close();
    await storage.close();
  });

  it("refuses a database of another program, and one of a newer format", async () => {
    const foreign = freshName();
    (await openDB(foreign, 1, { upgrade: (db) => void db.createObjectStore("theirs") })).close();
    expect(await codeOf(indexeddbStorage({ name: foreign }).get(bytes("a")))).toBe("STORE_UNREADABLE");

    const newer = freshName();
    const storage = indexeddbStorage({ name: newer });
    await commit(storage, put("a", "1"));
    await storage.close();
    const raw = await openDB(newer, 1);
    await raw.put("keyloom.about", 2, "format");
    raw.close();
    expect(await codeOf(indexeddbStorage({ name: newer }).get(bytes("a")))).toBe("STORE_NEWER_FORMAT");
    (await openDB(newer, 2)).close();
    expect(await codeOf(indexeddbStorage({ name: newer }).get(bytes("a")))).toBe("STORE_NEWER_FORMAT");
  });

  it("lets another tab remove the database, and puts no empty one in its place", async () => {
    const name = freshName();
    const storage = indexeddbStorage({ name });
    await commit(storage, put("a", "1"));
    await deleteDB(name); // would wait for ever for a tab that holds on
    expect(await codeOf(storage.get(bytes("a")))).toBe("STORE_NOT_FOUND");
    expect(await codeOf(commit(storage, put("a", "2")))).toBe("STORE_NOT_FOUND");
    const other = indexeddbStorage({ name });
    expect(await other.get(bytes("a"))).toBeNull();
    expect(await codeOf(storage.get(bytes("a")))).toBe("STORE_NOT_FOUND");
    await storage.close();
    await other.close();
  });

  it("gives no version again after the database was removed and made anew", async () => {
    const name = freshName();
    const versions = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const storage = indexeddbStorage({ name });
      await commit(storage, put("a", "1"));
      versions.add((await storage.get(bytes("a")))!.version);
      await storage.close();
      await deleteDB(name);
    }
    expect(versions.size).toBe(5);
  });

  it("refuses a commit that the engine aborts for its quota, keeps what it has, and goes on", async () => {
    const storage = indexeddbStorage({ name: freshName() });
    await commit(storage, put("kept", "1"));
    const { prototype } = IDBTransaction;
    const { commit: original } = prototype;
    // As Chromium does it: the transaction ends in an abort at its commit, with this error.
    prototype.commit = function () {
      const error = new DOMException("the quota has been exceeded", "QuotaExceededError");
      Object.defineProperty(this, "error", { value: error });
      this.abort();
    };
    try {
      expect(await codeOf(commit(storage, put("kept", "2"), put("new", "1")))).toBe("STORAGE_FULL");
    } finally {
      prototype.commit = original;
    }
    expect(await listed(storage, EVERYTHING)).toEqual(["kept=1"]);
    expect(await commit(storage, put("kept", "3"))).toMatchObject({ committed: true });
    await storage.close();
  });

  it("names the package to install where the driver is missing", async () => {
    const driver = () => Promise.reject(new TypeError("Failed to resolve module specifier")) as never;
    const error = await indexeddbStorage({ name: freshName(), driver })
      .get(bytes("a"))
      .then(
        () => null,
        (thrown: Error & { code: string }) => thrown,
      );
    expect(error?.code).toBe("STORAGE_DRIVER_MISSING");
    expect(error?.message).toContain("npm i idb");
  });

  it("gives every known error of the engine its code, and the others STORAGE_IO", () => {
    const code = (name: string) => indexeddbError(new DOMException("x", name), "cannot", "db").code;
    expect(code("QuotaExceededError")).toBe("STORAGE_FULL");
    expect(code("NotReadableError")).toBe("STORE_DAMAGED");
    expect([code("ReadOnlyError"), code("SecurityError")]).toEqual(Array(2).fill("STORAGE_READ_ONLY"));
    expect([code("UnknownError"), code("AbortError"), code("")]).toEqual(Array(3).fill("STORAGE_IO"));
  });
});
