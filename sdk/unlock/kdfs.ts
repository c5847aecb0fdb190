/**
 * Key-derivation functions of root slots: their parameters, and the bounds that are checked before anything is derived. A
 * tampered slot table must not make `open` weak, make it hang, or take the host's memory.
 */
import type { CborReader, CborValue } from "../foundation/cbor.js";
import { KeyloomError } from "../foundation/errors.js";

/** Codes in the slot table. They never change their meaning. */
export const SLOT_KDFS = { raw: 0, "PBKDF2-HMAC-SHA256": 1, Argon2id: 2 } as const;

/** How a passphrase is stretched. */
export type PassphraseKdf =
  | { name: "PBKDF2-HMAC-SHA256"; iterations: number }
  | { name: "Argon2id"; memoryKiB: number; passes: number; lanes: number };

export type SlotKdf = { name: "raw" } | (PassphraseKdf & { salt: Uint8Array });

export const SALT_LENGTH = 32;

interface Bound {
  minimum: number;
  default: number;
  maximum: number;
}

/** Argon2id's default is the second recommendation of RFC 9106 §4 in one lane; its minimum OWASP's, 19 MiB in two passes. */
export const KDF_BOUNDS = {
  iterations: { minimum: 600_000, default: 600_000, maximum: 10_000_000 },
  memoryKiB: { minimum: 19_456, default: 65_536, maximum: 2_097_152 },
  passes: { minimum: 1, default: 3, maximum: 16 },
  lanes: { minimum: 1, default: 1, maximum: 64 },
} as const satisfies Record<string, Bound>;

const ARGON2ID_MIN_WORK_KIB = 2 * KDF_BOUNDS.memoryKiB.minimum;

/** Says which parameter is out of its bounds. `null`: none. */
export function outOfBounds(kdf: PassphraseKdf): { message: string; [detail: string]: unknown } | null {
  for (const [name, value] of Object.entries(kdf)) {
    if (!(name in KDF_BOUNDS)) continue;
    const { minimum, maximum } = KDF_BOUNDS[name as keyof typeof KDF_BOUNDS];
    if (Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum) continue;
    return { message: `${name} must be from ${minimum} to ${maximum}`, parameter: name, minimum, maximum };
  }
  if (kdf.name !== "Argon2id" || kdf.memoryKiB * kdf.passes >= ARGON2ID_MIN_WORK_KIB) return null;
  return { message: `memoryKiB · passes must be at least ${ARGON2ID_MIN_WORK_KIB}` };
}

/** The fields 2, 3, 4, 6 and 7 of a slot in the table. */
export function kdfFields(kdf: SlotKdf): [number, CborValue][] {
  const code = SLOT_KDFS[kdf.name];
  switch (kdf.name) {
    case "raw":
      return [[2, code]];
    case "PBKDF2-HMAC-SHA256":
      return [
        [2, code],
        [3, kdf.salt],
        [4, kdf.iterations],
      ];
    case "Argon2id":
      return [
        [2, code],
        [3, kdf.salt],
        [4, kdf.passes],
        [6, kdf.memoryKiB],
        [7, kdf.lanes],
      ];
  }
}

/** @throws {KeyloomError} `UNLOCK_KDF_OUT_OF_BOUNDS`, `CBOR_INVALID`, `STORE_NEWER_FORMAT` for an unknown KDF */
export function decodeKdf(slot: CborReader): SlotKdf {
  const code = slot.uint(2, 255);
  if (code === SLOT_KDFS.raw) return { name: "raw" };
  const kdf = passphraseKdf(code, slot);
  const wrong = outOfBounds(kdf);
  if (wrong !== null) {
    throw new KeyloomError("UNLOCK_KDF_OUT_OF_BOUNDS", {
      ...wrong,
      message: `a root slot with ${kdf.name} is refused: ${wrong.message}`,
    });
  }
  return { ...kdf, salt: slot.bytes(3, SALT_LENGTH) };
}

function passphraseKdf(code: number, slot: CborReader): PassphraseKdf {
  switch (code) {
    case SLOT_KDFS["PBKDF2-HMAC-SHA256"]:
      return { name: "PBKDF2-HMAC-SHA256", iterations: slot.uint(4) };
    case SLOT_KDFS.Argon2id:
      return { name: "Argon2id", memoryKiB: slot.uint(6), passes: slot.uint(4), lanes: slot.uint(7) };
    default:
      throw new KeyloomError("STORE_NEWER_FORMAT", { message: `a root slot has an unknown KDF (${code})` });
  }
}
