/** ChaCha20-Poly1305 (RFC 8439 §2.8) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha §2.3), one message. */
import { FAIL_AUTHENTICATION, OK } from "../abi";
import { CIPHER_SCRATCH } from "../memory/layout";
import { poly1305Aead, sameTag } from "../mac/poly1305";
import {
  rounds,
  RUN_A,
  RUN_B,
  RUN_C,
  RUN_SIZE,
  setCounters,
  setKey,
  setLastRows,
  setRow,
  takeBlocks,
  takeSubkeys,
  wipeRuns,
} from "./chacha20-lanes";

export const TAG_LENGTH: usize = 16;

/** Eight blocks of key stream, the one-time Poly1305 key, a tag. */
const STREAM: usize = CIPHER_SCRATCH + 1664;
const ONE_TIME_KEY: usize = STREAM + 512;
const TAG: usize = ONE_TIME_KEY + 32;
const SCRATCH_USED: usize = 512 + 32 + 16;

/** Sets key and nonce of all lanes; with a 24-byte nonce by way of HChaCha20. */
function begin(key: usize, nonce: usize, extended: bool): void {
  setKey(RUN_A, key);
  let last = nonce - 4;
  if (extended) {
    setLastRows(RUN_A, nonce, nonce, nonce, nonce);
    rounds(RUN_A, RUN_B);
    takeSubkeys(RUN_A, RUN_A);
    last = nonce + 8;
  }
  setLastRows(RUN_A, last, last, last, last);
  if (extended) setRow(RUN_A, 13, 0);
}

/** Leaves STREAM with blocks 0 to 3 and copies the one-time key out of block 0. */
function firstBlocks(): void {
  setCounters(RUN_A, 0);
  rounds(RUN_A, RUN_B);
  takeBlocks(RUN_A, STREAM, 64, 4);
  memory.copy(ONE_TIME_KEY, STREAM, 32);
}

@inline
function xorBytes(from: usize, stream: usize, out: usize, length: usize): void {
  let i: usize = 0;
  if (ASC_FEATURE_SIMD) {
    for (; i + 16 <= length; i += 16) {
      v128.store(out + i, v128.xor(v128.load(from + i), v128.load(stream + i)));
    }
  }
  for (; i + 8 <= length; i += 8) store<u64>(out + i, load<u64>(from + i) ^ load<u64>(stream + i));
  for (; i < length; i++) store<u8>(out + i, load<u8>(from + i) ^ load<u8>(stream + i));
}

/** Adds the key stream from block 1 on; STREAM holds blocks 0 to 3 already. */
function addStream(from: usize, length: usize, out: usize): void {
  const first = min<usize>(length, 192);
  xorBytes(from, STREAM + 64, out, first);
  if (first == length) return;
  // Eight blocks at a time, in two runs.
  memory.copy(RUN_B, RUN_A, RUN_SIZE);
  let counter: u32 = 4;
  for (let done: usize = first; done < length; counter += 8) {
    const piece = min<usize>(length - done, 512);
    setCounters(RUN_A, counter);
    setCounters(RUN_B, counter + 4);
    rounds(RUN_A, piece <= 256 ? RUN_B : RUN_C);
    takeBlocks(RUN_A, STREAM, 64, 4);
    takeBlocks(RUN_B, STREAM + 256, 64, 4);
    xorBytes(from + done, STREAM, out + done, piece);
    done += piece;
  }
}

function end(): void {
  wipeRuns();
  memory.fill(STREAM, 0, SCRATCH_USED);
}

/**
 * @param nonce - 12 bytes, or 24 when `extended`
 * @param out - `length` + 16 bytes: ciphertext ‖ tag. Must not overlap the inputs, but may be `plaintext` itself.
 */
export function aeadSeal(
  extended: bool,
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: usize,
  plaintext: usize,
  length: usize,
  out: usize,
): void {
  begin(key, nonce, extended);
  firstBlocks();
  addStream(plaintext, length, out);
  poly1305Aead(ONE_TIME_KEY, aad, aadLength, out, length, out + length);
  end();
}

/**
 * @param sealed - ciphertext ‖ tag, at least 16 bytes (checked by the caller)
 * @param out - `sealedLength` − 16 bytes, untouched unless the tag is right
 */
export function aeadOpen(
  extended: bool,
  key: usize,
  nonce: usize,
  aad: usize,
  aadLength: usize,
  sealed: usize,
  sealedLength: usize,
  out: usize,
): i32 {
  const length = sealedLength - TAG_LENGTH;
  begin(key, nonce, extended);
  firstBlocks();
  poly1305Aead(ONE_TIME_KEY, aad, aadLength, sealed, length, TAG);
  // Tag first: plaintext must not reach OUT until it is authenticated (RFC 8439 §2.8).
  const good = sameTag(TAG, sealed + length);
  if (good) addStream(sealed, length, out);
  end();
  return good ? OK : FAIL_AUTHENTICATION;
}
