/** `keyloom/maintenance`: the doctor, which says whether a store's records, indexes and log agree. */
import type { Job, JobOptions } from "../commands/jobs.js";
import { serviceOf, type KeyManager } from "../key-manager.js";
import { examine, type DoctorOptions, type DoctorSummary } from "../maintenance/doctor.js";

/**
 * Examines a store, entry by entry, then its log: as of one instant where the engine has snapshots, while others write.
 * Changes nothing unless `repair` is asked for. What a damaged header or slot table hides can't be examined: such a store
 * does not open.
 *
 * @returns a job: await it for the summary, or iterate over its progress
 * @throws {KeyloomError} through the job: `JOB_CANCELLED`, `POLICY_DENIED`, and what the store throws
 */
export function doctor(
  keys: KeyManager,
  options: DoctorOptions & Pick<JobOptions, "signal"> = {},
): Job<DoctorSummary> {
  const { repair, onFinding, signal } = options;
  const { context, job } = serviceOf(keys);
  return job({ signal }, (control) => examine(context, control, { repair, onFinding }));
}

export { FINDINGS } from "../maintenance/findings.js";
export type { Finding, FindingKind } from "../maintenance/findings.js";
export type { DoctorOptions, DoctorSummary } from "../maintenance/doctor.js";
