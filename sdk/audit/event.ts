/**
 * Audit events and abandoned entries: the links of a writer's chain.
 *
 * An entry's body is its leaf; its chain link is the RFC 6962 leaf hash of the body, and `previous` inside the
 * body is the link before, so an entry can't be taken out, put in or moved unseen.
 */
import { concat, copyInto, getU32, putU32 } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor, type CborValue } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import { MAX_BODY_LENGTH } from "../crypto/records.js";

export const LINK_LENGTH = 32;
/** The link before a chain's first entry. */
export const FIRST_LINK = new Uint8Array(LINK_LENGTH);
/** A bulk event lists at most this many keys, so that it stays below 64 KiB. */
export const MAX_BULK_KEYS = 1024;
/** One key of a bulk event: key id, version, digest of the record after the change. */
export const BULK_ROW_LENGTH = ID_LENGTH + 4 + 32;

/** What a row of a bundle has before the entry: writer, sequence (8), length (2). */
export const ROW_HEAD = ID_LENGTH + 8 + 2;
/** The longest body of an entry: its row fits into a record. C2SP's bundles could take 65,535 bytes. */
export const MAX_ENTRY_LENGTH = MAX_BODY_LENGTH - ROW_HEAD;

/** A record after the change: its storage key and digest. */
export interface RecordDigest {
  storageKey: Uint8Array;
  digest: Uint8Array;
}

/** One key version that an event is about. States are names; absent where the event doesn't change them. */
export interface Subject {
  key: Id;
  version: number;
  before?: string | undefined;
  after?: string | undefined;
}

export interface EventBody {
  kind: "event";
  previous: Uint8Array;
  time: number;
  operation: string;
  entity: Id;
  authenticated: string;
  policy: string;
  policyVersion: number;
  decision: "allow" | "deny";
  /** The rules that decided, or the reason of a refusal. */
  reasons: readonly string[];
  subjects: readonly Subject[];
  records: readonly RecordDigest[];
  /** Packed rows of `BULK_ROW_LENGTH` bytes, for bulk commands. */
  bulk?: Uint8Array | undefined;
  job?: Id | undefined;
  /** Why a version was revoked. */
  revocation?: string | undefined;
  /** What the caller brought to show when data was protected. */
  evidence?: { kind: string; time: number } | undefined;
  /** Of audited uses, and of equal denials: how many the event stands for. */
  count?: number | undefined;
  /** The log as a backup found it: `chainHeads` of all writers. */
  logHead?: Uint8Array | undefined;
}

/** Stands at the key of an event whose commit's outcome was unknown, so that the event can't land late. */
export interface AbandonedBody {
  kind: "abandoned";
  previous: Uint8Array;
  time: number;
}

export type IntakeBody = EventBody | AbandonedBody;

const KIND = { event: 1, abandoned: 2 } as const;
const FIELD = {
  kind: 1,
  previous: 2,
  time: 3,
  operation: 4,
  entity: 5,
  authenticated: 6,
  policy: 7,
  policyVersion: 8,
  allowed: 9,
  reasons: 10,
  subjects: 11,
  records: 12,
  bulk: 13,
  job: 14,
  revocation: 15,
  evidenceKind: 16,
  evidenceTime: 17,
  count: 18,
  logHead: 19,
} as const;
const SUBJECT = { key: 1, version: 2, before: 3, after: 4 } as const;

export function encodeIntake(body: IntakeBody): Uint8Array {
  const head: (readonly [number, CborValue | undefined])[] = [
    [FIELD.kind, KIND[body.kind]],
    [FIELD.previous, body.previous],
    [FIELD.time, body.time],
  ];
  if (body.kind === "abandoned") return encodeCbor(cborMap(...head));
  return encodeCbor(
    cborMap(
      ...head,
      [FIELD.operation, body.operation],
      [FIELD.entity, body.entity],
      [FIELD.authenticated, body.authenticated],
      [FIELD.policy, body.policy],
      [FIELD.policyVersion, body.policyVersion],
      [FIELD.allowed, body.decision === "allow"],
      [FIELD.reasons, [...body.reasons]],
      [
        FIELD.subjects,
        body.subjects.map((subject) =>
          cborMap(
            [SUBJECT.key, subject.key],
            [SUBJECT.version, subject.version],
            [SUBJECT.before, subject.before],
            [SUBJECT.after, subject.after],
          ),
        ),
      ],
      [FIELD.records, body.records.map(({ storageKey, digest }) => concat(storageKey, digest))],
      [FIELD.bulk, body.bulk],
      [FIELD.job, body.job],
      [FIELD.revocation, body.revocation],
      [FIELD.evidenceKind, body.evidence?.kind],
      [FIELD.evidenceTime, body.evidence?.time],
      [FIELD.count, body.count],
      [FIELD.logHead, body.logHead],
    ),
  );
}

