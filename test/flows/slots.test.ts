/** More keys and streams than the core has slots: cached keys make room, keys in use never do. */
import { describe, expect, it } from "vitest";
import type { Key, KeyManager } from "../../sdk/index.js";
import { concat } from "../../sdk/foundation/bytes.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { AEAD, codeOf, collect, KEK, openMemory, text } from "./support.js";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

const SLOTS = 1024;
/** As many keys as the ring keeps at hand. */
const CACHED = 768;

async function keysOf(keys: KeyManager, under?: string): Promise<Key[]> {
  const all: Key[] = [];
  let cursor: string | undefined;
  do {
    const page = await keys.list({ limit: 1000, cursor, under });
    all.push(...page.keys.filter(({ usages }) => usages.includes("encrypt")));
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

/** Opens a stream and reads its first piece, so that it holds its payload's key. */
async function begin(stream: ReadableStream<Uint8Array>): Promise<{ reader: Reader; first: Uint8Array }> {
  const reader = stream.getReader();
  return { reader, first: (await reader.read()).value! };
}

async function rest({ reader, first }: { reader: Reader; first: Uint8Array }): Promise<Uint8Array> {
  const parts = [first];
  for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
  return concat(...parts);
}

/** Opens streams until no slot is left, nor one that could be made free. */
async function exhaust(keys: KeyManager, key: string): Promise<Reader[]> {
  const readers: Reader[] = [];
  for (;;) {
    const reader = keys.encryptStream(key, new Uint8Array(10)).getReader();
    const code = await codeOf(reader.read());
    if (code === "no error") readers.push(reader);
    else {
      expect(code).toBe("CORE_SLOTS_EXHAUSTED");
      return readers;
    }
  }
}

describe("1,500 warm keys and 400 open streams", () => {
  it("all work, one after the other and at the same time", async () => {
    const { keys } = await openMemory();
    await keys.create({ name: "kek", ...KEK });
    await keys.createMany(1000, { algorithm: AEAD, under: "kek" });
    await keys.createMany(500, { algorithm: AEAD });
    const all = await keysOf(keys);
    expect(all).toHaveLength(1500);
    const sealed: Uint8Array[] = [];
    for (const key of all) sealed.push(await keys.encrypt(key, text("x")));

    const plain = new Uint8Array(70_000).fill(7);
    const encrypting = await Promise.all(
      Array.from({ length: 400 }, (_, i) => begin(keys.encryptStream(all[i * 3]!, plain))),
    );
    for (const message of sealed) expect(await keys.decrypt(message)).toEqual(text("x"));
    const again = await Promise.all(all.map((key) => keys.encrypt(key, text("y"))));
    const files = await Promise.all(encrypting.map(rest));

    const decrypting = await Promise.all(files.map((file) => begin(keys.decryptStream(file))));
    for (const message of again) expect(await keys.decrypt(message)).toEqual(text("y"));
    for (const opened of await Promise.all(decrypting.map(rest))) {
      expect(opened).toHaveLength(plain.length);
      expect(opened.every((byte) => byte === 7)).toBe(true);
    }
    await keys.close();
  });
});

describe("where no slot is free", () => {
  it("the least recently used of the keys at hand goes first", async () => {
    const space = new MemorySpace();
    const inner = memoryStorage({ space });
    let reads = 0;
    const counted = <T>(answer: T): T => (reads++, answer);
    const storage = {
      ...inner,
      capabilities: inner.capabilities,
      get: (key: Uint8Array) => counted(inner.get(key)),
      getMany: (list: readonly Uint8Array[]) => counted(inner.getMany(list)),
      list: inner.list.bind(inner),
      commit: inner.commit.bind(inner),
      close: () => inner.close(),
    };
    const { keys } = await openMemory({ space, storage });
    await keys.createMany(CACHED, { algorithm: AEAD });
    const all = await keysOf(keys);
    for (const key of all) await keys.encrypt(key, text("x"));
    const [oldest, next] = all as [Key, Key];
    await keys.encrypt(oldest, text("x"));
    // The newest one's, so that the streams need no further key.
    const streamed = all.at(-1)!;
    const streams: Reader[] = [];
    for (let i = 0; i < 300; i++) {
      streams.push((await begin(keys.encryptStream(streamed, new Uint8Array(10)))).reader);
    }
    reads = 0;
    await keys.encrypt(oldest, text("x"));
    expect(reads).toBe(0);
    await keys.encrypt(next, text("x"));
    expect(reads).toBeGreaterThan(0);
    for (const stream of streams) await stream.cancel();
    await keys.close();
  });

  it("one stream more is refused, and those that are open go on; a slot that comes back is used", async () => {
    const { keys } = await openMemory();
    await keys.createMany(CACHED, { algorithm: AEAD });
    const all = await keysOf(keys);
    for (const key of all) await keys.encrypt(key, text("x"));
    const streams = await exhaust(keys, all[0]!.id);
    // All but those of the root key, the MAC key and what a stream begins with.
    expect(streams.length).toBeGreaterThan(SLOTS - 6);
    expect(await codeOf(keys.encrypt(all[5]!, text("x")))).toMatch(/^(no error|CORE_SLOTS_EXHAUSTED)$/);
    expect((await streams[0]!.read()).done).toBe(false);
    expect((await streams[0]!.read()).done).toBe(true);
    await streams[1]!.cancel();
    expect(await keys.encrypt(all[5]!, text("x"))).toBeInstanceOf(Uint8Array);
    expect(await keys.encrypt(all[6]!, text("x"))).toBeInstanceOf(Uint8Array);
    for (const stream of streams.slice(2)) expect((await stream.read()).done).toBe(false);
    await keys.close();
  });

  it("no key goes that is being used, however few slots there are", async () => {
    const { keys } = await openMemory();
    await keys.create({ name: "outer", ...KEK });
    await keys.create({ name: "inner", ...KEK, under: "outer" });
    await keys.create({ name: "k", algorithm: AEAD, under: "inner" });
    await keys.create({ name: "plain", algorithm: AEAD });
    await keys.rotate("inner");
    const sealed = await keys.encrypt("k", text("x"));
    const file = await collect(keys.encryptStream("k", text("file")));
    const streams = await exhaust(keys, "plain");
    const uses: Record<string, () => PromiseLike<unknown>> = {
      encrypt: () => keys.encrypt("k", text("x")),
      decrypt: () => keys.decrypt(sealed),
      encryptStream: () => collect(keys.encryptStream("k", text("file"))),
      decryptStream: () => collect(keys.decryptStream(file)),
      create: () => keys.create({ algorithm: AEAD, under: "inner" }),
      rewrap: () => keys.rewrap("inner"),
    };
    for (let free = 0; free < 6; free++) {
      for (const [name, use] of Object.entries(uses)) {
        const code = await codeOf(use());
        const where = `${name} with ${free} slots`;
        expect(["no error", "CORE_SLOTS_EXHAUSTED"], where).toContain(code);
        if (free >= 3) expect(code, where).toBe("no error");
      }
      await streams.pop()!.cancel();
    }
    for (const stream of streams) expect((await stream.read()).done).toBe(false);
    await keys.close();
  });
});
