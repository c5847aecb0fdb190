/**
 * Memory-hard key derivation, in an instance of the core of its own: WebAssembly memory never shrinks, and the vault's and
 * the primitives' must not grow with it.
 *
 * The instance's memory is zero again when a derivation ends, however it ends. Nothing but a weak reference to it is kept:
 * while the garbage collector has not yet taken it, the next derivation that fits finds its pages already there, which are
 * a third of the time of a fresh one.
 */
import { CoreError } from "../sdk/foundation/errors.js";
import { INITIAL_PAGES, newInstanceSync, PAGE, type Instance } from "./instantiate.js";
import { bytes, integer, lengthFrom, MAX_U32 } from "./primitives/checks.js";
import { check } from "./status.js";

/** Argon2's parameters (RFC 9106 §3.1) but for the output's length. */
export interface Argon2idParameters {
  /** From 8 · `lanes` to 2 GiB: 2,097,152. */
  memoryKiB: number;
  /** From 1. */
  passes: number;
  /** 1 to 2^24 − 1, computed one after another: they cost nothing and save nothing here. */
  lanes: number;
  secret?: Uint8Array | undefined;
  associatedData?: Uint8Array | undefined;
}

/** scrypt's parameters (RFC 7914 §2) but for the output's length. It takes 128 · r · (N + p + 2) bytes of memory. */
export interface ScryptParameters {
  /** A power of two above 1, below 2^(16 · r). 128 · r · N is 2 GiB at most. */
  N: number;
  r: number;
  p: number;
}

/**
 * Derivations that lend their output: `use` gets a view of `length` bytes of the instance's memory, which is zeroed when
 * `use` returns. Each blocks the thread.
 *
 * @throws {CoreError} `CORE_INVALID_PARAMETER` and `CORE_INVALID_LENGTH` for what the algorithm doesn't have,
 * `CORE_INPUT_TOO_LARGE` for more memory than these bounds or the host allow; all before anything is computed
 */
export interface MemoryHard {
  argon2id<T>(
    password: Uint8Array,
    salt: Uint8Array,
    parameters: Argon2idParameters,
    length: number,
    use: (derived: Uint8Array) => T,
  ): T;
  scrypt<T>(
    password: Uint8Array,
    salt: Uint8Array,
    parameters: ScryptParameters,
    length: number,
    use: (derived: Uint8Array) => T,
  ): T;
}

const MAX_LENGTH = 0x7fff_ffff;
const MAX_MEMORY = 2 ** 31;
/** One page less than 4 GiB: no address comes round again. */
const MAX_PAGES = 65_535;
const ARGON2_MAX_LANES = 2 ** 24 - 1;
const ARGON2_MIN_SALT = 8;
const ARGON2_MIN_LENGTH = 4;
const SCRYPT_MAX_BLOCKS = 2 ** 30 - 1;
const NOTHING = new Uint8Array(0);

function invalid(message: string): CoreError {
  return new CoreError("CORE_INVALID_PARAMETER", { message });
}

/** @throws {CoreError} unless these are Argon2id's parameters, and within the bounds of this core */
export function checkArgon2id({ memoryKiB, passes, lanes }: Argon2idParameters): void {
  integer(lanes, 1, ARGON2_MAX_LANES, "lanes");
  integer(passes, 1, MAX_U32, "passes");
  integer(memoryKiB, 8 * lanes, MAX_U32, "memoryKiB");
  if (memoryKiB * 1024 > MAX_MEMORY) throw tooLarge(memoryKiB * 1024);
}

/** @throws {CoreError} unless these are scrypt's parameters, and within the bounds of this core */
export function checkScrypt({ N, r, p }: ScryptParameters): void {
  integer(N, 2, 2 ** 31, "N");
  integer(r, 1, SCRYPT_MAX_BLOCKS, "r");
  integer(p, 1, Math.floor(SCRYPT_MAX_BLOCKS / r), "p");
  if ((N & (N - 1)) !== 0) throw invalid("N must be a power of two");
  if (r === 1 && N >= 2 ** 16) throw invalid("N must be below 65536 with r = 1");
  const memory = 128 * r * Math.max(N, p);
  if (memory > MAX_MEMORY || 128 * r * p >= MAX_MEMORY) throw tooLarge(memory);
}

