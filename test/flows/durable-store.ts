/** What a manager does on any durable store; each adapter's flow test hands its own in. */
import { describe, expect, it } from "vitest";

import { KeyManager, rawKey, type StorageAdapter } from "../../sdk/index.js";
import { AEAD, auditOperations, codeOf, collect, KEK, text } from "./support.js";

export interface DurableStore {
  /** Opens the store at hand, by the adapter under test. */
  open(options: { create?: boolean }): StorageAdapter;
}

/**
 * @param fresh - called before each test: a place where nothing is yet.
 * @param many - keys of the bulk jobs.
 */
export function durableStoreFlows(
  name: string,
  fresh: () => DurableStore | Promise<DurableStore>,
  many = 3000,
): void {
  const openOn =
    (store: DurableStore) =>
    (options: { create?: boolean; freshness?: number; byte?: number } = {}): Promise<KeyManager> => {
      const { byte = 7, create, ...rest } = options;
      const storage = store.open(create === undefined ? {} : { create });
      return KeyManager.open({
        storage,
        unlock: rawKey(new Uint8Array(32).fill(byte)),
        ...(create === undefined ? {} : { create }),
        ...rest,
      });
    };

  describe(`a manager on ${name}`, () => {
    it("keeps keys, names, versions, messages and the audit over a restart", async () => {
      const open = openOn(await fresh());
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
      await keys.deactivate("k", { version: 1 });
      await keys.destroy("k", { version: 1 });
      await keys.close();

      keys = await open({ create: false });
      expect(await codeOf(keys.decrypt(sealed))).toBe("KEY_DESTROYED");
      expect(await codeOf(keys.create({ name: "k", algorithm: AEAD }))).toBe("KEY_NAME_TAKEN");
      expect((await auditOperations(keys)).sort()).toEqual(
        ["init", "create", "create", "rotate", "rotate", "rewrap", "deactivate", "destroy"].sort(),
      );
      await keys.close();
    });

    it("is not made where it must exist, and opens with its own secret only", async () => {
      const open = openOn(await fresh());
      expect(await codeOf(open({ create: false }))).toBe("STORE_NOT_FOUND");
      await (await open()).close();
      expect(await codeOf(open({ byte: 8 }))).toBe("UNLOCK_FAILED");
    });

    it("creates and re-wraps many keys, and resumes a job that was cut off by closing", async () => {
      const open = openOn(await fresh());
      let keys = await open();
      await keys.create({ name: "kek", ...KEK });
      const options = { algorithm: AEAD, under: "kek" };
      const job = keys.createMany(many, options);
      for await (const { done } of job) if (done >= 1) break;
      await keys.close();
      expect(await codeOf(job)).toBe("JOB_CANCELLED");

      keys = await open();
      expect(await keys.createMany(many, { ...options, job: job.id })).toMatchObject({ created: many });
      await keys.rotate("kek");
      expect(await keys.rewrap("kek")).toMatchObject({ rewrapped: many });
      await keys.deactivate("kek", { version: 1 });
      expect((await keys.destroy("kek", { version: 1 })).shredded).toBe(0);
      await keys.close();
    });

    it("serves two managers at once, which obey each other's restrictions", async () => {
      const open = openOn(await fresh());
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
  });
}
