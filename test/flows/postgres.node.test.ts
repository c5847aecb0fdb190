import { afterAll } from "vitest";

import { postgresStorage } from "../../sdk/storage/postgres.js";
import { cannotRun } from "../newer-node.js";
import { startPostgres } from "../storage/postgres-server.js";
import { durableStoreFlows } from "./durable-store.js";
import { processesShareAStore } from "./processes.js";

const server = await startPostgres().catch((error: Error) => {
  cannotRun("PostgreSQL", error.message);
  return null;
});
if (server !== null) {
  let tables = 0;
  afterAll(() => server.stop());
  durableStoreFlows("PostgreSQL", () => {
    const url = server.url(`t${++tables}`);
    return { open: (options) => postgresStorage({ url, ...options }) };
  });
  processesShareAStore("PostgreSQL", () => server.url(`t${++tables}`));
}
