/**
 * Deterministic CBOR (RFC 8949 §4.2) with integer map keys, over `cborg`.
 *
 * Decoding is strict: no indefinite lengths, no duplicate keys, no floats, no trailing bytes, and the
 * bytes must be the very ones the encoder would write, so that one meaning has one encoding.
 */
import { decode, encode, rfc8949EncodeOptions } from "cborg";
import { equalBytes } from "./bytes.js";
import { KeyloomError } from "./errors.js";

export type CborValue = number | boolean | string | null | Uint8Array | CborValue[] | CborMap;
export type CborMap = Map<number, CborValue>;

const DECODE_OPTIONS = {
  useMaps: true,
  rejectDuplicateMapKeys: true,
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
} as const;

/** Builds a map from (key, value) pairs, leaving out absent (`undefined`) values. */
export function cborMap(...pairs: readonly (readonly [number, CborValue | undefined])[]): CborMap {
  const map: CborMap = new Map();
  for (const [key, value] of pairs) if (value !== undefined) map.set(key, value);
  return map;
}

export function encodeCbor(value: CborValue): Uint8Array {
  return encode(value, rfc8949EncodeOptions);
}

/**
 * @param what - names the thing in the error message
 * @throws {KeyloomError} `CBOR_INVALID` when `bytes` is not one deterministically encoded map
 */
export function decodeCborMap(bytes: Uint8Array, what: string): CborMap {
  let value: unknown;
  try {
    value = decode(bytes, DECODE_OPTIONS);
  } catch (cause) {
    throw new KeyloomError("CBOR_INVALID", { message: `${what} is not valid CBOR`, cause });
  }
  if (!(value instanceof Map))
    throw new KeyloomError("CBOR_INVALID", { message: `${what} is not a CBOR map` });
  if (!equalBytes(encodeCbor(value as CborMap), bytes)) {
    throw new KeyloomError("CBOR_INVALID", { message: `${what} is not deterministically encoded` });
  }
  return value as CborMap;
}

/** Typed, bounded access to the fields of a decoded map. A miss or a wrong type throws `CBOR_INVALID`. */
export class CborReader {
  readonly #map: CborMap;
  readonly #what: string;

  constructor(map: CborMap, what: string) {
    this.#map = map;
    this.#what = what;
  }

  static decode(bytes: Uint8Array, what: string): CborReader {
    return new CborReader(decodeCborMap(bytes, what), what);
  }

  has(key: number): boolean {
    return this.#map.has(key);
  }

  uint(key: number, maximum: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#map.get(key);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > maximum) {
      throw this.#bad(key, "an unsigned integer in range");
    }
    return value;
  }

  optionalUint(key: number, maximum?: number): number | undefined {
    return this.has(key) ? this.uint(key, maximum) : undefined;
  }

  bool(key: number): boolean {
    const value = this.#map.get(key);
    if (typeof value !== "boolean") throw this.#bad(key, "a boolean");
    return value;
  }

  text(key: number, maximumBytes = 65_536): string {
    const value = this.#map.get(key);
    if (typeof value !== "string" || value.length > maximumBytes) throw this.#bad(key, "a text");
    return value;
  }

  optionalText(key: number, maximumBytes?: number): string | undefined {
    return this.has(key) ? this.text(key, maximumBytes) : undefined;
  }

  bytes(key: number, length?: number): Uint8Array {
    const value = this.#map.get(key);
    if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
      throw this.#bad(key, length === undefined ? "a byte string" : `${length} bytes`);
    }
    return value;
  }

  optionalBytes(key: number, length?: number): Uint8Array | undefined {
    return this.has(key) ? this.bytes(key, length) : undefined;
  }

  array(key: number, maximum: number): CborValue[] {
    const value = this.#map.get(key);
    if (!Array.isArray(value) || value.length > maximum)
      throw this.#bad(key, `an array of at most ${maximum}`);
    return value;
  }

  uints(key: number, maximum: number): number[] {
    const value = this.array(key, maximum);
    if (!value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0))
      throw this.#bad(key, "an array of unsigned integers");
    return value as number[];
  }

  texts(key: number, maximum: number, maximumLength: number): string[] {
    const value = this.array(key, maximum);
    if (!value.every((item) => typeof item === "string" && item.length <= maximumLength))
      throw this.#bad(key, "an array of texts");
    return value as string[];
  }

  map(key: number): CborMap {
    const value = this.#map.get(key);
    if (!(value instanceof Map)) throw this.#bad(key, "a map");
    return value;
  }

  /** A map, as a reader of its own. */
  reader(key: number): CborReader {
    return new CborReader(this.map(key), this.#what);
  }

  /** An array of maps, each as a reader of its own. */
  readers(key: number, maximum: number): CborReader[] {
    return this.array(key, maximum).map((item) => {
      if (!(item instanceof Map)) throw this.#bad(key, "an array of maps");
      return new CborReader(item, this.#what);
    });
  }

  #bad(key: number, expected: string): KeyloomError {
    return new KeyloomError("CBOR_INVALID", { message: `${this.#what}: field ${key} is not ${expected}` });
  }
}
