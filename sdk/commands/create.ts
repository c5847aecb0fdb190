/** Making one key: K1 of the lifecycle. */
import { equalBytes, requireBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { MAX_TIME } from "../foundation/clock.js";
import type { Id } from "../foundation/ids.js";
import { ALGORITHMS, algorithmOfId, requireAlgorithm, usageMask } from "../crypto/algorithms.js";
import { ROOT_ID } from "../crypto/material.js";
import {
  CRYPTOPERIOD_NAMES,
  CRYPTOPERIODS,
  cryptoperiodDates,
  type Cryptoperiod,
} from "../lifecycle/cryptoperiods.js";
import type { UsageLimits } from "../lifecycle/limits.js";
import { checkDateOrder, type VersionDates } from "../lifecycle/transition.js";
import { checkName, checkTags } from "../keys/names.js";
import { AUDIT_POLICIES, type AuditPolicy, type KeyRecord, type KeyVersion } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { gateRecord } from "../keys/store-records.js";
import { newVersion } from "../keys/versions.js";
import type { Subject } from "../audit/event.js";
import type { Check } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import { changeOf, planOf } from "./change.js";
import { authorize, commandTime, execute, type KeySubject, type StoreContext } from "./execute.js";
import { requireStrong } from "./strength.js";
import {
  openWrappingVersion,
  spendWrapping,
  wrapMaterial,
  wrapsKeys,
  type MakeKey,
  type WrappingVersion,
} from "./wrapping.js";

/** What a new key is to be. Checked here; ids and times are still missing. */
export interface CreateOptions {
  algorithm: string;
  /** The algorithm's default usages where absent. */
  usages?: readonly string[] | undefined;
  /** Look-up name, unique for ever. */
  name?: string | undefined;
  tags?: readonly string[] | undefined;
  /** May the material ever leave the core? Bound into the wrapped key; can't be changed later. */
  exportable?: boolean | undefined;
  /** The activation date; `null` leaves the key pre-active until `activate`. Default: now. */
  activation?: Date | null | undefined;
  processStart?: Date | undefined;
  protectStop?: Date | undefined;
  deactivation?: Date | undefined;
  /** Sets protect-stop and deactivation from the activation on, as SP 800-57 advises; dates given besides stand. */
  cryptoperiod?: Cryptoperiod | undefined;
  /** How much each version may protect at all: a number of operations, of bytes, or both. */
  limits?: UsageLimits | undefined;
  /**
   * Which uses by callers leave an audit event: `none`, `each` before its result is handed out, or `counted`, one event for
   * up to 1,024 alike. Default: `none`; `counted` for a key with limits, which can't do without.
   */
  audit?: AuditPolicy | undefined;
}

/** Options checked once, for one key or for a million. */
export interface CheckedOptions {
  algorithm: number;
  usages: number;
  exportable: boolean;
  name: string | undefined;
  tags: string[];
  /** `undefined` = now, `null` = none. */
  activation: number | null | undefined;
  dates: Omit<VersionDates, "initial" | "activation">;
  cryptoperiod: Cryptoperiod | undefined;
  limits: UsageLimits | undefined;
  audit: AuditPolicy;
}

/** A date as milliseconds. @throws {KeyloomError} `KEY_INVALID_OPTION` for one that no format can hold */
export function checkTime(value: Date | undefined, what: string): number | undefined {
  if (value === undefined) return undefined;
  const ms = value instanceof Date ? value.getTime() : NaN;
  if (Number.isInteger(ms) && ms >= 0 && ms <= MAX_TIME) return ms;
  throw new KeyloomError("KEY_INVALID_OPTION", { message: `${what} must be a Date between 1970 and 9999` });
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for an unknown one, and for one without a beginning */
function checkCryptoperiod({ cryptoperiod, activation }: CreateOptions): Cryptoperiod | undefined {
  if (cryptoperiod === undefined) return undefined;
  if (typeof cryptoperiod !== "string" || !Object.hasOwn(CRYPTOPERIODS, cryptoperiod)) {
    throw new KeyloomError("KEY_INVALID_OPTION", {
      message: `cryptoperiod is one of ${CRYPTOPERIOD_NAMES.join(", ")}`,
    });
  }
  if (activation !== null) return cryptoperiod;
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: "a cryptoperiod begins with the activation: give its date, or set the dates later",
  });
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` */
function checkLimits(limits: UsageLimits | undefined): UsageLimits | undefined {
  if (limits === undefined) return undefined;
  if (typeof limits !== "object" || limits === null) throw new TypeError("limits must be an object");
  const { operations, bytes } = limits;
  const given = [operations, bytes].filter((limit) => limit !== undefined);
  if (given.length > 0 && given.every((limit) => Number.isSafeInteger(limit) && limit >= 1)) {
    return { operations, bytes };
  }
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: "limits are a number of operations, of bytes, or both, from 1 on",
  });
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for an unknown one, and for a limit that nothing would count */
function checkAudit({ audit, limits }: CreateOptions): AuditPolicy {
  if (audit === undefined) return limits === undefined ? "none" : "counted";
  if (typeof audit !== "string" || !Object.hasOwn(AUDIT_POLICIES, audit)) {
    throw new KeyloomError("KEY_INVALID_OPTION", {
      message: `audit is one of ${Object.keys(AUDIT_POLICIES).join(", ")}`,
    });
  }
  if (audit !== "none" || limits === undefined) return audit;
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: "a key with usage limits is audited: counted, or each use",
  });
}

/** @throws {KeyloomError} for an unknown algorithm, an impossible usage, a bad name, tag or date */
export function checkCreateOptions(options: CreateOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) throw new TypeError("options must be an object");
  const algorithm = requireAlgorithm(options.algorithm);
  const checked: CheckedOptions = {
    algorithm: ALGORITHMS[algorithm].id,
    usages: usageMask(algorithm, options.usages ?? ALGORITHMS[algorithm].defaultUsages),
    exportable: options.exportable === true,
    name: options.name === undefined ? undefined : checkName(options.name),
    tags: checkTags(options.tags ?? []),
    activation: options.activation === null ? null : checkTime(options.activation, "activation"),
    dates: {
      processStart: checkTime(options.processStart, "processStart"),
      protectStop: checkTime(options.protectStop, "protectStop"),
      deactivation: checkTime(options.deactivation, "deactivation"),
    },
    cryptoperiod: checkCryptoperiod(options),
    limits: checkLimits(options.limits),
    audit: checkAudit(options),
  };
  checkDateOrder({ initial: 0, activation: checked.activation ?? undefined, ...checked.dates });
  return checked;
}

/** The dates of a version made at `now`. */
export function datesAt(options: CheckedOptions, now: number): VersionDates {
  const activation = options.activation === undefined ? now : (options.activation ?? undefined);
  const dates: VersionDates = { initial: now, activation, ...options.dates };
  if (options.cryptoperiod !== undefined) {
    const period = cryptoperiodDates(options.cryptoperiod, activation ?? now);
    dates.protectStop ??= period.protectStop;
    dates.deactivation ??= period.deactivation;
  }
  checkDateOrder(dates);
  return dates;
}

/** What policy is told of a key that is to be made. */
export function newSubject({ principal }: StoreContext, { algorithm, tags }: CheckedOptions): KeySubject {
  return { owner: principal.entity, algorithm, tags, versions: [], time: 0 };
}

/** The record of a key made at `now`, with its first version. */
export function newKeyRecord(
  context: StoreContext,
  options: CheckedOptions,
  id: Id,
  { kek, exposed }: Pick<WrappingVersion, "kek" | "exposed">,
  now: number,
  imported = false,
): { record: KeyRecord; first: ReturnType<typeof newVersion> } {
  const { limits } = options;
  const dates = datesAt(options, now);
  requireStrong(context, options.algorithm, dates);
  const marks = { exposed, ...(imported ? { imported } : {}), ...(limits === undefined ? {} : { limits }) };
  const first = newVersion(1, dates, now, context.principal.entity, marks);
  const record: KeyRecord = {
    id,
    name: options.name,
    algorithm: options.algorithm,
    usages: options.usages,
    exportable: options.exportable,
    owner: context.principal.entity,
    wrappedBy: kek,
    tags: options.tags,
    audit: options.audit,
    time: now,
    versions: [first.row],
  };
  return { record, first };
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` unless it is a key of this algorithm */
function checkMaterial({ algorithm }: CheckedOptions, material: Uint8Array): void {
  requireBytes(material, "material");
  const name = algorithmOfId(algorithm)!;
  const { materialBytes } = ALGORITHMS[name];
  if (material.length === materialBytes) return;
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: `a key for ${name} has ${materialBytes} bytes`,
    materialBytes,
  });
}

