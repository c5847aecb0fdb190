/**
 * Where something that was computed from secrets becomes public: the verdicts that every protocol shows by what it does
 * next. There is no other way: the test of constant time (test/constant-time) takes every other branch on a secret for a
 * mistake. It knows a verdict by the cell that it passes through; the compiler keeps a store and a load where it would
 * not keep a function. A verdict is one bit.
 */
import { VERDICTS } from "./layout";

/** Is the tag of an AEAD right? */
export const TAG_VERDICT: usize = VERDICTS;
/** Was this sealed under this key? */
export const COMMITMENT_VERDICT: usize = VERDICTS + 4;
/** Is a MAC right? */
export const MAC_VERDICT: usize = VERDICTS + 8;
/** Is what AES-KW or AES-KWP checks right: initial value, length and padding? */
export const KEY_WRAP_VERDICT: usize = VERDICTS + 12;
/** Is a shared secret of X25519 all zero? */
export const ALL_ZERO_VERDICT: usize = VERDICTS + 16;

// More than one bit:

/** Of a key that AES-KWP unwrapped, after its check: the length. */
export const KEY_LENGTH: usize = VERDICTS + 20;
/** Of a key pair: the public key. */
export const PUBLIC_KEY: usize = VERDICTS + 24;
/** Random factors of signatures that are verified together: nothing is known of them before, and nothing hangs on them after. */
export const VERIFY_FACTORS: usize = VERDICTS + 28;

/**
 * Makes a value public.
 *
 * @param value - 0 or 1 for a verdict
 * @param cell - what it is: one of the constants above
 */
@inline
export function declassify(value: i32, cell: usize): i32 {
  store<i32>(cell, value);
  const verdict = load<i32>(cell);
  store<i32>(cell, 0);
  return verdict;
}

/** Makes `length` bytes public in place, a multiple of 4. */
@inline
export function declassifyBytes(at: usize, length: usize, cell: usize): void {
  for (let i: usize = 0; i < length; i += 4) store<i32>(at + i, declassify(load<i32>(at + i), cell));
}

/** 1 where two 32-byte values differ, made public; the time doesn't depend on where they do. */
@inline
export function differ32(a: usize, b: usize, cell: usize): i32 {
  let difference: u64 = 0;
  for (let i: usize = 0; i < 32; i += 8) difference |= load<u64>(a + i) ^ load<u64>(b + i);
  return declassify(<i32>(difference != 0), cell);
}
