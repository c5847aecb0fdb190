/** `audit`: shows, verifies, signs, proves and exports. */
import type { AuditCheckpoint, AuditReport, KeyManager } from "../index.js";
import { utf8 } from "../foundation/bytes.js";
import { using, type Command, type CommandInput, type Output } from "./command.js";
import { readWhole, requireFree, writeOut } from "./files.js";
import { interrupted, safe, usage } from "./io.js";
import { count, exclude, needs, text } from "./options.js";
import { auditTable } from "./tables.js";

const DEFAULT_LIMIT = 20;
/** A note has one signature here; others may add theirs. */
const MAX_CHECKPOINT = 65_536;

type Action = (input: CommandInput) => Promise<Output>;

function show(input: CommandInput): Promise<Output> {
  const limit = count(input.values, "limit") ?? DEFAULT_LIMIT;
  return using(input, async (keys) => {
    const entries = await keys.auditTail(limit);
    return { result: { entries }, text: auditTable(entries) };
  });
}

async function verify(input: CommandInput): Promise<Output> {
  const { io, values } = input;
  needs(values, "verifier-key", "checkpoint");
  const path = text(values, "checkpoint");
  const checkpoint = path === undefined ? undefined : await noteIn(input, path);
  const verifierKey = text(values, "verifier-key");
  return using(input, async (keys) => {
    try {
      const report = await keys.verifyAudit({ checkpoint, verifierKey, signal: io.signal });
      return { result: { verified: true, ...report }, text: reportLines(report) };
    } catch (error) {
      if (io.signal.aborted) throw interrupted(io.signal, "not all entries were verified");
      throw error;
    }
  });
}

async function noteIn({ io }: CommandInput, path: string): Promise<string> {
  const bytes = await readWhole(io, path, MAX_CHECKPOINT, "checkpoint");
  return new TextDecoder().decode(bytes);
}

function reportLines({ entries, writers, log, waiting, checkpoint }: AuditReport): string {
  const signed = checkpoint === null ? "no checkpoint yet" : `last checkpoint at ${checkpoint.size}`;
  return `${entries} entries of ${writers} writers: unbroken\n${log.size} in the log, ${waiting} wait for it; ${signed}`;
}

async function checkpoint(input: CommandInput): Promise<Output> {
  const write = await target(input);
  return using(input, async (keys) => {
    const made = await keys.checkpointAudit();
    return write(made, (signed: AuditCheckpoint) => signed.note);
  });
}

async function prove(input: CommandInput): Promise<Output> {
  const argument = input.args[1] ?? "";
  if (!/^(0|[1-9][0-9]{0,14})$/.test(argument))
    throw usage("audit prove needs the INDEX of an entry of the log");
  const write = await target(input);
  return using(input, async (keys) => {
    const { leaf, proof, ...proved } = await keys.proveAudit(Number(argument));
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
    const result = { ...proved, leaf: base64(leaf), proof: proof.map(base64) };
    return write(result, () => proved.text);
  });
}

async function exportAll(input: CommandInput): Promise<Output> {
  const { io, values } = input;
  const path = text(values, "output") ?? "-";
  const force = values["force"] === true;
  await requireFree(path, force);
  return using(input, async (keys) => {
    const bytes = await writeOut(io, path, linesOf(keys), force);
    if (path === "-") return { result: undefined, text: "" };
    return {
      result: { output: path, bytes },
      text: `${safe(path)}: ${bytes.toLocaleString("en")} bytes`,
    };
  });
}

function linesOf(keys: KeyManager): ReadableStream<Uint8Array> {
  const lines = keys.exportAudit();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const step = await lines.next();
        if (step.done === true) controller.close();
        else controller.enqueue(utf8(`${step.value}\n`));
      },
      async cancel() {
        await lines.return();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Where a small text goes: to the file of `--output`, or to stdout as the command's own answer. */
async function target({
  io,
  values,
}: CommandInput): Promise<<T>(result: T, textOf: (result: T) => string) => Promise<Output>> {
  const path = text(values, "output");
  const force = values["force"] === true;
  if (path !== undefined) await requireFree(path, force);
  return async (result, textOf) => {
    const written = textOf(result);
    // The program ends what it prints with a newline of its own.
    if (path === undefined) return { result, text: written.replace(/\n$/, "") };
    const bytes = await writeOut(io, path, new Blob([written]).stream(), force);
    return { result: { ...result, output: path }, text: `${safe(path)}: ${bytes} bytes` };
  };
}

/** What `audit` can be told to do, and the options that go with it. */
const ACTIONS: Readonly<Record<string, { run: Action; options: readonly string[]; index?: true }>> = {
  show: { run: show, options: ["limit"] },
  verify: { run: verify, options: ["verify", "checkpoint", "verifier-key"] },
  checkpoint: { run: checkpoint, options: ["output", "force"] },
  prove: { run: prove, options: ["output", "force"], index: true },
  export: { run: exportAll, options: ["output", "force"] },
};

export const audit = {
  args: ["[ACTION]", "[INDEX]"],
  about: `the audit log: ${Object.keys(ACTIONS).join(", ")} (of one entry); default: show`,
  options: {
    limit: { type: "string", about: `show: at most so many; default ${DEFAULT_LIMIT}` },
    verify: { type: "boolean", about: "the same as the action verify" },
    checkpoint: { type: "string", about: "verify: that the log goes on from the checkpoint in this file" },
    "verifier-key": { type: "string", about: "verify: the key of that checkpoint; default: the store's own" },
    output: { type: "string", short: "o", about: "write to this file" },
    force: { type: "boolean", about: "replace the file that is there" },
  },
  run: async (input: CommandInput) => {
    const { values, args } = input;
    exclude(values, "verify", "limit");
    const name = args[0] ?? (values["verify"] === true ? "verify" : "show");
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name]! : undefined;
    if (action === undefined) throw usage(`audit can ${Object.keys(ACTIONS).join(", ")}, not ${name}`);
    if (args.length > 1 && action.index !== true)
      throw usage(`audit ${name} takes no further argument ${args[1]!}`);
    for (const option of Object.keys(audit.options)) {
      if (values[option] !== undefined && !action.options.includes(option)) {
        throw usage(`--${option} does not go with audit ${name}`);
      }
    }
    return action.run(input);
  },
} satisfies Command;
