/** The wrapping side of a command that puts material: which version wraps, and that its gate is open. */
import { equalBytes } from "../foundation/bytes.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import { halvesOf, ownUsages, USAGES } from "../crypto/algorithms.js";
import { ALGORITHM, type Handle, type KeyTemplate } from "../crypto/core.js";
import { encodeMaterialAttributes, materialBody, ROOT_ID } from "../crypto/material.js";
import type { UnsealedRecord } from "../crypto/records.js";
import type { KeyRecord } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { readGate } from "../keys/store-records.js";
import { protectingVersion, requireUsable } from "../keys/use.js";
import type { Check } from "../storage/adapter.js";
import { keyspace, ranges } from "../storage/keyspace.js";
import { authorize, commandTime, usePolicy, type StoreContext } from "./execute.js";

/** What wrapping a key counts as: all managed keys have this length. */
const WRAPPED_BYTES = 32;

/** A wrapping-key version that material may be put under now. */
export interface WrappingVersion {
  kek: Id;
  version: number;
  /** Its algorithm. */
  algorithm: number;
  /** The wrapping key; `null` for the root key. */
  stored: StoredKey | null;
  /** Somebody else may have it: what is put under it is exposed from the beginning. */
  exposed: boolean;
  /** That the gate is still as it was seen: open. */
  gateCheck: Check;
}

/**
 * The current version of a wrapping key, allowed to protect and with an open gate.
 *
 * @param kek - `ROOT_ID` for the root key
 * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_NOT_USABLE`
 */
export async function openWrappingVersion(context: StoreContext, kek: Id): Promise<WrappingVersion> {
  try {
    return await findWrappingVersion(context, kek);
  } catch (error) {
    if (!isKeyloomError(error, "KEY_NOT_USABLE")) throw error;
    // It may have a newer version since it was cached: renewed elsewhere, its old version destroyed.
    context.ring.dropRecord(kek);
    return findWrappingVersion(context, kek);
  }
}

async function findWrappingVersion(context: StoreContext, kek: Id): Promise<WrappingVersion> {
  const { ring, storage, records } = context;
  let version = ring.root.version;
  let stored: StoredKey | null = null;
  let exposed = false;
  if (!equalBytes(kek, ROOT_ID)) {
    stored = await ring.lookupId(kek);
    if (stored === null) {
      throw new KeyloomError("KEY_NOT_FOUND", {
        message: "there is no such wrapping key",
        keyId: idToString(kek),
      });
    }
    const time = commandTime(context, stored.record.time);
    const row = protectingVersion(stored.record, time);
    const decision = authorize(context, "wrap", stored.record, row.version);
    requireUsable(stored.record, row, "wrap", time, usePolicy(decision));
    ({ version, exposed } = row);
  }
  const gate = await readGate(storage, records, kek, version);
  if (gate === null) {
    throw new KeyloomError("STORE_DAMAGED", {
      message: `the gate of version ${version} is missing`,
      keyId: idToString(kek),
    });
  }
  if (!gate.open) {
    throw new KeyloomError("KEY_NOT_USABLE", {
      message: `nothing can be put under version ${version} of this wrapping key any more`,
      keyId: idToString(kek),
      version,
      reason: "gate-closed",
    });
  }
  return {
    kek,
    version,
    algorithm: stored?.record.algorithm ?? ALGORITHM.XCHACHA20_POLY1305,
    stored,
    exposed,
    gateCheck: { key: keyspace.gate(kek, version), version: gate.storageVersion },
  };
}

/** Counts that so many keys are put under a version, where it has limits. */
export async function spendWrapping(
  context: StoreContext,
  { stored, version }: WrappingVersion,
  count: number,
): Promise<void> {
  if (stored === null) return;
  const need = { operations: count, bytes: count * WRAPPED_BYTES };
  await context.usage.spend(context, stored, version, "wrap", need);
}

/** Runs `use` with the handle of a wrapping version. `use` is synchronous: the handle may be wiped after it. */
export async function withWrapping<T>(
  { ring }: StoreContext,
  wrapping: WrappingVersion,
  use: (handle: Handle) => T,
): Promise<T> {
  return wrapping.stored === null ? use(ring.root.handle) : ring.use(wrapping.stored, wrapping.version, use);
}

/** Makes a key in a slot that is to be of this kind. It is wiped once it is wrapped. */
export type MakeKey = (template: KeyTemplate) => Handle | Promise<Handle>;

/** A version's material, and the key's record with the version's public half in it where it is a pair. */
export interface WrappedVersion {
  record: KeyRecord;
  material: UnsealedRecord;
}

/**
 * Makes a version's material under `wrapping`.
 *
 * @param make - where it isn't generated
 */
export async function wrapMaterial(
  context: StoreContext,
  record: KeyRecord,
  version: number,
  wrapping: WrappingVersion,
  make?: MakeKey,
): Promise<WrappedVersion> {
  const { vault } = context;
  const { id, algorithm, usages, exportable } = record;
  const attributes = encodeMaterialAttributes({
    algorithm,
    usages,
    exportable,
    key: id,
    version,
    kek: wrapping.kek,
    kekVersion: wrapping.version,
    kekAlgorithm: wrapping.algorithm,
  });
  const versionOf = (wrapped: Uint8Array, publicKey?: Uint8Array): WrappedVersion => ({
    record: publicKey === undefined ? record : withPublicKey(record, version, publicKey),
    material: {
      storageKey: keyspace.material(wrapping.kek, wrapping.version, id, version),
      revision: 1,
      body: materialBody(attributes, wrapped),
    },
  });
  const isPair = halvesOf(algorithm) !== null;
  if (make === undefined && !isPair) {
    return withWrapping(context, wrapping, (kek) =>
      versionOf(vault.generateAndWrapBatch(kek, attributes, 1)),
    );
  }
  const key = await (make ?? vault.generate)({ algorithm, usages, exportable, id, version });
  try {
    return await withWrapping(context, wrapping, (kek) =>
      versionOf(vault.wrap(kek, key), isPair ? vault.publicKey(key) : undefined),
    );
  } finally {
    vault.dispose(key);
  }
}

/** The record with the public half of a version in it. */
export function withPublicKey(record: KeyRecord, version: number, publicKey: Uint8Array): KeyRecord {
  const versions = record.versions.map((row) => (row.version === version ? { ...row, publicKey } : row));
  return { ...record, versions };
}

/** How many keys lie under these versions of a wrapping key. */
export async function countUnder(
  { storage }: StoreContext,
  kek: Id,
  versions: readonly number[],
): Promise<number> {
  let count = 0;
  for (const version of versions) count += await storage.count(ranges.materialUnder(kek, version));
  return count;
}

/** A key that wraps others needs a gate for each of its versions. */
export function wrapsKeys({ algorithm, usages }: KeyRecord): boolean {
  return (ownUsages(algorithm, usages) & USAGES.wrap) !== 0;
}
