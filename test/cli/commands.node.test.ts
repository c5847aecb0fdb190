/** Every command, from its arguments to what it prints, as text and as JSON. */
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Command } from "../../sdk/cli/command.js";
import { COMMANDS } from "../../sdk/cli/commands.js";
import { EXIT_CODES } from "../../sdk/cli/exit-codes.js";
import { main } from "../../sdk/cli/main.js";
import type { AuditCheckpoint } from "../../sdk/index.js";
import { bench, type Bench, type Ran } from "./support.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longer than two chunks of an age payload. */
const CONTENT = Buffer.from(Uint8Array.from({ length: 150_000 }, (_, i) => (i * 7) ^ (i >> 8)));

let at: Bench;
beforeAll(async () => {
  at = await bench();
  expect((await at.run("init")).code).toBe(0);
});
afterAll(() => rm(at.folder, { recursive: true, force: true }));

const options = (): string[] => ["--store", `lmdb:${at.path("store")}`, "--raw-key-file", at.path("key")];
const utf8 = (output: string): string => Buffer.from(output, "latin1").toString("utf8");

/** What a command prints for people. */
async function text(...argv: string[]): Promise<string> {
  const ran = await at.run(...argv);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  return utf8(ran.stdout);
}

/** The fields of results that tests read; which of them a command has is what they find out. */
interface Json {
  id: string;
  name: string;
  usages: string[];
  versions: { state: string }[];
  key: Json;
  keys: Json[];
  entries: Json[];
  writers: number;
  cursor: string;
  job: string;
  output: string;
}

/** The one JSON value that a command prints, on one line. */
async function json(...argv: string[]): Promise<Json> {
  return parse(await at.run(...argv, "--json"));
}

function parse(ran: Ran): Json {
  expect(ran.code, ran.stderr).toBe(EXIT_CODES.done);
  expect(ran.stdout).toMatch(/^[^\n]+\n$/);
  return JSON.parse(utf8(ran.stdout)) as Json;
}

function jsonLines(ran: Ran): Json[] {
  return utf8(ran.stderr)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);
}

