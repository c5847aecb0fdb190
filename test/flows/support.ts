/** What the flow tests share: a store in memory, opened with a raw key, on a clock that stands still. */
import { rawKey, type KeyManager, type StorageAdapter } from "../../sdk/index.js";
import { concat } from "../../sdk/foundation/bytes.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { openWith, seededRandom, virtualClock, type VirtualClock } from "../../sdk/testing/index.js";

export const SECRET = new Uint8Array(32).fill(9);

export interface Opened {
  keys: KeyManager;
  clock: VirtualClock;
  space: MemorySpace;
}

export async function openMemory(
  options: {
    space?: MemorySpace;
    clock?: VirtualClock;
    storage?: StorageAdapter;
    freshness?: number;
    seed?: number;
    create?: boolean;
  } = {},
): Promise<Opened> {
  const space = options.space ?? new MemorySpace();
  const clock = options.clock ?? virtualClock();
  const keys = await openWith(
    {
      storage: options.storage ?? memoryStorage({ space }),
      unlock: rawKey(() => SECRET.slice()),
      freshness: options.freshness,
      create: options.create,
    },
    { clock, random: seededRandom(options.seed ?? Math.floor(Math.random() * 2 ** 32)) },
  );
  return { keys, clock, space };
}

export const AEAD = "XChaCha20-Poly1305";
export const KEK = { algorithm: AEAD, usages: ["wrap", "unwrap"] } as const;
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The code of the error that a promise is rejected with; fails when it isn't. */
export async function codeOf(promise: PromiseLike<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    return (error as { code?: string }).code ?? `${(error as Error).name}: ${(error as Error).message}`;
  }
  return "no error";
}

/** A stream's bytes. Not by way of `Response`, which turns a stream's own error into another one in browsers. */
export async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
  return concat(...parts);
}

export async function auditOperations(keys: KeyManager): Promise<string[]> {
  const operations: string[] = [];
  for await (const entry of keys.audit()) operations.push(entry.operation ?? entry.kind);
  return operations;
}

/** What lies under `shared-kek`. */
export const SHARED = ["shared-1", "shared-2", "shared-3"];

/** Leaves a re-wrap of `shared-kek` in the middle of a range: three keys, one by one. */
export async function leaveShared(space: MemorySpace, job: string, clock?: VirtualClock): Promise<void> {
  const { keys } = await openMemory({ space, ...(clock === undefined ? {} : { clock }) });
  await keys.create({ name: "shared-kek", ...KEK });
  for (const name of SHARED) await keys.create({ name, algorithm: AEAD, under: "shared-kek" });
  await keys.rotate("shared-kek");
  await keys.close();
  const narrow = memoryStorage({ space, limits: { maxMutations: 10 } });
  const { keys: other } = await openMemory({
    space,
    storage: narrow,
    ...(clock === undefined ? {} : { clock }),
  });
  const moving = other.rewrap("shared-kek", { job });
  for await (const { done } of moving) if (done > 0) break;
  moving.cancel();
  await codeOf(moving);
  await other.close();
}
