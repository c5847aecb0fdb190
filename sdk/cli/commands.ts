/** The commands of the command line, one table: arguments, options, what runs, what is shown. */
import {
  KeyloomError,
  STATE_NAMES,
  type AuditEntry,
  type Key,
  type KeyManager,
  type KeyVersionInfo,
  type State,
} from "../index.js";
import { decryptedName, encryptedName, requireFree, source, writeOut } from "./files.js";
import { columns, safe, type Io } from "./io.js";
import { follow } from "./progress.js";

export interface Values {
  readonly [option: string]: string | boolean | string[] | undefined;
}

export interface CommandInput {
  io: Io;
  /** Opens the store when the command needs it; `true` initialises it. */
  open: (create: boolean) => Promise<KeyManager>;
  args: readonly string[];
  values: Values;
  json: boolean;
}

export interface Output {
  /** One JSON value for `--json`; `undefined`: the command wrote its result itself (to stdout). */
  result: unknown;
  text: string;
}

export interface Command {
  /** Arguments as help shows them; a `[…]` one may be left out. */
  args: readonly string[];
  about: string;
  options: Readonly<
    Record<string, { type: "string" | "boolean"; multiple?: true; short?: string; about: string }>
  >;
  run(input: CommandInput): Promise<Output>;
}

function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

function count(values: Values, name: string): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (/^[1-9][0-9]{0,9}$/.test(value)) return Number(value);
  throw new KeyloomError("CLI_USAGE", { message: `--${name} takes a positive whole number` });
}

function date(values: Values, name: string): Date | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  const parsed = new Date(value);
  if (/^\d{4}-\d{2}-\d{2}/.test(value) && !Number.isNaN(parsed.getTime())) return parsed;
  throw new KeyloomError("CLI_USAGE", {
    message: `--${name} takes a date such as 2027-01-31 or 2027-01-31T12:00:00Z`,
  });
}

function list(values: Values, name: string): string[] | undefined {
  const value = values[name];
  if (value === undefined || typeof value === "boolean") return undefined;
  return [value]
    .flat()
    .flatMap((item) => item.split(","))
    .filter((item) => item !== "");
}

function stateOf(key: Key): string {
  return (key.versions.find((version) => version.current) ?? key.versions.at(-1)!).state;
}

function currentOf(key: Key): string {
  return String(key.versions.find((version) => version.current)?.version ?? "-");
}

export function keyTable(keys: readonly Key[]): string {
  if (keys.length === 0) return "no keys";
  return columns([
    ["ID", "NAME", "ALGORITHM", "USAGES", "STATE", "CURRENT", "VERSIONS"],
    ...keys.map((key) => [
      key.id,
      safe(key.name ?? "-"),
      key.algorithm,
      key.usages.join(","),
      stateOf(key),
      currentOf(key),
      String(key.versions.length),
    ]),
  ]);
}

function versionLine(version: KeyVersionInfo): string[] {
  const dates = Object.entries(version.dates).map(([name, value]) => `${name} ${value.toISOString()}`);
  const cause = version.cause === undefined ? "" : ` (${version.cause})`;
  return [`  ${version.version}`, version.state + cause, version.current ? "current" : "", dates.join(", ")];
}

export function keyDetails(key: Key): string {
  const lines = [
    ["id", key.id],
    ["name", safe(key.name ?? "-")],
    ["algorithm", key.algorithm],
    ["usages", key.usages.join(", ")],
    ["wrapped by", key.wrappedBy ?? "the root key"],
    ["owner", key.owner],
    ["exportable", key.exportable ? "yes" : "no"],
    ["tags", key.tags.length === 0 ? "-" : key.tags.map(safe).join(", ")],
  ];
  return [columns(lines), "versions", columns(key.versions.map(versionLine))].join("\n");
}

export function auditTable(entries: readonly AuditEntry[]): string {
  return columns([
    ["TIME", "OPERATION", "KEYS", "WRITER", "N"],
    ...entries.map((entry) => [
      entry.time.toISOString(),
      entry.kind === "abandoned" ? "(abandoned)" : safe(entry.operation ?? ""),
      keysOf(entry),
      entry.writer.slice(-12),
      String(entry.sequence),
    ]),
  ]);
}

function keysOf(entry: AuditEntry): string {
  if (entry.bulkCount !== undefined) return `${entry.bulkCount} keys`;
  const changes = (entry.keys ?? []).map(({ key, version, before, after }) => {
    const change = after === undefined ? "" : ` ${before ?? "∅"} → ${after}`;
    return `${key}/${version}${change}`;
  });
  return changes.length === 0 ? "-" : changes.join("; ");
}

