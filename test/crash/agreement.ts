/**
 * Whether a store agrees with itself, read entry by entry and without the library's own reads: indexes with records,
 * material, gates and history with the version tables, jobs and records with the log, the log with its heads.
 */
import { createHash } from "node:crypto";
import { bulkRows, decodeIntake, type EventBody } from "../../sdk/audit/event.js";
import { decodeHead } from "../../sdk/audit/intake.js";
import { decodeRows } from "../../sdk/audit/log.js";
import { RECORD_HEAD_LENGTH, MAC_LENGTH } from "../../sdk/crypto/records.js";
import { USAGES } from "../../sdk/crypto/algorithms.js";
import { getU32 } from "../../sdk/foundation/bytes.js";
import { CborReader } from "../../sdk/foundation/cbor.js";
import { idToString } from "../../sdk/foundation/ids.js";
import { indexKeys } from "../../sdk/keys/indexes.js";
import { decodeKeyRecord, type KeyRecord } from "../../sdk/keys/record.js";
import type { StorageAdapter } from "../../sdk/storage/adapter.js";
import { idOfKey, keyspace, parseMaterialKey, PREFIX, ranges } from "../../sdk/storage/keyspace.js";

export interface Agreed {
  /** By name, or by id where there is no name. */
  keys: Map<string, KeyRecord>;
  jobs: Map<string, { done: number; finished: boolean }>;
  /** Versions with material, by the wrapping key. */
  under: Map<string, number>;
}

interface Stored {
  revision: number;
  body: Uint8Array;
  digest: string;
}

/** Bytes as a map's key. */
const nameOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");

