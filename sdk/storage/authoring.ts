/** `keyloom/storage/adapter`: what an adapter of one's own is written with. docs/STORAGE.md shows how. */
export {
  closedError,
  COMMIT_ID_BYTES,
  compareBytes,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  MIN_CHECKS,
  MIN_MUTATIONS,
  validateCommit,
} from "./adapter.js";
export type {
  Check,
  Commit,
  CommitId,
  Committed,
  Conflict,
  Entry,
  Found,
  ListOptions,
  Mutation,
  Range,
  Snapshot,
  StorageAdapter,
  StorageCapabilities,
  StorageReads,
  Unsubscribe,
} from "./adapter.js";
export { copyRange, NO_VALUE, pagedList } from "./pages.js";
export type { CopiedRange, ReadPage } from "./pages.js";
export { loadDriver, Opening } from "./opening.js";
export { KeyloomError } from "../foundation/errors.js";
