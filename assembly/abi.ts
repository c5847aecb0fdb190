/** Status codes of every export. The host turns them into typed errors; nothing here throws. */
export const OK: i32 = 0;
export const FAIL_AUTHENTICATION: i32 = 1;
export const FAIL_LENGTH: i32 = 2;
export const FAIL_PARAMETER: i32 = 3;
/** The handle's generation is over, or it never existed. */
export const FAIL_STALE: i32 = 4;
/** The slot's algorithm or usage bits forbid this call. */
export const FAIL_MISUSE: i32 = 5;
export const FAIL_SLOTS_EXHAUSTED: i32 = 6;
/** The host gave no random bytes. */
export const FAIL_RANDOM: i32 = 7;
export const FAIL_NOT_EXPORTABLE: i32 = 8;
/** A pointer lies outside the staging region. */
export const FAIL_RANGE: i32 = 9;
/** A public key of small order: the shared secret would be zero. */
export const FAIL_WEAK_KEY: i32 = 10;
