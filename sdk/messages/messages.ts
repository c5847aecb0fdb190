/** Encrypting and decrypting with managed keys: look up, decide, choose the version, use it. */
import { requireBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import { randomBytes } from "../foundation/random.js";
import type { Handle } from "../crypto/core.js";
import { readForChange } from "../commands/change-state.js";
import { authorize, commandTime, usePolicy, type StoreContext } from "../commands/execute.js";
import { decide } from "../commands/decide.js";
import { evidenceOf, recordException, type GivenEvidence } from "../commands/exceptions.js";
import type { State } from "../lifecycle/states.js";
import type { Evidence, Mark } from "../lifecycle/permits.js";
import { suspensionOf } from "../keys/history.js";
import type { StoredKey } from "../keys/reads.js";
import type { Decision } from "../policy/model.js";
import { protectingVersion, requireUsable, requireVersion } from "../keys/use.js";
import type { AgeSource } from "./age/byte-source.js";
import { decryptAgeStream, encryptAgeStream } from "./age/file.js";
import { MAX_STANZAS, type Stanza } from "./age/header.js";
import { parseManagedKeyStanza, unwrapManagedKeyStanza, wrapManagedKeyStanza } from "./age/stanza.js";
import { parseRecipients, wrapX25519Stanza } from "./age/x25519.js";
import { isIdentity, unwrapWithIdentity } from "./managed-identity.js";
import { openEnvelope, parseEnvelope, requireEnvelopeSize, sealEnvelope } from "./envelope.js";

export interface MessageOptions {
  /** Associated data: bound to the message, not stored in it. The same bytes are needed to open it. */
  aad?: Uint8Array | undefined;
}

export interface EncryptStreamOptions {
  /** Others who may read the file, each by an identity of age alone: X25519 recipients `age1…`. At most 127. */
  recipients?: readonly string[] | undefined;
  /** Write the file as text, in ASCII armor: a third longer, safe for mail and chats. */
  armor?: boolean | undefined;
}

const NO_AAD = new Uint8Array(0);

function aadOf(options: MessageOptions): Uint8Array {
  const aad = options.aad ?? NO_AAD;
  requireBytes(aad, "aad");
  return aad;
}

/** The current version, allowed to encrypt now. @param usage - `agree`: to its public half */
function encrypting(
  context: StoreContext,
  { record }: StoredKey,
  usage: "encrypt" | "agree" = "encrypt",
): { version: number; publicKey: Uint8Array | undefined; decision: Decision } {
  const time = commandTime(context, record.time);
  const row = protectingVersion(record, time);
  const { version, publicKey } = row;
  const decision = authorize(context, "encrypt", record, version);
  requireUsable(record, row, usage, time, usePolicy(decision));
  return { version, publicKey, decision };
}

/** Runs `use` with the handle of a version that may decrypt now. `use` is synchronous. */
async function decryptWith<T>(
  context: StoreContext,
  keyId: Id,
  version: number,
  use: (handle: Handle) => T,
): Promise<T> {
  const { stored, decided: decision } = await decide(context, idToString(keyId), ({ record }) => {
    const allowed = authorize(context, "decrypt", record, version);
    const row = requireVersion(record, version);
    requireUsable(record, row, "decrypt", commandTime(context, record.time), usePolicy(allowed));
    return allowed;
  });
  const result = await context.ring.use(stored, version, use);
  await context.uses.record(context, stored.record, version, "decrypt", decision);
  return result;
}

/**
 * Encrypts a short message (at most 1 MiB) under the current version of a key, into a compact envelope.
 *
 * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_NOT_USABLE`, `KEY_DESTROYED`, `MESSAGE_TOO_LARGE`
 */
export async function encryptMessage(
  context: StoreContext,
  reference: string,
  plaintext: Uint8Array,
  options: MessageOptions,
): Promise<Uint8Array> {
  requireBytes(plaintext, "plaintext");
  requireEnvelopeSize(plaintext);
  const aad = aadOf(options);
  const { stored, decided } = await decide(context, reference, (key) => encrypting(context, key));
  const { version, decision } = decided;
  await context.usage.spend(context, stored, version, "encrypt", {
    operations: 1,
    bytes: plaintext.length,
  });
  const sealed = await context.ring.use(stored, version, (handle) =>
    sealEnvelope(context.vault, handle, stored.record.id, version, plaintext, aad),
  );
  await context.uses.record(context, stored.record, version, "encrypt", decision);
  return sealed;
}

/**
 * Opens an envelope with the key version that it names.
 *
 * @throws {KeyloomError} `MESSAGE_MALFORMED`, `MESSAGE_AUTHENTICATION_FAILED`, `KEY_NOT_FOUND`, `KEY_NOT_USABLE`
 */
export async function decryptMessage(
  context: StoreContext,
  sealed: Uint8Array,
  options: MessageOptions,
): Promise<Uint8Array> {
  requireBytes(sealed, "sealed");
  const aad = aadOf(options);
  const envelope = parseEnvelope(sealed);
  return decryptWith(context, envelope.keyId, envelope.keyVersion, (handle) =>
    openEnvelope(context.vault, handle, envelope, aad),
  );
}

/** A message opened by exception, with all that is to be said of it. */
export interface RecoveredMessage {
  plaintext: Uint8Array;
  /** The key's id. */
  key: string;
  version: number;
  state: State;
  /** `compromised`: whoever has the key may have written or read it. `suspended`: accepted on the evidence. */
  mark?: Mark;
  /** Somebody else may have the key: see `KeyVersionInfo`. */
  exposed: boolean;
  /** What kind of evidence was accepted. */
  evidence?: Evidence["kind"];
}

export interface RecoverOptions extends MessageOptions {
  /** For a suspended version: how the caller knows that the message was made before the suspension. */
  evidence?: GivenEvidence | undefined;
  /** For a compromised version: the message is to be read once more, so that it can be protected anew. */
  recovery?: boolean | undefined;
}

/**
 * Opens an envelope although its version is suspended or compromised, when the caller asks for it and brings what that
 * state demands. Such a use is audited, with the evidence, before the message is handed out.
 *
 * @throws {KeyloomError} as `decryptMessage`; `KEY_NOT_USABLE` says what is still needed
 */
export async function recoverMessage(
  context: StoreContext,
  sealed: Uint8Array,
  options: RecoverOptions,
): Promise<RecoveredMessage> {
  requireBytes(sealed, "sealed");
  const aad = aadOf(options);
  const envelope = parseEnvelope(sealed);
  const { recovery } = options;
  const evidence = evidenceOf(options.evidence);
  const stored = await readForChange(context, idToString(envelope.keyId));
  const { record } = stored;
  const ask = (): Decision => authorize(context, "decrypt", record, envelope.keyVersion);
  const policy = usePolicy(ask());
  const row = requireVersion(record, envelope.keyVersion);
  const { version } = row;
  const suspendedAt = await suspensionOf(context.storage, context.records, record.id, row);
  const time = commandTime(context, record.time);
  const exception = { evidence, recovery };
  const permit = requireUsable(record, row, "decrypt", time, policy, {
    ...exception,
    suspendedAt,
  });
  const open = (handle: Handle): Uint8Array => openEnvelope(context.vault, handle, envelope, aad);
  const plaintext = await context.ring.use(stored, version, open, exception);
  await recordException(context, {
    operation: "decrypt",
    decide: ask,
    time,
    subject: { key: record.id, version },
    reasons: [`${permit.state} version`, ...(recovery === true ? ["recovery"] : [])],
    evidence,
  });
  const { state, mark } = permit;
  return {
    plaintext,
    key: idToString(record.id),
    version,
    state,
    exposed: row.exposed,
    ...(mark === undefined ? {} : { mark }),
    ...(permit.evidence === undefined ? {} : { evidence: permit.evidence }),
  };
}

/**
 * Encrypts data of any length as an age v1 file, its file key wrapped under the current version of a key.
 *
 * The key is looked up when the result is first read; a refusal fails the stream.
 *
 * @param requireOpen - throws once the store is closed: then that is why the stream fails
 */
export function encryptStream(
  context: StoreContext,
  reference: string,
  source: AgeSource,
  options: EncryptStreamOptions,
  requireOpen: () => void,
): ReadableStream<Uint8Array> {
  const recipients = parseRecipients(options.recipients ?? [], MAX_STANZAS - 1);
  return encryptAgeStream(
    {
      vault: context.vault,
      requireOpen,
      armor: options.armor,
      random: (length) => randomBytes(context.random, length),
      stanzas: async (fileKey) => {
        const { stored, decided } = await decide(context, reference, (key) =>
          encrypting(context, key, isIdentity(key.record) ? "agree" : "encrypt"),
        );
        const { version, decision, publicKey } = decided;
        requireUncountedBytes(stored, version);
        await context.usage.spend(context, stored, version, "encrypt", { operations: 1, bytes: 0 });
        const toOthers = (others: readonly Uint8Array[]): Stanza[] =>
          others.map((recipient) => wrapX25519Stanza(context.vault, recipient, fileKey));
        const wrapped =
          publicKey !== undefined
            ? toOthers([publicKey, ...recipients])
            : await context.ring.use(stored, version, (handle) => [
                wrapManagedKeyStanza(context.vault, handle, stored.record.id, version, fileKey),
                ...toOthers(recipients),
              ]);
        await context.uses.record(context, stored.record, version, "encrypt", decision);
        return wrapped;
      },
    },
    source,
  );
}

/** Nobody knows at the beginning of a stream how long it will be: a limit in bytes could be found reached in its middle. */
function requireUncountedBytes({ record }: StoredKey, version: number): void {
  if (requireVersion(record, version).limits?.bytes === undefined) return;
  throw new KeyloomError("KEY_NOT_USABLE", {
    message: "a key with a limit in bytes encrypts messages, not streams",
    keyId: idToString(record.id),
    version,
    reason: "limit-in-bytes",
  });
}

/**
 * Decrypts an age v1 file, armored or not, that names a managed key of this store, or that is encrypted to the pair `identity`. Chunks leave once authenticated; that nothing
 * is missing is known only at the end of the stream.
 */
export function decryptStream(
  context: StoreContext,
  source: AgeSource,
  { identity }: { identity?: string | undefined },
  requireOpen: () => void,
): ReadableStream<Uint8Array> {
  return decryptAgeStream(
    {
      vault: context.vault,
      requireOpen,
      unwrapFileKey: async (stanzas) => {
        if (identity !== undefined) return unwrapWithIdentity(context, identity, stanzas);
        for (const candidate of stanzas) {
          const stanza = parseManagedKeyStanza(candidate);
          if (stanza === null) continue;
          return decryptWith(context, stanza.keyId, stanza.keyVersion, (handle) =>
            unwrapManagedKeyStanza(context.vault, handle, stanza),
          );
        }
        throw new KeyloomError("MESSAGE_NO_MATCH", {
          message: "the file is not encrypted to a managed key",
        });
      },
    },
    source,
  );
}
