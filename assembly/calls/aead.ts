/** (X)ChaCha20-Poly1305 on bytes. */
import { FAIL_LENGTH, FAIL_RANGE, OK } from "../abi";
import { aeadOpenBatch, aeadSealBatch } from "../cipher/aead-batch";
import { aeadOpen, aeadSeal } from "../cipher/chacha20-poly1305";
import { finish, fits, inStaging, MAX_COUNT } from "../memory/wipe";

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
