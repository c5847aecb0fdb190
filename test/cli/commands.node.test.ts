/** Every command, from its arguments to what it prints. */
import { Readable } from "node:stream";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { COMMANDS } from "../../sdk/cli/commands.js";
import { json, jsonLines, run, text, Workspace } from "./workspace.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longer than two chunks of an age payload. */
const CONTENT = Uint8Array.from({ length: 150_000 }, (_, i) => (i * 7) ^ (i >> 8));

let workspace: Workspace;
beforeAll(async () => {
  workspace = await Workspace.withStore();
});
afterAll(() => workspace.remove());

describe("keys on the command line", () => {
  it("init says that a store was made, and init --json says it as JSON", async () => {
    const fresh = new Workspace();
    const other = new Workspace();
    try {
      expect(text(await fresh.run(["init"]))).toBe("a new store was made\n");
      expect(await other.json(["init"])).toEqual({ initialised: true });
    } finally {
      fresh.remove();
      other.remove();
    }
  });

  it("create prints the key, and show prints the same one by its name and by its id", async () => {
    const key = await workspace.json(["create", "first", "--tag", "red", "--tag", "a,b"]);
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
    expect(await workspace.json(["show", "first"])).toEqual(key);
    expect(await workspace.json(["show", key.id])).toEqual(key);
    const shown = text(await workspace.run(["show", "first"]));
    expect(shown).toContain(`id          ${key.id}\n`);
    expect(shown).toMatch(/\n {2}1 {2}active {2}current {2}initial \d{4}-/);
  });

  it("create takes algorithm, usages, wrapping key, dates and exportability", async () => {
    const kek = await workspace.json(["create", "kek", "--usages", "wrap,unwrap"]);
    const mac = ["create", "mac", "--algorithm", "HMAC-SHA256", "--under", "kek", "--exportable"];
    const dates = ["--activation", "2030-01-01", "--protect-stop", "2031-01-01T12:00:00Z"];
    const key = await workspace.json([...mac, ...dates, "--deactivation", "2032-01-01T12:00:00+02:00"]);
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
    const states = async (argv: string[]): Promise<string[]> =>
      (await workspace.json(argv)).versions.map(({ state }: { state: string }) => state);
    expect(await states(["create", "life", "--pre-active"])).toEqual(["pre-active"]);
    expect(await states(["activate", "life"])).toEqual(["active"]);
    expect(await states(["rotate", "life"])).toEqual(["active", "active"]);
    expect(await states(["deactivate", "life", "--key-version", "1"])).toEqual(["deactivated", "active"]);
    const outcome = await workspace.json(["destroy", "life", "--key-version", "1"]);
    expect(outcome).toMatchObject({ version: 1, erasure: "deleted", shredded: 0 });
    expect(outcome.key.versions[0]).toMatchObject({ state: "destroyed", current: false });
    expect(await states(["show", "life"])).toEqual(["destroyed", "active"]);
    expect(text(await workspace.run(["list"]))).toMatch(/ life +XChaCha20-Poly1305 +\S+ +active +2 +2\n/);
  });

  it("create --count, rotate, rewrap and destroy move keys to a new version and the old one goes", async () => {
    await workspace.json(["create", "tenant", "--usages", "wrap,unwrap"]);
    const created = await workspace.run(["create", "--count", "1500", "--under", "tenant", "--json"]);
    expect(json(created)).toEqual({ job: expect.stringMatching(UUID), created: 1500 });
    const progress = jsonLines(created.stderr);
    expect(progress.length).toBeGreaterThan(0);
    expect(progress.at(-1)).toEqual({
      progress: expect.objectContaining({ job: json(created).job, done: 1500, total: 1500 }),
    });
    await workspace.json(["rotate", "tenant"]);
    await workspace.json(["deactivate", "tenant", "--key-version", "1"]);
    await workspace.refuses(["destroy", "tenant", "--key-version", "1"], 5, "KEY_HAS_DEPENDENTS");
    const moved = await workspace.run(["rewrap", "tenant"]);
    expect(text(moved)).toMatch(/^1,500 keys moved \(job [0-9a-f-]{36}\)\n$/);
    expect(moved.stderr).toBe("");
    expect(await workspace.json(["rewrap", "tenant"])).toMatchObject({ rewrapped: 0 });
    expect(await workspace.json(["destroy", "tenant", "--key-version", "1"])).toMatchObject({ shredded: 0 });
  });

  it("destroy --crypto-shred says how many keys became unreadable", async () => {
    await workspace.json(["create", "shred", "--usages", "wrap,unwrap"]);
    await workspace.json(["create", "--count", "3", "--under", "shred"]);
    await workspace.json(["deactivate", "shred"]);
    expect(text(await workspace.run(["destroy", "shred", "--crypto-shred"]))).toBe(
      "version 1 is destroyed: old pages, logs and backups may still hold it; 3 keys became unreadable\n",
    );
  });

  it("list filters, and goes through pages to the last", async () => {
    const names = ["page-1", "page-2", "page-3"];
    for (const name of names) await workspace.json(["create", name, "--tag", "paged"]);
    const all = await workspace.json(["list", "--tag", "paged"]);
    expect(all.keys.map(({ name }: { name: string }) => name)).toEqual(names);
    expect(all.cursor).toBeNull();
    const first = await workspace.json(["list", "--tag", "paged", "--limit", "2"]);
    const rest = await workspace.json(["list", "--tag", "paged", "--limit", "2", "--cursor", first.cursor]);
    expect([...first.keys, ...rest.keys]).toEqual(all.keys);
    expect(rest.cursor).toBeNull();
    const shown = text(await workspace.run(["list", "--tag", "paged", "--limit", "2"]));
    expect(shown).toMatch(new RegExp(`\\nmore: --cursor ${first.cursor}\\n$`));
    expect((await workspace.json(["list", "--tag", "paged", "--state", "destroyed"])).keys).toEqual([]);
    expect((await workspace.json(["list", "--tag", "paged", "--under", "kek"])).keys).toEqual([]);
    expect(text(await workspace.run(["list", "--tag", "nothing"]))).toBe("no keys\n");
  });

  it("audit shows the newest entries first, and audit --verify walks all of them", async () => {
    await workspace.json(["create", "audited"]);
    const { entries } = await workspace.json(["audit", "--limit", "2"]);
    expect(entries).toHaveLength(2);
    expect(entries[0]).toMatchObject({ operation: "create", kind: "event", decision: "allow", sequence: 1 });
    expect(entries[0].keys).toEqual([{ key: expect.stringMatching(UUID), version: 1, after: "active" }]);
    expect(text(await workspace.run(["audit", "--limit", "1"]))).toMatch(
      /^TIME .*\n.*Z +create +\S+\/1 ∅ → active .*\n$/,
    );
    const verified = await workspace.json(["audit", "--verify"]);
    expect(verified).toEqual({ verified: true, entries: expect.any(Number), writers: expect.any(Number) });
    expect(text(await workspace.run(["audit", "--verify"]))).toBe(
      `${verified.entries} entries of ${verified.writers} writers: unbroken\n`,
    );
  });
});

