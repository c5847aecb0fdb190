/**
 * AES-256-GCM-SIV (RFC 8452), eight records side by side in bit planes, each under the keys of its own nonce. One record
 * alone has its key stream made eight blocks at a time.
 */
import { polyval } from "../mac/polyval";
import { sameTag } from "../mac/poly1305";
import { AES_END, expandKey, KEY_PLANES, KEY_PLANES_SIZE, ROUND_KEYS_SIZE, setKey, wipeAes } from "./aes";
import { encryptPlanes, PLANES, PLANES_SIZE, transpose } from "./aes-planes";

const LANES: i32 = 8;
const ROUNDS: i32 = 14;
/** Round keys of the eight message-encryption keys, in planes. */
const MESSAGE_PLANES: usize = AES_END;
/** For each lane: round keys as bytes, 256 bytes apart; message-encryption key; message-authentication key; tag; POLYVAL's state. */
const ROUND_KEYS_OF_LANES: usize = MESSAGE_PLANES + KEY_PLANES_SIZE;
const ENCRYPTION_KEYS: usize = ROUND_KEYS_OF_LANES + <usize>LANES * ROUND_KEYS_SIZE;
const AUTHENTICATION_KEYS: usize = ENCRYPTION_KEYS + <usize>LANES * 32;
const TAGS: usize = AUTHENTICATION_KEYS + <usize>LANES * 16;
const LENGTHS: usize = TAGS + <usize>LANES * 16;
const SCRATCH_END: usize = LENGTHS + 16;

@inline
function row(lane: i32): usize {
  return PLANES + <usize>lane * 16;
}

/** Encrypts the rows in PLANES. */
function encryptRows(keys: usize): void {
  transpose(PLANES);
  encryptPlanes(keys, ROUNDS);
  transpose(PLANES);
}

/** Derives each lane's keys from its nonce, RFC 8452 §4. Empty lanes repeat the last record. */
function deriveKeys(nonces: usize, stride: usize, lanes: i32): void {
  for (let i = 0; i < 6; i++) {
    for (let lane = 0; lane < LANES; lane++) {
      const nonce = nonces + <usize>min(lane, lanes - 1) * stride;
      store<u32>(row(lane), i);
      store<u32>(row(lane), load<u32>(nonce), 4);
      store<u64>(row(lane), load<u64>(nonce, 4), 8);
    }
    encryptRows(KEY_PLANES);
    const to = i < 2 ? AUTHENTICATION_KEYS + <usize>i * 8 : ENCRYPTION_KEYS + <usize>(i - 2) * 8;
    const apart: usize = i < 2 ? 16 : 32;
    for (let lane = 0; lane < LANES; lane++) store<u64>(to + <usize>lane * apart, load<u64>(row(lane)));
  }
  for (let lane: usize = 0; lane < <usize>LANES; lane++) {
    expandKey(ENCRYPTION_KEYS + lane * 32, 32, ROUND_KEYS_OF_LANES + lane * ROUND_KEYS_SIZE);
  }
  for (let round: usize = 0; round <= <usize>ROUNDS; round++) {
    const planes = MESSAGE_PLANES + round * PLANES_SIZE;
    for (let lane: usize = 0; lane < <usize>LANES; lane++) {
      const key = ROUND_KEYS_OF_LANES + lane * ROUND_KEYS_SIZE + round * 16;
      store<u64>(planes + lane * 16, load<u64>(key));
      store<u64>(planes + lane * 16, load<u64>(key, 8), 8);
    }
    transpose(planes);
  }
}

/** Computes the tags of `lanes` records into TAGS. */
function computeTags(
  nonces: usize,
  nonceStride: usize,
  aads: usize,
  aadStride: usize,
  aadLength: usize,
  texts: usize,
  textStride: usize,
  length: usize,
  lanes: i32,
): void {
  store<u64>(LENGTHS, <u64>aadLength * 8);
  store<u64>(LENGTHS, <u64>length * 8, 8);
  for (let i = 0; i < lanes; i++) {
    const state = row(i);
    const h = AUTHENTICATION_KEYS + <usize>i * 16;
    const nonce = nonces + <usize>i * nonceStride;
    store<u64>(state, 0);
    store<u64>(state, 0, 8);
    polyval(h, aads + <usize>i * aadStride, aadLength, state);
    polyval(h, texts + <usize>i * textStride, length, state);
    polyval(h, LENGTHS, 16, state);
    store<u64>(state, load<u64>(state) ^ load<u64>(nonce));
    store<u64>(state, (load<u64>(state, 8) ^ load<u32>(nonce, 8)) & 0x7fffffffffffffff, 8);
  }
  encryptRows(MESSAGE_PLANES);
  memory.copy(TAGS, PLANES, <usize>LANES * 16);
}

