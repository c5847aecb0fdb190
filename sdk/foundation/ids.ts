/**
 * 16-byte ids, written as UUIDs. New ones are version 7 (RFC 9562 §5.7): ordered by time, so that
 * bulk writes go to neighbouring pages of an ordered store.
 */
import { V7Generator } from "uuidv7";
import { fromHex, getU32, toHex } from "./bytes.js";
import { KeyloomError } from "./errors.js";
import type { RandomSource } from "./random.js";

export type Id = Uint8Array;
export const ID_LENGTH = 16;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function idToString(id: Id): string {
  const hex = toHex(id);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function isIdText(text: string): boolean {
  return UUID.test(text);
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` unless `text` is a lower-case UUID. */
export function parseId(text: string): Id {
  if (!isIdText(text)) throw new KeyloomError("KEY_INVALID_OPTION", { message: "not a lower-case UUID" });
  return fromHex(text.replaceAll("-", ""));
}

/** A 16-byte id whose bytes spell `name`: for the few ids that are the same in every store. */
export function wellKnownId(name: string): Id {
  const id = new Uint8Array(ID_LENGTH);
  id.set(new TextEncoder().encode(name));
  return id;
}

/** Draws UUIDv7 ids; random words come from one pool, refilled 4 KiB at a time. */
export function idGenerator(random: RandomSource, now: () => number): () => Id {
  const pool = new Uint8Array(4096);
  let used = pool.length;
  const generator = new V7Generator({
    nextUint32: () => {
      if (used === pool.length) {
        random(pool);
        used = 0;
      }
      used += 4;
      return getU32(pool, used - 4);
    },
  });
  // A clock that steps backwards must not make ids collide or fail: reset is the library's rule for it.
  return () => generator.generateOrResetCore(now(), 10_000).bytes as Id;
}
