/** `keyloom/core`: the primitives, bytes in and bytes out, and the vault. */
import { loadCoreWith, type Core, type LoadOptions } from "./load.js";

export type { Core, LoadOptions } from "./load.js";
export type { Argon2idParameters, ScryptParameters } from "./memory-hard.js";
export type {
  Aead,
  Ed25519,
  KeyWrap,
  KeyWrapBatch,
  LabelAndContext,
  Primitives,
  X25519,
} from "./primitives/index.js";
export type { Handle, RewrapResult, Statuses, Vault } from "./vault.js";
export {
  ALGORITHM,
  ATTRIBUTES_LENGTH,
  encodeAttributes,
  USAGE,
  WRAP_ALGORITHM,
  wrapAlgorithmOf,
  wrappedLength,
  type KeyTemplate,
} from "./attributes.js";
export { CoreError, KeyloomError } from "../sdk/foundation/errors.js";

/**
 * Loads the core.
 *
 * @throws {CoreError} `CORE_UNSUPPORTED` where WebAssembly is missing or forbidden
 */
export function loadCore(options: LoadOptions = {}): Promise<Core> {
  return loadCoreWith({ simd: options.simd });
}
export { createVaultPool, type BatchOptions, type PoolOptions, type VaultPool } from "./pool/index.js";
