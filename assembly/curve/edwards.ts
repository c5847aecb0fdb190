/**
 * Points of edwards25519, −x² + y² = 1 + d x² y² (RFC 8032 §5.1), in extended coordinates: x = X/Z, y = Y/Z, T = XY/Z.
 *
 * A point is two pairs, [X | Y] [Z | T]; a cached one, made to be added, is [Y − X | Y + X] [2Z | 2dT]. Formulas:
 * Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited" (2008), §3.1 and §3.3; the addition is complete.
 */
import { BASE_TABLE, EDWARDS_SCRATCH } from "../memory/layout";
import {
  addFirst,
  butterfly,
  fromBytes,
  invert,
  join,
  mul,
  PAIR,
  raiseForRoot,
  SECOND,
  setSmall,
  square,
  sub,
  toBytes,
} from "./field";
import { SCALAR_SCRATCH_END, scalarDigits } from "./scalar";

export const POINT: usize = 2 * PAIR;
/** The first eight multiples of a point, cached. */
export const MULTIPLES: usize = 8 * POINT;

/** d = −121665/121666 and a square root of −1, 32 bytes each. */
// prettier-ignore
const CONSTANTS: usize = memory.data<u64>([
  0x75eb4dca135978a3, 0x00700a4d4141d8ab, 0x8cc740797779e898, 0x52036cee2b6ffe73,
  0xc4ee1b274a0ea0b0, 0x2f431806ad2fe478, 0x2b4d00993dfbd7a7, 0x2b8324804fc1df0b,
], 8);

/** [2 | 2d], then 32 rows: row i holds the first eight multiples of 256^i times the base point. */
const TWO_D: usize = BASE_TABLE;
const ROWS: usize = TWO_D + PAIR;

const T: usize = SCALAR_SCRATCH_END;
const U: usize = T + PAIR;
const V: usize = U + PAIR;
const W: usize = V + PAIR;
/** What `decode` found: the two x, the two y. */
const X: usize = W + PAIR;
const Y: usize = X + PAIR;
/** The cached point in hand. */
const CHOSEN: usize = Y + PAIR;
const DIGITS: usize = CHOSEN + POINT;
/** The point in hand: what the functions here double, add to and encode. */
export const P: usize = DIGITS + 64;
export const EDWARDS_SCRATCH_END: usize = P + POINT;

/** P = [E F | G H] [F G | E H] from [F | E] and [G | H]. */
function finishPoint(fe: usize, gh: usize): void {
  mul(P + PAIR, gh, fe);
  join(W, fe + SECOND, gh + SECOND);
  join(fe, fe, gh);
  mul(P, W, fe);
}

/** P = 2 P */
export function double(): void {
  butterfly(U, P);
  join(T, P + PAIR, U + SECOND); // [Z | X + Y]
  square(T, T);
  addFirst(T, T); // [2 Z² | (X + Y)²]
  square(U, P);
  butterfly(U, U); // [G | H] = [Y² − X² | Y² + X²]
  sub(T, T, U); // [F | E]
  finishPoint(T, U);
}

/** P = P + CHOSEN */
function addChosen(): void {
  butterfly(T, P);
  mul(T, T, CHOSEN); // [A | B]
  butterfly(T, T); // [E | H] = [B − A | B + A]
  mul(U, P + PAIR, CHOSEN + PAIR); // [D | C]
  join(U, U + SECOND, U);
  butterfly(U, U); // [F | G] = [D − C | D + C]
  join(V, U + SECOND, T + SECOND);
  join(T, U, T);
  finishPoint(T, V);
}

/** Writes P to `out` as a cached point. */
function cache(out: usize): void {
  butterfly(out, P);
  mul(out + PAIR, P + PAIR, TWO_D);
}

/** Writes 1 P … 8 P to `out`, cached; P is 8 P then. Public: P is. */
export function cacheMultiples(out: usize): void {
  cache(out);
  memory.copy(CHOSEN, out, POINT);
  double();
  for (let i: usize = 1; ; i++) {
    cache(out + i * POINT);
    if (i == 7) return;
    addChosen();
  }
}

export function setIdentity(): void {
  setSmall(P, 0, 1);
  setSmall(P + PAIR, 1, 0);
}

