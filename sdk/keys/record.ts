/** The key record: a key's metadata and its version table. Wrapped material lies elsewhere. */
import { CborReader, cborMap, encodeCbor, type CborMap } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { PUBLIC_KEY_LENGTH } from "../crypto/algorithms.js";
import {
  REVOCATION_REASONS,
  STATES,
  stateOfCode,
  type RevocationReason,
  type State,
} from "../lifecycle/states.js";
import type { UsageLimits } from "../lifecycle/limits.js";
import type { VersionDates } from "../lifecycle/transition.js";

export const MAX_VERSIONS = 256;
export const MAX_TAGS = 32;

/** Why a version left its state. Codes never change their meaning. */
export const CAUSES = { command: 1, expired: 2, revoked: 3 } as const;
export type Cause = keyof typeof CAUSES;

/** How much of a key's cryptographic use is audited. */
export const AUDIT_POLICIES = { none: 0, counted: 1, each: 2 } as const;
export type AuditPolicy = keyof typeof AUDIT_POLICIES;

export interface KeyVersion {
  version: number;
  /** The stored state; dates may have moved it on (`effectiveState`). */
  state: State;
  dates: VersionDates;
  cause?: Cause | undefined;
  reason?: RevocationReason | undefined;
  /** Somebody else may have the material: a key that it was ever wrapped under is compromised, or it was exported. */
  exposed: boolean;
  /** Was not generated here. */
  imported?: boolean | undefined;
  /** A command set the deactivation date: it was not planned, and no successor's business. */
  endedByCommand?: boolean | undefined;
  /** How much it may protect at all; absent: without limit. */
  limits?: UsageLimits | undefined;
  /** The public half of a pair, 32 bytes: it outlives the private one. */
  publicKey?: Uint8Array | undefined;
  /** How many history entries this version has. */
  history: number;
  replaces?: number | undefined;
  replacedBy?: number | undefined;
}

/** The job that made the key, and its number there: item n of a job exists once. */
export interface KeyOrigin {
  job: Id;
  item: number;
}

export interface KeyRecord {
  id: Id;
  name?: string | undefined;
  /** The id of the algorithm and the usage mask, as in the material's attributes. */
  algorithm: number;
  usages: number;
  exportable: boolean;
  owner: Id;
  /** The wrapping key; never its version, which a re-wrap changes without touching this record. */
  wrappedBy: Id;
  tags: readonly string[];
  audit: AuditPolicy;
  /** The highest time a change of this key was made at: a clock that steps back never un-expires it. */
  time: number;
  archived?: number | undefined;
  /** How many history entries the key itself has: archive and recover act on all versions. */
  history?: number | undefined;
  origin?: KeyOrigin | undefined;
  /** In ascending order of version number. */
  versions: readonly KeyVersion[];
}

const FIELD = {
  name: 1,
  algorithm: 2,
  usages: 3,
  exportable: 4,
  owner: 5,
  wrappedBy: 6,
  tags: 7,
  audit: 8,
  time: 9,
  archived: 10,
  originJob: 11,
  originItem: 12,
  versions: 13,
  history: 14,
} as const;

const ROW = {
  version: 1,
  state: 2,
  initial: 3,
  activation: 4,
  processStart: 5,
  protectStop: 6,
  deactivation: 7,
  compromise: 8,
  occurrence: 9,
  destroy: 10,
  cause: 11,
  reason: 12,
  exposed: 13,
  history: 14,
  replaces: 15,
  replacedBy: 16,
  imported: 17,
  endedByCommand: 18,
  limitOperations: 19,
  limitBytes: 20,
  publicKey: 21,
} as const;

const DATES = [
  "activation",
  "processStart",
  "protectStop",
  "deactivation",
  "compromise",
  "occurrence",
  "destroy",
] as const;

function encodeRow(row: KeyVersion): CborMap {
  return cborMap(
    [ROW.version, row.version],
    [ROW.state, STATES[row.state]],
    [ROW.initial, row.dates.initial],
    ...DATES.map((date) => [ROW[date], row.dates[date]] as const),
    [ROW.cause, row.cause === undefined ? undefined : CAUSES[row.cause]],
    [ROW.reason, row.reason === undefined ? undefined : REVOCATION_REASONS[row.reason]],
    [ROW.exposed, row.exposed ? true : undefined],
    [ROW.history, row.history],
    [ROW.replaces, row.replaces],
    [ROW.replacedBy, row.replacedBy],
    [ROW.imported, row.imported === true ? true : undefined],
    [ROW.endedByCommand, row.endedByCommand === true ? true : undefined],
    [ROW.limitOperations, row.limits?.operations],
    [ROW.limitBytes, row.limits?.bytes],
    [ROW.publicKey, row.publicKey],
  );
}

/** The origin's item number as 4 bytes: bulk commands patch it in an encoded template. */
export function encodeItem(item: number): Uint8Array {
  return new Uint8Array([item >>> 24, item >>> 16, item >>> 8, item]);
}

