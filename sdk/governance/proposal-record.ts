/**
 * Proposals: what somebody asks others to approve, at `proposal/<id>`. What it will do, by whom it was proposed and until when it
 * holds never change; approvals are added, and it is spent once, in the commit that does what it says.
 */
import { concat, equalBytes, putU64, utf8 } from "../foundation/bytes.js";
import { CborReader, cborMap, encodeCbor, type CborMap, type CborValue } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, type Id } from "../foundation/ids.js";
import type { Records, UnsealedRecord } from "../crypto/records.js";
import { OPERATIONS, type ApprovableOperation } from "../policy/model.js";
import type { Entry, StorageAdapter } from "../storage/adapter.js";
import { idOfKey, keyspace, ranges } from "../storage/keyspace.js";

export const MAX_PROPOSAL_APPROVALS = 16;
const SIGNATURE_LENGTH = 64;
const APPROVAL_LABEL = utf8("keyloom approval v1\0");

/** A request, exactly: what it is about, and every parameter that changes what it does. */
export interface ApprovableRequest {
  operation: ApprovableOperation;
  key?: Id | undefined;
  version?: number | undefined;
  /** What the operation takes besides; its fields are the operation's. Empty: nothing. */
  parameters: CborMap;
}

export interface Approval {
  entity: Id;
  signature: Uint8Array;
  time: number;
}

export interface Proposal {
  id: Id;
  request: ApprovableRequest;
  by: Id;
  created: number;
  expires: number;
  approvals: readonly Approval[];
  /** When it was spent. */
  spent?: number | undefined;
}

const FIELD = {
  operation: 1,
  key: 2,
  version: 3,
  parameters: 4,
  by: 5,
  created: 6,
  expires: 7,
  approvals: 8,
  spent: 9,
} as const;
const APPROVAL = { entity: 1, signature: 2, time: 3 } as const;

function termsOf({ request, by, created, expires }: Omit<Proposal, "id">): [number, CborValue | undefined][] {
  return [
    [FIELD.operation, request.operation],
    [FIELD.key, request.key],
    [FIELD.version, request.version],
    [FIELD.parameters, request.parameters],
    [FIELD.by, by],
    [FIELD.created, created],
    [FIELD.expires, expires],
  ];
}

/** Are two requests the same in every respect? */
export function sameRequest(a: ApprovableRequest, b: ApprovableRequest): boolean {
  const encode = (request: ApprovableRequest): Uint8Array =>
    encodeCbor(
      cborMap(...termsOf({ request, by: new Uint8Array(0), created: 0, expires: 0, approvals: [] })),
    );
  return equalBytes(encode(a), encode(b));
}

/** SHA-256 of the proposal's id and of all in it that never changes. */
export function proposalDigest(proposal: Proposal, sha256: (data: Uint8Array) => Uint8Array): Uint8Array {
  return sha256(concat(proposal.id, encodeCbor(cborMap(...termsOf(proposal)))));
}

/** What an approver signs: label, store id, the proposal's digest, its expiry. */
export function approvalInput(
  storeId: Id,
  proposal: Proposal,
  sha256: (data: Uint8Array) => Uint8Array,
): Uint8Array {
  const expires = new Uint8Array(8);
  putU64(expires, 0, proposal.expires);
  return concat(APPROVAL_LABEL, storeId, proposalDigest(proposal, sha256), expires);
}

function encodeProposal(proposal: Proposal): Uint8Array {
  return encodeCbor(
    cborMap(
      ...termsOf(proposal),
      [
        FIELD.approvals,
        proposal.approvals.map(({ entity, signature, time }) =>
          cborMap([APPROVAL.entity, entity], [APPROVAL.signature, signature], [APPROVAL.time, time]),
        ),
      ],
      [FIELD.spent, proposal.spent],
    ),
  );
}

export function proposalRecord(proposal: Proposal, revision: number): UnsealedRecord {
  return { storageKey: keyspace.proposal(proposal.id), revision, body: encodeProposal(proposal) };
}

/** @throws {KeyloomError} `CBOR_INVALID`, `STORE_DAMAGED`, `STORE_NEWER_FORMAT` */
export function decodeProposal(id: Id, body: Uint8Array): Proposal {
  const reader = CborReader.decode(body, "a proposal record");
  const operation = reader.text(FIELD.operation, 64) as ApprovableOperation;
  if (!Object.hasOwn(OPERATIONS, operation) || !("approvals" in OPERATIONS[operation])) {
    throw new KeyloomError("STORE_NEWER_FORMAT", {
      message: "a proposal is for an operation that this version does not know",
    });
  }
  const proposal: Proposal = {
    id,
    request: { operation, parameters: reader.map(FIELD.parameters) },
    by: reader.bytes(FIELD.by, ID_LENGTH),
    created: reader.uint(FIELD.created, MAX_TIME),
    expires: reader.uint(FIELD.expires, MAX_TIME),
    approvals: reader.readers(FIELD.approvals, MAX_PROPOSAL_APPROVALS).map((approval) => ({
      entity: approval.bytes(APPROVAL.entity, ID_LENGTH),
      signature: approval.bytes(APPROVAL.signature, SIGNATURE_LENGTH),
      time: approval.uint(APPROVAL.time, MAX_TIME),
    })),
  };
  if (reader.has(FIELD.key)) proposal.request.key = reader.bytes(FIELD.key, ID_LENGTH);
  if (reader.has(FIELD.version)) proposal.request.version = reader.uint(FIELD.version, 0xffff_ffff);
  if (reader.has(FIELD.spent)) proposal.spent = reader.uint(FIELD.spent, MAX_TIME);
  if (equalBytes(encodeProposal(proposal), body)) return proposal;
  throw new KeyloomError("STORE_DAMAGED", { message: "a proposal record has fields that nobody knows" });
}

export interface StoredProposal {
  proposal: Proposal;
  revision: number;
  storageVersion: string;
}

function openProposal(records: Records, entry: Entry): StoredProposal {
  const { revision, body } = records.open([entry])[0]!;
  return { proposal: decodeProposal(idOfKey(entry.key), body), revision, storageVersion: entry.version };
}

export async function readProposal(
  storage: StorageAdapter,
  records: Records,
  id: Id,
): Promise<StoredProposal | null> {
  const entry = await storage.get(keyspace.proposal(id));
  return entry === null ? null : openProposal(records, entry);
}

/** Newest first. */
export async function listProposals(
  storage: StorageAdapter,
  records: Records,
  limit: number,
): Promise<StoredProposal[]> {
  const found: StoredProposal[] = [];
  for await (const entry of storage.list(ranges.proposals(), { reverse: true, limit })) {
    found.push(openProposal(records, entry));
  }
  return found;
}
