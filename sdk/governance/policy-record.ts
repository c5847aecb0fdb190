/**
 * Stored policies: one record for each version, at `policy/<version>`, none of which ever changes. The newest one is in
 * force, so a commit that checks the next version absent was decided by the policy in force.
 */
import { equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor, type CborMap } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { ALGORITHMS } from "../crypto/algorithms.js";
import type { Records, UnsealedRecord } from "../crypto/records.js";
import { STATE_NAMES, STATES, stateOfCode, type State } from "../lifecycle/states.js";
import { checkPolicy, MAX_NAMED, MAX_RULES, STRENGTH_NUMBERS, type Vocabulary } from "../policy/check.js";
import {
  EFFECTS,
  GRANTS,
  type Effect,
  type Grant,
  type Operation,
  type Policy,
  type PolicyRule,
  type StrengthRules,
  type TimeWindow,
} from "../policy/model.js";
import type { StorageAdapter } from "../storage/adapter.js";
import { keyspace, ranges, versionOfPolicyKey } from "../storage/keyspace.js";

export interface StoredPolicy {
  /** From 1. */
  version: number;
  policy: Policy;
  /** When it was set, and by whom. */
  time: number;
  by: Id;
}

export const VOCABULARY: Vocabulary = { states: STATE_NAMES, algorithms: Object.keys(ALGORITHMS) };

const FIELD = { name: 1, time: 2, by: 3, rules: 4, strength: 5 } as const;
const RULE = {
  name: 1,
  effect: 2,
  operations: 3,
  roles: 4,
  tags: 5,
  algorithms: 6,
  states: 7,
  own: 8,
  from: 9,
  until: 10,
  days: 11,
  hours: 12,
  grants: 13,
  approvals: 14,
  approvers: 15,
} as const;
const STRENGTH = {
  algorithms: 1,
  maxCryptoperiodDays: 2,
  minPbkdf2Iterations: 3,
  minArgon2idMemoryKiB: 4,
  minArgon2idPasses: 5,
} as const;

function encodeRule(rule: PolicyRule): CborMap {
  const { window, operations, roles, tags, algorithms, states, grants, approvers } = rule;
  return cborMap(
    [RULE.name, rule.name],
    [RULE.effect, EFFECTS[rule.effect]],
    [RULE.operations, operations && [...operations]],
    [RULE.roles, roles && [...roles]],
    [RULE.tags, tags && [...tags]],
    [RULE.algorithms, algorithms && [...algorithms]],
    [RULE.states, states?.map((state) => STATES[state as State])],
    [RULE.own, rule.own],
    [RULE.from, window?.from?.getTime()],
    [RULE.until, window?.until?.getTime()],
    [RULE.days, window?.days && [...window.days]],
    [RULE.hours, window?.hours && [...window.hours]],
    [RULE.grants, grants?.reduce((mask, grant) => mask | GRANTS[grant], 0)],
    [RULE.approvals, rule.approvals],
    [RULE.approvers, approvers && [...approvers]],
  );
}

/** The part that says what the policy is: what a proposal to set it shows. */
export function policyMap({ name, rules, strength }: Policy): CborMap {
  return cborMap(
    [FIELD.name, name],
    [FIELD.rules, rules.map(encodeRule)],
    [
      FIELD.strength,
      strength &&
        cborMap(
          [STRENGTH.algorithms, strength.algorithms && [...strength.algorithms]],
          ...STRENGTH_NUMBERS.map((field) => [STRENGTH[field], strength[field]] as const),
        ),
    ],
  );
}

function encodePolicy({ policy, time, by }: StoredPolicy): Uint8Array {
  const map = policyMap(policy);
  map.set(FIELD.time, time).set(FIELD.by, by);
  return encodeCbor(map);
}

export function policyRecord(stored: StoredPolicy): UnsealedRecord {
  return { storageKey: keyspace.policy(stored.version), revision: 1, body: encodePolicy(stored) };
}

const texts = (reader: CborReader, field: number): string[] | undefined =>
  reader.has(field) ? reader.texts(field, MAX_NAMED, 128) : undefined;