/** The record's body. Its id is not in it: the storage key has it. */
export function encodeKeyRecord(record: KeyRecord): Uint8Array {
  return encodeCbor(
    cborMap(
      [FIELD.name, record.name],
      [FIELD.algorithm, record.algorithm],
      [FIELD.usages, record.usages],
      [FIELD.exportable, record.exportable],
      [FIELD.owner, record.owner],
      [FIELD.wrappedBy, record.wrappedBy],
      [FIELD.tags, record.tags.length === 0 ? undefined : [...record.tags]],
      [FIELD.audit, AUDIT_POLICIES[record.audit]],
      [FIELD.time, record.time],
      [FIELD.archived, record.archived],
      [FIELD.originJob, record.origin?.job],
      [FIELD.originItem, record.origin === undefined ? undefined : encodeItem(record.origin.item)],
      [FIELD.versions, record.versions.map(encodeRow)],
      [FIELD.history, record.history],
    ),
  );
}

function nameOfCode<T extends string>(table: Readonly<Record<T, number>>, code: number, what: string): T {
  for (const name of Object.keys(table) as T[]) if (table[name] === code) return name;
  throw new KeyloomError("STORE_DAMAGED", { message: `a key record has an unknown ${what} (${code})` });
}

function decodeRow(row: CborReader): KeyVersion {
  const state = stateOfCode(row.uint(ROW.state, 255));
  if (state === null)
    throw new KeyloomError("STORE_DAMAGED", { message: "a key record has an unknown state" });
  const dates: VersionDates = { initial: row.uint(ROW.initial, MAX_TIME) };
  for (const date of DATES) if (row.has(ROW[date])) dates[date] = row.uint(ROW[date], MAX_TIME);
  const version: KeyVersion = {
    version: row.uint(ROW.version, 0xffff_ffff),
    state,
    dates,
    exposed: row.has(ROW.exposed) && row.bool(ROW.exposed),
    history: row.uint(ROW.history, 0xffff_ffff),
  };
  if (row.has(ROW.cause)) version.cause = nameOfCode(CAUSES, row.uint(ROW.cause, 255), "cause");
  if (row.has(ROW.reason))
    version.reason = nameOfCode(REVOCATION_REASONS, row.uint(ROW.reason, 255), "reason");
  if (row.has(ROW.replaces)) version.replaces = row.uint(ROW.replaces, 0xffff_ffff);
  if (row.has(ROW.replacedBy)) version.replacedBy = row.uint(ROW.replacedBy, 0xffff_ffff);
  if (row.has(ROW.imported)) version.imported = row.bool(ROW.imported);
  if (row.has(ROW.endedByCommand)) version.endedByCommand = row.bool(ROW.endedByCommand);
  if (row.has(ROW.publicKey)) version.publicKey = row.bytes(ROW.publicKey, PUBLIC_KEY_LENGTH);
  const limits: UsageLimits = {
    operations: row.optionalUint(ROW.limitOperations),
    bytes: row.optionalUint(ROW.limitBytes),
  };
  if (limits.operations !== undefined || limits.bytes !== undefined) version.limits = limits;
  return version;
}

/** @throws {KeyloomError} `CBOR_INVALID` or `STORE_DAMAGED` for a body that is no key record */
export function decodeKeyRecord(id: Id, body: Uint8Array): KeyRecord {
  const reader = CborReader.decode(body, "a key record");
  const record: KeyRecord = {
    id,
    algorithm: reader.uint(FIELD.algorithm, 255),
    usages: reader.uint(FIELD.usages, 0xffff_ffff),
    exportable: reader.bool(FIELD.exportable),
    owner: reader.bytes(FIELD.owner, ID_LENGTH),
    wrappedBy: reader.bytes(FIELD.wrappedBy, ID_LENGTH),
    tags: reader.has(FIELD.tags) ? reader.array(FIELD.tags, MAX_TAGS).map(String) : [],
    audit: nameOfCode(AUDIT_POLICIES, reader.uint(FIELD.audit, 255), "audit policy"),
    time: reader.uint(FIELD.time, MAX_TIME),
    versions: reader.readers(FIELD.versions, MAX_VERSIONS).map(decodeRow),
  };
  if (reader.has(FIELD.name)) record.name = reader.text(FIELD.name, 128);
  if (reader.has(FIELD.archived)) record.archived = reader.uint(FIELD.archived, MAX_TIME);
  if (reader.has(FIELD.history)) record.history = reader.uint(FIELD.history, 0xffff_ffff);
  if (reader.has(FIELD.originJob)) {
    const item = reader.bytes(FIELD.originItem, 4);
    record.origin = {
      job: reader.bytes(FIELD.originJob, ID_LENGTH),
      item: new DataView(item.buffer, item.byteOffset, 4).getUint32(0),
    };
  }
  return record;
}
