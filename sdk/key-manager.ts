/**
 * The high-level door. Clock, randomness and storage enter here; the rooms behind it get them as arguments.
 */
import { fromHex, toHex } from "./foundation/bytes.js";
import { DAY, MAX_TIME, systemClock, type Clock } from "./foundation/clock.js";
import { KeyloomError } from "./foundation/errors.js";
import { idGenerator, idToString, isIdText, parseId, type Id } from "./foundation/ids.js";
import { hostRandom, type RandomSource } from "./foundation/random.js";
import { ALGORITHMS, requireAlgorithm } from "./crypto/algorithms.js";
import { loadCoreWith, type Core } from "./crypto/core.js";
import { ROOT_ID } from "./crypto/material.js";
import { evicting } from "./crypto/slots.js";
import {
  PROFILES,
  REVOCATION_REASON_NAMES,
  REVOCATION_REASONS,
  revocationEvent,
  type Profile,
  type RevocationReason,
  type State,
} from "./lifecycle/states.js";
import type { EvidenceKind } from "./lifecycle/permits.js";
import type { Usage } from "./lifecycle/limits.js";
import { validAt, type Validity } from "./lifecycle/valid-at.js";
import type { Policy, Principal } from "./policy/model.js";
import type { StorageAdapter } from "./storage/adapter.js";
import type { EntityInfo } from "./entities/view.js";
import { readPolicies } from "./governance/policy-record.js";
import type { Proposal } from "./governance/proposal-record.js";
import type { ProposedRequest } from "./governance/requests.js";
import type { PolicyVersion, ProposalInfo } from "./governance/view.js";
import { checkTags } from "./keys/names.js";
import type { Revocation } from "./keys/versions.js";
import { KeyRing } from "./keys/keyring.js";
import { decodeCursor, encodeCursor, listDue, listKeys, type KeyFilter } from "./keys/listing.js";
import type { StoredKey } from "./keys/reads.js";
import { readPast } from "./keys/past.js";
import { readUsage } from "./keys/store-records.js";
import { requireVersion } from "./keys/use.js";
import { viewOfKey, type Key } from "./keys/view.js";
import type { AuditEntry } from "./audit/view.js";
import {
  deactivateAll,
  destroyAll,
  revokeAll,
  type AllVersionsOption,
  type DeactivateAllSummary,
  type DestroyAllOptions,
  type DestroyAllSummary,
  type RevokeAllSummary,
} from "./commands/all-versions.js";
import { agree, checkAgreement, type AgreeOptions } from "./commands/agree.js";
import { changeState, readForChange } from "./commands/change-state.js";
import {
  checkCreateOptions,
  checkTime,
  createKey,
  importedFrom,
  type CreateOptions,
} from "./commands/create.js";
import { confirmClock } from "./commands/clock.js";
import { evidenceOf } from "./commands/exceptions.js";
import {
  publicKeyOf,
  sign,
  verify,
  type PublicKey,
  type Signature,
  type Verification,
  type VerifyOptions,
} from "./commands/signatures.js";
import { createMany, MAX_ITEMS, type CreateManySummary } from "./commands/create-many.js";
import { DenialAudit } from "./commands/denials.js";
import { destroyVersion, type DestroyOptions } from "./commands/destroy.js";
import type { ApprovalOption, ApproveOptions, ProposeOptions } from "./commands/approve.js";
import { Authority } from "./commands/authority.js";
import { authorize, commandTime, decide, type StoreContext } from "./commands/execute.js";
import { exportCleartext } from "./commands/export.js";
import type { GovernOptions, RegisterOptions } from "./commands/govern.js";
import { Job, type JobControl, type JobOptions } from "./commands/jobs.js";
import { checkDates, setDates, type DatesOptions } from "./commands/set-dates.js";
import type { AuditCheckpoint } from "./commands/checkpoint.js";
import type {
  AuditConsistency,
  AuditProof,
  AuditReport,
  VerifyAuditOptions,
} from "./commands/verify-audit.js";
import type { SequenceSummary } from "./commands/sequence.js";
import { sweep, type SweepSummary } from "./commands/sweep.js";
import { UsageLedger } from "./commands/usage.js";
import { UseAudit } from "./commands/use-audit.js";
import { changeAll, setArchived } from "./commands/whole-key.js";
import type { UnlockMethod } from "./unlock/methods.js";
import { openStore, readSlots } from "./unlock/open-store.js";
import {
  decryptMessage,
  decryptStream,
  encryptMessage,
  encryptStream,
  recoverMessage,
  type EncryptStreamOptions,
  type MessageOptions,
  type RecoveredMessage,
  type RecoverOptions,
} from "./messages/messages.js";
import type { AgeSource } from "./messages/age/byte-source.js";
import type { ReportEntry } from "./commands/report.js";
import { rewrapKey, type RewrapSummary } from "./rotation/rewrap.js";
import { rotateKey, type RotateOptions } from "./rotation/rotate.js";

/** A key by its id (a UUID), by its name, or as the object that another call returned. */
export type KeyReference = string | { readonly id: string };

export interface OpenOptions {
  storage: StorageAdapter;
  /** `passphrase(…)` or `rawKey(…)`. */
  unlock: UnlockMethod;
  /**
   * `true` (the default): initialise an empty store. `false`: never do, fail with `STORE_NOT_FOUND`. `"new"`: only make
   * a new store, fail with `STORE_EXISTS` where there is one.
   */
  create?: boolean | "new" | undefined;
  /**
   * Milliseconds within which a restriction made by another process takes effect here. Default 1000; 0 looks at
   * the store at every use.
   */
  freshness?: number | undefined;
  /** The id of a registered entity: the manager acts as it. Default: as the store's owner. See `as`. */
  as?: string | undefined;
  /** `kmip-2.1`: only the transitions that KMIP numbers: no suspending, and what follows from it. */
  profile?: Profile | undefined;
}

/** What tests may replace. Not re-exported by the package's main entry. */
export interface Internals {
  clock?: Clock;
  random?: RandomSource;
  /** `false`: the scalar build of the core. */
  simd?: boolean;
}

export interface CreateKeyOptions extends CreateOptions {
  /** The wrapping key. Default: the root key. */
  under?: KeyReference | undefined;
}

export interface ImportOptions extends CreateKeyOptions {
  /** Of a pair: the public key that is said to belong to it, 32 bytes. */
  publicKey?: Uint8Array | undefined;
}

export interface AgreeKeyOptions extends AgreeOptions {
  /** As of `create`. */
  under?: KeyReference | undefined;
}

