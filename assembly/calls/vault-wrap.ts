/** Wrapping and deriving keys under keys. */
import { FAIL_RANGE, FAIL_STALE, OK } from "../abi";
import { finish, fits, inStaging, MAX_COUNT } from "../memory/wipe";
import { MAX_KEY, slotOf } from "../vault/slots";
import * as wrap from "../vault/wrap";
import { ATTRIBUTES, overheadOf } from "../vault/wrap-algorithms";

/** What wrapping under a key adds to a key's length; 0 for a handle that is stale. */
function overhead(kek: u32): u64 {
  const slot = slotOf(kek);
  return slot == 0 ? 0 : overheadOf(slot);
}

/** What wrapping under a key adds to a key's length, or a negated status. */
export function vaultOverhead(kek: u32): i32 {
  const slot = slotOf(kek);
  return slot == 0 ? -FAIL_STALE : <i32>overheadOf(slot);
}

/** `length`: of the keys' material. `out`: `count` × (`length` + overhead) bytes. */
export function vaultGenerateAndWrap(kek: u32, attributes: usize, count: i32, length: i32, out: usize): i32 {
  const outLength = (<u64>length + overhead(kek)) * count;
  if (!validBatch(attributes, count, length, out, outLength)) return finish(FAIL_RANGE, out, 0);
  return finish(wrap.generateAndWrap(slotOf(kek), attributes, count, length, out), out, outLength);
}

/** `handles`: `count` × u32, little-endian. */
export function vaultWrap(kek: u32, handles: usize, count: i32, length: i32, out: usize): i32 {
  const outLength = (<u64>length + overhead(kek)) * count;
  if (
    !fits(count | length) ||
    count > MAX_COUNT ||
    length > MAX_KEY ||
    !inStaging(handles, <u64>count * 4) ||
    !inStaging(out, outLength)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(wrap.wrapHandles(slotOf(kek), handles, count, length, out), out, outLength);
}

export function vaultUnwrap(kek: u32, attributes: usize, wrapped: usize, length: i32, end: usize): i32 {
  if (
    !fits(length) ||
    length > MAX_KEY ||
    !inStaging(attributes, ATTRIBUTES) ||
    !inStaging(wrapped, <u64>length + overhead(kek))
  ) {
    return -finish(FAIL_RANGE, end, 0);
  }
  const handle = wrap.unwrapOne(slotOf(kek), attributes, wrapped, length);
  finish(OK, end, 0);
  return handle;
}

/** `out`: `count` status bytes. */
export function vaultOpenCheck(
  kek: u32,
  attributes: usize,
  wrapped: usize,
  count: i32,
  length: i32,
  out: usize,
): i32 {
  if (
    !validBatch(attributes, count, length, out, count) ||
    !inStaging(wrapped, (<u64>length + overhead(kek)) * count)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(wrap.openCheck(slotOf(kek), attributes, wrapped, count, length, out), out, count);
}

/** `out`: `count` × (`length` + the new key's overhead) bytes, then `count` status bytes. */
export function vaultRewrap(
  oldKek: u32,
  newKek: u32,
  attributes: usize,
  wrapped: usize,
  count: i32,
  length: i32,
  out: usize,
): i32 {
  const size = (<u64>length + overhead(oldKek)) * count;
  const outLength = (<u64>length + overhead(newKek) + 1) * count;
  if (!validBatch(attributes, count, length, out, outLength) || !inStaging(wrapped, size)) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = wrap.rewrap(slotOf(oldKek), slotOf(newKek), attributes, wrapped, count, length, out);
  return finish(status, out, outLength);
}

/** Returns a handle. Attributes need not name a wrapping key. */
export function vaultDerive(parent: u32, attributes: usize, info: usize, infoLength: i32, end: usize): i32 {
  if (
    !fits(infoLength) ||
    infoLength > wrap.MAX_INFO ||
    !inStaging(attributes, ATTRIBUTES) ||
    !inStaging(info, infoLength)
  ) {
    return -finish(FAIL_RANGE, end, 0);
  }
  const handle = wrap.deriveOne(slotOf(parent), attributes, info, infoLength);
  finish(OK, end, 0);
  return handle;
}

/** `out`: `count` × (32 + overhead) bytes. */
export function vaultDeriveAndWrap(
  parent: u32,
  kek: u32,
  attributes: usize,
  infos: usize,
  infoLength: i32,
  count: i32,
  out: usize,
): i32 {
  const outLength = (<u64>32 + overhead(kek)) * count;
  if (
    !validBatch(attributes, count, infoLength < 0 ? -1 : 0, out, outLength) ||
    infoLength > wrap.MAX_INFO ||
    !inStaging(infos, <u64>infoLength * count)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  const status = wrap.deriveAndWrap(
    slotOf(parent),
    slotOf(kek),
    attributes,
    infos,
    infoLength,
    count,
    out,
  );
  return finish(status, out, outLength);
}

function validBatch(attributes: usize, count: i32, length: i32, out: usize, outLength: u64): bool {
  return (
    fits(count | length) &&
    count <= MAX_COUNT &&
    length <= MAX_KEY &&
    inStaging(attributes, <u64>count * ATTRIBUTES) &&
    inStaging(out, outLength)
  );
}
