/** Managed X25519 pairs as age has them: the public half is a recipient, the private half an identity. */
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { ALGORITHM, type Handle } from "../crypto/core.js";
import type { KeyRecord } from "../keys/record.js";
import { requireUsable } from "../keys/use.js";
import { authorize, commandTime, usePolicy, type StoreContext } from "../commands/execute.js";
import type { Stanza } from "./age/header.js";
import { parseX25519Stanza, unwrapX25519Stanza, type X25519Stanza } from "./age/x25519.js";

export function isIdentity({ algorithm }: KeyRecord): boolean {
  return algorithm === ALGORITHM.X25519;
}

/**
 * The file key in the X25519 stanzas of a file that was encrypted to a version of the pair, whichever it is: newest first.
 *
 * @throws {KeyloomError} `MESSAGE_NO_MATCH`; `KEY_NOT_USABLE` and `KEY_DESTROYED` where a version could not be tried
 */
export async function unwrapWithIdentity(
  context: StoreContext,
  reference: string,
  stanzas: readonly Stanza[],
): Promise<Handle> {
  const parsed = stanzas.map(parseX25519Stanza).filter((stanza) => stanza !== null);
  const stored = await context.ring.require(reference);
  const { record } = stored;
  const time = commandTime(context, record.time);
  let refusal: KeyloomError | undefined;
  for (const row of [...record.versions].reverse()) {
    const decision = authorize(context, "decrypt", record, row.version);
    try {
      // Opening what was sent to a pair is as old as the pair: a deactivated one may still do it.
      requireUsable(record, row, "agree", time, usePolicy(decision), { kind: "open" });
    } catch (error) {
      if (!isKeyloomError(error)) throw error;
      refusal ??= error;
      continue;
    }
    const { version } = row;
    const fileKey = await context.ring.use(stored, version, (pair) => firstOpened(context, pair, parsed));
    if (fileKey === null) continue;
    await context.uses.record(context, record, version, "decrypt", decision);
    return fileKey;
  }
  throw (
    refusal ??
    new KeyloomError("MESSAGE_NO_MATCH", { message: "the file is not encrypted to any version of this pair" })
  );
}

function firstOpened({ vault }: StoreContext, pair: Handle, stanzas: readonly X25519Stanza[]): Handle | null {
  for (const stanza of stanzas) {
    const fileKey = unwrapX25519Stanza(vault, pair, stanza);
    if (fileKey !== null) return fileKey;
  }
  return null;
}
