/** What age's native stanzas have in common. */
import { KeyloomError } from "../../foundation/errors.js";

/** The file key and its tag. Checked before a key is tried: a body of free length would let it fit several. */
export const NATIVE_BODY_LENGTH = 32;

export function malformedStanza(type: string, what: string): KeyloomError {
  return new KeyloomError("MESSAGE_MALFORMED", { message: `a ${type} stanza ${what}` });
}
