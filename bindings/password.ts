/** Keys from passwords that are stretched by a memory-hard function, wherever that is done. */
import { deriveAside } from "./pool/derive.js";
import { spawnWorker } from "./pool/host.js";
import { deriveHere, isLong, type Derivation } from "./pool/derivation.js";
import { MAX_MESSAGE, type Handle, type Vault } from "./vault.js";

/**
 * Derives a key from a password. What is short is done at once; what is long is done in a worker, or here where the host has
 * none, blocking the thread.
 *
 * @param password - read until the promise is settled; the caller's to wipe
 * @param signal - ends a derivation in a worker; the promise is rejected with the signal's reason
 * @throws {CoreError} as the vault's own derivations
 */
export async function deriveFromPassword(
  vault: Vault,
  password: Uint8Array,
  derivation: Derivation,
  signal?: AbortSignal,
): Promise<Handle> {
  if (spawnWorker === null || !isLong(derivation.kdf) || password.length > MAX_MESSAGE) {
    return deriveHere(vault, password, derivation);
  }
  return deriveAside(spawnWorker, vault, password, derivation, signal);
}
