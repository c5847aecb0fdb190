/**
 * `npm run bench:storage`: a wrapping key's rotation over 10,000, 100,000 and 1,000,000 keys, with where the time goes, beside
 * the same loop written with node:crypto and with libsodium on the same store. Writes docs/BENCHMARKS-STORAGE.md when run
 * whole, or with the argument `write`; others name engines and counts: `npm run bench:storage -- lmdb 10000`.
 */
import { spawn } from "node:child_process";
import { createCipheriv, createDecipheriv, createHmac, randomFillSync, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import sodium from "libsodium-wrappers";
import { KeyManager, rawKey } from "../sdk/index.js";
import type { Entry, Mutation, Range, StorageAdapter } from "../sdk/storage/adapter.js";
import { storageFromUrl } from "../sdk/storage/url.js";
import { startPostgres } from "../test/storage/postgres-server.js";

const ALGORITHM = "XChaCha20-Poly1305";
const COUNTS = [10_000, 100_000, 1_000_000];
/** Keys per second that one process should re-wrap. */
const GOALS = { lmdb: 100_000, postgres: 20_000 } as const;
type Engine = keyof typeof GOALS;
const BATCH = 1024;

interface Spent {
  read: number;
  crypto: number;
  write: number;
}

let inCore = 0;

/** Times the core's bulk calls: nothing public hands the core over, so it is timed where every host gets it. */
function timeTheCore(): void {
  const instantiate = WebAssembly.instantiate.bind(WebAssembly) as (
    module: WebAssembly.Module,
    imports?: WebAssembly.Imports,
  ) => Promise<WebAssembly.Instance>;
  (WebAssembly as { instantiate: unknown }).instantiate = async (
    module: WebAssembly.Module,
    imports?: WebAssembly.Imports,
  ) => {
    const { exports } = await instantiate(module, imports);
    const watched = Object.entries(exports).map(([name, value]) => {
      if (typeof value !== "function" || !name.startsWith("vault")) return [name, value];
      const call = value as (...args: number[]) => number;
      const timedCall = (...args: number[]): number => {
        const from = performance.now();
        const result = call(...args);
        inCore += performance.now() - from;
        return result;
      };
      return [name, timedCall];
    });
    return { exports: Object.fromEntries(watched) as WebAssembly.Exports };
  };
}

/** Times an adapter's calls. */
function timed(storage: StorageAdapter, spent: Spent): StorageAdapter {
  const measure = async <T>(what: keyof Spent, run: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    try {
      return await run();
    } finally {
      spent[what] += performance.now() - from;
    }
  };
  return {
    capabilities: storage.capabilities,
    get: (key) => measure("read", () => storage.get(key)),
    getMany: (keys) => measure("read", () => storage.getMany(keys)),
    list(range, options) {
      const entries = storage.list(range, options)[Symbol.asyncIterator]();
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => measure("read", () => entries.next()),
          return: () => entries.return?.() ?? Promise.resolve({ done: true, value: undefined }),
        }),
      };
    },
    count: (range) => measure("read", () => storage.count(range)),
    commit: (commit) => measure("write", () => storage.commit(commit)),
    close: () => storage.close(),
  };
}

interface Figure {
  engine: Engine;
  what: string;
  count: number;
  perSecond: number;
  /** Microseconds a key; the rest is encoding, copying and the event loop. */
  parts: Spent & { rest: number };
}

async function managed(engine: Engine, url: string, count: number): Promise<Figure[]> {
  const spent: Spent = { read: 0, crypto: 0, write: 0 };
  const storage = timed(await storageFromUrl(url), spent);
  const figures: Figure[] = [];
  const keys = await KeyManager.open({ storage, unlock: rawKey(randomFillSync(new Uint8Array(32))) });
  const measure = async (what: string, work: () => PromiseLike<unknown>): Promise<void> => {
    for (const part of Object.keys(spent) as (keyof Spent)[]) spent[part] = 0;
    inCore = 0;
    const from = performance.now();
    await work();
    spent.crypto = inCore;
    figures.push(figureOf(engine, what, count, performance.now() - from, spent));
  };
  try {
    await keys.create({ name: "kek", algorithm: ALGORITHM, usages: ["wrap", "unwrap"] });
    await measure("createMany", () => keys.createMany(count, { algorithm: ALGORITHM, under: "kek" }));
    await keys.rotate("kek");
    await measure("rewrap", () => keys.rewrap("kek"));
  } finally {
    await keys.close();
  }
  return figures;
}

