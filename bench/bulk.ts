/** Bulk jobs through the whole SDK, records, MACs, indexes and events included, with where the time goes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyManager, rawKey } from "../sdk/index.js";
import { lmdbStorage } from "../sdk/storage/lmdb.js";
import { memoryStorage } from "../sdk/storage/memory.js";
import type { StorageAdapter } from "../sdk/storage/adapter.js";
import { random } from "./data.js";

const COUNT = 100_000;
/** The first one warms up and doesn't count, as in the other benches. */
const ROUNDS = 6;

export interface BulkFigure {
  store: string;
  job: string;
  perSecond: number;
  floor: number;
  /** Microseconds a key: in all, and inside the storage adapter (LMDB's own thread overlaps with ours). */
  total: number;
  inStorage: number;
}

/** Times what the adapter's calls take, from call to answer. */
function timed(storage: StorageAdapter): { storage: StorageAdapter; spent: () => number } {
  let spent = 0;
  const measure = async <T>(run: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    try {
      return await run();
    } finally {
      spent += performance.now() - from;
    }
  };
  const wrapped: StorageAdapter = {
    capabilities: storage.capabilities,
    get: (key) => measure(() => storage.get(key)),
    getMany: (keys) => measure(() => storage.getMany(keys)),
    list: (range, options) => storage.list(range, options),
    count: (range) => measure(() => storage.count(range)),
    commit: (commit) => measure(() => storage.commit(commit)),
    close: () => storage.close(),
  };
  return { storage: wrapped, spent: () => spent };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

async function run(
  name: string,
  open: () => Promise<{ storage: StorageAdapter; clean(): Promise<void> }>,
  floors: [number, number],
): Promise<BulkFigure[]> {
  const samples = {
    create: [] as number[],
    createStorage: [] as number[],
    rewrap: [] as number[],
    rewrapStorage: [] as number[],
  };
  for (let round = 0; round < ROUNDS; round++) {
    const { storage, clean } = await open();
    const { storage: watched, spent } = timed(storage);
    const keys = await KeyManager.open({ storage: watched, unlock: rawKey(random(32)) });
    await keys.create({ name: "kek", algorithm: "XChaCha20-Poly1305", usages: ["wrap", "unwrap"] });
    const counts = round > 0;
    const measure = async (
      job: () => PromiseLike<unknown>,
      time: number[],
      inStorage: number[],
    ): Promise<void> => {
      const before = spent();
      const from = performance.now();
      await job();
      if (!counts) return;
      time.push(performance.now() - from);
      inStorage.push(spent() - before);
    };
    await measure(
      () => keys.createMany(COUNT, { algorithm: "XChaCha20-Poly1305", under: "kek" }),
      samples.create,
      samples.createStorage,
    );
    await keys.rotate("kek");
    await measure(() => keys.rewrap("kek"), samples.rewrap, samples.rewrapStorage);
    await keys.close();
    await clean();
  }
  const figure = (job: string, time: number[], inStorage: number[], floor: number): BulkFigure => {
    const total = median(time);
    return {
      store: name,
      job,
      floor,
      perSecond: (COUNT / total) * 1000,
      total: (total * 1000) / COUNT,
      inStorage: (median(inStorage) * 1000) / COUNT,
    };
  };
  return [
    figure("createMany", samples.create, samples.createStorage, floors[0]),
    figure("rewrap", samples.rewrap, samples.rewrapStorage, floors[1]),
  ];
}

export async function bulkFigures(): Promise<BulkFigure[]> {
  const memory = await run(
    "memory",
    () => Promise.resolve({ storage: memoryStorage(), clean: () => Promise.resolve() }),
    [150_000, 400_000],
  );
  const lmdb = await run(
    "LMDB, durable",
    async () => {
      const path = await mkdtemp(join(tmpdir(), "keyloom-bench-"));
      return {
        storage: lmdbStorage({ path: join(path, "store") }),
        clean: () => rm(path, { recursive: true, force: true }),
      };
    },
    [60_000, 60_000],
  );
  return [...memory, ...lmdb];
}

export function bulkTable(figures: readonly BulkFigure[]): string {
  const rows = figures.map((figure) => {
    const reached = figure.perSecond >= figure.floor ? "✓" : "**missed**";
    const rest = Math.max(0, figure.total - figure.inStorage);
    return (
      `| ${figure.job} | ${figure.store} | ${Math.round(figure.perSecond).toLocaleString("en")} | ` +
      `${figure.floor.toLocaleString("en")} ${reached} | ${figure.total.toFixed(2)} | ${figure.inStorage.toFixed(2)} | ${rest.toFixed(2)} |`
    );
  });
  return [
    `### Through the whole SDK: ${COUNT.toLocaleString("en")} keys, with records, MACs, indexes and audit events`,
    "",
    "| job | store | keys/s | floor | µs per key | waiting for commits and reads | core, encoding, listing |",
    "|---|---|---:|---:|---:|---:|---:|",
    ...rows,
    "",
  ].join("\n");
}
