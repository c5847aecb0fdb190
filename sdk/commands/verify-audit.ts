/** Verifying the audit as a whole, proving single entries, and handing all of it out with its proofs. */
import { fromBase64, toBase64 } from "../foundation/base64.js";
import { equalBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { BULK_ROW_LENGTH } from "../audit/event.js";
import {
  allCheckpoints,
  latestCheckpoint,
  openCheckpoint,
  type StoredCheckpoint,
} from "../audit/checkpoint.js";
import { damagedLog, tileReader } from "../audit/log.js";
import { decodeVerifierKey, type NoteKey } from "../audit/note.js";
import { HASH_LENGTH, proveConsistency, proveInclusion, type TileReader } from "../audit/tree.js";
import { viewOfEntry, type AuditEntry } from "../audit/view.js";
import { AuditWalk, readLogged } from "../audit/walk.js";
import { numberOfKey, PREFIX } from "../storage/keyspace.js";
import { makeCheckpoint, noteKeyOf, originOf, viewOfCheckpoint, type AuditCheckpoint } from "./checkpoint.js";
import { authorize, type StoreContext } from "./execute.js";

export interface VerifyAuditOptions {
  /** A checkpoint that was kept elsewhere (its note): the log must go on from it. */
  checkpoint?: string | undefined;
  /** The key that it was signed with, as `checkpointAudit` said. Default: the keys of the store's own checkpoints. */
  verifierKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** What was verified. */
export interface AuditReport {
  /** All entries, those that wait for the log included. */
  entries: number;
  waiting: number;
  writers: number;
  /** How many times a key version is named, in bulk events too. */
  keys: number;
  log: { size: number; root: string };
  /** The store's own checkpoints: how many, and the last one. */
  checkpoints: number;
  checkpoint: AuditCheckpoint | null;
}

/**
 * Verifies everything: every writer's chain, the log's tree, and that it holds what its checkpoints say.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` naming what is wrong; `AUDIT_CHECKPOINT_INVALID` for a signature that is
 */
export async function verifyAudit(
  context: StoreContext,
  { checkpoint, verifierKey, signal }: VerifyAuditOptions,
): Promise<AuditReport> {
  authorize(context, "audit", null);
  const own = await allCheckpoints(context);
  const claims: { size: number; root: Uint8Array }[] = [];
  for (const stored of own) claims.push(await requireSigned(context, stored));
  if (checkpoint !== undefined) claims.push(await openForeign(context, checkpoint, verifierKey, own));
  let unmet = claims.length;
  const walk = new AuditWalk(
    context,
    claims.map(({ size, root }) => ({
      size,
      onRoot(found) {
        if (!equalBytes(found, root))
          throw damagedLog(`it is not what its checkpoint at ${size} says`, { size });
        unmet--;
      },
    })),
  );
  const report = { entries: 0, waiting: 0, keys: 0 };
  const signed: Uint8Array[] = [];
  for await (const { body, index } of walk.entries()) {
    signal?.throwIfAborted();
    report.entries++;
    if (index === null) report.waiting++;
    if (body.kind === "event") {
      for (const { storageKey } of body.records) {
        if (storageKey[0] === PREFIX.auditCheckpoint) signed.push(storageKey);
      }
      report.keys += body.subjects.length + (body.bulk?.length ?? 0) / BULK_ROW_LENGTH;
    }
  }
  const missing = (await context.storage.getMany(signed)).indexOf(null);
  if (missing >= 0) throw damagedLog(`its checkpoint at ${numberOfKey(signed[missing]!)} is missing`);
  if (unmet > 0) throw damagedLog(`it has ${walk.size} entries, fewer than a checkpoint says`);
  const latest = own.at(-1);
  return {
    ...report,
    writers: walk.writers,
    log: { size: walk.size, root: toBase64(walk.root) },
    checkpoints: own.length,
    checkpoint: latest === undefined ? null : await viewOfCheckpoint(context, latest),
  };
}

async function requireSigned(context: StoreContext, stored: StoredCheckpoint): Promise<StoredCheckpoint> {
  const { size, root } = openCheckpoint(stored.note, await noteKeyOf(context, stored), context);
  if (size === stored.size && equalBytes(root, stored.root)) return stored;
  throw damagedLog(`its checkpoint at ${stored.size} was signed for another`, { size: stored.size });
}

async function openForeign(
  context: StoreContext,
  note: string,
  verifierKey: string | undefined,
  own: readonly StoredCheckpoint[],
): Promise<{ size: number; root: Uint8Array }> {
  const keys: NoteKey[] = [];
  if (verifierKey !== undefined) keys.push(decodeVerifierKey(verifierKey, context));
  else for (const stored of own) keys.push(await noteKeyOf(context, stored));
  const different = new Map(keys.map((key) => [`${key.name} ${toBase64(key.publicKey)}`, key]));
  let failure: unknown = new KeyloomError("AUDIT_CHECKPOINT_INVALID", {
    message: `no checkpoint of ${originOf(context)} says which key to verify this one with`,
  });
  for (const key of different.values()) {
    try {
      return openCheckpoint(note, key, context);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** An entry's place in the log, proved. */
export interface AuditProof {
  index: number;
  entry: AuditEntry;
  /** The entry's bytes: SHA-256(00 ‖ leaf) is the leaf hash (RFC 6962 §2.1). */
  leaf: Uint8Array;
  /** Hashes of 32 bytes, the leaf's neighbour first. */
  proof: Uint8Array[];
  /** The checkpoint to whose root they lead. */
  checkpoint: AuditCheckpoint;
  /** Index, proof and checkpoint as one text: a C2SP `tlog-proof`. */
  text: string;
}

/**
 * Proves that an entry stands in the log, by a checkpoint; one is made where none reaches so far.
 *
 * @throws {KeyloomError} `AUDIT_ENTRY_NOT_FOUND` for an index that the log does not have
 */
export async function proveAudit(context: StoreContext, index: number): Promise<AuditProof> {
  authorize(context, "audit", null);
  let stored = await latestCheckpoint(context);
  if (Number.isSafeInteger(index) && index >= (stored?.size ?? 0)) stored = await makeCheckpoint(context);
  if (stored === null || !Number.isSafeInteger(index) || index < 0 || index >= stored.size) {
    throw new KeyloomError("AUDIT_ENTRY_NOT_FOUND", {
      message: `the log has no entry ${index}; entries count from 0`,
      index,
      size: stored?.size ?? 0,
    });
  }
  const link = await readLogged(context, index);
  const proof = await proveInclusion(context.tree, index, stored.size, tileReader(context));
  const checkpoint = await viewOfCheckpoint(context, stored);
  const lines = ["c2sp.org/tlog-proof@v1", `index ${index}`, ...proof.map(toBase64), ""];
  const text = `${lines.join("\n")}\n${checkpoint.note}`;
  return { index, entry: viewOfEntry(link), leaf: link.bytes.slice(), proof, checkpoint, text };
}

export interface AuditConsistency {
  from: number;
  /** Hashes of 32 bytes, in the order of RFC 6962 §2.1.2. */
  proof: Uint8Array[];
  /** The checkpoint of the larger log. */
  checkpoint: AuditCheckpoint;
}

/**
 * Proves that the log of the latest checkpoint goes on from that of `from` entries.
 *
 * @throws {KeyloomError} `AUDIT_ENTRY_NOT_FOUND` for a size that the log does not have
 */
export async function proveAuditConsistency(context: StoreContext, from: number): Promise<AuditConsistency> {
  authorize(context, "audit", null);
  const stored = (await latestCheckpoint(context)) ?? (await makeCheckpoint(context));
  if (!Number.isSafeInteger(from) || from < 0 || from > stored.size) {
    throw new KeyloomError("AUDIT_ENTRY_NOT_FOUND", {
      message: `the log of the latest checkpoint has ${stored.size} entries, not ${from}`,
      size: stored.size,
    });
  }
  const proof = await proveConsistency(context.tree, from, stored.size, tileReader(context));
  return { from, proof, checkpoint: await viewOfCheckpoint(context, stored) };
}

/**
 * All entries as JSON lines, each with its proof, under a checkpoint made for it: docs/FORMATS.md says what they hold. They
 * are verified on the way; who reads to the end knows that nothing is missing.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` as `verifyAudit`
 */
export async function* exportAudit(context: StoreContext): AsyncGenerator<string, void> {
  const stored = await makeCheckpoint(context);
  const { size } = stored;
  const { note, verifierKey, origin, root } = await viewOfCheckpoint(context, stored);
  yield JSON.stringify({ checkpoint: note, verifierKey, origin, size, root });
  const read = cached(tileReader(context));
  const expected = fromBase64(root)!;
  const onRoot = (found: Uint8Array): void => {
    if (!equalBytes(found, expected))
      throw damagedLog(`it is not what its checkpoint at ${size} says`, { size });
  };
  for await (const link of new AuditWalk(context, [{ size, onRoot }]).entries()) {
    const { index, bytes } = link;
    if (index === null || index >= size) continue;
    const proof = await proveInclusion(context.tree, index, size, read);
    const entry = viewOfEntry(link);
    yield JSON.stringify({
      index,
      writer: entry.writer,
      sequence: entry.sequence,
      leaf: toBase64(bytes),
      proof: proof.map(toBase64),
      entry,
    });
  }
}

/** So many tiles are kept: those that neighbours' proofs have in common. */
const CACHED_TILES = 64;

/** Tiles that were read before, as long as they are wide enough. */
function cached(read: TileReader): TileReader {
  const known = new Map<string, Uint8Array>();
  return async (places) => {
    const nameOf = ({ level, index }: { level: number; index: number }): string => `${level}/${index}`;
    const missing = places.filter(
      (place) => (known.get(nameOf(place))?.length ?? 0) < place.width * HASH_LENGTH,
    );
    if (known.size > CACHED_TILES) known.clear();
    const wanted = known.size === 0 ? places : missing;
    const found = wanted.length === 0 ? [] : await read(wanted);
    wanted.forEach((place, i) => known.set(nameOf(place), found[i]!));
    return places.map((place) => known.get(nameOf(place))!);
  };
}
