/** Commands that look after a store as a whole. */
import { doctor as examine, type DoctorSummary } from "../entries/maintenance.js";
import { backup as takeBackup, restore as restoreBackup } from "../entries/recovery.js";
import { using, type Command, type CommandInput, type Output } from "./command.js";
import { requireFree, requireReadable, source, writeOut } from "./files.js";
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

/** To a file or to stdout, which then holds nothing else. */
async function backup(input: CommandInput): Promise<Output> {
  const { io, values } = input;
  const target = input.args[0]!;
  const force = values["force"] === true;
  await requireFree(target, force);
  return using(input, async (keys) => {
    const bytes = await writeOut(io, target, takeBackup(keys), force);
    if (target === "-") return { result: undefined, text: "" };
    return {
      result: { output: target, bytes },
      text: `${safe(target)}: ${bytes.toLocaleString("en")} bytes`,
    };
  });
}

async function restore(input: CommandInput): Promise<Output> {
  const { io, json, values } = input;
  const path = input.args[0]!;
  await requireReadable(path);
  const { storage, unlock } = await input.place();
  const acceptRollback = values["accept-rollback"] === true;
  const job = restoreBackup(source(io, path), { storage, unlock, acceptRollback });
  const summary = await follow(io, json, "restoring", job, null);
  const { entries, taken, store, damaged } = summary;
  const worse = damaged === 0 ? "" : `, ${damaged} of them damaged before: see keyloom doctor`;
  return {
    result: summary,
    text: `${entries.toLocaleString("en")} entries of ${taken.toISOString()} (store ${store})${worse}`,
  };
}

export const CARE = {
  backup: {
    args: ["FILE"],
    about: "take a backup while others work; - is stdout. It opens with what opens the store now",
    options: { force: { type: "boolean", about: "replace an existing file" } },
    run: backup,
  },

  restore: {
    args: ["FILE"],
    about:
      "restore a backup into an empty place, as --store; the same again goes on where it was interrupted",
    options: {
      "accept-rollback": {
        type: "boolean",
        about: "what was destroyed, revoked or counted after the backup is undone, and that is meant",
      },
    },
    run: restore,
  },

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
