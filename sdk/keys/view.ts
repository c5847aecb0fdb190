/** Keys as the public API shows them: plain data, evaluated at a time, nothing in it secret. */
import { equalBytes } from "../foundation/bytes.js";
import { idToString } from "../foundation/ids.js";
import { algorithmOfId, halvesOf, ownUsages, usagesOfMask, type Usage } from "../crypto/algorithms.js";
import { ROOT_ID } from "../crypto/material.js";
import type { RevocationReason, State } from "../lifecycle/states.js";
import type { UsageLimits } from "../lifecycle/limits.js";
import type { VersionDates } from "../lifecycle/transition.js";
import { applyDueDates } from "./versions.js";
import type { AuditPolicy, Cause, KeyRecord } from "./record.js";

/** One version of a key. */
export interface KeyVersionInfo {
  version: number;
  /** The state at the time of the look-up, dates applied. */
  state: State;
  /** The newest active version that may protect: what `encrypt` uses. */
  current: boolean;
  /** Why it left its last state: a command, a date that was reached, or a revocation. */
  cause?: Cause;
  reason?: RevocationReason;
  /** Somebody else may have the material: a key that it was ever wrapped under is compromised, or it was exported. */
  exposed: boolean;
  /** Was not generated here. */
  imported?: true;
  /** How much it may protect at all: operations, and bytes. */
  limits?: { readonly operations?: number; readonly bytes?: number };
  dates: { readonly [date in keyof VersionDates]?: Date };
  /** The version it replaced, and the one that replaced it. */
  replaces?: number;
  replacedBy?: number;
}

/** A key's metadata. Its material never leaves the core. */
export interface Key {
  /** A UUID. */
  id: string;
  name?: string;
  algorithm: string;
  usages: readonly Usage[];
  /** What it can't do itself, but keys that it agrees upon may. */
  handsDown?: readonly Usage[];
  /** Of a pair: the usages of each half. They share everything else: id, versions, states. */
  halves?: { readonly private: readonly Usage[]; readonly public: readonly Usage[] };
  exportable: boolean;
  /** Which uses leave an audit event. */
  audit: AuditPolicy;
  tags: readonly string[];
  /** The owner entity's id. */
  owner: string;
  /** The wrapping key's id; `null` for keys under the root key. */
  wrappedBy: string | null;
  archived?: Date;
  /** The job that made it, and its number there. */
  origin?: { job: string; item: number };
  /** In ascending order. */
  versions: readonly KeyVersionInfo[];
}

function datesOf(dates: VersionDates): KeyVersionInfo["dates"] {
  const out: Record<string, Date> = {};
  for (const [name, value] of Object.entries(dates))
    if (typeof value === "number") out[name] = new Date(value);
  return out;
}

function usagesView({ algorithm, usages }: KeyRecord): Pick<Key, "usages" | "handsDown" | "halves"> {
  const own = usagesOfMask(ownUsages(algorithm, usages));
  const handsDown = usagesOfMask(usages & ~ownUsages(algorithm, usages));
  const halves = halvesOf(algorithm);
  const of = (half: readonly Usage[]): Usage[] => own.filter((usage) => half.includes(usage));
  return {
    usages: own,
    ...(handsDown.length === 0 ? {} : { handsDown }),
    ...(halves === null ? {} : { halves: { private: of(halves.private), public: of(halves.public) } }),
  };
}

function limitsOf({ operations, bytes }: UsageLimits): NonNullable<KeyVersionInfo["limits"]> {
  return {
    ...(operations === undefined ? {} : { operations }),
    ...(bytes === undefined ? {} : { bytes }),
  };
}

/** @param time - at which states are evaluated; the key's own time is used where that is later */
export function viewOfKey(record: KeyRecord, time: number): Key {
  const now = Math.max(time, record.time);
  const rows = record.versions.map((row) => applyDueDates(row, now, record.owner).row);
  const current = rows.findLast(
    (row) => row.state === "active" && (row.dates.protectStop === undefined || now < row.dates.protectStop),
  );
  return {
    id: idToString(record.id),
    ...(record.name === undefined ? {} : { name: record.name }),
    algorithm: algorithmOfId(record.algorithm) ?? `unknown (${record.algorithm})`,
    ...usagesView(record),
    exportable: record.exportable,
    audit: record.audit,
    tags: [...record.tags],
    owner: idToString(record.owner),
    wrappedBy: equalBytes(record.wrappedBy, ROOT_ID) ? null : idToString(record.wrappedBy),
    ...(record.archived === undefined ? {} : { archived: new Date(record.archived) }),
    ...(record.origin === undefined
      ? {}
      : { origin: { job: idToString(record.origin.job), item: record.origin.item } }),
    versions: rows.map((row) => ({
      version: row.version,
      state: row.state,
      current: row === current && record.archived === undefined,
      exposed: row.exposed,
      ...(row.imported === true ? { imported: true as const } : {}),
      ...(row.limits === undefined ? {} : { limits: limitsOf(row.limits) }),
      ...(row.cause === undefined ? {} : { cause: row.cause }),
      ...(row.reason === undefined ? {} : { reason: row.reason }),
      dates: datesOf(row.dates),
      ...(row.replaces === undefined ? {} : { replaces: row.replaces }),
      ...(row.replacedBy === undefined ? {} : { replacedBy: row.replacedBy }),
    })),
  };
}
