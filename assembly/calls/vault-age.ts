/** age files: stanzas, header MACs, chunks. */
import { FAIL_RANGE, OK } from "../abi";
import { finish, fits, inStaging } from "../memory/wipe";
import { slotOf } from "../vault/slots";
import * as use from "../vault/use";

const MAC_LENGTH: u64 = 32;

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

/** `out`: 32 bytes. The key is gone then. */
export function vaultAgeScryptWrap(key: u32, fileKey: u32, out: usize): i32 {
  if (!inStaging(out, use.AGE_SCRYPT_BODY)) return finish(FAIL_RANGE, out, 0);
  return finish(use.ageScryptWrap(slotOf(key), slotOf(fileKey), out), out, use.AGE_SCRYPT_BODY);
}

/** `body`: 32 bytes. Returns the handle of the file key. */
export function vaultAgeScryptUnwrap(key: u32, body: usize, end: usize): i32 {
  if (!inStaging(body, use.AGE_SCRYPT_BODY)) return -finish(FAIL_RANGE, end, 0);
  const fileKey = use.ageScryptUnwrap(slotOf(key), body);
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
