/**
 * From a storage adapter and a secret to an authenticated store, in this order: header (not believed yet) → slot
 * table → root key → MAC key (authenticated by its AEAD) → the MACs of header, slots, epoch and mark.
 */
import { equalBytes } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor } from "../foundation/cbor.js";
import { MAX_TIME, type Clock } from "../foundation/clock.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { randomBytes, type RandomSource } from "../foundation/random.js";
import { ALGORITHM, USAGE, type Core, type Handle, type Vault } from "../crypto/core.js";
import {
  encodeMaterialAttributes,
  MAC_ID,
  materialBody,
  ROOT_ID,
  splitMaterial,
} from "../crypto/material.js";
import {
  openRecords,
  parseRecord,
  recordPrefix,
  recordsOf,
  sealRecords,
  type Records,
  type UnsealedRecord,
} from "../crypto/records.js";
import { decodeMark, epochRecord, gateRecord, markRecord } from "../keys/store-records.js";
import { entityRecord, OWNER_ROLE } from "../entities/record.js";
import { evaluateOwner } from "../policy/evaluate.js";
import type { Principal } from "../policy/model.js";
import { Committer } from "../commands/committer.js";
import { initStore, replaceSlotTable, type UpkeepEvent } from "../commands/upkeep.js";
import type { Entry, Mutation, StorageAdapter } from "../storage/adapter.js";
import { keyspace, ranges } from "../storage/keyspace.js";
import { SALT_LENGTH, type PassphraseKdf, type SlotKdf } from "./kdfs.js";
import type { UnlockMethod } from "./methods.js";
import {
  decodeSlotTable,
  encodeSlotTable,
  makeSlot,
  openSlot,
  ROOT_USAGES,
  slotMatches,
  type RootSlot,
  type SlotTable,
} from "./slots.js";

/** The format of the store as a whole. A newer one is refused before anything else is read. */
export const STORE_FORMAT = 1;
const FIRST_ROOT_VERSION = 1;
const MAC_USAGES = USAGE.MAC_GENERATE | USAGE.MAC_VERIFY;

export interface OpenParts {
  storage: StorageAdapter;
  core: Core;
  clock: Clock;
  random: RandomSource;
  newId: () => Id;
  unlock: UnlockMethod;
  /** Initialise an empty store? `"new"`: and accept no other. */
  create: boolean | "new";
}

export interface OpenedStore {
  storeId: Id;
  owner: Id;
  root: { handle: Handle; version: number };
  records: Records;
  markTime: number;
  committer: Committer;
}

export interface Header {
  storeId: Id;
  owner: Id;
  created: number;
}

function encodeHeader(header: Header): Uint8Array {
  return encodeCbor(cborMap([1, STORE_FORMAT], [2, header.storeId], [3, header.owner], [4, header.created]));
}

function decodeHeader(body: Uint8Array): Header {
  const reader = CborReader.decode(body, "the store's header");
  const format = reader.uint(1);
  if (format > STORE_FORMAT) {
    throw new KeyloomError("STORE_NEWER_FORMAT", {
      message: `the store has format ${format}; this version reads up to ${STORE_FORMAT}`,
      format,
    });
  }
  return {
    storeId: reader.bytes(2, ID_LENGTH),
    owner: reader.bytes(3, ID_LENGTH),
    created: reader.uint(4, MAX_TIME),
  };
}

/**
 * Opens a store, or initialises it where the whole key space is empty.
 *
 * @throws {KeyloomError} `UNLOCK_FAILED`, `STORE_NOT_FOUND` (empty, and `create` is false), `STORE_DAMAGED`,
 * `STORE_NEWER_FORMAT`
 */
