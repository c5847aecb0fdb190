/** Keys that come, live and go in slots. */
import { FAIL_LENGTH, FAIL_NOT_EXPORTABLE, FAIL_RANDOM, FAIL_RANGE, FAIL_STALE, OK } from "../abi";
import { pbkdf2Sha256 as pbkdf2 } from "../kdf/pbkdf2-sha256";
import { finish, fits, inStaging } from "../memory/wipe";
import { hostRandom } from "../vault/random";
import { allocate, countLive, MATERIAL, MAX_KEY, release, releaseAll, slotOf } from "../vault/slots";

/** `id`: 16 bytes. Returns a handle. */
export function vaultGenerate(algorithm: u32, flags: u32, usages: u32, id: usize, version: u32, end: usize): i32 {
  if (!inStaging(id, 16)) return -finish(FAIL_RANGE, end, 0);
  const handle = allocate(algorithm, flags, usages, id, version);
  if (handle > 0) {
    const slot = slotOf(handle);
    if (hostRandom(slot + MATERIAL, load<u8>(slot, 7)) != 0) {
      release(slot);
      finish(OK, end, 0);
      return -FAIL_RANDOM;
    }
  }
  finish(OK, end, 0);
  return handle;
}

export function vaultImport(
  algorithm: u32,
  flags: u32,
  usages: u32,
  id: usize,
  version: u32,
  material: usize,
  length: i32,
  end: usize,
): i32 {
  if (!inStaging(id, 16) || !fits(length) || length > MAX_KEY || !inStaging(material, length)) {
    return -finish(FAIL_RANGE, end, 0);
  }
  let handle = allocate(algorithm, flags, usages, id, version);
  if (handle > 0) {
    const slot = slotOf(handle);
    if (load<u8>(slot, 7) == length) {
      memory.copy(slot + MATERIAL, material, length);
    } else {
      release(slot);
      handle = -FAIL_LENGTH;
    }
  }
  finish(OK, end, 0);
  return handle;
}

/** PBKDF2-HMAC-SHA256 straight into a slot. */
export function vaultFromPassword(
  algorithm: u32,
  flags: u32,
  usages: u32,
  id: usize,
  version: u32,
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  iterations: u32,
  end: usize,
): i32 {
  if (
    !inStaging(id, 16) ||
    !fits(passwordLength | saltLength) ||
    !inStaging(password, passwordLength) ||
    !inStaging(salt, saltLength)
  ) {
    return -finish(FAIL_RANGE, end, 0);
  }
  let handle = allocate(algorithm, flags, usages, id, version);
  if (handle > 0) {
    const slot = slotOf(handle);
    const length = <i32>load<u8>(slot, 7);
    const status = pbkdf2(
      password,
      passwordLength,
      salt,
      saltLength,
      iterations,
      slot + MATERIAL,
      length,
    );
    if (status != OK) {
      release(slot);
      handle = -status;
    }
  }
  finish(OK, end, 0);
  return handle;
}

export function vaultDispose(handle: u32): i32 {
  const slot = slotOf(handle);
  if (slot == 0) return FAIL_STALE;
  release(slot);
  return OK;
}

export function vaultDisposeAll(): void {
  releaseAll();
}

export function vaultLiveCount(): i32 {
  return countLive();
}

/** The length of a live key's material, or a negated status. Public: it follows from the algorithm. */
export function vaultLength(handle: u32): i32 {
  const slot = slotOf(handle);
  return slot == 0 ? -FAIL_STALE : load<u8>(slot, 7);
}

/** Copies the material of an exportable key to `out`. */
export function vaultExport(handle: u32, out: usize): i32 {
  const slot = slotOf(handle);
  if (!inStaging(out, MAX_KEY)) return finish(FAIL_RANGE, out, 0);
  if (slot == 0) return finish(FAIL_STALE, out, MAX_KEY);
  if ((load<u8>(slot, 6) & 1) == 0) return finish(FAIL_NOT_EXPORTABLE, out, MAX_KEY);
  memory.copy(out, slot + MATERIAL, load<u8>(slot, 7));
  return finish(OK, out, load<u8>(slot, 7));
}
