/** Opens a SQLite database in the origin private file system, and sees to it that nobody else does. */
import { KeyloomError } from "../foundation/errors.js";
import { loadDriver } from "./opening.js";
import { notFound, type SqliteDatabase, type SqliteStatement } from "./sqlite-engine.js";

type Engine = Awaited<ReturnType<typeof import("@sqlite.org/sqlite-wasm").default>>;
type Database = InstanceType<Engine["oo1"]["DB"]>;
type Statement = ReturnType<Database["prepare"]>;
type Parameter = string | number | Uint8Array;

export interface OpfsFile {
  readonly db: SqliteDatabase;
  /** Once: closes the database and its files, and lets others open them. */
  close(): void;
}

/** The database, its log, and what the engine needs on the way. */
const FILES = 6;
const PATH = "/store";

let engine: Promise<Engine> | null = null;

function loadEngine(): Promise<Engine> {
  engine ??= loadDriver(
    async () => (await import("@sqlite.org/sqlite-wasm")).default(),
    "SQLite",
    "run `npm i @sqlite.org/sqlite-wasm`",
  ).catch((error: unknown) => {
    engine = null;
    throw error;
  });
  return engine;
}

/**
 * @throws {KeyloomError} `STORAGE_UNSUPPORTED`, `STORAGE_DRIVER_MISSING`, `STORAGE_LOCKED`, `STORE_NOT_FOUND`; and what
 *   the engine and the file system throw, not yet translated
 */
export async function openOpfs(name: string, create: boolean): Promise<OpfsFile> {
  requireSyncFiles();
  const directory = `.keyloom-${encodeURIComponent(name)}`;
  const { installOpfsSAHPoolVfs } = await loadEngine();
  const unlock = await lock(directory, name);
  try {
    if (!create) await requireDirectory(directory, name);
    const options = {
      name: directory,
      directory,
      initialCapacity: FILES,
      // Else a failure to open removes the store.
      preserveOnInitFailure: true,
      forceReinitIfPreviouslyFailed: true,
    };
    const pool = await installOpfsSAHPoolVfs(options);
    await pool.unpauseVfs();
    try {
      const db = new pool.OpfsSAHPoolDb(PATH);
      return {
        db: { exec: (sql) => db.exec(sql), prepare: (sql) => wrap(db.prepare(sql)), close: () => db.close() },
        close() {
          db.close();
          pool.pauseVfs();
          unlock();
        },
      };
    } catch (error) {
      pool.pauseVfs();
      throw error;
    }
  } catch (error) {
    unlock();
    throw error;
  }
}

function requireSyncFiles(): void {
  const handles = (globalThis as { FileSystemFileHandle?: { prototype: object } }).FileSystemFileHandle;
  if (handles !== undefined && "createSyncAccessHandle" in handles.prototype) return;
  throw new KeyloomError("STORAGE_UNSUPPORTED", {
    message: "opfs-sqlite works in dedicated workers of browsers with synchronous file access only",
  });
}

/** Holds a Web Lock until the function returned is called. @throws {KeyloomError} `STORAGE_LOCKED` */
function lock(directory: string, name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(`keyloom:${directory}`, { ifAvailable: true }, (granted) => {
      if (granted !== null) return new Promise<void>((release) => resolve(release));
      const message = `another tab or worker holds the store ${name}`;
      throw new KeyloomError("STORAGE_LOCKED", { message, database: name });
    });
    held.catch(reject);
  });
}

async function requireDirectory(directory: string, name: string): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.getDirectoryHandle(directory).catch((error: DOMException) => {
    throw error.name === "NotFoundError" ? notFound(name) : error;
  });
}

function wrap(statement: Statement): SqliteStatement {
  const using = <T>(parameters: unknown[], work: () => T): T => {
    try {
      if (parameters.length > 0) statement.bind(parameters as Parameter[]);
      return work();
    } finally {
      statement.reset(true);
    }
  };
  return {
    get: (...parameters) => using(parameters, () => (statement.step() ? statement.get({}) : undefined)),
    all: (...parameters) =>
      using(parameters, () => {
        const rows: unknown[] = [];
        while (statement.step()) rows.push(statement.get({}));
        return rows;
      }),
    run: (...parameters) => using(parameters, () => statement.step()),
  };
}