export async function openStore(parts: OpenParts): Promise<OpenedStore> {
  const header = await parts.storage.get(keyspace.header());
  if (header !== null) {
    if (parts.create !== "new") return openExisting(parts, header);
    throw new KeyloomError("STORE_EXISTS", { message: "there is a store here already" });
  }
  for await (const entry of parts.storage.list(ranges.everything(), { limit: 1, keysOnly: true })) {
    const half = (await parts.storage.get(keyspace.restoring())) !== null;
    throw new KeyloomError("STORE_DAMAGED", {
      message: half
        ? "the restore of a backup was not finished: restore the same backup again, which goes on from there"
        : "the store holds entries but no header: it is damaged, or is no Keyloom store",
      storageKey: entry.key,
    });
  }
  if (!parts.create) {
    throw new KeyloomError("STORE_NOT_FOUND", { message: "there is no store here; initialise one first" });
  }
  return initialise(parts);
}

/** Runs with the secret of the unlock method and wipes it afterwards. */
async function withSecret<T>(method: UnlockMethod, use: (secret: Uint8Array) => T | Promise<T>): Promise<T> {
  const secret = await method.secret();
  try {
    return await use(secret);
  } finally {
    secret.fill(0);
  }
}

function macKeyAttributes(rootVersion: number): Uint8Array {
  return encodeMaterialAttributes({
    algorithm: ALGORITHM.HMAC_SHA256,
    usages: MAC_USAGES,
    exportable: false,
    key: MAC_ID,
    version: 1,
    kek: ROOT_ID,
    kekVersion: rootVersion,
  });
}

const macKeyPath = (rootVersion: number): Uint8Array => keyspace.material(ROOT_ID, rootVersion, MAC_ID, 1);

async function initialise(parts: OpenParts): Promise<OpenedStore> {
  const { core, clock, newId, unlock } = parts;
  const { vault } = core;
  const time = clock.now();
  const header: Header = { storeId: newId(), owner: newId(), created: time };
  const version = FIRST_ROOT_VERSION;
  const root = vault.generate({
    algorithm: ALGORITHM.XCHACHA20_POLY1305,
    usages: ROOT_USAGES,
    exportable: false,
    id: ROOT_ID,
    version,
  });
  const macKey = vault.generate({
    algorithm: ALGORITHM.HMAC_SHA256,
    usages: MAC_USAGES,
    exportable: false,
    id: MAC_ID,
    version: 1,
  });
  const slot = await withSecret(unlock, (secret) =>
    makeSlot(
      vault,
      newId(),
      unlock.kind === "raw" ? { name: "raw" } : salted(parts.random, unlock.kdf),
      secret,
      root,
    ),
  );
  const records = recordsOf(vault, {
    handle: macKey,
    prefix: recordPrefix("keyloom record v1", header.storeId),
  });
  const table: SlotTable = { rootVersion: version, slots: [slot] };
  const sealedTable = sealRecords(vault, slotTableKey(root, header.storeId), [
    { storageKey: keyspace.unlockSlots(), revision: 1, body: encodeSlotTable(table) },
  ])[0]!;
  const initial: UnsealedRecord[] = [
    { storageKey: keyspace.header(), revision: 1, body: encodeHeader(header) },
    markRecord(time, 1),
    epochRecord(1),
    entityRecord({ id: header.owner, name: "owner", roles: [OWNER_ROLE], registered: time }, 1),
    {
      storageKey: macKeyPath(version),
      revision: 1,
      body: materialBody(macKeyAttributes(version), vault.wrap(root, macKey)),
    },
    gateRecord(ROOT_ID, version, true, 1),
  ];
  const committer = committerOf(parts, records);
  await initStore(committer, {
    records: initial,
    slotTable: { kind: "put", key: sealedTable.storageKey, value: sealedTable.value },
    time,
    event: eventOf(header.owner),
  });
  return {
    storeId: header.storeId,
    owner: header.owner,
    root: { handle: root, version },
    records,
    markTime: time,
    committer,
  };
}

/** By the owner, who has unlocked the store. */
function eventOf(owner: Id): UpkeepEvent {
  const principal: Principal = { entity: owner, authenticated: "unlock" };
  const decision = evaluateOwner(owner, { principal, operation: "create", key: null });
  return {
    entity: principal.entity,
    authenticated: principal.authenticated,
    policy: decision.policy,
    policyVersion: decision.policyVersion,
    decision: "allow",
    reasons: decision.rules,
    subjects: [],
  };
}

