/** Connects to PostgreSQL, and makes the store's tables where they are missing. */
import type { Pool, PoolConfig } from "pg";

import { KeyloomError } from "../foundation/errors.js";
import { sqlstate } from "./postgres-wire.js";

export type Driver = Pick<typeof import("pg"), "Pool" | "Client">;

export const DEFAULT_TABLE = "keyloom_entries";

export interface OpenPostgres {
  readonly driver: Driver;
  readonly config: PoolConfig;
  readonly pool: Pool;
  /** What every transaction that writes begins with. */
  readonly begin: string;
}

/** The connection's settings from a URL: `table` in its query is ours, all else the driver's. */
export function readUrl(url: string): { url: string; table: string | null } {
  const [base, query = ""] = url.split("?", 2) as [string, string?];
  const pairs = query.split("&").filter((pair) => pair !== "");
  const table = pairs.find((pair) => pair.startsWith("table="));
  const others = pairs.filter((pair) => pair !== table);
  return {
    url: others.length > 0 ? `${base}?${others.join("&")}` : base,
    table: table === undefined ? null : decodeURIComponent(table.slice("table=".length)),
  };
}

const FORMAT = "1";

/** Each of them may run again, and next to another process that runs it too. */
function migrations(table: string): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (key bytea PRIMARY KEY, version uuid NOT NULL, value bytea NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS ${table}_about (name text PRIMARY KEY, value text NOT NULL)`,
    `INSERT INTO ${table}_about (name, value) VALUES ('format', '${FORMAT}') ON CONFLICT DO NOTHING`,
  ];
}

/** What two processes that make the same table may say to one of them. */
const LOST_RACE = ["23505", "42710", "42P07", "40001", "40P01", "XX000"];

/**
 * Connects, and makes sure that the tables are there and of this format.
 *
 * @throws {KeyloomError} `STORE_NOT_FOUND`, `STORE_NEWER_FORMAT`; and what the driver throws, not yet translated.
 */
export async function openPostgres(
  driver: Driver,
  config: PoolConfig,
  table: string,
  options: { create: boolean; lockTimeoutMs: number },
): Promise<OpenPostgres> {
  const pool = new driver.Pool(config);
  // A connection that is lost while nobody uses it is no failure of any call; while somebody does, the call fails.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  try {
    await migrate(pool, table, options.create);
    return { driver, config, pool, begin: await beginning(pool, options.lockTimeoutMs) };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

async function migrate(pool: Pool, table: string, create: boolean): Promise<void> {
  for (let attempt = 0; (await readFormat(pool, table)) === null; attempt++) {
    if (!create) {
      throw new KeyloomError("STORE_NOT_FOUND", {
        message: `there is no store in the table ${table}`,
        table,
      });
    }
    try {
      for (const statement of migrations(table)) await pool.query(statement);
    } catch (error) {
      if (attempt === 5 || !LOST_RACE.includes(sqlstate(error) ?? "")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 50));
    }
  }
  await pool.query(`SELECT key, version, value FROM ${table} LIMIT 0`);
}

/** @returns null where there is no store. */
async function readFormat(pool: Pool, table: string): Promise<string | null> {
  try {
    const { rows } = await pool.query(`SELECT value FROM ${table}_about WHERE name = 'format'`);
    const format = (rows[0] as { value: string } | undefined)?.value ?? null;
    if (format === null || format === FORMAT) return format;
    const message = `the store in the table ${table} has a newer format than this version of Keyloom reads`;
    throw new KeyloomError("STORE_NEWER_FORMAT", { message, table, format });
  } catch (error) {
    if (sqlstate(error) === "42P01") return null;
    throw error;
  }
}

/**
 * Locks are waited for no longer than asked; a client that stands still lets go of its locks after a while; and a
 * server set to acknowledge commits before they are on its disk is told to wait for it here.
 */
async function beginning(pool: Pool, lockTimeoutMs: number): Promise<string> {
  const { rows } = await pool.query("SHOW synchronous_commit");
  const lax = (rows[0] as { synchronous_commit?: string } | undefined)?.synchronous_commit === "off";
  return [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    `SET LOCAL lock_timeout = ${lockTimeoutMs}`,
    "SET LOCAL idle_in_transaction_session_timeout = 30000",
    ...(lax ? ["SET LOCAL synchronous_commit = on"] : []),
  ].join("; ");
}
