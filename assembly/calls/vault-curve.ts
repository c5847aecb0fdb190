/** Asymmetric keys in slots. */
import { FAIL_RANGE, OK } from "../abi";
import { finish, fits, inStaging } from "../memory/wipe";
import * as curve from "../vault/curve";
import { slotOf } from "../vault/slots";
import { agreeOne, MAX_INFO } from "../vault/wrap";
import { ATTRIBUTES } from "../vault/wrap-algorithms";

/** `out`: 32 bytes. */
export function vaultPublicKey(handle: u32, out: usize): i32 {
  if (!inStaging(out, 32)) return finish(FAIL_RANGE, out, 0);
  return finish(curve.publicKey(slotOf(handle), out), out, 32);
}

/** `out`: 64 bytes. */
export function vaultSign(handle: u32, message: usize, length: i32, out: usize): i32 {
  if (!fits(length) || !inStaging(message, length) || !inStaging(out, 64)) return finish(FAIL_RANGE, out, 0);
  return finish(curve.sign(slotOf(handle), message, length, out), out, 64);
}

/** `signature`: 64 bytes. */
export function vaultVerify(handle: u32, message: usize, length: i32, signature: usize, end: usize): i32 {
  if (!fits(length) || !inStaging(message, length) || !inStaging(signature, 64)) return finish(FAIL_RANGE, end, 0);
  return finish(curve.verify(slotOf(handle), message, length, signature), end, 0);
}

/** As `vaultDerive`, from what is agreed upon with the holder of `peer`, a public key of 32 bytes. Returns a handle. */
export function vaultAgree(handle: u32, peer: usize, attributes: usize, info: usize, infoLength: i32, end: usize): i32 {
  if (
    !fits(infoLength) ||
    infoLength > MAX_INFO ||
    !inStaging(peer, 32) ||
    !inStaging(attributes, ATTRIBUTES) ||
    !inStaging(info, infoLength)
  ) {
    return -finish(FAIL_RANGE, end, 0);
  }
  const child = agreeOne(slotOf(handle), peer, attributes, info, infoLength);
  finish(OK, end, 0);
  return child;
}

/** `recipient`: 32 bytes. `out`: share (32), body (32). */
export function vaultAgeX25519Wrap(fileKey: u32, recipient: usize, out: usize): i32 {
  if (!inStaging(recipient, 32) || !inStaging(out, 64)) return finish(FAIL_RANGE, out, 0);
  return finish(curve.ageX25519Wrap(slotOf(fileKey), recipient, out), out, 64);
}

/** `share` and `body`: 32 bytes. Returns the handle of the file key. */
export function vaultAgeX25519Unwrap(handle: u32, share: usize, body: usize, end: usize): i32 {
  if (!inStaging(share, 32) || !inStaging(body, 32)) return -finish(FAIL_RANGE, end, 0);
  const fileKey = curve.ageX25519Unwrap(slotOf(handle), share, body);
  finish(OK, end, 0);
  return fileKey;
}
