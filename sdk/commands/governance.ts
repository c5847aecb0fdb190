/**
 * All that governs and is not asked at each use, behind one dynamic import: policies set, entities, proposals, approvals and
 * reports. That commands obey the policy in force needs none of it.
 */
export { listEntities } from "../entities/record.js";
export { viewOfEntity } from "../entities/view.js";
export { listProposals } from "../governance/proposal-record.js";
export { viewOfPolicy, viewOfProposal } from "../governance/view.js";
export { approve, propose, withApproval } from "./approve.js";
export { registerEntity, revokeEntity, setPolicy } from "./govern.js";
export { report } from "./report.js";