describe("keys on the command line", () => {
  it("create prints the key, and show prints the same one by its name and by its id", async () => {
    const key = await json("create", "first", "--tag", "red", "--tag", "a,b");
    expect(key).toMatchObject({
      id: expect.stringMatching(UUID),
      name: "first",
      algorithm: "XChaCha20-Poly1305",
      usages: ["encrypt", "decrypt"],
      exportable: false,
      tags: ["a,b", "red"],
      wrappedBy: null,
    });
    expect(key.versions).toMatchObject([{ version: 1, state: "active", current: true }]);
    expect(await json("show", "first")).toEqual(key);
    expect(await json("show", key.id)).toEqual(key);
    const shown = await text("show", "first");
    expect(shown).toContain(`id          ${key.id}\n`);
    expect(shown).toMatch(/\n {2}1 {2}active {2}current {2}initial \d{4}-/);
  });

  it("create takes algorithm, usages, wrapping key, dates and exportability", async () => {
    const kek = await json("create", "kek", "--usages", "wrap,unwrap");
    const mac = ["create", "mac", "--algorithm", "HMAC-SHA256", "--under", "kek", "--exportable"];
    const dates = ["--activation", "2030-01-01", "--protect-stop", "2031-01-01T12:00:00Z"];
    const key = await json(...mac, ...dates, "--deactivation", "2032-01-01T12:00:00+02:00");
    expect(kek.usages).toEqual(["wrap", "unwrap"]);
    expect(key).toMatchObject({
      algorithm: "HMAC-SHA256",
      usages: ["mac-generate", "mac-verify"],
      wrappedBy: kek.id,
      exportable: true,
    });
    expect(key.versions[0]).toMatchObject({
      state: "pre-active",
      dates: {
        activation: "2030-01-01T00:00:00.000Z",
        protectStop: "2031-01-01T12:00:00.000Z",
        deactivation: "2032-01-01T10:00:00.000Z",
      },
    });
  });

  it("a key goes from pre-active over active and deactivated to destroyed", async () => {
    const states = async (...argv: string[]): Promise<string[]> =>
      (await json(...argv)).versions.map(({ state }: { state: string }) => state);
    expect(await states("create", "life", "--pre-active")).toEqual(["pre-active"]);
    expect(await states("activate", "life")).toEqual(["active"]);
    expect(await states("rotate", "life")).toEqual(["active", "active"]);
    expect(await states("deactivate", "life", "--key-version", "1")).toEqual(["deactivated", "active"]);
    const outcome = await json("destroy", "life", "--key-version", "1");
    expect(outcome).toMatchObject({ version: 1, erasure: "deleted", shredded: 0 });
    expect(outcome.key.versions[0]).toMatchObject({ state: "destroyed", current: false });
    expect(await states("show", "life")).toEqual(["destroyed", "active"]);
    expect(await text("list")).toMatch(/ life +XChaCha20-Poly1305 +\S+ +active +2 +2\n/);
  });

  it("create --count, rotate, rewrap and destroy move keys to a new version and the old one goes", async () => {
    await json("create", "tenant", "--usages", "wrap,unwrap");
    const created = await at.run("create", "--count", "1500", "--under", "tenant", "--json");
    const summary = parse(created);
    expect(summary).toEqual({ job: expect.stringMatching(UUID), created: 1500 });
    const progress = jsonLines(created);
    expect(progress.length).toBeGreaterThan(0);
    expect(progress.at(-1)).toEqual({
      progress: expect.objectContaining({ job: summary.job, done: 1500, total: 1500 }),
    });
    await json("rotate", "tenant");
    await json("deactivate", "tenant", "--key-version", "1");
    const early = await at.run("destroy", "tenant", "--key-version", "1");
    expect(early.code).toBe(EXIT_CODES.conflict);
    expect(early.stderr).toMatch(/^keyloom: 1500 keys [^\n]+ \(KEY_HAS_DEPENDENTS\)\n$/);
    expect(await text("rewrap", "tenant")).toMatch(/^1,500 keys moved \(job [0-9a-f-]{36}\)\n$/);
    expect(await json("rewrap", "tenant")).toMatchObject({ rewrapped: 0 });
    expect(await json("destroy", "tenant", "--key-version", "1")).toMatchObject({ shredded: 0 });
  });

  it("destroy --crypto-shred says how many keys became unreadable", async () => {
    await json("create", "shred", "--usages", "wrap,unwrap");
    await json("create", "--count", "3", "--under", "shred");
    await json("deactivate", "shred");
    expect(await text("destroy", "shred", "--crypto-shred")).toBe(
      "version 1 is destroyed: old pages, logs and backups may still hold it; 3 keys became unreadable\n",
    );
  });

  it("deactivate and destroy --all-versions are jobs over a key's versions", async () => {
    await json("create", "whole", "--usages", "wrap,unwrap");
    await json("rotate", "whole");
    await json("create", "--count", "2", "--under", "whole");
    await json("rotate", "whole");
    const deactivated = await at.run("deactivate", "whole", "--all-versions", "--json");
    const summary = parse(deactivated);
    expect(summary).toEqual({ job: expect.stringMatching(UUID), deactivated: 3, skipped: 0 });
    expect(jsonLines(deactivated).at(-1)).toMatchObject({
      progress: { job: summary.job, done: 3, total: 3 },
    });
    expect(await text("deactivate", "whole", "--all-versions", "--job", summary.job)).toBe(
      `3 versions deactivated, 0 skipped (job ${summary.job})\n`,
    );
    const refused = await at.run("destroy", "whole", "--all-versions");
    expect(refused.code).toBe(EXIT_CODES.conflict);
    expect(refused.stderr).toMatch(/^keyloom: 2 keys are still wrapped [^\n]+ \(KEY_HAS_DEPENDENTS\)\n$/);
    expect(await text("destroy", "whole", "--all-versions", "--crypto-shred")).toMatch(
      /^3 versions destroyed, 0 skipped \(job [0-9a-f-]{36}\): old pages, logs and backups may still hold them; 2 keys became unreadable\n$/,
    );
    expect(await text("destroy", "whole", "--all-versions")).toMatch(
      /^0 versions destroyed, 3 skipped \(job .*\)\n$/,
    );
    await json("create", "single");
    expect(await text("deactivate", "single", "--all-versions")).toMatch(
      /^1 version deactivated, 0 skipped /,
    );
    for (const command of ["deactivate", "destroy"]) {
      const both = await at.run(command, "single", "--all-versions", "--key-version", "1");
      expect(both).toMatchObject({ code: EXIT_CODES.usage });
      const job = await at.run(command, "single", "--job", summary.job);
      expect(job).toMatchObject({ code: EXIT_CODES.usage });
      expect(job.stderr).toContain("--job goes with --all-versions");
    }
  });

  it("suspend, resume, archive, recover and revoke show the key as it is then", async () => {
    await json("create", "whole-life");
    const state = async (...argv: string[]): Promise<string | undefined> =>
      (await json(...argv)).versions[0]?.state;
    expect(await state("suspend", "whole-life")).toBe("suspended");
    expect(await state("resume", "whole-life")).toBe("active");
    expect(await json("archive", "whole-life")).toHaveProperty("archived");
    expect(await text("show", "whole-life")).toMatch(/\narchived +\d{4}-/);
    expect(await json("recover", "whole-life")).not.toHaveProperty("archived");
    const refused = await at.run("resume", "whole-life");
    expect(refused).toMatchObject({ code: EXIT_CODES.conflict });
    const occurrence = ["--occurrence", "2020-01-01"];
    expect((await at.run("revoke", "whole-life", ...occurrence)).code).toBe(EXIT_CODES.usage);
    expect((await at.run("revoke", "whole-life", "--reason", "boredom")).stderr).toContain(
      "--reason is one of",
    );
    expect(await text("revoke", "whole-life", "--reason", "key-compromise", ...occurrence)).toMatch(
      / compromised \(revoked: key-compromise\) .*occurrence 2020-01-01/,
    );
    const barred = await at.run("suspend", "whole-life", "--profile", "kmip-2.1");
    expect(barred).toMatchObject({ code: EXIT_CODES.conflict });
    expect((await at.run("list", "--profile", "fips")).code).toBe(EXIT_CODES.usage);
    await json("rotate", "whole-life");
    expect(await text("revoke", "whole-life", "--reason", "superseded", "--all-versions")).toMatch(
      /^1 version revoked, 1 skipped \(job .*\)\n$/,
    );
  });

  it("dates, sweep and confirm-clock work on what lies ahead", async () => {
    await json("create", "dated", "--deactivation", "2100-01-01");
    expect(
      (await json("dates", "dated", "--deactivation", "2090-01-01", "--protect-stop", "2089-01-01"))
        .versions[0],
    ).toMatchObject({
      dates: { deactivation: "2090-01-01T00:00:00.000Z", protectStop: "2089-01-01T00:00:00.000Z" },
    });
    const gone = await json("dates", "dated", "--deactivation", "none", "--key-version", "1");
    expect(gone.versions[0]).not.toHaveProperty("dates.deactivation");
    expect((await at.run("dates", "dated", "--activation", "2099-01-01")).code).toBe(EXIT_CODES.conflict);
    expect((await at.run("dates", "dated")).code).toBe(EXIT_CODES.usage);
    await json("dates", "dated", "--deactivation", "2091-01-01");
    const soon = await text("due", "--from", "2085-01-01", "--until", "2095-01-01");
    expect(soon).toMatch(/^DATE .*\n2091-01-01T00:00:00.000Z +dated +1 +active\n$/);
    expect(await text("due", "--until", "2001-01-01")).toBe("nothing is due\n");
    const ahead = await text("report", "--within", "36000", "--finding", "due");
    expect(ahead).toMatch(/^FINDING +KEY +VERSION +DATE +DETAIL\ndue +\S+ +1 +20[0-9-]+T/);
    const { entries } = await json("report", "--finding", "over-used");
    expect(entries).toEqual([]);
    expect((await at.run("report", "--finding", "lost")).code).toBe(EXIT_CODES.usage);
    expect((await json("list", "--exposed")).keys).toEqual([]);
    expect((await json("list", "--algorithm", "HMAC-SHA256", "--archived")).keys).toEqual([]);
    expect(await text("sweep")).toMatch(/^0 versions moved \(job .*\)\n$/);
    expect(await json("confirm-clock")).toEqual({
      from: expect.stringMatching(/Z$/),
      to: expect.stringMatching(/Z$/),
    });
  });

  it("create takes usage limits", async () => {
    const key = await json("create", "limited", "--max-operations", "2", "--max-bytes", "1000");
    expect(key.versions[0]).toMatchObject({ limits: { operations: 2, bytes: 1000 } });
    expect((await at.run("create", "--max-operations", "0")).code).toBe(EXIT_CODES.usage);
    const count = ["create", "--count", "2", "--max-operations", "5"];
    expect(await json(...count)).toMatchObject({ created: 2 });
  });

  it("import takes a key from a file, and nothing that is no key", async () => {
    await writeFile(at.path("material"), Buffer.alloc(32, 5));
    const key = await json("import", at.path("material"), "imported", "--tag", "outside");
    expect(key).toMatchObject({ name: "imported", versions: [{ state: "active", imported: true }] });
    expect(await text("show", "imported")).toMatch(/ active +current, imported +initial /);
    await writeFile(at.path("material"), Buffer.alloc(31, 5));
    expect((await at.run("import", at.path("material"))).code).toBe(EXIT_CODES.usage);
    await writeFile(at.path("material"), Buffer.alloc(1000, 5));
    expect((await at.run("import", at.path("material"))).stderr).toContain("longest key");
    expect((await at.run("import", at.path("nothing"))).code).toBe(EXIT_CODES["not-found"]);
    const stdin = Buffer.alloc(32, 6);
    const piped = await at.bare(["import", "-", "piped", "--json", ...options()], { stdin });
    expect(parse(piped)).toMatchObject({ name: "piped" });
  });

  it("list filters, and goes through pages to the last", async () => {
    const names = ["page-1", "page-2", "page-3"];
    for (const name of names) await json("create", name, "--tag", "paged");
    const all = await json("list", "--tag", "paged");
    expect(all.keys.map(({ name }: { name: string }) => name)).toEqual(names);
    expect(all.cursor).toBeNull();
    const first = await json("list", "--tag", "paged", "--limit", "2");
    const rest = await json("list", "--tag", "paged", "--limit", "2", "--cursor", first.cursor);
    expect([...first.keys, ...rest.keys]).toEqual(all.keys);
    expect(rest.cursor).toBeNull();
    const shown = await text("list", "--tag", "paged", "--limit", "2");
    // A cursor holds the time of its listing's first page, and so differs from another's.
    expect(shown).toMatch(/\nmore: --cursor [0-9a-f]+\n$/);
    expect((await json("list", "--tag", "paged", "--state", "destroyed")).keys).toEqual([]);
    expect((await json("list", "--tag", "paged", "--under", "kek")).keys).toEqual([]);
    expect(await text("list", "--tag", "nothing")).toBe("no keys\n");
  });

  it("audit shows the newest entries first, and audit --verify walks all of them", async () => {
    await json("create", "audited");
    const { entries } = await json("audit", "--limit", "2");
    expect(entries).toHaveLength(2);
    expect(entries[0]).toMatchObject({ operation: "create", kind: "event", decision: "allow", sequence: 1 });
    expect(entries[0]?.keys).toEqual([{ key: expect.stringMatching(UUID), version: 1, after: "active" }]);
    expect(await text("audit", "--limit", "1")).toMatch(/^TIME .*\n.*Z +create +\S+\/1 ∅ → active .*\n$/);
    const verified = await json("audit", "--verify");
    expect(verified).toMatchObject({ verified: true, waiting: verified.entries, log: { size: 0 } });
    const [line, rest] = (await text("audit", "verify")).split("\n");
    expect(line).toBe(`${verified.entries} entries of ${verified.writers} writers: unbroken`);
    expect(rest).toBe(`0 in the log, ${verified.entries} wait for it; no checkpoint yet`);
  });

  it("audit signs a checkpoint, verifies against it, proves an entry and exports all of them", async () => {
    const kept = at.path("checkpoint");
    const made = (await json("audit", "checkpoint", "-o", kept)) as unknown as AuditCheckpoint;
    expect(await readFile(kept, "utf8")).toBe(made.note);
    expect(made.note).toMatch(/^keyloom\.dev\/audit\/\S+\n\d+\n\S{44}\n\n— keyloom\.dev\/audit\/\S+ \S+\n$/);
    expect(await text("audit", "checkpoint")).toBe(made.note);
    await json("create", "later");
    const verified = await json("audit", "verify", "--checkpoint", kept, "--verifier-key", made.verifierKey);
    expect(verified).toMatchObject({ verified: true, checkpoints: 1, log: { size: made.size + 1 } });
    const proof = await text("audit", "prove", "0");
    expect(proof).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex 0\n/);
    expect(proof.endsWith(`\n\n${made.note}`)).toBe(true);
    expect(await json("audit", "prove", "0")).toMatchObject({ index: 0, entry: { operation: "init" } });

    const exported = at.path("audit.jsonl");
    await json("audit", "export", "-o", exported);
    const lines = (await readFile(exported, "utf8")).trimEnd().split("\n");
    const [head, ...entries] = lines.map((line) => JSON.parse(line) as { size: number; index: number });
    expect(entries.map(({ index }) => index)).toEqual([...Array(head!.size).keys()]);

    await writeFile(kept, made.note.replace(/\n\d+\n/, "\n1\n"));
    const refused = await at.run("audit", "verify", "--checkpoint", kept);
    expect(refused.code).toBe(6);
    expect(refused.stderr).toContain("AUDIT_CHECKPOINT_INVALID");
    for (const argv of [
      ["nonsense"],
      ["prove"],
      ["prove", "-1"],
      ["prove", "x"],
      ["verify", "1"],
      ["verify", "--limit", "1"],
      ["show", "-o", kept],
      ["verify", "--verifier-key", made.verifierKey],
    ]) {
      expect((await at.run("audit", ...argv)).code, argv.join(" ")).toBe(2);
    }
    expect((await at.run("audit", "prove", "100000")).code).toBe(4);
  });
});