export interface DecryptStreamOptions {
  /** The managed X25519 pair to whose public half the file is encrypted, by this library or by age itself. */
  identity?: KeyReference | undefined;
}

export interface CreateManyOptions extends Omit<CreateKeyOptions, "name">, JobOptions {}

export interface VersionOption {
  /** The version meant. May be left out where the key has only one. */
  version?: number | undefined;
}

export interface RevokeReasonOptions {
  reason: RevocationReason;
  /** For compromise reasons: when it happened, as far as is known. Default: any time since the version was made. */
  occurrence?: Date | undefined;
}

export interface RevokeOptions extends RevokeReasonOptions, VersionOption, ApprovalOption {}

export interface RevokeAllOptions extends RevokeReasonOptions, AllVersionsOption {}

export interface DestroyOutcome {
  key: Key;
  version: number;
  /** `deleted`: gone from the store, but not from its old pages, logs and backups; `cryptographic`: from those too. */
  erasure: "deleted" | "cryptographic";
  /** How many keys became unreadable with it (`cryptoShred`). */
  shredded: number;
}

export interface ListOptions {
  tag?: string | undefined;
  /** Some version is in this state. */
  state?: State | undefined;
  /** Some version's material lies under this wrapping key. */
  under?: KeyReference | undefined;
  /** The owner entity's id. */
  owner?: string | undefined;
  algorithm?: string | undefined;
  archived?: boolean | undefined;
  /** Some version is exposed. */
  exposed?: true | undefined;
  /** At most so many keys, 1 to 1000. Default 100. */
  limit?: number | undefined;
  /** The `cursor` of the page before. */
  cursor?: string | undefined;
}

export interface KeyPage {
  keys: Key[];
  /** Pass it on for the next page; `null` after the last. A page may be short, and even empty, before that. */
  cursor: string | null;
}

export interface DueOptions {
  /** From this date on; default: from the first. */
  from?: Date | undefined;
  /** Up to this date; default: to the last. */
  until?: Date | undefined;
  /** At most so many, 1 to 1000. Default 100. */
  limit?: number | undefined;
  /** The `cursor` of the page before. */
  cursor?: string | undefined;
}

export interface DueDates {
  due: { at: Date; version: number; key: Key }[];
  /** As of `KeyPage`. */
  cursor: string | null;
}

/** So many audit entries of its own wait before a manager moves them to the log. */
const SEQUENCE_AT = 256;
export interface ReportOptions {
  /** How many days ahead a date counts as due. Default 30. */
  withinDays?: number | undefined;
}

const DEFAULT_PAGE = 100;
const MAX_WITHIN_DAYS = 36_525;
const DEFAULT_FRESHNESS_MS = 1000;
/** Of the core's 1024 slots, at most so many hold cached keys; the rest is for keys in flight. Streams may take more. */
const CACHED_HANDLES = 768;