function nameOf<T extends string>(table: Readonly<Record<T, number>>, code: number): T {
  // A name that no table has is refused by the check.
  return (Object.keys(table) as T[]).find((name) => table[name] === code) ?? (`unknown (${code})` as T);
}

function decodeWindow(reader: CborReader): TimeWindow | undefined {
  const window: TimeWindow = {};
  const date = (field: number): Date => new Date(reader.uint(field, MAX_TIME));
  if (reader.has(RULE.from)) window.from = date(RULE.from);
  if (reader.has(RULE.until)) window.until = date(RULE.until);
  if (reader.has(RULE.days)) window.days = reader.uints(RULE.days, 7);
  if (reader.has(RULE.hours)) window.hours = reader.uints(RULE.hours, 2) as [number, number];
  return Object.keys(window).length === 0 ? undefined : window;
}

function decodeRule(reader: CborReader): PolicyRule {
  const mask = reader.optionalUint(RULE.grants, 255);
  return {
    name: reader.text(RULE.name, 64),
    effect: nameOf<Effect>(EFFECTS, reader.uint(RULE.effect, 255)),
    operations: texts(reader, RULE.operations) as Operation[] | undefined,
    roles: texts(reader, RULE.roles),
    tags: texts(reader, RULE.tags),
    algorithms: texts(reader, RULE.algorithms),
    states: reader.has(RULE.states)
      ? reader.uints(RULE.states, MAX_NAMED).map((code) => stateOfCode(code) ?? `unknown (${code})`)
      : undefined,
    own: reader.has(RULE.own) ? (reader.bool(RULE.own) as true) : undefined,
    window: decodeWindow(reader),
    grants:
      mask === undefined
        ? undefined
        : (Object.keys(GRANTS) as Grant[]).filter((grant) => (mask & GRANTS[grant]) !== 0),
    approvals: reader.optionalUint(RULE.approvals, 255),
    approvers: texts(reader, RULE.approvers),
  };
}

function decodeStrength(reader: CborReader): StrengthRules {
  return {
    algorithms: texts(reader, STRENGTH.algorithms),
    ...Object.fromEntries(
      STRENGTH_NUMBERS.map((field) => [field, reader.optionalUint(STRENGTH[field], 0xffff_ffff)]),
    ),
  };
}

/** The policy in the fields of `policyMap`. @throws {KeyloomError} `STORE_NEWER_FORMAT` for what this version does not know */
export function readPolicyMap(reader: CborReader): Policy {
  const policy: Policy = {
    name: reader.text(FIELD.name, 64),
    rules: reader.readers(FIELD.rules, MAX_RULES).map(decodeRule),
    strength: reader.has(FIELD.strength) ? decodeStrength(reader.reader(FIELD.strength)) : undefined,
  };
  try {
    return checkPolicy(policy, VOCABULARY);
  } catch (cause) {
    if (!isKeyloomError(cause, "POLICY_INVALID")) throw cause;
    throw new KeyloomError("STORE_NEWER_FORMAT", {
      message: "a policy has rules that this version does not know: nothing is decided by it",
      cause,
    });
  }
}

/** @throws {KeyloomError} `STORE_NEWER_FORMAT`, `STORE_DAMAGED`, `CBOR_INVALID` */
export function decodePolicy(version: number, body: Uint8Array): StoredPolicy {
  const reader = CborReader.decode(body, "a policy record");
  const stored: StoredPolicy = {
    version,
    policy: readPolicyMap(reader),
    time: reader.uint(FIELD.time, MAX_TIME),
    by: reader.bytes(FIELD.by, ID_LENGTH),
  };
  // What a later version has added to rules must not be overlooked.
  if (equalBytes(encodePolicy(stored), body)) return stored;
  throw new KeyloomError("STORE_DAMAGED", { message: "a policy record has fields that nobody knows" });
}

/** Policies, newest first. The first one is in force; none: the built-in policy is. */
export async function readPolicies(
  storage: StorageAdapter,
  records: Records,
  limit: number,
): Promise<StoredPolicy[]> {
  const found: StoredPolicy[] = [];
  for await (const entry of storage.list(ranges.policies(), { reverse: true, limit })) {
    found.push(decodePolicy(versionOfPolicyKey(entry.key), records.open([entry])[0]!.body));
  }
  return found;
}
