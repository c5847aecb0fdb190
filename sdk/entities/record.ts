/** Entities: who can act, own keys and approve. At `entity/<id>`. */
import { equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import { PUBLIC_KEY_LENGTH } from "../crypto/algorithms.js";
import type { Records, UnsealedRecord } from "../crypto/records.js";
import { MAX_NAMED } from "../policy/check.js";
import type { Entry, StorageAdapter } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges } from "../storage/keyspace.js";

/** Codes never change their meaning. */
export const ENTITY_KINDS = { owner: 1, registered: 2 } as const;
/** The role of the store's owner, and of nobody else. */
export const OWNER_ROLE = "owner";

export interface Entity {
  id: Id;
  name: string;
  /** What policies call it. */
  roles: readonly string[];
  /** Ed25519 (RFC 8032): what its approvals are verified with. */
  publicKey?: Uint8Array | undefined;
  registered: number;
  /** From then on it may nothing, and its approvals count no more. */
  revoked?: number | undefined;
}

const FIELD = { name: 1, kind: 2, registered: 3, roles: 4, publicKey: 5, revoked: 6 } as const;

const isOwner = ({ roles }: Pick<Entity, "roles">): boolean => roles.includes(OWNER_ROLE);

export function encodeEntity(entity: Entity): Uint8Array {
  const owner = isOwner(entity);
  return encodeCbor(
    cborMap(
      [FIELD.name, entity.name],
      [FIELD.kind, owner ? ENTITY_KINDS.owner : ENTITY_KINDS.registered],
      [FIELD.registered, entity.registered],
      [FIELD.roles, owner ? undefined : [...entity.roles]],
      [FIELD.publicKey, entity.publicKey],
      [FIELD.revoked, entity.revoked],
    ),
  );
}

/** @throws {KeyloomError} `CBOR_INVALID`, `STORE_DAMAGED` */
export function decodeEntity(id: Id, body: Uint8Array): Entity {
  const reader = CborReader.decode(body, "an entity record");
  const kind = reader.uint(FIELD.kind, 255);
  const entity: Entity = {
    id,
    name: reader.text(FIELD.name, 128),
    roles: kind === ENTITY_KINDS.owner ? [OWNER_ROLE] : reader.texts(FIELD.roles, MAX_NAMED, 64),
    registered: reader.uint(FIELD.registered, MAX_TIME),
  };
  if (reader.has(FIELD.publicKey)) entity.publicKey = reader.bytes(FIELD.publicKey, PUBLIC_KEY_LENGTH);
  if (reader.has(FIELD.revoked)) entity.revoked = reader.uint(FIELD.revoked, MAX_TIME);
  // Another kind, a second owner, a field that nobody wrote: not what the encoder gives.
  if (equalBytes(encodeEntity(entity), body)) return entity;
  throw new KeyloomError("STORE_DAMAGED", { message: "an entity record does not say what an entity is" });
}

export interface StoredEntity {
  entity: Entity;
  revision: number;
  /** What a change checks. */
  storageVersion: string;
}

export function entityRecord(entity: Entity, revision: number): UnsealedRecord {
  return { storageKey: keyspace.entity(entity.id), revision, body: encodeEntity(entity) };
}

function openEntities(records: Records, entries: readonly Entry[]): StoredEntity[] {
  const opened = records.open(entries);
  return entries.map(({ key, version }, i) => ({
    entity: decodeEntity(idOfKey(key), opened[i]!.body),
    revision: opened[i]!.revision,
    storageVersion: version,
  }));
}

/** Entities from one snapshot, in the order of the ids; `null` where there is none. */
export async function readEntities(
  storage: StorageAdapter,
  records: Records,
  ids: readonly Id[],
): Promise<(StoredEntity | null)[]> {
  if (ids.length === 0) return [];
  const entries = await storage.getMany(ids.map((id) => keyspace.entity(id)));
  const found = openEntities(
    records,
    entries.filter((entry) => entry !== null),
  ).values();
  return entries.map((entry) => (entry === null ? null : found.next().value!));
}

/** Every entity, oldest first. */
export async function listEntities(storage: StorageAdapter, records: Records): Promise<StoredEntity[]> {
  const entries: Entry[] = [];
  for await (const entry of storage.list(ranges.entities())) entries.push(entry);
  return openEntities(records, entries);
}
