/**
 * `keyloom/testing`: for the tests of applications that use Keyloom, and of storage adapters that others write.
 */
export { virtualClock, type VirtualClock } from "./clock.js";
export { seededRandom } from "./random.js";
export type { Clock } from "../foundation/clock.js";
export type { RandomSource } from "../foundation/random.js";
export {
  ModelKey,
  modelMayProcess,
  modelMayProtect,
  modelNext,
  modelStateAt,
  type ModelEvent,
  type ModelRules,
  type ModelState,
  type ModelVersion,
} from "./model.js";
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