function tooLarge(memory: number, cause?: unknown): CoreError {
  return new CoreError("CORE_INPUT_TOO_LARGE", {
    message: `${memory} bytes of memory are more than a derivation can have here`,
    memory,
    cause,
  });
}

/** Staging is aligned for each of these: the work, the inputs, the output. */
const PARTS = 6;
const ALIGNMENT = 16 * PARTS;

/** @param base - where staging begins in every instance of `module` */
export function memoryHardOf(module: WebAssembly.Module, base: number): MemoryHard {
  let spare: WeakRef<Instance> | undefined;

  function instanceFor(length: number): Instance {
    const found = spare?.deref();
    spare = undefined;
    if (found !== undefined && found.staging.capacity >= length + ALIGNMENT) return found;
    const pages = Math.ceil((base + length + ALIGNMENT) / PAGE);
    if (pages > MAX_PAGES) throw tooLarge(length);
    try {
      return newInstanceSync(module, Math.max(pages, INITIAL_PAGES));
    } catch (cause) {
      throw tooLarge(length, cause);
    }
  }

  /** Runs with staging of `length` bytes, which the core wipes but for the output. */
  function isolated<T>(length: number, run: (instance: Instance) => T): T {
    const instance = instanceFor(length);
    try {
      instance.staging.begin(length, PARTS);
      const result = run(instance);
      if (typeof WeakRef === "function") spare = new WeakRef(instance);
      return result;
    } catch (error) {
      instance.staging.wipe();
      throw error;
    }
  }

  return {
    argon2id(password, salt, parameters, length, use) {
      bytes(password, "password");
      lengthFrom(salt, ARGON2_MIN_SALT, MAX_LENGTH, "salt");
      const { memoryKiB, passes, lanes, secret = NOTHING, associatedData = NOTHING } = parameters;
      bytes(secret, "secret");
      bytes(associatedData, "associatedData");
      checkArgon2id(parameters);
      integer(length, ARGON2_MIN_LENGTH, MAX_LENGTH, "length");
      const work = memoryKiB * 1024;
      const inputs = password.length + salt.length + secret.length + associatedData.length;
      return isolated(work + inputs + length, ({ abi, staging }) => {
        // The work first: staging begins at a page, so that blocks lie across as few cache lines as they can.
        const workAt = staging.reserve(work);
        const passwordAt = staging.put(password);
        const saltAt = staging.put(salt);
        const secretAt = staging.put(secret);
        const associatedAt = staging.put(associatedData);
        const out = staging.reserve(length);
        check(
          abi.argon2id(
            passwordAt,
            password.length,
            saltAt,
            salt.length,
            secretAt,
            secret.length,
            associatedAt,
            associatedData.length,
            memoryKiB,
            passes,
            lanes,
            workAt,
            out,
            length,
          ),
        );
        return staging.lend(out, length, use);
      });
    },

    scrypt(password, salt, parameters, length, use) {
      bytes(password, "password");
      bytes(salt, "salt");
      checkScrypt(parameters);
      integer(length, 1, MAX_LENGTH, "length");
      const { N, r, p } = parameters;
      const work = 128 * r * (N + p + 2);
      return isolated(work + password.length + salt.length + length, ({ abi, staging }) => {
        const workAt = staging.reserve(work);
        const passwordAt = staging.put(password);
        const saltAt = staging.put(salt);
        const out = staging.reserve(length);
        check(abi.scrypt(passwordAt, password.length, saltAt, salt.length, N, r, p, workAt, out, length));
        return staging.lend(out, length, use);
      });
    },
  };
}
