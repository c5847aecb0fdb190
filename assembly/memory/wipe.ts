/** Bounds and wiping of the staging region: what every export begins and ends with. */
import { FAIL_RANGE, OK } from "../abi";
import { STAGING } from "./layout";

/** No batch is larger: products of lengths and counts stay far below 2^32. */
export const MAX_COUNT: i32 = 1 << 20;

@inline
function memoryEnd(): u64 {
  return (<u64>memory.size()) << 16;
}

/** Does [at, at + length) lie in the staging region? */
export function inStaging(at: usize, length: u64): bool {
  return at >= STAGING && <u64>at + length <= memoryEnd();
}

/** Are these lengths, combined by `|`, all without a sign? */
@inline
export function fits(length: i32): bool {
  return length >= 0;
}

/** The sum of `count` lengths, or more than any memory has where the table itself is out of bounds. */
export function totalLength(lengths: usize, count: i32): u64 {
  if (!fits(count) || count > MAX_COUNT || !inStaging(lengths, <u64>count * 4)) return u64.MAX_VALUE >> 1;
  let total: u64 = 0;
  for (let i = 0; i < count; i++) total += load<u32>(lengths + <usize>i * 4);
  return total;
}

/**
 * Ends a call: inputs, which lie from STAGING up to `out`, are zeroed; after a failure the output too.
 *
 * @returns `status`
 */
export function finish(status: i32, out: usize, outLength: u64): i32 {
  // A pointer that lies elsewhere says nothing of where inputs are: everything goes.
  const valid = status != FAIL_RANGE && inStaging(out, outLength);
  const end = !valid ? memoryEnd() : status == OK ? <u64>out : <u64>out + outLength;
  memory.fill(STAGING, 0, <usize>(end - STAGING));
  return status;
}