/** @throws {KeyloomError} `CBOR_INVALID` or `STORE_DAMAGED` */
export function decodeIntake(bytes: Uint8Array): IntakeBody {
  const reader = CborReader.decode(bytes, "an audit entry");
  const kind = reader.uint(FIELD.kind, 255);
  const previous = reader.bytes(FIELD.previous, LINK_LENGTH);
  const time = reader.uint(FIELD.time, MAX_TIME);
  if (kind === KIND.abandoned) return { kind: "abandoned", previous, time };
  if (kind !== KIND.event) {
    throw new KeyloomError("STORE_DAMAGED", { message: "an audit entry is of an unknown kind" });
  }
  const body: EventBody = {
    kind: "event",
    previous,
    time,
    operation: reader.text(FIELD.operation, 64),
    entity: reader.bytes(FIELD.entity, ID_LENGTH),
    authenticated: reader.text(FIELD.authenticated, 64),
    policy: reader.text(FIELD.policy, 128),
    policyVersion: reader.uint(FIELD.policyVersion, 0xffff_ffff),
    decision: reader.bool(FIELD.allowed) ? "allow" : "deny",
    reasons: reader.array(FIELD.reasons, 64).map(String),
    subjects: reader.readers(FIELD.subjects, 1024).map((subject) => ({
      key: subject.bytes(SUBJECT.key, ID_LENGTH),
      version: subject.uint(SUBJECT.version, 0xffff_ffff),
      before: subject.optionalText(SUBJECT.before, 64),
      after: subject.optionalText(SUBJECT.after, 64),
    })),
    records: reader.array(FIELD.records, 1024).map(splitRecordDigest),
  };
  if (reader.has(FIELD.bulk)) body.bulk = reader.bytes(FIELD.bulk);
  if (reader.has(FIELD.job)) body.job = reader.bytes(FIELD.job, ID_LENGTH);
  if (reader.has(FIELD.revocation)) body.revocation = reader.text(FIELD.revocation, 64);
  if (reader.has(FIELD.logHead)) body.logHead = reader.bytes(FIELD.logHead, LINK_LENGTH);
  if (reader.has(FIELD.evidenceKind)) {
    body.evidence = {
      kind: reader.text(FIELD.evidenceKind, 64),
      time: reader.uint(FIELD.evidenceTime, MAX_TIME),
    };
  }
  if (reader.has(FIELD.count)) body.count = reader.uint(FIELD.count, 0xffff_ffff);
  return body;
}

function splitRecordDigest(value: CborValue): RecordDigest {
  if (!(value instanceof Uint8Array) || value.length < 33) {
    throw new KeyloomError("STORE_DAMAGED", { message: "an audit entry has a malformed record digest" });
  }
  return { storageKey: value.slice(0, -32), digest: value.slice(-32) };
}

/** The bytes whose SHA-256 is the entry's leaf hash and chain link (RFC 6962 §2.1): a zero byte, then the body. */
export function leafInput(body: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + body.length);
  input.set(body, 1);
  return input;
}

/** Writes row `index`: the key id at `idAt` of `source`, the version, the digest at `digestAt` of `digests`. */
export function putBulkRow(
  rows: Uint8Array,
  index: number,
  source: Uint8Array,
  idAt: number,
  version: number,
  digests: Uint8Array,
  digestAt: number,
): void {
  const at = index * BULK_ROW_LENGTH;
  copyInto(source, idAt, ID_LENGTH, rows, at);
  putU32(rows, at + ID_LENGTH, version);
  copyInto(digests, digestAt, 32, rows, at + ID_LENGTH + 4);
}

export function* bulkRows(rows: Uint8Array): Generator<{ key: Id; version: number; digest: Uint8Array }> {
  for (let at = 0; at + BULK_ROW_LENGTH <= rows.length; at += BULK_ROW_LENGTH) {
    yield {
      key: rows.slice(at, at + ID_LENGTH),
      version: getU32(rows, at + ID_LENGTH),
      digest: rows.slice(at + ID_LENGTH + 4, at + BULK_ROW_LENGTH),
    };
  }
}
