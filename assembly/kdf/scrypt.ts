/**
 * scrypt (RFC 7914). Its second half reads memory where the password leads it, by specification.
 *
 * While blocks are mixed, word i of a sub-block of 64 bytes is word 5i (mod 16) of the standard's: Salsa20's diagonals are
 * rows of 16 bytes then.
 */
import { FAIL_LENGTH, FAIL_PARAMETER, OK } from "../abi";
import { MEMORY_HARD_SCRATCH } from "../memory/layout";
import { xorInto } from "../memory/xor";
import { pbkdf2Sha256 } from "./pbkdf2-sha256";

const SUB_BLOCK: usize = 64;
/** r and p below this bound keep the sums of `scryptMemory` below 2^64. No memory holds more. */
const MAX_SIZE: u32 = 1 << 24;
/** A sub-block in its other order. */
const WORK: usize = MEMORY_HARD_SCRATCH;
const TO_ROWS: usize = 5;
/** 5 · 13 = 1 (mod 16). */
const FROM_ROWS: usize = 13;

/** Bytes of the memory that the work needs: B, V, and two blocks at work. */
export function scryptMemory(n: u32, r: u32, p: u32): u64 {
  if (r >= MAX_SIZE || p >= MAX_SIZE) return u64.MAX_VALUE >> 1;
  return ((<u64>r) << 7) * (<u64>n + p + 2);
}

/** Word i of each sub-block becomes its word i · `factor` (mod 16). */
function reorder(block: usize, size: usize, factor: usize): void {
  for (const end = block + size; block < end; block += SUB_BLOCK) {
    for (let i: usize = 0; i < 16; i++) {
      store<u32>(WORK + i * 4, load<u32>(block + ((i * factor) & 15) * 4));
    }
    memory.copy(block, WORK, SUB_BLOCK);
  }
}

/** x ⊕ (sum ⋘ n). */
@inline
function mix(x: v128, sum: v128, n: i32): v128 {
  return v128.xor(v128.xor(x, i32x4.shl(sum, n)), i32x4.shr_u(sum, 32 - n));
}

/** scryptBlockMix (RFC 7914 §4): `size` bytes from `block` to `to`, with Salsa20/8 as the hash. */
function blockMix(block: usize, to: usize, size: usize): void {
  const last = block + size - SUB_BLOCK;
  let a = v128.load(last);
  let b = v128.load(last, 16);
  let c = v128.load(last, 32);
  let d = v128.load(last, 48);
  for (let i: usize = 0; i < size; i += SUB_BLOCK) {
    const at = block + i;
    const a0 = v128.xor(a, v128.load(at));
    const b0 = v128.xor(b, v128.load(at, 16));
    const c0 = v128.xor(c, v128.load(at, 32));
    const d0 = v128.xor(d, v128.load(at, 48));
    a = a0;
    b = b0;
    c = c0;
    d = d0;
    for (let round = 0; round < 4; round++) {
      b = mix(b, i32x4.add(a, d), 7);
      c = mix(c, i32x4.add(b, a), 9);
      d = mix(d, i32x4.add(c, b), 13);
      a = mix(a, i32x4.add(d, c), 18);
      // Rows: b and d change places, and each is turned.
      const turned = v128.shuffle<i32>(d, d, 1, 2, 3, 0);
      c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
      d = v128.shuffle<i32>(b, b, 3, 0, 1, 2);
      b = mix(turned, i32x4.add(a, d), 7);
      c = mix(c, i32x4.add(b, a), 9);
      d = mix(d, i32x4.add(c, b), 13);
      a = mix(a, i32x4.add(d, c), 18);
      const back = v128.shuffle<i32>(d, d, 1, 2, 3, 0);
      c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
      d = v128.shuffle<i32>(b, b, 3, 0, 1, 2);
      b = back;
    }
    a = i32x4.add(a, a0);
    b = i32x4.add(b, b0);
    c = i32x4.add(c, c0);
    d = i32x4.add(d, d0);
    const out = place(to, i, size);
    v128.store(out, a);
    v128.store(out, b, 16);
    v128.store(out, c, 32);
    v128.store(out, d, 48);
  }
}

