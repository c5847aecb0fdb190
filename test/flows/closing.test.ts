/** Closing a manager beside whatever else it is doing. */
import { describe, expect, it } from "vitest";
import type { KeyManager, StorageAdapter } from "../../sdk/index.js";
import { nextTurn } from "../../sdk/foundation/turn.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { auditOperations, AEAD, codeOf, collect, KEK, openMemory, text } from "./support.js";

/** A store that answers a turn of the event loop late, and notes when it is closed. */
function slow(space: MemorySpace, noted: { closed: boolean }): StorageAdapter {
  const inner = memoryStorage({ space });
  const late = async <T>(run: () => Promise<T>): Promise<T> => {
    await nextTurn();
    return run();
  };
  return {
    capabilities: inner.capabilities,
    get: (key) => late(() => inner.get(key)),
    getMany: (keys) => late(() => inner.getMany(keys)),
    list: (range, options) => inner.list(range, options),
    count: (range) => late(() => inner.count(range)),
    commit: (commit) => late(() => inner.commit(commit)),
    close() {
      noted.closed = true;
      return inner.close();
    },
  };
}

interface Closing {
  keys: KeyManager;
  space: MemorySpace;
  sealed: Uint8Array;
  file: Uint8Array;
  noted: { closed: boolean };
}

/** Opened anew, so that nothing is at hand: every use has to read and to unwrap. */
async function opened(): Promise<Closing> {
  const space = new MemorySpace();
  const first = await openMemory({ space });
  await first.keys.create({ name: "kek", ...KEK });
  await first.keys.rotate("kek");
  await first.keys.create({ name: "k", algorithm: AEAD, under: "kek" });
  const sealed = await first.keys.encrypt("k", text("x"));
  const file = await collect(first.keys.encryptStream("k", new Uint8Array(200_000)));
  await first.keys.close();
  const noted = { closed: false };
  const { clock } = first;
  const { keys } = await openMemory({ space, clock, storage: slow(space, noted), freshness: 0 });
  return { keys, space, sealed, file, noted };
}

const USES: Record<string, (keys: KeyManager, sealed: Uint8Array) => PromiseLike<unknown>> = {
  create: (keys) => keys.create({ name: "new", algorithm: AEAD, under: "kek" }),
  get: (keys) => keys.get("k"),
  list: (keys) => keys.list({ under: "kek" }),
  encrypt: (keys) => keys.encrypt("k", text("x")),
  decrypt: (keys, sealed) => keys.decrypt(sealed),
  activate: async (keys) => keys.activate((await keys.create({ algorithm: AEAD, activation: null })).id),
  deactivate: (keys) => keys.deactivate("k"),
  rotate: (keys) => keys.rotate("k"),
  destroy: async (keys) => {
    await keys.deactivate("kek", { version: 1 });
    return keys.destroy("kek", { version: 1 });
  },
  auditTail: (keys) => keys.auditTail(),
};

describe("closing", () => {
  it.each(Object.entries(USES))("waits for a call under way: %s", async (_, use) => {
    // Further into the call each time, until it is through before the closing.
    for (let turns = 0; ; turns += 2) {
      const { keys, sealed, noted, space } = await opened();
      let settled = false;
      const call = codeOf(use(keys, sealed)).finally(() => (settled = true));
      for (let i = 0; i < turns; i++) await nextTurn();
      const through = settled;
      await keys.close();
      expect(noted.closed).toBe(true);
      // What consists of two calls is refused the second.
      expect(["no error", "STORE_CLOSED"]).toContain(await call);
      if (turns === 0) expect(settled).toBe(true);
      const { keys: again } = await openMemory({ space });
      await auditOperations(again);
      expect(await again.decrypt(sealed)).toEqual(text("x"));
      await again.close();
      if (through) break;
    }
  });

  it("lets every one of many calls under way come to its own end", async () => {
    const { keys, sealed } = await opened();
    const calls = Array.from({ length: 50 }, (_, i) => [
      keys.encrypt("k", text("x")),
      keys.decrypt(sealed),
      keys.create({ name: `new-${i}`, algorithm: AEAD, under: "kek" }),
    ]).flat();
    const closing = keys.close();
    const late = codeOf(keys.encrypt("k", text("x")));
    const outcomes = await Promise.all(calls.map((call) => codeOf(call)));
    expect(new Set(outcomes)).toEqual(new Set(["no error"]));
    expect(await late).toBe("STORE_CLOSED");
    await closing;
  });

  it("is one closing however often it is asked for, and done when it says so", async () => {
    const { keys, noted } = await opened();
    const call = codeOf(keys.create({ algorithm: AEAD }));
    await Promise.all([keys.close(), keys.close()]);
    expect(noted.closed).toBe(true);
    expect(await call).toBe("no error");
    await keys.close();
  });

  it("fails streams that are open, at their next read, and does not wait for them", async () => {
    for (const reads of [0, 1, 2]) {
      const { keys, file } = await opened();
      const streams = [
        keys.encryptStream("k", new Uint8Array(300_000)),
        keys.decryptStream(file),
        keys.decryptStream(new ReadableStream({ pull: () => new Promise(() => undefined) })),
      ].map((stream) => stream.getReader());
      const [encrypting, decrypting, stalled] = streams as [
        (typeof streams)[0],
        (typeof streams)[0],
        (typeof streams)[0],
      ];
      for (let i = 0; i < reads; i++) {
        expect((await encrypting.read()).done).toBe(false);
        expect((await decrypting.read()).done).toBe(false);
      }
      const waiting = stalled.read();
      await keys.close();
      for (const reader of [encrypting, decrypting]) {
        expect(await codeOf(reader.read())).toBe("STORE_CLOSED");
        expect(await codeOf(reader.closed)).toBe("STORE_CLOSED");
      }
      await stalled.cancel();
      expect(await waiting).toEqual({ done: true, value: undefined });
      expect(await codeOf(() => keys.encryptStream("k", text("x")))).toBe("STORE_CLOSED");
    }
  });

  it("beside a read of a stream gives that read its bytes, or says that the store is closed", async () => {
    for (let turns = 0; turns < 12; turns++) {
      const { keys, file } = await opened();
      const readers = [keys.encryptStream("k", new Uint8Array(300_000)), keys.decryptStream(file)].map(
        (stream) => stream.getReader(),
      );
      const reads = readers.map((reader) => codeOf(reader.read()));
      for (let i = 0; i < turns; i++) await nextTurn();
      await keys.close();
      for (const read of reads) expect(["no error", "STORE_CLOSED"]).toContain(await read);
    }
  });

  it("ends a walk through the audit log at its next step, and does not wait for its reader", async () => {
    const { keys } = await opened();
    const walk = keys.audit();
    expect((await walk.next()).done).toBe(false);
    const step = codeOf(walk.next());
    await keys.close();
    expect(await step).toBe("no error");
    expect(await codeOf(walk.next())).toBe("STORE_CLOSED");
    expect((await walk.next()).done).toBe(true);
  });

  it("cancels jobs between two batches", async () => {
    const { keys } = await opened();
    const jobs = [
      keys.createMany(5000, { algorithm: AEAD, under: "kek" }),
      keys.rewrap("kek"),
      keys.deactivate("k", { versions: "all" }),
    ];
    await keys.close();
    for (const job of jobs) expect(await codeOf(job)).toBe("JOB_CANCELLED");
  });
});
