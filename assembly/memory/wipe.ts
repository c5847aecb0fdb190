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
