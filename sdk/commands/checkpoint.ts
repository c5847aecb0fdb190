/** Checkpoints of the audit log: what the log says, signed with a managed key pair of the store. */
import { toBase64 } from "../foundation/base64.js";
import { equalBytes, utf8 } from "../foundation/bytes.js";
import { isKeyloomError } from "../foundation/errors.js";
import { idToString, parseId, type Id } from "../foundation/ids.js";
import { ROOT_ID } from "../crypto/material.js";
import {
  checkpointRecord,
  encodeCheckpoint,
  latestCheckpoint,
  type StoredCheckpoint,
} from "../audit/checkpoint.js";
import { damagedLog, readLogHead, tileReader } from "../audit/log.js";
import { encodeNote, encodeVerifierKey, type NoteKey } from "../audit/note.js";
import { rootAt } from "../audit/tree.js";
import { readLogged } from "../audit/walk.js";
import { keyspace } from "../storage/keyspace.js";
import { noChange, planOf } from "./change.js";
import { checkCreateOptions, createKey } from "./create.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";
import { sequencerOf } from "./sequence.js";
import { publicKeyOf, sign } from "./signatures.js";

/** The key pair that signs checkpoints, made when the first one is. Rotate it as any other. */
export const CHECKPOINT_KEY = "keyloom/audit-checkpoint";

/** A signed checkpoint. */
export interface AuditCheckpoint {
  /** The log's name, and that of the key on the signature line. */
  origin: string;
  /** How many entries the log had. */
  size: number;
  /** The root of the tree over them, in base64. */
  root: string;
  /** The checkpoint itself: a C2SP signed note. Keep one elsewhere: it shows whether the store was set back. */
  note: string;
  /** The public key in the form that verifiers of such notes take. */
  verifierKey: string;
  /** The signing key's id, and its version. */
  key: string;
  version: number;
}

/** What signs a log's checkpoints. */
interface LogSigner {
  sign(text: Uint8Array): Promise<{ signature: Uint8Array; publicKey: Uint8Array; key: Id; version: number }>;
}

/** The log's name: its store's id makes it one of its own, also where a copy of the store goes another way. */
export function originOf({ records }: Pick<StoreContext, "records">): string {
  return `keyloom.dev/audit/${idToString(records.key.prefix.slice(48))}`;
}

/** The origin of a stored checkpoint: of the store that this one was restored from, where it is older than that. */
function originIn(note: string): string {
  return note.slice(0, note.indexOf("\n"));
}

async function managedSigner(context: StoreContext): Promise<LogSigner> {
  if ((await context.ring.lookup(CHECKPOINT_KEY)) === null) await makeKey(context);
  return {
    async sign(text) {
      const { signature, key, version } = await sign(context, CHECKPOINT_KEY, text);
      const { raw } = await publicKeyOf(context, key, version);
      return { signature, publicKey: raw, key: parseId(key), version };
    },
  };
}

async function makeKey(context: StoreContext): Promise<void> {
  const options = { name: CHECKPOINT_KEY, algorithm: "Ed25519", usages: ["sign", "verify"] } as const;
  try {
    await createKey(context, checkCreateOptions(options), ROOT_ID);
  } catch (error) {
    // Another process was first.
    if (!isKeyloomError(error, "KEY_NAME_TAKEN")) throw error;
  }
}

/** The key that signed a checkpoint, as verifiers know it. */
export async function noteKeyOf(
  context: StoreContext,
  { key, version, note }: Pick<StoredCheckpoint, "key" | "version" | "note">,
): Promise<NoteKey> {
  return { name: originIn(note), publicKey: (await publicKeyOf(context, idToString(key), version)).raw };
}

export async function viewOfCheckpoint(
  context: StoreContext,
  stored: StoredCheckpoint,
): Promise<AuditCheckpoint> {
  return {
    origin: originIn(stored.note),
    size: stored.size,
    root: toBase64(stored.root),
    note: stored.note,
    verifierKey: encodeVerifierKey(await noteKeyOf(context, stored), context),
    key: idToString(stored.key),
    version: stored.version,
  };
}

/**
 * Moves all entries to the log and signs what it then says. An idle log is not signed again.
 *
 * @throws {KeyloomError} `STORE_DAMAGED` for a log that does not go on from its last checkpoint; as `sign`
 */
export async function makeCheckpoint(context: StoreContext): Promise<StoredCheckpoint> {
  authorize(context, "audit", null);
  // First, so that its own event is among what is signed.
  const signer = await managedSigner(context);
  await sequencerOf(context).run({ pause: () => Promise.resolve(), report: () => undefined });
  const { size, root } = await readLogHead(context);
  const latest = await latestCheckpoint(context);
  await requireConsistent(context, latest, size, root);
  if (latest !== null && (await isIdle(context, latest, size))) return latest;

  const text = encodeCheckpoint({ origin: originOf(context), size, root, extensions: "" });
  const { signature, publicKey, key, version } = await signer.sign(utf8(text));
  const note = encodeNote(text, { name: originOf(context), publicKey }, signature, context);
  const stored: StoredCheckpoint = { size, root, note, key, version };
  await execute(context, async () => {
    const decision = authorize(context, "audit", null);
    const change = noChange();
    const storageKey = keyspace.auditCheckpoint(size);
    const before = await context.storage.get(storageKey);
    // Two processes may sign the same: the texts are equal.
    change.checks.push({ key: storageKey, version: before?.version ?? null });
    change.records.push(checkpointRecord(stored));
    change.subjects.push({ key, version });
    const more = { operation: "checkpoint" };
    return {
      result: undefined,
      plan: planOf(context, "audit", decision, change, commandTime(context), more),
    };
  });
  return stored;
}

/** Nothing has come since but the event of the last checkpoint. */
async function isIdle(context: StoreContext, latest: StoredCheckpoint, size: number): Promise<boolean> {
  if (latest.size === size) return true;
  if (latest.size + 1 !== size) return false;
  const { body } = await readLogged(context, latest.size);
  return body.kind === "event" && body.operation === "checkpoint";
}

/** A log must not sign what is not consistent with what it has signed (C2SP tlog-checkpoint). */
async function requireConsistent(
  context: StoreContext,
  latest: StoredCheckpoint | null,
  size: number,
  root: Uint8Array,
): Promise<void> {
  const read = tileReader(context);
  if (!equalBytes(await rootAt(context.tree, size, read), root)) {
    throw damagedLog("its tiles don't lead to its root");
  }
  if (latest === null) return;
  if (latest.size <= size && equalBytes(await rootAt(context.tree, latest.size, read), latest.root)) return;
  throw damagedLog(`it does not go on from its checkpoint at ${latest.size}`, { size: latest.size });
}
