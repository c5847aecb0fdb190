/** Index entries: derived from the record, carrying no authority. A hit is believed once the record agrees. */
import { STATES } from "../lifecycle/states.js";
import { next } from "../lifecycle/transition.js";
import type { Mutation } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import type { KeyRecord, KeyVersion } from "./record.js";

const EMPTY = new Uint8Array(0);

/** The dates that will move this version's stored state. */
function dueDates(version: KeyVersion): number[] {
  const dates: number[] = [];
  const { activation, deactivation } = version.dates;
  if (activation !== undefined && next(version.state, "activation-due") !== null) dates.push(activation);
  // A pre-active version with a deactivation date passes through active first; its entry waits there already.
  const canEnd = version.state === "pre-active" || next(version.state, "deactivation-due") !== null;
  // Two dates on one instant have one entry.
  if (deactivation !== undefined && canEnd && deactivation !== dates[0]) dates.push(deactivation);
  return dates;
}

/** Every index entry that a record has, as storage keys. The name's entry alone has a value: the key's id. */
export function indexKeys(record: KeyRecord): Uint8Array[] {
  const keys = [keyspace.indexOwner(record.owner, record.id)];
  if (record.name !== undefined) keys.push(keyspace.indexName(record.name));
  for (const tag of record.tags) keys.push(keyspace.indexTag(tag, record.id));
  for (const version of record.versions) {
    keys.push(keyspace.indexState(STATES[version.state], record.id, version.version));
    if (version.exposed) keys.push(keyspace.indexExposed(record.id, version.version));
    for (const date of dueDates(version)) keys.push(keyspace.indexDue(date, record.id, version.version));
  }
  return keys;
}

/** The puts and deletes that lead from one record's entries to the other's. */
export function indexMutations(before: KeyRecord | null, after: KeyRecord): Mutation[] {
  const text = (key: Uint8Array): string => String.fromCharCode(...key);
  const old = new Map((before === null ? [] : indexKeys(before)).map((key) => [text(key), key]));
  const nameKey = after.name === undefined ? null : text(keyspace.indexName(after.name));
  const mutations: Mutation[] = [];
  for (const key of indexKeys(after)) {
    const asText = text(key);
    if (old.delete(asText)) continue;
    mutations.push({ kind: "put", key, value: asText === nameKey ? after.id : EMPTY });
  }
  for (const key of old.values()) mutations.push({ kind: "delete", key });
  return mutations;
}