describe("files on the command line", () => {
  it("are as long as they say, begin as age files do, and are their owner's alone", async () => {
    await json("create", "files");
    const plain = at.path("report");
    await writeFile(plain, CONTENT);
    const encrypted = await json("encrypt", plain, "--key", "files");
    const sealed = await readFile(`${plain}.age`);
    expect(encrypted).toEqual({ output: `${plain}.age`, bytes: sealed.length });
    expect(sealed.toString("latin1")).toMatch(/^age-encryption\.org\/v1\n-> /);
    expect((await stat(`${plain}.age`)).mode & 0o777).toBe(0o600);
    expect(await text("decrypt", `${plain}.age`, "--force")).toBe(`${plain}: 150,000 bytes\n`);
    expect((await readFile(plain)).equals(CONTENT)).toBe(true);
  });

  it("come from stdin into a file, and out of a file to stdout, where nothing is put beside them", async () => {
    const target = at.path("from-stdin.age");
    const argv = ["encrypt", "-", "--key", "files", "-o", target, "--json", ...options()];
    const { length } = await at.bare(argv, { stdin: CONTENT }).then(() => readFile(target));
    expect(length).toBeGreaterThan(CONTENT.length);
    const opened = await at.run("decrypt", target, "-o", "-", "--json");
    expect(opened).toMatchObject({ code: 0, stderr: "" });
    expect(Buffer.from(opened.stdout, "latin1").equals(CONTENT)).toBe(true);
  });

  it("that are empty come back empty", async () => {
    await writeFile(at.path("empty"), "");
    await json("encrypt", at.path("empty"), "--key", "files");
    const result = await json("decrypt", at.path("empty.age"), "--force");
    expect(result).toEqual({ output: at.path("empty"), bytes: 0 });
  });

  it("of a deactivated version still open, but no new ones are made", async () => {
    await json("create", "old");
    await writeFile(at.path("kept"), "kept");
    await json("encrypt", at.path("kept"), "--key", "old");
    await json("deactivate", "old");
    const refused = await at.run("encrypt", at.path("kept"), "--key", "old", "-o", at.path("new.age"));
    expect(refused.code).toBe(EXIT_CODES.denied);
    expect(refused.stderr).toContain("(KEY_NOT_USABLE)");
    expect(await text("decrypt", at.path("kept.age"), "-o", "-")).toBe("kept");
  });
});

