/** Is this a policy? Everything is bounded, and what can't be meant is refused before it is stored. */
import { utf8 } from "../foundation/bytes.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { OWNER_POLICY } from "./evaluate.js";
import {
  EFFECTS,
  GRANTS,
  OPERATION_NAMES,
  OPERATIONS,
  type Grant,
  type Operation,
  type Policy,
  type PolicyRule,
  type StrengthRules,
  type TimeWindow,
} from "./model.js";

export const MAX_RULES = 32;
/** Of roles, tags, states, … that one rule names. */
export const MAX_NAMED = 64;
export const MAX_NAME_BYTES = 64;
export const MAX_APPROVALS = 16;
const MAX_TAG_BYTES = 128;
// Control characters would hide in terminals; lone surrogates have no encoding.
const CONTROL = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** The names that other rooms have for what rules can be about. */
export interface Vocabulary {
  states: readonly string[];
  algorithms: readonly string[];
}

export const STRENGTH_NUMBERS = [
  "maxCryptoperiodDays",
  "minPbkdf2Iterations",
  "minArgon2idMemoryKiB",
  "minArgon2idPasses",
] as const satisfies readonly (keyof StrengthRules)[];

function invalid(message: string): KeyloomError {
  return new KeyloomError("POLICY_INVALID", { message });
}

function requireObject(value: unknown, what: string, fields: readonly string[]): void {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what} must be an object`);
  // A misspelt condition would make a rule wider than it was meant.
  for (const field of Object.keys(value)) {
    if (!fields.includes(field)) throw invalid(`${what} can't have a field ${JSON.stringify(field)}`);
  }
}

/** A name of a policy, rule, role or entity: NFC, 1 to 64 bytes, no control characters. */
export function checkGovernanceName(name: unknown, what: string): string {
  if (typeof name !== "string") throw new TypeError(`${what} must be a string`);
  const normal = name.normalize("NFC");
  const bytes = utf8(normal).length;
  if (bytes < 1 || bytes > MAX_NAME_BYTES || CONTROL.test(normal)) {
    throw invalid(`${what} has 1 to ${MAX_NAME_BYTES} bytes and no control characters`);
  }
  return normal;
}

/** Roles of a rule or an entity, each once. */
export function checkRoles(roles: unknown, what: string): string[] {
  return checkList(roles, what, (role) => checkGovernanceName(role, what));
}

function checkList<T>(list: unknown, what: string, check: (item: unknown) => T): T[] {
  if (!Array.isArray(list)) throw new TypeError(`${what} must be an array`);
  if (list.length < 1 || list.length > MAX_NAMED) throw invalid(`${what} names 1 to ${MAX_NAMED}`);
  return [...new Set(list.map(check))];
}

function oneOf<T extends string>(names: readonly T[], what: string): (item: unknown) => T {
  return (item) => {
    if (names.includes(item as T)) return item as T;
    throw invalid(`${what} are among ${names.join(", ")}`);
  };
}

function checkTag(tag: unknown): string {
  if (typeof tag !== "string") throw new TypeError("a tag must be a string");
  const normal = tag.normalize("NFC");
  if (normal !== "" && utf8(normal).length <= MAX_TAG_BYTES) return normal;
  throw invalid(`a tag has 1 to ${MAX_TAG_BYTES} bytes`);
}

function checkWhole(value: unknown, what: string, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  throw invalid(`${what} is a whole number from ${least} to ${most}`);
}

/** Leaves out what is `undefined`, so that a policy has one form. */
function present<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** The check of a field that may be absent. */
function optional<T, R>(value: T | undefined, check: (value: T) => R): R | undefined {
  return value === undefined ? undefined : check(value);
}

function checkWindow(window: TimeWindow): TimeWindow {
  requireObject(window, "a window", ["from", "until", "days", "hours"]);
  const date = (what: string) => (value: Date) => {
    const time = value instanceof Date ? value.getTime() : NaN;
    if (time >= 0 && time <= MAX_TIME) return new Date(time);
    throw invalid(`a window's ${what} is a Date between 1970 and 9999`);
  };
  const from = optional(window.from, date("from"));
  const until = optional(window.until, date("until"));
  if (from !== undefined && until !== undefined && from >= until)
    throw invalid("a window ends after it begins");
  const hours = optional(window.hours, (value) => {
    if (!Array.isArray(value) || value.length !== 2) throw invalid("a window's hours are two numbers");
    const [first, last] = value.map((hour) => checkWhole(hour, "an hour", 0, 24)) as [number, number];
    if (first === last) throw invalid("a window's hours differ");
    return [first, last] as const;
  });
  const days = optional(window.days, (value) =>
    checkList(value, "days", (day) => checkWhole(day, "a day of the week", 1, 7)).sort(),
  );
  const checked = present({ from, until, days, hours });
  if (Object.keys(checked).length === 0) throw invalid("a window says when");
  return checked;
}

