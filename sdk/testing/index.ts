/**
 * `keyloom/testing`: for the tests of applications that use Keyloom, and of storage adapters that others write.
 */
export { virtualClock, type VirtualClock } from "./clock.js";
export { seededRandom } from "./random.js";
export type { Clock } from "../foundation/clock.js";
export type { RandomSource } from "../foundation/random.js";
export { arbitraries, type Arbitraries, type HistoryConstraints } from "./arbitraries.js";
export type { PolicyNames } from "./policies.js";
export {
  HistoryMismatch,
  historyText,
  runHistory,
  type Act,
  type Actor,
  type FaultPlan,
  type History,
  type HistoryOptions,
  type HistoryStep,
} from "./histories.js";
export {
  MODEL_DATES,
  ModelKey,
  modelMayProcess,
  modelMayProtect,
  modelNext,
  modelStateAt,
  type ModelDate,
  type ModelEvent,
  type ModelException,
  type ModelRules,
  type ModelState,
  type ModelVersion,
} from "./model.js";
export { ModelStore, type ChangeStep, type KeyShape, type Outlook } from "./model-store.js";
export { openWith, type Internals } from "../key-manager.js";
export {
  storageConformance,
  type Aspect,
  type ConformanceOptions,
  type ExpectLike,
  type StoreUnderTest,
} from "../storage/conformance.js";
export {
  FAULTS,
  faultyStorage,
  seededFaults,
  type Fault,
  type FaultSchedule,
  type FaultyCall,
  type FaultyOperation,
  type FaultyStorage,
} from "../storage/faulty.js";
