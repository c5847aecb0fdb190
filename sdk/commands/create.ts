/** Making one key: K1 of the lifecycle. */
import { KeyloomError } from "../foundation/errors.js";
import { MAX_TIME } from "../foundation/clock.js";
import type { Id } from "../foundation/ids.js";
import { ALGORITHMS, requireAlgorithm, usageMask } from "../crypto/algorithms.js";
import { ROOT_ID } from "../crypto/material.js";
import { checkDateOrder, type VersionDates } from "../lifecycle/transition.js";
import { checkName, checkTags } from "../keys/names.js";
import type { KeyRecord } from "../keys/record.js";
import type { StoredKey } from "../keys/reads.js";
import { gateRecord } from "../keys/store-records.js";
import { newVersion } from "../keys/versions.js";
import { keyspace } from "../storage/keyspace.js";
import { changeOf } from "./change.js";
import { authorize, commandTime, eventBy, execute, type StoreContext } from "./execute.js";
import { generateMaterial, openWrappingVersion, wrapsKeys } from "./wrapping.js";

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
}

function time(value: Date | undefined, what: string): number | undefined {
  if (value === undefined) return undefined;
  const ms = value instanceof Date ? value.getTime() : NaN;
  if (Number.isInteger(ms) && ms >= 0 && ms <= MAX_TIME) return ms;
  throw new KeyloomError("KEY_INVALID_OPTION", { message: `${what} must be a Date between 1970 and 9999` });
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
    activation: options.activation === null ? null : time(options.activation, "activation"),
    dates: {
      processStart: time(options.processStart, "processStart"),
      protectStop: time(options.protectStop, "protectStop"),
      deactivation: time(options.deactivation, "deactivation"),
    },
  };
  checkDateOrder({ initial: 0, activation: checked.activation ?? undefined, ...checked.dates });
  return checked;
}

/** The dates of a version made at `now`. */
export function datesAt(options: CheckedOptions, now: number): VersionDates {
  const activation = options.activation === undefined ? now : (options.activation ?? undefined);
  const dates: VersionDates = { initial: now, activation, ...options.dates };
  checkDateOrder(dates);
  return dates;
}

/** The record of a key made at `now`, with its first version. */
export function newKeyRecord(
  context: StoreContext,
  options: CheckedOptions,
  id: Id,
  kek: Id,
  now: number,
): { record: KeyRecord; first: ReturnType<typeof newVersion> } {
  const first = newVersion(1, datesAt(options, now), now, context.principal.entity);
  const record: KeyRecord = {
    id,
    name: options.name,
    algorithm: options.algorithm,
    usages: options.usages,
    exportable: options.exportable,
    owner: context.principal.entity,
    wrappedBy: kek,
    tags: options.tags,
    audit: "none",
    time: now,
    versions: [first.row],
  };
  return { record, first };
}

/**
 * Creates a key with one version, wrapped under `kek` (`ROOT_ID`: under the root key).
 *
 * @throws {KeyloomError} `KEY_NAME_TAKEN`, also when a destroyed key had the name
 */
export async function createKey(
  context: StoreContext,
  options: CheckedOptions,
  kek: Id = ROOT_ID,
): Promise<StoredKey> {
  const id = context.newId();
  const { result, commit } = await execute(context, async () => {
    await context.ring.refresh();
    const decision = authorize(context, "create", null);
    if (options.name !== undefined) await requireFreeName(context, options.name);
    const wrapping = await openWrappingVersion(context, kek);
    const { record, first } = newKeyRecord(context, options, id, kek, commandTime(context));
    const change = changeOf(null, record, [first]);
    change.checks.push(wrapping.gateCheck);
    change.records.push(await generateMaterial(context, record, 1, wrapping));
    if (wrapsKeys(record)) change.records.push(gateRecord(id, 1, true, 1));
    return {
      result: record,
      plan: {
        ...change,
        time: record.time,
        event: { ...eventBy(context, "create", decision), subjects: change.subjects },
      },
    };
  });
  return { record: result, revision: 1, storageVersion: commit.versionOf(keyspace.key(id)) ?? "" };
}

async function requireFreeName(context: StoreContext, name: string): Promise<void> {
  if ((await context.storage.get(keyspace.indexName(name))) === null) return;
  throw new KeyloomError("KEY_NAME_TAKEN", { message: `the name ${name} is or was in use`, name });
}