function figureOf(engine: Engine, what: string, count: number, total: number, spent: Spent): Figure {
  const each = (ms: number): number => (ms * 1000) / count;
  const { read, crypto, write } = spent;
  const rest = each(total - read - crypto - write);
  const parts = { read: each(read), crypto: each(crypto), write: each(write), rest };
  return { engine, what, count, perSecond: (count / total) * 1000, parts };
}

/** A wrapped key of 32 bytes as this loop stores it: nonce ‖ ciphertext ‖ tag ‖ HMAC over key and value. */
interface Peer {
  nonce: number;
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, secret: Uint8Array): Uint8Array;
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array;
}

const NODE: Peer = {
  nonce: 12,
  seal(key, nonce, aad, secret) {
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
    cipher.setAAD(aad, { plaintextLength: secret.length });
    return Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  },
  open(key, nonce, aad, sealed) {
    const cipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
    cipher.setAAD(aad, { plaintextLength: sealed.length - 16 });
    cipher.setAuthTag(sealed.subarray(-16));
    return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
  },
};

const SODIUM: Peer = {
  nonce: 24,
  seal: (key, nonce, aad, secret) =>
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(secret, aad, null, nonce, key),
  open: (key, nonce, aad, sealed) =>
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, aad, nonce, key),
};

/** Open, seal, MAC, delete and put, in commits of as many keys; without records, events, trails or gates. */
async function plainLoop(
  engine: Engine,
  what: string,
  url: string,
  count: number,
  peer: Peer,
): Promise<Figure> {
  const spent: Spent = { read: 0, crypto: 0, write: 0 };
  const storage = timed(await storageFromUrl(url), spent);
  const [oldKey, newKey, macKey] = [1, 2, 3].map(() => randomFillSync(new Uint8Array(32)));
  const mac = (path: Uint8Array, value: Uint8Array): Buffer =>
    createHmac("sha256", macKey!).update(path).update(value).digest();
  const pathOf = (version: number, id: Uint8Array): Uint8Array => {
    const path = new Uint8Array(41);
    path[4] = version;
    path.set(id, 21);
    return path;
  };
  const wrap = (key: Uint8Array, path: Uint8Array, secret: Uint8Array): Uint8Array => {
    const nonce = randomFillSync(new Uint8Array(peer.nonce));
    const value = Buffer.concat([nonce, peer.seal(key, nonce, path, secret)]);
    return Buffer.concat([value, mac(path, value)]);
  };
  const commit = async (
    mutations: Mutation[],
    checks: { key: Uint8Array; version: string }[],
  ): Promise<void> => {
    const done = await storage.commit({ id: randomFillSync(new Uint8Array(16)), checks, mutations });
    if (!done.committed) throw new Error("a conflict");
  };
  try {
    for (let at = 0; at < count; at += BATCH) {
      const puts: Mutation[] = [];
      for (let i = at; i < Math.min(count, at + BATCH); i++) {
        const key = pathOf(1, randomFillSync(new Uint8Array(16)));
        puts.push({ kind: "put", key, value: wrap(oldKey!, key, randomFillSync(new Uint8Array(32))) });
      }
      await commit(puts, []);
    }
    for (const part of Object.keys(spent) as (keyof Spent)[]) spent[part] = 0;
    const from = performance.now();
    const range: Range = { start: pathOf(1, new Uint8Array(16)), end: pathOf(2, new Uint8Array(16)) };
    for (;;) {
      const entries: Entry[] = [];
      for await (const entry of storage.list(range, { limit: BATCH })) entries.push(entry);
      if (entries.length === 0) break;
      const began = performance.now();
      const mutations: Mutation[] = [];
      for (const { key, value } of entries) {
        const body = value.subarray(0, -32);
        if (!timingSafeEqual(mac(key, body), value.subarray(-32))) throw new Error("a wrong MAC");
        const secret = peer.open(oldKey!, body.subarray(0, peer.nonce), key, body.subarray(peer.nonce));
        const path = pathOf(2, key.subarray(21, 37));
        mutations.push(
          { kind: "delete", key },
          { kind: "put", key: path, value: wrap(newKey!, path, secret) },
        );
      }
      spent.crypto += performance.now() - began;
      await commit(mutations, entries);
    }
    return figureOf(engine, what, count, performance.now() - from, spent);
  } finally {
    await storage.close();
  }
}

