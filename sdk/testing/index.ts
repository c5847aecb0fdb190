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
export { storageConformance } from "../storage/conformance.js";
export { FAULTS, faultyStorage, seededFaults } from "../storage/faulty.js";
