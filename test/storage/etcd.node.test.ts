import { afterAll, describe, expect, it } from "vitest";

import type { Mutation, StorageAdapter } from "../../sdk/storage/adapter.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import { bytes, commitId, EVERYTHING, listed, put, text } from "../../sdk/storage/conformance-kit.js";
import { etcdStorage, type EtcdStorageOptions } from "../../sdk/storage/etcd.js";
import { faultyStorage } from "../../sdk/storage/faulty.js";
import { durableStoreFlows } from "../flows/durable-store.js";
import { cannotRun } from "../newer-node.js";
import { type EtcdCluster, startEtcd } from "./etcd-cluster.js";

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "none",
    (error: { code?: string }) => String(error.code),
  );

const cluster = await startEtcd();
if (cluster === null) cannotRun("etcd", "there is no `etcd` on this machine (Debian: etcd-server)", false);
else await suite(cluster);

it("etcd: names the package to install where the driver is missing", async () => {
  const driver = () => import("etcd-that-is-not-there" as string) as never;
  const error = await etcdStorage({ hosts: "127.0.0.1:1", driver })
    .get(bytes("a"))
    .catch((thrown: Error & { code: string }) => thrown);
  expect(error).toMatchObject({ code: "STORAGE_DRIVER_MISSING" });
  expect((error as Error).message).toContain("npm i etcd3");
});

async function suite({ hosts, kill, restart, stop }: EtcdCluster): Promise<void> {
  let stores = 0;
  const freshPrefix = (): string => `test${++stores}/`;
  const open = (prefix: string, options: Partial<EtcdStorageOptions> = {}): StorageAdapter =>
    etcdStorage({ hosts, prefix, ...options });
  const commit = (storage: StorageAdapter, ...mutations: Mutation[]) =>
    storage.commit({ id: commitId(), checks: [], mutations });

  /** Until it answers, for half a minute. */
  async function patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (attempt === 60) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  afterAll(stop);
  const first = open("first/");
  await patiently(() => first.get(bytes("a")));
  await first.close();

  storageConformance({
    test: it,
    expect,
    name: "etcd",
    factory: async () => {
      const prefix = freshPrefix();
      return {
        storage: open(prefix),
        reopen: async () => open(prefix, { create: false }),
        second: async () => open(prefix),
      };
    },
  });

  storageConformance({
    test: it,
    name: "etcd behind a quiet fault layer",
    factory: async () => ({ storage: faultyStorage(open(freshPrefix()), []) }),
    lacks: ["reopen", "second"],
  });

  durableStoreFlows(
    "etcd",
    () => {
      const prefix = freshPrefix();
      return { open: (options) => open(prefix, options) };
    },
    300,
  );

  describe("a cluster of three", () => {
    it("is one store per prefix, and not made where it must exist", async () => {
      const prefix = freshPrefix();
      expect(await codeOf(open(prefix, { create: false }).get(bytes("a")))).toBe("STORE_NOT_FOUND");
      const [one, two] = [open(`${prefix}a/`), open(`${prefix}b/`)];
      await commit(one, put("k", "1"));
      await commit(two, put("k", "2"));
      expect([await listed(one, EVERYTHING), await listed(two, EVERYTHING)]).toEqual([["k=1"], ["k=2"]]);
      await one.close();
      await two.close();
    });

    it("goes on without one member, refuses without two in bounded time, and loses nothing", async () => {
      const storage = open(freshPrefix(), { answerTimeoutMs: 2000 });
      await commit(storage, put("n", "0"));
      await kill(0);
      for (let i = 1; i <= 20; i++) await patiently(() => commit(storage, put("n", String(i))));
      await kill(1);
      const start = performance.now();
      expect(await codeOf(commit(storage, put("n", "lost")))).toBe("STORAGE_OUTCOME_UNKNOWN");
      expect(await codeOf(storage.get(bytes("n")))).toBe("STORAGE_IO");
      expect(performance.now() - start).toBeLessThan(15_000);
      restart(0);
      restart(1);
      const entry = await patiently(() => storage.get(bytes("n")));
      expect(["20", "lost"]).toContain(text(entry!.value));
      expect(await patiently(() => commit(storage, put("n", "21")))).toMatchObject({ committed: true });
      await storage.close();
    });
  });
}
