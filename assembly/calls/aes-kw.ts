/** AES-KW and AES-KWP on bytes. */
import { FAIL_AUTHENTICATION, FAIL_LENGTH, FAIL_RANGE, OK } from "../abi";
import { setKey } from "../cipher/aes";
import { finish, fits, inStaging, MAX_COUNT } from "../memory/wipe";
import { KW_IV, kwpUnwrap, kwpWrap, kwUnwrapBatch, kwWrapBatch, wipeKw } from "../wrap/aes-kw";

/** Is this the length of an AES key? */
@inline
function isKeyLength(length: i32): bool {
  return length == 16 || length == 24 || length == 32;
}

/** May AES-KW wrap keys of this length? */
@inline
function isWrappable(length: i32): bool {
  return (length & 7) == 0 && length >= 16;
}

/** `count` keys of `length` bytes, back to back. `out`: `count` × (`length` + 8) bytes. */
export function aesKwWrapMany(kek: usize, kekLength: i32, keys: usize, length: i32, out: usize, count: i32): i32 {
  const outLength = (<u64>length + 8) * count;
  if (
    !fits(kekLength | length | count) ||
    count > MAX_COUNT ||
    !inStaging(kek, kekLength) ||
    !inStaging(keys, <u64>length * count) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  if (!isKeyLength(kekLength) || !isWrappable(length)) return finish(FAIL_LENGTH, out, 0);
  kwWrapBatch(setKey(kek, kekLength, count), KW_IV, keys, length, out, length + 8, count);
  wipeKw();
  return finish(OK, out, outLength);
}

/** `length` counts the 8 bytes of the check. `out`: `count` × (`length` − 8) bytes, then `count` status bytes. */
export function aesKwUnwrapMany(
  kek: usize,
  kekLength: i32,
  wrapped: usize,
  length: i32,
  out: usize,
  count: i32,
): i32 {
  if (length < 8) return finish(FAIL_LENGTH, out, 0);
  const keyLength = length - 8;
  const outLength = (<u64>keyLength + 1) * count;
  if (
    !fits(kekLength | count) ||
    count > MAX_COUNT ||
    !inStaging(kek, kekLength) ||
    !inStaging(wrapped, <u64>length * count) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  if (!isKeyLength(kekLength) || !isWrappable(keyLength)) return finish(FAIL_LENGTH, out, 0);
  const statuses = out + <usize>keyLength * count;
  kwUnwrapBatch(setKey(kek, kekLength, count), KW_IV, wrapped, length, keyLength, out, count, statuses);
  wipeKw();
  return finish(OK, out, outLength);
}

/** One key of `length` > 0 bytes. `out`: `length` rounded up to a multiple of 8, and 8. */
export function aesKwpWrap(kek: usize, kekLength: i32, key: usize, length: i32, out: usize): i32 {
  const outLength = ((<u64>length + 7) & ~7) + 8;
  if (
    !fits(kekLength | length) ||
    !inStaging(kek, kekLength) ||
    !inStaging(key, length) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  if (!isKeyLength(kekLength) || length == 0) return finish(FAIL_LENGTH, out, 0);
  kwpWrap(setKey(kek, kekLength, 1), key, length, out);
  wipeKw();
  return finish(OK, out, outLength);
}

/** Returns the key's length, or a negated status. `out`: `length` − 8 bytes, the key and zeros. */
export function aesKwpUnwrap(kek: usize, kekLength: i32, wrapped: usize, length: i32, out: usize): i32 {
  if (!fits(kekLength | length) || !inStaging(kek, kekLength) || !inStaging(wrapped, length) || !inStaging(out, length)) {
    return -finish(FAIL_RANGE, out, 0);
  }
  if (!isKeyLength(kekLength) || (length & 7) != 0 || length < 16) return -finish(FAIL_LENGTH, out, 0);
  const keyLength = kwpUnwrap(setKey(kek, kekLength, 1), wrapped, length - 8, out);
  wipeKw();
  if (keyLength == 0) return -finish(FAIL_AUTHENTICATION, out, length - 8);
  finish(OK, out, length - 8);
  return keyLength;
}
