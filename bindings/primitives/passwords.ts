/** Memory-hard key derivation from passwords. @see memory-hard.ts for bounds and for where it runs */
import type { Argon2idParameters, MemoryHard, ScryptParameters } from "../memory-hard.js";

export interface PasswordPrimitives {
  /**
   * RFC 9106, version 0x13. Blocks the thread.
   *
   * @param salt - at least 8 bytes
   * @param options - `length`: of the output, at least 4
   */
  argon2id(
    password: Uint8Array,
    salt: Uint8Array,
    options: Argon2idParameters & { length: number },
  ): Uint8Array;
  /** RFC 7914. `length`: of the output, at least 1. Blocks the thread. */
  scrypt(password: Uint8Array, salt: Uint8Array, options: ScryptParameters & { length: number }): Uint8Array;
}

const copy = (derived: Uint8Array): Uint8Array => derived.slice();

export function passwordPrimitives(memoryHard: MemoryHard): PasswordPrimitives {
  return {
    argon2id: (password, salt, options) => memoryHard.argon2id(password, salt, options, options.length, copy),
    scrypt: (password, salt, options) => memoryHard.scrypt(password, salt, options, options.length, copy),
  };
}
