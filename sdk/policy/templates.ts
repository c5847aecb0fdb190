/** Policies to begin with. */
import type { Operation, Policy, PolicyRule } from "./model.js";

/** What `strict` puts under dual control. Entities too: who registers approvers could approve what they like. */
const DUAL: readonly Operation[] = [
  "destroy",
  "export",
  "recover",
  "set-policy",
  "register-entity",
  "revoke-entity",
];

const MANAGE: readonly Operation[] = [
  "create",
  "import",
  "wrap",
  "activate",
  "suspend",
  "resume",
  "deactivate",
  "revoke",
  "archive",
  "recover",
  "rotate",
  "rewrap",
  "destroy",
  "set-dates",
  "sweep",
  "confirm-clock",
  "read",
  "propose",
  "approve",
];

const ROLES: readonly PolicyRule[] = [
  { name: "owner-may", effect: "allow", roles: ["owner"], grants: ["process-deactivated", "trusted"] },
  { name: "operators-manage", effect: "allow", roles: ["operator"], operations: MANAGE },
  {
    name: "users-use",
    effect: "allow",
    roles: ["user"],
    operations: ["read", "encrypt", "decrypt", "sign", "verify"],
    grants: ["process-deactivated"],
  },
  { name: "auditors-read", effect: "allow", roles: ["auditor"], operations: ["read", "audit"] },
  {
    name: "approvers-approve",
    effect: "allow",
    roles: ["approver"],
    operations: ["read", "propose", "approve"],
  },
];

export const POLICY_TEMPLATES = {
  /** The owner everything; operators manage keys, users use them, auditors read, approvers approve. */
  roles: { name: "roles", rules: ROLES },
  /**
   * As `roles`, and two approvers must approve before anything is destroyed, exported or recovered, and before policy or
   * entities change. Register three approvers before it is set.
   */
  strict: {
    name: "strict",
    rules: [
      ...ROLES,
      { name: "two-approve", effect: "require", operations: DUAL, approvals: 2, approvers: ["approver"] },
    ],
  },
} as const satisfies Record<string, Policy>;