describe("files on the command line", () => {
  it("encrypt FILE writes FILE.age, and decrypt FILE.age writes FILE", async () => {
    await workspace.json(["create", "files"]);
    const plain = workspace.write("report", CONTENT);
    const encrypted = await workspace.json(["encrypt", plain, "--key", "files"]);
    expect(encrypted).toEqual({ output: `${plain}.age`, bytes: workspace.read("report.age").length });
    expect(workspace.read("report.age").toString("latin1")).toMatch(/^age-encryption\.org\/v1\n-> /);
    workspace.write("report", "in the way");
    await workspace.refuses(["decrypt", `${plain}.age`], 5, "CLI_FILE_EXISTS");
    const decrypted = await workspace.run(["decrypt", `${plain}.age`, "--force"]);
    expect(text(decrypted)).toBe(`${plain}: 150,000 bytes\n`);
    expect(workspace.read("report").equals(CONTENT)).toBe(true);
  });

  it("- is stdin and stdout, both ways", async () => {
    const stdin = Readable.from([CONTENT.slice(0, 100_000), CONTENT.slice(100_000)]);
    const sealed = await workspace.run(["encrypt", "-", "--key", "files"], { stdin });
    expect(sealed).toMatchObject({ code: 0, stderr: "" });
    const opened = await workspace.run(["decrypt", "-"], { stdin: Readable.from([sealed.stdout]) });
    expect(opened).toMatchObject({ code: 0, stderr: "" });
    expect(opened.stdout.equals(CONTENT)).toBe(true);
  });

  it("stdin may go to a file, and a file to stdout", async () => {
    const target = workspace.path("from-stdin.age");
    const stdin = Readable.from([CONTENT]);
    await workspace.json(["encrypt", "-", "--key", "files", "-o", target], { stdin });
    const opened = await workspace.run(["decrypt", target, "-o", "-", "--json"]);
    expect(opened).toMatchObject({ code: 0, stderr: "" });
    expect(opened.stdout.equals(CONTENT)).toBe(true);
  });

  it("an empty file comes back empty", async () => {
    const plain = workspace.write("empty", "");
    await workspace.json(["encrypt", plain, "--key", "files"]);
    expect(await workspace.json(["decrypt", `${plain}.age`, "--force"])).toEqual({ output: plain, bytes: 0 });
  });

  it("outputs can be read by their owner alone", async () => {
    const { mode } = await import("node:fs").then(({ statSync }) =>
      statSync(workspace.path("from-stdin.age")),
    );
    expect(mode & 0o777).toBe(0o600);
  });

  it("a file of a deactivated version still opens", async () => {
    await workspace.json(["create", "old"]);
    const plain = workspace.write("kept", "kept");
    await workspace.json(["encrypt", plain, "--key", "old"]);
    await workspace.json(["deactivate", "old"]);
    await workspace.refuses(["encrypt", plain, "--key", "old", "--force"], 3, "KEY_NOT_USABLE");
    expect((await workspace.run(["decrypt", `${plain}.age`, "-o", "-"])).stdout.toString()).toBe("kept");
  });
});

