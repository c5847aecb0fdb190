/** Taking a backup: one instant of the store, as a run of authenticated chunks. */
import { concat } from "../foundation/bytes.js";
import { cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import { MAC_ID, ROOT_ID } from "../crypto/material.js";
import { chainHeads } from "../audit/intake.js";
import type { StoreContext } from "../commands/execute.js";
import { recordBackup } from "../commands/restore.js";
import type { Snapshot } from "../storage/adapter.js";
import { keyspace, prefixOf, ranges } from "../storage/keyspace.js";
import { CHUNK_BODY, ChunkWriter, encodeEntry, encodeOpening, FIRST_LINE } from "./format.js";

/** In the opening, or no part of what a store is. */
const LEFT_OUT: readonly (string | null)[] = ["header", "unlockSlots", "restoring"];

/**
 * The bytes of a backup, chunk by chunk. Nothing is unwrapped, and nobody has to wait: others write meanwhile.
 *
 * @throws {KeyloomError} `BACKUP_UNSUPPORTED` where the engine has no snapshots; `POLICY_DENIED`, `STORE_DAMAGED`
 */
export async function* backupChunks(context: StoreContext): AsyncGenerator<Uint8Array, void> {
  const { storage } = context;
  if (storage.snapshot === undefined) {
    throw new KeyloomError("BACKUP_UNSUPPORTED", {
      message:
        "this store's engine has no snapshots: what is read while others write would be no instant of it",
    });
  }
  const id = context.newId();
  const time = await recordBackup(context, id);
  const snapshot = await storage.snapshot();
  try {
    yield* chunksOf(context, snapshot, id, time);
  } finally {
    await snapshot.close();
  }
}

async function* chunksOf(
  { vault, records, ring, sha256 }: StoreContext,
  snapshot: Snapshot,
  id: Id,
  time: number,
): AsyncGenerator<Uint8Array, void> {
  const writer = new ChunkWriter(vault, records.key.handle, id);
  const macKey = keyspace.material(ROOT_ID, ring.root.version, MAC_ID, 1);
  const needed = [keyspace.header(), keyspace.unlockSlots(), macKey];
  const [header, slots, mac] = (await snapshot.getMany(needed)).map((entry) => {
    if (entry !== null) return entry.value;
    throw new KeyloomError("STORE_DAMAGED", { message: "header, slot table or MAC key are missing" });
  });
  let entries = await snapshot.count(ranges.everything());
  for (const key of await snapshot.getMany([
    keyspace.header(),
    keyspace.unlockSlots(),
    keyspace.restoring(),
  ])) {
    if (key !== null) entries--;
  }
  const opening = {
    id,
    storeId: records.key.prefix.slice(48),
    time,
    entries,
    logHead: await chainHeads(snapshot, records, sha256),
    header: header!,
    slots: slots!,
    macKey: mac!,
  };
  yield concat(FIRST_LINE, writer.chunk("opening", encodeOpening(opening)));
  let run: Uint8Array[] = [];
  let length = 0;
  for await (const { key, value } of snapshot.list(ranges.everything())) {
    if (LEFT_OUT.includes(prefixOf(key))) continue;
    const entry = encodeEntry(key, value);
    run.push(entry);
    length += entry.length;
    if (length < CHUNK_BODY) continue;
    const bytes = concat(...run);
    let at = 0;
    for (; length - at >= CHUNK_BODY; at += CHUNK_BODY) {
      yield writer.chunk("entries", bytes.subarray(at, at + CHUNK_BODY));
    }
    run = [bytes.slice(at)];
    length -= at;
  }
  if (length > 0) yield writer.chunk("entries", concat(...run));
  yield writer.chunk("end", encodeCbor(cborMap([1, entries])));
}
