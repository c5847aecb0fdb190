/** Keys that go from one core to another. */
import { FAIL_RANGE, OK } from "../abi";
import { finish, fits, inStaging } from "../memory/wipe";
import { MAX_KEY, slotOf } from "../vault/slots";
import { openFrom, sealTo, TRANSFER_OVERHEAD } from "../vault/transfer";

/** `length`: of the key. `recipient`: 32 bytes. `out`: `length` + 76 bytes. */
export function vaultSealTo(handle: u32, recipient: usize, length: i32, out: usize): i32 {
  const outLength = <u64>length + TRANSFER_OVERHEAD;
  if (!fits(length) || length > MAX_KEY || !inStaging(recipient, 32) || !inStaging(out, outLength)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(sealTo(slotOf(handle), recipient, length, out), out, outLength);
}

/** Returns a handle. */
export function vaultOpenFrom(pair: u32, sealed: usize, length: i32, end: usize): i32 {
  if (!fits(length) || !inStaging(sealed, length)) return -finish(FAIL_RANGE, end, 0);
  const handle = openFrom(slotOf(pair), sealed, length);
  finish(OK, end, 0);
  return handle;
}
