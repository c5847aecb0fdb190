/**
 * The ABI: what the host may call. Every export checks that its pointers lie in the staging region, works, and zeroes
 * its inputs (and after a failure its outputs) before it returns. Inputs lie from `stagingBase` up to the first output.
 *
 * Exports return a status of `abi.ts`; those that make a handle return it, or a negated status.
 */
import { FAIL_LENGTH, FAIL_NOT_EXPORTABLE, FAIL_RANDOM, FAIL_RANGE, FAIL_STALE, OK } from "./abi";
import { aeadOpenBatch, aeadSealBatch } from "./cipher/aead-batch";
import { aeadOpen, aeadSeal } from "./cipher/chacha20-poly1305";
import { sha256 as hashSha256 } from "./hash/sha256";
import { hkdfExpandBatch, hkdfSha256 as hkdf } from "./kdf/hkdf-sha256";
import { pbkdf2Sha256 as pbkdf2 } from "./kdf/pbkdf2-sha256";
import { hmacSha256 as hmac, hmacSha256Key } from "./mac/hmac-sha256";
import { SLOT_COUNT, STAGING, VAULT_SCRATCH } from "./memory/layout";
import { finish, inStaging, MAX_COUNT } from "./memory/wipe";
import { allocate, countLive, MATERIAL, release, releaseAll, slotOf } from "./vault/slots";
import * as use from "./vault/use";
import * as wrap from "./vault/wrap";
import { hostRandom } from "./vault/random";

/** Where staging begins. */
export const stagingBase: usize = STAGING;
export const slotCount: i32 = SLOT_COUNT;

const MAC_LENGTH: u64 = 32;
const MAX_KEY: i32 = 64;

@inline
function fits(length: i32): bool {
  return length >= 0;
}

// --- Primitives: bytes in, bytes out -------------------------------------------------------------------------

export function sha256(data: usize, length: i32, out: usize): i32 {
  if (!fits(length) || !inStaging(data, length) || !inStaging(out, 32)) return finish(FAIL_RANGE, out, 0);
  hashSha256(data, length, out);
  return finish(OK, out, 32);
}

export function hmacSha256(key: usize, keyLength: i32, data: usize, length: i32, out: usize): i32 {
  if (!fits(keyLength | length) || !inStaging(key, keyLength) || !inStaging(data, length) || !inStaging(out, 32)) {
    return finish(FAIL_RANGE, out, 0);
  }
  hmacSha256Key(key, keyLength, VAULT_SCRATCH);
  hmac(VAULT_SCRATCH, data, length, out);
  memory.fill(VAULT_SCRATCH, 0, 64);
  return finish(OK, out, MAC_LENGTH);
}

