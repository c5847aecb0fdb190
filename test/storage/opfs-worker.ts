/**
 * What a test can't do in a page: runs the conformance suite, and calls of its own, over an OPFS store, in a dedicated
 * worker. Asked by messages `[id, command, ...arguments]`, answers `[id, result]` or `[id, null, code, message]`.
 */
import type { StorageAdapter } from "../../sdk/storage/adapter.js";
import { KeyManager, rawKey } from "../../sdk/index.js";
import { storageConformance } from "../../sdk/storage/conformance.js";
import { bytes, commitId, put, text } from "../../sdk/storage/conformance-kit.js";
import { opfsSqliteStorage } from "../../sdk/storage/opfs-sqlite.js";

const cases = new Map<string, () => Promise<void>>();

storageConformance({
  test: (name, run) => cases.set(name, run),
  name: "opfs-sqlite",
  factory: async () => {
    const name = `test-${crypto.randomUUID()}`;
    return {
      storage: opfsSqliteStorage({ name }),
      reopen: async () => opfsSqliteStorage({ name, create: false }),
      dispose: () => remove(name),
    };
  },
  lacks: ["second", "snapshot"],
});

async function remove(name: string): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(`.keyloom-${encodeURIComponent(name)}`, { recursive: true });
}

const stores = new Map<string, StorageAdapter>();

const COMMANDS = {
  names: async () => [...cases.keys()],
  run: (name: string) => cases.get(name)!(),
  open: async (name: string, create: boolean) => {
    stores.set(name, opfsSqliteStorage({ name, create }));
  },
  put: async (name: string, key: string, value: string) =>
    stores.get(name)!.commit({ id: commitId(), checks: [], mutations: [put(key, value)] }),
  get: async (name: string, key: string) => {
    const entry = await stores.get(name)!.get(bytes(key));
    return entry === null ? null : text(entry.value);
  },
  close: (name: string) => stores.get(name)!.close(),
  remove,
  /** A whole manager in the worker. @returns the number of keys made and moved */
  manage: async (name: string, count: number) => {
    const open = (): Promise<KeyManager> =>
      KeyManager.open({ storage: opfsSqliteStorage({ name }), unlock: rawKey(new Uint8Array(32).fill(7)) });
    let keys = await open();
    await keys.create({ name: "kek", algorithm: "XChaCha20-Poly1305", usages: ["wrap", "unwrap"] });
    const { created } = await keys.createMany(count, {
      algorithm: "XChaCha20-Poly1305",
      usages: ["encrypt", "decrypt"],
      under: "kek",
    });
    await keys.close();
    keys = await open();
    await keys.rotate("kek");
    const { rewrapped } = await keys.rewrap("kek");
    await keys.close();
    return { created, rewrapped };
  },
} as const;

addEventListener("message", ({ data: [id, command, ...parameters] }) => {
  const call = COMMANDS[command as keyof typeof COMMANDS] as (...parameters: unknown[]) => Promise<unknown>;
  call(...parameters).then(
    (result) => postMessage([id, result]),
    (error: Error & { code?: string }) => postMessage([id, null, String(error.code), String(error.message)]),
  );
});
postMessage("ready");
