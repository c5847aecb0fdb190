/** Entities: who can act and own keys. At `entity/<id>`. */
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";

/** Codes never change their meaning. */
export const ENTITY_ROLES = { owner: 1 } as const;
export type EntityRole = keyof typeof ENTITY_ROLES;

export interface Entity {
  id: Id;
  name: string;
  role: EntityRole;
  registered: number;
}

const FIELD = { name: 1, role: 2, registered: 3 } as const;

export function encodeEntity(entity: Entity): Uint8Array {
  return encodeCbor(
    cborMap(
      [FIELD.name, entity.name],
      [FIELD.role, ENTITY_ROLES[entity.role]],
      [FIELD.registered, entity.registered],
    ),
  );
}

export function decodeEntity(id: Id, body: Uint8Array): Entity {
  const reader = CborReader.decode(body, "an entity record");
  if (reader.uint(FIELD.role, 255) !== ENTITY_ROLES.owner) {
    throw new KeyloomError("STORE_DAMAGED", { message: "an entity record has an unknown role" });
  }
  return {
    id,
    name: reader.text(FIELD.name, 128),
    role: "owner",
    registered: reader.uint(FIELD.registered, MAX_TIME),
  };
}
