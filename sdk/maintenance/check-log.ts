/**
 * Records against the log. An authentic older copy has a true MAC; but every put of a record raises its revision and
 * leaves its digest in an event, so the log says which revision is the newest, and what must be there at all.
 */
import { concat, toHex } from "../foundation/bytes.js";
import { CborReader } from "../foundation/cbor.js";
import { isKeyloomError } from "../foundation/errors.js";
import type { Id } from "../foundation/ids.js";
import { MAC_LENGTH, parseRecord } from "../crypto/records.js";
import { bulkRows, type EventBody } from "../audit/event.js";
import type { ChainFault } from "../audit/faults.js";
import { surveyAudit } from "../audit/survey.js";
import type { Sha256 } from "../audit/intake.js";
import type { UpkeepOperation } from "../commands/upkeep.js";
import type { Entry } from "../storage/adapter.js";
import {
  idOfKey,
  keyspace,
  MATERIAL_KEY,
  prefixOf,
  ranges,
  versionOfKey,
  type Prefix,
  type RECORD_PREFIXES,
} from "../storage/keyspace.js";
import type { Found } from "./findings.js";
import { readRecords, type Examination } from "./reading.js";

/**
 * What the log says of a family's records: `each` put is in an event; `gate`: but for the first of a gate that was made in
 * a batch; `moves`: a material record's re-wraps, by key version, for they change its path; `renewals`: the slot table's;
 * `shares`: what a range of a shared job has done, before the job's record says it.
 * `null`: nothing is ever put twice, and what must be there follows from elsewhere.
 */
const LOGGED = {
  header: "each",
  unlockSlots: "renewals",
  mark: "each",
  epoch: "each",
  restoring: null,
  entity: "each",
  policy: "each",
  proposal: "each",
  key: "each",
  history: null,
  material: "moves",
  gate: "gate",
  trail: "each",
  usage: "each",
  auditWriters: null,
  auditHead: null,
  auditIntake: null,
  auditLog: null,
  auditTile: null,
  auditBundle: null,
  auditMoved: null,
  auditCheckpoint: "each",
  job: "each",
  leaseBeat: null,
  leaseFence: null,
  leaseRange: "shares",
} as const satisfies Record<
  (typeof RECORD_PREFIXES)[number],
  "each" | "gate" | "moves" | "renewals" | "shares" | null
>;

const loggedAs = (storageKey: Uint8Array): (typeof LOGGED)[keyof typeof LOGGED] => {
  const prefix = prefixOf(storageKey);
  return prefix !== null && prefix in LOGGED ? LOGGED[prefix as keyof typeof LOGGED] : null;
};

/** What is known of one record. */
interface Tally {
  storageKey: Uint8Array;
  /** 0: it is not there. */
  revision: number;
  /** It is there and can't be read: its own finding. */
  damaged: boolean;
  /** The first bytes of its digest. */
  digest: string;
  /** How many of its puts events speak of, and whether one has its digest. */
  puts: number;
  seen: boolean;
  /** Of a job: how many items its record says, and how many its events have. */
  done?: number;
  items: number;
}

/** So many records are held in memory at once; where there are more, the log is walked again for the next part of them. */
const LARGEST_PART = 200_000;
const DIGEST_PREFIX = 8;

/** @param onPage - called now and then: a chance to be cancelled */
export async function* checkLog(
  examination: Examination,
  onPage: () => Promise<void>,
  largestPart = LARGEST_PART,
): AsyncGenerator<Found, void> {
  let records = 0;
  for (const range of loggedRanges()) records += await examination.reads.count(range);
  const parts = Math.max(1, Math.ceil(records / largestPart));
  for (let part = 0; part < parts; part++) {
    const tallies = new Tallies(part, parts, examination.context.sha256);
    for (const range of loggedRanges()) {
      let page = 0;
      for await (const entry of examination.reads.list(range)) {
        tallies.read(entry);
        if (++page % 1024 === 0) await onPage();
      }
    }
    const faults = await readLog(examination, tallies, onPage);
    if (part === 0) yield* faults.map(foundOf);
    yield* await confirmed(examination, await tallies.compare(examination, faults.length === 0), tallies);
  }
}

function loggedRanges(): ReturnType<typeof ranges.family>[] {
  const names = Object.keys(LOGGED) as (keyof typeof LOGGED)[];
  return names.filter((name) => LOGGED[name] !== null).map((name) => ranges.family(name satisfies Prefix));
}

