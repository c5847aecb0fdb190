/** Handing a key's material out in clear: the dangerous way, named so. */
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import { effectiveState } from "../lifecycle/transition.js";
import type { KeyRecord, KeyVersion } from "../keys/record.js";
import { requireVersion } from "../keys/use.js";
import { announce, changeOf, planOf } from "./change.js";
import { chooseVersion, readForChange } from "./change-state.js";
import { believeClock } from "./clock.js";
import { authorize, commandTime, execute, type StoreContext } from "./execute.js";
import { exposing, markExposed, withExposed } from "./expose.js";
import { wrapsKeys } from "./wrapping.js";

const EXPORTABLE_STATES: readonly string[] = ["pre-active", "active", "deactivated"];

function requireExportable(record: KeyRecord, { version, state, dates }: KeyVersion, time: number): void {
  const refuse = (reason: string, why: string): KeyloomError =>
    new KeyloomError(reason === "exportable" ? "CORE_NOT_EXPORTABLE" : "KEY_NOT_USABLE", {
      message: `version ${version} of key ${record.name ?? idToString(record.id)} can't be exported: ${why}`,
      keyId: idToString(record.id),
      version,
      reason,
    });
  if (!record.exportable) throw refuse("exportable", "the key was not made exportable");
  if (record.archived !== undefined) throw refuse("archived", "it is archived");
  const now = effectiveState(state, dates, time);
  if (!EXPORTABLE_STATES.includes(now)) throw refuse("state", `it is ${now}`);
}

/**
 * A version's material. It is marked exposed, and what lies under it too, before the bytes leave the core.
 *
 * @returns the material in clear, the caller's to wipe
 * @throws {KeyloomError} `CORE_NOT_EXPORTABLE` unless the key was made exportable; `KEY_NOT_USABLE`, `KEY_NOT_FOUND`
 */
export async function exportCleartext(
  context: StoreContext,
  reference: string,
  version?: number,
): Promise<Uint8Array> {
  const followClock = await believeClock(context);
  const { result: number } = await execute(context, async () => {
    const before = await readForChange(context, reference);
    const row = chooseVersion(before.record, version);
    const decision = authorize(context, "export", before.record, row.version);
    const time = commandTime(context, before.record.time);
    requireExportable(before.record, row, time);
    const record = withExposed(before.record, (candidate) => candidate.version === row.version);
    const change = changeOf(before, { ...record, time: Math.max(record.time, time) }, []);
    if (wrapsKeys(record) && !row.exposed) change.mutations.push(exposing(record.id, row.version));
    change.subjects.push({ key: record.id, version: row.version });
    await announce(context, change);
    return { result: row.version, plan: planOf(context, "export", decision, change, time) };
  });
  context.ring.invalidate();
  await markExposed(context);
  await followClock();
  const stored = await readForChange(context, reference);
  // Somebody may have been faster: what is restricted by now does not leave.
  requireExportable(
    stored.record,
    requireVersion(stored.record, number),
    commandTime(context, stored.record.time),
  );
  return context.ring.use(stored, number, (handle) => context.vault.exportInsecureCleartext(handle));
}
