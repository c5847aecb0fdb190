import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";

import type { Check, Mutation, StorageAdapter } from "../../sdk/storage/adapter.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import {
  absent,
  bytes,
  commitId,
  del,
  EVERYTHING,
  listed,
  put,
  text,
} from "../../sdk/storage/conformance-kit.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { postgresStorage, type PostgresStorageOptions } from "../../sdk/storage/postgres.js";
import { readUrl } from "../../sdk/storage/postgres-open.js";
import { postgresError } from "../../sdk/storage/postgres-wire.js";
import { cannotRun } from "../newer-node.js";
import { type Cut, cuttingProxy } from "./cutting-proxy.js";
import { type PostgresServer, startPostgres } from "./postgres-server.js";
import { severalProcesses } from "./processes.js";

const server = await startPostgres().catch((error: Error) => {
  cannotRun("PostgreSQL", error.message);
  return null;
});
if (server !== null) suite(server);

function suite(server: PostgresServer): void {
  let tables = 0;
  const freshTable = (): string => `t${++tables}`;
  const open = (table: string, options: Partial<PostgresStorageOptions> = {}): StorageAdapter =>
    postgresStorage({ url: server.url(table), ...options });

  afterAll(() => server.stop());

  storageConformance({
    test: it,
    expect,
    name: "postgres",
    factory: async () => {
      const table = freshTable();
      return {
        storage: open(table),
        reopen: async () => open(table, { create: false }),
        second: async () => open(table),
      };
    },
  });

  storageConformance({
    test: it,
    name: "postgres behind a quiet fault layer",
    factory: async () => ({ storage: faultyStorage(open(freshTable()), []) }),
    lacks: ["reopen", "second"],
  });

  severalProcesses("one PostgreSQL store", () => server.url(freshTable()), [1, 20]);

  const commit = (storage: StorageAdapter, ...mutations: Mutation[]) =>
    storage.commit({ id: commitId(), checks: [], mutations });

  const codeOf = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "none",
      (error: { code?: string }) => String(error.code),
    );

  const valueOf = async (storage: StorageAdapter, key: string): Promise<string | null> => {
    const entry = await storage.get(bytes(key));
    return entry === null ? null : text(entry.value);
  };

  describe("a connection that is lost", () => {
    /** Works through a proxy that cuts at a statement, so many times. */
    async function through(
      statement: string,
      cut: Cut,
      times: number,
      work: (storage: StorageAdapter, direct: StorageAdapter, cuts: () => number) => Promise<void>,
    ): Promise<void> {
      const table = freshTable();
      const direct = open(table);
      await commit(direct, put("k", "0"));
      let left = times;
      const proxy = await cuttingProxy(server.port, (sent) =>
        sent.includes(statement) && left-- > 0 ? cut : null,
      );
      const storage = open(table, { url: server.url(table, proxy.port) });
      try {
        await work(storage, direct, () => proxy.cuts);
      } finally {
        await storage.close();
        await direct.close();
        await proxy.close();
      }
    }

    it.each([
      ["before", "0"],
      ["after", "1"],
    ] as const)(
      "%s COMMIT arrives leaves the outcome unknown, and the next call works",
      async (cut, stored) => {
        await through("COMMIT\0", cut, 1, async (storage, direct, cuts) => {
          expect(await codeOf(commit(storage, put("k", "1"), put("new", "1")))).toBe(
            "STORAGE_OUTCOME_UNKNOWN",
          );
          expect(cuts()).toBe(1);
          expect(await valueOf(direct, "k")).toBe(stored);
          expect(await valueOf(direct, "new")).toBe(stored === "1" ? "1" : null);
          expect(await commit(storage, put("k", "2"))).toMatchObject({ committed: true });
        });
      },
    );

    it.each(["BEGIN", "SELECT", "INSERT", "UPDATE"])(
      "at %s is made again, and nothing is lost",
      async (statement) => {
        for (const cut of ["before", "after"] as const) {
          await through(statement, cut, 2, async (storage, direct, cuts) => {
            expect(await commit(storage, put("k", "1"), put("new", "1"))).toMatchObject({ committed: true });
            expect(cuts()).toBe(2);
            expect(await valueOf(direct, "k")).toBe("1");
          });
        }
      },
    );

    it("again and again is an error in bounded time, and works once it holds", async () => {
      await through("SELECT", "before", 16, async (storage) => {
        expect(await codeOf(storage.get(bytes("k")))).toBe("STORAGE_IO");
        expect(await codeOf(storage.get(bytes("k")))).toBe("STORAGE_IO");
        expect(await valueOf(storage, "k")).toBe("0");
      });
    });

    it("ends a snapshot with an error, and nothing else", async () => {
      await through("keyloom-never", "before", 0, async (storage, direct) => {
        const snapshot = await storage.snapshot!();
        await server.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in%'",
        );
        expect(await codeOf(snapshot.get(bytes("k")))).toBe("STORAGE_IO");
        await snapshot.close();
        expect(await valueOf(storage, "k")).toBe("0");
        expect(await valueOf(direct, "k")).toBe("0");
      });
    });
  });

  describe("many commits at once on PostgreSQL", () => {
    const deadlocks = (): number => server.logged("deadlock detected");

    it("over the same keys, present and absent, checked and not, never deadlock and lose nothing", async () => {
      const table = freshTable();
      const storages = [open(table), open(table)];
      const names = ["a", "b", "c", "d", "e", "f"];
      const sum = (entries: string[]): number =>
        entries.reduce((total, shown) => total + Number(shown.split("=")[1]), 0);
      await commit(storages[0]!, ...names.slice(0, 3).map((name) => put(name, "0")));
      let added = 0;
      let seed = 1;
      const random = (below: number): number => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return (seed >>> 8) % below;
      };
      const worker = async (index: number): Promise<void> => {
        const storage = storages[index % 2]!;
        for (let i = 0; i < 60; i++) {
          const checks: Check[] = [];
          const mutations: Mutation[] = [];
          let change = 0;
          // One is left out, the others are checked, and some of them changed, in whatever order.
          const order = names.slice(random(3)).sort(() => random(3) - 1);
          const entries = await storage.getMany(order.map(bytes));
          for (const [j, name] of order.entries()) {
            const entry = entries[j] ?? null;
            checks.push({ key: bytes(name), version: entry?.version ?? null });
            const value = entry === null ? 0 : Number(text(entry.value));
            const action = random(4);
            if (action === 0) {
              mutations.push(put(name, String(value + 1)));
              change++;
            } else if (action === 1) {
              mutations.push(del(name));
              change -= value;
            }
          }
          if ((await storage.commit({ id: commitId(), checks, mutations })).committed) added += change;
        }
      };
      const before = deadlocks();
      await Promise.all([0, 1, 2, 3, 4, 5].map(worker));
      expect(sum(await listed(storages[0]!, EVERYTHING))).toBe(added);
      expect(deadlocks()).toBe(before);
      for (const storage of storages) await storage.close();
    });

    it("without checks, over keys that come and go, all go through", async () => {
      const table = freshTable();
      const storage = open(table);
      const names = ["a", "b", "c", "d"];
      const work = async (index: number): Promise<void> => {
        for (let i = 0; i < 40; i++) {
          const mutations = names.map((name, j) =>
            (i + j + index) % 2 === 0 ? put(name, `${index}`) : del(name),
          );
          await commit(storage, ...(index % 2 === 0 ? mutations : mutations.reverse()));
        }
      };
      const before = deadlocks();
      await Promise.all([0, 1, 2, 3].map(work));
      // Whole commits: an even or an odd half, and of one writer.
      const left = await listed(storage, EVERYTHING);
      expect([
        ["a", "c"],
        ["b", "d"],
      ]).toContainEqual(left.map((shown) => shown.slice(0, 1)));
      expect(new Set(left.map((shown) => shown.slice(2))).size).toBe(1);
      expect(deadlocks()).toBe(before);
      await storage.close();
    });

    it("that only check a key as they go don't wait for each other", async () => {
      const storage = open(freshTable(), { lockTimeoutMs: 300 });
      const first = await commit(storage, put("gate", "open"));
      const [version] = first.committed ? first.versions : [];
      const check = { key: bytes("gate"), version: version as string };
      const many = (prefix: string) => Array.from({ length: 2000 }, (_, i) => put(`${prefix}${i}`, "v"));
      const outcomes = await Promise.all(
        ["p", "q", "r"].map((prefix) =>
          storage.commit({ id: commitId(), checks: [check], mutations: many(prefix) }),
        ),
      );
      expect(outcomes.map(({ committed }) => committed)).toEqual([true, true, true]);
      await storage.close();
    });
  });

  describe("a PostgreSQL store", () => {
    it("is made once by many who come at the same time, and not where it must exist", async () => {
      const table = freshTable();
      expect(await codeOf(open(table, { create: false }).get(bytes("a")))).toBe("STORE_NOT_FOUND");
      const storages = Array.from({ length: 6 }, () => open(table));
      expect(await Promise.all(storages.map((storage) => storage.get(bytes("a"))))).toEqual(
        Array(6).fill(null),
      );
      await commit(storages[0]!, put("a", "1"));
      for (const storage of storages) {
        expect(await valueOf(storage, "a")).toBe("1");
        await storage.close();
      }
    });

    it("keeps to its own table, in a schema if asked", async () => {
      await server.query("CREATE SCHEMA IF NOT EXISTS apart");
      const storages = ["one", "two", "apart.one"].map((table) => open(table));
      for (const [i, storage] of storages.entries()) await commit(storage, put("a", String(i)));
      for (const [i, storage] of storages.entries()) {
        expect(await listed(storage, EVERYTHING)).toEqual([`a=${i}`]);
        await storage.close();
      }
      for (const table of ["T", "a b", 'x"', "a.b.c", "", "x;--"]) {
        expect(() => open(table, { table })).toThrow(TypeError);
      }
    });

    it("refuses a table of another program, and a newer format", async () => {
      const foreign = freshTable();
      await server.query(`CREATE TABLE ${foreign} (id int)`);
      const storage = open(foreign);
      expect(await codeOf(storage.get(bytes("a")))).toBe("STORE_UNREADABLE");
      await storage.close();
      const table = freshTable();
      const first = open(table);
      await commit(first, put("a", "1"));
      await first.close();
      await server.query(`UPDATE ${table}_about SET value = '2'`);
      expect(await codeOf(open(table).get(bytes("a")))).toBe("STORE_NEWER_FORMAT");
    });

    it("says when its server takes no writes, and reads on", async () => {
      const table = freshTable();
      const writable = open(table);
      await commit(writable, put("a", "1"));
      await writable.close();
      const storage = open(table, { connection: { options: "-c default_transaction_read_only=on" } });
      expect(await valueOf(storage, "a")).toBe("1");
      expect(await codeOf(commit(storage, put("a", "2")))).toBe("STORAGE_READ_ONLY");
      await storage.close();
    });

    it("is locked out after its time by whoever holds an entry, and goes on then", async () => {
      const table = freshTable();
      const storage = open(table, { lockTimeoutMs: 200 });
      await commit(storage, put("a", "1"));
      const holder = new pg.Client(readUrl(server.url(table)).url);
      await holder.connect();
      await holder.query("BEGIN");
      await holder.query(`SELECT * FROM ${table} FOR UPDATE`);
      expect(await codeOf(commit(storage, put("a", "2")))).toBe("STORAGE_LOCKED");
      await holder.query("ROLLBACK");
      await holder.end();
      expect(await commit(storage, put("a", "3"))).toMatchObject({ committed: true });
      await storage.close();
    });

    it("waits for the server's disk where the server is set not to", async () => {
      for (const [setting, lines] of [
        ["off", 1],
        ["on", 0],
      ] as const) {
        const seen: string[] = [];
        class Pool extends pg.Pool {
          constructor(config: pg.PoolConfig) {
            super(config);
            this.on("connect", (client) => {
              const query = client.query.bind(client) as (...args: unknown[]) => unknown;
              client.query = ((...args: unknown[]) => (
                seen.push(JSON.stringify(args[0])),
                query(...args)
              )) as never;
            });
          }
        }
        const storage = open(freshTable(), {
          connection: { options: `-c synchronous_commit=${setting}` },
          driver: async () => ({ Pool: Pool as typeof pg.Pool, Client: pg.Client }),
        });
        await commit(storage, put("a", "1"));
        expect(seen.filter((sql) => sql.includes("SET LOCAL synchronous_commit = on"))).toHaveLength(lines);
        await storage.close();
      }
    });

    it("guards an absent key that it only checks, and leaves nothing there", async () => {
      const table = freshTable();
      const storage = open(table);
      await storage.commit({
        id: commitId(),
        checks: [absent("x"), absent("y")],
        mutations: [put("z", "1"), del("y")],
      });
      expect(await listed(storage, EVERYTHING)).toEqual(["z=1"]);
      const { rows } = await server.query(`SELECT count(*)::int AS n FROM ${table}`);
      expect(rows).toEqual([{ n: 1 }]);
      await storage.close();
    });

    it.skipIf(server.certificate === null)("speaks TLS, with a server that proves who it is", async () => {
      const table = freshTable();
      const ca = server.certificate as string;
      const storage = open(table, { connection: { ssl: { ca } } });
      await commit(storage, put("a", "1"));
      const { rows } = await server.query(
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'keyloom' AND ssl",
      );
      expect(rows).not.toEqual([]);
      await storage.close();
      const distrustful = open(table, { connection: { ssl: true } });
      const refused = await distrustful.get(bytes("a")).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: "STORAGE_IO",
        details: { engineCode: "DEPTH_ZERO_SELF_SIGNED_CERT" },
      });
    });

    it("gives back plain Uint8Arrays, no Buffers", async () => {
      const storage = open(freshTable());
      await commit(storage, put("a", ""), put("b", "x".repeat(65_536)));
      const entries = await storage.getMany([bytes("a"), bytes("b")]);
      for await (const entry of storage.list(EVERYTHING)) entries.push(entry);
      for (const entry of entries) {
        expect(Object.getPrototypeOf(entry!.key)).toBe(Uint8Array.prototype);
        expect(Object.getPrototypeOf(entry!.value)).toBe(Uint8Array.prototype);
      }
      await storage.close();
    });

    it("names the package to install where the driver is missing, and never the password", async () => {
      const driver = () => import("pg-that-is-not-there" as string) as never;
      const missing = await open("t", { driver })
        .get(bytes("a"))
        .catch((error: Error & { code: string }) => error);
      expect(missing).toMatchObject({ code: "STORAGE_DRIVER_MISSING" });
      expect((missing as Error).message).toContain("npm i pg");
      const url = server.url("t").replace("postgres:password", "postgres:hunter2");
      const refused = await open("t", { url })
        .get(bytes("a"))
        .catch((error: Error & { code: string }) => error);
      expect(refused).toMatchObject({ code: "STORAGE_IO" });
      expect(JSON.stringify(refused) + (refused as Error).message).not.toContain("hunter2");
    });

    it("gives every known SQLSTATE its code, and the others STORAGE_IO", () => {
      const code = (state: string): string =>
        postgresError(Object.assign(new Error("x"), { code: state, severity: "ERROR" }), "cannot", "t").code;
      expect(code("53100")).toBe("STORAGE_FULL");
      expect([code("25006"), code("42501")]).toEqual(Array(2).fill("STORAGE_READ_ONLY"));
      expect([code("55P03"), code("40001"), code("40P01")]).toEqual(Array(3).fill("STORAGE_LOCKED"));
      expect([code("42P01"), code("3D000")]).toEqual(Array(2).fill("STORE_NOT_FOUND"));
      expect([code("XX001"), code("XX002")]).toEqual(Array(2).fill("STORE_DAMAGED"));
      expect([code("57014"), code("22000"), code("")]).toEqual(Array(3).fill("STORAGE_IO"));
    });

    it("takes its table from the URL and leaves the driver its own settings", () => {
      expect(readUrl("postgres://u@h/d?sslmode=require&table=x&application_name=y")).toEqual({
        url: "postgres://u@h/d?sslmode=require&application_name=y",
        table: "x",
      });
      expect(readUrl("postgres://u@h/d")).toEqual({ url: "postgres://u@h/d", table: null });
    });
  });

  // Last: every other connection goes with it.
  describe("a PostgreSQL server that is killed", () => {
    it("loses no acknowledged commit, leaves no half of one, and is worked on again as it is", async () => {
      const storage = open(freshTable());
      for (let round = 0; round < 2; round++) {
        let acknowledged = -1;
        let next = 0;
        let enough = (): void => {};
        const some = new Promise<void>((resolve) => (enough = resolve));
        const work = async (): Promise<string> => {
          for (let i = 0; ; i++, next = i) {
            const code = await codeOf(
              commit(
                storage,
                put(`${round}/last`, String(i)),
                ...[0, 1, 2, 3].map((j) => put(`${round}/${i}/${j}`)),
              ),
            );
            if (code !== "none") return code;
            acknowledged = i;
            if (i === 20) enough();
          }
        };
        const working = work();
        await some;
        await server.kill();
        expect(["STORAGE_OUTCOME_UNKNOWN", "STORAGE_IO"]).toContain(await working);
        await server.restart();
        const last = Number(await valueOf(storage, `${round}/last`));
        expect([acknowledged, next]).toContain(last);
        const range = { start: bytes(`${round}/0`), end: bytes(`${round}/:`) };
        expect(await storage.count(range)).toBe((last + 1) * 4);
        expect(await commit(storage, put("after", "1"))).toMatchObject({ committed: true });
      }
      await storage.close();
    });
  });
}