const RULE_FIELDS = [
  "name",
  "effect",
  "operations",
  "roles",
  "tags",
  "algorithms",
  "states",
  "own",
  "window",
  "grants",
  "approvals",
  "approvers",
] as const satisfies readonly (keyof PolicyRule)[];

function checkRule(rule: PolicyRule, { states, algorithms }: Vocabulary): PolicyRule {
  requireObject(rule, "a rule", RULE_FIELDS);
  const name = checkGovernanceName(rule.name, "a rule's name");
  const refuse = (message: string): KeyloomError => invalid(`rule ${name}: ${message}`);
  if (!Object.hasOwn(EFFECTS, rule.effect)) {
    throw refuse(`its effect is one of ${Object.keys(EFFECTS).join(", ")}`);
  }
  const requires = rule.effect === "require";
  if (requires !== (rule.approvals !== undefined) || (!requires && rule.approvers !== undefined)) {
    throw refuse("a rule that requires names approvals, and no other does");
  }
  if (rule.effect !== "allow" && rule.grants !== undefined) throw refuse("only a rule that allows grants");
  if (rule.own !== undefined && rule.own !== true) throw refuse("own is true or absent");
  const operations = optional(rule.operations, (value) =>
    checkList(value, "operations", oneOf<Operation>(OPERATION_NAMES, "operations")),
  );
  if (
    requires &&
    (operations ?? OPERATION_NAMES).some((operation) => !("approvals" in OPERATIONS[operation]))
  ) {
    const possible = OPERATION_NAMES.filter((operation) => "approvals" in OPERATIONS[operation]);
    throw refuse(`approvals can be required for ${possible.join(", ")}`);
  }
  return present<PolicyRule>({
    name,
    effect: rule.effect,
    operations,
    roles: optional(rule.roles, (value) => checkRoles(value, "roles")),
    tags: optional(rule.tags, (value) => checkList(value, "tags", checkTag)),
    algorithms: optional(rule.algorithms, (value) =>
      checkList(value, "algorithms", oneOf(algorithms, "algorithms")),
    ),
    states: optional(rule.states, (value) => checkList(value, "states", oneOf(states, "states"))),
    own: rule.own,
    window: optional(rule.window, checkWindow),
    grants: optional(rule.grants, (value) =>
      checkList(value, "grants", oneOf(Object.keys(GRANTS) as Grant[], "grants")).sort(),
    ),
    approvals: optional(rule.approvals, (value) => checkWhole(value, "approvals", 1, MAX_APPROVALS)),
    approvers: optional(rule.approvers, (value) => checkRoles(value, "approvers")),
  });
}

function checkStrength(strength: StrengthRules, { algorithms }: Vocabulary): StrengthRules {
  requireObject(strength, "strength", ["algorithms", ...STRENGTH_NUMBERS]);
  return present<StrengthRules>({
    algorithms: optional(strength.algorithms, (value) =>
      checkList(value, "algorithms", oneOf(algorithms, "algorithms")),
    ),
    ...Object.fromEntries(
      STRENGTH_NUMBERS.map((name) => [
        name,
        optional(strength[name], (value) => checkWhole(value, name, 1, 0xffff_ffff)),
      ]),
    ),
  });
}

/**
 * A copy of a policy in its one form.
 *
 * @throws {KeyloomError} `POLICY_INVALID` for unknown fields, names and numbers out of bounds, rules of one name, and
 * approvals required for what can't be approved
 */
export function checkPolicy(policy: Policy, vocabulary: Vocabulary): Policy {
  requireObject(policy, "a policy", ["name", "rules", "strength"]);
  const name = checkGovernanceName(policy.name, "a policy's name");
  if (name === OWNER_POLICY) throw invalid(`${OWNER_POLICY} is the name of the built-in policy`);
  if (!Array.isArray(policy.rules)) throw new TypeError("rules must be an array");
  if (policy.rules.length > MAX_RULES) throw invalid(`a policy has at most ${MAX_RULES} rules`);
  const rules = (policy.rules as readonly PolicyRule[]).map((rule) => checkRule(rule, vocabulary));
  if (new Set(rules.map((rule) => rule.name)).size !== rules.length) {
    throw invalid("two rules have the same name");
  }
  return present<Policy>({
    name,
    rules,
    strength: optional(policy.strength, (value) => checkStrength(value, vocabulary)),
  });
}
