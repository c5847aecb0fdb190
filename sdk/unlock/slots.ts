/**
 * Root slots (as in LUKS): each way to unlock wraps the same root key. The table is MACed under a key that only
 * the root key gives, so a slot can't be added or changed by somebody who can't unlock.
 */
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import {
  ALGORITHM,
  USAGE,
  wrappedLength,
  type Handle,
  type KeyTemplate,
  type Vault,
} from "../crypto/core.js";
import { encodeMaterialAttributes, ROOT_ID } from "../crypto/material.js";
import type { UnlockMethod } from "./methods.js";

export const MAX_SLOTS = 8;
export const RAW_KEY_LENGTH = 32;
export const SALT_LENGTH = 32;
/** Bounded before use: a tampered table must not make `open` weak, or hang. */
export const PBKDF2_ITERATIONS = { minimum: 600_000, default: 600_000, maximum: 10_000_000 } as const;

/** Key-derivation functions of slots. Codes never change their meaning. */
export const SLOT_KDFS = { raw: 0, "PBKDF2-HMAC-SHA256": 1 } as const;

export type SlotKdf = { name: "raw" } | { name: "PBKDF2-HMAC-SHA256"; salt: Uint8Array; iterations: number };

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
      [
        2,
        table.slots.map(({ id, kdf, wrapped }) =>
          cborMap(
            [1, id],
            [2, SLOT_KDFS[kdf.name]],
            [3, kdf.name === "raw" ? undefined : kdf.salt],
            [4, kdf.name === "raw" ? undefined : kdf.iterations],
            [5, wrapped],
          ),
        ),
      ],
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

function decodeKdf(slot: CborReader): SlotKdf {
  const code = slot.uint(2, 255);
  if (code === SLOT_KDFS.raw) return { name: "raw" };
  if (code !== SLOT_KDFS["PBKDF2-HMAC-SHA256"]) {
    throw new KeyloomError("STORE_NEWER_FORMAT", { message: `a root slot has an unknown KDF (${code})` });
  }
  const iterations = slot.uint(4);
  const { minimum, maximum } = PBKDF2_ITERATIONS;
  if (iterations < minimum || iterations > maximum) {
    throw new KeyloomError("UNLOCK_KDF_OUT_OF_BOUNDS", {
      message: `a root slot asks for ${iterations} PBKDF2 iterations; ${minimum} to ${maximum} are accepted`,
      iterations,
    });
  }
  return { name: "PBKDF2-HMAC-SHA256", salt: slot.bytes(3, SALT_LENGTH), iterations };
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

function slotKey(vault: Vault, id: Id, kdf: SlotKdf, secret: Uint8Array): Handle {
  const template = slotTemplate(id);
  return kdf.name === "raw"
    ? vault.import(template, secret)
    : vault.deriveFromPassword(template, secret, kdf.salt, kdf.iterations);
}

/** Wraps the root key for one way to unlock. The caller wipes `secret`. */
export function makeSlot(vault: Vault, id: Id, kdf: SlotKdf, secret: Uint8Array, root: Handle): RootSlot {
  const key = slotKey(vault, id, kdf, secret);
  try {
    return { id, kdf, wrapped: vault.wrap(key, root) };
  } finally {
    vault.dispose(key);
  }
}

/** The root key's handle, or `null` when the secret doesn't open this slot. The caller wipes `secret`. */
export function openSlot(
  vault: Vault,
  rootVersion: number,
  slot: RootSlot,
  secret: Uint8Array,
): Handle | null {
  const key = slotKey(vault, slot.id, slot.kdf, secret);
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
