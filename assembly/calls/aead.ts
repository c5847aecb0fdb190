/** AEADs on bytes. `variant`: 0 ChaCha20-Poly1305, 1 XChaCha20-Poly1305 (a nonce of 24 bytes), 2 AES-256-GCM-SIV. */
import { FAIL_AUTHENTICATION, FAIL_LENGTH, FAIL_RANGE, OK } from "../abi";
import { aeadOpenBatch, aeadSealBatch } from "../cipher/aead-batch";
import { gcmSivOpenBatch, gcmSivSealBatch } from "../cipher/aes-gcm-siv";
import { aeadOpen, aeadSeal } from "../cipher/chacha20-poly1305";
import { finish, fits, inStaging, MAX_COUNT } from "../memory/wipe";

const XCHACHA: i32 = 1;
const GCM_SIV: i32 = 2;

/** `out`: `length` + 16 bytes. */
export function aeadSealOne(
  variant: i32,
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
  if (variant == GCM_SIV) {
    gcmSivSealBatch(key, nonce, 0, aad, 0, aadLength, plaintext, 0, length, out, 0, 1);
  } else {
    aeadSeal(variant == XCHACHA, key, nonce, aad, aadLength, plaintext, length, out);
  }
  return finish(OK, out, outLength);
}

/** `length` counts the tag. `out`: `length` bytes, of which the last 16 are zero then. */
export function aeadOpenOne(
  variant: i32,
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
  let status: i32;
  if (variant == GCM_SIV) {
    const textLength = <usize>length - 16;
    // The one status byte lies behind the text, in room for the tag.
    const at = out + textLength;
    const failures = gcmSivOpenBatch(key, nonce, 0, aad, 0, aadLength, sealed, 0, textLength, out, 0, 1, at);
    status = failures == 0 ? OK : FAIL_AUTHENTICATION;
    store<u8>(at, 0);
  } else {
    status = aeadOpen(variant == XCHACHA, key, nonce, aad, aadLength, sealed, length, out);
    // Where it was opened in place, the tag is still there.
    memory.fill(out + length - 16, 0, 16);
  }
  return finish(status, out, length - 16);
}

/** `count` records under one key: nonces, associated data and plaintexts each back to back. */
export function aeadSealMany(
  variant: i32,
  key: usize,
  nonces: usize,
  aads: usize,
  aadLength: i32,
  plaintexts: usize,
  length: i32,
  out: usize,
  count: i32,
): i32 {
  const nonceLength: usize = variant == XCHACHA ? 24 : 12;
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
  const stride = <usize>length + 16;
  if (variant == GCM_SIV) {
    gcmSivSealBatch(
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
    stride,
    count,
  );
  } else {
  aeadSealBatch(
    variant == XCHACHA,
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
    stride,
    count,
  );
  }
  return finish(OK, out, outLength);
}

/** `length` counts the tag. `out`: `count` × (`length` − 16) bytes, then `count` status bytes. */
export function aeadOpenMany(
  variant: i32,
  key: usize,
  nonces: usize,
  aads: usize,
  aadLength: i32,
  sealed: usize,
  length: i32,
  out: usize,
  count: i32,
): i32 {
  const nonceLength: usize = variant == XCHACHA ? 24 : 12;
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
  const statuses = out + textLength * <usize>count;
  if (variant == GCM_SIV) {
    gcmSivOpenBatch(
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
    statuses,
  );
  } else {
  aeadOpenBatch(
    variant == XCHACHA,
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
    statuses,
  );
  }
  return finish(OK, out, outLength);
}
