/**
 * The batches of `aead-batch.ts` for short records (keys): while ChaCha20 runs for four records, Poly1305 of the four
 * before is computed beside its rounds. So there are two groups of scratch, used in turn.
 */
import { CIPHER_SCRATCH } from "../memory/layout";
import { sameTag } from "../mac/poly1305";
import { beginSteps, endSteps, setStep, STATE_SIZE, STEP_SIZE, takeSteps } from "../mac/poly1305-steps";
import { blocksBeside, FULL, HALF, LANE_KEYS, setKey, setLaneWords, setRow, SUBKEYS, wipeLanes } from "./chacha20-lanes";

/** Records that this file handles: one block of key stream, and few enough Poly1305 steps. */
export const SHORT_TEXT: usize = 64;
export const SHORT_AAD: usize = 128;
const MAX_STEPS: usize = 4 * (SHORT_AAD / 16 + SHORT_TEXT / 16 + 1);

/** One group's scratch: one-time keys, key stream, Poly1305 states, padded tails, tags. */
const KEYS: usize = 0;
const STREAM: usize = KEYS + 4 * 32;
const STATES: usize = STREAM + 4 * 64;
const TAILS: usize = STATES + 4 * STATE_SIZE;
const TAGS: usize = TAILS + 4 * 32;
const GROUP_SIZE: usize = TAGS + 4 * 16;

const FIRST_GROUP: usize = CIPHER_SCRATCH + 2048;
const STEPS: usize = FIRST_GROUP + 2 * GROUP_SIZE;
const LENGTHS: usize = STEPS + MAX_STEPS * STEP_SIZE;
const SCRATCH_USED: usize = 2 * GROUP_SIZE + MAX_STEPS * STEP_SIZE + 16;

/** Writes the steps of the records `first` … `last` − 1, interleaved. Empty lanes repeat the last record. */
function plan(
  group: usize,
  aads: usize,
  aadStride: usize,
  aadLength: usize,
  texts: usize,
  textStride: usize,
  length: usize,
  first: i32,
  last: i32,
): usize {
  const aadTail = aadLength & 15;
  const textTail = length & 15;
  const stepsPerRecord = (aadLength + 15) / 16 + (length + 15) / 16 + 1;
  for (let lane = 0; lane < 4; lane++) {
    const record = <usize>min(first + lane, last - 1);
    const state = group + STATES + <usize>lane * STATE_SIZE;
    const tails = group + TAILS + <usize>lane * 32;
    beginSteps(state, group + KEYS + <usize>lane * 32);
    let at = STEPS + <usize>lane * STEP_SIZE;
    const aad = aads + record * aadStride;
    let done: usize = 0;
    for (; done + 16 <= aadLength; done += 16) {
      setStep(at, state, aad + done);
      at += 4 * STEP_SIZE;
    }
    if (aadTail != 0) {
      memory.copy(tails, aad + done, aadTail);
      setStep(at, state, tails);
      at += 4 * STEP_SIZE;
    }
    const text = texts + record * textStride;
    for (done = 0; done + 16 <= length; done += 16) {
      setStep(at, state, text + done);
      at += 4 * STEP_SIZE;
    }
    if (textTail != 0) {
      memory.copy(tails + 16, text + done, textTail);
      setStep(at, state, tails + 16);
      at += 4 * STEP_SIZE;
    }
    setStep(at, state, LENGTHS);
  }
  return STEPS + stepsPerRecord * 4 * STEP_SIZE;
}

/**
 * ChaCha20 for the records from `first` on: one-time keys and key stream of `group`. Takes the planned steps of the group
 * before on the way, and all that are left.
 */
