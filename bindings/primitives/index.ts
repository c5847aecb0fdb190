/** The byte-level door: bytes in, bytes out, lengths checked, inputs never modified. */
import type { Instance } from "../instantiate.js";
import type { MemoryHard } from "../memory-hard.js";
import { aeadPrimitives, type AeadPrimitives } from "./aead.js";
import { aesKwPrimitives, type AesKwPrimitives } from "./aes-kw.js";
import { curvePrimitives, type CurvePrimitives } from "./curve.js";
import { digestPrimitives, type DigestPrimitives } from "./digest.js";
import { kdfPrimitives, type KdfPrimitives } from "./kdf.js";
import { passwordPrimitives, type PasswordPrimitives } from "./passwords.js";

export type { Aead } from "./aead.js";
export type { Ed25519, X25519 } from "./curve.js";
export type { KeyWrap, KeyWrapBatch } from "./aes-kw.js";
export type { LabelAndContext } from "./kdf.js";

export interface Primitives
  extends
    DigestPrimitives,
    KdfPrimitives,
    PasswordPrimitives,
    AeadPrimitives,
    AesKwPrimitives,
    CurvePrimitives {}

export function primitivesOf(instance: Instance, memoryHard: MemoryHard): Primitives {
  return {
    ...digestPrimitives(instance),
    ...kdfPrimitives(instance),
    ...passwordPrimitives(memoryHard),
    ...aeadPrimitives(instance),
    ...aesKwPrimitives(instance),
    ...curvePrimitives(instance),
  };
}
