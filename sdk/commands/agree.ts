/** Agreeing on keys: what two holders of X25519 pairs come to becomes a managed key, and is nowhere else. */
import { requireBytes } from "../foundation/bytes.js";
import { KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import { PUBLIC_KEY_LENGTH } from "../crypto/algorithms.js";
import type { StoredKey } from "../keys/reads.js";
import { protectingVersion, requireUsable, requireVersion } from "../keys/use.js";
import { keyspace } from "../storage/keyspace.js";
import { readForChange } from "./change-state.js";
import { createKey, type CheckedOptions, type CreateOptions } from "./create.js";
import { authorize, commandTime, usePolicy, type StoreContext } from "./execute.js";

export interface AgreeOptions extends CreateOptions {
  /** What the key is for and between whom, at most 1024 bytes: both sides give the same. Default: none. */
  info?: Uint8Array | undefined;
  /** The version of the pair. Default: the current one. */
  version?: number | undefined;
}

const MAX_INFO = 1024;
/** What agreeing counts as, in bytes: the key that it makes. */
const AGREED_BYTES = 32;

/** @throws {KeyloomError} `KEY_INVALID_OPTION` */
export function checkAgreement(theirPublicKey: Uint8Array, { info }: AgreeOptions): Uint8Array {
  requireBytes(theirPublicKey, "theirPublicKey");
  if (theirPublicKey.length !== PUBLIC_KEY_LENGTH) {
    throw new KeyloomError("KEY_INVALID_OPTION", { message: `a public key has ${PUBLIC_KEY_LENGTH} bytes` });
  }
  const context = info ?? new Uint8Array(0);
  requireBytes(context, "info");
  if (context.length > MAX_INFO) {
    throw new KeyloomError("KEY_INVALID_OPTION", { message: `info has at most ${MAX_INFO} bytes` });
  }
  return context;
}

/**
 * Agrees on a new key with the holder of `theirPublicKey`. It has no usage and no exportability that the pair hasn't, and it
 * is exposed where the pair is. The commit that makes it checks that nothing has happened to the pair meanwhile.
 *
 * @param info - checked
 * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_NOT_USABLE`, `KEY_DESTROYED`; `KEY_USAGE_CONFLICT` for what the pair doesn't
 * hand down; `CORE_WEAK_PUBLIC_KEY`; as `createKey`
 */
export async function agree(
  context: StoreContext,
  reference: string,
  theirPublicKey: Uint8Array,
  info: Uint8Array,
  options: CheckedOptions,
  kek: Id,
  version: number | undefined,
): Promise<StoredKey> {
  return createKey(context, options, kek, {
    operation: "agree",
    async begin() {
      const pair = await readForChange(context, reference);
      const { record } = pair;
      const time = commandTime(context, record.time);
      const row = version === undefined ? protectingVersion(record, time) : requireVersion(record, version);
      const decision = authorize(context, "agree", record, row.version);
      requireUsable(record, row, "agree", time, usePolicy(decision));
      requireHandedDown(pair, options);
      const need = { operations: 1, bytes: AGREED_BYTES };
      await context.usage.spend(context, pair, row.version, "agree", need);
      return {
        make: (template) =>
          context.ring.use(pair, row.version, (handle) =>
            context.vault.agree(handle, theirPublicKey, template, info),
          ),
        exposed: row.exposed,
        checks: [{ key: keyspace.key(record.id), version: pair.storageVersion }],
        subjects: [{ key: record.id, version: row.version }],
      };
    },
  });
}

function requireHandedDown({ record }: StoredKey, { usages, exportable }: CheckedOptions): void {
  if ((usages & ~record.usages) === 0 && (record.exportable || !exportable)) return;
  throw new KeyloomError("KEY_USAGE_CONFLICT", {
    message: "a key that is agreed upon has no usage, and no exportability, that the pair hasn't",
    keyId: idToString(record.id),
  });
}
