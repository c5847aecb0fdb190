/**
 * (X)ChaCha20-Poly1305 over many records of one length under one key: four records at a time, one in each lane.
 *
 * Records are found by strides, so nonce, ciphertext and tag may lie inside larger rows.
 */
import { CIPHER_SCRATCH } from "../memory/layout";
import { poly1305Aead, sameTag } from "../mac/poly1305";
import { openShort, sealShort, SHORT_TEXT } from "./aead-batch-short";
import {
  rounds,
  RUN_A,
  RUN_B,
  setKey,
  setLastRows,
  setRow,
  takeBlocks,
  takeSubkeys,
  wipeRuns,
} from "./chacha20-lanes";

/** One-time keys and key stream of four records, a tag. */
const ONE_TIME_KEYS: usize = CIPHER_SCRATCH + 2560;
const STREAM: usize = ONE_TIME_KEYS + 128;
const TAG: usize = STREAM + 256;
const SCRATCH_USED: usize = 128 + 256 + 16;

/** Sets rows 12 to 15 to the 16 bytes at `offset` of nonces; lanes after `lanes` repeat that one. */
@inline
function setNonces(first: usize, stride: usize, offset: isize, lanes: usize): void {
  const a = first + offset;
  const b = a + min<usize>(1, lanes) * stride;
  const c = a + min<usize>(2, lanes) * stride;
  const d = a + min<usize>(3, lanes) * stride;
  setLastRows(RUN_A, a, b, c, d);
}

/** Sets nonces (and for 24-byte ones the subkeys) of records `first` … `first` + 3; the last one fills empty lanes. */
function setRecords(extended: bool, key: usize, nonces: usize, stride: usize, first: i32, count: i32): void {
  const nonce = nonces + <usize>first * stride;
  const others = <usize>(count - 1 - first);
  if (extended) {
    setKey(RUN_A, key);
    setNonces(nonce, stride, 0, others);
    rounds(RUN_A, RUN_B);
    takeSubkeys(RUN_A, RUN_A);
  }
  // The words before the nonce's last 12 or 8 bytes are overwritten, with counter and zero.
  setNonces(nonce, stride, extended ? 8 : -4, others);
  if (extended) setRow(RUN_A, 13, 0);
}

/** One block of each record. */
@inline
function blocks(counter: u32, out: usize, stride: usize): void {
  setRow(RUN_A, 12, counter);
  rounds(RUN_A, RUN_B);
  takeBlocks(RUN_A, out, stride, stride / 16);
}

/** Adds key stream to `length` bytes of records `first` … `last`, from block 1 on. Skips what `skip` marks. */
function addStream(
  from: usize,
  fromStride: usize,
  out: usize,
  outStride: usize,
  length: usize,
  first: i32,
  last: i32,
  skip: i32,
): void {
  let counter: u32 = 1;
  const size: usize = 64;
  for (let done: usize = 0; done < length; done += size) {
    blocks(counter, STREAM, size);
    const piece = min<usize>(length - done, size);
    for (let i = first; i < last; i++) {
      if ((skip & (1 << (i - first))) != 0) continue;
      const source = from + <usize>i * fromStride + done;
      const target = out + <usize>i * outStride + done;
      const stream = STREAM + <usize>(i - first) * size;
      let b: usize = 0;
      for (; b + 8 <= piece; b += 8) store<u64>(target + b, load<u64>(source + b) ^ load<u64>(stream + b));
      for (; b < piece; b++) store<u8>(target + b, load<u8>(source + b) ^ load<u8>(stream + b));
    }
    counter++;
  }
}

function end(): void {
  wipeRuns();
  memory.fill(ONE_TIME_KEYS, 0, SCRATCH_USED);
}

/** Seals `count` records; each output is `length` + 16 bytes. Outputs must not overlap inputs. */
export function aeadSealBatch(
  extended: bool,
  key: usize,
  nonces: usize,
  nonceStride: usize,
  aads: usize,
  aadStride: usize,
  aadLength: usize,
  plaintexts: usize,
  plaintextStride: usize,
  length: usize,
  out: usize,
  outStride: usize,
  count: i32,
): void {
  if (ASC_FEATURE_SIMD && length <= SHORT_TEXT) {
    sealShort(
      extended,
      key,
      nonces,
      nonceStride,
      aads,
      aadStride,
      aadLength,
      plaintexts,
      plaintextStride,
      length,
      out,
      outStride,
      count,
    );
    return;
  }
  setKey(RUN_A, key);
  for (let first = 0; first < count; first += 4) {
    const last = min(first + 4, count);
    setRecords(extended, key, nonces, nonceStride, first, count);
    blocks(0, ONE_TIME_KEYS, 32);
    addStream(plaintexts, plaintextStride, out, outStride, length, first, last, 0);
    for (let i = first; i < last; i++) {
      const sealed = out + <usize>i * outStride;
      const aad = aads + <usize>i * aadStride;
      poly1305Aead(ONE_TIME_KEYS + <usize>(i - first) * 32, aad, aadLength, sealed, length, sealed + length);
    }
  }
  end();
}

/**
 * Opens `count` records of `length` + 16 bytes. A record whose tag is wrong gets status 1 and zeros as output.
 *
 * @param statuses - `count` bytes, written here
 * @returns how many failed
 */
export function aeadOpenBatch(
  extended: bool,
  key: usize,
  nonces: usize,
  nonceStride: usize,
  aads: usize,
  aadStride: usize,
  aadLength: usize,
  sealed: usize,
  sealedStride: usize,
  length: usize,
  out: usize,
  outStride: usize,
  count: i32,
  statuses: usize,
): i32 {
  if (ASC_FEATURE_SIMD && length <= SHORT_TEXT) {
    return openShort(
      extended,
      key,
      nonces,
      nonceStride,
      aads,
      aadStride,
      aadLength,
      sealed,
      sealedStride,
      length,
      out,
      outStride,
      count,
      statuses,
    );
  }
  let failures = 0;
  setKey(RUN_A, key);
  for (let first = 0; first < count; first += 4) {
    const last = min(first + 4, count);
    setRecords(extended, key, nonces, nonceStride, first, count);
    blocks(0, ONE_TIME_KEYS, 32);
    let failed = 0;
    for (let i = first; i < last; i++) {
      const record = sealed + <usize>i * sealedStride;
      const aad = aads + <usize>i * aadStride;
      poly1305Aead(ONE_TIME_KEYS + <usize>(i - first) * 32, aad, aadLength, record, length, TAG);
      const good = sameTag(TAG, record + length);
      store<u8>(statuses + <usize>i, good ? 0 : 1);
      if (good) continue;
      failed |= 1 << (i - first);
      failures++;
      memory.fill(out + <usize>i * outStride, 0, length);
    }
    // Only records whose tag was right are decrypted.
    addStream(sealed, sealedStride, out, outStride, length, first, last, failed);
  }
  end();
  return failures;
}
