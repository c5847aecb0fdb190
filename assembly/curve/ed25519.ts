/**
 * Ed25519 (RFC 8032 §5.1): keys and signatures. Time depends on the message's length only.
 *
 * An expanded key is 96 bytes: the secret scalar, the prefix that nonces are hashed from, the public key. A signature is
 * made from these alone: a public key that a caller brings along could make two signatures that give the scalar away.
 */
import { INITIAL_STATE_512, sha512, sha512Begin, sha512Finish, sha512Update, sha512Wipe } from "../hash/sha512";
import { CURVE_SCRATCH } from "../memory/layout";
import { EDWARDS_SCRATCH_END, encode, encodeMontgomery, ensureTables, multiplyBase } from "./edwards";
import { scalarMulAdd, scalarReduce } from "./scalar";
import { clamp } from "./x25519";

export const EXPANDED: usize = 96;
const PREFIX: usize = 32;
const PUBLIC: usize = 64;

const KEY: usize = EDWARDS_SCRATCH_END;
const HASH: usize = KEY + EXPANDED;
const NONCE: usize = HASH + 64;
export const ED25519_SCRATCH_END: usize = NONCE + 32;

/** Zeroes curve scratch up to `end`. */
function wipe(end: usize): void {
  memory.fill(CURVE_SCRATCH, 0, end - CURVE_SCRATCH);
}

/** Expands a seed, 32 bytes, into `key`, 96 bytes. */
export function ed25519Expand(seed: usize, key: usize): void {
  ensureTables();
  sha512(seed, 32, HASH);
  clamp(key, HASH);
  memory.copy(key + PREFIX, HASH + 32, 32);
  multiplyBase(key);
  encode(key + PUBLIC);
  wipe(ED25519_SCRATCH_END);
}

/** out = SHA-512(a ‖ b ‖ message) mod L, 32 bytes; `a` and `b` are 32 bytes, `b` = 0 stands for none. */
export function hashToScalar(a: usize, b: usize, message: usize, length: i32, out: usize): void {
  sha512Begin(INITIAL_STATE_512, 0);
  sha512Update(a, 32);
  if (b) sha512Update(b, 32);
  sha512Update(message, length);
  sha512Finish(HASH);
  sha512Wipe();
  scalarReduce(out, HASH);
}

/** Signs with an expanded key. `out`: 64 bytes. */
export function ed25519Sign(key: usize, message: usize, length: i32, out: usize): void {
  ensureTables();
  hashToScalar(key + PREFIX, 0, message, length, NONCE);
  multiplyBase(NONCE);
  encode(out);
  hashToScalar(out, key + PUBLIC, message, length, out + 32);
  scalarMulAdd(out + 32, out + 32, key, NONCE);
  wipe(ED25519_SCRATCH_END);
}

/** Writes the public key of a seed to `out`, 32 bytes. */
export function ed25519PublicKey(seed: usize, out: usize): void {
  ed25519Expand(seed, KEY_OUT);
  memory.copy(out, KEY_OUT + PUBLIC, 32);
  memory.fill(KEY_OUT, 0, EXPANDED);
}

/** Signs with a seed: twice the work. */
export function ed25519SignSeed(seed: usize, message: usize, length: i32, out: usize): void {
  ed25519Expand(seed, KEY_OUT);
  ed25519Sign(KEY_OUT, message, length, out);
  memory.fill(KEY_OUT, 0, EXPANDED);
}

/** Behind what `wipe` clears. */
const KEY_OUT: usize = ED25519_SCRATCH_END;

/** Writes the X25519 public key of a scalar to `out`: the base point's multiple comes from Edwards tables. */
export function x25519PublicKey(scalar: usize, out: usize): void {
  ensureTables();
  clamp(KEY, scalar);
  multiplyBase(KEY);
  encodeMontgomery(out);
  wipe(ED25519_SCRATCH_END);
}