describe("the words around the commands", () => {
  it("--help names every command, and each command's help every option of its own", async () => {
    const general = (await at.bare(["--help"])).stdout;
    for (const [name, { options: own }] of Object.entries<Command>(COMMANDS)) {
      expect(general).toContain(`\n  ${name}`);
      const help = (await at.bare([name, "-h"])).stdout;
      expect(help.startsWith(`keyloom ${name}`)).toBe(true);
      for (const option of Object.keys(own)) expect(help).toContain(`--${option}`);
    }
    expect((await at.bare(["nothing", "--help"])).code).toBe(EXIT_CODES.usage);
  });

  it("control characters of a file's name reach neither the terminal nor its reader of JSON", async () => {
    const plain = at.path("evil\u001b[2J\u009b\u202e\u{e0001}");
    await writeFile(plain, "x");
    const shown = "evil\\u{1b}[2J\\u{9b}\\u{202e}\\u{e0001}.age";
    expect(await text("encrypt", plain, "--key", "files")).toContain(`${shown}: `);
    expect((await at.run("encrypt", plain, "--key", "files")).stderr).toContain(`${shown} exists`);
    const asJson = await at.run("encrypt", plain, "--key", "files", "--force", "--json");
    expect(utf8(asJson.stdout)).not.toMatch(/[\p{Cc}\p{Cf}](?!$)/u);
    expect(parse(asJson).output).toBe(`${plain}.age`);
  });

  it("on a terminal a job shows a bar on stderr, and its result on stdout", async () => {
    const [stdout, stderr] = [new PassThrough(), Object.assign(new PassThrough(), { isTTY: true })];
    const argv = ["create", "--count", "5", ...options()];
    const { signal } = new AbortController();
    expect(await main(argv, { stdin: new PassThrough(), stdout, stderr, env: {}, signal }, "1")).toBe(0);
    const bar = String(stderr.read());
    expect(bar).toContain("creating [");
    expect(bar).toContain("5/5");
    expect(String(stdout.read())).toMatch(/^5 keys \(job /);
  });

  it("errors are JSON on stderr with --json, wherever it stands and whatever else is wrong", async () => {
    const missing = await at.bare(["--json", "show", "nobody", ...options()]);
    expect(missing).toMatchObject({ code: EXIT_CODES["not-found"], stdout: "" });
    expect(jsonLines(missing)).toEqual([
      { error: { code: "KEY_NOT_FOUND", message: "there is no key nobody" } },
    ]);
    const unknown = await at.bare(["nothing-of-the-kind", "--bogus", "--json"]);
    expect(unknown).toMatchObject({ code: EXIT_CODES.usage, stdout: "" });
    expect(jsonLines(unknown)).toMatchObject([{ error: { code: "CLI_USAGE" } }]);
  });
});