async function readLog(
  { context, reads }: Examination,
  tallies: Tallies,
  onPage: () => Promise<void>,
): Promise<ChainFault[]> {
  const faults: ChainFault[] = [];
  let entries = 0;
  for await (const surveyed of surveyAudit(reads, context.records, context.tree)) {
    if (surveyed.fault !== undefined) faults.push(surveyed.fault);
    else if (surveyed.entry.body.kind === "event") tallies.event(surveyed.entry.body);
    if (++entries % 64 === 0) await onPage();
  }
  return faults;
}

const FAULTS = { chain: "chain-broken", writers: "writers-wrong", log: "log-broken" } as const;

function foundOf({ kind, detail, writer, sequence }: ChainFault): Found {
  return {
    kind: FAULTS[kind],
    detail,
    ...(writer === undefined ? {} : { writer }),
    ...(sequence === undefined ? {} : { sequence }),
  };
}

/** On a store without snapshots: only what has not changed since it was read. */
async function confirmed(
  { reads, exact }: Examination,
  found: readonly Found[],
  tallies: Tallies,
): Promise<Found[]> {
  if (exact) return [...found];
  const still: Found[] = [];
  for (const item of found) {
    const tally = tallies.get(item.storageKey!);
    const entry = await reads.get(item.storageKey!);
    const revision = entry === null ? 0 : parseRecord(entry.value).revision;
    if (revision === tally?.revision) still.push(item);
  }
  return still;
}

class Tallies {
  readonly #tallies = new Map<string, Tally>();
  readonly #part: number;
  readonly #parts: number;
  readonly #sha256: Sha256;

  constructor(part: number, parts: number, sha256: Sha256) {
    this.#part = part;
    this.#parts = parts;
    this.#sha256 = sha256;
  }

  get(storageKey: Uint8Array): Tally | undefined {
    return this.#tallies.get(nameOf(storageKey));
  }

  /** `null`: it belongs to another part. */
  #of(storageKey: Uint8Array): Tally | null {
    const name = nameOf(storageKey);
    let tally = this.#tallies.get(name);
    if (tally === undefined) {
      if (hash(name) % this.#parts !== this.#part) return null;
      tally = { storageKey, revision: 0, damaged: false, digest: "", puts: 0, seen: false, items: 0 };
      this.#tallies.set(name, tally);
    }
    return tally;
  }

  read({ key, value }: Entry): void {
    if (prefixOf(key) === "leaseRange") return this.#readRange(key, value);
    const tally = this.#of(key.slice());
    if (tally === null) return;
    try {
      const { revision, body } = parseRecord(value);
      // A copy of material that was put back beside the right one is found by its key's record.
      if (revision <= tally.revision) return;
      tally.revision = revision;
      tally.storageKey = key.slice();
      tally.digest = latin1(this.#sha256(concat(key, value.subarray(0, value.length - MAC_LENGTH))));
      const done = prefixOf(key) === "job" ? doneOf(body) : null;
      if (done !== null) tally.done = done;
    } catch (error) {
      if (!isKeyloomError(error)) throw error;
      tally.damaged = true;
    }
  }

  /** Ranges are read after the jobs. One that can't be read is a finding of its own. */
  #readRange(key: Uint8Array, value: Uint8Array): void {
    const tally = this.#of(keyspace.job(idOfKey(key)));
    if (tally?.done === undefined) return;
    try {
      tally.done += CborReader.decode(parseRecord(value).body, "a range of a job").uint(3);
    } catch (error) {
      if (!isKeyloomError(error)) throw error;
    }
  }

  event({ operation, records, bulk, job, subjects }: EventBody): void {
    for (const { storageKey, digest } of records) {
      if (loggedAs(storageKey) !== null && loggedAs(storageKey) !== "shares")
        this.#put(storageKey, digest, loggedAs(storageKey) === "moves" ? 0 : 1);
    }
    let rows = 0;
    for (const { key, version, digest } of bulk === undefined ? [] : bulkRows(bulk)) {
      rows++;
      if (operation === "create") this.#put(keyspace.key(key), digest, 1);
      if (operation === "rewrap") this.#put(keyspace.material(key, 0, key, version), digest, 1);
    }
    if (operation === "renew-slot") this.#put(keyspace.unlockSlots(), null, 1);
    const tally = job === undefined ? null : this.#of(keyspace.job(job));
    if (tally !== null && operation !== ("share" satisfies UpkeepOperation))
      tally.items += bulk !== undefined ? rows : operation === "sweep" ? subjects.length : 1;
  }

