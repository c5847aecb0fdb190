/** The vault's slots: when none is free, one is made free. */
import { isKeyloomError } from "../foundation/errors.js";
import type { Handle, Vault } from "./core.js";

/**
 * A vault whose calls that need a slot ask for one where there is none, and are then made once more.
 *
 * @param evict - wipes a key that can be unwrapped again and is not in use. `false`: there is none
 */
export function evicting(vault: Vault, evict: () => boolean): Vault {
  const retrying =
    <A extends unknown[]>(call: (...args: A) => Handle) =>
    (...args: A): Handle => {
      try {
        return call(...args);
      } catch (error) {
        if (!isKeyloomError(error, "CORE_SLOTS_EXHAUSTED") || !evict()) throw error;
        return call(...args);
      }
    };
  return {
    ...vault,
    generate: retrying(vault.generate),
    import: retrying(vault.import),
    deriveFromPassword: retrying(vault.deriveFromPassword),
    deriveFromPasswordArgon2id: retrying(vault.deriveFromPasswordArgon2id),
    deriveFromPasswordScrypt: retrying(vault.deriveFromPasswordScrypt),
    unwrap: retrying(vault.unwrap),
    derive: retrying(vault.derive),
    agree: retrying(vault.agree),
    ageUnwrapFileKey: retrying(vault.ageUnwrapFileKey),
    agePayloadKey: retrying(vault.agePayloadKey),
  };
}
