/**
 * The one page of addresses. Every region of linear memory is declared here, statically: there is
 * no allocator, no garbage-collected object, no start function.
 *
 *   0 … VERDICTS_END      cells of verdicts, zero between calls
 *   1024 … STATIC_END     tables and constants (`memory.data`), never secret
 *   SCRATCH …             kernels' working memory, zero between calls
 *   TABLES …              public tables that are computed at first use
 *   SLOTS …               the vault: live keys, the only secrets that outlive a call
 *   STAGING … memory end  inputs and outputs of one call, laid out by the host
 */

/** What becomes public passes through here: see `declassify.ts`. */
export const VERDICTS: usize = 0;
export const VERDICTS_END: usize = VERDICTS + 64;

/** Constants placed by `memory.data` stay below this address (checked by a test). */
export const STATIC_END: usize = 16 * 1024;

export const SCRATCH: usize = STATIC_END;

/** Hash kernels' scratch: message schedules, midstates, lane buffers. */
export const SHA_SCRATCH: usize = SCRATCH;
export const SHA_SCRATCH_SIZE: usize = 8 * 1024;
/** Within it, behind what SHA-256 uses: SHA-512, and SHA-512 in lanes. */
export const SHA512_SCRATCH: usize = SHA_SCRATCH + 2304;
/** MAC and KDF scratch: pads, inner digests, PRKs. */
export const KDF_SCRATCH: usize = SHA_SCRATCH + SHA_SCRATCH_SIZE;
export const KDF_SCRATCH_SIZE: usize = 8 * 1024;
/** Within it, behind what SHA-256's MACs and KDFs use: those of SHA-512. */
export const KDF512_SCRATCH: usize = KDF_SCRATCH + 4096;
/** Cipher scratch: keystream blocks, Poly1305 states, subkeys. */
export const CIPHER_SCRATCH: usize = KDF_SCRATCH + KDF_SCRATCH_SIZE;
export const CIPHER_SCRATCH_SIZE: usize = 8 * 1024;
/** AES scratch: round keys, bit planes, POLYVAL. */
export const AES_SCRATCH: usize = CIPHER_SCRATCH + CIPHER_SCRATCH_SIZE;
export const AES_SCRATCH_SIZE: usize = 8 * 1024;
/** Memory-hard KDFs' scratch: blocks at work. The ciphers' own regions: no cipher runs inside a KDF. */
export const MEMORY_HARD_SCRATCH: usize = CIPHER_SCRATCH;
/** Vault scratch: associated data and keys in flight inside one vault call. */
export const VAULT_SCRATCH: usize = AES_SCRATCH + AES_SCRATCH_SIZE;
export const VAULT_SCRATCH_SIZE: usize = 16 * 1024;
/** Curve scratch: field elements, points and scalars in hand; then the multiples of points that are verified at once. */
export const CURVE_SCRATCH: usize = VAULT_SCRATCH + VAULT_SCRATCH_SIZE;
export const CURVE_SCRATCH_SIZE: usize = 112 * 1024;
export const SCRATCH_END: usize = CURVE_SCRATCH + CURVE_SCRATCH_SIZE;

/** Within it, behind what the field and X25519 use: Edwards points and scalars. */
export const EDWARDS_SCRATCH: usize = CURVE_SCRATCH + 2048;

/** Tables that are computed at first use and static from then on: never secret. */
export const TABLES: usize = SCRATCH_END;
/** Multiples of Ed25519's base point. */
export const BASE_TABLE: usize = TABLES;
export const BASE_TABLE_SIZE: usize = 41 * 1024;
export const TABLES_END: usize = BASE_TABLE + BASE_TABLE_SIZE;

export const SLOT_COUNT: i32 = 1024;
export const SLOT_SIZE: usize = 256;
export const SLOTS: usize = TABLES_END;
export const SLOTS_END: usize = SLOTS + <usize>SLOT_COUNT * SLOT_SIZE;

/** The host lays out one call's inputs from here on, back to back, outputs after them. */
export const STAGING: usize = SLOTS_END;
