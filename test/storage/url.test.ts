import { describe, expect, it } from "vitest";

import { storageFromUrl } from "../../sdk/storage/url.js";

describe("storage URLs", () => {
  it("opens a store in memory", async () => {
    const storage = await storageFromUrl("memory:");
    expect(storage.capabilities.durable).toBe(false);
    expect(await storage.get(Uint8Array.from([1]))).toBeNull();
  });

  it("refuses unknown schemes and forms, with the known ones in the message", async () => {
    for (const url of [
      "",
      "keys",
      "./keys",
      "constructor:",
      "MEMORY:",
      "memory:x",
      "lmdb:",
      "sqlite:",
      "indexeddb:",
      "postgres:",
      "etcd:",
      "etcd:///p",
      "postgresql://u:hunter2@h/d",
    ]) {
      const error = await storageFromUrl(url).then(
        () => null,
        (thrown: Error & { code: string }) => thrown,
      );
      expect(error).toMatchObject({ code: "STORAGE_URL_INVALID" });
      expect(error?.message).toMatch(/memory:.*lmdb:PATH/);
      expect(error?.message).not.toMatch(/hunter2/);
    }
  });
});
