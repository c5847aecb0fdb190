/** What a policy's strength rules say of a key version or of the key derivation of a root slot. Pure. */
import { DAY } from "../foundation/clock.js";
import type { StrengthRules } from "./model.js";

export interface Weakness {
  rule: keyof StrengthRules;
  message: string;
}

export interface VersionStrength {
  algorithm: string;
  /** Milliseconds. Before it is known there is no cryptoperiod. */
  activation?: number | undefined;
  protectStop?: number | undefined;
  deactivation?: number | undefined;
}

export function versionWeaknesses(rules: StrengthRules, version: VersionStrength): Weakness[] {
  const found: Weakness[] = [];
  const { algorithms, maxCryptoperiodDays } = rules;
  const { algorithm, activation } = version;
  if (algorithms !== undefined && !algorithms.includes(algorithm)) {
    found.push({ rule: "algorithms", message: `${algorithm} is not among ${algorithms.join(", ")}` });
  }
  if (maxCryptoperiodDays !== undefined && activation !== undefined) {
    const end = Math.min(version.protectStop ?? Infinity, version.deactivation ?? Infinity);
    if (end - activation > maxCryptoperiodDays * DAY) {
      const days = end === Infinity ? "without end" : `${Math.ceil((end - activation) / DAY)} days long`;
      found.push({
        rule: "maxCryptoperiodDays",
        message: `its cryptoperiod is ${days}, at most ${maxCryptoperiodDays} days are allowed`,
      });
    }
  }
  return found;
}

/** A key derivation as root slots name it. */
export interface KdfStrength {
  name: string;
  iterations?: number | undefined;
  memoryKiB?: number | undefined;
  passes?: number | undefined;
}

const KDF_RULES = [
  ["PBKDF2-HMAC-SHA256", "minPbkdf2Iterations", "iterations"],
  ["Argon2id", "minArgon2idMemoryKiB", "memoryKiB"],
  ["Argon2id", "minArgon2idPasses", "passes"],
] as const;

export function kdfWeaknesses(rules: StrengthRules, kdf: KdfStrength): Weakness[] {
  const found: Weakness[] = [];
  for (const [name, rule, parameter] of KDF_RULES) {
    const [least, actual] = [rules[rule], kdf[parameter]];
    if (kdf.name !== name || least === undefined || actual === undefined || actual >= least) continue;
    found.push({ rule, message: `${name} with ${parameter} ${actual}, at least ${least} are demanded` });
  }
  return found;
}
