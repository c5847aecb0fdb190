/** Authenticated encryption with associated data. */
import type { Instance } from "../instantiate.js";
import { AUTHENTICATION_FAILED, check, errorOfStatus } from "../status.js";
import { bytes, failedRecords, integer, length, MAX_U32, pieceOf, recordLength } from "./checks.js";

export interface Aead {
  /**
   * @param key - 32 bytes
   * @param nonce - 12 bytes, or 24 for XChaCha20. Never use one twice with a key.
   * @returns ciphertext ‖ tag, `plaintext.length` + 16 bytes, owned by the caller
   */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** @throws {CoreError} `CORE_AUTHENTICATION_FAILED`, whatever was changed */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array;
  /**
   * As `seal`, into the caller's buffer: long data chunk by chunk, with nothing allocated.
   *
   * @param out - `plaintext.length` + 16 bytes; may be the memory of the plaintext, wherever in it
   */
  sealInto(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;
  /**
   * As `open`, into the caller's buffer, which is written only once the tag has been checked.
   *
   * @param out - `sealed.length` − 16 bytes; may be the memory of `sealed`, wherever in it
   */
  openInto(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out: Uint8Array): void;
  /**
   * Seals `count` records of one length under one key. Nonces, associated data and plaintexts are each back to back.
   *
   * @returns `count` × (ciphertext ‖ tag)
   */
  sealBatch(
    key: Uint8Array,
    nonces: Uint8Array,
    aads: Uint8Array,
    plaintexts: Uint8Array,
    count: number,
  ): Uint8Array;
  /**
   * Opens what `sealBatch` made.
   *
   * @returns the plaintexts, back to back
   * @throws {CoreError} `CORE_AUTHENTICATION_FAILED` with `indexes` when any record fails; nothing is returned then
   */
  openBatch(
    key: Uint8Array,
    nonces: Uint8Array,
    aads: Uint8Array,
    sealed: Uint8Array,
    count: number,
  ): Uint8Array;
}

export interface AeadPrimitives {
  /** RFC 8439. */
  readonly chacha20Poly1305: Aead;
  /** draft-irtf-cfrg-xchacha-03. */
  readonly xchacha20Poly1305: Aead;
  /** RFC 8452 with 256-bit keys. A nonce that comes twice tells only whether the messages are the same. */
  readonly aesGcmSiv: Aead;
}

const KEY_LENGTH = 32;
const TAG_LENGTH = 16;

/** As the core's calls number them. */
const VARIANT = { chacha20Poly1305: 0, xchacha20Poly1305: 1, aesGcmSiv: 2 } as const;

/** Where the inputs and the output of one message lie. */
interface Placed {
  keyAt: number;
  nonceAt: number;
  aadAt: number;
  textAt: number;
  out: number;
}

function aead({ abi, staging }: Instance, name: keyof typeof VARIANT): Aead {
  const variant = VARIANT[name];
  const nonceLength = name === "xchacha20Poly1305" ? 24 : 12;

  const batch = (
    count: number,
    key: Uint8Array,
    nonces: Uint8Array,
    aads: Uint8Array,
    texts: Uint8Array,
  ): { aadLength: number; textLength: number; piece: number } => {
    integer(count, 0, MAX_U32, "count");
    length(key, KEY_LENGTH, "key");
    length(nonces, nonceLength * count, "nonces");
    const aadLength = recordLength(aads, count, "aads");
    const textLength = recordLength(texts, count, "texts");
    const each = nonceLength + aadLength + 2 * textLength + TAG_LENGTH + 1;
    return { aadLength, textLength, piece: pieceOf(each) };
  };

  const checkOne = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): void => {
    length(key, KEY_LENGTH, "key");
    length(nonce, nonceLength, "nonce");
    bytes(aad, "aad");
    bytes(text, "text");
  };

  const place = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Placed => {
    // In place: half the memory to go over, and to wipe. AES-GCM-SIV can't, its tag comes from the plaintext.
    const inPlace = name !== "aesGcmSiv";
    const outLength = text.length + TAG_LENGTH;
    staging.begin(KEY_LENGTH + 24 + aad.length + outLength + (inPlace ? 0 : text.length), 5);
    const keyAt = staging.put(key);
    const nonceAt = staging.put(nonce);
    const aadAt = staging.put(aad);
    const textAt = inPlace ? staging.putInPlace(text) : staging.put(text);
    return { keyAt, nonceAt, aadAt, textAt, out: staging.reserve(outLength) };
  };

