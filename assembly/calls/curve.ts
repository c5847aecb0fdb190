/** X25519 and Ed25519, bytes in and out. */
import { FAIL_RANGE, FAIL_WEAK_KEY, OK } from "../abi";
import * as ed25519 from "../curve/ed25519";
import { ed25519Verify as verify } from "../curve/ed25519-verify";
import { x25519 } from "../curve/x25519";
import { finish, fits, inStaging, totalLength } from "../memory/wipe";

/** `scalar` and `out`: 32 bytes. */
export function x25519PublicKey(scalar: usize, out: usize): i32 {
  if (!inStaging(scalar, 32) || !inStaging(out, 32)) return finish(FAIL_RANGE, out, 0);
  ed25519.x25519PublicKey(scalar, out);
  return finish(OK, out, 32);
}

/** `scalar`, `publicKey` and `out`: 32 bytes. */
export function x25519SharedSecret(scalar: usize, publicKey: usize, out: usize): i32 {
  if (!inStaging(scalar, 32) || !inStaging(publicKey, 32) || !inStaging(out, 32)) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(x25519(out, scalar, publicKey) ? FAIL_WEAK_KEY : OK, out, 32);
}

/** `seed` and `out`: 32 bytes. */
export function ed25519PublicKey(seed: usize, out: usize): i32 {
  if (!inStaging(seed, 32) || !inStaging(out, 32)) return finish(FAIL_RANGE, out, 0);
  ed25519.ed25519PublicKey(seed, out);
  return finish(OK, out, 32);
}

/** `seed`: 32 bytes. `out`: 64 bytes. */
export function ed25519Sign(seed: usize, message: usize, length: i32, out: usize): i32 {
  if (!fits(length) || !inStaging(seed, 32) || !inStaging(message, length) || !inStaging(out, 64)) {
    return finish(FAIL_RANGE, out, 0);
  }
  ed25519.ed25519SignSeed(seed, message, length, out);
  return finish(OK, out, 64);
}

/** Keys (32) and signatures (64) back to back, messages too, of `lengths` × u32 bytes. `out`: `count` status bytes. */
export function ed25519Verify(
  keys: usize,
  messages: usize,
  lengths: usize,
  signatures: usize,
  count: i32,
  out: usize,
): i32 {
  const total = totalLength(lengths, count);
  if (
    !inStaging(keys, <u64>32 * count) ||
    !inStaging(messages, total) ||
    !inStaging(signatures, <u64>64 * count) ||
    !inStaging(out, count)
  ) {
    return finish(FAIL_RANGE, out, 0);
  }
  return finish(verify(keys, messages, lengths, signatures, count, out), out, count);
}
