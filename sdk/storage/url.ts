/**
 * Stores by URL, for the command line. The one table of schemes; each driver is loaded when it is asked for.
 * `keyloom` itself must not import this file: it would bring every driver along.
 */
import { KeyloomError } from "../foundation/errors.js";
import type { StorageAdapter } from "./adapter.js";

export interface StorageUrlOptions {
  /** As the drivers have it: make the store where it is missing (default). */
  readonly create?: boolean | undefined;
}

interface Scheme {
  /** How the URL is written, for messages. */
  readonly form: string;
  /** @param rest - what follows the colon; `null` as the answer: it is none of this scheme's. */
  open(rest: string, options: StorageUrlOptions): Promise<StorageAdapter | null>;
}

export const STORAGE_SCHEMES = {
  memory: {
    form: "memory:",
    open: async (rest) => (rest === "" ? (await import("./memory.js")).memoryStorage() : null),
  },
  lmdb: {
    form: "lmdb:PATH",
    open: async (path, { create }) =>
      path === "" ? null : (await import("./lmdb.js")).lmdbStorage({ path, create }),
  },
  sqlite: {
    form: "sqlite:PATH",
    open: async (path, { create }) =>
      path === "" ? null : (await import("./sqlite.js")).sqliteStorage({ path, create }),
  },
  postgres: {
    form: "postgres://USER:PASSWORD@HOST/DATABASE?table=NAME",
    open: async (rest, { create }) =>
      /^\/\/./.test(rest)
        ? (await import("./postgres.js")).postgresStorage({ url: `postgres:${rest}`, create })
        : null,
  },
  etcd: {
    form: "etcd://HOST:PORT,HOST:PORT/PREFIX",
    open: async (rest, { create }) => {
      const [, hosts, prefix = ""] = /^\/\/([^/]+)(?:\/(.*))?$/.exec(rest) ?? [];
      if (hosts === undefined) return null;
      const { etcdStorage } = await import("./etcd.js");
      return etcdStorage({ hosts: hosts.split(","), create, ...(prefix === "" ? {} : { prefix }) });
    },
  },
  indexeddb: {
    form: "indexeddb:NAME",
    open: async (name, { create }) =>
      name === "" ? null : (await import("./indexeddb.js")).indexeddbStorage({ name, create }),
  },
  "opfs-sqlite": {
    form: "opfs-sqlite:NAME",
    open: async (name, { create }) =>
      name === "" ? null : (await import("./opfs-sqlite.js")).opfsSqliteStorage({ name, create }),
  },
} as const satisfies Readonly<Record<string, Scheme>>;

/**
 * The adapter for a URL: a scheme of the table and what follows it, a path or name taken as it stands (no
 * escapes).
 *
 * @throws {KeyloomError} `STORAGE_URL_INVALID` for an unknown scheme or a form that the scheme doesn't have.
 *   What opening the store throws comes with the adapter's first call.
 */
export async function storageFromUrl(url: string, options: StorageUrlOptions = {}): Promise<StorageAdapter> {
  const colon = url.indexOf(":");
  const name = colon < 0 ? "" : url.slice(0, colon);
  const scheme = Object.hasOwn(STORAGE_SCHEMES, name)
    ? (STORAGE_SCHEMES as Readonly<Record<string, Scheme>>)[name]
    : undefined;
  const adapter = scheme === undefined ? null : await scheme.open(url.slice(colon + 1), options);
  if (adapter !== null) return adapter;
  // The rest of the URL may hold a password: the message names the scheme alone.
  const forms = Object.values(STORAGE_SCHEMES).map(({ form }) => form);
  const reason =
    scheme === undefined ? "no known storage scheme" : `a URL of the form ${scheme.form} is expected`;
  throw new KeyloomError("STORAGE_URL_INVALID", {
    message: `the store's URL is invalid: ${reason}; known are ${forms.join(", ")}`,
    scheme: name,
    forms,
  });
}
