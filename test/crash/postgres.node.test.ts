import { afterAll } from "vitest";
import { cannotRun } from "../newer-node.js";
import { startPostgres } from "../storage/postgres-server.js";
import { fewRounds, postgres } from "./engines.js";

const server = await startPostgres().catch((error: Error) => {
  cannotRun("PostgreSQL", error.message);
  return null;
});
if (server !== null) {
  afterAll(() => server.stop());
  fewRounds("PostgreSQL", postgres(server));
}
