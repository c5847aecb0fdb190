/** Choosing and checking a version for use: which one, and whether state, dates and usage mask allow it. */
import { KeyloomError } from "../foundation/errors.js";
import { idToString } from "../foundation/ids.js";
import { ownUsages, USAGES, type Usage } from "../crypto/algorithms.js";
import { permits, REFUSALS, type Permit, type UseException, type UsePolicy } from "../lifecycle/permits.js";
import type { UseKind } from "../lifecycle/states.js";
import { effectiveState } from "../lifecycle/transition.js";
import type { KeyRecord, KeyVersion } from "./record.js";

/** What each usage is to the lifecycle. */
export const USE_KINDS = {
  sign: "protect",
  verify: "verify",
  encrypt: "protect",
  decrypt: "open",
  wrap: "protect",
  unwrap: "open",
  "mac-generate": "protect",
  "mac-verify": "check",
  derive: "protect",
  // It makes a key.
  agree: "protect",
} as const satisfies Record<Usage, UseKind>;

/** A use that the state alone does not permit: what the caller brings, and when the version was suspended. */
export interface ExceptionalUse extends UseException {
  suspendedAt?: number | undefined;
  /** What the usage is here, where it isn't what it is in general. */
  kind?: UseKind | undefined;
}

/** @throws {KeyloomError} `KEY_NOT_USABLE` with a typed reason, or `KEY_DESTROYED` */
export function requireUsable(
  record: KeyRecord,
  version: KeyVersion,
  usage: Usage,
  time: number,
  policy: UsePolicy,
  { suspendedAt, kind = USE_KINDS[usage], ...exception }: ExceptionalUse = {},
): Extract<Permit, { allowed: true }> {
  const { state, dates } = version;
  const permit = permits(
    {
      state,
      dates,
      archived: record.archived !== undefined,
      usages: ownUsages(record.algorithm, record.usages),
      suspendedAt,
    },
    { kind, usage: USAGES[usage], ...exception },
    time,
    policy,
  );
  if (permit.allowed) return permit;
  const destroyed = permit.state === "destroyed" || permit.state === "destroyed-compromised";
  if (destroyed && permit.refusal === "state") {
    throw new KeyloomError("KEY_DESTROYED", {
      message: `version ${version.version} of key ${record.name ?? idToString(record.id)} is destroyed`,
      keyId: idToString(record.id),
      version: version.version,
    });
  }
  const { refusal } = permit;
  throw new KeyloomError("KEY_NOT_USABLE", {
    message: `key ${record.name ?? idToString(record.id)} can't ${usage} now: ${REFUSALS[refusal]}`,
    keyId: idToString(record.id),
    usage,
    reason: refusal,
    version: version.version,
    state: permit.state,
  });
}

/** The newest active version that may still protect; where there is none, the newest one, whose refusal says why. */
export function protectingVersion({ versions }: KeyRecord, time: number): KeyVersion {
  const current = versions.findLast(
    ({ state, dates }) =>
      effectiveState(state, dates, time) === "active" &&
      (dates.protectStop === undefined || time < dates.protectStop),
  );
  return current ?? versions.at(-1)!;
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
