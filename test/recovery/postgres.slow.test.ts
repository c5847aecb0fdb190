import { afterAll, it } from "vitest";
import { postgresStorage } from "../../sdk/storage/postgres.js";
import { cannotRun } from "../newer-node.js";
import { startPostgres } from "../storage/postgres-server.js";
import { moveKeys } from "./engines.js";

const server = await startPostgres().catch((error: Error) => {
  cannotRun("PostgreSQL", error.message);
  return null;
});
if (server !== null) afterAll(() => server.stop());

it.skipIf(server === null)("moves 100,000 keys from LMDB to PostgreSQL", { timeout: 1_800_000 }, async () => {
  const url = server!.url("moved");
  await moveKeys(100_000, () => postgresStorage({ url }));
});
