/** Choosing and checking a version for use: which one, and whether state, dates and usage mask allow it. */
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import { USAGES, type Usage } from "../crypto/algorithms.js";
import { permits, type UseGrants, type UseKind } from "../lifecycle/permits.js";
import { effectiveState } from "../lifecycle/transition.js";
import type { KeyRecord, KeyVersion } from "./record.js";

/** Protecting usages create something new; processing ones read what was protected before. */
export const USE_KINDS = {
  sign: "protect",
  verify: "process",
  encrypt: "protect",
  decrypt: "process",
  wrap: "protect",
  unwrap: "process",
  "mac-generate": "protect",
  "mac-verify": "process",
  derive: "protect",
  // Opening what was sent to a key is as old as the key: a deactivated one may still do it.
  agree: "process",
} as const satisfies Record<Usage, UseKind>;

function refuse(record: KeyRecord, usage: Usage, reason: string, more: object = {}): KeyloomError {
  return new KeyloomError("KEY_NOT_USABLE", {
    message: `key ${record.name ?? idToString(record.id)} can't ${usage} now: ${reason}`,
    keyId: idToString(record.id),
    usage,
    reason,
    ...more,
  });
}

/** @throws {KeyloomError} `KEY_NOT_USABLE` with a typed reason, or `KEY_DESTROYED` */
export function requireUsable(
  record: KeyRecord,
  version: KeyVersion,
  usage: Usage,
  time: number,
  grants: UseGrants,
): void {
  if ((record.usages & USAGES[usage]) === 0) throw refuse(record, usage, "usage");
  const permit = permits(
    { state: version.state, dates: version.dates, archived: record.archived !== undefined },
    USE_KINDS[usage],
    time,
    grants,
  );
  if (permit.allowed) return;
  if (permit.state === "destroyed" || permit.state === "destroyed-compromised") {
    throw new KeyloomError("KEY_DESTROYED", {
      message: `version ${version.version} of key ${record.name ?? idToString(record.id)} is destroyed`,
      keyId: idToString(record.id),
      version: version.version,
    });
  }
  throw refuse(record, usage, permit.refusal, { version: version.version, state: permit.state });
}

/**
 * The current version: the newest active one that may still protect.
 *
 * @throws {KeyloomError} `KEY_NOT_USABLE` with the newest version's reason, or `KEY_DESTROYED`
 */
export function currentVersion(record: KeyRecord, usage: Usage, time: number, grants: UseGrants): KeyVersion {
  const { versions } = record;
  for (let i = versions.length - 1; i >= 0; i--) {
    const version = versions[i]!;
    if (effectiveState(version.state, version.dates, time) !== "active") continue;
    if (version.dates.protectStop !== undefined && time >= version.dates.protectStop) continue;
    requireUsable(record, version, usage, time, grants);
    return version;
  }
  const newest = versions.at(-1)!;
  requireUsable(record, newest, usage, time, grants);
  return newest;
}

/** @throws {KeyloomError} `KEY_VERSION_NOT_FOUND` */
export function requireVersion(record: KeyRecord, version: number): KeyVersion {
  const row = record.versions.find((candidate) => candidate.version === version);
  if (row !== undefined) return row;
  throw new KeyloomError("KEY_VERSION_NOT_FOUND", {
    message: `key ${record.name ?? idToString(record.id)} has no version ${version}`,
    keyId: idToString(record.id),
    version,
  });
}
