/** The commands of the command line, one table: arguments, options, what runs, what is shown. */
import {
  CRYPTOPERIOD_NAMES,
  decryptAge,
  encryptAge,
  FINDING_NAMES,
  KeyloomError,
  REVOCATION_REASON_NAMES,
  STATE_NAMES,
  type Cryptoperiod,
  type Finding,
  type KeyManager,
  type ReportEntry,
  type RevocationReason,
  type State,
  type Key,
} from "../index.js";
import { CARE } from "./care.js";
import { conversion, using, withKey, type Command, type CommandInput, type Output } from "./command.js";
import { decryptedName, encryptedName } from "./files.js";
import { interrupted, usage } from "./io.js";
import { withIdentities } from "./identities.js";
import {
  commaSeparated,
  count,
  date,
  dateOrNone,
  exclude,
  many,
  needs,
  OUTPUT_OPTIONS,
  text,
  VERSION_OPTION,
} from "./options.js";
import { KEY_FILE_OPTION, PAIR_COMMANDS, withKeyFile } from "./pairs.js";
import { follow } from "./progress.js";
import { filePassphrase } from "./secret.js";
import { audit } from "./audit.js";
import { dueTable, keyTable, reportTable } from "./tables.js";

const ALL_VERSIONS_OPTION = {
  "all-versions": { type: "boolean", about: "every version of the key for which it is allowed" },
} as const;
const JOB_OPTION = {
  job: { type: "string", about: "resume an interrupted job, by the id that it printed" },
} as const;
const PASSPHRASE_OPTION = {
  passphrase: {
    type: "boolean",
    short: "p",
    about: "the file is under a passphrase of its own, which is asked for or read as a store's is",
  },
} as const;

const NEW_KEY_OPTIONS = {
  algorithm: {
    type: "string",
    about: "XChaCha20-Poly1305 (default), HMAC-SHA256, Ed25519, X25519, A256KW or A256KWP",
  },
  usages: {
    type: "string",
    about:
      "comma-separated: encrypt,decrypt or wrap,unwrap or mac-generate,mac-verify or sign,verify or agree,encrypt,decrypt",
  },
  under: { type: "string", about: "the wrapping key; default: the root key" },
  tag: { type: "string", multiple: true, about: "a tag; may be given several times" },
  "pre-active": { type: "boolean", about: "do not activate it yet" },
  activation: { type: "string", about: "when it becomes active" },
  "protect-stop": { type: "string", about: "when it stops protecting" },
  deactivation: { type: "string", about: "when it becomes deactivated" },
  exportable: { type: "boolean", about: "its material may be exported; can't be changed later" },
  cryptoperiod: {
    type: "string",
    about: `sets protect-stop and deactivation, for keys of the kind ${CRYPTOPERIOD_NAMES.join(", ")}`,
  },
  "max-operations": { type: "string", about: "how often each version may protect" },
  "max-bytes": { type: "string", about: "how many bytes each version may protect" },
  audit: { type: "string", about: "which uses leave an audit event: none (default), counted or each" },
} as const;

function newKeyOptions({ values }: CommandInput): Omit<Parameters<KeyManager["create"]>[0], "name"> {
  exclude(values, "pre-active", "activation");
  const [operations, bytes] = [count(values, "max-operations"), count(values, "max-bytes")];
  return {
    algorithm: text(values, "algorithm") ?? "XChaCha20-Poly1305",
    usages: commaSeparated(values, "usages"),
    under: text(values, "under"),
    tags: many(values, "tag"),
    activation: values["pre-active"] === true ? null : date(values, "activation"),
    protectStop: date(values, "protect-stop"),
    deactivation: date(values, "deactivation"),
    exportable: values["exportable"] === true,
    cryptoperiod: text(values, "cryptoperiod") as Cryptoperiod | undefined,
    limits: operations === undefined && bytes === undefined ? undefined : { operations, bytes },
    audit: text(values, "audit") as Key["audit"] | undefined,
  };
}

