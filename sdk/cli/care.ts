/** Commands that look after a store as a whole. */
import { doctor as examine, type DoctorSummary } from "../entries/maintenance.js";
import { using, type Command } from "./command.js";
import { columns, safe } from "./io.js";
import { follow } from "./progress.js";

function doctorText({ entries, found, repaired, findings }: DoctorSummary): string {
  const looked = `${entries.toLocaleString("en")} entries`;
  if (found === 0) return `${looked}: all of them agree`;
  const rows = findings.map(
    ({ kind, key, version, writer, sequence, job, storageKey, detail, repaired: done }) => {
      const ofKey = key === undefined ? undefined : `${key}${version === undefined ? "" : `/${version}`}`;
      const ofWriter =
        writer === undefined ? undefined : `${writer}${sequence === undefined ? "" : ` ${sequence}`}`;
      return [kind, ofKey ?? ofWriter ?? job ?? storageKey ?? "-", done ? "repaired" : safe(detail)];
    },
  );
  const more =
    found > findings.length ? `\n… and ${(found - findings.length).toLocaleString("en")} more` : "";
  const left = found - repaired;
  return `${columns([["FINDING", "OF", "DETAIL"], ...rows])}${more}\n${looked}: ${found} findings, ${left} left`;
}

export const CARE = {
  doctor: {
    args: [],
    about:
      "say whether records, indexes and the audit log agree; exits with 6 where something is left that doesn't",
    options: {
      repair: { type: "boolean", about: "make index entries anew that don't agree with their records" },
    },
    run: (input) =>
      using(input, async (keys) => {
        const job = examine(keys, { repair: input.values["repair"] === true });
        const summary = await follow(input.io, input.json, "examining", job, null);
        return {
          result: summary,
          text: doctorText(summary),
          ...(summary.found > summary.repaired ? { exit: "integrity" as const } : {}),
        };
      }),
  },
} as const satisfies Readonly<Record<string, Command>>;
