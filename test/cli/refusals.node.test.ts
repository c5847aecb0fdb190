import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { open as openLmdb } from "lmdb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT_CODES } from "../../sdk/cli/exit-codes.js";
import { main } from "../../sdk/cli/main.js";
import { bench, type Bench, type Ran } from "./support.js";

const PROGRAM = fileURLToPath(new URL("../../sdk/cli/index.ts", import.meta.url));

let at: Bench;

beforeEach(async () => {
  at = await bench();
});
afterEach(() => rm(at.folder, { recursive: true, force: true }));

function expectRefusal(ran: Ran, code: string, exit: keyof typeof EXIT_CODES): void {
  expect(ran.stderr).toMatch(new RegExp(`^keyloom: [^\\n]+ \\(${code}\\)\\n$`));
  expect(ran.stdout).toBe("");
  expect(ran.code).toBe(EXIT_CODES[exit]);
}

function store(): string[] {
  return ["--store", `lmdb:${at.path("store")}`];
}

async function withKey(): Promise<void> {
  expect((await at.run("init")).code).toBe(0);
  expect((await at.run("create", "files")).code).toBe(0);
}

interface Child {
  kill(signal: NodeJS.Signals): void;
  stdin: NodeJS.WritableStream;
  ended: Promise<Ran>;
}

/** The program in a process of its own, for what only a process can be sent. */
function start(argv: string[], imports: string[] = []): Child {
  const args = ["--import", "tsx", ...imports.flatMap((name) => ["--import", name]), PROGRAM, ...argv];
  const child = spawn(process.execPath, [...args, ...store(), "--raw-key-file", at.path("key")]);
  // What it had not read yet when it ended.
  child.stdin.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => (output[name] += chunk.toString("latin1")));
  }
  const ended = new Promise<Ran>((resolve) =>
    child.on("close", (code) => resolve({ code: code ?? -1, ...output })),
  );
  return { kill: (signal) => child.kill(signal), stdin: child.stdin, ended };
}

