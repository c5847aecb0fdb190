/** The vault's asymmetric keys: Ed25519 and X25519. */
import {
  ATTRIBUTES_LENGTH,
  checkTemplate,
  encodeAttributes,
  ID_LENGTH,
  type KeyTemplate,
} from "./attributes.js";
import type { Instance } from "./instantiate.js";
import { bytes, length } from "./primitives/checks.js";
import { check, checkHandle, handle, verdict } from "./status.js";
import type { Handle } from "./vault.js";

/** The material of an Ed25519 key is its seed, that of an X25519 key its scalar: 32 bytes each. */
export interface CurveVault {
  /** The public key of an Ed25519 or X25519 key, 32 bytes. Needs no usage. */
  publicKey(key: Handle): Uint8Array;
  /** Ed25519. 64 bytes. */
  sign(key: Handle, message: Uint8Array): Uint8Array;
  /** As `ed25519.verify`, with the key's own public key. */
  verify(key: Handle, message: Uint8Array, signature: Uint8Array): boolean;
  /**
   * A key that the holder of `peerPublicKey` comes to as well, with this key's public key and the same algorithm, usages,
   * exportability and info (at most 1024 bytes). The shared secret itself stays in the core. Like a derived key it has no
   * usage and no exportability that the X25519 key hasn't.
   *
   * @throws {CoreError} `CORE_WEAK_PUBLIC_KEY`
   */
  agree(key: Handle, peerPublicKey: Uint8Array, template: KeyTemplate, info: Uint8Array): Handle;
  /**
   * The X25519 stanza of an age file (age-encryption.org/v1) for a recipient.
   *
   * @param fileKey - an age file key
   * @throws {CoreError} `CORE_WEAK_PUBLIC_KEY`, `CORE_NO_RANDOM`
   */
  ageX25519Wrap(recipient: Uint8Array, fileKey: Handle): { share: Uint8Array; body: Uint8Array };
  /**
   * The file key in an X25519 stanza.
   *
   * @param identity - an X25519 key that may agree
   * @throws {CoreError} `CORE_AUTHENTICATION_FAILED` for another identity's stanza as for a changed one;
   *   `CORE_WEAK_PUBLIC_KEY` for a share that no recipient's stanza has, on which age has a file refused
   */
  ageX25519Unwrap(identity: Handle, share: Uint8Array, body: Uint8Array): Handle;
  /**
   * Seals a key, with all its attributes, to the X25519 pair of another core of the same program: of a worker. Not for
   * storing or sending: whoever holds the pair holds the key, exportable or not. An age scrypt key, which seals once, is
   * gone here then; an age file's other keys are refused.
   *
   * @throws {CoreError} `CORE_WEAK_PUBLIC_KEY`, `CORE_NO_RANDOM`
   */
  sealTo(key: Handle, recipient: Uint8Array): Uint8Array;
  /**
   * The key that was sealed to a pair of this core, in a new slot.
   *
   * @param pair - an X25519 key that may agree
   * @throws {CoreError} `CORE_AUTHENTICATION_FAILED`, `CORE_SLOTS_EXHAUSTED`
   */
  openFrom(pair: Handle, sealed: Uint8Array): Handle;
}

const KEY_LENGTH = 32;
const SIGNATURE_LENGTH = 64;
const BODY_LENGTH = 32;
/** What sealing to another core adds: share (32), head (28), tag (16). */
const TRANSFER_OVERHEAD = 76;

/** @param checkInfo - throws where an info is too long */
export function curveVaultOf({ abi, staging }: Instance, checkInfo: (length: number) => void): CurveVault {
  return {
    publicKey(key) {
      handle(key);
      staging.begin(KEY_LENGTH, 1);
      const out = staging.reserve(KEY_LENGTH);
      check(abi.vaultPublicKey(key, out));
      return staging.take(out, KEY_LENGTH);
    },

    sign(key, message) {
      handle(key);
      bytes(message, "message");
      staging.begin(message.length + SIGNATURE_LENGTH, 2);
      const at = staging.put(message);
      const out = staging.reserve(SIGNATURE_LENGTH);
      check(abi.vaultSign(key, at, message.length, out));
      return staging.take(out, SIGNATURE_LENGTH);
    },

    verify(key, message, signature) {
      handle(key);
      bytes(message, "message");
      bytes(signature, "signature");
      // A signature of another length is one that isn't right; a key that may not verify is refused first.
      const right = signature.length === SIGNATURE_LENGTH ? signature : new Uint8Array(SIGNATURE_LENGTH);
      staging.begin(message.length + SIGNATURE_LENGTH, 3);
      const at = staging.put(message);
      const signatureAt = staging.put(right);
      return (
        verdict(abi.vaultVerify(key, at, message.length, signatureAt, staging.end)) && right === signature
      );
    },

    agree(key, peerPublicKey, template, info) {
      handle(key);
      length(peerPublicKey, KEY_LENGTH, "peerPublicKey");
      checkTemplate(template);
      bytes(info, "info");
      checkInfo(info.length);
      staging.begin(KEY_LENGTH + ATTRIBUTES_LENGTH + info.length, 4);
      const peerAt = staging.put(peerPublicKey);
      const attributesAt = staging.put(encodeAttributes(template, new Uint8Array(ID_LENGTH), 0));
      const infoAt = staging.put(info);
      return checkHandle(
        abi.vaultAgree(key, peerAt, attributesAt, infoAt, info.length, staging.end),
      ) as Handle;
    },

    ageX25519Wrap(recipient, fileKey) {
      length(recipient, KEY_LENGTH, "recipient");
      handle(fileKey);
      staging.begin(2 * KEY_LENGTH + BODY_LENGTH, 2);
      const at = staging.put(recipient);
      const out = staging.reserve(KEY_LENGTH + BODY_LENGTH);
      check(abi.vaultAgeX25519Wrap(fileKey, at, out));
      const stanza = staging.take(out, KEY_LENGTH + BODY_LENGTH);
      return { share: stanza.slice(0, KEY_LENGTH), body: stanza.slice(KEY_LENGTH) };
    },

    ageX25519Unwrap(identity, share, body) {
      handle(identity);
      length(share, KEY_LENGTH, "share");
      length(body, BODY_LENGTH, "body");
      staging.begin(KEY_LENGTH + BODY_LENGTH, 3);
      const shareAt = staging.put(share);
      const bodyAt = staging.put(body);
      return checkHandle(abi.vaultAgeX25519Unwrap(identity, shareAt, bodyAt, staging.end)) as Handle;
    },

    sealTo(key, recipient) {
      handle(key);
      length(recipient, KEY_LENGTH, "recipient");
      const material = checkHandle(abi.vaultLength(key));
      const outLength = material + TRANSFER_OVERHEAD;
      staging.begin(KEY_LENGTH + outLength, 2);
      const at = staging.put(recipient);
      const out = staging.reserve(outLength);
      check(abi.vaultSealTo(key, at, material, out));
      return staging.take(out, outLength);
    },

    openFrom(pair, sealed) {
      handle(pair);
      bytes(sealed, "sealed");
      staging.begin(sealed.length, 2);
      const at = staging.put(sealed);
      return checkHandle(abi.vaultOpenFrom(pair, at, sealed.length, staging.end)) as Handle;
    },
  };
}
