/** What the policy in force demands of a version that is made, activated or given other dates. */
import { KeyloomError } from "../foundation/errors.js";
import { algorithmOfId } from "../crypto/algorithms.js";
import type { VersionDates } from "../lifecycle/transition.js";
import type { StrengthRules } from "../policy/model.js";
import { versionWeaknesses } from "../policy/strength.js";
import type { StoreContext } from "./execute.js";

/**
 * @param only - the rules that this command can break. Default: all.
 * @throws {KeyloomError} `POLICY_TOO_WEAK` with the rules
 */
export function requireStrong(
  { authority }: StoreContext,
  algorithm: number,
  { activation, protectStop, deactivation }: VersionDates,
  only?: keyof StrengthRules,
): void {
  const rules = authority.policy?.policy.strength;
  if (rules === undefined) return;
  const version = { algorithm: algorithmOfId(algorithm) ?? "", activation, protectStop, deactivation };
  const found = versionWeaknesses(rules, version).filter(({ rule }) => only === undefined || rule === only);
  if (found.length === 0) return;
  throw new KeyloomError("POLICY_TOO_WEAK", {
    message: `the policy's strength rules do not permit it: ${found.map(({ message }) => message).join("; ")}`,
    rules: found.map(({ rule }) => rule),
  });
}