/** Computes the tables, once in a memory's life. */
export function ensureTables(): void {
  if (load<i32>(TWO_D) != 0) return;
  setSmall(TWO_D, 2, 0);
  fromBytes(T + SECOND, CONSTANTS);
  setSmall(U, 0, 2);
  mul(T, T, U);
  join(TWO_D, TWO_D, T + SECOND);
  // The base point: y = 4/5, x even.
  memory.fill(DIGITS, 0x66, 32);
  store<u8>(DIGITS, 0x58);
  decode(DIGITS, DIGITS);
  setDecoded(0);
  for (let i: usize = 0; i < 32; i++) {
    cacheMultiples(ROWS + i * MULTIPLES);
    for (let j = 0; j < 5; j++) double();
  }
}

/** Negates CHOSEN where `negative` is −1, not where it is 0. */
function negateChosen(negative: i32): void {
  if (ASC_FEATURE_SIMD) {
    const swap = i32x4.splat(negative);
    const second = v128.and(swap, i32x4(0, -1, 0, -1));
    for (let at = CHOSEN; at < CHOSEN + PAIR; at += 16) {
      const sums = v128.load(at);
      v128.store(at, v128.bitselect(v128.shuffle<i32>(sums, sums, 1, 0, 3, 2), sums, swap));
      v128.store(at, i32x4.sub(v128.xor(v128.load(at, PAIR), second), second), PAIR);
    }
  } else {
    for (let at = CHOSEN; at < CHOSEN + PAIR; at += 8) {
      const first = load<i32>(at);
      const second = load<i32>(at, SECOND);
      const change = (first ^ second) & negative;
      store<i32>(at, first ^ change);
      store<i32>(at, second ^ change, SECOND);
      store<i32>(at, (load<i32>(at, PAIR + SECOND) ^ negative) - negative, PAIR + SECOND);
    }
  }
}

/** Adds `digit` times a point to P, from −8 to 8; `multiples` are its own. Public digits only. */
export function addMultiple(multiples: usize, digit: i32): void {
  if (digit == 0) return;
  memory.copy(CHOSEN, multiples + <usize>(abs(digit) - 1) * POINT, POINT);
  negateChosen(digit >> 31);
  addChosen();
}

/** As `addMultiple` for secret digits: reads the whole row. */
function addMultipleSecret(multiples: usize, digit: i32): void {
  const negative = digit >> 31;
  const size = (digit ^ negative) - negative;
  // Digit 0: [1 | 1] [2 | 0].
  const zero = (size - 1) >> 31;
  memory.fill(CHOSEN, 0, POINT);
  store<u64>(CHOSEN, 0x100000001 & <i64>zero);
  store<u64>(CHOSEN, 2 & <i64>zero, PAIR);
  for (let j = 1; j <= 8; j++) {
    const mask = ((size ^ j) - 1) >> 31;
    const from = multiples + <usize>(j - 1) * POINT;
    if (ASC_FEATURE_SIMD) {
      const mask4 = i32x4.splat(mask);
      for (let i: usize = 0; i < POINT; i += 16) {
        v128.store(CHOSEN + i, v128.or(v128.load(CHOSEN + i), v128.and(v128.load(from + i), mask4)));
      }
    } else {
      const mask8 = <u64>(<i64>mask);
      for (let i: usize = 0; i < POINT; i += 8) {
        store<u64>(CHOSEN + i, load<u64>(CHOSEN + i) | (load<u64>(from + i) & mask8));
      }
    }
  }
  negateChosen(negative);
  addChosen();
}

/** P = scalar · base point. The scalar, 32 bytes, is below 2^255; time doesn't depend on it. */
export function multiplyBase(scalar: usize): void {
  scalarDigits(DIGITS, scalar);
  setIdentity();
  // Digits at odd places are worth 16 times those at even ones.
  for (let odd: usize = 1; ; odd = 0) {
    for (let i = odd; i < 64; i += 2) {
      addMultipleSecret(ROWS + (i >> 1) * MULTIPLES, load<i8>(DIGITS + i));
    }
    if (odd == 0) return;
    for (let j = 0; j < 4; j++) double();
  }
}

/** Adds the digits at odd (1) or even (0) places of a public scalar times the base point to P. */
export function addBaseDigits(digits: usize, odd: usize): void {
  for (let i = odd; i < 64; i += 2) addMultiple(ROWS + (i >> 1) * MULTIPLES, load<i8>(digits + i));
}

