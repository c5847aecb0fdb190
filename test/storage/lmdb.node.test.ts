import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { open } from "lmdb";
import { afterAll, describe, expect, it } from "vitest";

import type { Mutation, StorageAdapter } from "../../sdk/storage/adapter.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import { bytes, commitId, EVERYTHING, listed, put, text } from "../../sdk/storage/conformance-kit.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { lmdbError } from "../../sdk/storage/lmdb-errors.js";
import { storageFromUrl } from "../../sdk/storage/url.js";
import { output, severalProcesses } from "./processes.js";

const base = mkdtempSync(join(tmpdir(), "keyloom-lmdb-"));
let folders = 0;

afterAll(() => rmSync(base, { recursive: true, force: true }));

const freshPath = (): string => join(base, `store-${++folders}`);

storageConformance({
  test: it,
  expect,
  name: "lmdb",
  factory: async () => {
    const path = freshPath();
    return {
      storage: lmdbStorage({ path }),
      reopen: async () => lmdbStorage({ path, create: false }),
      second: async () => lmdbStorage({ path }),
      dispose: async () => rmSync(path, { recursive: true, force: true }),
    };
  },
});

storageConformance({
  test: it,
  name: "lmdb behind a quiet fault layer",
  factory: async () => {
    const path = freshPath();
    return {
      storage: faultyStorage(lmdbStorage({ path }), []),
      dispose: async () => rmSync(path, { recursive: true, force: true }),
    };
  },
  lacks: ["reopen", "second"],
});

const commit = (storage: StorageAdapter, ...mutations: Mutation[]) =>
  storage.commit({ id: commitId(), checks: [], mutations });

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "none",
    (error: { code?: string }) => String(error.code),
  );

severalProcesses("one LMDB store", () => `lmdb:${freshPath()}`);

describe("an LMDB store on a full disk", () => {
  it("refuses the commit, keeps what it has, and goes on once there is room", async () => {
    const path = freshPath();
    const lines = await output(["fill", `lmdb:${path}`], 2048);
    const full = lines.indexOf("STORAGE_FULL");
    expect(full).toBeGreaterThan(5);
    expect(lines.slice(full + 1)).toEqual([lines[full - 1], "wrote again"]);
    const storage = lmdbStorage({ path });
    expect(text((await storage.get(bytes("last")))!.value)).toBe(lines[full - 1]);
    await storage.close();
  });

  it("can't be made there, and says so", async () => {
    expect(await output(["open", `lmdb:${freshPath()}`], 16)).toEqual(["STORAGE_FULL"]);
  });
});

describe("what is no Keyloom store", () => {
  async function refused(path: string): Promise<string> {
    const file = join(path, "data.mdb");
    const before = existsSync(file) ? readFileSync(file) : null;
    const storage = lmdbStorage({ path });
    const code = await codeOf(storage.get(bytes("a")));
    expect(await codeOf(commit(storage, put("a", "1")))).toBe(code);
    await storage.close();
    if (before !== null) expect(readFileSync(file).equals(before)).toBe(true);
    return code;
  }

  async function filled(): Promise<string> {
    const path = freshPath();
    const storage = lmdbStorage({ path });
    for (let i = 0; i < 40; i++) {
      await commit(storage, ...Array.from({ length: 50 }, (_, j) => put(`k${i}/${j}`, "v".repeat(j * 40))));
    }
    await storage.close();
    return path;
  }

  it("is refused where a file stands at the path", async () => {
    const path = freshPath();
    writeFileSync(path, "not a folder");
    expect(await refused(path)).toBe("STORE_UNREADABLE");
  });

  it("is refused where the data file is text, noise, empty or a folder", async () => {
    const noise = Uint8Array.from({ length: 50_000 }, (_, i) => (i * i * 31) >>> 3);
    for (const content of ["", "hello", noise]) {
      const path = freshPath();
      mkdirSync(path);
      writeFileSync(join(path, "data.mdb"), content);
      expect(await refused(path)).toBe("STORE_UNREADABLE");
    }
    const path = freshPath();
    mkdirSync(join(path, "data.mdb"), { recursive: true });
    expect(await codeOf(lmdbStorage({ path }).get(bytes("a")))).toBe("STORE_UNREADABLE");
  });

  it("is refused where another program's database lies", async () => {
    const path = freshPath();
    const foreign = open({ path, noSubdir: false, overlappingSync: false });
    await foreign.put("theirs", 1);
    await foreign.close();
    expect(await refused(path)).toBe("STORE_UNREADABLE");
    const again = open({ path, noSubdir: false, overlappingSync: false });
    expect(again.get("theirs")).toBe(1);
    await again.close();
  });

  it("is refused where the format is newer", async () => {
    const path = freshPath();
    const storage = lmdbStorage({ path });
    await commit(storage, put("a", "1"));
    await storage.close();
    const root = open({
      path,
      noSubdir: false,
      overlappingSync: false,
      keyEncoding: "binary",
      encoding: "binary",
    });
    const about = root.openDB("keyloom.about", { keyEncoding: "binary", encoding: "binary" });
    about.putSync(Buffer.from("format"), Buffer.from("keyloom-lmdb 2"));
    await root.close();
    expect(await codeOf(lmdbStorage({ path }).get(bytes("a")))).toBe("STORE_NEWER_FORMAT");
  });

  it("is refused where the file was cut short anywhere", async () => {
    const path = await filled();
    const whole = readFileSync(join(path, "data.mdb"));
    for (const length of [1, 100, 4096]) {
      writeFileSync(join(path, "data.mdb"), whole.subarray(0, length));
      expect([length, await refused(path)]).toEqual([length, "STORE_UNREADABLE"]);
    }
    for (const share of [0.01, 0.2, 0.5, 0.8, 0.95]) {
      writeFileSync(join(path, "data.mdb"), whole.subarray(0, Math.floor(whole.length * share)));
      expect([share, await refused(path)]).toEqual([share, "STORE_DAMAGED"]);
    }
    writeFileSync(join(path, "data.mdb"), whole);
    expect((await listed(lmdbStorage({ path }), EVERYTHING)).length).toBe(2000);
  });

  it("takes a file that is shorter than its page count where only free pages are missing", async () => {
    const path = await filled();
    const file = join(path, "data.mdb");
    // Raise the page count in both headers: the pages beyond the end are nobody's.
    const content = readFileSync(file);
    for (const header of [0, 4096]) {
      const lastPage = content.readBigUInt64LE(header + 24 + 24 + 96);
      content.writeBigUInt64LE(lastPage + 3n, header + 24 + 24 + 96);
    }
    writeFileSync(file, content);
    const storage = lmdbStorage({ path });
    expect((await listed(storage, EVERYTHING)).length).toBe(2000);
    await commit(storage, put("more", "v"));
    await storage.close();
    appendFileSync(file, new Uint8Array(10));
    expect((await listed(lmdbStorage({ path }), EVERYTHING)).length).toBe(2001);
  });
});

