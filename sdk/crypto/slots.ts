/** The vault's slots: when none is free, one is made free. */
import { isKeyloomError } from "../foundation/errors.js";
import type { Handle, Vault } from "./core.js";

/** The calls that give a key a slot. A call whose result is its caller's choice gives none. */
type TakesSlot = {
  [Method in keyof Vault]: Vault[Method] extends (...args: never[]) => infer Result
    ? unknown extends Result
      ? never
      : Result extends Handle
        ? Method
        : never
    : never;
}[keyof Vault];

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
  const takeSlots: Pick<Vault, TakesSlot> = {
    generate: retrying(vault.generate),
    import: retrying(vault.import),
    deriveFromPassword: retrying(vault.deriveFromPassword),
    deriveFromPasswordArgon2id: retrying(vault.deriveFromPasswordArgon2id),
    deriveFromPasswordScrypt: retrying(vault.deriveFromPasswordScrypt),
    unwrap: retrying(vault.unwrap),
    derive: retrying(vault.derive),
    agree: retrying(vault.agree),
    openFrom: retrying(vault.openFrom),
    ageUnwrapFileKey: retrying(vault.ageUnwrapFileKey),
    ageScryptUnwrap: retrying(vault.ageScryptUnwrap),
    ageX25519Unwrap: retrying(vault.ageX25519Unwrap),
    agePayloadKey: retrying(vault.agePayloadKey),
  };
  return { ...vault, ...takeSlots };
}
