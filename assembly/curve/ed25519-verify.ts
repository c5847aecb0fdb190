/**
 * Verifying Ed25519 signatures, alone or many at once, by one rule.
 *
 * A signature R ‖ S of a message M under the key A is valid exactly when
 * - S < L;
 * - A and R are canonical encodings of points whose order is not 1, 2, 4 or 8;
 * - [8] S B = [8] R + [8] k A, with k = SHA-512(R ‖ A ‖ M) mod L (RFC 8032 §5.1.7, the cofactored equation).
 *
 * Only the cofactored equation lets batches agree with single signatures: a sum of equations with random coefficients
 * loses components of small order. Everything here is public, and time depends on it.
 */
import { FAIL_AUTHENTICATION, FAIL_RANDOM, OK } from "../abi";
import { declassifyBytes, VERIFY_FACTORS } from "../memory/declassify";
import { CURVE_SCRATCH } from "../memory/layout";
import { hostRandom } from "../vault/random";
import { ED25519_SCRATCH_END, hashToScalar } from "./ed25519";
import {
  addBaseDigits,
  addMultiple,
  cacheMultiples,
  decode,
  double,
  ensureTables,
  isIdentity,
  MULTIPLES,
  setDecoded,
  setIdentity,
} from "./edwards";
import { SECOND } from "./field";
import { scalarCanonical, scalarDigits, scalarMulAdd } from "./scalar";

/** Signatures whose equations are added up at once. */
const PIECE: i32 = 32;

const ZERO: usize = ED25519_SCRATCH_END;
const SUM: usize = ZERO + 32;
const PRODUCT: usize = SUM + 32;
const SUM_DIGITS: usize = PRODUCT + 32;
const ENTRIES: usize = SUM_DIGITS + 64;

/** An entry: multiples of A and R, k, the coefficient z, S, and the digits of z k and z. */
const OF_R: usize = MULTIPLES;
const K: usize = 2 * MULTIPLES;
const Z: usize = K + 32;
const S: usize = Z + 32;
const DIGITS_A: usize = S + 32;
const DIGITS_R: usize = DIGITS_A + 64;
const ENTRY: usize = DIGITS_R + 64;

@inline
function entry(i: i32): usize {
  return ENTRIES + <usize>i * ENTRY;
}

/** Fills an entry. @returns FAIL_AUTHENTICATION where a part of the signature is not acceptable by itself */
function prepare(at: usize, key: usize, message: usize, length: i32, signature: usize): i32 {
  if (!scalarCanonical(signature + 32)) return FAIL_AUTHENTICATION;
  if (decode(key, signature) != 3) return FAIL_AUTHENTICATION;
  // 8 A and 8 R are what `cacheMultiples` leaves: the identity for points of small order.
  setDecoded(0);
  cacheMultiples(at);
  if (isIdentity()) return FAIL_AUTHENTICATION;
  setDecoded(SECOND);
  cacheMultiples(at + OF_R);
  if (isIdentity()) return FAIL_AUTHENTICATION;
  hashToScalar(signature, key, message, length, at + K);
  memory.copy(at + S, signature + 32, 32);
  return OK;
}

/** Is [8] Σ z (S B − R − k A) the identity? Over entries `from` up to `to` whose status is OK. */
function holds(from: i32, to: i32, statuses: usize): bool {
  memory.fill(SUM, 0, 32);
  for (let i = from; i < to; i++) {
    if (load<u8>(statuses + i) != OK) continue;
    const at = entry(i);
    scalarMulAdd(SUM, at + Z, at + S, SUM);
    scalarMulAdd(PRODUCT, at + Z, at + K, ZERO);
    scalarDigits(at + DIGITS_A, PRODUCT);
    scalarDigits(at + DIGITS_R, at + Z);
  }
  scalarDigits(SUM_DIGITS, SUM);
  setIdentity();
  for (let place: isize = 63; place >= 0; place--) {
    for (let j = 0; j < 4; j++) double();
    for (let i = from; i < to; i++) {
      if (load<u8>(statuses + i) != OK) continue;
      const at = entry(i);
      addMultiple(at, -load<i8>(at + DIGITS_A + place));
      addMultiple(at + OF_R, -load<i8>(at + DIGITS_R + place));
    }
    if (place < 2) addBaseDigits(SUM_DIGITS, place);
  }
  for (let j = 0; j < 3; j++) double();
  return isIdentity();
}

/** Checks one entry by itself, with the coefficient 1. */
function checkAlone(i: i32, statuses: usize): void {
  memory.fill(entry(i) + Z, 0, 32);
  store<u8>(entry(i) + Z, 1);
  if (!holds(i, i + 1, statuses)) store<u8>(statuses + i, FAIL_AUTHENTICATION);
}

/**
 * Verifies signatures.
 *
 * @param keys - 32 bytes each
 * @param messages - back to back, `lengths` × u32 bytes each
 * @param signatures - 64 bytes each
 * @param out - `count` status bytes
 */
export function ed25519Verify(
  keys: usize,
  messages: usize,
  lengths: usize,
  signatures: usize,
  count: i32,
  out: usize,
): i32 {
  ensureTables();
  let status = OK;
  for (let done = 0; done < count && status == OK; done += PIECE) {
    const piece = min(count - done, PIECE);
    let good = 0;
    for (let i = 0; i < piece; i++) {
      const at = done + i;
      const length = load<i32>(lengths + at * 4);
      const prepared = prepare(entry(i), keys + at * 32, messages, length, signatures + at * 64);
      store<u8>(out + at, prepared);
      if (prepared == OK) good++;
      messages += length;
    }
    let together = false;
    if (good > 1) {
      for (let i = 0; i < piece; i++) {
        memory.fill(entry(i) + Z, 0, 32);
        if (hostRandom(entry(i) + Z, 16) != 0) status = FAIL_RANDOM;
        declassifyBytes(entry(i) + Z, 16, VERIFY_FACTORS);
      }
      together = holds(0, piece, out + done);
    }
    if (!together) {
      for (let i = 0; i < piece; i++) {
        if (load<u8>(out + done + i) == OK) checkAlone(i, out + done);
      }
    }
  }
  memory.fill(CURVE_SCRATCH, 0, ENTRIES + <usize>PIECE * ENTRY - CURVE_SCRATCH);
  return status;
}
