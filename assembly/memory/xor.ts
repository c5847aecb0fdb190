/** XOR of regions. */

/** Sets `to` to `to` ⊕ `from`; `length` is a multiple of 16. */
export function xorInto(from: usize, to: usize, length: usize): void {
  for (let i: usize = 0; i < length; i += 16) {
    if (ASC_FEATURE_SIMD) {
      v128.store(to + i, v128.xor(v128.load(to + i), v128.load(from + i)));
    } else {
      store<u64>(to + i, load<u64>(to + i) ^ load<u64>(from + i));
      store<u64>(to + i, load<u64>(to + i, 8) ^ load<u64>(from + i, 8), 8);
    }
  }
}