describe("opening an LMDB store", () => {
  it("makes nothing where create is false and there is none", async () => {
    const path = join(freshPath(), "deeper");
    expect(await codeOf(lmdbStorage({ path, create: false }).get(bytes("a")))).toBe("STORE_NOT_FOUND");
    expect(existsSync(path)).toBe(false);
    mkdirSync(path, { recursive: true });
    expect(await codeOf(lmdbStorage({ path, create: false }).get(bytes("a")))).toBe("STORE_NOT_FOUND");
    expect(existsSync(join(path, "data.mdb"))).toBe(false);
  });

  it("makes folders that are missing, for the owner alone", async () => {
    const path = join(freshPath(), "a", "b.store");
    const storage = await storageFromUrl(`lmdb:${path}`);
    await commit(storage, put("a", "1"));
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(statSync(join(path, "data.mdb")).mode & 0o077).toBe(0);
    await storage.close();
  });

  it("touches nothing before the first call, nor when it is closed before one", async () => {
    const path = freshPath();
    const storage = lmdbStorage({ path });
    await storage.close();
    expect(existsSync(path)).toBe(false);
    expect(await codeOf(storage.get(bytes("a")))).toBe("STORAGE_CLOSED");
  });

  it("may fail, and be tried again", async () => {
    const path = freshPath();
    writeFileSync(path, "in the way");
    const storage = lmdbStorage({ path });
    expect(await codeOf(storage.get(bytes("a")))).toBe("STORE_UNREADABLE");
    rmSync(path);
    expect(await storage.get(bytes("a"))).toBeNull();
    await storage.close();
  });

  it("opens once for many calls at the same time, and closes while it opens", async () => {
    const path = freshPath();
    const storage = lmdbStorage({ path });
    const answers = await Promise.all(["a", "b", "c"].map((key) => storage.get(bytes(key))));
    expect(answers).toEqual([null, null, null]);
    await storage.close();
    const other = lmdbStorage({ path });
    const reading = codeOf(other.get(bytes("a")));
    await other.close();
    expect(["none", "STORAGE_CLOSED"]).toContain(await reading);
  });

  it("names the package to install where the driver is missing", async () => {
    const path = freshPath();
    const driver = () => import("lmdb-that-is-not-there" as string) as never;
    const error = await lmdbStorage({ path, driver })
      .get(bytes("a"))
      .then(
        () => null,
        (thrown: Error & { code: string }) => thrown,
      );
    expect(error?.code).toBe("STORAGE_DRIVER_MISSING");
    expect(error?.message).toContain("npm i lmdb");
    expect(existsSync(path)).toBe(false);
  });

  it("gives every known error of engine and file system its code, and the others STORAGE_IO", () => {
    const code = (engineCode: unknown) => {
      return lmdbError(Object.assign(new Error("x"), { code: engineCode }), "cannot", "/p").code;
    };
    expect([-30792, 28, "ENOSPC", "EDQUOT", 27].map(code)).toEqual(Array(5).fill("STORAGE_FULL"));
    expect([13, "EACCES", 30, "EROFS"].map(code)).toEqual(Array(4).fill("STORAGE_READ_ONLY"));
    expect([-30797, -30796].map(code)).toEqual(Array(2).fill("STORE_DAMAGED"));
    expect([-30793, -30794].map(code)).toEqual(Array(2).fill("STORE_UNREADABLE"));
    expect(["EBUSY", -30790].map(code)).toEqual(Array(2).fill("STORAGE_LOCKED"));
    expect([5, "EIO", undefined, -30795].map(code)).toEqual(Array(4).fill("STORAGE_IO"));
  });

  it("gives back plain Uint8Arrays, no Buffers", async () => {
    const storage = lmdbStorage({ path: freshPath() });
    await commit(storage, put("a", "1"), put("b", "x".repeat(65_536)));
    const entries = await storage.getMany([bytes("a"), bytes("b")]);
    for await (const entry of storage.list(EVERYTHING)) entries.push(entry);
    for (const entry of entries) {
      expect(Object.getPrototypeOf(entry!.key)).toBe(Uint8Array.prototype);
      expect(Object.getPrototypeOf(entry!.value)).toBe(Uint8Array.prototype);
    }
    await storage.close();
  });
});