function salted(random: RandomSource, kdf: PassphraseKdf): SlotKdf {
  return { ...kdf, salt: randomBytes(random, SALT_LENGTH) };
}

/** A slot with PBKDF2 as one with Argon2id, under the same id and passphrase. `null`: the slot stays as it is. */
async function renewSlot(
  parts: Pick<OpenParts, "core" | "unlock" | "random">,
  slot: RootSlot,
  secret: Uint8Array,
  root: Handle,
): Promise<RootSlot | null> {
  const { core, unlock, random } = parts;
  if (unlock.kind === "raw" || !unlock.renew || slot.kdf.name !== "PBKDF2-HMAC-SHA256") return null;
  try {
    return await makeSlot(core.vault, slot.id, salted(random, unlock.kdf), secret, root);
  } catch (error) {
    // A host without so much memory unlocks as it did before.
    if (isKeyloomError(error, "CORE_INPUT_TOO_LARGE")) return null;
    throw error;
  }
}

function slotTableKey(root: Handle, storeId: Id): { handle: Handle; prefix: Uint8Array } {
  return { handle: root, prefix: recordPrefix("keyloom slot table v1", storeId) };
}

function committerOf(parts: OpenParts, records: Records): Committer {
  const { storage, core, clock, newId } = parts;
  return new Committer({ storage, records, sha256: core.sha256, clock, newId });
}

/** The root slots as they are in the store now. @param root - the store's root key */
export async function readSlots(
  storage: StorageAdapter,
  vault: Core["vault"],
  root: Handle,
  storeId: Id,
): Promise<readonly RootSlot[]> {
  const entry = await requireEntry(storage, keyspace.unlockSlots(), "the slot table is missing");
  return decodeSlotTable(openRecords(vault, slotTableKey(root, storeId), [entry])[0]!.body).slots;
}

/** A record as it is stored, here or in a backup. */
type Sealed = Pick<Entry, "key" | "value">;

export interface Unlocked {
  header: Header;
  root: { handle: Handle; version: number };
  records: Records;
  table: SlotTable;
  slots: Sealed;
  /** A slot made anew, where that was asked for and the unlock method wants it. */
  renewed: RootSlot | null;
}

/**
 * From the entries that everything hangs on to the keys of a store.
 *
 * @param readMacKey - reads the entry at the path of the MAC key
 * @throws {KeyloomError} as `openStore`
 */
export async function unlockEntries(
  parts: Pick<OpenParts, "core" | "unlock" | "random">,
  headerEntry: Sealed,
  slots: Sealed,
  readMacKey: (path: Uint8Array) => Promise<Sealed>,
  renew = false,
): Promise<Unlocked> {
  const { vault } = parts.core;
  const header = decode("the store's header", () => decodeHeader(parseRecord(headerEntry.value).body));
  const table = decode("the slot table", () => decodeSlotTable(parseRecord(slots.value).body));
  const { root, renewed } = await withSecret(parts.unlock, async (secret) => {
    for (const slot of table.slots) {
      if (!slotMatches(slot, parts.unlock)) continue;
      const handle = await openSlot(vault, table.rootVersion, slot, secret);
      if (handle === null) continue;
      // The table is believed now, before any of it is written again.
      openRecords(vault, slotTableKey(handle, header.storeId), [slots]);
      return { root: handle, renewed: renew ? await renewSlot(parts, slot, secret, handle) : null };
    }
    throw new KeyloomError("UNLOCK_FAILED", { message: "no root slot opens with this secret" });
  });
  const macEntry = await readMacKey(macKeyPath(table.rootVersion));
  const { attributes, wrapped } = splitMaterial(macEntry.key, parseRecord(macEntry.value).body);
  const macKey = unwrapMacKey(() => vault.unwrap(root, attributes, wrapped));
  const records = recordsOf(vault, {
    handle: macKey,
    prefix: recordPrefix("keyloom record v1", header.storeId),
  });
  records.open([headerEntry, macEntry]);
  return { header, root: { handle: root, version: table.rootVersion }, records, table, slots, renewed };
}