function referenceOf(key: KeyReference): string {
  const reference = typeof key === "string" ? key : key?.id;
  if (typeof reference !== "string")
    throw new TypeError("a key is named by its id, its name or a Key object");
  return reference;
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for an unknown reason, and for an occurrence beside a reason without one */
function revocationOf({ reason, occurrence }: RevokeReasonOptions): Revocation {
  if (typeof reason !== "string" || !Object.hasOwn(REVOCATION_REASONS, reason)) {
    throw new KeyloomError("KEY_INVALID_OPTION", {
      message: `reason is one of ${REVOCATION_REASON_NAMES.join(", ")}`,
    });
  }
  if (occurrence !== undefined && revocationEvent(reason) === "revoke") {
    throw new KeyloomError("KEY_INVALID_OPTION", {
      message: `an occurrence date goes with a compromise, not with ${reason}`,
    });
  }
  return { reason, occurrence: checkTime(occurrence, "occurrence") };
}

/** @throws {KeyloomError} `KEY_INVALID_OPTION` for other `versions` than "all", and for a version beside them */
function isForAll<T extends AllVersionsOption>(options: VersionOption | T): options is T {
  const { version, versions } = options as VersionOption & Partial<AllVersionsOption>;
  if (versions === undefined) return false;
  if (versions === "all" && version === undefined) return true;
  throw new KeyloomError("KEY_INVALID_OPTION", {
    message: 'name one version, or ask for versions: "all"',
  });
}

/** What services with an entry point of their own are given of a manager. Not re-exported by the package's main entry. */
export interface Service {
  context: StoreContext;
  /** Runs what `close` waits for. */
  use<T>(run: (context: StoreContext) => Promise<T>): Promise<T>;
  /** Starts a job that `close` cancels and waits for. */
  job<S>(options: JobOptions, run: (control: JobControl, id: Id) => Promise<S>): Job<S>;
}

/** @throws {KeyloomError} `STORE_CLOSED` */
export let serviceOf: (keys: KeyManager) => Service;
/** An entity by its id (a UUID), or as the object that another call returned. */
export type EntityReference = string | { readonly id: string };

function entityOf(entity: EntityReference): Id {
  const id = typeof entity === "string" ? entity : entity?.id;
  if (typeof id !== "string") throw new TypeError("an entity is named by its id or by an object that has it");
  if (isIdText(id)) return parseId(id);
  throw new KeyloomError("ENTITY_NOT_FOUND", { message: "an entity's id is a lower-case UUID" });
}

/** At most so many versions of the policy are shown. */
const MAX_POLICIES = 100;
const MAX_PROPOSALS = 100;

/** An open store: everything that can be done with its keys. */
export class KeyManager {
  static {
    serviceOf = (keys) => ({
      context: keys.#open(),
      use: (run) => keys.#use(run),
      job: (options, run) => keys.#job(options, run),
    });
  }

  readonly #context: StoreContext;
  readonly #core: Core;
  /** The manager that was opened, where this one acts as another entity: what is open, running and closed is its. */
  readonly #base: KeyManager;
  readonly #running = new Set<Job<unknown>>();
  /** Set by `close`: settled once everything is closed. */
  #closing: Promise<void> | null = null;
  /** How many calls are under way, and what to do when it is none. */
  #uses = 0;
  #onIdle: (() => void) | null = null;
  /** Audit entries on their way to the log, and how many this manager had written when the last ones were. */
  #sequencing: Promise<void> | null = null;
  #sequencedAt = 0;

  /** @internal Managers are made by `open`. */
  constructor(core: Core, context: StoreContext, base?: KeyManager) {
    this.#core = core;
    this.#base = base ?? this;
    this.#context = context;
  }

  /**
   * Opens a store, and initialises an empty one unless `create` is false.
   *
   * The manager owns the adapter from here on: `close` closes it, and so does a failed `open`.
   *
   * @throws {KeyloomError} `UNLOCK_FAILED` for a wrong secret; `STORE_NOT_FOUND`, `STORE_DAMAGED`,
   * `STORE_NEWER_FORMAT`; `CORE_NO_RANDOM` and `CORE_UNSUPPORTED` where the host lacks what the core needs
   */
  static open(options: OpenOptions): Promise<KeyManager> {
    return openWith(options, {});
  }

  /**
   * Generates a key.
   *
   * @throws {KeyloomError} `KEY_NAME_TAKEN`, `KEY_INVALID_NAME`, `KEY_ALGORITHM_NOT_SUPPORTED`, `KEY_USAGE_CONFLICT`,
   * `KEY_INVALID_OPTION`; for `under`, `KEY_NOT_FOUND` and `KEY_NOT_USABLE`
   */
  create(options: CreateKeyOptions): Promise<Key> {
    return this.#use(async (context) => {
      const checked = checkCreateOptions(options);
      return this.#view(await createKey(context, checked, await this.#wrappingId(options.under)));
    });
  }

  /**
   * Generates many keys of one kind, in batches that are committed one by one. Await the job, or iterate over its
   * progress. The keys have no names; `get(…).origin` has the job's id and each key's number in it.
   *
   * @throws {KeyloomError} through the job: as `create`, and `JOB_CANCELLED`, `JOB_REQUEST_MISMATCH`
   */
  createMany(count: number, options: CreateManyOptions): Job<CreateManySummary> {
    const context = this.#open();
    if (!Number.isInteger(count) || count < 1 || count > MAX_ITEMS) {
      throw new KeyloomError("KEY_INVALID_OPTION", { message: `count must be from 1 to ${MAX_ITEMS}` });
    }
    const checked = checkCreateOptions({ ...options, name: undefined });
    return this.#job(options, async (control, job) => {
      const kek = await this.#wrappingId(options.under);
      return { job: idToString(job), created: await createMany(context, control, job, checked, kek, count) };
    });
  }

  /**
   * Takes over a key that was made elsewhere, marked `imported`.
   *
   * @param material - the raw bytes of a symmetric key, the seed of an Ed25519 key or the scalar of an X25519 key
   * (`keyloom/key-formats` takes them out of PKCS#8 and JWK). Read once, not modified, yours to wipe.
   * @throws {KeyloomError} as `create`; `KEY_INVALID_OPTION` for a wrong length, and for another public key than its own
   */
  import(material: Uint8Array, options: ImportOptions): Promise<Key> {
    return this.#use(async (context) => {
      const checked = checkCreateOptions(options);
      const source = importedFrom(context, checked, material, options.publicKey);
      return this.#view(await createKey(context, checked, await this.#wrappingId(options.under), source));
    });
  }

  /**
   * Copies a version's material out of the core, in clear: the dangerous way. The version is marked `exposed` first, and
   * so is everything under it.
   *
   * @returns yours to wipe
   * @throws {KeyloomError} `CORE_NOT_EXPORTABLE` unless the key was made exportable; `KEY_NOT_FOUND`, `KEY_NOT_USABLE`
   */
  exportInsecureCleartext(
    key: KeyReference,
    options: VersionOption & ApprovalOption = {},
  ): Promise<Uint8Array> {
    const [reference, { version }] = [referenceOf(key), options];
    return this.#approved(
      options,
      () => ({ operation: "export", key: reference, version }),
      (context, exact = version) => exportCleartext(context, reference, exact),
    );
  }

  /**
   * How much of its usage limits a version has spent. What any open manager has reserved counts, used or not, until that
   * manager is closed.
   *
   * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_VERSION_NOT_FOUND`
   */
  usage(key: KeyReference, version: number): Promise<Usage> {
    return this.#use(async (context) => {
      const { record } = await context.ring.require(referenceOf(key));
      authorize(context, "read", record);
      requireVersion(record, version);
      return (await readUsage(context.storage, context.records, record.id, version)).spent;
    });
  }

  /**
   * Was a version allowed to protect at a time? Answered from its history: states, dates, archiving, and a compromise by
   * when it happened, not by when it was learned.
   *
   * @param evidence - how the time is known. Default `assertion`, which is not enough for a version that was compromised.
   * @throws {KeyloomError} `KEY_INVALID_OPTION` for a time that lies ahead; `KEY_NOT_FOUND`, `KEY_VERSION_NOT_FOUND`,
   * `STORE_DAMAGED` where history is missing
   */
  validAt(
    key: KeyReference,
    version: number,
    time: Date,
    evidence: EvidenceKind = "assertion",
  ): Promise<Validity> {
    return this.#use(async (context) => {
      const given = evidenceOf({ kind: evidence, time })!;
      const { record } = await readForChange(context, referenceOf(key));
      authorize(context, "read", record);
      if (given.time > commandTime(context, record.time)) {
        throw new KeyloomError("KEY_INVALID_OPTION", { message: "nobody knows yet: the time lies ahead" });
      }
      const row = requireVersion(record, version);
      return validAt(await readPast(context.storage, context.records, record, row), given);
    });
  }

  /** A key's metadata. `null`: there is no such key. A destroyed key is found for ever. */
  get(key: KeyReference): Promise<Key | null> {
    return this.#use(async (context) => {
      const stored = await context.ring.lookup(referenceOf(key));
      if (stored === null) return null;
      authorize(context, "read", stored.record);
      return this.#view(stored);
    });
  }

  /**
   * One page of keys, oldest first. It examines at most 10,000 entries of an index, so that it may be short.
   *
   * @throws {KeyloomError} `KEY_INVALID_OPTION` for an unknown state, a limit out of range or a foreign cursor;
   * `KEY_ALGORITHM_NOT_SUPPORTED`; for `under`, `KEY_NOT_FOUND`
   */
  list(options: ListOptions = {}): Promise<KeyPage> {
    return this.#use((context) => this.#list(context, options));
  }

  async #list(context: StoreContext, options: ListOptions): Promise<KeyPage> {
    await context.ring.refresh();
    const { tag, state, under, owner, algorithm, archived, exposed, cursor } = options;
    const wrapping =
      under === undefined ? undefined : (await context.ring.require(referenceOf(under))).record;
    const filter: KeyFilter = {
      tag: tag === undefined ? undefined : checkTags([tag])[0],
      state,
      owner: owner === undefined ? undefined : parseId(owner),
      wrappedBy: wrapping && { id: wrapping.id, versions: wrapping.versions.map(({ version }) => version) },
      algorithm: algorithm === undefined ? undefined : ALGORITHMS[requireAlgorithm(algorithm)].id,
      archived,
      exposed,
    };
    const { storage, records, sha256 } = context;
    // Every page of a listing evaluates states at the time of the first.
    const position =
      cursor === undefined
        ? { time: commandTime(context) }
        : decodeCursor(bytesOfCursor(cursor), filter, sha256);
    const page = await listKeys(storage, records, filter, position, options.limit ?? DEFAULT_PAGE);
    return {
      keys: page.keys.filter(mayRead(context)).map(({ record }) => viewOfKey(record, position.time)),
      cursor: page.next === null ? null : toHex(encodeCursor(page.next, filter, sha256)),
    };
  }

  /**
   * One page of the dates that will move a version's state, or have and wait for a sweep, in their order.
   *
   * @throws {KeyloomError} `KEY_INVALID_OPTION` for a limit out of range or a foreign cursor
   */
  due(options: DueOptions = {}): Promise<DueDates> {
    return this.#use(async (context) => {
      await context.ring.refresh();
      const { storage, records } = context;
      const from = checkTime(options.from, "from") ?? 0;
      const until = checkTime(options.until, "until") ?? MAX_TIME;
      const after = options.cursor === undefined ? undefined : bytesOfCursor(options.cursor);
      const page = await listDue(storage, records, { from, until }, options.limit ?? DEFAULT_PAGE, after);
      return {
        due: page.due
          .filter(({ stored }) => mayRead(context)(stored))
          .map(({ at, version, stored }) => ({ at: new Date(at), version, key: this.#view(stored) })),
        cursor: page.next === null ? null : toHex(page.next),
      };
    });
  }

  /**
   * Encrypts a message of at most 1 MiB under the key's current version. Longer data: `encryptStream`.
   *
   * @returns an envelope, 93 bytes longer than `plaintext`; it names its key, so `decrypt` needs none
   */
  encrypt(key: KeyReference, plaintext: Uint8Array, options: MessageOptions = {}): Promise<Uint8Array> {
    return this.#use((context) => encryptMessage(context, referenceOf(key), plaintext, options));
  }

  /**
   * Opens an envelope with the key version that it names.
   *
   * @throws {KeyloomError} `MESSAGE_AUTHENTICATION_FAILED`, one code whatever was changed; `MESSAGE_MALFORMED`;
   * `KEY_NOT_FOUND`, `KEY_NOT_USABLE`, `KEY_DESTROYED`
   */
  decrypt(sealed: Uint8Array, options: MessageOptions = {}): Promise<Uint8Array> {
    return this.#use((context) => decryptMessage(context, sealed, options));
  }

  /**
   * Opens an envelope although its version is suspended (with evidence that the message was made before) or compromised
   * (with `recovery`, to protect it anew). The use is audited, with the evidence.
   *
   * @throws {KeyloomError} as `decrypt`; the reason of `KEY_NOT_USABLE` says what is still needed
   */
  recoverMessage(sealed: Uint8Array, options: RecoverOptions = {}): Promise<RecoveredMessage> {
    return this.#use((context) => recoverMessage(context, sealed, options));
  }

  /**
   * Encrypts data of any length as an age v1 file; to an X25519 pair's public half, as a recipient of age. A refusal fails the stream when it is first read, and so does closing
   * the manager before its end (`STORE_CLOSED`). An open stream holds one of the core's 1024 slots: about a thousand can
   * be open at once, then the next one is refused (`CORE_SLOTS_EXHAUSTED`).
   */
  encryptStream(
    key: KeyReference,
    source: AgeSource,
    options: EncryptStreamOptions = {},
  ): ReadableStream<Uint8Array> {
    return encryptStream(this.#open(), referenceOf(key), source, options, () => this.#open());
  }

  /**
   * Decrypts an age v1 file made by `encryptStream`, or encrypted to the public half of a managed X25519 pair, armored or not. Every chunk is authentic when it leaves, but only the end of
   * the stream says that nothing is missing: use what was read only after that.
   */
  decryptStream(source: AgeSource, options: DecryptStreamOptions = {}): ReadableStream<Uint8Array> {
    const identity = options.identity === undefined ? undefined : referenceOf(options.identity);
    return decryptStream(this.#open(), source, { identity }, () => this.#open());
  }

  /**
   * Signs a message of at most 1 MiB with the key's current version.
   *
   * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_NOT_USABLE`, `KEY_DESTROYED`, `MESSAGE_TOO_LARGE`
   */
  sign(key: KeyReference, message: Uint8Array): Promise<Signature> {
    return this.#use((context) => sign(context, referenceOf(key), message));
  }

  /**
   * Verifies a signature with a key's public half, which outlives the private one. It is fulfilled only where the signature
   * is valid, with the version's state and dates as they are by now. A suspended version needs `acceptSuspended` and evidence
   * that the message was signed before, a compromised one trusted evidence; such a use is audited.
   *
   * @throws {KeyloomError} `SIGNATURE_INVALID`; `KEY_NOT_USABLE`, whose reason says what is needed; `KEY_NOT_FOUND`,
   * `KEY_VERSION_NOT_FOUND`
   */
  verify(
    key: KeyReference,
    message: Uint8Array,
    signature: Uint8Array,
    options: VerifyOptions = {},
  ): Promise<Verification> {
    return this.#use((context) => verify(context, referenceOf(key), message, signature, options));
  }

  /**
   * Agrees on a new managed key with the holder of an X25519 public key, who comes to the same key with this pair's public
   * half, the same info, algorithm, usages and exportability. What they share never leaves the core. The new key may do what
   * the pair's usages name beside `agree`.
   *
   * @param theirPublicKey - 32 bytes (RFC 7748). Whose it is, is for the caller to know.
   * @throws {KeyloomError} as `create`; `KEY_NOT_FOUND`, `KEY_NOT_USABLE`, `KEY_DESTROYED`; `CORE_WEAK_PUBLIC_KEY`
   */
  agree(key: KeyReference, theirPublicKey: Uint8Array, options: AgreeKeyOptions): Promise<Key> {
    return this.#use(async (context) => {
      const checked = checkCreateOptions(options);
      const info = checkAgreement(theirPublicKey, options);
      const kek = await this.#wrappingId(options.under);
      const { version } = options;
      return this.#view(await agree(context, referenceOf(key), theirPublicKey, info, checked, kek, version));
    });
  }

  /**
   * The public half of a pair's version, in whatever state it is. Default: the current version, else the newest.
   *
   * @throws {KeyloomError} `KEY_NOT_FOUND`, `KEY_VERSION_NOT_FOUND`; `KEY_USAGE_CONFLICT` for a key that is no pair
   */
  publicKey(key: KeyReference, options: VersionOption = {}): Promise<PublicKey> {
    return this.#use((context) => publicKeyOf(context, referenceOf(key), options.version));
  }

  /** Activates the newest version that waits for it. */
  activate(key: KeyReference, options: VersionOption = {}): Promise<Key> {
    const { version } = options;
    return this.#viewOf((context) =>
      changeState(context, referenceOf(key), { operation: "activate" }, version),
    );
  }

  /** Suspends every active version: nothing can be used until `resume`. */
  suspend(key: KeyReference): Promise<Key> {
    return this.#viewOf((context) => changeAll(context, referenceOf(key), "suspend"));
  }

  /** Makes every suspended version active again. */
  resume(key: KeyReference): Promise<Key> {
    return this.#viewOf((context) => changeAll(context, referenceOf(key), "resume"));
  }

  /** Archives the key: its material can't be used or got until `recover`; its metadata are there as before. */
  archive(key: KeyReference): Promise<Key> {
    return this.#viewOf((context) => setArchived(context, referenceOf(key), "archive"));
  }

  /** Brings an archived key back. */
  recover(key: KeyReference, options: ApprovalOption = {}): Promise<Key> {
    const reference = referenceOf(key);
    return this.#approved(
      options,
      () => ({ operation: "recover", key: reference }),
      async (context) => this.#view(await setArchived(context, reference, "recover")),
    );
  }

  /**
   * Ends the protecting of every version that is active, oldest first. Others are skipped.
   *
   * @throws {KeyloomError} through the job: `KEY_NOT_FOUND`, `JOB_CANCELLED`, `JOB_REQUEST_MISMATCH`
   */
  deactivate(key: KeyReference, options: AllVersionsOption): Job<DeactivateAllSummary>;
  /** Ends a version's protecting; what it protected can still be processed. */
  deactivate(key: KeyReference, options?: VersionOption): Promise<Key>;
  deactivate(
    key: KeyReference,
    options: VersionOption | AllVersionsOption = {},
  ): Promise<Key> | Job<DeactivateAllSummary> {
    if (!isForAll(options)) {
      const { version } = options;
      return this.#viewOf((context) =>
        changeState(context, referenceOf(key), { operation: "deactivate" }, version),
      );
    }
    const context = this.#open();
    const reference = referenceOf(key);
    return this.#job(options, (control, job) => deactivateAll(context, control, job, reference));
  }

  /**
   * Revokes every version for which it is allowed, oldest first, as a job. Others are skipped.
   *
   * @throws {KeyloomError} through the job: `KEY_NOT_FOUND`, `JOB_CANCELLED`, `JOB_REQUEST_MISMATCH`
   */
  revoke(key: KeyReference, options: RevokeAllOptions): Job<RevokeAllSummary>;
  /**
   * Revokes a version. `key-compromise` and `ca-compromise` lead to compromised, from wherever it is, and mark everything
   * that was ever wrapped under it as exposed; every other reason ends its protecting, as `deactivate` does.
   *
   * @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED`, `KEY_INVALID_OPTION`, `KEY_NOT_FOUND`
   */
  revoke(key: KeyReference, options: RevokeOptions): Promise<Key>;
  revoke(key: KeyReference, options: RevokeOptions | RevokeAllOptions): Promise<Key> | Job<RevokeAllSummary> {
    const revocation = revocationOf(options);
    const reference = referenceOf(key);
    if (!isForAll(options)) {
      const { version, reason, occurrence } = options;
      return this.#approved(
        options,
        () => ({ operation: "revoke", key: reference, version, reason, occurrence }),
        async (context, exact = version) =>
          this.#view(await changeState(context, reference, { operation: "revoke", revocation }, exact)),
      );
    }
    const context = this.#open();
    return this.#job(options, (control, job) => revokeAll(context, control, job, reference, revocation));
  }

  /**
   * Sets dates of a version, or with `null` takes them away, as far as they have not been reached.
   *
   * @throws {KeyloomError} `KEY_DATE_FROZEN` with the date; `KEY_INVALID_OPTION` for one in the past or out of order
   */
  setDates(key: KeyReference, dates: DatesOptions, options: VersionOption = {}): Promise<Key> {
    return this.#viewOf(async (context) =>
      setDates(context, referenceOf(key), checkDates(dates), options.version),
    );
  }

  /**
   * Makes durable what dates have brought about by now, everywhere in the store, and raises the store's mark: from here
   * on no clock that steps back takes it back. Everybody sees the same states before and after.
   *
   * @throws {KeyloomError} through the job: `CLOCK_AHEAD`, `JOB_CANCELLED`
   */
  sweep(options: JobOptions = {}): Job<SweepSummary> {
    const context = this.#open();
    return this.#job(options, (control, job) => sweep(context, control, job));
  }

  /**
   * Confirms that the clock is right although it is far ahead of all that the store knows: what `CLOCK_AHEAD` asks for.
   *
   * @returns the store's mark before and after
   */
  confirmClock(): Promise<{ from: Date; to: Date }> {
    return this.#use(async (context) => {
      const { from, to } = await confirmClock(context);
      return { from: new Date(from), to: new Date(to) };
    });
  }

  /** Adds a version with fresh material, which becomes the current one. The old version stays active. */
  rotate(key: KeyReference, options: RotateOptions = {}): Promise<Key> {
    return this.#viewOf((context) => rotateKey(context, referenceOf(key), options));
  }

  /**
   * Moves everything wrapped under old versions of a wrapping key to its current version, in batches.
   * Processes that are told the same `job` share it, each range of keys being one's at a time.
   *
   * @throws {KeyloomError} through the job: `KEY_NOT_FOUND`, `KEY_NOT_USABLE`, `STORE_DAMAGED`, `JOB_CANCELLED`
   */
  rewrap(key: KeyReference, options: JobOptions = {}): Job<RewrapSummary> {
    const context = this.#open();
    const reference = referenceOf(key);
    return this.#job(options, async (control, job) => {
      const stored = await context.ring.require(reference);
      return { job: idToString(job), rewrapped: await rewrapKey(context, control, job, stored) };
    });
  }

  /**
   * Destroys the material of every version that may be destroyed, oldest first. Active ones, and those destroyed
   * already, are skipped. Where keys still lie under any of them, nothing is destroyed.
   *
   * @throws {KeyloomError} through the job: `KEY_NOT_FOUND`, `KEY_HAS_DEPENDENTS` with the count of keys under all of
   * them together, `JOB_CANCELLED`, `JOB_REQUEST_MISMATCH`
   */
  destroy(key: KeyReference, options: DestroyAllOptions): Job<DestroyAllSummary>;
  /**
   * Destroys the material of a version, for ever. Its metadata stay.
   *
   * @throws {KeyloomError} `KEY_TRANSITION_NOT_ALLOWED` (an active version must be deactivated first),
   * `KEY_HAS_DEPENDENTS` with the count of keys still wrapped under it
   */
  destroy(key: KeyReference, options?: DestroyOptions): Promise<DestroyOutcome>;
  destroy(
    key: KeyReference,
    options: DestroyOptions | DestroyAllOptions = {},
  ): Promise<DestroyOutcome> | Job<DestroyAllSummary> {
    if (!isForAll(options)) {
      const { version, cryptoShred } = options;
      return this.#approved(
        options,
        () => ({ operation: "destroy", key: referenceOf(key), version, cryptoShred }),
        async (context, exact = version) => {
          const chosen = { version: exact, cryptoShred };
          const { stored, ...outcome } = await destroyVersion(context, referenceOf(key), chosen);
          return { key: this.#view(stored), ...outcome };
        },
      );
    }
    const context = this.#open();
    const reference = referenceOf(key);
    const cryptoShred = options.cryptoShred === true;
    return this.#job(options, (control, job) => destroyAll(context, control, job, reference, cryptoShred));
  }

  /**
   * Walks the whole audit and verifies it on the way: the log from its beginning, then what waits to be moved there.
   *
   * @throws {KeyloomError} `STORE_DAMAGED` where anything was changed, removed, put in or moved, at the latest at the end
   */
  async *audit(): AsyncGenerator<AuditEntry, void> {
    const { AuditWalk, viewOfEntry } = await this.#use(auditorsLog);
    for await (const link of this.#steps(new AuditWalk(this.#open()).entries())) yield viewOfEntry(link);
  }

  /**
   * What needs attention, of every key that may be read, oldest first: what is weaker than the policy in force demands, due,
   * expired, exposed, over-used. What is destroyed needs none.
   *
   * @throws {KeyloomError} `KEY_INVALID_OPTION`
   */
  async *report({ withinDays = 30 }: ReportOptions = {}): AsyncGenerator<ReportEntry, void> {
    if (!(Number.isInteger(withinDays) && withinDays >= 0 && withinDays <= MAX_WITHIN_DAYS)) {
      throw new KeyloomError("KEY_INVALID_OPTION", {
        message: `withinDays must be from 0 to ${MAX_WITHIN_DAYS}`,
      });
    }
    const context = this.#open();
    const { storage, vault, ring, storeId } = context;
    const slots = (): ReturnType<typeof readSlots> => readSlots(storage, vault, ring.root.handle, storeId);
    const { report } = await this.#use(governance);
    yield* this.#steps(report(context, withinDays * DAY, slots));
  }

  /** The newest audit entries, newest first. Authentic, but neither chains nor log are walked: `audit` does that. */
  auditTail(limit = 20): Promise<AuditEntry[]> {
    return this.#use(async (context) => {
      const { tailOfAudit, viewOfEntry } = await auditorsLog(context);
      return (await tailOfAudit(context, limit)).map(viewOfEntry);
    });
  }

  /**
   * Moves the audit entries of all writers into the one log. A manager does so by itself once 256 wait, behind its other
   * work; `checkpointAudit` and `exportAudit` do it first.
   *
   * @throws {KeyloomError} through the job: `STORE_DAMAGED` for a chain with a gap, `JOB_CANCELLED`
   */
  sequenceAudit(options: JobOptions = {}): Job<SequenceSummary> {
    const context = this.#open();
    return this.#job(options, async (control, job) => {
      const { sequencerOf } = await auditLog();
      return { job: idToString(job), ...(await sequencerOf(context).run(control)) };
    });
  }

  /**
   * Verifies the whole audit: that every writer's chain and the log are unbroken, and hold what checkpoints say. Give it a
   * checkpoint that was kept elsewhere, and it finds a store that was set back as a whole, too.
   *
   * @throws {KeyloomError} `STORE_DAMAGED` naming what is wrong; `AUDIT_CHECKPOINT_INVALID` for a wrong signature
   */
  verifyAudit(options: VerifyAuditOptions = {}): Promise<AuditReport> {
    return this.#use(async (context) => (await auditLog()).verifyAudit(context, options));
  }

  /**
   * Moves what waits to the log, and signs the log's size and root with an Ed25519 key pair of this store, made when it is
   * first needed. Where nothing has happened since, the last checkpoint is returned.
   */
  checkpointAudit(): Promise<AuditCheckpoint> {
    return this.#use(async (context) => {
      const { makeCheckpoint, viewOfCheckpoint } = await auditLog();
      return viewOfCheckpoint(context, await makeCheckpoint(context));
    });
  }

  /**
   * This manager, acting as a registered entity: what policy lets that entity do. The two share everything, and closing
   * either closes both. Nobody is asked who they are: who unlocked the store hands such managers out. One that acts as an
   * entity makes no others.
   *
   * @throws {KeyloomError} `ENTITY_NOT_FOUND`, also for a revoked one; `POLICY_DENIED` from a manager made this way
   */
  as(entity: EntityReference): Promise<KeyManager> {
    return this.#use(async (context) => {
      const id = entityOf(entity);
      if (this.#base !== this) {
        throw new KeyloomError("POLICY_DENIED", {
          message: "only the manager that was opened acts as others",
          rules: ["acts-as-an-entity"],
        });
      }
      await context.authority.admit(id);
      const principal: Principal = { entity: id, authenticated: "unlock" };
      return new KeyManager(this.#core, { ...context, principal }, this);
    });
  }

  /**
   * Proves that the entry at `index` stands in the log, by its latest checkpoint, or by a new one where that is older.
   *
   * @throws {KeyloomError} `AUDIT_ENTRY_NOT_FOUND`
   */
  proveAudit(index: number): Promise<AuditProof> {
    return this.#use(async (context) => (await auditLog()).proveAudit(context, index));
  }

  /**
   * Proves that the log of its latest checkpoint begins with the log as it was with `from` entries (RFC 6962 §2.1.2).
   *
   * @throws {KeyloomError} `AUDIT_ENTRY_NOT_FOUND` for a size that the log did not have
   */
  proveAuditConsistency(from: number): Promise<AuditConsistency> {
    return this.#use(async (context) => (await auditLog()).proveAuditConsistency(context, from));
  }

  /**
   * Makes a checkpoint and hands out all entries under it as JSON lines, each with its inclusion proof: docs/FORMATS.md says
   * what they hold. Lines come without their newlines.
   *
   * @throws {KeyloomError} as `verifyAudit`
   */
  async *exportAudit(): AsyncGenerator<string, void> {
    const { exportAudit } = await this.#use(auditLog);
    yield* this.#steps(exportAudit(this.#open()));
  }

  /**
   * Puts a policy in force, for every process within its freshness.
   *
   * @throws {KeyloomError} `POLICY_INVALID`; `POLICY_LOCKOUT` where by the new one you could never set another
   */
  setPolicy(policy: Policy, options: GovernOptions & ApprovalOption = {}): Promise<PolicyVersion> {
    return this.#approved(
      options,
      () => ({ operation: "set-policy", policy, force: options.force }),
      async (context) => {
        const { setPolicy, viewOfPolicy } = await governance();
        return viewOfPolicy(await setPolicy(context, policy, options));
      },
    );
  }

  /** The policies that were set, newest first, at most 100; the first is in force. Empty: the built-in one is. */
  policies(): Promise<PolicyVersion[]> {
    return this.#use(async (context) => {
      await context.ring.refresh();
      authorize(context, "read", null);
      const { viewOfPolicy } = await governance();
      return (await readPolicies(context.storage, context.records, MAX_POLICIES)).map(viewOfPolicy);
    });
  }

  /**
   * Registers somebody who can act, and with a public key approve. Its roles are for good: for others, register anew.
   *
   * @throws {KeyloomError} `POLICY_INVALID`, also for a public key that is registered already
   */
  registerEntity(options: RegisterOptions & ApprovalOption): Promise<EntityInfo> {
    return this.#approved(
      options,
      () => ({ ...options, operation: "register-entity" }),
      async (context) => {
        const { registerEntity, viewOfEntity } = await governance();
        return viewOfEntity(await registerEntity(context, options));
      },
    );
  }

  /**
   * Revokes an entity: it may nothing any more, its approvals don't count. Its keys stay.
   *
   * @throws {KeyloomError} `ENTITY_NOT_FOUND`, also for the owner; `POLICY_LOCKOUT` where nobody could change policy without it
   */
  revokeEntity(entity: EntityReference, options: GovernOptions & ApprovalOption = {}): Promise<EntityInfo> {
    return this.#approved(
      options,
      () => ({ operation: "revoke-entity", entity: idToString(entityOf(entity)), force: options.force }),
      async (context) => {
        const { revokeEntity, viewOfEntity } = await governance();
        return viewOfEntity(await revokeEntity(context, entityOf(entity), options));
      },
    );
  }

  /**
   * Proposes what policy permits only with approvals. Nothing happens by it: when enough of them are there, run the method
   * itself with `approval`, and exactly the same arguments.
   *
   * @throws {KeyloomError} as that method for what can't be meant; `KEY_INVALID_OPTION` for an expiry out of range
   */
  propose(request: ProposedRequest, options: ProposeOptions = {}): Promise<ProposalInfo> {
    return this.#use(async (context) => {
      const { propose } = await governance();
      return this.#proposal(await propose(context, request, options));
    });
  }

  /** Proposals, newest first, at most 100: open ones, and those that are spent or have expired. */
  proposals(): Promise<ProposalInfo[]> {
    return this.#use(async (context) => {
      await context.ring.refresh();
      authorize(context, "read", null);
      const { listProposals } = await governance();
      const found = await listProposals(context.storage, context.records, MAX_PROPOSALS);
      return Promise.all(found.map(({ proposal }) => this.#proposal(proposal)));
    });
  }

  /**
   * Adds an approval: an entity's Ed25519 signature over the proposal's `toSign`, made wherever its key is. The signature says who
   * approves, whoever brings it; it is verified now and when the proposal is spent.
   *
   * @throws {KeyloomError} `APPROVAL_INVALID`, `PROPOSAL_NOT_FOUND`, `PROPOSAL_SPENT`, `PROPOSAL_EXPIRED`
   */
  approve(proposal: string | { readonly id: string }, options: ApproveOptions): Promise<ProposalInfo> {
    const id = typeof proposal === "string" ? proposal : proposal.id;
    return this.#use(async (context) => {
      const { approve } = await governance();
      return this.#proposal(await approve(context, id, options));
    });
  }

  async #proposal(proposal: Proposal): Promise<ProposalInfo> {
    const { storeId, sha256 } = this.#context;
    const { viewOfProposal } = await governance();
    return viewOfProposal(proposal, storeId, sha256);
  }

  #approved<T>(
    options: ApprovalOption,
    request: () => ProposedRequest,
    run: (context: StoreContext, version?: number) => Promise<T>,
  ): Promise<T> {
    return this.#use(async (context) => {
      if (options.approval === undefined) return run(context);
      return (await governance()).withApproval(context, options, request, run);
    });
  }

  /** Every entity, oldest first: the owner, and those registered, revoked ones too. */
  entities(): Promise<EntityInfo[]> {
    return this.#use(async (context) => {
      await context.ring.refresh();
      authorize(context, "read", null);
      const { listEntities, viewOfEntity } = await governance();
      return (await listEntities(context.storage, context.records)).map(({ entity }) => viewOfEntity(entity));
    });
  }

  /**
   * Cancels running jobs and waits for them and for calls under way, wipes every key from the core, closes the storage.
   * Streams that are still open, and new calls, fail with `STORE_CLOSED`. Idempotent.
   */
  close(): Promise<void> {
    const base = this.#base;
    base.#closing ??= base.#close();
    return base.#closing;
  }

  async #close(): Promise<void> {
    for (const job of this.#running) job.cancel("the manager was closed");
    await Promise.allSettled([...this.#running]);
    if (this.#uses > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    await this.#sequencing;
    // That a store is out of reach must not keep it from closing: what was counted is lost then,
    // what can't be given back stays spent, and the log is brought up to date by others.
    await this.#context.uses.flush(this.#context).catch(() => undefined);
    await this.#context.denials.flush(this.#context, true);
    await this.#context.usage.returnAll(this.#context).catch(() => undefined);
    if (this.#context.committer.length > 0) {
      await auditLog()
        .then(({ sequenceAtEnd }) => sequenceAtEnd(this.#context, SEQUENCE_AT))
        .catch(() => undefined);
    }
    this.#context.ring.invalidate();
    this.#core.vault.disposeAll();
    await this.#context.storage.close();
  }

  /** Each step is a use of its own: who stops reading must not keep `close` waiting. */
  async *#steps<T>(source: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
    try {
      for (;;) {
        const step = await this.#use(() => source.next());
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      await source.return();
    }
  }

  #open(): StoreContext {
    if (this.#base.#closing === null) return this.#context;
    throw new KeyloomError("STORE_CLOSED", { message: "this manager is closed" });
  }

  /** Runs what `close` waits for. */
  async #use<T>(run: (context: StoreContext) => Promise<T>): Promise<T> {
    const context = this.#open();
    const base = this.#base;
    base.#uses++;
    try {
      return await run(context);
    } finally {
      if (--base.#uses === 0) base.#onIdle?.();
      void context.denials.flush(context);
      base.#sequenceIdly();
    }
  }

  /** Moves audit entries to the log once many wait: never awaited by a call, and no reason for one to fail. */
  #sequenceIdly(): void {
    const context = this.#context;
    const { committer } = context;
    if (this.#sequencing !== null || this.#closing !== null) return;
    if (committer.length - this.#sequencedAt < SEQUENCE_AT) return;
    const isIdle = (): boolean => this.#uses === 0 && this.#running.size === 0 && this.#closing === null;
    this.#sequencing = auditLog()
      .then(({ sequenceIdly }) => sequenceIdly(context, isIdle))
      .catch(() => undefined)
      .finally(() => {
        this.#sequencedAt = committer.length;
        this.#sequencing = null;
      });
  }

  #viewOf(run: (context: StoreContext) => Promise<StoredKey>): Promise<Key> {
    return this.#use(async (context) => this.#view(await run(context)));
  }

  #view(stored: StoredKey): Key {
    return viewOfKey(stored.record, commandTime(this.#context));
  }

  async #wrappingId(under: KeyReference | undefined): Promise<Id> {
    return under === undefined ? ROOT_ID : (await this.#context.ring.require(referenceOf(under))).record.id;
  }

  #job<S>(options: JobOptions, run: (control: JobControl, id: Id) => Promise<S>): Job<S> {
    if (options.job !== undefined && !isIdText(options.job)) {
      throw new KeyloomError("KEY_INVALID_OPTION", { message: "a job's id is a lower-case UUID" });
    }
    const id = options.job === undefined ? this.#context.newId() : parseId(options.job);
    const job = new Job<S>(idToString(id), this.#context.clock, options.signal, (control) =>
      run(control, id),
    );
    const base = this.#base;
    base.#running.add(job);
    job
      .finally(() => {
        base.#running.delete(job);
        base.#sequenceIdly();
      })
      .catch(() => undefined);
    return job;
  }
}

/** Loaded when it is first needed: a page that only encrypts does without. */
function auditLog(): Promise<typeof import("./commands/audit-log.js")> {
  return import("./commands/audit-log.js");
}

/** As `auditLog`. */
function governance(): Promise<typeof import("./commands/governance.js")> {
  return import("./commands/governance.js");
}

/** Listings leave out what policy does not let the principal read. */
function mayRead(context: StoreContext): (stored: StoredKey) => boolean {
  return ({ record }) => decide(context, "read", record).allowed;
}

async function auditorsLog(context: StoreContext): ReturnType<typeof auditLog> {
  await context.ring.refresh();
  authorize(context, "audit", null);
  return auditLog();
}

function bytesOfCursor(cursor: string): Uint8Array {
  try {
    return fromHex(cursor);
  } catch {
    throw new KeyloomError("KEY_INVALID_OPTION", {
      message: "a cursor comes from a page before and is not changed",
    });
  }
}

/** Opens with what tests replace. `index.ts` does not re-export it; `keyloom/testing` does. */
export async function openWith(options: OpenOptions, internals: Internals): Promise<KeyManager> {
  const { storage, unlock, freshness = DEFAULT_FRESHNESS_MS } = options;
  if (typeof freshness !== "number" || !(freshness >= 0)) {
    throw new KeyloomError("KEY_INVALID_OPTION", {
      message: "freshness must be a number of milliseconds, 0 or more",
    });
  }
  const { profile = "default" } = options;
  if (!(PROFILES as readonly string[]).includes(profile)) {
    throw new KeyloomError("KEY_INVALID_OPTION", { message: `profile is one of ${PROFILES.join(", ")}` });
  }
  const { clock = systemClock, random = hostRandom } = internals;
  let core: Core | undefined;
  try {
    core = await loadCoreWith({
      random,
      ...(internals.simd === undefined ? {} : { simd: internals.simd }),
    });
    const newId = idGenerator(random, () => clock.now());
    const opened = await openStore({
      storage,
      core,
      clock,
      random,
      newId,
      unlock,
      create: options.create ?? true,
    });
    const vault = evicting(core.vault, () => ring.evict());
    const { records, root, owner, committer, storeId } = opened;
    const mark = { time: opened.markTime };
    const authority = new Authority({ storage, records, storeOwner: owner });
    const ring: KeyRing = new KeyRing({
      storage,
      vault,
      records,
      root,
      clock,
      freshness,
      mark,
      reload: () => authority.reload(),
      handleLimit: CACHED_HANDLES,
    });
    const principal: Principal = { entity: owner, authenticated: "unlock" };
    await authority.reload();
    const keys = new KeyManager(core, {
      storeId,
      storage,
      vault,
      records,
      sha256: core.sha256,
      verifySignature: core.ed25519.verify,
      tree: core,
      clock,
      random,
      newId,
      committer,
      ring,
      principal,
      storeOwner: owner,
      authority,
      mark,
      transitions: { profile },
      usage: new UsageLedger(),
      uses: new UseAudit(),
      denials: new DenialAudit(),
    });
    return options.as === undefined ? keys : await keys.as(options.as);
  } catch (error) {
    core?.vault.disposeAll();
    await storage.close().catch(() => undefined);
    throw error;
  }
}

// `await using` where the host knows it; Node 20 has no such symbol.
if (typeof Symbol.asyncDispose === "symbol") {
  Object.defineProperty(KeyManager.prototype, Symbol.asyncDispose, {
    value(this: KeyManager): Promise<void> {
      return this.close();
    },
  });
}
export interface KeyManager extends AsyncDisposable {}
