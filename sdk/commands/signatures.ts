/**
 * Signing with the private halves of pairs, and verifying with the public ones. A public half stands in the key's record, so
 * that it outlives the private one: what it may still verify is the lifecycle's business alone.
 */
import { requireBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import { MAX_MESSAGE } from "../crypto/core.js";
import type { Evidence, EvidenceKind, Mark, Permit as AnyPermit } from "../lifecycle/permits.js";
import type { Decision } from "../policy/model.js";
import { suspensionOf } from "../keys/history.js";
import type { KeyVersion } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { protectingVersion, requireUsable, requireVersion } from "../keys/use.js";
import { viewOfKey, type KeyVersionInfo } from "../keys/view.js";
import { decide } from "./decide.js";
import { evidenceOf, recordException, type GivenEvidence } from "./exceptions.js";
import { authorize, commandTime, usePolicy, type StoreContext } from "./execute.js";

type Permit = Extract<AnyPermit, { allowed: true }>;

/** A signature, with all that is needed to find its public key again. */
export interface Signature {
  /** 64 bytes, R ‖ S (RFC 8032). */
  signature: Uint8Array;
  /** The key's id. */
  key: string;
  version: number;
}

export interface VerifyOptions {
  /** The version that is to have signed. Default: any version of the key. */
  version?: number | undefined;
  /** How the caller knows when the message was signed, where the version's state asks for it. */
  evidence?: GivenEvidence | undefined;
  /** Accept a suspended version's signature on the evidence that it was made before the suspension. */
  acceptSuspended?: boolean | undefined;
}

/** A signature that is valid: whose it is, and what is to be said of that version by now. */
export interface Verification extends KeyVersionInfo {
  /** The key's id. */
  key: string;
  /** `compromised`: others may have the private half. `suspended`: accepted on the evidence. */
  mark?: Mark;
  /** What kind of evidence was accepted. */
  evidence?: EvidenceKind;
}

/**
 * Signs with the current version of a key.
 *
 * @param message - at most 1 MiB: Ed25519 reads it twice. Not modified.
 * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_NOT_USABLE`, `KEY_DESTROYED`, `MESSAGE_TOO_LARGE`
 */
export async function sign(
  context: StoreContext,
  reference: string,
  message: Uint8Array,
): Promise<Signature> {
  requireBytes(message, "message");
  if (message.length > MAX_MESSAGE) {
    throw new KeyloomError("MESSAGE_TOO_LARGE", {
      message: `a message to sign has at most ${MAX_MESSAGE} bytes; sign its digest where the protocol says so`,
      length: message.length,
      limit: MAX_MESSAGE,
    });
  }
  const { stored, decided } = await decide(context, reference, ({ record }) => {
    const time = commandTime(context, record.time);
    const row = protectingVersion(record, time);
    const decision = authorize(context, "sign", record, row.version);
    requireUsable(record, row, "sign", time, usePolicy(decision));
    return { decision, version: row.version };
  });
  const { decision, version } = decided;
  await context.usage.spend(context, stored, version, "sign", { operations: 1, bytes: message.length });
  const signature = await context.ring.use(stored, version, (pair) => context.vault.sign(pair, message));
  await context.uses.record(context, stored.record, version, "sign", decision);
  return { signature, key: idToString(stored.record.id), version };
}

/**
 * Verifies a signature with the public half of a version, whether or not its private half still exists. A use that only
 * evidence permits is audited, with the evidence, before it is answered.
 *
 * @returns only where the signature is valid and the version's state permits to say so
 * @throws {KeyloomError} `SIGNATURE_INVALID`; `KEY_NOT_USABLE`, whose reason says what is needed; `KEY_NOT_FOUND`,
 * `KEY_VERSION_NOT_FOUND`
 */
export async function verify(
  context: StoreContext,
  reference: string,
  message: Uint8Array,
  signature: Uint8Array,
  options: VerifyOptions,
): Promise<Verification> {
  requireBytes(message, "message");
  requireBytes(signature, "signature");
  const evidence = evidenceOf(options.evidence);
  const { stored, decided } = await decide(context, reference, (key) =>
    decideVerification(context, key, message, signature, { ...options, evidence }),
  );
  const { record } = stored;
  const { row, permit, authorized, time } = decided;
  const { version } = row;
  const { state, mark } = permit;
  if (mark === undefined) {
    await context.uses.record(context, record, version, "verify", authorized());
  } else {
    const subject = { key: record.id, version };
    const reasons = [`${state} version`];
    await recordException(context, {
      operation: "verify",
      decide: authorized,
      time,
      subject,
      reasons,
      evidence,
    });
  }
  const info = viewOfKey(record, time).versions.find((candidate) => candidate.version === version)!;
  return {
    ...info,
    key: idToString(record.id),
    ...(mark === undefined ? {} : { mark }),
    ...(permit.evidence === undefined ? {} : { evidence: permit.evidence }),
  };
}

/** Whose signature it is, and whether that version may say so now. */
async function decideVerification(
  context: StoreContext,
  { record }: StoredKey,
  message: Uint8Array,
  signature: Uint8Array,
  options: Omit<VerifyOptions, "evidence"> & { evidence: Evidence | undefined },
): Promise<{ row: KeyVersion; permit: Permit; authorized: () => Decision; time: number }> {
  const isBy = ({ publicKey }: KeyVersion): boolean =>
    publicKey !== undefined && context.verifySignature(publicKey, message, signature);
  const named = options.version === undefined ? undefined : requireVersion(record, options.version);
  const found = named === undefined ? record.versions.findLast(isBy) : undefined;
  const row = named ?? found ?? record.versions.at(-1)!;
  const time = commandTime(context, record.time);
  const authorized = (): Decision => authorize(context, "verify", record, row.version);
  const permit = requireUsable(record, row, "verify", time, usePolicy(authorized()), {
    evidence: options.evidence,
    acceptSuspended: options.acceptSuspended === true,
    suspendedAt: await suspensionOf(context.storage, context.records, record.id, row),
  });
  if (found === undefined && (named === undefined || !isBy(named))) {
    throw new KeyloomError("SIGNATURE_INVALID", {
      message: "the signature is not one of this key for this message",
      keyId: idToString(record.id),
      ...(named === undefined ? {} : { version: named.version }),
    });
  }
  return { row, permit, authorized, time };
}

export interface PublicKey {
  /** The key's id. */
  key: string;
  version: number;
  algorithm: string;
  /** 32 bytes: RFC 8032 or RFC 7748. */
  raw: Uint8Array;
}

/**
 * The public half of a version, in whatever state it is.
 *
 * @param version - default: the current version, else the newest
 * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_VERSION_NOT_FOUND`; `KEY_USAGE_CONFLICT` for a key that is no pair
 */
export async function publicKeyOf(
  context: StoreContext,
  reference: string,
  version?: number,
): Promise<PublicKey> {
  const { record }: StoredKey = await context.ring.require(reference);
  authorize(context, "read", record);
  const view = viewOfKey(record, commandTime(context));
  const row =
    version === undefined
      ? (record.versions[view.versions.findIndex(({ current }) => current)] ?? record.versions.at(-1)!)
      : requireVersion(record, version);
  if (row.publicKey === undefined) {
    throw new KeyloomError("KEY_USAGE_CONFLICT", {
      message: `${view.algorithm} keys have no public half`,
      keyId: view.id,
    });
  }
  return { key: view.id, version: row.version, algorithm: view.algorithm, raw: row.publicKey.slice() };
}
