/**
 * The labels of subkeys: every use of a key has a subkey of its own, HKDF-SHA256(material, no salt, label). They are
 * part of the format and never change their meaning.
 */

/** "keyloom/v1/wrap/enc" */
// prettier-ignore
export const WRAP_ENC: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 119, 114, 97, 112, 47, 101, 110, 99,
], 1);
export const WRAP_ENC_LENGTH: i32 = 19;

/** "keyloom/v1/wrap/commit" */
// prettier-ignore
export const WRAP_COMMIT: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 119, 114, 97, 112, 47, 99, 111, 109, 109, 105, 116,
], 1);
export const WRAP_COMMIT_LENGTH: i32 = 22;

/** "keyloom/v1/wrap/mac" */
// prettier-ignore
export const WRAP_MAC: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 119, 114, 97, 112, 47, 109, 97, 99,
], 1);
export const WRAP_MAC_LENGTH: i32 = 19;

/** "keyloom/v1/message/enc" */
// prettier-ignore
export const MESSAGE_ENC: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 109, 101, 115, 115, 97, 103, 101, 47, 101, 110, 99,
], 1);
export const MESSAGE_ENC_LENGTH: i32 = 22;

/** "keyloom/v1/message/commit" */
// prettier-ignore
export const MESSAGE_COMMIT: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 109, 101, 115, 115, 97, 103, 101, 47, 99, 111, 109, 109, 105, 116,
], 1);
export const MESSAGE_COMMIT_LENGTH: i32 = 25;

/** "keyloom/v1/age/enc" */
// prettier-ignore
export const AGE_ENC: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 97, 103, 101, 47, 101, 110, 99,
], 1);
export const AGE_ENC_LENGTH: i32 = 18;

/** "keyloom/v1/age/commit" */
// prettier-ignore
export const AGE_COMMIT: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 97, 103, 101, 47, 99, 111, 109, 109, 105, 116,
], 1);
export const AGE_COMMIT_LENGTH: i32 = 21;

/** "keyloom/v1/derive" */
// prettier-ignore
export const DERIVE: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 100, 101, 114, 105, 118, 101,
], 1);
export const DERIVE_LENGTH: i32 = 17;

/** "keyloom/v1/mac" */
// prettier-ignore
export const MAC: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 109, 97, 99,
], 1);
export const MAC_LENGTH: i32 = 14;

/** "keyloom/v1/record-mac" */
// prettier-ignore
export const RECORD_MAC: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 114, 101, 99, 111, 114, 100, 45, 109, 97, 99,
], 1);
export const RECORD_MAC_LENGTH: i32 = 21;

/** "keyloom/v1/agree" */
// prettier-ignore
export const AGREE: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 97, 103, 114, 101, 101,
], 1);
export const AGREE_LENGTH: i32 = 16;

// The labels of age (age-encryption.org/v1): an X25519 stanza's key, the header's MAC key, and the payload key.

/** "age-encryption.org/v1/X25519" */
// prettier-ignore
export const AGE_X25519: usize = memory.data<u8>([
  97, 103, 101, 45, 101, 110, 99, 114, 121, 112, 116, 105, 111, 110, 46, 111, 114, 103, 47, 118, 49, 47, 88, 50, 53, 53, 49, 57,
], 1);
export const AGE_X25519_LENGTH: i32 = 28;

/** "header" */
export const AGE_HEADER: usize = memory.data<u8>([104, 101, 97, 100, 101, 114], 1);
export const AGE_HEADER_LENGTH: i32 = 6;
/** "payload" */
export const AGE_PAYLOAD: usize = memory.data<u8>([112, 97, 121, 108, 111, 97, 100], 1);
export const AGE_PAYLOAD_LENGTH: i32 = 7;

/** "keyloom/v1/transfer" */
// prettier-ignore
export const TRANSFER: usize = memory.data<u8>([
  107, 101, 121, 108, 111, 111, 109, 47, 118, 49, 47, 116, 114, 97, 110, 115, 102, 101, 114,
], 1);
export const TRANSFER_LENGTH: i32 = 19;
