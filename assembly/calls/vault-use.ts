/** Messages and MACs under a slot's key. */
import { FAIL_RANGE } from "../abi";
import { finish, fits, inStaging, totalLength } from "../memory/wipe";
import { slotOf } from "../vault/slots";
import * as use from "../vault/use";

const MAC_LENGTH: u64 = 32;

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

/** `out`: `count` × 32 bytes. */
export function vaultMacBatch(handle: u32, messages: usize, lengths: usize, count: i32, out: usize): i32 {
  const total = totalLength(lengths, count);
  const outLength = MAC_LENGTH * count;
  if (!inStaging(messages, total) || !inStaging(out, outLength)) return finish(FAIL_RANGE, out, 0);
  return finish(use.macMany(slotOf(handle), messages, lengths, count, out), out, outLength);
}
