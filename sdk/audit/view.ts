/** Audit entries as the public API shows them. */
import { idToString } from "../foundation/ids.js";
import { BULK_ROW_LENGTH, bulkRows } from "./event.js";
import type { AuditLink } from "./walk.js";

/** One link of a writer's chain. */
export interface AuditEntry {
  /** The writer (one open manager), and the entry's number in its chain, from 1. */
  writer: string;
  sequence: number;
  /** Its place in the log, from 0. Absent as long as it waits to be moved there. */
  index?: number;
  time: Date;
  /** `abandoned`: stands in the place of an event whose commit never took effect. */
  kind: "event" | "abandoned";
  operation?: string;
  entity?: string;
  authenticated?: string;
  policy?: string;
  policyVersion?: number;
  decision?: "allow" | "deny";
  reasons?: readonly string[];
  keys?: readonly { key: string; version: number; before?: string; after?: string }[];
  /** How many keys a bulk event covers. They are in `bulk()`. */
  bulkCount?: number;
  bulk?: () => Generator<{ key: string; version: number }>;
  job?: string;
  /** Why a version was revoked. */
  revocation?: string;
  /** What the caller brought to show when data was protected. */
  evidence?: { kind: string; time: Date };
  /** Of uses of a key whose use is audited: how many the event stands for. */
  count?: number;
}

export function viewOfEntry({ writer, sequence, body, index }: AuditLink): AuditEntry {
  const entry: AuditEntry = {
    writer: idToString(writer),
    sequence,
    ...(index === null ? {} : { index }),
    time: new Date(body.time),
    kind: body.kind,
  };
  if (body.kind === "abandoned") return entry;
  const { bulk, job } = body;
  return {
    ...entry,
    operation: body.operation,
    entity: idToString(body.entity),
    authenticated: body.authenticated,
    policy: body.policy,
    policyVersion: body.policyVersion,
    decision: body.decision,
    reasons: body.reasons,
    keys: body.subjects.map(({ key, version, before, after }) => ({
      key: idToString(key),
      version,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    })),
    ...(bulk === undefined
      ? {}
      : {
          bulkCount: bulk.length / BULK_ROW_LENGTH,
          *bulk() {
            for (const { key, version } of bulkRows(bulk)) yield { key: idToString(key), version };
          },
        }),
    ...(job === undefined ? {} : { job: idToString(job) }),
    ...(body.revocation === undefined ? {} : { revocation: body.revocation }),
    ...(body.evidence === undefined
      ? {}
      : { evidence: { kind: body.evidence.kind, time: new Date(body.evidence.time) } }),
    ...(body.count === undefined ? {} : { count: body.count }),
  };
}
