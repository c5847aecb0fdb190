/** What the doctor can find: the one table. */
import { toHex } from "../foundation/bytes.js";
import { idToString, type Id } from "../foundation/ids.js";

/** Every kind of finding: what it means, and whether it is derived from records and so can be repaired. */
export const FINDINGS = {
  "entry-unknown": { about: "a storage key of no kind that this version knows", repairs: false },
  "record-damaged": { about: "a record's MAC is wrong, or what it holds makes no sense", repairs: false },
  "record-missing": {
    about: "a record is not there, although every store or the log says it must be",
    repairs: false,
  },
  "record-older": { about: "an older copy of a record stands in the place of the newest", repairs: false },
  "record-unlogged": { about: "a record that no audit event speaks of", repairs: false },
  "record-unowned": { about: "a record of a key or version that does not exist", repairs: false },
  "material-missing": { about: "a version that is not destroyed has no material", repairs: false },
  "material-duplicate": { about: "a version's material lies in two places", repairs: false },
  "material-misplaced": {
    about: "material lies under a wrapping key or version that is not its own",
    repairs: false,
  },
  "material-returned": { about: "a destroyed version has material", repairs: false },
  "gate-open": {
    about: "the gate of a destroyed or compromised wrapping-key version is open",
    repairs: false,
  },
  "history-gap": {
    about: "a history entry is missing, or does not lead to the next or to the state",
    repairs: false,
  },
  "exposure-missing": {
    about: "what lay under an exposed wrapping-key version is not marked",
    repairs: true,
  },
  "index-missing": { about: "a record's index entry is not there", repairs: true },
  "index-wrong": { about: "a name's index entry leads to another key", repairs: true },
  "index-extra": { about: "an index entry that the record does not confirm", repairs: true },
  "index-dangling": { about: "an index entry of a key that does not exist", repairs: true },
  "chain-broken": {
    about: "an audit chain has a gap, or an entry that was changed, moved or added",
    repairs: false,
  },
  "log-broken": {
    about: "the log's entries, tiles, root and cursors don't agree",
    repairs: false,
  },
  "writers-wrong": {
    about: "a whole audit chain, its head or the list of writers is missing",
    repairs: false,
  },
  "job-wrong": { about: "a job's record says another number than its events", repairs: false },
} as const satisfies Record<string, { about: string; repairs: boolean }>;

export type FindingKind = keyof typeof FINDINGS;

/** Something that does not agree. Ids are UUIDs, storage keys hexadecimal. */
export interface Finding {
  kind: FindingKind;
  /** What is wrong, in a sentence. */
  detail: string;
  storageKey?: string;
  key?: string;
  version?: number;
  writer?: string;
  sequence?: number;
  job?: string;
  /** With `repair`: was it? */
  repaired: boolean;
}

/** @internal A finding as the checks make it, with what a repair needs. */
export interface Found {
  kind: FindingKind;
  detail: string;
  storageKey?: Uint8Array;
  key?: Id;
  version?: number;
  writer?: Id;
  sequence?: number;
  job?: Id;
}

export function viewOfFinding(found: Found, repaired: boolean): Finding {
  const { kind, detail, storageKey, key, version, writer, sequence, job } = found;
  return {
    kind,
    detail,
    ...(storageKey === undefined ? {} : { storageKey: toHex(storageKey) }),
    ...(key === undefined ? {} : { key: idToString(key) }),
    ...(version === undefined ? {} : { version }),
    ...(writer === undefined ? {} : { writer: idToString(writer) }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(job === undefined ? {} : { job: idToString(job) }),
    repaired,
  };
}
