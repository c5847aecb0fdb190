/** Usage limits of a version (KMIP 2.1 §4.59): how often, and over how many bytes, it may protect. Pure. */

/** An absent limit is none. */
export interface UsageLimits {
  operations?: number | undefined;
  bytes?: number | undefined;
}

/** What protecting has used up, or is about to. */
export interface Usage {
  operations: number;
  bytes: number;
}

export const NO_USAGE: Usage = { operations: 0, bytes: 0 };

/** How much is taken in stock at most, so that not every use writes. */
const MOST: Usage = { operations: 1024, bytes: 64 * 1024 * 1024 };
/** Of what is left at most such a part, so that several writers get their share. */
const SHARE = 16;

/**
 * What to reserve for a use that needs `need`: that, and some stock.
 *
 * @param spent - what has been reserved by anybody so far
 * @returns `null` where the limits don't allow it
 */
export function reservation(limits: UsageLimits, spent: Usage, need: Usage): Usage | null {
  const amounts = { ...NO_USAGE };
  for (const what of ["operations", "bytes"] as const) {
    const limit = limits[what];
    if (limit === undefined) continue;
    const left = limit - spent[what];
    if (need[what] > left) return null;
    amounts[what] = Math.max(need[what], Math.min(MOST[what], Math.floor(left / SHARE)));
  }
  return amounts;
}
