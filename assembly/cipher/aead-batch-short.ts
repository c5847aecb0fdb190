/**
 * The batches of `aead-batch.ts` for short records (keys), with SIMD: four records at a time. Two runs of ChaCha20 side by
 * side make their one-time keys and key streams; with 24-byte nonces a third one is HChaCha20 of the four that come next.
 */
import { CIPHER_SCRATCH } from "../memory/layout";
import { sameTag } from "../mac/poly1305";
import { absorbLanes, beginLanes, endLanes, TAGS, wipePolyLanes } from "../mac/poly1305-lanes";
import {
  rounds,
  RUN_A,
  RUN_B,
  RUN_C,
  RUNS_END,
  setKey,
  setLastRows,
  setRow,
  takeBlocks,
  takeSubkeys,
  wipeRuns,
} from "./chacha20-lanes";

/** Records that this file handles: one block of key stream. */
export const SHORT_TEXT: usize = 64;

/** Key stream of four records, the block of lengths. */
const STREAM: usize = CIPHER_SCRATCH + 5120;
const LENGTHS: usize = STREAM + 4 * 64;
const SCRATCH_USED: usize = LENGTHS + 16 - STREAM;

/** One batch's arguments, so that the functions below needn't hand them on. */
let nonces: usize = 0;
let nonceStride: usize = 0;
let count: i32 = 0;

@inline
function nonceOf(record: i32): usize {
  return nonces + <usize>min(record, count - 1) * nonceStride;
}

/** Sets rows 12 to 15 of a run to the 16 bytes at `offset` of four records' nonces. Empty lanes repeat the last record. */
@inline
function setNonces(run: usize, first: i32, offset: isize): void {
  setLastRows(
    run,
    nonceOf(first) + offset,
    nonceOf(first + 1) + offset,
    nonceOf(first + 2) + offset,
    nonceOf(first + 3) + offset,
  );
}

/** Sets the last rows of runs A and B for four records; the subkeys are there. */
@inline
function setRecords(extended: bool, first: i32): void {
  // The nonce's 12 or last 8 bytes come last. The words before them are overwritten: counter, and zero or nonce.
  const offset: isize = extended ? 8 : -4;
  setNonces(RUN_A, first, offset);
  setNonces(RUN_B, first, offset);
  setRow(RUN_A, 12, 0);
  setRow(RUN_B, 12, 1);
  if (extended) {
    setRow(RUN_A, 13, 0);
    setRow(RUN_B, 13, 0);
  }
}

/** Sets up a batch of `records` > 0, and of the first four what comes before their rounds. */
function begin(
  extended: bool,
  key: usize,
  firstNonce: usize,
  stride: usize,
  aadLength: usize,
  length: usize,
  records: i32,
): void {
  nonces = firstNonce;
  nonceStride = stride;
  count = records;
  store<u64>(LENGTHS, <u64>aadLength);
  store<u64>(LENGTHS, <u64>length, 8);
  setKey(RUN_A, key);
  setKey(RUN_B, key);
  if (!extended) return;
  setKey(RUN_C, key);
  setNonces(RUN_C, 0, 0);
  rounds(RUN_C, RUNS_END);
}

function end(): void {
  nonces = 0;
  wipeRuns();
  wipePolyLanes();
  memory.fill(STREAM, 0, SCRATCH_USED);
}

/** ChaCha20 for the four records from `first` on: STREAM, and the beginning of Poly1305. */
@inline
function runGroup(extended: bool, first: i32, length: usize): void {
  let end = RUN_C;
  if (extended) {
    takeSubkeys(RUN_C, RUN_A);
    takeSubkeys(RUN_C, RUN_B);
    if (first + 4 < count) {
      setNonces(RUN_C, first + 4, 0);
      end = RUNS_END;
    }
  }
  setRecords(extended, first);
  rounds(RUN_A, end);
  beginLanes(RUN_A);
  takeBlocks(RUN_B, STREAM, 64, length <= 32 ? 2 : 4);
}

/** Absorbs `length` bytes of four records from `first` on. Empty lanes repeat the last record. */
@inline
function absorbRecords(records: usize, stride: usize, length: usize, first: i32): void {
  const a = records + <usize>first * stride;
  const last = <usize>(count - 1 - first);
  const b = a + min<usize>(1, last) * stride;
  const c = a + min<usize>(2, last) * stride;
  const d = a + min<usize>(3, last) * stride;
  absorbLanes(a, b, c, d, length);
}

/** Adds one record's key stream. */
@inline
function addStream(source: usize, stream: usize, target: usize, length: usize): void {
  let i: usize = 0;
  for (; i + 16 <= length; i += 16) {
    v128.store(target + i, v128.xor(v128.load(source + i), v128.load(stream + i)));
  }
  for (; i + 8 <= length; i += 8) store<u64>(target + i, load<u64>(source + i) ^ load<u64>(stream + i));
  for (; i < length; i++) store<u8>(target + i, load<u8>(source + i) ^ load<u8>(stream + i));
}

/** As `aeadSealBatch`. */
export function sealShort(
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
  if (count == 0) return;
  begin(extended, key, nonces, nonceStride, aadLength, length, count);
  for (let first = 0; first < count; first += 4) {
    runGroup(extended, first, length);
    absorbRecords(aads, aadStride, aadLength, first);
    const last = min(first + 4, count);
    for (let i = first; i < last; i++) {
      const stream = STREAM + <usize>(i - first) * 64;
      addStream(plaintexts + <usize>i * plaintextStride, stream, out + <usize>i * outStride, length);
    }
    absorbRecords(out, outStride, length, first);
    absorbLanes(LENGTHS, LENGTHS, LENGTHS, LENGTHS, 16);
    endLanes();
    for (let i = first; i < last; i++) {
      v128.store(out + <usize>i * outStride + length, v128.load(TAGS + <usize>(i - first) * 16));
    }
  }
  end();
}

/** As `aeadOpenBatch`. */
export function openShort(
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
  if (count == 0) return 0;
  begin(extended, key, nonces, nonceStride, aadLength, length, count);
  let failures = 0;
  for (let first = 0; first < count; first += 4) {
    runGroup(extended, first, length);
    absorbRecords(aads, aadStride, aadLength, first);
    absorbRecords(sealed, sealedStride, length, first);
    absorbLanes(LENGTHS, LENGTHS, LENGTHS, LENGTHS, 16);
    endLanes();
    const last = min(first + 4, count);
    for (let i = first; i < last; i++) {
      const lane = <usize>(i - first);
      const record = sealed + <usize>i * sealedStride;
      const target = out + <usize>i * outStride;
      // Tag first: only a record whose tag is right is decrypted.
      const good = sameTag(TAGS + lane * 16, record + length);
      store<u8>(statuses + <usize>i, good ? 0 : 1);
      if (good) {
        addStream(record, STREAM + lane * 64, target, length);
      } else {
        memory.fill(target, 0, length);
        failures++;
      }
    }
  }
  end();
  return failures;
}
