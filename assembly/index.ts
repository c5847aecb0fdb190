/**
 * The ABI: what the host may call. Every export checks that its pointers lie in the staging region, works, and zeroes
 * its inputs (and after a failure its outputs) before it returns. Inputs lie from `stagingBase` up to the first output.
 *
 * Exports return a status of `abi.ts`; those that make a handle return it, or a negated status.
 */
import { SLOT_COUNT, STAGING } from "./memory/layout";

/** Where staging begins. */
export const stagingBase: usize = STAGING;
export const slotCount: i32 = SLOT_COUNT;

// Bytes in, bytes out.
export * from "./calls/digest";
export * from "./calls/kdf";
export * from "./calls/memory-hard";
export * from "./calls/aead";
export * from "./calls/aes-kw";
export * from "./calls/curve";

// The vault: handles in, ciphertext out.
export * from "./calls/vault-keys";
export * from "./calls/vault-wrap";
export * from "./calls/vault-use";
export * from "./calls/vault-records";
export * from "./calls/vault-age";
export * from "./calls/vault-curve";
export * from "./calls/vault-transfer";
