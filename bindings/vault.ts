/** The vault, as handles: keys go in, ciphertext comes out. */
import { CoreError } from "../sdk/foundation/errors.js";
import {
  ATTRIBUTES_LENGTH,
  checkTemplate,
  encodeAttributes,
  ID_LENGTH,
  type KeyTemplate,
} from "./attributes.js";
import type { Instance } from "./instantiate.js";
import type { Argon2idParameters, MemoryHard, ScryptParameters } from "./memory-hard.js";
import { bytes, pieceOf } from "./primitives/checks.js";
import { AUTHENTICATION_FAILED, check, checkHandle, errorOfStatus, handle, verdict } from "./status.js";
import { curveVaultOf, type CurveVault } from "./vault-curve.js";

declare const handleBrand: unique symbol;
/** A key in the vault: a slot and its generation. A handle whose key is gone is refused with `CORE_HANDLE_STALE`. */
export type Handle = number & { readonly [handleBrand]: true };

/** One status per record: 0 = fine. */
export interface Statuses {
  failed: number;
  statuses: Uint8Array;
}

export interface RewrapResult extends Statuses {
  /** The records under the new key; a failed one is all zeros. */
  wrapped: Uint8Array;
}

export interface MoveResult extends Statuses {
  /** SHA-256 of each row without its MAC, 32 bytes each. */
  digests: Uint8Array;
}

/**
 * All methods throw `CORE_HANDLE_STALE` for a key that is gone and `CORE_HANDLE_MISUSE` where the key's algorithm or
 * usages forbid the call. Inputs are not modified; results are owned by the caller. Attributes: see `attributes.ts`.
 */
export interface Vault extends CurveVault {
  /** How many keys the vault can hold. */
  readonly capacity: number;
  liveCount(): number;
  /** A new key from the host's CSPRNG. @throws {CoreError} `CORE_NO_RANDOM`, `CORE_SLOTS_EXHAUSTED` */
  generate(template: KeyTemplate): Handle;
  /** A key made elsewhere. @throws {CoreError} `CORE_INVALID_LENGTH` */
  import(template: KeyTemplate, material: Uint8Array): Handle;
  /** PBKDF2-HMAC-SHA256 of a password. Blocks the thread. */
  deriveFromPassword(
    template: KeyTemplate,
    password: Uint8Array,
    salt: Uint8Array,
    iterations: number,
  ): Handle;
  /** Argon2id of a password, computed in a memory of its own. Blocks the thread. */
  deriveFromPasswordArgon2id(
    template: KeyTemplate,
    password: Uint8Array,
    salt: Uint8Array,
    parameters: Argon2idParameters,
  ): Handle;
  /** scrypt of a password, computed in a memory of its own. Blocks the thread. */
  deriveFromPasswordScrypt(
    template: KeyTemplate,
    password: Uint8Array,
    salt: Uint8Array,
    parameters: ScryptParameters,
  ): Handle;
  /** @throws {CoreError} `CORE_AUTHENTICATION_FAILED`, whatever was changed */
  unwrap(kek: Handle, attributes: Uint8Array, wrapped: Uint8Array): Handle;
  /** A child key, which has no usage and no exportability that the parent hasn't. `info`: at most 1024 bytes. */
  derive(parent: Handle, template: KeyTemplate, info: Uint8Array): Handle;
  /** Keys of age files are refused, as `CORE_HANDLE_MISUSE`: they are never stored. */
  wrap(kek: Handle, key: Handle): Uint8Array;
  /** Copies a key's material to the JavaScript heap. @throws {CoreError} `CORE_NOT_EXPORTABLE` */
  exportInsecureCleartext(key: Handle): Uint8Array;
  /** Wipes a key. */
  dispose(key: Handle): void;
  disposeAll(): void;

