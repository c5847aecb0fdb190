/** MACs and digests of records in the store. */
import { FAIL_RANGE } from "../abi";
import { finish, fits, inStaging, MAX_COUNT, totalLength } from "../memory/wipe";
import { slotOf } from "../vault/slots";
import { checkRows, moveRows, sealRows } from "../vault/rows";
import * as use from "../vault/use";

const MAC_LENGTH: u64 = 32;

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
 * Seals rows in place: each ends in 32 bytes of room for its MAC. `rows`: `count` × `stride` bytes, and when `digests` is
 * 1 then room for 32 bytes each.
 */
export function vaultRecordSealRows(
  handle: u32,
  prefix: usize,
  stride: i32,
  count: i32,
  digests: i32,
  rows: usize,
): i32 {
  const outLength = (<u64>stride + (digests == 1 ? 32 : 0)) * count;
  if (!validRows(prefix, stride, count) || !inStaging(rows, outLength)) return finish(FAIL_RANGE, rows, 0);
  return finish(sealRows(slotOf(handle), prefix, stride, count, digests == 1, rows), rows, outLength);
}

/** `out`: `count` status bytes. */
export function vaultRecordCheckRows(
  handle: u32,
  prefix: usize,
  rows: usize,
  stride: i32,
  count: i32,
  out: usize,
): i32 {
  if (!validRows(prefix, stride, count) || !inStaging(rows, <u64>stride * count) || !inStaging(out, count)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(checkRows(slotOf(handle), prefix, rows, stride, count, out), out, count);
}

/**
 * Moves material records in rows to another wrapping key, in place. `mac` checks them and seals them anew. `rows`: `count`
 * × `stride` bytes, then room for 32 bytes of digest and one status byte each.
 */
export function vaultMoveRows(
  mac: u32,
  oldKek: u32,
  newKek: u32,
  prefix: usize,
  stride: i32,
  count: i32,
  rows: usize,
): i32 {
  const outLength = (<u64>stride + 33) * count;
  if (!validRows(prefix, stride, count) || !inStaging(rows, outLength)) return finish(FAIL_RANGE, rows, 0);
  const status = moveRows(slotOf(mac), slotOf(oldKek), slotOf(newKek), prefix, stride, count, rows);
  return finish(status, rows, outLength);
}

function validRows(prefix: usize, stride: i32, count: i32): bool {
  return fits(count) && count <= MAX_COUNT && stride >= 32 && inStaging(prefix, 64);
}