/** What differs in a copy of a store under another id: how records are sealed, the header, the slot table's MAC. */
export function copyOfStore(
  vault: Vault,
  { header, root, records, slots }: Unlocked,
  headerEntry: Sealed,
  storeId: Id,
): { records: Records; header: UnsealedRecord; slotTable: Mutation; event: UpkeepEvent } {
  const { revision, body } = parseRecord(slots.value);
  const unsealed = { storageKey: keyspace.unlockSlots(), revision, body };
  const [table] = sealRecords(vault, slotTableKey(root.handle, storeId), [unsealed], false);
  const prefix = recordPrefix("keyloom record v1", storeId);
  return {
    records: recordsOf(vault, { handle: records.key.handle, prefix }),
    header: {
      storageKey: keyspace.header(),
      revision: parseRecord(headerEntry.value).revision + 1,
      body: encodeHeader({ ...header, storeId }),
    },
    slotTable: { kind: "put", key: unsealed.storageKey, value: table!.value },
    event: eventOf(header.owner),
  };
}

async function openExisting(parts: OpenParts, headerEntry: Entry): Promise<OpenedStore> {
  const { storage, core } = parts;
  const { vault } = core;
  const slotsEntry = await requireEntry(storage, keyspace.unlockSlots(), "the slot table is missing");
  const readMacKey = (path: Uint8Array): Promise<Entry> =>
    requireEntry(storage, path, "the MAC key is missing");
  const unlocked = await unlockEntries(parts, headerEntry, slotsEntry, readMacKey, true);
  const { header, records, table, renewed } = unlocked;
  const root = unlocked.root.handle;
  const epoch = await requireEntry(storage, keyspace.epoch(), "the epoch is missing");
  const mark = await requireEntry(storage, keyspace.mark(), "the store's mark is missing");
  const markTime = decodeMark(records.open([epoch, mark])[1]!.body);
  const committer = committerOf(parts, records);
  if (renewed !== null) {
    const slots = table.slots.map((slot) => (equalBytes(slot.id, renewed.id) ? renewed : slot));
    const [sealed] = sealRecords(vault, slotTableKey(root, header.storeId), [
      {
        storageKey: slotsEntry.key,
        revision: parseRecord(slotsEntry.value).revision + 1,
        body: encodeSlotTable({ ...table, slots }),
      },
    ]);
    await replaceSlotTable(committer, slotsEntry, {
      slotTable: { kind: "put", key: slotsEntry.key, value: sealed!.value },
      time: Math.max(parts.clock.now(), markTime),
      event: eventOf(header.owner),
    });
  }
  return {
    storeId: header.storeId,
    owner: header.owner,
    root: { handle: root, version: table.rootVersion },
    records,
    markTime,
    committer,
  };
}

/** Decodes what is not authenticated yet: bytes that make no sense are damage. */
function decode<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!isKeyloomError(cause, "CBOR_INVALID")) throw cause;
    throw new KeyloomError("STORE_DAMAGED", { message: `${what} does not decode`, cause });
  }
}

function unwrapMacKey(unwrap: () => Handle): Handle {
  try {
    return unwrap();
  } catch (cause) {
    if (!isKeyloomError(cause, "CORE_AUTHENTICATION_FAILED")) throw cause;
    throw new KeyloomError("STORE_DAMAGED", { message: "the store's MAC key does not open", cause });
  }
}

async function requireEntry(storage: StorageAdapter, key: Uint8Array, message: string): Promise<Entry> {
  const entry = await storage.get(key);
  if (entry !== null) return entry;
  throw new KeyloomError("STORE_DAMAGED", { message, storageKey: key });
}
