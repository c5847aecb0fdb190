/** Looking a key up for its use, and deciding about it. */
import { isKeyloomError, type ErrorCode } from "../foundation/errors.js";
import type { StoredKey } from "../keys/reads.js";
import type { StoreContext } from "./execute.js";

/** What a key that was read a moment ago may still refuse, although it has been rotated, resumed or recovered since. */
const REFUSALS: readonly ErrorCode[] = [
  "KEY_DESTROYED",
  "KEY_NOT_USABLE",
  "KEY_VERSION_NOT_FOUND",
  "SIGNATURE_INVALID",
];

/**
 * Looks a key up and decides about its use. A cached record permits for as long as it is fresh, but what it refuses is
 * decided anew on the one in the store: another process may use a new version at once.
 *
 * @throws {KeyloomError} `KEY_NOT_FOUND`
 */
export async function decide<T>(
  { ring }: StoreContext,
  reference: string,
  on: (stored: StoredKey) => T | Promise<T>,
): Promise<{ stored: StoredKey; decided: T }> {
  const cached = ring.cached(reference);
  if (cached !== undefined) {
    try {
      return { stored: cached, decided: await on(cached) };
    } catch (error) {
      if (!isKeyloomError(error) || !REFUSALS.includes(error.code)) throw error;
      ring.dropRecord(cached.record.id);
    }
  }
  const stored = await ring.require(reference);
  return { stored, decided: await on(stored) };
}
