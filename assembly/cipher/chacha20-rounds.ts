/** The rounds of ChaCha20 (RFC 8439 §2.3) over a state in rows of 16 bytes, with nothing added in the end. */

// Swizzles with a constant: V8 makes one byte shuffle of them, and several instructions of a general shuffle.
@inline
function rotl16(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

@inline
function rotl8(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
}

@inline
function rotateLeft(x: v128, n: i32): v128 {
  return v128.or(i32x4.shl(x, n), i32x4.shr_u(x, 32 - n));
}

/**
 * Four rounds of all four lanes. Two double rounds are spelled out: between turns of a loop the compiler moves every row
 * about.
 */
@inline
export function doubleRounds(from: usize, to: usize): void {
  let x0 = v128.load(from);
  let x1 = v128.load(from, 16);
  let x2 = v128.load(from, 32);
  let x3 = v128.load(from, 48);
  let x4 = v128.load(from, 64);
  let x5 = v128.load(from, 80);
  let x6 = v128.load(from, 96);
  let x7 = v128.load(from, 112);
  let x8 = v128.load(from, 128);
  let x9 = v128.load(from, 144);
  let x10 = v128.load(from, 160);
  let x11 = v128.load(from, 176);
  let x12 = v128.load(from, 192);
  let x13 = v128.load(from, 208);
  let x14 = v128.load(from, 224);
  let x15 = v128.load(from, 240);
  // Columns.
  x0 = i32x4.add(x0, x4);
  x1 = i32x4.add(x1, x5);
  x2 = i32x4.add(x2, x6);
  x3 = i32x4.add(x3, x7);
  x12 = rotl16(v128.xor(x12, x0));
  x13 = rotl16(v128.xor(x13, x1));
  x14 = rotl16(v128.xor(x14, x2));
  x15 = rotl16(v128.xor(x15, x3));
  x8 = i32x4.add(x8, x12);
  x9 = i32x4.add(x9, x13);
  x10 = i32x4.add(x10, x14);
  x11 = i32x4.add(x11, x15);
  x4 = rotateLeft(v128.xor(x4, x8), 12);
  x5 = rotateLeft(v128.xor(x5, x9), 12);
  x6 = rotateLeft(v128.xor(x6, x10), 12);
  x7 = rotateLeft(v128.xor(x7, x11), 12);
  x0 = i32x4.add(x0, x4);
  x1 = i32x4.add(x1, x5);
  x2 = i32x4.add(x2, x6);
  x3 = i32x4.add(x3, x7);
  x12 = rotl8(v128.xor(x12, x0));
  x13 = rotl8(v128.xor(x13, x1));
  x14 = rotl8(v128.xor(x14, x2));
  x15 = rotl8(v128.xor(x15, x3));
  x8 = i32x4.add(x8, x12);
  x9 = i32x4.add(x9, x13);
  x10 = i32x4.add(x10, x14);
  x11 = i32x4.add(x11, x15);
  x4 = rotateLeft(v128.xor(x4, x8), 7);
  x5 = rotateLeft(v128.xor(x5, x9), 7);
  x6 = rotateLeft(v128.xor(x6, x10), 7);
  x7 = rotateLeft(v128.xor(x7, x11), 7);
  // Diagonals.
  x0 = i32x4.add(x0, x5);
  x1 = i32x4.add(x1, x6);
  x2 = i32x4.add(x2, x7);
  x3 = i32x4.add(x3, x4);
  x15 = rotl16(v128.xor(x15, x0));
  x12 = rotl16(v128.xor(x12, x1));
  x13 = rotl16(v128.xor(x13, x2));
  x14 = rotl16(v128.xor(x14, x3));
  x10 = i32x4.add(x10, x15);
  x11 = i32x4.add(x11, x12);
  x8 = i32x4.add(x8, x13);
  x9 = i32x4.add(x9, x14);
  x5 = rotateLeft(v128.xor(x5, x10), 12);
  x6 = rotateLeft(v128.xor(x6, x11), 12);
  x7 = rotateLeft(v128.xor(x7, x8), 12);
  x4 = rotateLeft(v128.xor(x4, x9), 12);
  x0 = i32x4.add(x0, x5);
  x1 = i32x4.add(x1, x6);
  x2 = i32x4.add(x2, x7);
  x3 = i32x4.add(x3, x4);
  x15 = rotl8(v128.xor(x15, x0));
  x12 = rotl8(v128.xor(x12, x1));
  x13 = rotl8(v128.xor(x13, x2));
  x14 = rotl8(v128.xor(x14, x3));
  x10 = i32x4.add(x10, x15);
  x11 = i32x4.add(x11, x12);
  x8 = i32x4.add(x8, x13);
  x9 = i32x4.add(x9, x14);
  x5 = rotateLeft(v128.xor(x5, x10), 7);
  x6 = rotateLeft(v128.xor(x6, x11), 7);
  x7 = rotateLeft(v128.xor(x7, x8), 7);
  x4 = rotateLeft(v128.xor(x4, x9), 7);
  // Columns.
  x0 = i32x4.add(x0, x4);
  x1 = i32x4.add(x1, x5);
  x2 = i32x4.add(x2, x6);
  x3 = i32x4.add(x3, x7);
  x12 = rotl16(v128.xor(x12, x0));
  x13 = rotl16(v128.xor(x13, x1));
  x14 = rotl16(v128.xor(x14, x2));
  x15 = rotl16(v128.xor(x15, x3));
  x8 = i32x4.add(x8, x12);
  x9 = i32x4.add(x9, x13);
  x10 = i32x4.add(x10, x14);
  x11 = i32x4.add(x11, x15);
  x4 = rotateLeft(v128.xor(x4, x8), 12);
  x5 = rotateLeft(v128.xor(x5, x9), 12);
  x6 = rotateLeft(v128.xor(x6, x10), 12);
  x7 = rotateLeft(v128.xor(x7, x11), 12);
  x0 = i32x4.add(x0, x4);
  x1 = i32x4.add(x1, x5);
  x2 = i32x4.add(x2, x6);
  x3 = i32x4.add(x3, x7);
  x12 = rotl8(v128.xor(x12, x0));
  x13 = rotl8(v128.xor(x13, x1));
  x14 = rotl8(v128.xor(x14, x2));
  x15 = rotl8(v128.xor(x15, x3));
  x8 = i32x4.add(x8, x12);
  x9 = i32x4.add(x9, x13);
  x10 = i32x4.add(x10, x14);
  x11 = i32x4.add(x11, x15);
  x4 = rotateLeft(v128.xor(x4, x8), 7);
  x5 = rotateLeft(v128.xor(x5, x9), 7);
  x6 = rotateLeft(v128.xor(x6, x10), 7);
  x7 = rotateLeft(v128.xor(x7, x11), 7);
  // Diagonals.
  x0 = i32x4.add(x0, x5);
  x1 = i32x4.add(x1, x6);
  x2 = i32x4.add(x2, x7);
  x3 = i32x4.add(x3, x4);
  x15 = rotl16(v128.xor(x15, x0));
  x12 = rotl16(v128.xor(x12, x1));
  x13 = rotl16(v128.xor(x13, x2));
  x14 = rotl16(v128.xor(x14, x3));
  x10 = i32x4.add(x10, x15);
  x11 = i32x4.add(x11, x12);
  x8 = i32x4.add(x8, x13);
  x9 = i32x4.add(x9, x14);
  x5 = rotateLeft(v128.xor(x5, x10), 12);
  x6 = rotateLeft(v128.xor(x6, x11), 12);
  x7 = rotateLeft(v128.xor(x7, x8), 12);
  x4 = rotateLeft(v128.xor(x4, x9), 12);
  x0 = i32x4.add(x0, x5);
  x1 = i32x4.add(x1, x6);
  x2 = i32x4.add(x2, x7);
  x3 = i32x4.add(x3, x4);
  x15 = rotl8(v128.xor(x15, x0));
  x12 = rotl8(v128.xor(x12, x1));
  x13 = rotl8(v128.xor(x13, x2));
  x14 = rotl8(v128.xor(x14, x3));
  x10 = i32x4.add(x10, x15);
  x11 = i32x4.add(x11, x12);
  x8 = i32x4.add(x8, x13);
  x9 = i32x4.add(x9, x14);
  x5 = rotateLeft(v128.xor(x5, x10), 7);
  x6 = rotateLeft(v128.xor(x6, x11), 7);
  x7 = rotateLeft(v128.xor(x7, x8), 7);
  x4 = rotateLeft(v128.xor(x4, x9), 7);
  v128.store(to, x0);
  v128.store(to, x1, 16);
  v128.store(to, x2, 32);
  v128.store(to, x3, 48);
  v128.store(to, x4, 64);
  v128.store(to, x5, 80);
  v128.store(to, x6, 96);
  v128.store(to, x7, 112);
  v128.store(to, x8, 128);
  v128.store(to, x9, 144);
  v128.store(to, x10, 160);
  v128.store(to, x11, 176);
  v128.store(to, x12, 192);
  v128.store(to, x13, 208);
  v128.store(to, x14, 224);
  v128.store(to, x15, 240);
}

/** All 20 rounds of one lane: `from` and `to` are its words in row 0. */
export function roundsScalar(from: usize, to: usize): void {
  let x0 = load<u32>(from);
  let x1 = load<u32>(from, 16);
  let x2 = load<u32>(from, 32);
  let x3 = load<u32>(from, 48);
  let x4 = load<u32>(from, 64);
  let x5 = load<u32>(from, 80);
  let x6 = load<u32>(from, 96);
  let x7 = load<u32>(from, 112);
  let x8 = load<u32>(from, 128);
  let x9 = load<u32>(from, 144);
  let x10 = load<u32>(from, 160);
  let x11 = load<u32>(from, 176);
  let x12 = load<u32>(from, 192);
  let x13 = load<u32>(from, 208);
  let x14 = load<u32>(from, 224);
  let x15 = load<u32>(from, 240);
  for (let i = 0; i < 10; i++) {
    x0 += x4;
    x12 = rotl(x12 ^ x0, 16);
    x8 += x12;
    x4 = rotl(x4 ^ x8, 12);
    x0 += x4;
    x12 = rotl(x12 ^ x0, 8);
    x8 += x12;
    x4 = rotl(x4 ^ x8, 7);
    x1 += x5;
    x13 = rotl(x13 ^ x1, 16);
    x9 += x13;
    x5 = rotl(x5 ^ x9, 12);
    x1 += x5;
    x13 = rotl(x13 ^ x1, 8);
    x9 += x13;
    x5 = rotl(x5 ^ x9, 7);
    x2 += x6;
    x14 = rotl(x14 ^ x2, 16);
    x10 += x14;
    x6 = rotl(x6 ^ x10, 12);
    x2 += x6;
    x14 = rotl(x14 ^ x2, 8);
    x10 += x14;
    x6 = rotl(x6 ^ x10, 7);
    x3 += x7;
    x15 = rotl(x15 ^ x3, 16);
    x11 += x15;
    x7 = rotl(x7 ^ x11, 12);
    x3 += x7;
    x15 = rotl(x15 ^ x3, 8);
    x11 += x15;
    x7 = rotl(x7 ^ x11, 7);
    x0 += x5;
    x15 = rotl(x15 ^ x0, 16);
    x10 += x15;
    x5 = rotl(x5 ^ x10, 12);
    x0 += x5;
    x15 = rotl(x15 ^ x0, 8);
    x10 += x15;
    x5 = rotl(x5 ^ x10, 7);
    x1 += x6;
    x12 = rotl(x12 ^ x1, 16);
    x11 += x12;
    x6 = rotl(x6 ^ x11, 12);
    x1 += x6;
    x12 = rotl(x12 ^ x1, 8);
    x11 += x12;
    x6 = rotl(x6 ^ x11, 7);
    x2 += x7;
    x13 = rotl(x13 ^ x2, 16);
    x8 += x13;
    x7 = rotl(x7 ^ x8, 12);
    x2 += x7;
    x13 = rotl(x13 ^ x2, 8);
    x8 += x13;
    x7 = rotl(x7 ^ x8, 7);
    x3 += x4;
    x14 = rotl(x14 ^ x3, 16);
    x9 += x14;
    x4 = rotl(x4 ^ x9, 12);
    x3 += x4;
    x14 = rotl(x14 ^ x3, 8);
    x9 += x14;
    x4 = rotl(x4 ^ x9, 7);
  }
  store<u32>(to, x0);
  store<u32>(to, x1, 16);
  store<u32>(to, x2, 32);
  store<u32>(to, x3, 48);
  store<u32>(to, x4, 64);
  store<u32>(to, x5, 80);
  store<u32>(to, x6, 96);
  store<u32>(to, x7, 112);
  store<u32>(to, x8, 128);
  store<u32>(to, x9, 144);
  store<u32>(to, x10, 160);
  store<u32>(to, x11, 176);
  store<u32>(to, x12, 192);
  store<u32>(to, x13, 208);
  store<u32>(to, x14, 224);
  store<u32>(to, x15, 240);
}
