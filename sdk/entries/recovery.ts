/** `keyloom/recovery`: backups of a store, and stores from backups. */
import { systemClock } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { idGenerator, idToString } from "../foundation/ids.js";
import { hostRandom } from "../foundation/random.js";
import { loadCoreWith } from "../crypto/core.js";
import { Job, type JobControl, type JobOptions } from "../commands/jobs.js";
import { serviceOf, type Internals, type KeyManager } from "../key-manager.js";
import { ByteReader, type AgeSource } from "../messages/age/byte-source.js";
import { backupChunks } from "../recovery/backup.js";
import type { Opening } from "../recovery/format.js";
import { restoreBackup, type Keys as RestoreKeys, type RestoreSummary } from "../recovery/restore.js";
import type { StorageAdapter } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import type { UnlockMethod } from "../unlock/methods.js";
import { copyOfStore, unlockEntries } from "../unlock/open-store.js";

/**
 * Takes a backup: one instant of the store, while others write. It holds what the store holds, material wrapped as it is
 * there, and opens with what opened the store then. A failure fails the stream; without its end a backup is refused.
 *
 * @throws {KeyloomError} through the stream: `BACKUP_UNSUPPORTED` where the engine has no snapshots (IndexedDB);
 * `POLICY_DENIED`, `STORE_CLOSED`, `STORE_DAMAGED`
 */
export function backup(keys: KeyManager): ReadableStream<Uint8Array> {
  const { context, use } = serviceOf(keys);
  const chunks = backupChunks(context);
  return new ReadableStream<Uint8Array>(
    {
      // Each chunk is a use of its own: who stops reading must not keep `close` waiting.
      async pull(controller) {
        const { done, value } = await use(() => chunks.next()).catch(async (error: unknown) => {
          await chunks.return(undefined).catch(() => undefined);
          throw error;
        });
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

export interface RestoreOptions extends Pick<JobOptions, "signal"> {
  /** An empty place. It is closed when the restore ends, however it ends. */
  storage: StorageAdapter;
  /** What opened the store when the backup was taken. */
  unlock: UnlockMethod;
  /**
   * Everything that happened after the backup is undone: destroyed keys are back, revocations and usage counts forgotten.
   * Say that you know.
   */
  acceptRollback?: boolean | undefined;
}

/**
 * Restores a backup into an empty place, as a store with an id of its own. Until the end it is no store; interrupted, the
 * same backup goes on where it was.
 *
 * @returns a job, started at once
 * @throws {KeyloomError} through the job: `BACKUP_ROLLBACK` without `acceptRollback`; `BACKUP_DAMAGED` for anything
 * changed, cut or moved, `BACKUP_NEWER_FORMAT`, `UNLOCK_FAILED`, `STORE_EXISTS`, `JOB_CANCELLED`
 */
export function restore(source: AgeSource, options: RestoreOptions): Job<RestoreSummary> {
  return restoreWith(source, options, {});
}

/** As `restore`, with what tests replace. @internal */
export function restoreWith(
  source: AgeSource,
  options: RestoreOptions,
  internals: Internals,
): Job<RestoreSummary> {
  const { clock = systemClock, random = hostRandom } = internals;
  const newId = idGenerator(random, () => clock.now());
  const bytes = new ByteReader(source);
  const run = async (control: JobControl): Promise<RestoreSummary> => {
    const { storage, unlock } = options;
    let core: Awaited<ReturnType<typeof loadCoreWith>> | undefined;
    try {
      core = await loadCoreWith({
        random,
        ...(internals.simd === undefined ? {} : { simd: internals.simd }),
      });
      const parts = { core, unlock, random };
      return await restoreBackup(
        {
          source: bytes,
          storage,
          core,
          clock,
          newId,
          allow: () => requireAccepted(options),
          unlock: (opening) => unlockOpening(parts, opening),
        },
        control,
      );
    } finally {
      core?.vault.disposeAll();
      await bytes.cancel("the restore has ended").catch(() => undefined);
      await storage.close().catch(() => undefined);
    }
  };
  return new Job(idToString(newId()), clock, options.signal, run);
}

/** @internal */
export async function unlockOpening(
  parts: Parameters<typeof unlockEntries>[0],
  { header, slots, macKey }: Opening,
): Promise<RestoreKeys> {
  const headerEntry = { key: keyspace.header(), value: header };
  const slotsEntry = { key: keyspace.unlockSlots(), value: slots };
  const readMacKey = async (key: Uint8Array): Promise<{ key: Uint8Array; value: Uint8Array }> => ({
    key,
    value: macKey,
  });
  const unlocked = await unlockEntries(parts, headerEntry, slotsEntry, readMacKey);
  return {
    records: unlocked.records,
    copy: (storeId) => copyOfStore(parts.core.vault, unlocked, headerEntry, storeId),
  };
}

function requireAccepted({ acceptRollback }: RestoreOptions): void {
  if (acceptRollback === true) return;
  throw new KeyloomError("BACKUP_ROLLBACK", {
    message:
      "what was destroyed, revoked or counted after the backup would be undone: say acceptRollback if you know that",
  });
}

export type { RestoreSummary } from "../recovery/restore.js";
