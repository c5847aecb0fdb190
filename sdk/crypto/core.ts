/** The one door to the core: the rest of the SDK imports handles and the vault from here. */
export { loadCoreWith } from "../../bindings/load.js";
export { deriveFromPassword } from "../../bindings/password.js";
export type { Core } from "../../bindings/load.js";
export type { Handle, Statuses, Vault } from "../../bindings/vault.js";
export type { KeyTemplate } from "../../bindings/attributes.js";
export { MAX_MESSAGE } from "../../bindings/vault.js";
export {
  ALGORITHM,
  ATTRIBUTES_FORMAT,
  ATTRIBUTES_LENGTH,
  encodeAttributes,
  USAGE,
  wrapAlgorithmOf,
  wrappedLength,
} from "../../bindings/attributes.js";