  /** `count` × wrapped key, each with its own 48 attribute bytes. All keys have one length. */
  generateAndWrapBatch(kek: Handle, attributes: Uint8Array, count: number): Uint8Array;
  /** Keys of one length, wrapped back to back. */
  wrapBatch(kek: Handle, keys: readonly Handle[]): Uint8Array;
  openCheckBatch(kek: Handle, attributes: Uint8Array, wrapped: Uint8Array, count: number): Statuses;
  /** `attributes` as under the old key; under the new one they name the new key and version. */
  rewrapBatch(
    oldKek: Handle,
    newKek: Handle,
    attributes: Uint8Array,
    wrapped: Uint8Array,
    count: number,
  ): RewrapResult;
  /** Derived 32-byte keys, wrapped under `kek`; `infos` back to back, `infoLength` bytes each. */
  deriveBatch(
    parent: Handle,
    kek: Handle,
    attributes: Uint8Array,
    infos: Uint8Array,
    infoLength: number,
    count: number,
  ): Uint8Array;

  /** commitment (32) ‖ nonce (24) ‖ ciphertext ‖ tag (16). `plaintext`: at most `MAX_MESSAGE` bytes. */
  seal(key: Handle, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** @throws {CoreError} `CORE_AUTHENTICATION_FAILED` */
  open(key: Handle, aad: Uint8Array, sealed: Uint8Array): Uint8Array;
  /** As `open`, without a copy in the heap: `use` gets a view of the core's memory, which is zeroed when it returns. */
  openLent<T>(key: Handle, aad: Uint8Array, sealed: Uint8Array, use: (plaintext: Uint8Array) => T): T;
  mac(key: Handle, data: Uint8Array): Uint8Array;
  macVerify(key: Handle, data: Uint8Array, mac: Uint8Array): boolean;
  macBatch(key: Handle, messages: Uint8Array, lengths: Uint32Array): Uint8Array;

  /**
   * For each message: MAC of prefix (64 bytes) ‖ message, then SHA-256 of the message. 64 bytes each, or with
   * `digests: false` the 32 bytes of the MAC alone.
   */
  recordSeal(
    key: Handle,
    prefix: Uint8Array,
    messages: Uint8Array,
    lengths: Uint32Array,
    digests?: boolean,
  ): Uint8Array;
  recordCheck(
    key: Handle,
    prefix: Uint8Array,
    messages: Uint8Array,
    lengths: Uint32Array,
    macs: Uint8Array,
  ): Statuses;
  /**
   * As `recordSeal` on rows of one length whose last 32 bytes take the MAC, in place.
   *
   * @returns the digests, 32 bytes each; nothing with `digests: false`
   */
  recordSealRows(
    key: Handle,
    prefix: Uint8Array,
    rows: Uint8Array,
    stride: number,
    digests?: boolean,
  ): Uint8Array;
  recordCheckRows(key: Handle, prefix: Uint8Array, rows: Uint8Array, stride: number): Statuses;
  /**
   * Moves material records (docs/FORMATS.md) to another wrapping key, in place: `key` checks each row's MAC, the wrapped
   * key is opened and wrapped anew, the storage key names the new wrapping key, the revision rises by one, and the row is
   * sealed. A row that was not moved is zero: its status is 1 where its MAC is wrong, 2 where its key does not open.
   */
  moveRows(
    key: Handle,
    oldKek: Handle,
    newKek: Handle,
    prefix: Uint8Array,
    rows: Uint8Array,
    stride: number,
  ): MoveResult;

  /** An age file key under a managed key: 88 bytes. */
  ageWrapFileKey(key: Handle, aad: Uint8Array, fileKey: Handle): Uint8Array;
  ageUnwrapFileKey(key: Handle, aad: Uint8Array, body: Uint8Array): Handle;
  /**
   * The body, 32 bytes, of age's stanza for a passphrase.
   *
   * @param key - of `deriveFromPasswordScrypt`. It seals once, for the nonce is fixed: it is gone then.
   */
  ageScryptWrap(key: Handle, fileKey: Handle): Uint8Array;
  /** @throws {CoreError} `CORE_AUTHENTICATION_FAILED` */
  ageScryptUnwrap(key: Handle, body: Uint8Array): Handle;
  ageHeaderMac(fileKey: Handle, header: Uint8Array): Uint8Array;
  ageHeaderMacVerify(fileKey: Handle, header: Uint8Array, mac: Uint8Array): boolean;
  /** `nonce`: 16 bytes. */
  agePayloadKey(fileKey: Handle, nonce: Uint8Array): Handle;
  ageChunkSeal(payloadKey: Handle, counter: number, last: boolean, chunk: Uint8Array): Uint8Array;
  ageChunkOpen(payloadKey: Handle, counter: number, last: boolean, sealed: Uint8Array): Uint8Array;
}

/** The longest plaintext of `seal`: 1 MiB. */
export const MAX_MESSAGE = 1024 * 1024;
const SEAL_OVERHEAD = 72;
const AGE_BODY_LENGTH = 88;
const AGE_SCRYPT_BODY_LENGTH = 32;
const AGE_NONCE_LENGTH = 16;
const MAC_LENGTH = 32;
const TAG_LENGTH = 16;
const PREFIX_LENGTH = 64;
const MAX_U32 = 0xffff_ffff;
/** Batches go through staging in pieces of about this size, which a core's second-level cache holds. */
const PIECE_BYTES = 384 * 1024;

function exactly(value: Uint8Array, length: number, what: string): void {
  bytes(value, what);
  if (value.length === length) return;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `${what} has ${value.length} bytes, not ${length}`,
    length,
  });
}

