/**
 * Cryptoperiods to choose from (SP 800-57 part 1 §5.3.6): how long a version protects, and how much longer it stays
 * active for processing. Years, from its activation.
 */
import type { VersionDates } from "./transition.js";

export const CRYPTOPERIODS = {
  data: {
    protect: 2,
    process: 3,
    about: "symmetric data keys: at most 2 years, and 3 more to read what they made",
  },
  wrapping: { protect: 2, process: 3, about: "key-wrapping keys: as data keys" },
  signature: {
    protect: 2,
    process: 0,
    about: "private signature keys: 1 to 3 years; verifying goes on after it",
  },
  master: { protect: 1, process: 0, about: "master keys: about a year" },
} as const satisfies Record<string, { protect: number; process: number; about: string }>;

export type Cryptoperiod = keyof typeof CRYPTOPERIODS;
export const CRYPTOPERIOD_NAMES = Object.keys(CRYPTOPERIODS) as readonly Cryptoperiod[];

/** The same moment so many years later; of February 29th, where there is none, March 1st. */
function yearsAfter(time: number, years: number): number {
  const date = new Date(time);
  return date.setUTCFullYear(date.getUTCFullYear() + years);
}

/** Protect-stop and deactivation of a version that becomes active at `activation`. */
export function cryptoperiodDates(
  period: Cryptoperiod,
  activation: number,
): Pick<VersionDates, "protectStop" | "deactivation"> {
  const { protect, process } = CRYPTOPERIODS[period];
  return {
    protectStop: yearsAfter(activation, protect),
    deactivation: yearsAfter(activation, protect + process),
  };
}