  #put(storageKey: Uint8Array, digest: Uint8Array | null, puts: number): void {
    const tally = this.#of(storageKey);
    if (tally === null) return;
    tally.puts += puts;
    if (digest !== null && latin1(digest) === tally.digest) tally.seen = true;
  }

  /** @param whole - the log has no fault: what it does not speak of did not happen */
  async compare(examination: Examination, whole: boolean): Promise<Found[]> {
    const found: Found[] = [];
    const gates: Tally[] = [];
    for (const tally of this.#tallies.values()) {
      // A job without a record of its own: an event alone bears its id.
      if (tally.damaged || (tally.revision === 0 && tally.puts === 0)) continue;
      switch (loggedAs(tally.storageKey)) {
        case "each":
          found.push(...verdict(tally, tally.puts, whole));
          if (
            whole &&
            tally.done !== undefined &&
            tally.done !== tally.items &&
            tally.revision === tally.puts
          ) {
            const detail = `a job's record says ${tally.done} items, its events have ${tally.items}`;
            found.push({
              kind: "job-wrong",
              detail,
              storageKey: tally.storageKey,
              job: idOfKey(tally.storageKey),
            });
          }
          break;
        case "gate":
          if (tally.revision > 0) gates.push(tally);
          break;
        case "moves":
        case "renewals":
          // That there is none at all is found where it is missed.
          if (tally.revision > 0) found.push(...verdict(tally, tally.puts + 1, false));
          break;
        default:
      }
    }
    for (let at = 0; at < gates.length; at += 1024) {
      const some = gates.slice(at, at + 1024);
      const keys = await readRecords(
        examination,
        some.map(({ storageKey }) => idOfKey(storageKey)),
      );
      for (const gate of some) {
        const record = keys.get(toHex(idOfKey(gate.storageKey)));
        const inBatch = record?.origin !== undefined && versionOfKey(gate.storageKey) === 1;
        const newest = gate.puts + (inBatch ? 1 : 0);
        found.push(...verdict(gate, newest, whole && gate.puts > 0 && gate.revision > 1));
      }
    }
    return found;
  }
}

/** @param logged - every put of it is in the log, with its digest */
function verdict({ storageKey, revision, seen }: Tally, newest: number, logged: boolean): Found[] {
  if (revision === 0) {
    const detail = "the log speaks of a record that is not there: it was deleted";
    return [{ kind: "record-missing", detail, storageKey, ...ofKey(storageKey) }];
  }
  if (revision < newest) {
    const detail = `an older copy, revision ${revision}, stands in the place of revision ${newest}`;
    return [{ kind: "record-older", detail, storageKey, ...ofKey(storageKey) }];
  }
  if (logged && (revision > newest || !seen)) {
    const detail = `no event speaks of the record's revision ${revision}`;
    return [{ kind: "record-unlogged", detail, storageKey, ...ofKey(storageKey) }];
  }
  return [];
}

function ofKey(storageKey: Uint8Array): { key?: Id; job?: Id } {
  switch (prefixOf(storageKey)) {
    case "key":
    case "gate":
    case "usage":
      return { key: idOfKey(storageKey) };
    case "material":
      return { key: storageKey.slice(MATERIAL_KEY.key, MATERIAL_KEY.version) };
    case "job":
      return { job: idOfKey(storageKey) };
    default:
      return {};
  }
}

/** What a record is known by: its storage key; of material without the path that a re-wrap changes. */
function nameOf(storageKey: Uint8Array): string {
  if (prefixOf(storageKey) !== "material") return text(storageKey);
  return `${text(storageKey.subarray(0, 1))}${text(storageKey.subarray(MATERIAL_KEY.key))}`;
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const latin1 = (digest: Uint8Array): string => text(digest.subarray(0, DIGEST_PREFIX));

/** FNV-1a. */
function hash(name: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** The jobs whose items are counted by their events. */
const COUNTED_JOBS = /^(create-many|rewrap|sweep|(deactivate|revoke|destroy)-versions)$/;

function doneOf(body: Uint8Array): number | null {
  const reader = CborReader.decode(body, "a job record");
  return COUNTED_JOBS.test(reader.text(1, 64)) ? reader.uint(3) : null;
}