/** The length of one of `count` wrapped keys, to each of which wrapping added `overhead` bytes. */
function wrappedSize(wrapped: Uint8Array, count: number, overhead: number): number {
  bytes(wrapped, "wrapped");
  const each = count === 0 ? overhead : wrapped.length / count;
  if (Number.isInteger(each) && each >= overhead) return each;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `wrapped can't be divided into ${count} wrapped keys`,
  });
}

function counted(count: number): void {
  if (Number.isInteger(count) && count >= 0) return;
  throw new CoreError("CORE_INVALID_PARAMETER", { message: "count must be a non-negative integer" });
}

/** The core has room for an info of this length at most. */
const MAX_INFO = 1024;

function infoOf(length: number): void {
  if (Number.isInteger(length) && length >= 0 && length <= MAX_INFO) return;
  throw new CoreError("CORE_INVALID_LENGTH", { message: `an info has at most ${MAX_INFO} bytes`, length });
}

export function failures(statuses: Uint8Array): Statuses {
  let failed = 0;
  for (const status of statuses) if (status !== 0) failed++;
  return { failed, statuses };
}

/** The material's length of an algorithm; an unknown one is refused by the core as misuse. */
function materialLength(algorithm: number | undefined): number {
  return algorithm === 4 ? 16 : 32;
}