  /** `take` gets the output's address and length. */
  const sealed = <T>(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    take: (at: number, size: number) => T,
  ): T => {
    checkOne(key, nonce, aad, plaintext);
    const { keyAt, nonceAt, aadAt, textAt, out } = place(key, nonce, aad, plaintext);
    check(abi.aeadSealOne(variant, keyAt, nonceAt, aadAt, aad.length, textAt, plaintext.length, out));
    return take(out, plaintext.length + TAG_LENGTH);
  };

  const opened = <T>(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    text: Uint8Array,
    take: (at: number, size: number) => T,
  ): T => {
    checkOne(key, nonce, aad, text);
    if (text.length < TAG_LENGTH) throw errorOfStatus(AUTHENTICATION_FAILED);
    const { keyAt, nonceAt, aadAt, textAt, out } = place(key, nonce, aad, text);
    check(abi.aeadOpenOne(variant, keyAt, nonceAt, aadAt, aad.length, textAt, text.length, out));
    return take(out, text.length - TAG_LENGTH);
  };

  return {
    seal: (key, nonce, aad, plaintext) =>
      sealed(key, nonce, aad, plaintext, (at, size) => staging.take(at, size)),

    sealInto(key, nonce, aad, plaintext, out) {
      bytes(plaintext, "plaintext");
      length(out, plaintext.length + TAG_LENGTH, "out");
      sealed(key, nonce, aad, plaintext, (at, size) => staging.takeInto(at, size, out, 0));
    },

    open: (key, nonce, aad, text) => opened(key, nonce, aad, text, (at, size) => staging.take(at, size)),

    openInto(key, nonce, aad, text, out) {
      bytes(text, "sealed");
      length(out, Math.max(0, text.length - TAG_LENGTH), "out");
      opened(key, nonce, aad, text, (at, size) => staging.takeInto(at, size, out, 0));
    },

    sealBatch(key, nonces, aads, plaintexts, count) {
      const { aadLength, textLength, piece } = batch(count, key, nonces, aads, plaintexts);
      const outLength = textLength + TAG_LENGTH;
      const result = new Uint8Array(outLength * count);
      for (let from = 0; from < count; from += piece) {
        const n = Math.min(piece, count - from);
        staging.begin(KEY_LENGTH + n * (nonceLength + aadLength + textLength + outLength), 5);
        const keyAt = staging.put(key);
        const nonceAt = staging.put(nonces.subarray(from * nonceLength, (from + n) * nonceLength));
        const aadAt = staging.put(aads.subarray(from * aadLength, (from + n) * aadLength));
        const textAt = staging.put(plaintexts.subarray(from * textLength, (from + n) * textLength));
        const out = staging.reserve(n * outLength);
        check(abi.aeadSealMany(variant, keyAt, nonceAt, aadAt, aadLength, textAt, textLength, out, n));
        staging.takeInto(out, n * outLength, result, from * outLength);
      }
      return result;
    },

    openBatch(key, nonces, aads, sealed, count) {
      const { aadLength, textLength: sealedLength, piece } = batch(count, key, nonces, aads, sealed);
      if (count > 0 && sealedLength < TAG_LENGTH)
        throw failedRecords(Array.from({ length: count }, (_, i) => i));
      const textLength = Math.max(0, sealedLength - TAG_LENGTH);
      const result = new Uint8Array(textLength * count);
      const indexes: number[] = [];
      for (let from = 0; from < count; from += piece) {
        const n = Math.min(piece, count - from);
        staging.begin(KEY_LENGTH + n * (nonceLength + aadLength + sealedLength + textLength + 1), 5);
        const keyAt = staging.put(key);
        const nonceAt = staging.put(nonces.subarray(from * nonceLength, (from + n) * nonceLength));
        const aadAt = staging.put(aads.subarray(from * aadLength, (from + n) * aadLength));
        const textAt = staging.put(sealed.subarray(from * sealedLength, (from + n) * sealedLength));
        const out = staging.reserve(n * (textLength + 1));
        check(abi.aeadOpenMany(variant, keyAt, nonceAt, aadAt, aadLength, textAt, sealedLength, out, n));
        staging.takeInto(out, n * textLength, result, from * textLength);
        const statuses = staging.take(out + n * textLength, n);
        for (let i = 0; i < n; i++) if (statuses[i] !== 0) indexes.push(from + i);
      }
      if (indexes.length === 0) return result;
      result.fill(0);
      throw failedRecords(indexes);
    },
  };
}

export function aeadPrimitives(instance: Instance): AeadPrimitives {
  return {
    chacha20Poly1305: aead(instance, "chacha20Poly1305"),
    xchacha20Poly1305: aead(instance, "xchacha20Poly1305"),
    aesGcmSiv: aead(instance, "aesGcmSiv"),
  };
}
