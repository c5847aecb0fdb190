/** What can be proposed, and how it is written down: one row of fields for each operation. */
import { CborReader, cborMap, type CborMap } from "../foundation/cbor.js";
import { MAX_TIME } from "../foundation/clock.js";
import { KeyloomError } from "../foundation/errors.js";
import { ID_LENGTH, idToString, type Id } from "../foundation/ids.js";
import { REVOCATION_REASON_NAMES, REVOCATION_REASONS, type RevocationReason } from "../lifecycle/states.js";
import { MAX_NAMED } from "../policy/check.js";
import type { Policy } from "../policy/model.js";
import { policyMap, readPolicyMap } from "./policy-record.js";
import type { ApprovableRequest } from "./proposal-record.js";

/** A key's, an entity's: by id, or for a key by name. In a proposal that was read: always the id. */
export type ProposedRequest =
  | { operation: "destroy"; key: string; version?: number | undefined; cryptoShred?: boolean | undefined }
  | { operation: "export"; key: string; version?: number | undefined }
  | {
      operation: "revoke";
      key: string;
      version?: number | undefined;
      reason: RevocationReason;
      occurrence?: Date | undefined;
    }
  | { operation: "recover"; key: string }
  | { operation: "set-policy"; policy: Policy; force?: boolean | undefined }
  | {
      operation: "register-entity";
      name: string;
      roles: readonly string[];
      publicKey?: Uint8Array | undefined;
    }
  | { operation: "revoke-entity"; entity: string; force?: boolean | undefined };

/** The parameters of a request that was checked: policy, name and roles in their one form. */
export function parametersOf(request: ProposedRequest, entity?: Id): CborMap {
  switch (request.operation) {
    case "destroy":
      return cborMap([1, request.cryptoShred === true]);
    case "export":
    case "recover":
      return cborMap();
    case "revoke":
      return cborMap([1, REVOCATION_REASONS[request.reason]], [2, request.occurrence?.getTime()]);
    case "set-policy":
      return cborMap([1, policyMap(request.policy)], [2, request.force === true]);
    case "register-entity":
      return cborMap([1, request.name], [2, [...request.roles]], [3, request.publicKey?.slice()]);
    case "revoke-entity":
      return cborMap([1, entity], [2, request.force === true]);
  }
}

/** The request that a proposal shows. @throws {KeyloomError} `STORE_NEWER_FORMAT`, `CBOR_INVALID` */
export function viewOfRequest({ operation, key, version, parameters }: ApprovableRequest): ProposedRequest {
  const reader = new CborReader(parameters, "a proposal's parameters");
  const named = {
    key: key === undefined ? "" : idToString(key),
    ...(version === undefined ? {} : { version }),
  };
  switch (operation) {
    case "destroy":
      return { operation, ...named, cryptoShred: reader.bool(1) };
    case "export":
    case "recover":
      return { operation, ...named };
    case "revoke": {
      const code = reader.uint(1, 255);
      const reason = REVOCATION_REASON_NAMES.find((name) => REVOCATION_REASONS[name] === code);
      if (reason === undefined) {
        throw new KeyloomError("STORE_NEWER_FORMAT", { message: "a proposal has an unknown reason" });
      }
      const occurrence = reader.optionalUint(2, MAX_TIME);
      return {
        operation,
        ...named,
        reason,
        ...(occurrence === undefined ? {} : { occurrence: new Date(occurrence) }),
      };
    }
    case "set-policy":
      return { operation, policy: readPolicyMap(reader.reader(1)), force: reader.bool(2) };
    case "register-entity": {
      const publicKey = reader.optionalBytes(3, 32);
      const [name, roles] = [reader.text(1, 64), reader.texts(2, MAX_NAMED, 64)];
      return { operation, name, roles, ...(publicKey === undefined ? {} : { publicKey: publicKey.slice() }) };
    }
    case "revoke-entity":
      return { operation, entity: idToString(reader.bytes(1, ID_LENGTH)), force: reader.bool(2) };
  }
}