/** Where output `i` (in bytes) of a block goes: even sub-blocks to its first half, odd ones to its second. */
@inline
function place(to: usize, i: usize, size: usize): usize {
  return to + ((i >> 1) & ~(SUB_BLOCK - 1)) + ((i & SUB_BLOCK) != 0 ? size >> 1 : 0);
}

/** As `blockMix`, in the build without SIMD. */
function blockMixScalar(block: usize, to: usize, size: usize): void {
  const last = block + size - SUB_BLOCK;
  let a0 = load<u32>(last);
  let a1 = load<u32>(last, 4);
  let a2 = load<u32>(last, 8);
  let a3 = load<u32>(last, 12);
  let b0 = load<u32>(last, 16);
  let b1 = load<u32>(last, 20);
  let b2 = load<u32>(last, 24);
  let b3 = load<u32>(last, 28);
  let c0 = load<u32>(last, 32);
  let c1 = load<u32>(last, 36);
  let c2 = load<u32>(last, 40);
  let c3 = load<u32>(last, 44);
  let d0 = load<u32>(last, 48);
  let d1 = load<u32>(last, 52);
  let d2 = load<u32>(last, 56);
  let d3 = load<u32>(last, 60);
  for (let i: usize = 0; i < size; i += SUB_BLOCK) {
    const at = block + i;
    const out = place(to, i, size);
    a0 ^= load<u32>(at);
    a1 ^= load<u32>(at, 4);
    a2 ^= load<u32>(at, 8);
    a3 ^= load<u32>(at, 12);
    b0 ^= load<u32>(at, 16);
    b1 ^= load<u32>(at, 20);
    b2 ^= load<u32>(at, 24);
    b3 ^= load<u32>(at, 28);
    c0 ^= load<u32>(at, 32);
    c1 ^= load<u32>(at, 36);
    c2 ^= load<u32>(at, 40);
    c3 ^= load<u32>(at, 44);
    d0 ^= load<u32>(at, 48);
    d1 ^= load<u32>(at, 52);
    d2 ^= load<u32>(at, 56);
    d3 ^= load<u32>(at, 60);
    // The rounds' input waits in the output's place.
    store<u32>(out, a0);
    store<u32>(out, a1, 4);
    store<u32>(out, a2, 8);
    store<u32>(out, a3, 12);
    store<u32>(out, b0, 16);
    store<u32>(out, b1, 20);
    store<u32>(out, b2, 24);
    store<u32>(out, b3, 28);
    store<u32>(out, c0, 32);
    store<u32>(out, c1, 36);
    store<u32>(out, c2, 40);
    store<u32>(out, c3, 44);
    store<u32>(out, d0, 48);
    store<u32>(out, d1, 52);
    store<u32>(out, d2, 56);
    store<u32>(out, d3, 60);
    for (let round = 0; round < 4; round++) {
      // Columns.
      b0 ^= rotl(a0 + d0, 7);
      b1 ^= rotl(a1 + d1, 7);
      b2 ^= rotl(a2 + d2, 7);
      b3 ^= rotl(a3 + d3, 7);
      c0 ^= rotl(b0 + a0, 9);
      c1 ^= rotl(b1 + a1, 9);
      c2 ^= rotl(b2 + a2, 9);
      c3 ^= rotl(b3 + a3, 9);
      d0 ^= rotl(c0 + b0, 13);
      d1 ^= rotl(c1 + b1, 13);
      d2 ^= rotl(c2 + b2, 13);
      d3 ^= rotl(c3 + b3, 13);
      a0 ^= rotl(d0 + c0, 18);
      a1 ^= rotl(d1 + c1, 18);
      a2 ^= rotl(d2 + c2, 18);
      a3 ^= rotl(d3 + c3, 18);
      // Rows.
      d1 ^= rotl(a0 + b3, 7);
      d2 ^= rotl(a1 + b0, 7);
      d3 ^= rotl(a2 + b1, 7);
      d0 ^= rotl(a3 + b2, 7);
      c2 ^= rotl(d1 + a0, 9);
      c3 ^= rotl(d2 + a1, 9);
      c0 ^= rotl(d3 + a2, 9);
      c1 ^= rotl(d0 + a3, 9);
      b3 ^= rotl(c2 + d1, 13);
      b0 ^= rotl(c3 + d2, 13);
      b1 ^= rotl(c0 + d3, 13);
      b2 ^= rotl(c1 + d0, 13);
      a0 ^= rotl(b3 + c2, 18);
      a1 ^= rotl(b0 + c3, 18);
      a2 ^= rotl(b1 + c0, 18);
      a3 ^= rotl(b2 + c1, 18);
    }
    a0 += load<u32>(out);
    a1 += load<u32>(out, 4);
    a2 += load<u32>(out, 8);
    a3 += load<u32>(out, 12);
    b0 += load<u32>(out, 16);
    b1 += load<u32>(out, 20);
    b2 += load<u32>(out, 24);
    b3 += load<u32>(out, 28);
    c0 += load<u32>(out, 32);
    c1 += load<u32>(out, 36);
    c2 += load<u32>(out, 40);
    c3 += load<u32>(out, 44);
    d0 += load<u32>(out, 48);
    d1 += load<u32>(out, 52);
    d2 += load<u32>(out, 56);
    d3 += load<u32>(out, 60);
    store<u32>(out, a0);
    store<u32>(out, a1, 4);
    store<u32>(out, a2, 8);
    store<u32>(out, a3, 12);
    store<u32>(out, b0, 16);
    store<u32>(out, b1, 20);
    store<u32>(out, b2, 24);
    store<u32>(out, b3, 28);
    store<u32>(out, c0, 32);
    store<u32>(out, c1, 36);
    store<u32>(out, c2, 40);
    store<u32>(out, c3, 44);
    store<u32>(out, d0, 48);
    store<u32>(out, d1, 52);
    store<u32>(out, d2, 56);
    store<u32>(out, d3, 60);
  }
}

