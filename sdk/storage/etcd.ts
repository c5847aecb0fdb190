/** The storage adapter for services over etcd, a linearizable cluster store, by way of `etcd3`. */
import type { Etcd3, ICompare, IKeyValue, IOptions, IRangeRequest, IRequestOp } from "etcd3";

import { type ErrorCode, isKeyloomError, KeyloomError } from "../foundation/errors.js";
import {
  type Commit,
  type Committed,
  type Conflict,
  closedError,
  compareBytes,
  type Entry,
  type Found,
  type ListOptions,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type Range,
  type Snapshot,
  type StorageAdapter,
  type StorageCapabilities,
  validateCommit,
} from "./adapter.js";
import { loadDriver, Opening } from "./opening.js";
import { type CopiedRange, copyRange, NO_VALUE, pagedList } from "./pages.js";

type Driver = Pick<typeof import("etcd3"), "Etcd3">;

export interface EtcdStorageOptions {
  /** Of the cluster's members: `127.0.0.1:2379`; with TLS `https://…` and `connection.credentials`. */
  readonly hosts: string | string[];
  /** The driver's own settings: `credentials`, `auth`. */
  readonly connection?: Omit<IOptions, "hosts" | "faultHandling" | "defaultCallOptions"> | undefined;
  /** What the store's keys begin with in the cluster; `keyloom/` where not given. */
  readonly prefix?: string | undefined;
  /** Make the store where it is missing (default); `false`: `STORE_NOT_FOUND` instead. */
  readonly create?: boolean | undefined;
  /** How long an answer is waited for, in ms; 5,000 by default. */
  readonly answerTimeoutMs?: number | undefined;
  /** Loads the driver, for hosts that can't `import("etcd3")`. */
  readonly driver?: (() => Promise<Driver>) | undefined;
}

/** The limits are those of a cluster with its own defaults: 128 operations and 1.5 MiB in a transaction. */
const CAPABILITIES: StorageCapabilities = Object.freeze({
  maxChecks: 128,
  maxMutations: 128,
  maxCommitBytes: 1024 * 1024,
  maxKeyBytes: MAX_KEY_BYTES,
  maxValueBytes: MAX_VALUE_BYTES,
  durable: true,
  multiProcess: true,
  snapshot: true,
  watch: false,
});

const FORMAT = "keyloom-etcd 1";

/**
 * A store in the key space of an etcd cluster, for small sets of keys: a commit has at most 128 checks and mutations,
 * and the cluster keeps everything in memory. Nothing is connected before the first call.
 *
 * A commit is one transaction; it is acknowledged when a majority of the members has it on disk. Reads ask the
 * majority too. Without a majority every call fails within `answerTimeoutMs`: a commit with
 * `STORAGE_OUTCOME_UNKNOWN`, since it may still go through, a read with `STORAGE_IO`. A snapshot is a revision: it fails
 * once the cluster has compacted it away.
 */
export function etcdStorage(options: EtcdStorageOptions): StorageAdapter {
  if (options.hosts === undefined || options.hosts.length === 0)
    throw new TypeError("etcdStorage needs hosts");
  return new EtcdStorage(options);
}

class EtcdStorage implements StorageAdapter {
  readonly capabilities = CAPABILITIES;
  readonly #reader: EtcdReader;
  readonly #opening: Opening<Etcd3>;
  readonly #snapshots = new Set<EtcdSnapshot>();

