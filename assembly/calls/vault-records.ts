/** MACs and digests of records in the store. */
import { FAIL_RANGE } from "../abi";
import { finish, fits, inStaging, MAX_COUNT, totalLength } from "../memory/wipe";
import { slotOf } from "../vault/slots";
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