describe("the passphrase", () => {
  it("of a file is the file's own: another one of the same length is refused", async () => {
    await writeFile(at.path("right"), "correct horse\n");
    await writeFile(at.path("wrong"), "battery stapl\n");
    const run = (...argv: string[]): Promise<Ran> => at.bare([...argv, ...store()]);
    expect((await run("init", "--passphrase-file", at.path("right"))).code).toBe(0);
    expectRefusal(await run("list", "--passphrase-file", at.path("wrong")), "UNLOCK_FAILED", "denied");
    // Bytes that were wiped too early would look like this.
    await writeFile(at.path("zeros"), Buffer.alloc(13));
    expectRefusal(await run("list", "--passphrase-file", at.path("zeros")), "UNLOCK_FAILED", "denied");
    expect((await run("list", "--passphrase-file", at.path("right"))).code).toBe(0);
  });

  it("is the same one from a file and from the environment, however its letters are composed", async () => {
    await writeFile(at.path("decomposed"), "cafe\u0301\r\n");
    const made = await at.bare(["init", ...store(), "--passphrase-file", at.path("decomposed")]);
    expect(made.code).toBe(0);
    const env = { KEYLOOM_PASSPHRASE: "caf\u00e9" };
    expect((await at.bare(["list", ...store()], { env })).code).toBe(0);
  });

  it.each([
    ["as an option", ["--passphrase", "hunter2-hunter2"]],
    ["with an equals sign", ["--passphrase=hunter2-hunter2"]],
    ["as a password", ["--password=hunter2-hunter2"]],
  ])("is refused on the command line %s, and not repeated", async (_, given) => {
    await at.run("init");
    const ran = await at.bare(["list", ...given, ...store()]);
    expectRefusal(ran, "CLI_USAGE", "usage");
    expect(ran.stderr).not.toContain("hunter2");
  });

  it("that is missing or empty makes no store", async () => {
    await writeFile(at.path("empty"), "\nsecond line\n");
    const refused = await at.bare(["init", ...store(), "--passphrase-file", at.path("empty")]);
    expectRefusal(refused, "UNLOCK_INVALID_SECRET", "usage");
    const missing = await at.bare(["init", ...store(), "--passphrase-file", at.path("none")]);
    expectRefusal(missing, "CLI_FILE_NOT_FOUND", "not-found");
    expectRefusal(await at.bare(["init", ...store()]), "CLI_USAGE", "usage");
    await expect(stat(at.path("store"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is asked for twice where it is set, without echo, and must agree", async () => {
    const ask = async (...typed: string[]): Promise<Ran & { raw: boolean[] }> => {
      const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
      const raw: boolean[] = [];
      const terminal = Object.assign(stdin, { isTTY: true, setRawMode: (on: boolean) => raw.push(on) });
      let [out, err] = ["", ""];
      stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
      stderr.on("data", (chunk: Buffer) => {
        err += chunk.toString();
        if (chunk.toString().endsWith(": ") && typed.length > 0) stdin.write(typed.shift()!);
      });
      const { signal } = new AbortController();
      const code = await main(
        ["init", ...store()],
        { stdin: terminal, stdout, stderr, env: {}, signal },
        "1",
      );
      return { code, stdout: out, stderr: err, raw };
    };
    const differing = await ask("first one\r", "other one\r");
    expect(differing.code).toBe(EXIT_CODES.usage);
    expect(differing.stderr).not.toMatch(/first one|other one/);
    const cancelled = await ask("fir\u0003");
    expect(cancelled.code).toBe(EXIT_CODES.interrupted);
    await expect(stat(at.path("store"))).rejects.toMatchObject({ code: "ENOENT" });

    const made = await ask("sekrets\u007f\r", "sekret\r");
    expect(made.code).toBe(0);
    expect(made.stdout + made.stderr).not.toContain("sekret");
    // Every prompt leaves the terminal as it found it.
    expect(made.raw).toEqual([true, false, true, false]);
    const env = { KEYLOOM_PASSPHRASE: "sekret" };
    expect((await at.bare(["list", ...store()], { env })).code).toBe(0);

    // Where there is a store already, nobody is asked.
    const again = await ask("sekret\r", "sekret\r");
    expect(again).toMatchObject({ code: EXIT_CODES.conflict, raw: [] });
    expect(again.stderr).toBe("keyloom: there is a store here already (STORE_EXISTS)\n");
    expect((await at.bare(["init", ...store()])).stderr).toContain("(STORE_EXISTS)");
    expect((await at.bare(["list", ...store()], { env })).code).toBe(0);
  });
});

describe("a store", () => {
  it("of a driver's newer format is refused and left as it is", async () => {
    await at.run("init");
    const root = openLmdb({ path: at.path("store"), noSubdir: false, maxDbs: 4 });
    const about = root.openDB("keyloom.about", { keyEncoding: "binary", encoding: "binary", cache: false });
    await about.put(Buffer.from("format"), Buffer.from("keyloom-lmdb 2"));
    await root.close();
    const before = await readFile(join(at.path("store"), "data.mdb"));
    expectRefusal(await at.run("list"), "STORE_NEWER_FORMAT", "failed");
    expectRefusal(await at.run("init"), "STORE_NEWER_FORMAT", "failed");
    expect((await readFile(join(at.path("store"), "data.mdb"))).equals(before)).toBe(true);
  });

  it("that was cut short is damaged", async () => {
    await withKey();
    const file = join(at.path("store"), "data.mdb");
    await truncate(file, 12_288);
    expectRefusal(await at.run("list"), "STORE_DAMAGED", "integrity");
    expect((await stat(file)).size).toBe(12_288);
  });

  it("is refused where the path is a file, or the data is another program's", async () => {
    await writeFile(at.path("store"), "a file");
    expectRefusal(await at.run("list"), "STORE_NOT_FOUND", "not-found");
    expectRefusal(await at.run("init"), "STORE_UNREADABLE", "failed");
    expect(await readFile(at.path("store"), "utf8")).toBe("a file");
    await rm(at.path("store"));
    await mkdir(at.path("store"));
    await writeFile(join(at.path("store"), "data.mdb"), Buffer.alloc(16_384, "garbage"));
    expectRefusal(await at.run("list"), "STORE_UNREADABLE", "failed");
  });

  it("in memory can be made, and holds nothing for the next command", async () => {
    const memory = ["--store", "memory:", "--raw-key-file", at.path("key")];
    expect((await at.bare(["init", ...memory])).code).toBe(0);
    expectRefusal(await at.bare(["list", ...memory]), "STORE_NOT_FOUND", "not-found");
  });

  it("is named by --store before KEYLOOM_STORE, wherever the option stands", async () => {
    await withKey();
    const env = { KEYLOOM_STORE: `lmdb:${at.path("nowhere")}` };
    const key = ["--raw-key-file", at.path("key")];
    expect((await at.bare([...store(), "show", "files", ...key], { env })).code).toBe(0);
    expectRefusal(await at.bare(["show", "files", ...key], { env }), "STORE_NOT_FOUND", "not-found");
    // Options of the command after a global one in front of it.
    await writeFile(at.path("a"), "text");
    const argv = [...store(), "encrypt", at.path("a"), "--key", "files", ...key];
    expect((await at.bare(argv)).code).toBe(0);
  });

  it("whose driver isn't installed says what to install", { timeout: 60_000 }, async () => {
    const hooks = `export const resolve = (name, context, next) => {
      if (name === "lmdb") throw Object.assign(new Error("no such package"), { code: "ERR_MODULE_NOT_FOUND" });
      return next(name, context);
    };`;
    const url = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
    const register = `import { register } from "node:module"; register(${JSON.stringify(url(hooks))});`;
    const ran = await start(["list"], [url(register)]).ended;
    expectRefusal(ran, "STORAGE_DRIVER_MISSING", "failed");
    expect(ran.stderr).toContain("npm i lmdb");
  });
});

describe("an output", () => {
  it("is no folder and no device, forced or not, and needs a folder that is there", async () => {
    await withKey();
    await writeFile(at.path("a"), "text");
    await mkdir(at.path("folder"));
    const encrypt = (...more: string[]): Promise<Ran> =>
      at.run("encrypt", at.path("a"), "--key", "files", ...more);
    expectRefusal(await encrypt("-o", at.path("folder"), "--force"), "CLI_USAGE", "usage");
    expectRefusal(await encrypt("-o", "/dev/null", "--force"), "CLI_USAGE", "usage");
    expect((await stat("/dev/null")).isCharacterDevice()).toBe(true);
    expectRefusal(await encrypt("-o", at.path("none/a.age")), "CLI_FILE_NOT_FOUND", "not-found");
    await symlink(at.path("gone"), at.path("link"));
    expectRefusal(await encrypt("-o", at.path("link")), "CLI_FILE_EXISTS", "conflict");
  });

  it("that appears while the file is written is not replaced", async () => {
    await withKey();
    const argv = [
      "encrypt",
      "-",
      "--key",
      "files",
      "-o",
      at.path("out"),
      ...store(),
      "--raw-key-file",
      at.path("key"),
    ];
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    let err = "";
    stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    async function* slow(): AsyncGenerator<Buffer> {
      yield Buffer.from("first");
      await writeFile(at.path("out"), "theirs");
      yield Buffer.from("second");
    }
    const stdin = Readable.from(slow(), { objectMode: false });
    const { signal } = new AbortController();
    expect(await main(argv, { stdin, stdout, stderr, env: {}, signal }, "1")).toBe(EXIT_CODES.conflict);
    expect(err).toMatch(/^keyloom: [^\n]+ \(CLI_FILE_EXISTS\)\n$/);
    expect(await readFile(at.path("out"), "utf8")).toBe("theirs");
    expect((await readdir(at.folder)).sort()).toEqual(["key", "out", "store"]);
  });

  it("cut off in its middle leaves nothing under its name, nor beside it", async () => {
    await withKey();
    await writeFile(at.path("a"), Buffer.alloc(300_000, "plain"));
    await at.run("encrypt", at.path("a"), "--key", "files");
    await truncate(at.path("a.age"), 200_000);
    await writeFile(at.path("a"), "mine");
    const ran = await at.run("decrypt", at.path("a.age"), "--force");
    expectRefusal(ran, "MESSAGE_AUTHENTICATION_FAILED", "integrity");
    expect(await readFile(at.path("a"), "utf8")).toBe("mine");
    expect((await readdir(at.folder)).sort()).toEqual(["a", "a.age", "key", "store"]);
  });
});

describe("a signal", () => {
  it("ends a job between two batches, and the job goes on with its id", { timeout: 60_000 }, async () => {
    await at.run("init");
    await at.run("create", "kek", "--usages", "wrap,unwrap");
    const count = 100_000;
    const argv = ["create", "--count", String(count), "--under", "kek", "--json"];
    // The process interrupts itself, so that a busy machine can't hold the signal back until the job is done.
    const interrupt = `const write = process.stderr.write.bind(process.stderr);
      process.stderr.write = (chunk, ...rest) => {
        if (String(chunk).includes('"done":')) {
          process.stderr.write = write;
          process.kill(process.pid, "SIGINT");
        }
        return write(chunk, ...rest);
      };`;
    const ran = await start(argv, [`data:text/javascript,${encodeURIComponent(interrupt)}`]).ended;
    expect(ran.code).toBe(EXIT_CODES.interrupted);
    const lines = ran.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const { error } = lines.at(-1) as { error: { code: string; message: string } };
    expect(error.code).toBe("JOB_CANCELLED");
    const { progress } = lines.at(-2) as { progress: { job: string; done: number } };
    expect(error.message).toContain(`--job ${progress.job}`);
    expect(progress.done).toBeGreaterThan(0);
    expect(progress.done).toBeLessThan(count);
    const again = await at.run(...argv, "--job", progress.job);
    expect(JSON.parse(again.stdout)).toEqual({ job: progress.job, created: count });
    // It went on, and did not begin anew.
    const first = JSON.parse(again.stderr.split("\n")[0]!) as { progress: { done: number } };
    expect(first.progress.done).toBeGreaterThanOrEqual(progress.done);
  });

  it("removes what was written of an output whose input has stalled", { timeout: 60_000 }, async () => {
    await withKey();
    const child = start(["encrypt", "-", "--key", "files", "-o", at.path("out")]);
    child.stdin.write(Buffer.alloc(300_000));
    let partial: string[] = [];
    while (partial.length === 0) {
      partial = (await readdir(at.folder)).filter((name) => !["key", "store"].includes(name));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(partial).not.toContain("out");
    child.kill("SIGINT");
    expectRefusal(await child.ended, "JOB_CANCELLED", "interrupted");
    expect((await readdir(at.folder)).sort()).toEqual(["key", "store"]);
  });
});