export function vaultOf({ abi, staging }: Instance, memoryHard: MemoryHard): Vault {
  /** What wrapping under a key adds to a key's length: it depends on the wrapping key's algorithm. */
  const overheadOf = (kek: Handle): number => checkHandle(abi.vaultOverhead(kek));

  const make = (
    template: KeyTemplate,
    call: (flags: number, id: number) => number,
    inputs: number,
  ): Handle => {
    checkTemplate(template);
    staging.begin(ID_LENGTH + inputs, 4);
    const id = staging.put(template.id);
    return checkHandle(call(template.exportable ? 1 : 0, id)) as Handle;
  };

  /** `material`: at most 64 bytes, copied straight into staging. */
  const importMaterial = (t: KeyTemplate, material: Uint8Array): Handle =>
    make(
      t,
      (flags, id) => {
        const at = staging.put(material);
        return abi.vaultImport(t.algorithm, flags, t.usages, id, t.version, at, material.length, staging.end);
      },
      material.length,
    );

  /** Runs a batch in pieces; `each` = bytes of staging that one record takes. */
  const pieces = (count: number, each: number, run: (from: number, n: number) => void): void => {
    counted(count);
    const piece = pieceOf(each, PIECE_BYTES);
    for (let from = 0; from < count; from += piece) run(from, Math.min(piece, count - from));
  };

  const attributesOf = (attributes: Uint8Array, count: number): void => {
    counted(count);
    exactly(attributes, count * ATTRIBUTES_LENGTH, "attributes");
  };

  const putAttributes = (attributes: Uint8Array, from: number, n: number): number =>
    staging.put(attributes.subarray(from * ATTRIBUTES_LENGTH, (from + n) * ATTRIBUTES_LENGTH));

  /** Runs over messages of given lengths in pieces that fit into staging. */
  const overMessages = (
    messages: Uint8Array,
    lengths: Uint32Array,
    each: number,
    run: (from: number, n: number, piece: Uint8Array, lengths: Uint32Array) => void,
  ): void => {
    bytes(messages, "messages");
    if (!(lengths instanceof Uint32Array)) throw new TypeError("lengths must be a Uint32Array");
    let total = 0;
    for (const length of lengths) total += length;
    if (total !== messages.length) {
      throw new CoreError("CORE_INVALID_LENGTH", { message: "the lengths don't add up to the messages" });
    }
    let at = 0;
    for (let from = 0; from < lengths.length;) {
      let n = 0;
      let size = 0;
      while (from + n < lengths.length && (n === 0 || size + lengths[from + n]! + each * n < PIECE_BYTES)) {
        size += lengths[from + n]!;
        n++;
      }
      run(from, n, messages.subarray(at, at + size), lengths.subarray(from, from + n));
      at += size;
      from += n;
    }
  };

  /** `take` gets the plaintext's address and length. */
  const opened = <T>(
    key: Handle,
    aad: Uint8Array,
    sealed: Uint8Array,
    take: (at: number, length: number) => T,
  ): T => {
    handle(key);
    bytes(aad, "aad");
    bytes(sealed, "sealed");
    if (sealed.length < SEAL_OVERHEAD || sealed.length > MAX_MESSAGE + SEAL_OVERHEAD) {
      throw errorOfStatus(AUTHENTICATION_FAILED);
    }
    staging.begin(aad.length + 2 * sealed.length, 3);
    const aadAt = staging.put(aad);
    const textAt = staging.put(sealed);
    const out = staging.reserve(sealed.length);
    check(abi.vaultOpen(key, aadAt, aad.length, textAt, sealed.length, out));
    return take(out, sealed.length - SEAL_OVERHEAD);
  };

  const vault: Vault = {
    ...curveVaultOf({ abi, staging }, infoOf),
    capacity: abi.slotCount.value,
    liveCount: () => abi.vaultLiveCount(),

    generate: (t) =>
      make(t, (flags, id) => abi.vaultGenerate(t.algorithm, flags, t.usages, id, t.version, staging.end), 0),

    import(t, material) {
      bytes(material, "material");
      if (material.length > 64) throw errorOfStatus(2);
      return importMaterial(t, material);
    },

    deriveFromPassword(t, password, salt, iterations) {
      bytes(password, "password");
      bytes(salt, "salt");
      if (!Number.isInteger(iterations) || iterations < 1 || iterations > MAX_U32) throw errorOfStatus(3);
      return make(
        t,
        (flags, id) => {
          const passwordAt = staging.put(password);
          const saltAt = staging.put(salt);
          return abi.vaultFromPassword(
            t.algorithm,
            flags,
            t.usages,
            id,
            t.version,
            passwordAt,
            password.length,
            saltAt,
            salt.length,
            iterations,
            staging.end,
          );
        },
        password.length + salt.length,
      );
    },

    deriveFromPasswordArgon2id(t, password, salt, parameters) {
      checkTemplate(t);
      const length = materialLength(t.algorithm);
      // From one linear memory into the other: the derived key never is a value of the heap.
      return memoryHard.argon2id(password, salt, parameters, length, (key) => importMaterial(t, key));
    },

    deriveFromPasswordScrypt(t, password, salt, parameters) {
      checkTemplate(t);
      const length = materialLength(t.algorithm);
      return memoryHard.scrypt(password, salt, parameters, length, (key) => importMaterial(t, key));
    },

    unwrap(kek, attributes, wrapped) {
      handle(kek);
      exactly(attributes, ATTRIBUTES_LENGTH, "attributes");
      const overhead = overheadOf(kek);
      const length = wrappedSize(wrapped, 1, overhead) - overhead;
      if (length > 64) throw errorOfStatus(AUTHENTICATION_FAILED);
      staging.begin(ATTRIBUTES_LENGTH + wrapped.length, 3);
      const attributesAt = staging.put(attributes);
      const wrappedAt = staging.put(wrapped);
      return checkHandle(abi.vaultUnwrap(kek, attributesAt, wrappedAt, length, staging.end)) as Handle;
    },

    derive(parent, t, info) {
      handle(parent);
      checkTemplate(t);
      bytes(info, "info");
      infoOf(info.length);
      staging.begin(ATTRIBUTES_LENGTH + info.length, 3);
      const attributesAt = staging.put(encodeAttributes(t, new Uint8Array(ID_LENGTH), 0));
      const infoAt = staging.put(info);
      return checkHandle(abi.vaultDerive(parent, attributesAt, infoAt, info.length, staging.end)) as Handle;
    },

    wrap: (kek, key) => vault.wrapBatch(kek, [key]),

    exportInsecureCleartext(key) {
      handle(key);
      const length = checkHandle(abi.vaultLength(key));
      staging.begin(64, 1);
      const out = staging.reserve(64);
      check(abi.vaultExport(key, out));
      return staging.take(out, length);
    },

    dispose(key) {
      handle(key);
      check(abi.vaultDispose(key));
    },

    disposeAll() {
      abi.vaultDisposeAll();
    },

    generateAndWrapBatch(kek, attributes, count) {
      handle(kek);
      attributesOf(attributes, count);
      const length = materialLength(attributes[2]);
      const size = length + overheadOf(kek);
      const result = new Uint8Array(count * size);
      pieces(count, ATTRIBUTES_LENGTH + size, (from, n) => {
        staging.begin(n * (ATTRIBUTES_LENGTH + size), 2);
        const attributesAt = putAttributes(attributes, from, n);
        const out = staging.reserve(n * size);
        check(abi.vaultGenerateAndWrap(kek, attributesAt, n, length, out));
        staging.takeInto(out, n * size, result, from * size);
      });
      return result;
    },

    wrapBatch(kek, keys) {
      handle(kek);
      for (const key of keys) handle(key);
      if (keys.length === 0) return new Uint8Array(0);
      const length = checkHandle(abi.vaultLength(keys[0]!));
      const size = length + overheadOf(kek);
      const result = new Uint8Array(keys.length * size);
      pieces(keys.length, 4 + size, (from, n) => {
        staging.begin(n * (4 + size), 2);
        const handlesAt = staging.putWords(keys.slice(from, from + n));
        const out = staging.reserve(n * size);
        check(abi.vaultWrap(kek, handlesAt, n, length, out));
        staging.takeInto(out, n * size, result, from * size);
      });
      return result;
    },

    openCheckBatch(kek, attributes, wrapped, count) {
      handle(kek);
      attributesOf(attributes, count);
      const overhead = overheadOf(kek);
      const size = wrappedSize(wrapped, count, overhead);
      const statuses = new Uint8Array(count);
      pieces(count, ATTRIBUTES_LENGTH + size + 1, (from, n) => {
        staging.begin(n * (ATTRIBUTES_LENGTH + size + 1), 3);
        const attributesAt = putAttributes(attributes, from, n);
        const wrappedAt = staging.put(wrapped.subarray(from * size, (from + n) * size));
        const out = staging.reserve(n);
        check(abi.vaultOpenCheck(kek, attributesAt, wrappedAt, n, size - overhead, out));
        staging.takeInto(out, n, statuses, from);
      });
      return failures(statuses);
    },

    rewrapBatch(oldKek, newKek, attributes, wrapped, count) {
      handle(oldKek);
      handle(newKek);
      attributesOf(attributes, count);
      const overhead = overheadOf(oldKek);
      const oldSize = wrappedSize(wrapped, count, overhead);
      const length = oldSize - overhead;
      const size = length + overheadOf(newKek);
      const result = new Uint8Array(count * size);
      const statuses = new Uint8Array(count);
      const each = ATTRIBUTES_LENGTH + oldSize + size + 1;
      pieces(count, each, (from, n) => {
        staging.begin(n * each, 3);
        const attributesAt = putAttributes(attributes, from, n);
        const wrappedAt = staging.put(wrapped.subarray(from * oldSize, (from + n) * oldSize));
        const out = staging.reserve(n * (size + 1));
        check(abi.vaultRewrap(oldKek, newKek, attributesAt, wrappedAt, n, length, out));
        staging.takeInto(out, n * size, result, from * size);
        staging.takeInto(out + n * size, n, statuses, from);
      });
      return { ...failures(statuses), wrapped: result };
    },

    deriveBatch(parent, kek, attributes, infos, infoLength, count) {
      handle(parent);
      handle(kek);
      infoOf(infoLength);
      attributesOf(attributes, count);
      exactly(infos, infoLength * count, "infos");
      const size = 32 + overheadOf(kek);
      const result = new Uint8Array(count * size);
      pieces(count, ATTRIBUTES_LENGTH + infoLength + size, (from, n) => {
        staging.begin(n * (ATTRIBUTES_LENGTH + infoLength + size), 3);
        const attributesAt = putAttributes(attributes, from, n);
        const infosAt = staging.put(infos.subarray(from * infoLength, (from + n) * infoLength));
        const out = staging.reserve(n * size);
        check(abi.vaultDeriveAndWrap(parent, kek, attributesAt, infosAt, infoLength, n, out));
        staging.takeInto(out, n * size, result, from * size);
      });
      return result;
    },

    seal(key, aad, plaintext) {
      handle(key);
      bytes(aad, "aad");
      bytes(plaintext, "plaintext");
      if (plaintext.length > MAX_MESSAGE) {
        throw new CoreError("CORE_INPUT_TOO_LARGE", {
          message: `a message has at most ${MAX_MESSAGE} bytes`,
        });
      }
      const outLength = plaintext.length + SEAL_OVERHEAD;
      staging.begin(aad.length + plaintext.length + outLength, 3);
      const aadAt = staging.put(aad);
      const textAt = staging.put(plaintext);
      const out = staging.reserve(outLength);
      check(abi.vaultSeal(key, aadAt, aad.length, textAt, plaintext.length, out));
      return staging.take(out, outLength);
    },

    open: (key, aad, sealed) => opened(key, aad, sealed, (at, length) => staging.take(at, length)),

    openLent: (key, aad, sealed, use) =>
      opened(key, aad, sealed, (at, length) => staging.lend(at, length, use)),

    mac(key, data) {
      handle(key);
      bytes(data, "data");
      staging.begin(data.length + MAC_LENGTH, 2);
      const at = staging.put(data);
      const out = staging.reserve(MAC_LENGTH);
      check(abi.vaultMac(key, at, data.length, out));
      return staging.take(out, MAC_LENGTH);
    },

    macVerify(key, data, mac) {
      handle(key);
      bytes(data, "data");
      exactly(mac, MAC_LENGTH, "mac");
      staging.begin(data.length + MAC_LENGTH, 3);
      const at = staging.put(data);
      const macAt = staging.put(mac);
      return verdict(abi.vaultMacVerify(key, at, data.length, macAt, staging.end));
    },

    macBatch(key, messages, lengths) {
      handle(key);
      const result = new Uint8Array(lengths.length * MAC_LENGTH);
      overMessages(messages, lengths, 4 + MAC_LENGTH, (from, n, piece, pieceLengths) => {
        staging.begin(piece.length + n * (4 + MAC_LENGTH), 3);
        const at = staging.put(piece);
        const lengthsAt = staging.putWords(pieceLengths);
        const out = staging.reserve(n * MAC_LENGTH);
        check(abi.vaultMacBatch(key, at, lengthsAt, n, out));
        staging.takeInto(out, n * MAC_LENGTH, result, from * MAC_LENGTH);
      });
      return result;
    },

    recordSeal(key, prefix, messages, lengths, digests = true) {
      handle(key);
      exactly(prefix, PREFIX_LENGTH, "prefix");
      const size = digests ? 64 : MAC_LENGTH;
      const result = new Uint8Array(lengths.length * size);
      overMessages(messages, lengths, 4 + size, (from, n, piece, pieceLengths) => {
        staging.begin(PREFIX_LENGTH + piece.length + n * (4 + size), 4);
        const prefixAt = staging.put(prefix);
        const at = staging.put(piece);
        const lengthsAt = staging.putWords(pieceLengths);
        const out = staging.reserve(n * size);
        check(abi.vaultRecordSeal(key, prefixAt, at, lengthsAt, n, digests ? 1 : 0, out));
        staging.takeInto(out, n * size, result, from * size);
      });
      return result;
    },

    recordCheck(key, prefix, messages, lengths, macs) {
      handle(key);
      exactly(prefix, PREFIX_LENGTH, "prefix");
      exactly(macs, lengths.length * MAC_LENGTH, "macs");
      const statuses = new Uint8Array(lengths.length);
      overMessages(messages, lengths, 4 + MAC_LENGTH + 1, (from, n, piece, pieceLengths) => {
        staging.begin(PREFIX_LENGTH + piece.length + n * (4 + MAC_LENGTH + 1), 5);
        const prefixAt = staging.put(prefix);
        const at = staging.put(piece);
        const lengthsAt = staging.putWords(pieceLengths);
        const macsAt = staging.put(macs.subarray(from * MAC_LENGTH, (from + n) * MAC_LENGTH));
        const out = staging.reserve(n);
        check(abi.vaultRecordCheck(key, prefixAt, at, lengthsAt, macsAt, n, out));
        staging.takeInto(out, n, statuses, from);
      });
      return failures(statuses);
    },

    recordSealRows(key, prefix, rows, stride, digests = true) {
      handle(key);
      exactly(prefix, PREFIX_LENGTH, "prefix");
      const count = rowCount(rows, stride);
      const digestLength = digests ? MAC_LENGTH : 0;
      const result = new Uint8Array(count * digestLength);
      pieces(count, stride + digestLength, (from, n) => {
        staging.begin(PREFIX_LENGTH + n * (stride + digestLength), 2);
        const prefixAt = staging.put(prefix);
        const rowsAt = staging.putInPlace(rows.subarray(from * stride, (from + n) * stride));
        check(abi.vaultRecordSealRows(key, prefixAt, stride, n, digests ? 1 : 0, rowsAt));
        staging.takeInto(rowsAt, n * stride, rows, from * stride);
        if (digests) staging.takeInto(rowsAt + n * stride, n * digestLength, result, from * digestLength);
      });
      return result;
    },

    recordCheckRows(key, prefix, rows, stride) {
      handle(key);
      exactly(prefix, PREFIX_LENGTH, "prefix");
      const count = rowCount(rows, stride);
      const statuses = new Uint8Array(count);
      pieces(count, stride + 1, (from, n) => {
        staging.begin(PREFIX_LENGTH + n * (stride + 1), 3);
        const prefixAt = staging.put(prefix);
        const rowsAt = staging.put(rows.subarray(from * stride, (from + n) * stride));
        const out = staging.reserve(n);
        check(abi.vaultRecordCheckRows(key, prefixAt, rowsAt, stride, n, out));
        staging.takeInto(out, n, statuses, from);
      });
      return failures(statuses);
    },

    moveRows(key, oldKek, newKek, prefix, rows, stride) {
      handle(key);
      handle(oldKek);
      handle(newKek);
      exactly(prefix, PREFIX_LENGTH, "prefix");
      const count = rowCount(rows, stride);
      const digests = new Uint8Array(count * MAC_LENGTH);
      const statuses = new Uint8Array(count);
      const each = stride + MAC_LENGTH + 1;
      pieces(count, each, (from, n) => {
        staging.begin(PREFIX_LENGTH + n * each, 2);
        const prefixAt = staging.put(prefix);
        const rowsAt = staging.putInPlace(rows.subarray(from * stride, (from + n) * stride));
        const digestsAt = rowsAt + n * stride;
        check(abi.vaultMoveRows(key, oldKek, newKek, prefixAt, stride, n, rowsAt));
        staging.takeInto(rowsAt, n * stride, rows, from * stride);
        staging.takeInto(digestsAt, n * MAC_LENGTH, digests, from * MAC_LENGTH);
        staging.takeInto(digestsAt + n * MAC_LENGTH, n, statuses, from);
      });
      return { ...failures(statuses), digests };
    },

    ageWrapFileKey(key, aad, fileKey) {
      handle(key);
      handle(fileKey);
      bytes(aad, "aad");
      staging.begin(aad.length + AGE_BODY_LENGTH, 2);
      const aadAt = staging.put(aad);
      const out = staging.reserve(AGE_BODY_LENGTH);
      check(abi.vaultAgeWrap(key, fileKey, aadAt, aad.length, out));
      return staging.take(out, AGE_BODY_LENGTH);
    },

    ageUnwrapFileKey(key, aad, body) {
      handle(key);
      bytes(aad, "aad");
      exactly(body, AGE_BODY_LENGTH, "body");
      staging.begin(aad.length + body.length, 3);
      const aadAt = staging.put(aad);
      const bodyAt = staging.put(body);
      return checkHandle(
        abi.vaultAgeUnwrap(key, aadAt, aad.length, bodyAt, body.length, staging.end),
      ) as Handle;
    },

    ageScryptWrap(key, fileKey) {
      handle(key);
      handle(fileKey);
      staging.begin(AGE_SCRYPT_BODY_LENGTH, 1);
      const out = staging.reserve(AGE_SCRYPT_BODY_LENGTH);
      check(abi.vaultAgeScryptWrap(key, fileKey, out));
      return staging.take(out, AGE_SCRYPT_BODY_LENGTH);
    },

    ageScryptUnwrap(key, body) {
      handle(key);
      exactly(body, AGE_SCRYPT_BODY_LENGTH, "body");
      staging.begin(AGE_SCRYPT_BODY_LENGTH, 2);
      const at = staging.put(body);
      return checkHandle(abi.vaultAgeScryptUnwrap(key, at, staging.end)) as Handle;
    },

    ageHeaderMac(fileKey, header) {
      handle(fileKey);
      bytes(header, "header");
      staging.begin(header.length + MAC_LENGTH, 2);
      const at = staging.put(header);
      const out = staging.reserve(MAC_LENGTH);
      check(abi.vaultAgeHeaderMac(fileKey, at, header.length, out));
      return staging.take(out, MAC_LENGTH);
    },

    ageHeaderMacVerify(fileKey, header, mac) {
      handle(fileKey);
      bytes(header, "header");
      exactly(mac, MAC_LENGTH, "mac");
      staging.begin(header.length + MAC_LENGTH, 3);
      const at = staging.put(header);
      const macAt = staging.put(mac);
      return verdict(abi.vaultAgeHeaderMacVerify(fileKey, at, header.length, macAt, staging.end));
    },

    agePayloadKey(fileKey, nonce) {
      handle(fileKey);
      exactly(nonce, AGE_NONCE_LENGTH, "nonce");
      staging.begin(AGE_NONCE_LENGTH, 2);
      const at = staging.put(nonce);
      return checkHandle(abi.vaultAgePayloadKey(fileKey, at, staging.end)) as Handle;
    },

    ageChunkSeal(payloadKey, counter, last, chunk) {
      handle(payloadKey);
      const [high, low] = halves(counter);
      bytes(chunk, "chunk");
      const outLength = chunk.length + TAG_LENGTH;
      staging.begin(chunk.length + outLength, 2);
      const at = staging.put(chunk);
      const out = staging.reserve(outLength);
      check(abi.vaultAgeChunkSeal(payloadKey, high, low, last ? 1 : 0, at, chunk.length, out));
      return staging.take(out, outLength);
    },

    ageChunkOpen(payloadKey, counter, last, sealed) {
      handle(payloadKey);
      const [high, low] = halves(counter);
      bytes(sealed, "sealed");
      if (sealed.length < TAG_LENGTH) throw errorOfStatus(AUTHENTICATION_FAILED);
      staging.begin(2 * sealed.length, 2);
      const at = staging.put(sealed);
      const out = staging.reserve(sealed.length);
      check(abi.vaultAgeChunkOpen(payloadKey, high, low, last ? 1 : 0, at, sealed.length, out));
      return staging.take(out, sealed.length - TAG_LENGTH);
    },
  };
  return vault;
}

function rowCount(rows: Uint8Array, stride: number): number {
  bytes(rows, "rows");
  if (Number.isInteger(stride) && stride > MAC_LENGTH && rows.length % stride === 0)
    return rows.length / stride;
  throw new CoreError("CORE_INVALID_LENGTH", {
    message: `rows can't be divided into rows of ${stride} bytes`,
  });
}

function halves(counter: number): [number, number] {
  if (!Number.isSafeInteger(counter) || counter < 0) {
    throw new CoreError("CORE_INVALID_PARAMETER", { message: "a chunk's number is a non-negative integer" });
  }
  return [Math.floor(counter / 0x1_0000_0000), counter >>> 0];
}
