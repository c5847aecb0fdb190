/**
 * Handing a key to another core of the same program, a worker's: sealed to an X25519 pair that the other core made and keeps.
 *
 *   share (32) ‖ head (28) ‖ ciphertext (n) ‖ tag (16)
 *
 * The head is the first 28 attribute bytes of the key (docs/FORMATS.md) and the associated data. The key is
 * HKDF-SHA256(shared secret, share ‖ recipient, "keyloom/v1/transfer"), for one message, with a nonce of zeros.
 *
 * Keys that are stored may be handed over, and an age scrypt key, which is gone here once it is sealed: it seals once.
 */
import { FAIL_AUTHENTICATION, FAIL_LENGTH, FAIL_MISUSE, FAIL_RANDOM, FAIL_STALE, FAIL_WEAK_KEY, OK } from "../abi";
import { aeadOpen, aeadSeal } from "../cipher/chacha20-poly1305";
import { x25519PublicKey } from "../curve/ed25519";
import { x25519 } from "../curve/x25519";
import { KEY, messageKey, NONCE, prepare, PUBLIC_AT, SALT, SHARED, wipe } from "./curve";
import { TRANSFER, TRANSFER_LENGTH } from "./labels";
import { hostRandom } from "./random";
import {
  AGREE,
  ALGORITHM_AGE_SCRYPT_KEY,
  allocate,
  isManaged,
  MATERIAL,
  MAX_KEY,
  release,
  requireUsage,
  slotOf,
} from "./slots";

const SHARE: usize = 32;
const HEAD: usize = 28;
const TAG: usize = 16;
/** What sealing adds to a key. */
export const TRANSFER_OVERHEAD: usize = SHARE + HEAD + TAG;

const FORMAT: u8 = 1;

/** @param out - the key's length + 76 bytes */
export function sealTo(slot: usize, recipient: usize, length: usize, out: usize): i32 {
  if (slot == 0) return FAIL_STALE;
  const algorithm = load<u8>(slot, 5);
  const once = algorithm == ALGORITHM_AGE_SCRYPT_KEY;
  if (!isManaged(algorithm) && !once) return FAIL_MISUSE;
  if (load<u8>(slot, 7) != length) return FAIL_LENGTH;
  let failure = FAIL_RANDOM;
  if (hostRandom(KEY, 32) == 0) {
    x25519PublicKey(KEY, out);
    failure = x25519(SHARED, KEY, recipient) ? FAIL_WEAK_KEY : OK;
    messageKey(out, recipient, TRANSFER, TRANSFER_LENGTH);
    const head = out + SHARE;
    store<u8>(head, FORMAT);
    store<u8>(head, 0, 1);
    store<u16>(head, load<u16>(slot, 5), 2); // algorithm, flags
    store<u32>(head, bswap(load<u32>(slot, 8)), 4);
    memory.copy(head + 8, slot + 16, 16);
    store<u32>(head, bswap(load<u32>(slot, 12)), 24);
    aeadSeal(false, KEY, NONCE, head, HEAD, slot + MATERIAL, length, head + HEAD);
    if (once && failure == OK) release(slot);
  }
  wipe();
  return failure;
}

/** @returns the handle of the key in a new slot, or a negated status */
export function openFrom(pair: usize, sealed: usize, length: usize): i32 {
  const status = requireUsage(pair, AGREE);
  if (status != OK) return -status;
  if (length <= TRANSFER_OVERHEAD || length > TRANSFER_OVERHEAD + MAX_KEY) return -FAIL_AUTHENTICATION;
  prepare(pair);
  let handle = -FAIL_AUTHENTICATION;
  const head = sealed + SHARE;
  const material = length - TRANSFER_OVERHEAD;
  if (x25519(SHARED, pair + MATERIAL, sealed) == 0) {
    messageKey(sealed, pair + PUBLIC_AT, TRANSFER, TRANSFER_LENGTH);
    if (aeadOpen(false, KEY, NONCE, head, HEAD, head + HEAD, material + TAG, SALT) == OK) {
      const usages = bswap(load<u32>(head, 4));
      handle = allocate(load<u8>(head, 2), load<u8>(head, 3), usages, head + 8, bswap(load<u32>(head, 24)));
      if (handle > 0) {
        const slot = slotOf(handle);
        if (load<u8>(slot, 7) == material) {
          memory.copy(slot + MATERIAL, SALT, material);
        } else {
          release(slot);
          handle = -FAIL_LENGTH;
        }
      }
    }
  }
  wipe();
  return handle;
}
