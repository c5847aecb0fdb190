/** Memory-hard derivations from passwords, as they are asked for and as they are run: here, or in a worker. */
import type { KeyTemplate } from "../attributes.js";
import {
  checkArgon2id,
  checkScrypt,
  type Argon2idParameters,
  type ScryptParameters,
} from "../memory-hard.js";
import type { Handle, Vault } from "../vault.js";

export type MemoryHardKdf =
  | ({ name: "Argon2id" } & Omit<Argon2idParameters, "secret" | "associatedData">)
  | ({ name: "scrypt" } & ScryptParameters);

/** A derivation but for its password. Nothing in it is secret. */
export interface Derivation {
  template: KeyTemplate;
  salt: Uint8Array;
  kdf: MemoryHardKdf;
}

/**
 * The most work that is done at once, on the calling thread: 20 to 25 ms of it, less than it takes to start a worker. For
 * Argon2id KiB · passes: the smallest that slots may have. For scrypt N · r · p: 2^14 with r = 8.
 */
const AT_ONCE = { Argon2id: 40 * 1024, scrypt: 2 ** 17 } as const;

/**
 * Is it worth a worker?
 *
 * @throws {CoreError} as the derivation for its parameters
 */
export function isLong(kdf: MemoryHardKdf): boolean {
  if (kdf.name === "Argon2id") {
    checkArgon2id(kdf);
    return kdf.memoryKiB * kdf.passes > AT_ONCE.Argon2id;
  }
  checkScrypt(kdf);
  return kdf.N * kdf.r * kdf.p > AT_ONCE.scrypt;
}

/** Derives a key on this thread, which it blocks. */
export function deriveHere(vault: Vault, password: Uint8Array, { template, salt, kdf }: Derivation): Handle {
  return kdf.name === "Argon2id"
    ? vault.deriveFromPasswordArgon2id(template, password, salt, kdf)
    : vault.deriveFromPasswordScrypt(template, password, salt, kdf);
}