/** One key, or with `--count` a job that makes many. */
async function create(input: CommandInput): Promise<Output> {
  const { io, json, values, args } = input;
  needs(values, "job", "count");
  const options = newKeyOptions(input);
  const number = count(values, "count");
  const [name] = args;
  if (number === undefined) return withKey(input, (keys) => keys.create({ ...options, name }));
  if (name !== undefined) throw usage("--count makes keys without names");
  return using(input, async (keys) => {
    const job = keys.createMany(number, { ...options, job: text(values, "job") });
    const summary = await follow(io, json, "creating", job);
    return { result: summary, text: `${summary.created.toLocaleString("en")} keys (job ${summary.job})` };
  });
}

/** A key from a file, whose bytes are wiped from memory afterwards. */
async function importKey(input: CommandInput): Promise<Output> {
  const [path, name] = input.args as [string, string | undefined];
  const options = newKeyOptions(input);
  return withKeyFile(input, path, ({ material, algorithm = options.algorithm, publicKey }) => {
    if (text(input.values, "algorithm") !== undefined && options.algorithm !== algorithm) {
      throw usage(`the file holds an ${algorithm} key`);
    }
    return withKey(input, (keys) => keys.import(material, { ...options, algorithm, name, publicKey }));
  });
}

/** With `--all-versions` a job over the versions of a key, else one version. */
function requireVersions({ values }: CommandInput): boolean {
  exclude(values, "all-versions", "key-version");
  needs(values, "job", "all-versions");
  return values["all-versions"] === true;
}

const versionCount = (count: number): string => `${count} version${count === 1 ? "" : "s"}`;

async function deactivate(input: CommandInput): Promise<Output> {
  const { io, json, args, values } = input;
  const version = count(values, "key-version");
  if (!requireVersions(input)) return withKey(input, (keys, key) => keys.deactivate(key, { version }));
  return using(input, async (keys) => {
    const job = keys.deactivate(args[0]!, { versions: "all", job: text(values, "job") });
    const summary = await follow(io, json, "deactivating", job, "versions");
    const done = versionCount(summary.deactivated);
    return { result: summary, text: `${done} deactivated, ${summary.skipped} skipped (job ${summary.job})` };
  });
}

async function revoke(input: CommandInput): Promise<Output> {
  const { io, json, args, values } = input;
  const reason = text(values, "reason") ?? "unspecified";
  if (!(REVOCATION_REASON_NAMES as readonly string[]).includes(reason)) {
    throw usage(`--reason is one of ${REVOCATION_REASON_NAMES.join(", ")}`);
  }
  const options = { reason: reason as RevocationReason, occurrence: date(values, "occurrence") };
  const version = count(values, "key-version");
  if (!requireVersions(input))
    return withKey(input, (keys, key) => keys.revoke(key, { ...options, version }));
  return using(input, async (keys) => {
    const job = keys.revoke(args[0]!, { ...options, versions: "all", job: text(values, "job") });
    const summary = await follow(io, json, "revoking", job, "versions");
    const done = versionCount(summary.revoked);
    return { result: summary, text: `${done} revoked, ${summary.skipped} skipped (job ${summary.job})` };
  });
}

function shreddedText(shredded: number): string {
  return shredded === 0 ? "" : `; ${shredded} keys became unreadable`;
}

const ERASURES = {
  cryptographic: "no copy of it opens any more",
  deleted: "old pages, logs and backups may still hold it",
} as const;

async function destroy(input: CommandInput): Promise<Output> {
  const { io, json, args, values } = input;
  const [key] = args as [string];
  const version = count(values, "key-version");
  const cryptoShred = values["crypto-shred"] === true;
  if (!requireVersions(input)) {
    return using(input, async (keys) => {
      const outcome = await keys.destroy(key, { version, cryptoShred });
      const erased = `${ERASURES[outcome.erasure]}${shreddedText(outcome.shredded)}`;
      return { result: outcome, text: `version ${outcome.version} is destroyed: ${erased}` };
    });
  }
  return using(input, async (keys) => {
    const job = keys.destroy(key, { versions: "all", cryptoShred, job: text(values, "job") });
    const summary = await follow(io, json, "destroying", job, "versions");
    const { destroyed, skipped, erasure, shredded } = summary;
    const erased =
      erasure === null ? "" : `: ${ERASURES[erasure].replace("it", "them")}${shreddedText(shredded)}`;
    const done = `${versionCount(destroyed)} destroyed, ${skipped} skipped (job ${summary.job})`;
    return { result: summary, text: `${done}${erased}` };
  });
}