/** Adds the key stream that the tags give, RFC 8452 §4: AES-CTR with a little-endian counter in the first four bytes. */
function addStream(
  tags: usize,
  tagStride: usize,
  from: usize,
  fromStride: usize,
  out: usize,
  outStride: usize,
  length: usize,
  lanes: i32,
): void {
  // Each lane a block of its own record, or, of one record, eight blocks on end.
  const step = lanes == 1 ? LANES : 1;
  const blocks = <i32>((length + 15) >> 4);
  for (let block = 0; block < blocks; block += step) {
    for (let lane = 0; lane < LANES; lane++) {
      const tag = tags + <usize>min(lane, lanes - 1) * tagStride;
      store<u32>(row(lane), load<u32>(tag) + block + (lanes == 1 ? lane : 0));
      store<u32>(row(lane), load<u32>(tag, 4), 4);
      store<u64>(row(lane), load<u64>(tag, 8) | 0x8000000000000000, 8);
    }
    encryptRows(MESSAGE_PLANES);
    const rows = lanes == 1 ? min(LANES, blocks - block) : lanes;
    for (let lane = 0; lane < rows; lane++) {
      const done = <usize>(lanes == 1 ? block + lane : block) * 16;
      const record = <usize>(lanes == 1 ? 0 : lane);
      const source = from + record * fromStride + done;
      const target = out + record * outStride + done;
      const stream = row(lane);
      if (length - done >= 16) {
        store<u64>(target, load<u64>(source) ^ load<u64>(stream));
        store<u64>(target, load<u64>(source, 8) ^ load<u64>(stream, 8), 8);
      } else {
        for (let i: usize = 0; i < length - done; i++) store<u8>(target + i, load<u8>(source + i) ^ load<u8>(stream + i));
      }
    }
  }
}

/** Seals `count` records under a key of 32 bytes; each output is `length` + 16 bytes. Outputs must not overlap inputs. */
export function gcmSivSealBatch(
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
  setKey(key, 32, LANES);
  for (; count > 0; count -= LANES) {
    const lanes = min(count, LANES);
    deriveKeys(nonces, nonceStride, lanes);
    computeTags(nonces, nonceStride, aads, aadStride, aadLength, plaintexts, plaintextStride, length, lanes);
    addStream(TAGS, 16, plaintexts, plaintextStride, out, outStride, length, lanes);
    for (let i: usize = 0; i < <usize>lanes; i++) {
      const tag = out + i * outStride + length;
      store<u64>(tag, load<u64>(TAGS + i * 16));
      store<u64>(tag, load<u64>(TAGS + i * 16, 8), 8);
    }
    nonces += <usize>LANES * nonceStride;
    aads += <usize>LANES * aadStride;
    plaintexts += <usize>LANES * plaintextStride;
    out += <usize>LANES * outStride;
  }
  wipeAes(SCRATCH_END - AES_END);
}

/**
 * Opens `count` records of `length` + 16 bytes. A record whose tag is wrong gets status 1 and zeros as output.
 *
 * The tag is over the plaintext, which therefore comes first; it stays in `out` only when the tag is right.
 *
 * @param statuses - `count` bytes, written here
 * @returns how many failed
 */
export function gcmSivOpenBatch(
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
  let failures = 0;
  setKey(key, 32, LANES);
  for (; count > 0; count -= LANES) {
    const lanes = min(count, LANES);
    deriveKeys(nonces, nonceStride, lanes);
    addStream(sealed + length, sealedStride, sealed, sealedStride, out, outStride, length, lanes);
    computeTags(nonces, nonceStride, aads, aadStride, aadLength, out, outStride, length, lanes);
    for (let i: usize = 0; i < <usize>lanes; i++) {
      const good = sameTag(TAGS + i * 16, sealed + i * sealedStride + length);
      store<u8>(statuses, good ? 0 : 1);
      if (!good) {
        memory.fill(out + i * outStride, 0, length);
        failures++;
      }
      statuses++;
    }
    nonces += <usize>LANES * nonceStride;
    aads += <usize>LANES * aadStride;
    sealed += <usize>LANES * sealedStride;
    out += <usize>LANES * outStride;
  }
  wipeAes(SCRATCH_END - AES_END);
  return failures;
}