/** How a key comes into being that is not generated. */
export interface KeySource {
  operation: "import" | "agree";
  /** At each attempt anew: reads and decides. */
  begin(): Promise<{
    make: MakeKey;
    exposed?: boolean;
    checks?: readonly Check[];
    subjects?: readonly Subject[];
  }>;
  /** Refuses what was made. */
  accept?(version: KeyVersion): void;
}

/**
 * A key that was made elsewhere.
 *
 * @param material - read once, not modified
 * @param publicKey - of a pair: the public half that it has to have
 * @throws {KeyloomError} `KEY_INVALID_OPTION` for material of another length; through `createKey`, for another public half
 */
export function importedFrom(
  { vault }: StoreContext,
  options: CheckedOptions,
  material: Uint8Array,
  publicKey?: Uint8Array,
): KeySource {
  checkMaterial(options, material);
  if (publicKey !== undefined) requireBytes(publicKey, "publicKey");
  return {
    operation: "import",
    begin: async () => ({ make: (template) => vault.import(template, material) }),
    accept(version) {
      if (publicKey === undefined) return;
      if (version.publicKey !== undefined && equalBytes(version.publicKey, publicKey)) return;
      throw new KeyloomError("KEY_INVALID_OPTION", {
        message: "the public key is not that of the private key",
      });
    },
  };
}