function runGroup(
  extended: bool,
  key: usize,
  nonces: usize,
  nonceStride: usize,
  length: usize,
  group: usize,
  first: i32,
  count: i32,
  stepsEnd: usize,
): void {
  let steps = STEPS;
  if (extended) setKey(key);
  for (let lane = 0; lane < 4; lane++) {
    const nonce = nonces + <usize>min(first + lane, count - 1) * nonceStride;
    if (extended) setLaneWords(lane, 12, nonce, 4);
    else setLaneWords(lane, 13, nonce, 3);
  }
  if (extended) {
    steps = blocksBeside(LANE_KEYS, SUBKEYS, steps, stepsEnd);
    setRow(13, 0);
    for (let lane = 0; lane < 4; lane++) {
      setLaneWords(lane, 14, nonces + <usize>min(first + lane, count - 1) * nonceStride + 16, 2);
    }
  }
  setRow(12, 0);
  steps = blocksBeside(group + KEYS, HALF, steps, stepsEnd);
  setRow(12, 1);
  steps = blocksBeside(group + STREAM, length <= 32 ? HALF : FULL, steps, stepsEnd);
  takeSteps(steps, stepsEnd);
}

/** Adds one record's key stream. */
@inline
function addStream(source: usize, stream: usize, target: usize, length: usize): void {
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) store<u64>(target + i, load<u64>(source + i) ^ load<u64>(stream + i));
  for (; i < length; i++) store<u8>(target + i, load<u8>(source + i) ^ load<u8>(stream + i));
}

function begin(key: usize, aadLength: usize, length: usize): void {
  setKey(key);
  store<u64>(LENGTHS, <u64>aadLength);
  store<u64>(LENGTHS, <u64>length, 8);
}

function end(): void {
  wipeLanes();
  memory.fill(FIRST_GROUP, 0, SCRATCH_USED);
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
  begin(key, aadLength, length);
  const streamStride: usize = length <= 32 ? 32 : 64;
  let group = FIRST_GROUP;
  let before: usize = 0;
  let stepsEnd = STEPS;
  // One turn more than there are groups: the last one only ends what is left of the group before.
  for (let first = 0; first < count + 4; first += 4) {
    if (first < count) {
      runGroup(extended, key, nonces, nonceStride, length, group, first, count, stepsEnd);
    } else {
      takeSteps(STEPS, stepsEnd);
    }
    if (before != 0) {
      for (let i = first - 4; i < min(first, count); i++) {
        const lane = <usize>(i - first + 4);
        const tag = out + <usize>i * outStride + length;
        endSteps(before + STATES + lane * STATE_SIZE, before + KEYS + lane * 32, tag);
      }
    }
    if (first >= count) break;
    const last = min(first + 4, count);
    for (let i = first; i < last; i++) {
      const stream = group + STREAM + <usize>(i - first) * streamStride;
      addStream(plaintexts + <usize>i * plaintextStride, stream, out + <usize>i * outStride, length);
    }
    stepsEnd = plan(group, aads, aadStride, aadLength, out, outStride, length, first, last);
    before = group;
    group = group == FIRST_GROUP ? FIRST_GROUP + GROUP_SIZE : FIRST_GROUP;
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
  begin(key, aadLength, length);
  const streamStride: usize = length <= 32 ? 32 : 64;
  let failures = 0;
  let group = FIRST_GROUP;
  let before: usize = 0;
  let stepsEnd = STEPS;
  for (let first = 0; first < count + 4; first += 4) {
    if (first < count) {
      runGroup(extended, key, nonces, nonceStride, length, group, first, count, stepsEnd);
    } else {
      takeSteps(STEPS, stepsEnd);
    }
    if (before != 0) {
      for (let i = first - 4; i < min(first, count); i++) {
        const lane = <usize>(i - first + 4);
        const tag = before + TAGS + lane * 16;
        const record = sealed + <usize>i * sealedStride;
        const target = out + <usize>i * outStride;
        endSteps(before + STATES + lane * STATE_SIZE, before + KEYS + lane * 32, tag);
        // Tag first: only a record whose tag is right is decrypted.
        const good = sameTag(tag, record + length);
        store<u8>(statuses + <usize>i, good ? 0 : 1);
        if (good) {
          addStream(record, before + STREAM + lane * streamStride, target, length);
        } else {
          memory.fill(target, 0, length);
          failures++;
        }
      }
    }
    if (first >= count) break;
    const last = min(first + 4, count);
    stepsEnd = plan(group, aads, aadStride, aadLength, sealed, sealedStride, length, first, last);
    before = group;
    group = group == FIRST_GROUP ? FIRST_GROUP + GROUP_SIZE : FIRST_GROUP;
  }
  end();
  return failures;
}
