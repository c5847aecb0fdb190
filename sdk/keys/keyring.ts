/**
 * The ring of keys at hand: records and handles of one open store, cached while the store's epoch stands still.
 *
 * Every use first makes sure that the epoch was looked at within `freshness`; when it moved, everything cached
 * is dropped, so a restriction made anywhere is obeyed here within that time. When the epoch can't be read, use
 * is refused by the storage error itself.
 */
import { equalBytes, toHex } from "../foundation/bytes.js";
import type { Clock } from "../foundation/clock.js";
import { isKeyloomError, KeyloomError } from "../foundation/errors.js";
import { idToString, type Id } from "../foundation/ids.js";
import type { Handle, Vault } from "../crypto/core.js";
import { ROOT_ID, splitMaterial } from "../crypto/material.js";
import type { Records } from "../crypto/records.js";
import type { Entry, StorageAdapter } from "../storage/adapter.js";
import { keyspace } from "../storage/keyspace.js";
import type { UseException, UsePolicy } from "../lifecycle/permits.js";
import { effectiveState } from "../lifecycle/transition.js";
import { suspensionOf } from "./history.js";
import { keyNotFound, readKeyByReference, type StoredKey } from "./reads.js";
import { readEpoch, refreshMark, type Mark, type StoredEpoch } from "./store-records.js";
import { requireUsable } from "./use.js";

/** The root key, held as long as the store is open. */
export interface RootKey {
  handle: Handle;
  version: number;
}

export interface RingParts {
  storage: StorageAdapter;
  vault: Vault;
  records: Records;
  root: RootKey;
  clock: Clock;
  /** Milliseconds within which the epoch must have been looked at. 0 = at every use. */
  freshness: number;
  mark: Mark;
  /** What else of the store is kept at hand while the epoch stands still: read anew when it moved. */
  reload: () => Promise<void>;
  /** How many unwrapped keys are kept at hand; the least recently used one goes first. */
  handleLimit: number;
}

/** A material record as found under one of its wrapping key's versions. */
export interface FoundMaterial {
  entry: Entry;
  revision: number;
  body: Uint8Array;
  kekVersion: number;
}

/** Unwrapping on the way to a key is decided with the use of that key: policy has been asked by then. */
const TRUSTED: UsePolicy = { processDeactivated: true, trusted: true };
const RECORD_LIMIT = 4096;
const LOOKUP_ATTEMPTS = 4;
const PAIR_ATTEMPTS = 16;
const FIND_ATTEMPTS = 16;

export class KeyRing {
  readonly #parts: RingParts;
  readonly #byReference = new Map<string, StoredKey>();
  readonly #handles = new Map<string, Handle>();
  /** Handles that a synchronous use has in its hands, innermost last: not to be wiped, whatever needs room. */
  readonly #inUse: Handle[] = [];
  #epoch: StoredEpoch | null = null;
  #lookedAt = -Infinity;
  /** Counts the times that something was forgotten: what was read before must not be remembered after. */
  #generation = 0;

  constructor(parts: RingParts) {
    this.#parts = parts;
  }

  /** The root key, which wraps what no other key does. */
  get root(): RootKey {
    return this.#parts.root;
  }

  get isFresh(): boolean {
    const { clock, freshness } = this.#parts;
    return freshness > 0 && clock.monotonic() - this.#lookedAt <= freshness;
  }

