/** The judge of the crash rounds is judged: it sees everything that could be lost or left over. */
import { beforeEach, expect, it } from "vitest";
import type { Entry } from "../../sdk/index.js";
import { PREFIX, ranges } from "../../sdk/storage/keyspace.js";
import { memoryStorage, MemorySpace } from "../../sdk/storage/memory.js";
import { AEAD, KEK, openMemory } from "../flows/support.js";
import { agreement } from "./agreement.js";

let space: MemorySpace;

beforeEach(async () => {
  space = new MemorySpace();
  const { keys } = await openMemory({ space });
  await keys.create({ name: "kek", ...KEK });
  await keys.createMany(20, { algorithm: AEAD, under: "kek" });
  await keys.create({ name: "k", algorithm: AEAD, under: "kek", tags: ["t"] });
  await keys.rotate("k");
  await keys.rotate("kek");
  await keys.rewrap("kek");
  await keys.deactivate("kek", { version: 1 });
  await keys.destroy("kek", { version: 1 });
  await keys.close();
});

async function entriesOf(prefix: keyof typeof PREFIX): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of memoryStorage({ space }).list(ranges.everything())) {
    if (entry.key[0] === PREFIX[prefix]) all.push(entry);
  }
  return all;
}

const change = (
  ...mutations: ({ kind: "delete"; key: Uint8Array } | { kind: "put"; key: Uint8Array; value: Uint8Array })[]
) => memoryStorage({ space }).commit({ id: new Uint8Array(16), checks: [], mutations });

async function disagreement(): Promise<string | null> {
  return agreement(memoryStorage({ space })).then(
    () => null,
    ({ message }: Error) => message,
  );
}

it("a store that nothing has happened to agrees with itself", async () => {
  const { keys, jobs, under } = await agreement(memoryStorage({ space }));
  expect([keys.size, jobs.size, [...under.values()].sort()]).toEqual([22, 2, [1, 22]]);
});

it.each([
  "key",
  "history",
  "material",
  "gate",
  "auditIntake",
  "auditHead",
  "indexName",
  "indexTag",
  "indexOwner",
  "indexState",
] as const)("one %s entry less is seen", async (prefix) => {
  const { key } = (await entriesOf(prefix)).at(-1)!;
  await change({ kind: "delete", key });
  await expect(agreement(memoryStorage({ space }))).rejects.toThrow();
});

it.each(["key", "history", "material", "indexOwner", "indexState"] as const)(
  "one %s entry too many is seen",
  async (prefix) => {
    const { key, value } = (await entriesOf(prefix)).at(-1)!;
    const another = key.slice();
    another[another.length - 6]! ^= 1;
    await change({ kind: "put", key: another, value });
    expect(await disagreement()).not.toBe(null);
  },
);

it("a record that was put without its event is seen, and a job's that says more than was done", async () => {
  const { key, value } = (await entriesOf("key")).at(-1)!;
  const put = value.slice();
  put[7]!++; // the revision
  await change({ kind: "put", key, value: put });
  expect(await disagreement()).toContain("the log knows");
  await change({ kind: "put", key, value });
  expect(await disagreement()).toBe(null);
  const [job, other] = await entriesOf("job");
  await change({ kind: "put", key: job!.key, value: other!.value });
  expect(await disagreement()).toContain("a job did");
});

it("material moved without its event is seen", async () => {
  const { key, value } = (await entriesOf("material")).find(({ value: { 7: revision } }) => revision === 2)!;
  const put = value.slice();
  put[7] = 3;
  await change({ kind: "put", key, value: put });
  expect(await disagreement()).toContain("material was moved 2 times");
});
