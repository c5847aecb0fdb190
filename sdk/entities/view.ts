/** Entities as the public API shows them. */
import { idToString } from "../foundation/ids.js";
import type { Entity } from "./record.js";

export interface EntityInfo {
  /** A UUID. */
  id: string;
  name: string;
  roles: readonly string[];
  /** Ed25519, 32 bytes: what its approvals are verified with. */
  publicKey?: Uint8Array;
  registered: Date;
  /** From then on it may nothing. */
  revoked?: Date;
}

export function viewOfEntity({ id, name, roles, publicKey, registered, revoked }: Entity): EntityInfo {
  return {
    id: idToString(id),
    name,
    roles: [...roles],
    ...(publicKey === undefined ? {} : { publicKey: publicKey.slice() }),
    registered: new Date(registered),
    ...(revoked === undefined ? {} : { revoked: new Date(revoked) }),
  };
}