/** With a key of the store, for recipients of age beside it; or without a store, for recipients or under a passphrase. */
async function encrypt(input: CommandInput): Promise<Output> {
  const { values } = input;
  exclude(values, "passphrase", "key");
  exclude(values, "passphrase", "recipient");
  const key = text(values, "key");
  const recipients = many(values, "recipient");
  const armor = values["armor"] === true;
  if (key === undefined && recipients === undefined && values["passphrase"] !== true) {
    throw usage("encrypt needs --key, --recipient or --passphrase");
  }
  const write = await conversion(input, encryptedName);
  if (key !== undefined) {
    return using(input, (keys) => write((from) => keys.encryptStream(key, from, { recipients, armor })));
  }
  return write((from) =>
    encryptAge(
      from,
      recipients === undefined
        ? { passphrase: () => filePassphrase(input, true), armor }
        : { recipients, armor },
    ),
  );
}

async function decrypt(input: CommandInput): Promise<Output> {
  const { values } = input;
  exclude(values, "passphrase", "identity");
  exclude(values, "key", "identity");
  exclude(values, "key", "passphrase");
  const identity = text(values, "key");
  const files = many(values, "identity");
  const write = await conversion(input, decryptedName);
  if (values["passphrase"] === true) {
    return write((from) => decryptAge(from, { passphrase: () => filePassphrase(input, false) }));
  }
  if (files === undefined)
    return using(input, (keys) => write((from) => keys.decryptStream(from, { identity })));
  return withIdentities(files, (identities) => write((from) => decryptAge(from, { identities })));
}

async function list(input: CommandInput): Promise<Output> {
  const { values } = input;
  const state = text(values, "state");
  if (state !== undefined && !(STATE_NAMES as readonly string[]).includes(state)) {
    throw usage(`--state is one of ${STATE_NAMES.join(", ")}`);
  }
  const options = {
    tag: text(values, "tag"),
    state: state as State | undefined,
    under: text(values, "under"),
    owner: text(values, "owner"),
    algorithm: text(values, "algorithm"),
    exposed: values["exposed"] === true ? (true as const) : undefined,
    archived: values["archived"] === true ? true : undefined,
    limit: count(values, "limit"),
    cursor: text(values, "cursor"),
  };
  return using(input, async (keys) => {
    const page = await keys.list(options);
    const more = page.cursor === null ? "" : `\nmore: --cursor ${page.cursor}`;
    return { result: page, text: keyTable(page.keys) + more };
  });
}

async function due(input: CommandInput): Promise<Output> {
  const { values } = input;
  const options = {
    from: date(values, "from"),
    until: date(values, "until"),
    limit: count(values, "limit"),
    cursor: text(values, "cursor"),
  };
  return using(input, async (keys) => {
    const page = await keys.due(options);
    const more = page.cursor === null ? "" : `\nmore: --cursor ${page.cursor}`;
    return { result: page, text: dueTable(page.due) + more };
  });
}

