/**
 * Root slots (as in LUKS): each way to unlock wraps the same root key. The table is MACed under a key that only
 * the root key gives, so a slot can't be added or changed by somebody who can't unlock.
 */
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import {
  ALGORITHM,
  deriveFromPassword,
  USAGE,
  wrappedLength,
  type Handle,
  type KeyTemplate,
  type Vault,
} from "../crypto/core.js";
import { encodeMaterialAttributes, ROOT_ID } from "../crypto/material.js";
import { decodeKdf, kdfFields, type SlotKdf } from "./kdfs.js";
import type { UnlockMethod } from "./methods.js";

export const MAX_SLOTS = 8;
export const RAW_KEY_LENGTH = 32;
export interface RootSlot {
  id: Id;
  kdf: SlotKdf;
  /** The root key wrapped under what the KDF gives, bound to the slot's id. */
  wrapped: Uint8Array;
}

export interface SlotTable {
  rootVersion: number;
  slots: readonly RootSlot[];
}

export function encodeSlotTable(table: SlotTable): Uint8Array {
  return encodeCbor(
    cborMap(
      [1, table.rootVersion],
      [2, table.slots.map(({ id, kdf, wrapped }) => cborMap([1, id], ...kdfFields(kdf), [5, wrapped]))],
    ),
  );
}

/** @throws {KeyloomError} `UNLOCK_KDF_OUT_OF_BOUNDS`, `CBOR_INVALID`, `STORE_NEWER_FORMAT` for an unknown KDF */
export function decodeSlotTable(body: Uint8Array): SlotTable {
  const reader = CborReader.decode(body, "the slot table");
  return {
    rootVersion: reader.uint(1, 0xffff_ffff),
    slots: reader.readers(2, MAX_SLOTS).map((slot) => ({
      id: slot.bytes(1, ID_LENGTH),
      kdf: decodeKdf(slot),
      wrapped: slot.bytes(5, wrappedLength(32)),
    })),
  };
}

/** What a slot's key may do: wrap and unwrap the root key. */
function slotTemplate(id: Id): KeyTemplate {
  return {
    algorithm: ALGORITHM.XCHACHA20_POLY1305,
    usages: USAGE.WRAP | USAGE.UNWRAP,
    exportable: false,
    id,
    version: 1,
  };
}

export const ROOT_USAGES = USAGE.WRAP | USAGE.UNWRAP | USAGE.MAC_GENERATE | USAGE.MAC_VERIFY;

/** Argon2id is computed in a worker where there is one: it takes a tenth of a second and more. */
async function slotKey(vault: Vault, id: Id, kdf: SlotKdf, secret: Uint8Array): Promise<Handle> {
  const template = slotTemplate(id);
  switch (kdf.name) {
    case "raw":
      return vault.import(template, secret);
    case "PBKDF2-HMAC-SHA256":
      return vault.deriveFromPassword(template, secret, kdf.salt, kdf.iterations);
    case "Argon2id":
      return deriveFromPassword(vault, secret, { template, salt: kdf.salt, kdf });
  }
}

/** Wraps the root key for one way to unlock. The caller wipes `secret`. */
export async function makeSlot(
  vault: Vault,
  id: Id,
  kdf: SlotKdf,
  secret: Uint8Array,
  root: Handle,
): Promise<RootSlot> {
  const key = await slotKey(vault, id, kdf, secret);
  try {
    return { id, kdf, wrapped: vault.wrap(key, root) };
  } finally {
    vault.dispose(key);
  }
}

/** The root key's handle, or `null` when the secret doesn't open this slot. The caller wipes `secret`. */
export async function openSlot(
  vault: Vault,
  rootVersion: number,
  slot: RootSlot,
  secret: Uint8Array,
): Promise<Handle | null> {
  const key = await slotKey(vault, slot.id, slot.kdf, secret);
  try {
    const attributes = encodeMaterialAttributes({
      algorithm: ALGORITHM.XCHACHA20_POLY1305,
      usages: ROOT_USAGES,
      exportable: false,
      key: ROOT_ID,
      version: rootVersion,
      kek: slot.id,
      kekVersion: 1,
    });
    return vault.unwrap(key, attributes, slot.wrapped);
  } catch (error) {
    if (error instanceof KeyloomError && error.code === "CORE_AUTHENTICATION_FAILED") return null;
    throw error;
  } finally {
    vault.dispose(key);
  }
}

/** Does a slot belong to this way of unlocking? */
export function slotMatches(slot: RootSlot, method: UnlockMethod): boolean {
  return (slot.kdf.name === "raw") === (method.kind === "raw");
}