/** Not `expect`, which takes many times as long: this is said of every entry. */
function agree(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the store does not agree with itself: ${what}`);
}

const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

function parse(key: Uint8Array, value: Uint8Array): Stored {
  const vouched = value.subarray(0, -MAC_LENGTH);
  return {
    revision: getU32(value, 4),
    body: vouched.subarray(RECORD_HEAD_LENGTH),
    digest: nameOf(sha256(key, vouched)),
  };
}

const has = (record: KeyRecord, usage: number): boolean => (record.usages & usage) !== 0;
const isDestroyed = (state: string): boolean => state.startsWith("destroyed");

/** @throws where anything disagrees with anything. */
export async function agreement(storage: StorageAdapter): Promise<Agreed> {
  const families = new Map<number, Map<string, Stored & { key: Uint8Array }>>();
  const indexes = new Set<string>();
  for await (const { key, value } of storage.list(ranges.everything())) {
    if (key[0]! >= PREFIX.indexName) {
      indexes.add(nameOf(key));
      continue;
    }
    const family = families.get(key[0]!) ?? new Map<string, Stored & { key: Uint8Array }>();
    families.set(key[0]!, family.set(nameOf(key), { key: key.slice(), ...parse(key, value.slice()) }));
  }
  const family = (name: keyof typeof PREFIX): Map<string, Stored & { key: Uint8Array }> =>
    families.get(PREFIX[name]) ?? new Map<string, never>();

  const events = logOf(family("auditIntake"), family("auditBundle"), family("auditHead"));
  // How often the log says that a record was put, and with which digests.
  const said = new Map<string, Set<string>>();
  const moves = new Map<string, Set<string>>();
  const doneBy = new Map<string, number>();
  const add = (map: Map<string, Set<string>>, at: string, digest: Uint8Array): void => {
    map.set(at, (map.get(at) ?? new Set()).add(nameOf(digest)));
  };
  for (const { records, bulk, operation, job } of events) {
    for (const { storageKey, digest } of records) add(said, nameOf(storageKey), digest);
    let rows = 0;
    for (const { key, version, digest } of bulkRows(bulk ?? new Uint8Array(0))) {
      if (operation === "create") add(said, nameOf(keyspace.key(key)), digest);
      else add(moves, `${nameOf(key)} ${version}`, digest);
      rows++;
    }
    if (job !== undefined) doneBy.set(idToString(job), (doneBy.get(idToString(job)) ?? 0) + rows);
  }

  const keys: Agreed["keys"] = new Map();
  const expected = { indexes: new Set<string>(), material: new Map<string, KeyRecord>() };
  const gates = new Set<string>();
  let histories = 0;
  for (const { key, revision, body, digest } of family("key").values()) {
    const record = decodeKeyRecord(idOfKey(key), body);
    keys.set(record.name ?? idToString(record.id), record);
    // Each put of it stands in the log once, the last one among them.
    const puts = said.get(nameOf(key));
    agree(
      puts?.size === revision && puts.has(digest),
      `a key was put ${revision} times, the log knows ${puts?.size}`,
    );
    for (const index of indexKeys(record)) expected.indexes.add(nameOf(index));
    for (const { version, state, history } of record.versions) {
      if (!isDestroyed(state)) expected.material.set(`${nameOf(record.id)} ${version}`, record);
      if (has(record, USAGES.wrap)) gates.add(nameOf(keyspace.gate(record.id, version)));
      agree(
        family("history").has(nameOf(keyspace.history(record.id, version, history))),
        `history ${history} of version ${version} is missing`,
      );
      histories += history;
    }
    histories += record.history ?? 0;
  }
  agree(family("history").size === histories, `${histories} history entries, not ${family("history").size}`);
  for (const index of indexes) agree(expected.indexes.has(index), "an index entry of no record");
  agree(
    indexes.size === expected.indexes.size,
    `${expected.indexes.size} index entries, not ${indexes.size}`,
  );

  const under: Agreed["under"] = new Map();
  let materials = 0;
  for (const { key, revision, digest } of family("material").values()) {
    const { kek, kekVersion, key: id, version } = parseMaterialKey(key);
    gates.add(nameOf(keyspace.gate(kek, kekVersion)));
    const name = `${nameOf(id)} ${version}`;
    const record = expected.material.get(name);
    if (record === undefined) continue; // the store's own MAC key, which is looked at below
    materials++;
    agree(nameOf(kek) === nameOf(record.wrappedBy), "material under another key than its record says");
    under.set(nameOf(kek), (under.get(nameOf(kek)) ?? 0) + 1);
    // A re-wrap's events have the digest of each move.
    const moved = moves.get(name);
    agree(
      revision === 1 ? moved === undefined : moved?.size === revision - 1 && moved.has(digest),
      `material was moved ${revision - 1} times, the log knows ${moved?.size ?? 0}`,
    );
  }
  // Each version that isn't destroyed has its material, once; and there is no other but that of the MAC key.
  agree(materials === expected.material.size, `${expected.material.size} with material, not ${materials}`);
  agree(family("material").size === materials + 1, "material of no version");

  for (const gate of gates) agree(family("gate").has(gate), "a gate is missing");

  const jobs: Agreed["jobs"] = new Map();
  for (const { key, body } of family("job").values()) {
    const reader = CborReader.decode(body, "a job record");
    const id = idToString(idOfKey(key));
    // What a shared job's ranges have done is added to its record when they are finished.
    let done = reader.uint(3);
    for (const range of family("leaseRange").values()) {
      if (idToString(idOfKey(range.key)) === id) done += CborReader.decode(range.body, "a range").uint(3);
    }
    jobs.set(id, { done, finished: reader.bool(4) });
    agree(doneBy.get(id) === done, `a job did ${done}, the log knows ${doneBy.get(id)}`);
  }
  return { keys, jobs, under };
}

/** Every writer's chain, link by link up to its head: what waits in the intake, and what has moved to the log. */
function logOf(
  intake: ReadonlyMap<string, Stored & { key: Uint8Array }>,
  bundles: ReadonlyMap<string, Stored>,
  heads: ReadonlyMap<string, Stored & { key: Uint8Array }>,
): EventBody[] {
  const bodies = new Map<string, Uint8Array>();
  for (const [key, { body }] of intake) bodies.set(key, body);
  for (const part of bundles.values()) {
    for (const { writer, sequence, bytes } of decodeRows(part.body)) {
      const key = nameOf(keyspace.auditIntake(writer, sequence));
      agree(!bodies.has(key), "an entry both waits and has moved");
      bodies.set(key, bytes);
    }
  }
  const events: EventBody[] = [];
  let entries = 0;
  for (const { key, body } of heads.values()) {
    const writer = idOfKey(key);
    const head = decodeHead(body);
    let link: Uint8Array = new Uint8Array(32);
    for (let sequence = 1; sequence <= head.sequence; sequence++, entries++) {
      const bytes = bodies.get(nameOf(keyspace.auditIntake(writer, sequence)));
      if (bytes === undefined) throw new Error(`entry ${sequence} of a writer's chain is missing`);
      const decoded = decodeIntake(bytes);
      agree(nameOf(link) === nameOf(decoded.previous), "a chain is broken");
      link = sha256(Uint8Array.of(0), bytes);
      if (decoded.kind === "event") events.push(decoded);
    }
    agree(nameOf(link) === nameOf(head.link), "a chain's head is of another chain");
  }
  agree(bodies.size === entries, "entries behind a chain's head");
  return events;
}
