/** A small store with an entry of every kind, and ways to edit it underneath, with the engine's own tools. */
import { concat } from "../../sdk/foundation/bytes.js";
import { doctor, type DoctorOptions, type DoctorSummary } from "../../sdk/entries/maintenance.js";
import type { Entry, Mutation } from "../../sdk/storage/adapter.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { prefixOf, ranges, type Prefix } from "../../sdk/storage/keyspace.js";
import { parseId } from "../../sdk/foundation/ids.js";
import { POLICY_TEMPLATES, type KeyManager } from "../../sdk/index.js";
import { virtualClock } from "../../sdk/testing/index.js";
import { AEAD, KEK, leaveShared, openMemory } from "../flows/support.js";

/** The entries of a store by their keys. */
export type Image = Map<string, Entry>;

export const name = (key: Uint8Array): string => String.fromCharCode(...key);

export async function imageOf(space: MemorySpace): Promise<Image> {
  const image: Image = new Map();
  for await (const entry of memoryStorage({ space }).list(ranges.everything())) {
    image.set(name(entry.key), { ...entry, key: entry.key.slice(), value: entry.value.slice() });
  }
  return image;
}

export async function storeOf(image: Image): Promise<MemorySpace> {
  const space = new MemorySpace();
  const mutations: Mutation[] = [...image.values()].map(({ key, value }) => ({ kind: "put", key, value }));
  await memoryStorage({ space }).commit({ id: new Uint8Array(16), checks: [], mutations });
  return space;
}

export const of = (image: Image, prefix: Prefix, key?: string): Entry[] =>
  [...image.values()].filter(
    (entry) =>
      prefixOf(entry.key) === prefix &&
      (key === undefined || name(concat(entry.key, entry.value)).includes(name(parseId(key)))),
  );

export function put(image: Image, key: Uint8Array, value: Uint8Array): void {
  image.set(name(key), { key, value, version: "" });
}

export function drop(image: Image, ...entries: Entry[]): void {
  for (const { key } of entries) image.delete(name(key));
}

/** Changes an entry in the store itself; `null` takes it away. */
export async function edit(space: MemorySpace, key: Uint8Array, value: Uint8Array | null): Promise<void> {
  const mutation: Mutation = value === null ? { kind: "delete", key } : { kind: "put", key, value };
  await memoryStorage({ space }).commit({ id: new Uint8Array(16), checks: [], mutations: [mutation] });
}

export interface Sample {
  /** The store, and how it was before the last changes to each key. */
  now: Image;
  before: Image;
  ids: Record<"kek" | "data" | "gone" | "counted", string>;
}

/** Every kind of record and entry, with changes between the two images. */
export async function sample(): Promise<Sample> {
  const { keys, space, clock } = await openMemory({ seed: 7, clock: virtualClock() });
  const kek = await keys.create({ name: "kek", ...KEK });
  const later = new Date(clock.now() + 400 * 86_400_000);
  await keys.createMany(3, { algorithm: AEAD, under: kek, tags: ["many"] });
  await keys.createMany(1, { ...KEK });
  await keys.sequenceAudit();
  await keys.checkpointAudit();
  const data = await keys.create({
    name: "data",
    algorithm: AEAD,
    under: kek,
    tags: ["a"],
    deactivation: later,
  });
  const gone = await keys.create({ name: "gone", algorithm: AEAD });
  await keys.archive(data);
  await keys.recover(data);
  await keys.rotate(kek);
  const counted = await keys.create({ name: "counted", algorithm: AEAD, limits: { operations: 50 } });
  await keys.encrypt(counted, new Uint8Array(1));
  const before = await imageOf(space);
  await keys.rewrap(kek);
  await keys.checkpointAudit();
  await keys.revoke(kek, { version: 1, reason: "key-compromise" });
  await keys.deactivate(gone);
  await keys.destroy(gone);
  await keys.suspend(data);
  await keys.sweep();
  await keys.setPolicy(POLICY_TEMPLATES.roles);
  await keys.propose({ operation: "recover", key: "data" });
  await keys.close();
  await leaveShared(space, "01990000-0000-7000-8000-0000000000cc", clock);
  const ids = { kek: kek.id, data: data.id, gone: gone.id, counted: counted.id };
  return { now: await imageOf(space), before, ids };
}

export async function opened(image: Image): Promise<KeyManager> {
  return (await openMemory({ space: await storeOf(image), create: false, clock: virtualClock() })).keys;
}

/** The findings in a store with these entries. */
export async function examined(image: Image, options: DoctorOptions = {}): Promise<DoctorSummary> {
  const keys = await opened(image);
  try {
    return await doctor(keys, options);
  } finally {
    await keys.close();
  }
}

/** Repairs a store with these entries. @returns what was found, what still is, and what of the entries is there now */
export async function repaired(
  image: Image,
): Promise<{ first: DoctorSummary; second: DoctorSummary; after: Image }> {
  const { keys, space } = await openMemory({
    space: await storeOf(image),
    create: false,
    clock: virtualClock(),
  });
  try {
    const first = await doctor(keys, { repair: true });
    return { first, second: await doctor(keys), after: await imageOf(space) };
  } finally {
    await keys.close();
  }
}

export const kindsOf = ({ kinds }: DoctorSummary): string[] => Object.keys(kinds).sort();