/**
 * Creates a key with one version, wrapped under `kek` (`ROOT_ID`: under the root key).
 *
 * @param source - where it isn't generated
 * @throws {KeyloomError} `KEY_NAME_TAKEN`, also when a destroyed key had the name
 */
export async function createKey(
  context: StoreContext,
  options: CheckedOptions,
  kek: Id = ROOT_ID,
  source?: KeySource,
): Promise<StoredKey> {
  const id = context.newId();
  const operation = source?.operation ?? "create";
  const { result, commit } = await execute(context, async () => {
    await context.ring.refresh();
    const decision = authorize(context, operation, newSubject(context, options));
    if (options.name !== undefined) await requireFreeName(context, options.name);
    const wrapping = await openWrappingVersion(context, kek);
    const from = await source?.begin();
    const exposed = wrapping.exposed || from?.exposed === true;
    const time = commandTime(context);
    const planned = newKeyRecord(context, options, id, { kek, exposed }, time, operation === "import");
    await spendWrapping(context, wrapping, 1);
    const { record, material } = await wrapMaterial(context, planned.record, 1, wrapping, from?.make);
    source?.accept?.(record.versions[0]!);
    const change = changeOf(null, record, [planned.first]);
    change.checks.push(wrapping.gateCheck, ...(from?.checks ?? []));
    change.records.push(material);
    change.subjects.push(...(from?.subjects ?? []));
    if (wrapsKeys(record)) change.records.push(gateRecord(id, 1, true, 1));
    return {
      result: record,
      plan: planOf(context, operation, decision, change, record.time),
    };
  });
  return { record: result, revision: 1, storageVersion: commit.versionOf(keyspace.key(id)) ?? "" };
}

async function requireFreeName(context: StoreContext, name: string): Promise<void> {
  if ((await context.storage.get(keyspace.indexName(name))) === null) return;
  throw new KeyloomError("KEY_NAME_TAKEN", { message: `the name ${name} is or was in use`, name });
}
