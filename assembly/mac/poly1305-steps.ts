/**
 * Poly1305 in steps: one block of one message, with the state in memory, so that a caller can take steps of several
 * messages in any order, and between other work. The arithmetic and its bounds are those of `poly1305.ts`.
 */
import { finish } from "./poly1305";

/** h0 … h3, r0 … r3, q1 … q3, each a u64. Secret. */
export const STATE_SIZE: usize = 88;
const R: usize = 32;
const Q: usize = 64;

/** A step to take: the address of a state and that of a block, as u32. */
export const STEP_SIZE: usize = 8;

/** Sets a state to the beginning of a message under a one-time key. */
export function beginSteps(state: usize, key: usize): void {
  for (let i: usize = 0; i < R; i += 8) store<u64>(state + i, 0);
  const r0: u64 = load<u32>(key) & 0x0fff_ffff;
  const r1: u64 = load<u32>(key, 4) & 0x0fff_fffc;
  const r2: u64 = load<u32>(key, 8) & 0x0fff_fffc;
  const r3: u64 = load<u32>(key, 12) & 0x0fff_fffc;
  store<u64>(state + R, r0);
  store<u64>(state + R, r1, 8);
  store<u64>(state + R, r2, 16);
  store<u64>(state + R, r3, 24);
  store<u64>(state + Q, r1 + (r1 >> 2));
  store<u64>(state + Q, r2 + (r2 >> 2), 8);
  store<u64>(state + Q, r3 + (r3 >> 2), 16);
}

@inline
export function setStep(at: usize, state: usize, block: usize): void {
  store<u32>(at, <u32>state);
  store<u32>(at, <u32>block, 4);
}

/** Takes the step at `at`: absorbs a whole block of 16 bytes. */
@inline
export function step(at: usize): void {
  const state = <usize>load<u32>(at);
  const block = <usize>load<u32>(at, 4);
  const r0 = load<u64>(state + R);
  const r1 = load<u64>(state + R, 8);
  const r2 = load<u64>(state + R, 16);
  const r3 = load<u64>(state + R, 24);
  const q1 = load<u64>(state + Q);
  const q2 = load<u64>(state + Q, 8);
  const q3 = load<u64>(state + Q, 16);
  const t0 = load<u64>(state) + load<u32>(block);
  const t1 = load<u64>(state, 8) + load<u32>(block, 4);
  const s0 = t0 & 0xffff_ffff;
  const s1 = (t1 & 0xffff_ffff) + (t0 >> 32);
  const s2 = load<u64>(state, 16) + load<u32>(block, 8) + (t1 >> 32);
  const s3 = load<u64>(state, 24) + load<u32>(block, 12) + 0x1_0000_0000;
  const x0 = s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1;
  const x1 = s0 * r1 + s1 * r0 + s2 * q3 + s3 * q2;
  const x2 = s0 * r2 + s1 * r1 + s2 * r0 + s3 * q3;
  const x3 = s0 * r3 + s1 * r2 + s2 * r1 + s3 * r0;
  store<u64>(state, (x0 & 0xffff_ffff) + (x3 >> 34) * 5);
  store<u64>(state, (x1 & 0xffff_ffff) + (x0 >> 32), 8);
  store<u64>(state, (x2 & 0xffff_ffff) + (x1 >> 32), 16);
  store<u64>(state, (x3 & 0x3_ffff_ffff) + (x2 >> 32), 24);
}

/** Takes the steps that are left. */
export function takeSteps(at: usize, end: usize): void {
  for (; at < end; at += STEP_SIZE) step(at);
}

/** Writes the tag, 16 bytes, of a message whose steps have all been taken. */
export function endSteps(state: usize, key: usize, out: usize): void {
  finish(
    load<u64>(state),
    load<u64>(state, 8),
    load<u64>(state, 16),
    load<u64>(state, 24),
    key,
    out,
  );
}
