import { deleteDB } from "idb";
import { afterAll } from "vitest";

import { indexeddbStorage } from "../../sdk/storage/indexeddb.js";
import { durableStoreFlows } from "./durable-store.js";

const names: string[] = [];

afterAll(async () => {
  for (const name of names) await deleteDB(name);
});

durableStoreFlows("IndexedDB", () => {
  const name = `keyloom-flows-${crypto.randomUUID()}`;
  names.push(name);
  return { open: (options) => indexeddbStorage({ name, ...options }) };
});
