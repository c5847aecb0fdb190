/** The lifecycle as pages show it: a state diagram, and tables, made from the tables that the code goes by. */
import { DATES, type DateRule } from "./dates.js";
import { PERMISSIONS, STATE_NAMES, type LifecycleEvent, type Transition, type UseKind } from "./states.js";
import { transitionsOf, type TransitionOptions } from "./transition.js";

const EVENT_NAMES: Partial<Record<LifecycleEvent, string>> = {
  create: "create, import, rotate",
  "activation-due": "activation date",
  "deactivation-due": "deactivation date",
  "revoke-compromised": "revoke (compromise)",
};

function eventName(event: LifecycleEvent): string {
  return EVENT_NAMES[event] ?? event;
}

/** Rows of one number and one pair of states, with all their events. */
interface Arrow {
  row: string;
  from: Transition["from"];
  to: Transition["to"];
  events: LifecycleEvent[];
  off: boolean;
}

function arrows(options: TransitionOptions): Arrow[] {
  const found: Arrow[] = [];
  for (const { row, from, to, event, offByDefault } of transitionsOf(options)) {
    const known = found.find((arrow) => arrow.row === row);
    if (known === undefined) found.push({ row, from, to, events: [event], off: offByDefault === true });
    else known.events.push(event);
  }
  return found;
}

/** All rows, also those that only a policy switches on. */
const ALL: TransitionOptions = { enabledRows: ["N6"] };

/** Mermaid's identifiers have no hyphens. */
const node = (state: string | null): string => (state === null ? "[*]" : state.replaceAll("-", "_"));

/** The states and transitions as a Mermaid state diagram. */
export function stateDiagram(options: TransitionOptions = ALL): string[] {
  return [
    "stateDiagram-v2",
    ...STATE_NAMES.filter((state) => state.includes("-")).map(
      (state) => `  state "${state}" as ${node(state)}`,
    ),
    ...arrows(options).map(
      ({ row, from, to, events }) =>
        `  ${node(from)} --> ${node(to)}: ${row} ${events.map(eventName).join(", ")}`,
    ),
  ];
}

export function transitionRows(options: TransitionOptions = ALL): string[][] {
  return arrows(options).map(({ row, from, to, events, off }) => [
    row,
    from ?? "∅",
    to,
    events.map(eventName).join(", "),
    off ? "off by default" : row.startsWith("N") ? "not in `kmip-2.1`" : "",
  ]);
}

/** What a kind of use is called, in the order of the columns. */
export const USE_COLUMNS = {
  protect: "Protect (encrypt, sign, wrap, MAC, derive)",
  open: "Decrypt, unwrap",
  check: "Verify a MAC",
  verify: "Verify a signature",
} as const satisfies Record<UseKind, string>;

const PERMISSION_NAMES = {
  no: "no",
  yes: "yes",
  "until protect-stop": "until protect-stop",
  "from process-start": "from process-start",
  acceptance: "with evidence that it was made before the suspension",
  grant: "by grant (the owner has it)",
  recovery: "for recovery, by a trusted principal",
  evidence: "with trusted evidence that it predates the compromise",
} as const;

export function permissionRows(): string[][] {
  return STATE_NAMES.map((state) => [
    state,
    ...(Object.keys(USE_COLUMNS) as UseKind[]).map((kind) => PERMISSION_NAMES[PERMISSIONS[state][kind]]),
  ]);
}

export function dateRows(): string[][] {
  return Object.entries<DateRule>(DATES).map(([date, { setBy, about, changeableIn }]) => [
    date,
    setBy,
    about,
    changeableIn === undefined ? "never" : `${changeableIn.join(", ")}, until it is reached`,
  ]);
}
