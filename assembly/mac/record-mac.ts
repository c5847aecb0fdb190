/**
 * MACs of stored records, a batch in one call.
 *
 * A record's MAC is HMAC-SHA256 over a 64-byte prefix, which binds the store, and the record's own
 * bytes. The prefix fills one block: its state is computed once a call, and a record's blocks lie as in
 * its plain SHA-256, so that both hashes run over one message schedule.
 */
import { differ32, MAC_VERDICT } from "../memory/declassify";
import { KDF_SCRATCH } from "../memory/layout";
import { macMessages } from "./hmac-sha256";

/** MACs computed for comparison, a part of the batch at a time: 64 × 32 bytes. */
const EXPECTED: usize = KDF_SCRATCH + 128;
const PART: i32 = 64;

/**
 * Checks the MAC of each record; each comparison takes the same time whatever the bytes.
 *
 * @param gap - bytes between the end of a record and the next one.
 * @param macs - 32 bytes a record, `macStride` bytes apart.
 * @param statuses - `count` bytes: 0 where the MAC is right, 1 where it is wrong.
 * @returns how many are wrong.
 */
export function recordCheck(
  mid: usize,
  prefix: usize,
  messages: usize,
  lengths: usize,
  gap: usize,
  macs: usize,
  macStride: usize,
  count: i32,
  statuses: usize,
): i32 {
  let failed = 0;
  while (count > 0) {
    const part = min(count, PART);
    macMessages(mid, prefix, messages, lengths, gap, part, EXPECTED, 32, 0, 0);
    for (let i = 0; i < part; i++) {
      const status = differ32(EXPECTED + i * 32, macs, MAC_VERDICT);
      store<u8>(statuses, status);
      failed += status;
      messages += <usize>load<u32>(lengths) + gap;
      lengths += 4;
      macs += macStride;
      statuses++;
    }
    count -= part;
  }
  memory.fill(EXPECTED, 0, PART * 32);
  return failed;
}
