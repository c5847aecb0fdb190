/**
 * Records in rows of one length, in place: sealed, checked, and moved from one wrapping key to another.
 *
 * A row is a storage key, a record's head and body, and its MAC: what a commit puts, back to back (docs/FORMATS.md).
 */
import { FAIL_LENGTH, FAIL_RANDOM, OK } from "../abi";
import { macMessages } from "../mac/hmac-sha256";
import { recordCheck } from "../mac/record-mac";
import { VAULT_SCRATCH, VAULT_SCRATCH_SIZE } from "../memory/layout";
import { MAC_GENERATE, MAC_VERIFY, requireUsage, UNWRAP, WRAP } from "./slots";
import { recordMid } from "./subkeys";
import {
  drawNonces,
  NEW_ATTRIBUTES,
  openPiece,
  PIECE,
  sealPiece,
  setKek,
  STATUSES,
  wipe as wipeKeys,
} from "./wrap";
import { ATTRIBUTES, copyWords, overheadOf, wrapIdOf } from "./wrap-algorithms";

const MAC: usize = 32;
const DIGEST: usize = 32;

/** The end of the vault's scratch, behind what wrapping uses: the MAC key's midstate, a piece's lengths. */
const MID: usize = VAULT_SCRATCH + VAULT_SCRATCH_SIZE - 1024;
const LENGTHS: usize = MID + 64;
const SCRATCH_USED: usize = 64 + PIECE * 4;

/** A material record: prefix ‖ wrapping key ‖ its version ‖ key ‖ version, then head, then 8 attribute bytes. */
const ROW_KEK: usize = 1;
const ROW_KEK_VERSION: usize = 17;
const ROW_KEY: usize = 21;
const ROW_HEAD: usize = 41;
const ROW_ATTRIBUTES: usize = 49;
const ROW_WRAPPED: usize = 57;
const RECORD_FORMAT: u8 = 1;

/** Statuses of a row that was not moved. */
const ROW_FORGED: u8 = 1;
const ROW_UNOPENED: u8 = 2;

function begin(slot: usize, stride: usize): void {
  recordMid(slot, MID);
  for (let i = 0; i < PIECE; i++) store<u32>(LENGTHS + <usize>i * 4, <u32>(stride - MAC));
}

function wipe(): void {
  memory.fill(MID, 0, SCRATCH_USED);
}

/** Seals at most PIECE rows. `digests`: where they go, or 0. */
function sealPieceOfRows(prefix: usize, rows: usize, stride: usize, count: i32, digests: usize): void {
  macMessages(MID, prefix, rows, LENGTHS, MAC, count, rows + stride - MAC, stride, digests, DIGEST);
}

function checkPieceOfRows(prefix: usize, rows: usize, stride: usize, count: i32, statuses: usize): void {
  recordCheck(MID, prefix, rows, LENGTHS, MAC, rows + stride - MAC, stride, count, statuses);
}

/** Writes the MAC of every row into its last 32 bytes; with `digests`, SHA-256 of what is before goes behind the rows. */
export function sealRows(
  slot: usize,
  prefix: usize,
  stride: usize,
  count: i32,
  digests: bool,
  rows: usize,
): i32 {
  const status = requireUsage(slot, MAC_GENERATE);
  if (status != OK) return status;
  begin(slot, stride);
  const digestsAt = rows + <usize>count * stride;
  for (let done = 0; done < count; done += PIECE) {
    const to = digests ? digestsAt + <usize>done * DIGEST : 0;
    sealPieceOfRows(prefix, rows + <usize>done * stride, stride, min(count - done, PIECE), to);
  }
  wipe();
  return OK;
}

/** @param statuses - one byte a row: 0 = its MAC is right */
export function checkRows(
  slot: usize,
  prefix: usize,
  rows: usize,
  stride: usize,
  count: i32,
  statuses: usize,
): i32 {
  const status = requireUsage(slot, MAC_VERIFY);
  if (status != OK) return status;
  begin(slot, stride);
  for (let done = 0; done < count; done += PIECE) {
    const from = rows + <usize>done * stride;
    checkPieceOfRows(prefix, from, stride, min(count - done, PIECE), statuses + <usize>done);
  }
  wipe();
  return OK;
}

/**
 * Checks material records, wraps their keys under `newKek`, names it in their storage keys, raises their revisions and
 * seals them.
 *
 * @param rows - `count` × `stride` bytes, then `count` × digest (32), then `count` status bytes. A row that was not moved
 *   is zero, its digest too.
 */