@inline
function mixBlock(block: usize, to: usize, size: usize): void {
  if (ASC_FEATURE_SIMD) blockMix(block, to, size);
  else blockMixScalar(block, to, size);
}

/** scryptROMix (RFC 7914 §5) of one block of B, in place. `memory`: n + 2 blocks. */
function romix(block: usize, size: usize, n: u32, v: usize): void {
  reorder(block, size, TO_ROWS);
  memory.copy(v, block, size);
  let x = v;
  for (let i: u32 = 0; i < n; i++, x += size) mixBlock(x, x + size, size);
  let y = x + size;
  for (let i: u32 = 0; i < n; i++) {
    const j = load<u32>(x + size - SUB_BLOCK) & (n - 1);
    xorInto(v + <usize>j * size, x, size);
    mixBlock(x, y, size);
    const free = x;
    x = y;
    y = free;
  }
  memory.copy(block, x, size);
  reorder(block, size, FROM_ROWS);
}

/**
 * Derives a key from a password.
 *
 * @param n - a power of 2 above 1, and below 2^16 with r = 1.
 * @param r, p - from 1; r · p below 2^24.
 * @param work - `scryptMemory` bytes, 16-byte aligned. Left dirty.
 * @param out - `outLength` bytes, at least 1.
 * @returns OK, or FAIL_LENGTH or FAIL_PARAMETER with nothing written.
 */
export function scrypt(
  password: usize,
  passwordLength: i32,
  salt: usize,
  saltLength: i32,
  n: u32,
  r: u32,
  p: u32,
  work: usize,
  out: usize,
  outLength: i32,
): i32 {
  if (n < 2 || (n & (n - 1)) != 0 || (r == 1 && n >= 1 << 16)) return FAIL_PARAMETER;
  if (!r || !p || <u64>r * p >= MAX_SIZE) return FAIL_PARAMETER;
  if (outLength < 1) return FAIL_LENGTH;
  const size = (<usize>r) << 7;
  const all = size * <usize>p;
  pbkdf2Sha256(password, passwordLength, salt, saltLength, 1, work, <i32>all);
  const v = work + all;
  for (let block = work; block < v; block += size) romix(block, size, n, v);
  memory.fill(WORK, 0, SUB_BLOCK);
  return pbkdf2Sha256(password, passwordLength, work, <i32>all, 1, out, outLength);
}
