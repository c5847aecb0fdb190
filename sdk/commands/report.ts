/** What of a store needs somebody's attention, key by key, as far as the principal may read it. */
import { idToString, type Id } from "../foundation/ids.js";
import { listKeys, type ListPosition } from "../keys/listing.js";
import { readUsage } from "../keys/store-records.js";
import { viewOfKey, type Key, type KeyVersionInfo } from "../keys/view.js";
import { kdfWeaknesses, versionWeaknesses, type KdfStrength } from "../policy/strength.js";
import type { StrengthRules } from "../policy/model.js";
import { commandTime, decide, type StoreContext } from "./execute.js";

export const FINDINGS = {
  "out-of-policy": "what is in use and weaker than the policy in force demands",
  due: "a date lies ahead that ends or begins a version's use",
  expired: "a version's period is over and its material is still there",
  exposed: "somebody else may have the material",
  "over-used": "a usage limit is spent",
} as const;

export type Finding = keyof typeof FINDINGS;
export const FINDING_NAMES = Object.keys(FINDINGS) as readonly Finding[];

export interface ReportEntry {
  finding: Finding;
  /** In words. */
  detail: string;
  /** The key concerned, and its version; or the root slot, whose key derivation is too weak. */
  key?: { id: string; name?: string };
  version?: number;
  slot?: string;
  /** The strength rule that is broken. */
  rule?: keyof StrengthRules;
  /** The date that lies ahead, or that has passed. */
  at?: Date;
}

export interface RootSlotKdf {
  id: Id;
  kdf: KdfStrength;
}

const PAGE = 256;
const IN_USE: readonly string[] = ["pre-active", "active", "suspended"];
const GONE: readonly string[] = ["destroyed", "destroyed-compromised"];
const DUE_DATES = ["activation", "protectStop", "deactivation"] as const;

/** @param withinMs - how far ahead a date is that counts as due */
export async function* report(
  context: StoreContext,
  withinMs: number,
  slots: () => Promise<readonly RootSlotKdf[]>,
): AsyncGenerator<ReportEntry, void> {
  await context.ring.refresh();
  const rules = context.authority.policy?.policy.strength ?? {};
  if (decide(context, "read", null).allowed) {
    for (const { id, kdf } of await slots()) {
      for (const { rule, message } of kdfWeaknesses(rules, kdf)) {
        yield { finding: "out-of-policy", detail: message, slot: idToString(id), rule };
      }
    }
  }
  const { storage, records } = context;
  let position: ListPosition | null = { time: commandTime(context) };
  while (position !== null) {
    const { time }: ListPosition = position;
    const page = await listKeys(storage, records, {}, position, PAGE);
    position = page.next;
    for (const { record } of page.keys) {
      if (!decide(context, "read", record).allowed) continue;
      const key = viewOfKey(record, time);
      for (const version of key.versions) {
        const { limits } = version;
        const spent =
          limits === undefined ? null : await readUsage(storage, records, record.id, version.version);
        const found = [
          ...findings(key, version, rules, time, withinMs),
          ...(spent === null ? [] : overUse(limits!, spent.spent)),
        ];
        const { id, name } = key;
        const named = { key: { id, ...(name === undefined ? {} : { name }) }, version: version.version };
        for (const entry of found) yield { ...entry, ...named };
      }
    }
  }
}

/** What its metadata say of a version. */
export function findings(
  { algorithm }: Pick<Key, "algorithm">,
  version: KeyVersionInfo,
  rules: StrengthRules,
  time: number,
  withinMs: number,
): ReportEntry[] {
  const { state, dates, cause, exposed } = version;
  if (GONE.includes(state)) return [];
  const found: ReportEntry[] = [];
  if (IN_USE.includes(state)) {
    const [activation, protectStop, deactivation] = DUE_DATES.map((date) => dates[date]?.getTime());
    const weak = versionWeaknesses(rules, { algorithm, activation, protectStop, deactivation });
    for (const { rule, message } of weak) found.push({ finding: "out-of-policy", detail: message, rule });
    for (const date of DUE_DATES) {
      const at = dates[date];
      if (at === undefined || at.getTime() <= time || at.getTime() > time + withinMs) continue;
      found.push({ finding: "due", detail: `its ${date} date lies ahead`, at });
    }
  }
  const { protectStop, deactivation } = dates;
  if (state === "deactivated" && cause === "expired") {
    found.push({
      finding: "expired",
      detail: "it was deactivated by its date",
      ...(deactivation && { at: deactivation }),
    });
  } else if (state === "active" && protectStop !== undefined && protectStop.getTime() <= time) {
    found.push({ finding: "expired", detail: "its protect-stop date has passed", at: protectStop });
  }
  if (exposed) found.push({ finding: "exposed", detail: FINDINGS.exposed });
  return found;
}

function overUse(
  limits: NonNullable<KeyVersionInfo["limits"]>,
  spent: { operations: number; bytes: number },
): ReportEntry[] {
  return (["operations", "bytes"] as const)
    .filter((unit) => limits[unit] !== undefined && spent[unit] >= limits[unit])
    .map((unit) => ({ finding: "over-used", detail: `${spent[unit]} of ${limits[unit]} ${unit} are spent` }));
}