export function moveRows(
  mac: usize,
  oldKek: usize,
  newKek: usize,
  prefix: usize,
  stride: usize,
  count: i32,
  rows: usize,
): i32 {
  let status = requireUsage(mac, MAC_VERIFY);
  if (status == OK) status = requireUsage(mac, MAC_GENERATE);
  if (status == OK) status = requireUsage(oldKek, UNWRAP);
  if (status == OK) status = requireUsage(newKek, WRAP);
  if (status != OK) return status;
  const overhead = overheadOf(oldKek);
  const length = <i32>stride - <i32>(ROW_WRAPPED + overhead + MAC);
  // Rows stay where they are, so both wrappings must be of one length.
  if (length <= 0 || length > 32 || overhead != overheadOf(newKek)) return FAIL_LENGTH;
  begin(mac, stride);
  const digests = rows + <usize>count * stride;
  const statuses = digests + <usize>count * DIGEST;
  for (let done = 0; done < count && status == OK; done += PIECE) {
    const from = <usize>done;
    const n = min(count - done, PIECE);
    status = movePiece(oldKek, newKek, prefix, rows + from * stride, stride, length, n, statuses + from);
    if (status == OK) sealMoved(prefix, rows + from * stride, stride, n, digests + from * DIGEST, statuses + from);
  }
  wipe();
  wipeKeys();
  return status;
}

function movePiece(
  oldKek: usize,
  newKek: usize,
  prefix: usize,
  rows: usize,
  stride: usize,
  length: usize,
  count: i32,
  statuses: usize,
): i32 {
  checkPieceOfRows(prefix, rows, stride, count, statuses);
  for (let i = 0; i < count; i++) {
    const row = rows + <usize>i * stride;
    if (load<u8>(row, ROW_HEAD) != RECORD_FORMAT) store<u8>(statuses + <usize>i, ROW_FORGED);
    attributesOfRow(row, NEW_ATTRIBUTES + <usize>i * ATTRIBUTES);
  }
  openPiece(oldKek, NEW_ATTRIBUTES, rows + ROW_WRAPPED, stride, length, count);
  if (drawNonces(newKek, count) != OK) return FAIL_RANDOM;
  for (let i = 0; i < count; i++) {
    const row = rows + <usize>i * stride;
    const unopened: u8 = load<u8>(STATUSES + <usize>i) != 0 ? ROW_UNOPENED : 0;
    if (load<u8>(statuses + <usize>i) == 0) store<u8>(statuses + <usize>i, unopened);
    setKek(NEW_ATTRIBUTES + <usize>i * ATTRIBUTES, newKek);
    copyWords(newKek + 16, 16, row + ROW_KEK);
    store<u32>(row, bswap(load<u32>(newKek, 12)), ROW_KEK_VERSION);
    store<u8>(row, wrapIdOf(newKek), ROW_ATTRIBUTES + 1);
    store<u64>(row, bswap(bswap(load<u64>(row, ROW_HEAD)) + 1), ROW_HEAD);
  }
  sealPiece(newKek, NEW_ATTRIBUTES, length, count, rows + ROW_WRAPPED, stride);
  return OK;
}

/** Seals what was moved; what was not must not leave as a wrapped key of zeros. */
function sealMoved(
  prefix: usize,
  rows: usize,
  stride: usize,
  count: i32,
  digests: usize,
  statuses: usize,
): void {
  sealPieceOfRows(prefix, rows, stride, count, digests);
  for (let i: usize = 0; i < <usize>count; i++) {
    if (load<u8>(statuses + i) == 0) continue;
    memory.fill(rows + i * stride, 0, stride);
    memory.fill(digests + i * DIGEST, 0, DIGEST);
  }
}

/** The 48 attribute bytes of a material record, from its storage key and its body. */
function attributesOfRow(row: usize, out: usize): void {
  store<u64>(out, load<u64>(row, ROW_ATTRIBUTES));
  store<u64>(out, load<u64>(row, ROW_KEY), 8);
  store<u64>(out, load<u64>(row, ROW_KEY + 8), 16);
  store<u32>(out, load<u32>(row, ROW_KEY + 16), 24);
  store<u64>(out, load<u64>(row, ROW_KEK), 28);
  store<u64>(out, load<u64>(row, ROW_KEK + 8), 36);
  store<u32>(out, load<u32>(row, ROW_KEK + 16), 44);
}
