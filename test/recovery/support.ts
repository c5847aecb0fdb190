/** Backups of small stores, restored with a core that is loaded once: thousands of them in seconds. */
import { concat } from "../../sdk/foundation/bytes.js";
import { idGenerator } from "../../sdk/foundation/ids.js";
import { loadCoreWith, type Core } from "../../sdk/crypto/core.js";
import { backup, unlockOpening } from "../../sdk/entries/recovery.js";
import { rawKey, type KeyManager, type StorageAdapter } from "../../sdk/index.js";
import { ByteReader } from "../../sdk/messages/age/byte-source.js";
import { restoreBackup, type RestoreSummary } from "../../sdk/recovery/restore.js";
import { ranges } from "../../sdk/storage/keyspace.js";
import { memoryStorage } from "../../sdk/storage/memory.js";
import { seededRandom, virtualClock } from "../../sdk/testing/index.js";
import { collect, SECRET } from "../flows/support.js";

export const backupOf = (keys: KeyManager): Promise<Uint8Array> => collect(backup(keys));

/** Restores, with a core of the caller's. */
export function restored(
  core: Core,
  bytes: Uint8Array,
  storage: StorageAdapter,
  secret: Uint8Array = SECRET,
): Promise<RestoreSummary> {
  const clock = virtualClock();
  const random = seededRandom(1003);
  const parts = { core, unlock: rawKey(() => secret.slice()), random };
  return restoreBackup(
    {
      source: new ByteReader(bytes),
      storage,
      core,
      clock,
      newId: idGenerator(random, () => clock.now()),
      allow: () => undefined,
      unlock: (opening) => unlockOpening(parts, opening),
    },
    { report: () => undefined, pause: async () => undefined },
  ).finally(() => core.vault.disposeAll());
}

export const newCore = (): Promise<Core> => loadCoreWith({ random: seededRandom(4) });

/** A backup in its first line and its chunks. */
export function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks = [bytes.subarray(0, 18)];
  for (let at = 18; at < bytes.length;) {
    const end = at + 5 + view.getUint32(at + 1);
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

export const joined = (chunks: readonly Uint8Array[]): Uint8Array => concat(...chunks);

export async function countOf(storage: StorageAdapter): Promise<number> {
  return storage.count(ranges.everything());
}

export const empty = (): StorageAdapter => memoryStorage();
