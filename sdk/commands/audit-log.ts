/**
 * All that has to do with the audit log, behind one dynamic import: a page that only encrypts never loads it. Thin over the
 * rooms that do the work.
 */
import { nextTurn } from "../foundation/turn.js";
import { ranges } from "../storage/keyspace.js";
import type { StoreContext } from "./execute.js";
import { sequencerOf } from "./sequence.js";

export { viewOfEntry } from "../audit/view.js";
export { AuditWalk, tailOfAudit } from "../audit/walk.js";
export { makeCheckpoint, viewOfCheckpoint } from "./checkpoint.js";
export { sequencerOf } from "./sequence.js";
export { exportAudit, proveAudit, proveAuditConsistency, verifyAudit } from "./verify-audit.js";

/** Moves one batch, and more as long as there is nothing else to do. */
export async function sequenceIdly(context: StoreContext, isIdle: () => boolean): Promise<void> {
  const sequencer = sequencerOf(context);
  for (;;) {
    const step = await sequencer.step();
    if (step === "held" || step.last || !isIdle()) return;
    await nextTurn();
  }
}

/** At the end: moves a batch where `many` entries wait, and gives the lease back. */
export async function sequenceAtEnd(context: StoreContext, many: number): Promise<void> {
  const sequencer = sequencerOf(context);
  let waiting = 0;
  const listing = context.storage.list(ranges.auditIntake(), { limit: many, keysOnly: true });
  for await (const { key } of listing) waiting += Math.min(1, key.length);
  if (waiting === many) await sequencer.step();
  await sequencer.release();
}
