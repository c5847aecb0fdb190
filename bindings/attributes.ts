/** The attributes of keys as the core knows them: 48 bytes, the associated data of every wrapped key. */
import { CoreError } from "../sdk/foundation/errors.js";

/** Algorithms by their id in attributes. An id never changes its meaning. */
export const ALGORITHM = {
  XCHACHA20_POLY1305: 1,
  HMAC_SHA256: 2,
  HKDF_SHA256: 3,
  /** Internal: the file key of an age file. Never stored. */
  AGE_FILE_KEY: 4,
  /** Internal: the payload key of an age file. Never stored. */
  AGE_PAYLOAD_KEY: 5,
  /** The material is a seed (RFC 8032). */
  ED25519: 6,
  /** The material is a scalar (RFC 7748). */
  X25519: 7,
  /** Wraps other keys with AES-KW (RFC 3394), and does nothing else. */
  A256KW: 8,
  /** The same with AES-KWP (RFC 5649). */
  A256KWP: 9,
  /** The same with AES-256-GCM-SIV (RFC 8452). */
  A256GCMSIV: 10,
  /** Internal: what scrypt makes of an age file's passphrase. Never stored. */
  AGE_SCRYPT_KEY: 11,
} as const;

/** Usage bits: KMIP 2.1's cryptographic usage mask. */
export const USAGE = {
  SIGN: 0x1,
  VERIFY: 0x2,
  ENCRYPT: 0x4,
  DECRYPT: 0x8,
  WRAP: 0x10,
  UNWRAP: 0x20,
  MAC_GENERATE: 0x80,
  MAC_VERIFY: 0x100,
  DERIVE: 0x200,
  /** Key agreement. */
  AGREE: 0x800,
} as const;

export const ID_LENGTH = 16;
export const ATTRIBUTES_LENGTH = 48;
export const ATTRIBUTES_FORMAT = 1;
/** Wrap algorithms by their id in attributes. */
export const WRAP_ALGORITHM = { XCHACHA20_POLY1305: 1, AES_KW: 2, AES_KWP: 3, AES_GCM_SIV: 4 } as const;
type WrapAlgorithm = (typeof WRAP_ALGORITHM)[keyof typeof WRAP_ALGORITHM];

/** The wrap algorithm of a wrapping key, by the key's algorithm. */
const WRAP_ALGORITHMS: Readonly<Record<number, WrapAlgorithm>> = {
  [ALGORITHM.XCHACHA20_POLY1305]: WRAP_ALGORITHM.XCHACHA20_POLY1305,
  [ALGORITHM.A256KW]: WRAP_ALGORITHM.AES_KW,
  [ALGORITHM.A256KWP]: WRAP_ALGORITHM.AES_KWP,
  [ALGORITHM.A256GCMSIV]: WRAP_ALGORITHM.AES_GCM_SIV,
};

/**
 * The wrap algorithm of a wrapping key of this algorithm.
 *
 * @throws {CoreError} `CORE_INVALID_PARAMETER` for an algorithm that doesn't wrap
 */
export function wrapAlgorithmOf(algorithm: number): WrapAlgorithm {
  const wrap = WRAP_ALGORITHMS[algorithm];
  if (wrap !== undefined) return wrap;
  throw new CoreError("CORE_INVALID_PARAMETER", {
    message: `keys of algorithm ${algorithm} wrap no others`,
    algorithm,
  });
}

/** What wrapping adds to a key: commitment (32), then nonce and tag, or a MAC (32) and AES-KW's check (8). */
const WRAP_OVERHEAD: Readonly<Record<WrapAlgorithm, number>> = { 1: 72, 2: 72, 3: 72, 4: 60 };

export function wrappedLength(
  materialLength: number,
  wrap: WrapAlgorithm = WRAP_ALGORITHM.XCHACHA20_POLY1305,
): number {
  return WRAP_OVERHEAD[wrap] + materialLength;
}

/** What a new key is to be. */
export interface KeyTemplate {
  algorithm: number;
  usages: number;
  exportable: boolean;
  /** 16 bytes. */
  id: Uint8Array;
  /** An unsigned 32-bit number. */
  version: number;
}

/**
 * @throws {CoreError} `CORE_INVALID_LENGTH` for an id of another length than 16, `CORE_INVALID_PARAMETER` for a number
 *   that the attributes have no room for
 */
export function checkTemplate(template: KeyTemplate): void {
  checkUnsigned(template.algorithm, 0xff, "algorithm");
  checkUnsigned(template.usages, 0xffff_ffff, "usages");
  checkUnsigned(template.version, 0xffff_ffff, "version");
  if (typeof template.exportable !== "boolean") throw new TypeError("a key's exportable must be a boolean");
  if (!(template.id instanceof Uint8Array)) throw new TypeError("a key's id must be a Uint8Array");
  if (template.id.length !== ID_LENGTH) {
    throw new CoreError("CORE_INVALID_LENGTH", { message: `a key's id has ${ID_LENGTH} bytes` });
  }
}

function checkUnsigned(value: unknown, maximum: number, what: string): void {
  if (typeof value !== "number") throw new TypeError(`a key's ${what} must be a number`);
  if (Number.isInteger(value) && value >= 0 && value <= maximum) return;
  throw new CoreError("CORE_INVALID_PARAMETER", {
    message: `a key's ${what} must be an integer from 0 to ${maximum}`,
    maximum,
  });
}

/**
 * Encodes attributes.
 *
 * @param kekId - 16 bytes, the wrapping key's id
 * @param out - written at `offset`; a new array where absent
 * @param wrap - the wrapping key's wrap algorithm
 */
export function encodeAttributes(
  template: KeyTemplate,
  kekId: Uint8Array,
  kekVersion: number,
  out: Uint8Array = new Uint8Array(ATTRIBUTES_LENGTH),
  offset = 0,
  wrap: number = WRAP_ALGORITHM.XCHACHA20_POLY1305,
): Uint8Array {
  const view = new DataView(out.buffer, out.byteOffset + offset, ATTRIBUTES_LENGTH);
  view.setUint8(0, ATTRIBUTES_FORMAT);
  view.setUint8(1, wrap);
  view.setUint8(2, template.algorithm);
  view.setUint8(3, template.exportable ? 1 : 0);
  view.setUint32(4, template.usages);
  out.set(template.id, offset + 8);
  view.setUint32(24, template.version);
  out.set(kekId, offset + 28);
  view.setUint32(44, kekVersion);
  return out;
}
