/** Policies at random: whatever may be stored as one. */
import type fastCheck from "fast-check";
import { ALGORITHMS } from "../crypto/algorithms.js";
import { STATE_NAMES } from "../index.js";
import {
  GRANTS,
  OPERATION_NAMES,
  OPERATIONS,
  type Grant,
  type Operation,
  type Policy,
  type PolicyRule,
  type TimeWindow,
} from "../policy/model.js";

type Arbitrary<T> = fastCheck.Arbitrary<T>;

export interface PolicyNames {
  /** Roles that rules may name. Default: three. */
  roles?: readonly string[] | undefined;
  /** And tags. Default: three. */
  tags?: readonly string[] | undefined;
}

const APPROVABLE = OPERATION_NAMES.filter((operation) => "approvals" in OPERATIONS[operation]);

export function policyArbitrary(
  fc: typeof fastCheck,
  { roles = ["auditor", "operator", "service"], tags = ["backup", "customer", "internal"] }: PolicyNames = {},
): Arbitrary<Policy> {
  const some = <T>(of: readonly T[]): Arbitrary<T[]> => fc.subarray([...of], { minLength: 1 });
  const hour = fc.nat(24);
  const window: Arbitrary<TimeWindow> = fc
    .record(
      {
        from: fc.date({ min: new Date(0), max: new Date("2040-01-01"), noInvalidDate: true }),
        until: fc.date({ min: new Date("2040-01-02"), max: new Date("2090-01-01"), noInvalidDate: true }),
        days: some([1, 2, 3, 4, 5, 6, 7]),
        hours: fc.tuple(hour, hour).filter(([first, last]) => first !== last),
      },
      { requiredKeys: [] },
    )
    .filter((given) => Object.keys(given).length > 0);
  /** What rules of every effect may say. */
  const about = {
    roles: some(roles),
    tags: some(tags),
    algorithms: some(Object.keys(ALGORITHMS)),
    states: some(STATE_NAMES),
    own: fc.constant(true as const),
    window,
  };
  const operations = some<Operation>(OPERATION_NAMES);
  const grants = some(Object.keys(GRANTS) as Grant[]);
  type Nameless = Omit<PolicyRule, "name">;
  const rule = fc.oneof<{ weight: number; arbitrary: Arbitrary<Nameless> }[]>(
    {
      weight: 3,
      arbitrary: fc.record(
        { effect: fc.constant("allow" as const), operations, grants, ...about },
        { requiredKeys: ["effect"] },
      ),
    },
    {
      weight: 1,
      arbitrary: fc.record(
        { effect: fc.constant("forbid" as const), operations, ...about },
        { requiredKeys: ["effect"] },
      ),
    },
    {
      weight: 1,
      arbitrary: fc.record(
        {
          effect: fc.constant("require" as const),
          operations: some<Operation>(APPROVABLE),
          approvals: fc.integer({ min: 1, max: 3 }),
          approvers: some(roles),
          ...about,
        },
        { requiredKeys: ["effect", "operations", "approvals"] },
      ),
    },
  );
  const number = fc.integer({ min: 1, max: 5000 });
  const strength = fc.record(
    {
      algorithms: some(Object.keys(ALGORITHMS)),
      maxCryptoperiodDays: number,
      minPbkdf2Iterations: number,
      minArgon2idMemoryKiB: number,
      minArgon2idPasses: number,
    },
    { requiredKeys: [] },
  );
  return fc
    .record({ rules: fc.array(rule, { maxLength: 6 }), strength }, { requiredKeys: ["rules"] })
    .map(({ rules, ...rest }) => ({
      name: "generated",
      rules: rules.map((each, i) => ({ ...each, name: `rule-${i + 1}` })),
      ...rest,
    }));
}