  constructor(options: EtcdStorageOptions) {
    const { hosts, prefix = "keyloom/", create = true, answerTimeoutMs = 5000 } = options;
    const { driver: load = () => import("etcd3") } = options;
    this.#reader = new EtcdReader(Buffer.from(`${prefix}entries/`));
    this.#opening = new Opening(async () => {
      const { Etcd3 } = await loadDriver(load, "etcd", "run `npm i etcd3`");
      const client = new Etcd3({
        ...options.connection,
        hosts,
        grpcOptions: { "grpc.max_receive_message_length": -1, ...options.connection?.grpcOptions },
        defaultCallOptions: () => ({ deadline: Date.now() + answerTimeoutMs }),
        // The driver's own would send a commit twice whose first answer was lost.
        faultHandling: { host: () => ONCE, global: ONCE },
      } as unknown as IOptions);
      try {
        await openStore(client, Buffer.from(`${prefix}format`), create);
        return client;
      } catch (error) {
        client.close();
        throw etcdError(error, "cannot open the store");
      }
    });
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return (await this.getMany([key]))[0] as Entry | null;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    return this.#reader.getMany(await this.#opening.get(), keys, null);
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    return this.#reader.list(() => this.#opening.get(), range, options, null);
  }

  async count(range: Range): Promise<number> {
    return this.#reader.count(await this.#opening.get(), range, null);
  }

  async commit(commit: Commit): Promise<Committed | Conflict> {
    const { kv } = await this.#opening.get();
    validateCommit(CAPABILITIES, commit);
    const { checks, mutations } = commit;
    const named = (key: Uint8Array): Buffer => this.#reader.named(key);
    const compare = checks.map(({ key, version }): ICompare => ({
      key: named(key),
      result: "Equal",
      target: "Mod",
      mod_revision: revisionOf(version),
    }));
    const success = mutations.map((mutation): IRequestOp => {
      const key = named(mutation.key);
      if (mutation.kind === "delete") return { request_delete_range: { key } };
      return { request_put: { key, value: Buffer.from(mutation.value) } };
    });
    // In the same transaction: which checks failed, at that instant.
    const failure = checks.map(({ key }): IRequestOp => ({
      request_range: { key: named(key), keys_only: true },
    }));
    const outcome = await kv.txn({ compare, success, failure }).catch((error: unknown) => {
      throw commitError(error);
    });
    if (outcome.succeeded) {
      const puts = mutations.filter(({ kind }) => kind === "put");
      return { committed: true, versions: puts.map(() => outcome.header.revision) };
    }
    const conflicts: Found[] = [];
    for (const [i, { key, version }] of checks.entries()) {
      const found = outcome.responses[i]?.response_range.kvs[0]?.mod_revision ?? null;
      if (found !== version) conflicts.push({ key: new Uint8Array(key), found, expected: version });
    }
    return { committed: false, conflicts };
  }

  async snapshot(): Promise<Snapshot> {
    const client = await this.#opening.get();
    const revision = await this.#reader.revision(client);
    const snapshot = new EtcdSnapshot(client, this.#reader, revision, () => this.#snapshots.delete(snapshot));
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  async close(): Promise<void> {
    const client = await this.#opening.close();
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
    client?.close();
  }
}

/** All reads at one revision, which the cluster keeps until it compacts. */
class EtcdSnapshot implements Snapshot {
  readonly #reader: EtcdReader;
  readonly #revision: string;
  readonly #onClose: () => void;
  #client: Etcd3 | null;

  constructor(client: Etcd3, reader: EtcdReader, revision: string, onClose: () => void) {
    this.#client = client;
    this.#reader = reader;
    this.#revision = revision;
    this.#onClose = onClose;
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return (await this.getMany([key]))[0] as Entry | null;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Entry | null)[]> {
    return this.#reader.getMany(this.#open(), keys, this.#revision);
  }

  list(range: Range, options: ListOptions = {}): AsyncIterable<Entry> {
    return this.#reader.list(async () => this.#open(), range, options, this.#revision);
  }

  async count(range: Range): Promise<number> {
    return this.#reader.count(this.#open(), range, this.#revision);
  }

  async close(): Promise<void> {
    this.#client = null;
    this.#onClose();
  }

  #open(): Etcd3 {
    if (this.#client === null) throw closedError("snapshot");
    return this.#client;
  }
}

/** Reads of the newest revision, or of one given. */
class EtcdReader {
  readonly #prefix: Buffer;

  constructor(prefix: Buffer) {
    this.#prefix = prefix;
  }

  named(key: Uint8Array): Buffer {
    if (!(key instanceof Uint8Array)) throw new TypeError("a storage key is a Uint8Array");
    return Buffer.concat([this.#prefix, key]);
  }

  async revision({ kv }: Etcd3): Promise<string> {
    const { header } = await reading(kv.range({ key: this.#prefix, keys_only: true }));
    return header.revision;
  }

  async getMany(
    { kv }: Etcd3,
    keys: readonly Uint8Array[],
    revision: string | null,
  ): Promise<(Entry | null)[]> {
    const copies = keys.map((key) => ({ key: new Uint8Array(key), named: this.named(key) }));
    const entries: (Entry | null)[] = [];
    let at = revision;
    // One transaction holds so many; those that follow read the first one's revision.
    for (let from = 0; from < copies.length; from += CAPABILITIES.maxChecks) {
      const some = copies.slice(from, from + CAPABILITIES.maxChecks);
      const success = some.map(({ named }): IRequestOp => ({
        request_range: { key: named, ...atRevision(at) },
      }));
      const { responses, header } = await reading(kv.txn({ compare: [], success, failure: [] }));
      at ??= header.revision;
      for (const [i, { key }] of some.entries()) {
        const found = responses[i]?.response_range.kvs[0];
        // The name of the empty key is the prefix itself, which nothing is put at.
        entries.push(found === undefined ? null : entryOf(key, found));
      }
    }
    return entries;
  }

  list(
    client: () => Promise<Etcd3>,
    range: Range,
    options: ListOptions,
    revision: string | null,
  ): AsyncIterable<Entry> {
    const copied = copyRange(range, options);
    return pagedList(copied.limit, () => {
      let rest = copied;
      return async (count) => {
        const bounds = this.#bounds(rest);
        const { kv } = await client();
        if (bounds === null) return [];
        const { reverse, keysOnly } = rest;
        const order = { sort_target: "Key", sort_order: reverse ? "Descend" : "Ascend" } as const;
        const page = { limit: count, keys_only: keysOnly, ...order };
        const { kvs } = await reading(kv.range({ ...bounds, ...page, ...atRevision(revision) }));
        const entries = kvs.map((found) => {
          const key = new Uint8Array(found.key.subarray(this.#prefix.length));
          return keysOnly ? { key, value: NO_VALUE, version: found.mod_revision } : entryOf(key, found);
        });
        const last = entries.at(-1)?.key;
        // The caller may change what it is given.
        if (last !== undefined && reverse) rest = { ...rest, end: new Uint8Array(last) };
        if (last !== undefined && !reverse) rest = { ...rest, start: new Uint8Array([...last, 0]) };
        return entries;
      };
    });
  }

  async count({ kv }: Etcd3, range: Range, revision: string | null): Promise<number> {
    const bounds = this.#bounds(copyRange(range, {}));
    if (bounds === null) return 0;
    return Number((await reading(kv.range({ ...bounds, count_only: true, ...atRevision(revision) }))).count);
  }

  #bounds({ start, end }: Pick<CopiedRange, "start" | "end">): IRangeRequest | null {
    if (end !== null && compareBytes(start, end) >= 0) return null;
    const last = this.#prefix.length - 1;
    const after = Buffer.from(this.#prefix);
    after[last] = (after[last] as number) + 1; // the prefix ends in "/"
    return { key: this.named(start), range_end: end === null ? after : this.named(end) };
  }
}

function entryOf(key: Uint8Array, { value, mod_revision }: IKeyValue): Entry {
  return { key, value: new Uint8Array(value), version: mod_revision };
}

function atRevision(revision: string | null): { revision?: string } {
  return revision === null ? {} : { revision };
}

/** 0 is the revision of what is absent; a version that none of ours can be equals no revision. */
function revisionOf(version: string | null): string {
  if (version === null) return "0";
  return /^[1-9]\d{0,17}$/.test(version) ? version : "-1";
}

async function openStore({ kv }: Etcd3, key: Buffer, create: boolean): Promise<void> {
  const absent: ICompare = { key, result: "Equal", target: "Mod", mod_revision: "0" };
  const put: IRequestOp = { request_put: { key, value: Buffer.from(FORMAT) } };
  const { succeeded, responses } = await kv.txn({
    compare: [absent],
    success: create ? [put] : [],
    failure: [{ request_range: { key } }],
  });
  if (succeeded && !create)
    throw new KeyloomError("STORE_NOT_FOUND", { message: "there is no store in the cluster" });
  if (succeeded) return;
  const format = String(responses[0]?.response_range.kvs[0]?.value);
  if (format === FORMAT) return;
  const isOurs = format.startsWith("keyloom-etcd ");
  throw new KeyloomError(isOurs ? "STORE_NEWER_FORMAT" : "STORE_UNREADABLE", {
    message: isOurs
      ? "the store has a newer format than this version of Keyloom reads"
      : "this is no Keyloom store",
  });
}

/** A policy of the driver: once, as it comes. */
const ONCE = {
  execute: <T>(work: (context: { signal: AbortSignal; attempt: number }) => T): Promise<T> =>
    Promise.resolve(work({ signal: new AbortController().signal, attempt: 0 })),
};

/** What the driver's errors mean, by the name of their class; in a commit the others leave the outcome open. */
const MEANING: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  GRPCResourceExhastedError: ["STORAGE_FULL", "the cluster's space is used up"],
  EtcdPermissionDeniedError: ["STORAGE_READ_ONLY", "the user may not read and write the store"],
  EtcdAuthenticationFailedError: ["STORAGE_IO", "the cluster doesn't know the user or the password"],
  GRPCInvalidArgumentError: ["STORAGE_IO", "the cluster's limits are lower than its defaults"],
  GRPCOutOfRangeError: ["STORAGE_IO", "the revision was compacted away"],
  GRPCDataLossError: ["STORE_DAMAGED", "the cluster lost data"],
  ClientClosedError: ["STORAGE_CLOSED", "the store is closed"],
};

function meaningOf(error: unknown): [name: string, known: readonly [ErrorCode, string] | undefined] {
  const name = (error as object | null)?.constructor?.name ?? "";
  // The same class stands for "too many requests", which says nothing of a commit's outcome.
  const isOther = name === "GRPCResourceExhastedError" && !/space exceeded/.test((error as Error).message);
  return [name, isOther ? undefined : MEANING[name]];
}

function etcdError(error: unknown, doing: string): KeyloomError {
  if (isKeyloomError(error)) return error;
  const [name, known] = meaningOf(error);
  const [code, reason] = known ?? [];
  return new KeyloomError(code ?? "STORAGE_IO", {
    message: `${doing}: ${reason ?? (error as Error | null)?.message ?? String(error)}`,
    engineCode: name,
    cause: error,
  });
}

function commitError(error: unknown): KeyloomError {
  if (meaningOf(error)[1] !== undefined) return etcdError(error, "cannot commit to the store");
  const message = "cannot tell whether the commit took effect: no answer came from the cluster";
  return new KeyloomError("STORAGE_OUTCOME_UNKNOWN", { message, cause: error });
}

async function reading<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw etcdError(error, "cannot read the store");
  }
}