interface Shared {
  engine: Engine;
  count: number;
  alone: number;
  together: number;
  batches: number;
  retried: number;
}

/** `storage.ts worker URL JOB`: a process that shares a re-wrap, once it is told to begin; says how its batches went. */
async function worker(url: string, job: string): Promise<void> {
  const inner = await storageFromUrl(url);
  const said = { batches: 0, retried: 0 };
  const storage: StorageAdapter = {
    capabilities: inner.capabilities,
    get: (key) => inner.get(key),
    getMany: (keys) => inner.getMany(keys),
    list: (range, options) => inner.list(range, options),
    count: (range) => inner.count(range),
    async commit(commit) {
      const outcome = await inner.commit(commit);
      if (commit.mutations.length >= BATCH) said[outcome.committed ? "batches" : "retried"]++;
      return outcome;
    },
    close: () => inner.close(),
  };
  const keys = await KeyManager.open({ storage, unlock: rawKey(WORKERS_SECRET.slice()), create: false });
  console.log("ready");
  await once(process.stdin, "data");
  await keys.rewrap("kek", { job });
  console.log(JSON.stringify(said));
  await keys.close();
  process.exit(0);
}

const WORKERS_SECRET = new Uint8Array(32).fill(7);

/** So many processes re-wrap all keys together. @returns milliseconds, and how their batches went */
async function together(
  url: string,
  workers: number,
): Promise<{ ms: number; batches: number; retried: number }> {
  const job = crypto.randomUUID();
  const file = fileURLToPath(import.meta.url);
  const children = Array.from({ length: workers }, () => {
    const child = spawn(process.execPath, ["--import", "tsx", file, "worker", url, job], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return { child, line: async () => String((await lines.next()).value) };
  });
  for (const { line } of children) await line();
  const from = performance.now();
  for (const { child } of children) child.stdin.write("go\n");
  const said = await Promise.all(
    children.map(async ({ line }) => JSON.parse(await line()) as { batches: number; retried: number }),
  );
  const ms = performance.now() - from;
  const sum = (what: "batches" | "retried"): number => said.reduce((all, each) => all + each[what], 0);
  return { ms, batches: sum("batches"), retried: sum("retried") };
}

async function sharedByTwo(engine: Engine, url: string, count: number): Promise<Shared> {
  const keys = await KeyManager.open({
    storage: await storageFromUrl(url),
    unlock: rawKey(WORKERS_SECRET.slice()),
  });
  await keys.create({ name: "kek", algorithm: ALGORITHM, usages: ["wrap", "unwrap"] });
  await keys.createMany(count, { algorithm: ALGORITHM, under: "kek" });
  await keys.rotate("kek");
  const alone = await together(url, 1);
  await keys.rotate("kek");
  const two = await together(url, 2);
  await keys.close();
  const { batches, retried } = two;
  return {
    engine,
    count,
    alone: (count / alone.ms) * 1000,
    together: (count / two.ms) * 1000,
    batches,
    retried,
  };
}

function sharedTable(all: readonly Shared[]): string {
  const whole = (value: number): string => Math.round(value).toLocaleString("en");
  return [
    "## Two processes on one re-wrap",
    "",
    "| store | keys | keys/s, one process | keys/s, two | ratio | batches | retried |",
    "|---|---:|---:|---:|---:|---:|---:|",
    ...all.map(
      (each) =>
        `| ${each.engine} | ${whole(each.count)} | ${whole(each.alone)} | ${whole(each.together)} | ` +
        `${(each.together / each.alone).toFixed(2)} × | ${each.batches} | ${each.retried} |`,
    ),
    "",
  ].join("\n");
}

function table(figures: readonly Figure[]): string {
  const number = (value: number): string => value.toFixed(1);
  const rows = figures.map(({ engine, what, count, perSecond, parts }) => {
    const goal = what === "rewrap" ? GOALS[engine] : null;
    const reached =
      goal === null ? "" : `≥ ${goal.toLocaleString("en")} ${perSecond >= goal ? "✓" : "**missed**"}`;
    const { read, crypto, write, rest } = parts;
    const cells = [read, crypto, rest, write].map(number).join(" | ");
    return `| ${engine} | ${what} | ${count.toLocaleString("en")} | ${Math.round(perSecond).toLocaleString("en")} | ${reached} | ${cells} |`;
  });
  return [
    "| store | work | keys | keys/s | goal | read | crypto | encode, rest | write |",
    "|---|---|---:|---:|---|---:|---:|---:|---:|",
    ...rows,
    "",
  ].join("\n");
}

const HEAD = `# Benchmarks: storage

Written by \`npm run bench:storage\`: one process, commits on disk (LMDB synced; a PostgreSQL server of its own with \`fsync\`). The parts
are microseconds a key. "node:crypto" and "libsodium" are the same loop on the same store, written by hand: read 1,024, check a
MAC, open, seal, MAC, delete and put in one commit that checks what was read; but without audit events, trails, gates, digests and commitments.
In their rows "crypto" has what encoding there is; in ours the core's calls are counted where they are made.
`;

async function main(): Promise<void> {
  const asked = process.argv.slice(2);
  if (asked[0] === "worker") return worker(asked[1]!, asked[2]!);
  const engines = (Object.keys(GOALS) as Engine[]).filter(
    (engine) => asked.includes(engine) || !asked.some((word) => word in GOALS),
  );
  const counts = asked.map(Number).filter((count) => count > 0);
  await sodium.ready;
  timeTheCore();
  const server = engines.includes("postgres") ? await startPostgres({ fsync: true }) : null;
  const base = mkdtempSync(join(tmpdir(), "keyloom-bench-"));
  let stores = 0;
  const fresh = (engine: Engine): string =>
    engine === "lmdb" ? `lmdb:${join(base, `store-${++stores}`)}` : server!.url(`bench${++stores}`);
  const figures: Figure[] = [];
  const shared: Shared[] = [];
  const add = (...more: Figure[]): void => {
    figures.push(...more);
    console.log(table(more));
  };
  try {
    for (const engine of engines) {
      for (const count of counts.length > 0 ? counts : COUNTS) {
        add(...(await managed(engine, fresh(engine), count)));
        if (count > 100_000) continue;
        add(await plainLoop(engine, "re-wrap, node:crypto", fresh(engine), count, NODE));
        add(await plainLoop(engine, "re-wrap, libsodium", fresh(engine), count, SODIUM));
      }
      shared.push(await sharedByTwo(engine, fresh(engine), counts.at(-1) ?? 100_000));
      console.log(sharedTable(shared.slice(-1)));
    }
  } finally {
    await server?.stop();
    rmSync(base, { recursive: true, force: true });
  }
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const machine = `${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)} at the end, Node ${process.versions.node}, keyloom ${version}.`;
  const text = [HEAD, `${machine}\n`, table(figures), sharedTable(shared)].join("\n");
  if (asked.length === 0 || asked.includes("write"))
    writeFileSync(new URL("../docs/BENCHMARKS-STORAGE.md", import.meta.url), text);
}

await main();