  /** Looks at the epoch unless that was done within `freshness`; drops what is cached when it moved. */
  async refresh(): Promise<void> {
    if (this.isFresh) return;
    const at = this.#parts.clock.monotonic();
    const epoch = await readEpoch(this.#parts.storage, this.#parts.records);
    if (epoch === null) throw new KeyloomError("STORE_DAMAGED", { message: "the store's epoch is missing" });
    if (epoch.storageVersion !== this.#epoch?.storageVersion) {
      this.dropAll();
      await refreshMark(this.#parts.storage, this.#parts.records, this.#parts.mark);
      await this.#parts.reload();
    }
    this.#epoch = epoch;
    this.#lookedAt = at;
  }

  /** The key of a reference where it is cached and fresh: no storage is touched, nothing is awaited. */
  cached(reference: string): StoredKey | undefined {
    return this.isFresh ? this.#byReference.get(reference) : undefined;
  }

  /** Looks a key up, by id or name. `null`: there is none. */
  async lookup(reference: string): Promise<StoredKey | null> {
    const { storage, records } = this.#parts;
    let stored: StoredKey | null = null;
    for (let attempt = 0; attempt < LOOKUP_ATTEMPTS; attempt++) {
      await this.refresh();
      const known = this.#byReference.get(reference);
      if (known !== undefined) return known;
      const generation = this.#generation;
      stored = await readKeyByReference(storage, records, reference);
      // Something was restricted while this was read: it may be the state from before.
      if (generation !== this.#generation) continue;
      if (stored === null) return null;
      this.#remember(reference, stored);
      this.#remember(idToString(stored.record.id), stored);
      return stored;
    }
    return stored;
  }

  /** As `lookup`. @throws {KeyloomError} `KEY_NOT_FOUND` */
  async require(reference: string): Promise<StoredKey> {
    const stored = await this.lookup(reference);
    if (stored === null) throw keyNotFound(reference);
    return stored;
  }

  async lookupId(id: Id): Promise<StoredKey | null> {
    return this.lookup(idToString(id));
  }

  #remember(reference: string, stored: StoredKey): void {
    if (this.#byReference.size >= RECORD_LIMIT) this.#byReference.clear();
    this.#byReference.set(reference, stored);
  }

  /** Forgets everything and wipes every handle but the root's. */
  dropAll(): void {
    this.#generation++;
    this.#byReference.clear();
    for (const [key, handle] of this.#handles) this.#release(key, handle);
  }

  /** As `dropAll`, after this process has changed something itself: the next use looks at the epoch. */
  invalidate(): void {
    this.dropAll();
    this.#lookedAt = -Infinity;
  }

  #release(key: string, handle: Handle): void {
    this.#handles.delete(key);
    this.#parts.vault.dispose(handle);
  }

  /**
   * Runs `use` with the handle of a version, unwrapped from the store where it isn't at hand.
   *
   * A handle may be wiped at any turn of the event loop: its key was changed here or restricted elsewhere, or room
   * was made. So `use` gets it in the turn in which it is known to live, must be synchronous, and keeps no copy.
   *
   * @param exception - what permits the use of wrapping keys on the way; what only that permits is not kept at hand
   * @throws {KeyloomError} `KEY_MATERIAL_MISSING` where no live version of the wrapping key holds it
   */
  async use<T>(
    stored: StoredKey,
    version: number,
    use: (handle: Handle) => T,
    exception?: UseException,
  ): Promise<T> {
    const key = handleKey(stored.record.id, version);
    const known = this.#touch(key);
    if (known !== undefined) return this.#using(known, use);
    const generation = this.#generation;
    const found = await this.requireMaterial(stored, version);
    const unwrap = (kek: Handle): T => {
      const again = this.#touch(key);
      if (again !== undefined) return this.#using(again, use);
      if (this.#handles.size >= this.#parts.handleLimit) this.evict();
      const handle = this.#unwrap(kek, found);
      if (generation === this.#generation && exception === undefined) {
        this.#handles.set(key, handle);
        return this.#using(handle, use);
      }
      // Something was restricted while this was read. This use began before; there won't be another.
      try {
        return use(handle);
      } finally {
        this.#parts.vault.dispose(handle);
      }
    };
    return this.useWrapping(stored.record.wrappedBy, found.kekVersion, unwrap, exception);
  }

  /** A handle at hand, marked as the most recently used one: a Map iterates in order of insertion. */
  #touch(key: string): Handle | undefined {
    const handle = this.#handles.get(key);
    if (handle === undefined) return undefined;
    this.#handles.delete(key);
    this.#handles.set(key, handle);
    return handle;
  }

  #unwrap(kek: Handle, found: FoundMaterial): Handle {
    const { attributes, wrapped } = splitMaterial(found.entry.key, found.body);
    try {
      return this.#parts.vault.unwrap(kek, attributes, wrapped);
    } catch (cause) {
      if (!isKeyloomError(cause, "CORE_AUTHENTICATION_FAILED")) throw cause;
      throw new KeyloomError("STORE_DAMAGED", { message: "wrapped material does not open", cause });
    }
  }

  #using<T>(handle: Handle, use: (handle: Handle) => T): T {
    this.#inUse.push(handle);
    try {
      return use(handle);
    } finally {
      this.#inUse.pop();
    }
  }

  /**
   * Makes room: wipes the least recently used key that is not in use. What the ring holds can be unwrapped again; the
   * root key, and keys that streams hold, are not in it.
   *
   * @returns `false` where there is none
   */
  evict(): boolean {
    // A Map iterates in order of insertion, and `#touch` inserts anew.
    for (const [key, handle] of this.#handles) {
      if (this.#inUse.includes(handle)) continue;
      this.#release(key, handle);
      return true;
    }
    return false;
  }

  /** Runs `use` with the handle of a wrapping-key version, checked to be allowed to unwrap. See {@link use}. */
  async useWrapping<T>(
    kek: Id,
    kekVersion: number,
    use: (handle: Handle) => T,
    exception?: UseException,
  ): Promise<T> {
    if (equalBytes(kek, ROOT_ID)) return use(this.#parts.root.handle);
    const stored = await this.#requireWrappingKey(kek);
    const row = stored.record.versions.find((version) => version.version === kekVersion);
    if (row === undefined) {
      throw new KeyloomError("STORE_DAMAGED", {
        message: "material lies under a version that doesn't exist",
      });
    }
    const { storage, records } = this.#parts;
    const suspendedAt =
      exception?.evidence === undefined ? undefined : await suspensionOf(storage, records, kek, row);
    requireUsable(stored.record, row, "unwrap", this.#timeOf(stored), TRUSTED, { ...exception, suspendedAt });
    return this.use(stored, kekVersion, use, exception);
  }

  #timeOf({ record }: StoredKey): number {
    return Math.max(this.#parts.clock.now(), record.time, this.#parts.mark.time);
  }

  /**
   * Runs `use` with the handles of two versions of a wrapping key, the first checked to be allowed to unwrap. Away from a
   * compromised one is always allowed.
   *
   * @throws {KeyloomError} when the two don't stay at hand together: `STORE_CONFLICT` where their key keeps changing,
   * `CORE_SLOTS_EXHAUSTED` where there is no room for both
   */
  async usePair<T>(
    stored: StoredKey,
    from: number,
    to: number,
    use: (from: Handle, to: Handle) => T,
  ): Promise<T> {
    const { id, versions } = stored.record;
    const row = versions.find(({ version }) => version === from);
    const compromised =
      row !== undefined && effectiveState(row.state, row.dates, this.#timeOf(stored)) === "compromised";
    const generation = this.#generation;
    for (let attempt = 0; attempt < PAIR_ATTEMPTS; attempt++) {
      await this.use(stored, to, () => undefined);
      const both = (first: Handle): { result: T } | null => {
        const second = this.#touch(handleKey(id, to));
        if (second === undefined) return null;
        return { result: this.#using(second, () => use(first, second)) };
      };
      const outcome = await this.useWrapping(id, from, both, compromised ? { recovery: true } : undefined);
      if (outcome !== null) return outcome.result;
    }
    if (generation === this.#generation) {
      throw new KeyloomError("CORE_SLOTS_EXHAUSTED", { message: "the vault has no room for two more keys" });
    }
    throw new KeyloomError("STORE_CONFLICT", { message: "the wrapping key keeps changing; try again" });
  }

  async #requireWrappingKey(kek: Id): Promise<StoredKey> {
    const stored = await this.lookupId(kek);
    if (stored === null)
      throw new KeyloomError("STORE_DAMAGED", { message: "a wrapping key's record is missing" });
    return stored;
  }

  /** The versions of a wrapping key that may hold material, newest first. */
  async wrappingVersions(kek: Id): Promise<number[]> {
    if (equalBytes(kek, ROOT_ID)) return [this.#parts.root.version];
    const stored = await this.#requireWrappingKey(kek);
    return stored.record.versions
      .filter((version) => version.state !== "destroyed" && version.state !== "destroyed-compromised")
      .map((version) => version.version)
      .reverse();
  }

  /**
   * Finds a version's material under the live versions of its wrapping key, in one snapshot.
   *
   * Others may give the wrapping key a new version and move the material there between the reading of its record and
   * that snapshot. So a miss counts only where the record, read anew, is still the one whose versions were asked.
   *
   * @returns `null` where no live version holds it
   * @throws {KeyloomError} `STORE_CONFLICT` where the wrapping key changes at every look
   */
  async findMaterial({ record }: StoredKey, version: number): Promise<FoundMaterial | null> {
    const { storage, records } = this.#parts;
    const { id, wrappedBy } = record;
    let asked: string | null = null;
    for (let attempt = 0; attempt < FIND_ATTEMPTS; attempt++) {
      const versions = await this.wrappingVersions(wrappedBy);
      const state = versions.join();
      if (state === asked) return null;
      const paths = versions.map((kekVersion) => keyspace.material(wrappedBy, kekVersion, id, version));
      const entries = await storage.getMany(paths);
      const index = entries.findIndex((entry) => entry !== null);
      if (index >= 0) {
        const entry = entries[index]!;
        const { revision, body } = records.open([entry])[0]!;
        return { entry, revision, body, kekVersion: versions[index]! };
      }
      asked = state;
      this.dropRecord(wrappedBy);
    }
    throw new KeyloomError("STORE_CONFLICT", {
      message: "others keep replacing the wrapping key; try again",
      keyId: idToString(id),
      version,
    });
  }

  async requireMaterial(stored: StoredKey, version: number): Promise<FoundMaterial> {
    const found = await this.findMaterial(stored, version);
    if (found !== null) return found;
    throw new KeyloomError("KEY_MATERIAL_MISSING", {
      message: `the material of version ${version} is missing from the store, or was destroyed with its wrapping key`,
      keyId: idToString(stored.record.id),
      version,
    });
  }

  /** Forgets a cached record only, keeping handles: it will be read anew. */
  dropRecord(id: Id): void {
    this.#generation++;
    for (const [reference, stored] of this.#byReference) {
      if (equalBytes(stored.record.id, id)) this.#byReference.delete(reference);
    }
  }
}

function handleKey(id: Id, version: number): string {
  return `${toHex(id)}/${version}`;
}