describe("the words around the commands", () => {
  it("--help names every command and every exit code, and each command's help its own options", async () => {
    const general = text(await run(["--help"]));
    for (const name of Object.keys(COMMANDS)) {
      expect(general).toContain(`\n  ${name}`);
      const own = text(await run([name, "-h"]));
      expect(own.startsWith(`keyloom ${name}`)).toBe(true);
      for (const option of Object.keys(COMMANDS[name as keyof typeof COMMANDS].options)) {
        expect(own).toContain(`--${option}`);
      }
    }
    expect(general).toContain("0 done, 1 failed, 2 usage, 3 denied, 4 not-found, 5 conflict, 6 integrity");
    expect(text(await run(["--version"]))).toBe("0.0.0-test\n");
  });

  it("options may stand before the command, and --store in the environment", async () => {
    const key = workspace.path("raw.key");
    const env = { KEYLOOM_STORE: workspace.store };
    const listed = await run(["--raw-key-file", key, "--limit", "1", "list", "--json"], { env });
    expect(json(listed).keys).toHaveLength(1);
    const elsewhere = { KEYLOOM_STORE: `lmdb:${workspace.path("elsewhere")}` };
    expect(
      json(await workspace.run(["list", "--limit", "1", "--json"], { env: elsewhere })).keys,
    ).toHaveLength(1);
  });

  it("memory: is a store that is gone when the command ends", async () => {
    const argv = ["--store", "memory:", "--raw-key-file", workspace.path("raw.key"), "--json"];
    expect(json(await run([...argv, "init"]))).toEqual({ initialised: true });
    expect((await run([...argv, "list"])).code).toBe(4);
  });

  it("control characters of file names and job texts never reach the terminal as they are", async () => {
    const plain = workspace.write("evil\u001b[2J\u202e", "x");
    const outcome = await workspace.run(["encrypt", plain, "--key", "files"]);
    expect(outcome.code).toBe(0);
    expect(text(outcome)).toContain("evil\\u{1b}[2J\\u{202e}.age: ");
    const again = await workspace.refuses(["encrypt", plain, "--key", "files"], 5, "CLI_FILE_EXISTS");
    expect(again.stderr).toContain("evil\\u{1b}[2J\\u{202e}.age exists");
    const asJson = await workspace.run(["encrypt", plain, "--key", "files", "--force", "--json"]);
    expect(text(asJson)).not.toMatch(/[\u001b\u202e]/);
    expect(json(asJson).output).toBe(`${plain}.age`);
  });

  it("on a terminal a job shows a bar on stderr, and its result on stdout", async () => {
    const outcome = await workspace.run(["create", "--count", "5", "--under", "kek"], { tty: true });
    expect(outcome.stderr).toContain("creating [");
    expect(outcome.stderr).toContain("5/5");
    expect(text(outcome)).toMatch(/^5 keys \(job /);
  });

  it("errors are JSON on stderr with --json, wherever it stands", async () => {
    const missing = await workspace.run(["--json", "show", "nobody"]);
    expect(missing.code).toBe(4);
    expect(text(missing)).toBe("");
    expect(jsonLines(missing.stderr)).toEqual([
      { error: { code: "KEY_NOT_FOUND", message: "there is no key nobody" } },
    ]);
    const unknown = await run(["nothing-of-the-kind", "--json"]);
    expect(jsonLines(unknown.stderr)).toMatchObject([{ error: { code: "CLI_USAGE" } }]);
    expect(unknown.code).toBe(2);
  });
});