async function report(input: CommandInput): Promise<Output> {
  const { io, values } = input;
  const only = many(values, "finding") ?? FINDING_NAMES;
  for (const finding of only) {
    if (FINDING_NAMES.includes(finding as Finding)) continue;
    throw usage(`--finding is one of ${FINDING_NAMES.join(", ")}`);
  }
  const withinDays = count(values, "within");
  return using(input, async (keys) => {
    const entries: ReportEntry[] = [];
    for await (const entry of keys.report({ withinDays })) {
      if (io.signal.aborted) throw interrupted(io.signal, "not all keys were looked at");
      if (only.includes(entry.finding)) entries.push(entry);
    }
    return { result: { entries }, text: reportTable(entries) };
  });
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
      ...NEW_KEY_OPTIONS,
      count: { type: "string", about: "so many keys without names" },
      ...JOB_OPTION,
    },
    run: create,
  },

  import: {
    args: ["FILE", "[NAME]"],
    about: "take over a key from a file (- is stdin)",
    options: { ...NEW_KEY_OPTIONS, ...KEY_FILE_OPTION },
    run: importKey,
  },

  list: {
    args: [],
    about: "list keys, oldest first",
    options: {
      tag: { type: "string", about: "only keys with this tag" },
      state: { type: "string", about: `only keys with a version that is: ${STATE_NAMES.join(", ")}` },
      under: { type: "string", about: "only keys under this wrapping key" },
      owner: { type: "string", about: "only keys of this entity, by its id" },
      algorithm: { type: "string", about: "only keys for this algorithm" },
      exposed: { type: "boolean", about: "only keys with an exposed version" },
      archived: { type: "boolean", about: "only archived keys" },
      limit: { type: "string", about: "at most so many, up to 1000; default 100" },
      cursor: { type: "string", about: "go on where another page ended" },
    },
    run: list,
  },

  due: {
    args: [],
    about: "list the dates that will move a version's state, soonest first",
    options: {
      from: { type: "string", about: "from this date on" },
      until: { type: "string", about: "up to this date" },
      limit: { type: "string", about: "at most so many, up to 1000; default 100" },
      cursor: { type: "string", about: "go on where another page ended" },
    },
    run: due,
  },

  report: {
    args: [],
    about: "list what needs attention: out of policy, due, expired, exposed, over-used",
    options: {
      within: { type: "string", about: "how many days ahead a date counts as due; default 30" },
      finding: {
        type: "string",
        multiple: true,
        about: `only ${FINDING_NAMES.join(", ")}; may be given several times`,
      },
    },
    run: report,
  },

  show: {
    args: ["KEY"],
    about: "show one key, with its versions",
    options: {},
    run: (input) =>
      withKey(input, async (keys, name) => {
        const key = await keys.get(name);
        if (key !== null) return key;
        throw new KeyloomError("KEY_NOT_FOUND", { message: `there is no key ${name}` });
      }),
  },

  encrypt: {
    args: ["FILE"],
    about: "encrypt a file (- is stdin) to FILE.age",
    options: {
      key: { type: "string", about: "the key to encrypt with" },
      recipient: {
        type: "string",
        multiple: true,
        short: "r",
        about: "an age recipient age1…; may be given several times, and without --key no store is needed",
      },
      ...PASSPHRASE_OPTION,
      armor: { type: "boolean", short: "a", about: "write text instead of bytes" },
      ...OUTPUT_OPTIONS,
    },
    run: encrypt,
  },

  decrypt: {
    args: ["FILE"],
    about: "decrypt FILE.age (- is stdin) to FILE",
    options: {
      key: { type: "string", about: "the X25519 pair of the store that it is encrypted to, where it is one" },
      identity: {
        type: "string",
        multiple: true,
        short: "i",
        about: "a file with age identities, one a line, instead of a store; may be given several times",
      },
      ...PASSPHRASE_OPTION,
      ...OUTPUT_OPTIONS,
    },
    run: decrypt,
  },

  ...PAIR_COMMANDS,

  activate: {
    args: ["KEY"],
    about: "activate the newest version that waits for it",
    options: VERSION_OPTION,
    run: async (input) => {
      const version = count(input.values, "key-version");
      return withKey(input, (keys, key) => keys.activate(key, { version }));
    },
  },

  deactivate: {
    args: ["KEY"],
    about: "end a version's protecting, or with --all-versions that of all",
    options: { ...VERSION_OPTION, ...ALL_VERSIONS_OPTION, ...JOB_OPTION },
    run: deactivate,
  },

  suspend: {
    args: ["KEY"],
    about: "bar all use of a key until it is resumed",
    options: {},
    run: (input) => withKey(input, (keys, key) => keys.suspend(key)),
  },

  resume: {
    args: ["KEY"],
    about: "make a suspended key active again",
    options: {},
    run: (input) => withKey(input, (keys, key) => keys.resume(key)),
  },

  revoke: {
    args: ["KEY"],
    about: "revoke a version, for a reason, or with --all-versions all",
    options: {
      reason: { type: "string", about: `${REVOCATION_REASON_NAMES.join(", ")}; default unspecified` },
      occurrence: { type: "string", about: "when a compromise happened; default: any time" },
      ...VERSION_OPTION,
      ...ALL_VERSIONS_OPTION,
      ...JOB_OPTION,
    },
    run: revoke,
  },

  archive: {
    args: ["KEY"],
    about: "archive a key: its material can't be used until it is recovered",
    options: {},
    run: (input) => withKey(input, (keys, key) => keys.archive(key)),
  },

  recover: {
    args: ["KEY"],
    about: "bring an archived key back",
    options: {},
    run: (input) => withKey(input, (keys, key) => keys.recover(key)),
  },

  dates: {
    args: ["KEY"],
    about: "set dates of a version that have not been reached; none takes one away",
    options: {
      activation: { type: "string", about: "when it becomes active" },
      "process-start": { type: "string", about: "when it starts to process" },
      "protect-stop": { type: "string", about: "when it stops protecting" },
      deactivation: { type: "string", about: "when it becomes deactivated" },
      ...VERSION_OPTION,
    },
    run: async (input) => {
      const { values } = input;
      const dates = {
        activation: dateOrNone(values, "activation"),
        processStart: dateOrNone(values, "process-start"),
        protectStop: dateOrNone(values, "protect-stop"),
        deactivation: dateOrNone(values, "deactivation"),
      };
      const version = count(values, "key-version");
      return withKey(input, (keys, key) => keys.setDates(key, dates, { version }));
    },
  },

  sweep: {
    args: [],
    about: "make durable what dates have brought about",
    options: JOB_OPTION,
    run: (input) =>
      using(input, async (keys) => {
        const job = keys.sweep({ job: text(input.values, "job") });
        const summary = await follow(input.io, input.json, "sweeping", job, "versions");
        return { result: summary, text: `${versionCount(summary.moved)} moved (job ${summary.job})` };
      }),
  },

  "confirm-clock": {
    args: [],
    about: "confirm that the clock is right, after CLOCK_AHEAD",
    options: {},
    run: (input) =>
      using(input, async (keys) => {
        const { from, to } = await keys.confirmClock();
        return {
          result: { from, to },
          text: `the store was sure of ${from.toISOString()}, now of ${to.toISOString()}`,
        };
      }),
  },

  rotate: {
    args: ["KEY"],
    about: "add a version with fresh material, which becomes the current one",
    options: {},
    run: (input) => withKey(input, (keys, key) => keys.rotate(key)),
  },

  rewrap: {
    args: ["KEY"],
    about: "move everything under a wrapping key's old versions to its current one",
    options: JOB_OPTION,
    run: (input) =>
      using(input, async (keys) => {
        const job = keys.rewrap(input.args[0]!, { job: text(input.values, "job") });
        const summary = await follow(input.io, input.json, "re-wrapping", job);
        const moved = summary.rewrapped.toLocaleString("en");
        return { result: summary, text: `${moved} keys moved (job ${summary.job})` };
      }),
  },

  destroy: {
    args: ["KEY"],
    about: "destroy a version's material for ever, or with --all-versions that of all",
    options: {
      ...VERSION_OPTION,
      ...ALL_VERSIONS_OPTION,
      "crypto-shred": {
        type: "boolean",
        about: "also where keys still lie under it: they become unreadable",
      },
      ...JOB_OPTION,
    },
    run: destroy,
  },

  audit,
  ...CARE,
} as const satisfies Readonly<Record<string, Command>>;
