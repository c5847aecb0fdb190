/** `keyloom`: the public API. Storage drivers, the core's byte-level door and test tools have entries of their own. */
export { KeyManager } from "./key-manager.js";
export type {
  AgreeKeyOptions,
  CreateKeyOptions,
  CreateManyOptions,
  DecryptStreamOptions,
  DestroyOutcome,
  DueDates,
  DueOptions,
  EntityReference,
  ImportOptions,
  KeyPage,
  KeyReference,
  ListOptions,
  OpenOptions,
  ReportOptions,
  RevokeAllOptions,
  RevokeOptions,
  RevokeReasonOptions,
  VersionOption,
} from "./key-manager.js";
export type { Key, KeyVersionInfo } from "./keys/view.js";
export type { AuditEntry } from "./audit/view.js";
export type { Algorithm, Usage } from "./crypto/algorithms.js";
export { REVOCATION_REASON_NAMES, STATE_NAMES } from "./lifecycle/states.js";
export type { Profile, RevocationReason, State } from "./lifecycle/states.js";
export type { EvidenceKind, Mark, Refusal } from "./lifecycle/permits.js";
export type { Usage as SpentUsage, UsageLimits } from "./lifecycle/limits.js";
export { CRYPTOPERIOD_NAMES } from "./lifecycle/cryptoperiods.js";
export type { Cryptoperiod } from "./lifecycle/cryptoperiods.js";
export type { Invalidity, Validity } from "./lifecycle/valid-at.js";
export { OPERATION_NAMES } from "./policy/model.js";
export type {
  ApprovableOperation,
  Effect,
  Grant,
  Operation,
  Policy,
  PolicyRule,
  StrengthRules,
  TimeWindow,
} from "./policy/model.js";
export { POLICY_TEMPLATES } from "./policy/templates.js";
export type { PolicyVersion, ProposalInfo } from "./governance/view.js";
export type { ProposedRequest } from "./governance/requests.js";
export type { ApprovalOption, ApproveOptions, ProposeOptions } from "./commands/approve.js";
export type { EntityInfo } from "./entities/view.js";
export type { GovernOptions, RegisterOptions } from "./commands/govern.js";
export { FINDING_NAMES } from "./commands/report.js";
export type { Finding, ReportEntry } from "./commands/report.js";
export { Job } from "./commands/jobs.js";
export type { JobOptions, JobProgress } from "./commands/jobs.js";
export type { CreateManySummary } from "./commands/create-many.js";
export type { RewrapSummary } from "./rotation/rewrap.js";
export type { RotateOptions } from "./rotation/rotate.js";
export type {
  AllVersionsOption,
  DeactivateAllSummary,
  DestroyAllOptions,
  DestroyAllSummary,
  RevokeAllSummary,
} from "./commands/all-versions.js";
export type { GivenEvidence } from "./commands/exceptions.js";
export type { PublicKey, Signature, Verification, VerifyOptions } from "./commands/signatures.js";
export type { DatesOptions } from "./commands/set-dates.js";
export type { AuditCheckpoint } from "./commands/checkpoint.js";
export type {
  AuditConsistency,
  AuditProof,
  AuditReport,
  VerifyAuditOptions,
} from "./commands/verify-audit.js";
export type { SequenceSummary } from "./commands/sequence.js";
export type { SweepSummary } from "./commands/sweep.js";
export type { DestroyOptions } from "./commands/destroy.js";
export type {
  EncryptStreamOptions,
  MessageOptions,
  RecoveredMessage,
  RecoverOptions,
} from "./messages/messages.js";
export { ageRecipient, decryptAge, encryptAge, generateAgeIdentity } from "./messages/age-files.js";
export type { AgeIdentity, DecryptAgeOptions, EncryptAgeOptions } from "./messages/age-files.js";
export type { PassphraseSource } from "./foundation/passphrase.js";
export type { AgeSource } from "./messages/age/byte-source.js";
export { passphrase, rawKey } from "./unlock/methods.js";
export type { Argon2idOptions, PassphraseOptions, Pbkdf2Options, UnlockMethod } from "./unlock/methods.js";
export { CoreError, ERROR_CODES, isKeyloomError, KeyloomError } from "./foundation/errors.js";
export type { ErrorClass, ErrorCode } from "./foundation/errors.js";
export type {
  Check,
  Commit,
  CommitId,
  Committed,
  Conflict,
  Entry,
  Found,
  ListOptions as StorageListOptions,
  Mutation,
  Range,
  Snapshot,
  StorageAdapter,
  StorageCapabilities,
  StorageReads,
  Unsubscribe,
} from "./storage/adapter.js";