export function hkdfSha256(
  ikm: usize,
  ikmLength: i32,
  salt: usize,
  saltLength: i32,
  info: usize,
  infoLength: i32,
  out: usize,
  outLength: i32,
): i32 {
  if (
    !fits(ikmLength | saltLength | infoLength | outLength) ||
    !inStaging(ikm, ikmLength) ||
    !inStaging(salt, saltLength) ||
    !inStaging(info, infoLength) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(hkdf(ikm, ikmLength, salt, saltLength, info, infoLength, out, outLength), out, outLength);
}

/** `count` outputs of `outLength` bytes from one PRK of `prkLength` bytes; infos are back to back. */
export function hkdfExpandSha256Batch(
  prk: usize,
  prkLength: i32,
  infos: usize,
  infoLength: i32,
  count: i32,
  out: usize,
  outLength: i32,
): i32 {
  const inSize = <u64>infoLength * count;
  const outSize = <u64>outLength * count;
  if (
    !fits(prkLength | infoLength | count | outLength) ||
    count > MAX_COUNT ||
    !inStaging(prk, prkLength) ||
    !inStaging(infos, inSize) ||
    !inStaging(out, outSize)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  hmacSha256Key(prk, prkLength, VAULT_SCRATCH);
  const status = hkdfExpandBatch(VAULT_SCRATCH, infos, infoLength, count, out, outLength);
  memory.fill(VAULT_SCRATCH, 0, 64);
  return finish(status, out, outSize);
}

export function pbkdf2Sha256(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  out: usize,
  outLength: i32,
): i32 {
  if (
    !fits(passwordLength | saltLength | outLength) ||
    !inStaging(password, passwordLength) ||
    !inStaging(salt, saltLength) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(
    pbkdf2(password, passwordLength, salt, saltLength, iterations, out, outLength),
    out,
    outLength,
  );
}

/** (X)ChaCha20-Poly1305. `extended` = 1: a 24-byte nonce. `out`: `length` + 16 bytes. */
export function aeadSealOne(
  extended: i32,
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: i32,
  plaintext: usize,
  length: i32,
  out: usize,
): i32 {
  const outLength = <u64>length + 16;
  if (
    !fits(aadLength | length) ||
    !inStaging(key, 32) ||
    !inStaging(nonce, 24) ||
    !inStaging(aad, aadLength) ||
    !inStaging(plaintext, length) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  aeadSeal(extended == 1, key, nonce, aad, aadLength, plaintext, length, out);
  return finish(OK, out, outLength);
}

/** `length` counts the tag. `out`: `length` − 16 bytes. */
export function aeadOpenOne(
  extended: i32,
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: i32,
  sealed: usize,
  length: i32,
  out: usize,
): i32 {
  if (
    !fits(aadLength | length) ||
    !inStaging(key, 32) ||
    !inStaging(nonce, 24) ||
    !inStaging(aad, aadLength) ||
    !inStaging(sealed, length) ||
    !inStaging(out, length)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  if (length < 16) return finish(FAIL_LENGTH, out, 0);
  return finish(aeadOpen(extended == 1, key, nonce, aad, aadLength, sealed, length, out), out, length - 16);
}

/** `count` records under one key: nonces, associated data and plaintexts each back to back. */
export function aeadSealMany(
  extended: i32,
  key: usize,
  nonces: usize,
  aads: usize,
  aadLength: i32,
  plaintexts: usize,
  length: i32,
  out: usize,
  count: i32,
): i32 {
  const nonceLength: usize = extended == 1 ? 24 : 12;
  const outLength = (<u64>length + 16) * count;
  if (
    !fits(aadLength | length | count) ||
    count > MAX_COUNT ||
    !inStaging(key, 32) ||
    !inStaging(nonces, <u64>nonceLength * count) ||
    !inStaging(aads, <u64>aadLength * count) ||
    !inStaging(plaintexts, <u64>length * count) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  aeadSealBatch(
    extended == 1,
    key,
    nonces,
    nonceLength,
    aads,
    aadLength,
    aadLength,
    plaintexts,
    length,
    length,
    out,
    length + 16,
    count,
  );
  return finish(OK, out, outLength);
}

/** `length` counts the tag. `out`: `count` × (`length` − 16) bytes, then `count` status bytes. */
export function aeadOpenMany(
  extended: i32,
  key: usize,
  nonces: usize,
  aads: usize,
  aadLength: i32,
  sealed: usize,
  length: i32,
  out: usize,
  count: i32,
): i32 {
  const nonceLength: usize = extended == 1 ? 24 : 12;
  if (length < 16) return finish(FAIL_LENGTH, out, 0);
  const textLength = <usize>length - 16;
  const outLength = (<u64>textLength + 1) * count;
  if (
    !fits(aadLength | count) ||
    count > MAX_COUNT ||
    !inStaging(key, 32) ||
    !inStaging(nonces, <u64>nonceLength * count) ||
    !inStaging(aads, <u64>aadLength * count) ||
    !inStaging(sealed, <u64>length * count) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  aeadOpenBatch(
    extended == 1,
    key,
    nonces,
    nonceLength,
    aads,
    aadLength,
    aadLength,
    sealed,
    length,
    textLength,
    out,
    textLength,
    count,
    out + textLength * <usize>count,
  );
  return finish(OK, out, outLength);
}

// --- The vault: handles in, ciphertext out ---------------------------------------------------------------------

/** `id`: 16 bytes. Returns a handle. */
export function vaultGenerate(algorithm: u32, flags: u32, usages: u32, id: usize, version: u32, end: usize): i32 {
  if (!inStaging(id, 16)) return -finish(FAIL_RANGE, end, 0);
  const handle = allocate(algorithm, flags, usages, id, version);
  if (handle > 0) {
    const slot = slotOf(handle);
    if (hostRandom(slot + MATERIAL, load<u8>(slot, 7)) != 0) {
      release(slot);
      finish(OK, end, 0);
      return -FAIL_RANDOM;
    }
  }
  finish(OK, end, 0);
  return handle;
}

export function vaultImport(
  algorithm: u32,
  flags: u32,
  usages: u32,
  id: usize,
  version: u32,
  material: usize,
  length: i32,
  end: usize,
): i32 {
  if (!inStaging(id, 16) || !fits(length) || length > MAX_KEY || !inStaging(material, length)) {
    return -finish(FAIL_RANGE, end, 0);
  }
  let handle = allocate(algorithm, flags, usages, id, version);
  if (handle > 0) {
    const slot = slotOf(handle);
    if (load<u8>(slot, 7) == length) {
      memory.copy(slot + MATERIAL, material, length);
    } else {
      release(slot);
      handle = -FAIL_LENGTH;
    }
  }
  finish(OK, end, 0);
  return handle;
}

/** PBKDF2-HMAC-SHA256 straight into a slot. */
export function vaultFromPassword(
  algorithm: u32,
  flags: u32,
  usages: u32,
  id: usize,
  version: u32,
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  end: usize,
): i32 {
  if (
    !inStaging(id, 16) ||
    !fits(passwordLength | saltLength) ||
    !inStaging(password, passwordLength) ||
    !inStaging(salt, saltLength)
  ) {
    return -finish(FAIL_RANGE, end, 0);
  }
  let handle = allocate(algorithm, flags, usages, id, version);
  if (handle > 0) {
    const slot = slotOf(handle);
    const length = <i32>load<u8>(slot, 7);
    const status = pbkdf2(
      password,
      passwordLength,
      salt,
      saltLength,
      iterations,
      slot + MATERIAL,
      length,
    );
    if (status != OK) {
      release(slot);
      handle = -status;
    }
  }
  finish(OK, end, 0);
  return handle;
}

export function vaultDispose(handle: u32): i32 {
  const slot = slotOf(handle);
  if (slot == 0) return FAIL_STALE;
  release(slot);
  return OK;
}

export function vaultDisposeAll(): void {
  releaseAll();
}

export function vaultLiveCount(): i32 {
  return countLive();
}

/** The length of a live key's material, or a negated status. Public: it follows from the algorithm. */
export function vaultLength(handle: u32): i32 {
  const slot = slotOf(handle);
  return slot == 0 ? -FAIL_STALE : load<u8>(slot, 7);
}

/** Copies the material of an exportable key to `out`. */
export function vaultExport(handle: u32, out: usize): i32 {
  const slot = slotOf(handle);
  if (!inStaging(out, MAX_KEY)) return finish(FAIL_RANGE, out, 0);
  if (slot == 0) return finish(FAIL_STALE, out, MAX_KEY);
  if ((load<u8>(slot, 6) & 1) == 0) return finish(FAIL_NOT_EXPORTABLE, out, MAX_KEY);
  memory.copy(out, slot + MATERIAL, load<u8>(slot, 7));
  return finish(OK, out, load<u8>(slot, 7));
}

/** `length`: of the keys' material. `out`: `count` × (`length` + 72) bytes. */
export function vaultGenerateAndWrap(kek: u32, attributes: usize, count: i32, length: i32, out: usize): i32 {
  const outLength = (<u64>length + wrap.OVERHEAD) * count;
  if (!validBatch(attributes, count, length, out, outLength)) return finish(FAIL_RANGE, out, 0);
  return finish(wrap.generateAndWrap(slotOf(kek), attributes, count, length, out), out, outLength);
}

function validBatch(attributes: usize, count: i32, length: i32, out: usize, outLength: u64): bool {
  return (
    fits(count | length) &&
    count <= MAX_COUNT &&
    length <= MAX_KEY &&
    inStaging(attributes, <u64>count * wrap.ATTRIBUTES) &&
    inStaging(out, outLength)
  );
}

/** `handles`: `count` × u32, little-endian. */
export function vaultWrap(kek: u32, handles: usize, count: i32, length: i32, out: usize): i32 {
  const outLength = (<u64>length + wrap.OVERHEAD) * count;
  if (
    !fits(count | length) ||
    count > MAX_COUNT ||
    length > MAX_KEY ||
    !inStaging(handles, <u64>count * 4) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(wrap.wrapHandles(slotOf(kek), handles, count, length, out), out, outLength);
}

export function vaultUnwrap(kek: u32, attributes: usize, wrapped: usize, length: i32, end: usize): i32 {
  if (
    !fits(length) ||
    length > MAX_KEY ||
    !inStaging(attributes, wrap.ATTRIBUTES) ||
    !inStaging(wrapped, <u64>length + wrap.OVERHEAD)
  ) {
    return -finish(FAIL_RANGE, end, 0);
  }
  const handle = wrap.unwrapOne(slotOf(kek), attributes, wrapped, length);
  finish(OK, end, 0);
  return handle;
}

/** `out`: `count` status bytes. */
export function vaultOpenCheck(
  kek: u32,
  attributes: usize,
  wrapped: usize,
  count: i32,
  length: i32,
  out: usize,
): i32 {
  if (
    !validBatch(attributes, count, length, out, count) ||
    !inStaging(wrapped, (<u64>length + wrap.OVERHEAD) * count)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(wrap.openCheck(slotOf(kek), attributes, wrapped, count, length, out), out, count);
}

/** `out`: `count` × (`length` + 72) bytes, then `count` status bytes. */
export function vaultRewrap(
  oldKek: u32,
  newKek: u32,
  attributes: usize,
  wrapped: usize,
  count: i32,
  length: i32,
  out: usize,
): i32 {
  const size = (<u64>length + wrap.OVERHEAD) * count;
  const outLength = size + count;
  if (!validBatch(attributes, count, length, out, outLength) || !inStaging(wrapped, size)) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = wrap.rewrap(slotOf(oldKek), slotOf(newKek), attributes, wrapped, count, length, out);
  return finish(status, out, outLength);
}

/** Returns a handle. Attributes need not name a wrapping key. */
export function vaultDerive(parent: u32, attributes: usize, info: usize, infoLength: i32, end: usize): i32 {
  if (
    !fits(infoLength) ||
    infoLength > wrap.MAX_INFO ||
    !inStaging(attributes, wrap.ATTRIBUTES) ||
    !inStaging(info, infoLength)
  ) {
    return -finish(FAIL_RANGE, end, 0);
  }
  const handle = wrap.deriveOne(slotOf(parent), attributes, info, infoLength);
  finish(OK, end, 0);
  return handle;
}

/** `out`: `count` × 104 bytes. */
export function vaultDeriveAndWrap(
  parent: u32,
  kek: u32,
  attributes: usize,
  infos: usize,
  infoLength: i32,
  count: i32,
  out: usize,
): i32 {
  const outLength = (<u64>32 + wrap.OVERHEAD) * count;
  if (
    !validBatch(attributes, count, infoLength < 0 ? -1 : 0, out, outLength) ||
    infoLength > wrap.MAX_INFO ||
    !inStaging(infos, <u64>infoLength * count)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = wrap.deriveAndWrap(
    slotOf(parent),
    slotOf(kek),
    attributes,
    infos,
    infoLength,
    count,
    out,
  );
  return finish(status, out, outLength);
}

/** `out`: `length` + 72 bytes. */
export function vaultSeal(
  handle: u32,
  aad: usize,
  aadLength: i32,
  plaintext: usize,
  length: i32,
  out: usize,
): i32 {
  const outLength = <u64>length + use.SEAL_OVERHEAD;
  if (
    !fits(aadLength | length) ||
    !inStaging(aad, aadLength) ||
    !inStaging(plaintext, length) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(use.seal(slotOf(handle), aad, aadLength, plaintext, length, out), out, outLength);
}

/** `out`: `length` − 72 bytes. */
export function vaultOpen(
  handle: u32,
  aad: usize,
  aadLength: i32,
  sealed: usize,
  length: i32,
  out: usize,
): i32 {
  if (
    !fits(aadLength | length) ||
    !inStaging(aad, aadLength) ||
    !inStaging(sealed, length) ||
    !inStaging(out, length)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(use.open(slotOf(handle), aad, aadLength, sealed, length, out), out, length);
}

export function vaultMac(handle: u32, data: usize, length: i32, out: usize): i32 {
  if (!fits(length) || !inStaging(data, length) || !inStaging(out, MAC_LENGTH)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(use.mac(slotOf(handle), data, length, out), out, MAC_LENGTH);
}

export function vaultMacVerify(handle: u32, data: usize, length: i32, expected: usize, end: usize): i32 {
  if (!fits(length) || !inStaging(data, length) || !inStaging(expected, MAC_LENGTH)) {
    return finish(FAIL_RANGE, end, 0);
  }
  return finish(use.macVerify(slotOf(handle), data, length, expected), end, 0);
}

/** The sum of `count` lengths, or more than any memory has where the table itself is out of bounds. */
function totalLength(lengths: usize, count: i32): u64 {
  if (!fits(count) || count > MAX_COUNT || !inStaging(lengths, <u64>count * 4)) return u64.MAX_VALUE >> 1;
  let total: u64 = 0;
  for (let i = 0; i < count; i++) total += load<u32>(lengths + <usize>i * 4);
  return total;
}

/** `out`: `count` × 32 bytes. */
export function vaultMacBatch(handle: u32, messages: usize, lengths: usize, count: i32, out: usize): i32 {
  const total = totalLength(lengths, count);
  const outLength = MAC_LENGTH * count;
  if (!inStaging(messages, total) || !inStaging(out, outLength)) return finish(FAIL_RANGE, out, 0);
  return finish(use.macMany(slotOf(handle), messages, lengths, count, out), out, outLength);
}

/** `prefix`: 64 bytes. `out`: `count` × MAC (32), each with its digest (32) behind it when `digests` is 1. */
export function vaultRecordSeal(
  handle: u32,
  prefix: usize,
  messages: usize,
  lengths: usize,
  count: i32,
  digests: i32,
  out: usize,
): i32 {
  const total = totalLength(lengths, count);
  const outLength = <u64>(digests == 1 ? 64 : 32) * count;
  if (!inStaging(prefix, 64) || !inStaging(messages, total) || !inStaging(out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(use.recordSealMany(slotOf(handle), prefix, messages, lengths, count, digests == 1, out), out, outLength);
}

/** `macs`: `count` × 32 bytes. `out`: `count` status bytes. */
export function vaultRecordCheck(
  handle: u32,
  prefix: usize,
  messages: usize,
  lengths: usize,
  macs: usize,
  count: i32,
  out: usize,
): i32 {
  const total = totalLength(lengths, count);
  if (
    !inStaging(prefix, 64) ||
    !inStaging(messages, total) ||
    !inStaging(macs, MAC_LENGTH * count) ||
    !inStaging(out, count)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = use.recordCheckMany(slotOf(handle), prefix, messages, lengths, macs, count, out);
  return finish(status, out, count);
}

/**
 * `work`: `count` × (`stride` + 36) bytes of staging before `out`. `out`: the rows, and when `digests` is 1 then 32 bytes
 * each.
 */
export function vaultRecordSealRows(
  handle: u32,
  prefix: usize,
  rows: usize,
  stride: i32,
  count: i32,
  digests: i32,
  work: usize,
  out: usize,
): i32 {
  const outLength = (<u64>stride + (digests == 1 ? 32 : 0)) * count;
  if (!validRows(prefix, rows, stride, count, work) || !inStaging(out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(use.recordSealRows(slotOf(handle), prefix, rows, stride, count, digests == 1, work, out), out, outLength);
}

/** `work`: `count` × (`stride` + 36) bytes of staging before `out`. `out`: `count` status bytes. */
export function vaultRecordCheckRows(
  handle: u32,
  prefix: usize,
  rows: usize,
  stride: i32,
  count: i32,
  work: usize,
  out: usize,
): i32 {
  if (!validRows(prefix, rows, stride, count, work) || !inStaging(out, count)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(use.recordCheckRows(slotOf(handle), prefix, rows, stride, count, work, out), out, count);
}

function validRows(prefix: usize, rows: usize, stride: i32, count: i32, work: usize): bool {
  return (
    fits(count) &&
    count <= MAX_COUNT &&
    stride >= 32 &&
    inStaging(prefix, 64) &&
    inStaging(rows, <u64>stride * count) &&
    inStaging(work, (<u64>stride + 36) * count)
  );
}

/** `out`: 88 bytes. */
export function vaultAgeWrap(handle: u32, fileKey: u32, aad: usize, aadLength: i32, out: usize): i32 {
  if (!fits(aadLength) || !inStaging(aad, aadLength) || !inStaging(out, use.AGE_BODY)) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = use.ageWrap(slotOf(handle), aad, aadLength, slotOf(fileKey), out);
  return finish(status, out, use.AGE_BODY);
}

/** Returns the handle of the file key. */
export function vaultAgeUnwrap(
  handle: u32,
  aad: usize,
  aadLength: i32,
  body: usize,
  length: i32,
  end: usize,
): i32 {
  if (!fits(aadLength | length) || !inStaging(aad, aadLength) || !inStaging(body, length)) {
    return -finish(FAIL_RANGE, end, 0);
  }
  const fileKey = use.ageUnwrap(slotOf(handle), aad, aadLength, body, length);
  finish(OK, end, 0);
  return fileKey;
}

export function vaultAgeHeaderMac(fileKey: u32, header: usize, length: i32, out: usize): i32 {
  if (!fits(length) || !inStaging(header, length) || !inStaging(out, MAC_LENGTH)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(use.ageHeaderMac(slotOf(fileKey), header, length, out), out, MAC_LENGTH);
}

export function vaultAgeHeaderMacVerify(
  fileKey: u32,
  header: usize,
  length: i32,
  expected: usize,
  end: usize,
): i32 {
  if (!fits(length) || !inStaging(header, length) || !inStaging(expected, MAC_LENGTH)) {
    return finish(FAIL_RANGE, end, 0);
  }
  return finish(use.ageHeaderMacVerify(slotOf(fileKey), header, length, expected), end, 0);
}

/** `nonce`: 16 bytes. Returns the handle of the payload key. */
export function vaultAgePayloadKey(fileKey: u32, nonce: usize, end: usize): i32 {
  if (!inStaging(nonce, 16)) return -finish(FAIL_RANGE, end, 0);
  const handle = use.agePayloadKey(slotOf(fileKey), nonce);
  finish(OK, end, 0);
  return handle;
}

/** The chunk's number in two halves. `out`: `length` + 16 bytes. */
export function vaultAgeChunkSeal(
  payload: u32,
  counterHigh: u32,
  counterLow: u32,
  last: u32,
  chunk: usize,
  length: i32,
  out: usize,
): i32 {
  const outLength = <u64>length + 16;
  if (!fits(length) || !inStaging(chunk, length) || !inStaging(out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  const counter = ((<u64>counterHigh) << 32) | counterLow;
  return finish(use.ageChunkSeal(slotOf(payload), counter, last, chunk, length, out), out, outLength);
}

/** `length` counts the tag. `out`: `length` − 16 bytes. */
export function vaultAgeChunkOpen(
  payload: u32,
  counterHigh: u32,
  counterLow: u32,
  last: u32,
  sealed: usize,
  length: i32,
  out: usize,
): i32 {
  if (!fits(length) || !inStaging(sealed, length) || !inStaging(out, length)) {
    return finish(FAIL_RANGE, out, 0);
  }
  const counter = ((<u64>counterHigh) << 32) | counterLow;
  return finish(use.ageChunkOpen(slotOf(payload), counter, last, sealed, length, out), out, length);
}
