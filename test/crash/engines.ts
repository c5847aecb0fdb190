/** The stores that crash rounds are run on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { PostgresServer } from "../storage/postgres-server.js";
import { crashRounds, type CrashStore, type RoundsResult } from "./rounds.js";

/** A store in a folder of its own. */
async function onDisk(scheme: string): Promise<CrashStore> {
  const folder = mkdtempSync(join(tmpdir(), "keyloom-crash-"));
  return {
    url: `${scheme}:${join(folder, "store")}`,
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const lmdb = (): Promise<CrashStore> => onDisk("lmdb");
export const sqlite = (): Promise<CrashStore> => onDisk("sqlite");

let tables = 0;
export function postgres(server: PostgresServer): () => Promise<CrashStore> {
  return async () => {
    const table = `crash${++tables}`;
    return {
      url: server.url(table),
      async killServer() {
        await server.kill();
        await server.restart();
      },
      remove: async () => void (await server.query(`DROP TABLE IF EXISTS ${table}, ${table}_about`)),
    };
  };
}

/** Five rounds, for every change. */
export function fewRounds(name: string, fresh: () => Promise<CrashStore>, keys = 3 * 1024): void {
  it(
    `${name} keeps what was acknowledged, whole, when a process is killed in the middle of its work`,
    { timeout: 300_000 },
    async () => {
      const { rounds, killed } = await crashRounds({ fresh, rounds: 5, keys });
      expect(rounds).toBe(5);
      // A child that finished before its time was up proves nothing.
      expect(killed).toBeGreaterThan(0);
    },
  );
}

const ROUNDS = Number(process.env["KEYLOOM_CRASH_ROUNDS"] ?? 100);
/** For all engines together, one after the other. */
const SECONDS = Number(process.env["KEYLOOM_CRASH_SECONDS"] ?? 3600);
const ENGINES = 3;
const ROUNDS_A_STORE = 10;

/** A hundred rounds, or as many as the time is enough for. */
export function manyRounds(name: string, fresh: () => Promise<CrashStore>, keys = 8 * 1024): void {
  const share = (SECONDS / ENGINES) * 1000;
  it(`${name} loses no key in many rounds of being killed`, { timeout: share + 180_000 }, async () => {
    const until = Date.now() + share;
    const sum: RoundsResult = { rounds: 0, killed: 0, serverKilled: 0 };
    while (sum.rounds < ROUNDS && Date.now() < until) {
      const rounds = Math.min(ROUNDS_A_STORE, ROUNDS - sum.rounds);
      const some = await crashRounds({ fresh, rounds, keys, until });
      sum.rounds += some.rounds;
      sum.killed += some.killed;
      sum.serverKilled += some.serverKilled;
    }
    console.info(
      `${name}: ${sum.rounds} rounds, ${sum.killed} of them killed in the middle, ${sum.serverKilled} with the server`,
    );
    expect(sum.rounds).toBeGreaterThan(0);
    expect(sum.killed).toBeGreaterThan(sum.rounds / 2);
  });
}