/** Writes P as 32 bytes (RFC 8032 §5.1.2). */
export function encode(out: usize): void {
  invert(T, P + PAIR);
  join(T, T, T);
  mul(T, T, P);
  toBytes(DIGITS, T, 0);
  toBytes(out, T, SECOND);
  store<u8>(out, load<u8>(out, 31) ^ (load<u8>(DIGITS) << 7), 31);
}

function equal32(a: usize, b: usize): bool {
  let difference: u64 = 0;
  for (let i: usize = 0; i < 32; i += 8) difference |= load<u64>(a + i) ^ load<u64>(b + i);
  return difference == 0;
}

/** Are two elements equal? Public ones only. */
function equal(a: usize, b: usize, which: usize): bool {
  toBytes(DIGITS, a, which);
  toBytes(DIGITS + 32, b, which);
  return equal32(DIGITS, DIGITS + 32);
}

/** Is P the identity, given that its order is odd? Then (0, −1) can't be meant. Public points only. */
export function isIdentity(): bool {
  setSmall(T, 0, 0);
  return equal(P, T, 0);
}

/** Replaces an element of X by another pair's. */
function replaceX(by: usize, which: usize): void {
  if (which) join(X, X, by + SECOND);
  else join(X, by, X + SECOND);
}

/** The end of `decode` for one point: T = v x², U = u, V = −u, W = x √−1. */
function decodeOne(bytes: usize, which: usize): bool {
  if (!equal(T, U, which)) {
    if (!equal(T, V, which)) return false;
    replaceX(W, which);
  }
  const sign = load<u8>(bytes, 31) >> 7;
  toBytes(DIGITS, X, which);
  if ((load<u8>(DIGITS) & 1) != sign) {
    setSmall(CHOSEN, 0, 0);
    if (equal(X, CHOSEN, which)) return false; // −0
    sub(CHOSEN, CHOSEN, X);
    replaceX(CHOSEN, which);
  }
  toBytes(DIGITS, Y, which);
  store<u8>(DIGITS, load<u8>(DIGITS, 31) | (sign << 7), 31);
  return equal32(DIGITS, bytes);
}

/**
 * Decodes two public points at once (RFC 8032 §5.1.3), 32 bytes each, for `setDecoded`. Refuses encodings that are not
 * canonical: y ≥ p, or the sign of x = 0 set.
 *
 * @returns bit 0: the first one is valid; bit 1: the second
 */
export function decode(first: usize, second: usize): i32 {
  fromBytes(Y, first);
  fromBytes(Y + SECOND, second);
  fromBytes(V, CONSTANTS);
  join(V, V, V);
  square(U, Y);
  mul(V, V, U);
  setSmall(T, 1, 1);
  sub(U, U, T); // u = y² − 1
  setSmall(T, -1, -1);
  sub(V, V, T); // v = d y² + 1
  square(W, V);
  mul(W, W, V);
  mul(W, W, U); // u v³
  square(X, V);
  square(X, X);
  mul(X, X, W); // u v⁷
  raiseForRoot(T, X);
  mul(X, T, W);
  square(T, X);
  mul(T, T, V);
  fromBytes(W, CONSTANTS + 32);
  join(W, W, W);
  mul(W, X, W);
  setSmall(V, 0, 0);
  sub(V, V, U);
  return <i32>decodeOne(first, 0) | (<i32>decodeOne(second, SECOND) << 1);
}

/** P = the first (0) or second (SECOND) point that `decode` found. */
export function setDecoded(which: usize): void {
  join(P, X + which, Y + which);
  mul(T, X, Y);
  setSmall(P + PAIR, 1, 0);
  join(P + PAIR, P + PAIR, T + which);
}

/** Writes the u-coordinate of P's image on curve25519, (Z + Y) / (Z − Y), as 32 bytes (RFC 7748 §4.1). */
export function encodeMontgomery(out: usize): void {
  join(T, P + SECOND, P + PAIR);
  butterfly(T, T); // [Z − Y | Z + Y]
  invert(U, T);
  join(U, U, U);
  mul(T, T, U);
  toBytes(out, T, SECOND);
}