const VERSION_OPTION = {
  "key-version": { type: "string", about: "the version meant; may be left out where there is only one" },
} as const;
const JOB_OPTION = {
  job: { type: "string", about: "resume an interrupted job, by the id that it printed" },
} as const;
const OUTPUT_OPTIONS = {
  output: { type: "string", short: "o", about: "where to write; - is stdout" },
  force: { type: "boolean", about: "replace an existing output" },
} as const;

function keyOutput(key: Key): Output {
  return { result: key, text: keyDetails(key) };
}

/** With the manager open, whatever happens it is closed. */
async function using<T>(
  input: CommandInput,
  use: (keys: KeyManager) => Promise<T>,
  create = false,
): Promise<T> {
  const keys = await input.open(create);
  try {
    return await use(keys);
  } finally {
    await keys.close();
  }
}

/** Writes a command's output file. That it may be written was checked before the input was opened. */
async function writeFile(
  input: CommandInput,
  target: string,
  stream: ReadableStream<Uint8Array>,
): Promise<Output> {
  const bytes = await writeOut(input.io, target, stream);
  if (target === "-") return { result: undefined, text: "" };
  return { result: { output: target, bytes }, text: `${safe(target)}: ${bytes.toLocaleString("en")} bytes` };
}

export const COMMANDS = {
  init: {
    args: [],
    about: "make a new store",
    options: {},
    run: (input) =>
      using(input, async () => ({ result: { initialised: true }, text: "a new store was made" }), true),
  },

  create: {
    args: ["[NAME]"],
    about: "generate a key, or with --count many",
    options: {
      algorithm: { type: "string", about: "XChaCha20-Poly1305 (default) or HMAC-SHA256" },
      usages: {
        type: "string",
        about: "comma-separated: encrypt,decrypt or wrap,unwrap or mac-generate,mac-verify",
      },
      under: { type: "string", about: "the wrapping key; default: the root key" },
      tag: { type: "string", multiple: true, about: "a tag; may be given several times" },
      count: { type: "string", about: "so many keys without names" },
      "pre-active": { type: "boolean", about: "do not activate it yet" },
      activation: { type: "string", about: "when it becomes active" },
      "protect-stop": { type: "string", about: "when it stops protecting" },
      deactivation: { type: "string", about: "when it becomes deactivated" },
      exportable: { type: "boolean", about: "its material may be exported; can't be changed later" },
      ...JOB_OPTION,
    },
    run: (input) =>
      using(input, async (keys) => {
        const { values, args } = input;
        const options = {
          algorithm: text(values, "algorithm") ?? "XChaCha20-Poly1305",
          usages: list(values, "usages"),
          under: text(values, "under"),
          tags: list(values, "tag"),
          activation: values["pre-active"] === true ? null : date(values, "activation"),
          protectStop: date(values, "protect-stop"),
          deactivation: date(values, "deactivation"),
          exportable: values["exportable"] === true,
        };
        const many = count(values, "count");
        if (many === undefined) return keyOutput(await keys.create({ ...options, name: args[0] }));
        if (args[0] !== undefined)
          throw new KeyloomError("CLI_USAGE", { message: "--count makes keys without names" });
        const job = keys.createMany(many, { ...options, job: text(values, "job") });
        const summary = await follow(input.io, input.json, "creating", job);
        return { result: summary, text: `${summary.created.toLocaleString("en")} keys (job ${summary.job})` };
      }),
  },

  list: {
    args: [],
    about: "list keys, oldest first",
    options: {
      tag: { type: "string", about: "only keys with this tag" },
      state: { type: "string", about: `only keys with a version that is: ${STATE_NAMES.join(", ")}` },
      under: { type: "string", about: "only keys under this wrapping key" },
      limit: { type: "string", about: "at most so many, up to 1000; default 100" },
      cursor: { type: "string", about: "go on where another page ended" },
    },
    run: (input) =>
      using(input, async (keys) => {
        const { values } = input;
        const state = text(values, "state");
        if (state !== undefined && !(STATE_NAMES as readonly string[]).includes(state)) {
          throw new KeyloomError("CLI_USAGE", { message: `--state is one of ${STATE_NAMES.join(", ")}` });
        }
        const page = await keys.list({
          tag: text(values, "tag"),
          state: state as State | undefined,
          under: text(values, "under"),
          limit: count(values, "limit"),
          cursor: text(values, "cursor"),
        });
        const more = page.cursor === null ? "" : `\nmore: --cursor ${page.cursor}`;
        return { result: page, text: keyTable(page.keys) + more };
      }),
  },

  show: {
    args: ["KEY"],
    about: "show one key, with its versions",
    options: {},
    run: (input) =>
      using(input, async (keys) => {
        const key = await keys.get(input.args[0]!);
        if (key !== null) return keyOutput(key);
        throw new KeyloomError("KEY_NOT_FOUND", { message: `there is no key ${safe(input.args[0]!)}` });
      }),
  },

  encrypt: {
    args: ["FILE"],
    about: "encrypt a file (- is stdin) to FILE.age",
    options: { key: { type: "string", about: "the key to encrypt with" }, ...OUTPUT_OPTIONS },
    run: (input) =>
      using(input, async (keys) => {
        const path = input.args[0]!;
        const key = text(input.values, "key");
        if (key === undefined) throw new KeyloomError("CLI_USAGE", { message: "encrypt needs --key" });
        const target = text(input.values, "output") ?? encryptedName(path);
        await requireFree(target, input.values["force"] === true);
        return writeFile(input, target, keys.encryptStream(key, await source(input.io, path)));
      }),
  },

  decrypt: {
    args: ["FILE"],
    about: "decrypt FILE.age (- is stdin) to FILE",
    options: OUTPUT_OPTIONS,
    run: (input) =>
      using(input, async (keys) => {
        const path = input.args[0]!;
        const target = text(input.values, "output") ?? decryptedName(path);
        await requireFree(target, input.values["force"] === true);
        return writeFile(input, target, keys.decryptStream(await source(input.io, path)));
      }),
  },

  activate: {
    args: ["KEY"],
    about: "activate the newest version that waits for it",
    options: VERSION_OPTION,
    run: (input) =>
      using(input, async (keys) =>
        keyOutput(await keys.activate(input.args[0]!, { version: count(input.values, "key-version") })),
      ),
  },

  deactivate: {
    args: ["KEY"],
    about: "end a version's protecting",
    options: VERSION_OPTION,
    run: (input) =>
      using(input, async (keys) =>
        keyOutput(await keys.deactivate(input.args[0]!, { version: count(input.values, "key-version") })),
      ),
  },

  rotate: {
    args: ["KEY"],
    about: "add a version with fresh material, which becomes the current one",
    options: {},
    run: (input) => using(input, async (keys) => keyOutput(await keys.rotate(input.args[0]!))),
  },

  rewrap: {
    args: ["KEY"],
    about: "move everything under a wrapping key's old versions to its current one",
    options: JOB_OPTION,
    run: (input) =>
      using(input, async (keys) => {
        const job = keys.rewrap(input.args[0]!, { job: text(input.values, "job") });
        const summary = await follow(input.io, input.json, "re-wrapping", job);
        return {
          result: summary,
          text: `${summary.rewrapped.toLocaleString("en")} keys moved (job ${summary.job})`,
        };
      }),
  },

  destroy: {
    args: ["KEY"],
    about: "destroy a version's material, for ever",
    options: {
      ...VERSION_OPTION,
      "crypto-shred": {
        type: "boolean",
        about: "also where keys still lie under it: they become unreadable",
      },
    },
    run: (input) =>
      using(input, async (keys) => {
        const outcome = await keys.destroy(input.args[0]!, {
          version: count(input.values, "key-version"),
          cryptoShred: input.values["crypto-shred"] === true,
        });
        const erased =
          outcome.erasure === "cryptographic"
            ? "no copy of it opens any more"
            : "old pages, logs and backups may still hold it";
        const shredded = outcome.shredded === 0 ? "" : `; ${outcome.shredded} keys became unreadable`;
        return { result: outcome, text: `version ${outcome.version} is destroyed: ${erased}${shredded}` };
      }),
  },

  audit: {
    args: [],
    about: "show the newest audit entries, or with --verify walk and verify all of them",
    options: {
      limit: { type: "string", about: "at most so many; default 20" },
      verify: { type: "boolean", about: "walk every writer's chain from its beginning" },
    },
    run: (input) =>
      using(input, async (keys) => {
        if (input.values["verify"] !== true) {
          const entries = await keys.auditTail(count(input.values, "limit") ?? 20);
          return { result: { entries }, text: auditTable(entries) };
        }
        let entries = 0;
        const writers = new Set<string>();
        for await (const entry of keys.audit()) {
          entries++;
          writers.add(entry.writer);
        }
        const found = { verified: true, entries, writers: writers.size };
        return { result: found, text: `${entries} entries of ${writers.size} writers: unbroken` };
      }),
  },
} as const satisfies Readonly<Record<string, Command>>;

export type CommandName = keyof typeof COMMANDS;
