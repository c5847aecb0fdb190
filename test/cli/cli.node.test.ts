import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT_CODES } from "../../sdk/cli/exit-codes.js";
import { safe } from "../../sdk/cli/io.js";
import { KeyManager, passphrase, rawKey } from "../../sdk/index.js";
import { decodeCborMap, encodeCbor } from "../../sdk/foundation/cbor.js";
import { lmdbStorage } from "../../sdk/storage/lmdb.js";
import { keyspace } from "../../sdk/storage/keyspace.js";
import { bench, type Bench, type Ran } from "./support.js";

let at: Bench;

beforeEach(async () => {
  at = await bench();
});
afterEach(() => rm(at.folder, { recursive: true, force: true }));

/** One line, no stack, the code in brackets, and the exit code of its class. */
function expectRefusal(ran: Ran, code: string, exit: keyof typeof EXIT_CODES): void {
  expect(ran.stderr).toMatch(new RegExp(`^keyloom: [^\\n]+ \\(${code}\\)\\n$`));
  expect(ran.stdout).toBe("");
  expect(ran.code).toBe(EXIT_CODES[exit]);
}

async function withKey(): Promise<void> {
  expect((await at.run("init")).code).toBe(0);
  expect((await at.run("create", "files")).code).toBe(0);
}

const PLAIN = Buffer.alloc(200_000, "plain text ");

describe("keys on the command line", () => {
  it("go through their life", async () => {
    expect(await at.run("init")).toEqual({ code: 0, stdout: "a new store was made\n", stderr: "" });
    expect((await at.run("create", "kek", "--usages", "wrap,unwrap")).stdout).toContain(
      "wrapped by  the root key",
    );
    expect((await at.run("create", "--count", "20", "--under", "kek", "--tag", "bulk")).stdout).toMatch(
      /^20 keys \(job /,
    );
    await at.run("create", "k", "--under", "kek", "--pre-active");
    expect((await at.run("show", "k")).stdout).toContain("pre-active");
    expect((await at.run("activate", "k")).stdout).toContain("active");
    expect((await at.run("rotate", "kek")).code).toBe(0);
    expect((await at.run("rewrap", "kek")).stdout).toMatch(/^21 keys moved/);
    expect((await at.run("deactivate", "kek", "--key-version", "1")).code).toBe(0);
    expect((await at.run("destroy", "kek", "--key-version", "1")).stdout).toContain("version 1 is destroyed");
    const listed = await at.run("list", "--tag", "bulk", "--limit", "5");
    expect(listed.stdout.trimEnd().split("\n")).toHaveLength(1 + 5 + 1);
    const cursor = /--cursor (\w+)/.exec(listed.stdout)![1]!;
    const rest = await at.run("list", "--tag", "bulk", "--cursor", cursor);
    expect(rest.stdout.trimEnd().split("\n")).toHaveLength(1 + 15);
    expect((await at.run("audit")).stdout).toContain("destroy");
    expect((await at.run("audit", "verify")).stdout).toMatch(
      /^\d+ entries of \d+ writers: unbroken\n\d+ in the log, \d+ wait for it; no checkpoint yet\n$/,
    );
  });

  it("are one JSON value with --json, progress and errors are JSON lines", async () => {
    await at.run("init", "--json");
    const made = JSON.parse((await at.run("create", "k", "--json")).stdout) as { name: string };
    expect(made.name).toBe("k");
    const many = await at.run("create", "--count", "3", "--json");
    expect(JSON.parse(many.stdout)).toMatchObject({ created: 3 });
    const lines = many.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { progress: { done: number } });
    expect(lines.at(-1)!.progress.done).toBe(3);
    expect(JSON.parse((await at.run("list", "--json")).stdout)).toMatchObject({ cursor: null });
    expect(JSON.parse((await at.run("audit", "--verify", "--json")).stdout)).toMatchObject({
      verified: true,
    });
    const failed = await at.run("show", "nobody", "--json");
    expect(failed.stdout).toBe("");
    expect(JSON.parse(failed.stderr)).toMatchObject({ error: { code: "KEY_NOT_FOUND" } });
    expect(failed.code).toBe(EXIT_CODES["not-found"]);
  });
});

describe("files on the command line", () => {
  it("are encrypted beside themselves and come back", async () => {
    await withKey();
    await writeFile(at.path("a.txt"), PLAIN);
    expect((await at.run("encrypt", at.path("a.txt"), "--key", "files")).stdout).toContain("a.txt.age");
    await rm(at.path("a.txt"));
    expect((await at.run("decrypt", at.path("a.txt.age"))).code).toBe(0);
    expect(await readFile(at.path("a.txt"))).toEqual(PLAIN);
    expect((await readdir(at.folder)).sort()).toEqual(["a.txt", "a.txt.age", "key", "store"]);
  });

  it("go through stdin and stdout as -", async () => {
    await withKey();
    const options = ["--store", `lmdb:${at.path("store")}`, "--raw-key-file", at.path("key")];
    const sealed = await at.bare(["encrypt", "-", "--key", "files", ...options], { stdin: PLAIN });
    expect(sealed.stdout.startsWith("age-encryption.org/v1\n")).toBe(true);
    const opened = await at.bare(["decrypt", "-", ...options], {
      stdin: Buffer.from(sealed.stdout, "latin1"),
    });
    expect(Buffer.from(opened.stdout, "latin1")).toEqual(PLAIN);
  });

  it("are not replaced without --force", async () => {
    await withKey();
    await writeFile(at.path("a"), PLAIN);
    await writeFile(at.path("a.age"), "mine");
    expectRefusal(await at.run("encrypt", at.path("a"), "--key", "files"), "CLI_FILE_EXISTS", "conflict");
    expect(await readFile(at.path("a.age"), "utf8")).toBe("mine");
    expect((await at.run("encrypt", at.path("a"), "--key", "files", "--force")).code).toBe(0);
    expectRefusal(await at.run("decrypt", at.path("a.age")), "CLI_FILE_EXISTS", "conflict");
    expect((await at.run("decrypt", at.path("a.age"), "-o", at.path("b"))).code).toBe(0);
    expect(await readFile(at.path("b"))).toEqual(PLAIN);
  });

  it("that are damaged leave no output behind", async () => {
    await withKey();
    await writeFile(at.path("a"), PLAIN);
    await at.run("encrypt", at.path("a"), "--key", "files");
    await rm(at.path("a"));
    const sealed = await readFile(at.path("a.age"));
    const changed = Buffer.from(sealed);
    changed[150_000]! ^= 1;
    const cases: [Buffer, string][] = [
      [sealed.subarray(0, -1), "MESSAGE_AUTHENTICATION_FAILED"],
      [sealed.subarray(0, 140_000), "MESSAGE_AUTHENTICATION_FAILED"],
      [changed, "MESSAGE_AUTHENTICATION_FAILED"],
      [Buffer.concat([sealed, Buffer.from("x")]), "MESSAGE_AUTHENTICATION_FAILED"],
      [Buffer.from("not an age file"), "MESSAGE_MALFORMED"],
      [Buffer.alloc(0), "MESSAGE_MALFORMED"],
    ];
    for (const [content, code] of cases) {
      await writeFile(at.path("a.age"), content);
      expectRefusal(await at.run("decrypt", at.path("a.age")), code, "integrity");
      expect((await readdir(at.folder)).sort()).toEqual(["a.age", "key", "store"]);
    }
  });

  it("of a destroyed version are refused", async () => {
    await withKey();
    await writeFile(at.path("a"), PLAIN);
    await at.run("encrypt", at.path("a"), "--key", "files");
    await at.run("deactivate", "files");
    await at.run("destroy", "files");
    expectRefusal(await at.run("decrypt", at.path("a.age"), "--force"), "KEY_DESTROYED", "conflict");
    expectRefusal(
      await at.run("encrypt", at.path("a"), "--key", "files", "--force"),
      "KEY_DESTROYED",
      "conflict",
    );
    expect(await readFile(at.path("a"))).toEqual(PLAIN);
  });

  it("that aren't there, or aren't files, are refused", async () => {
    await withKey();
    expectRefusal(await at.run("encrypt", at.path("x"), "--key", "files"), "CLI_FILE_NOT_FOUND", "not-found");
    expectRefusal(await at.run("encrypt", at.folder, "--key", "files"), "CLI_USAGE", "usage");
    expectRefusal(await at.run("decrypt", at.path("key")), "CLI_USAGE", "usage");
    expectRefusal(await at.run("encrypt", at.path("key")), "CLI_USAGE", "usage");
    expectRefusal(await at.run("encrypt", at.path("key"), "--key", "nobody"), "KEY_NOT_FOUND", "not-found");
    expect((await readdir(at.folder)).sort()).toEqual(["key", "store"]);
  });

  it("that fill the disk leave nothing, and the store still opens", { timeout: 60_000 }, async () => {
    await withKey();
    await writeFile(at.path("a"), Buffer.alloc(4 * 1024 * 1024));
    const program = fileURLToPath(new URL("../../sdk/cli/index.ts", import.meta.url));
    const command =
      `ulimit -f 3072; exec "$0" --import tsx "$1" encrypt "$2/a" --key files ` +
      `--store "lmdb:$2/store" --raw-key-file "$2/key"`;
    // The limit ends the process with a signal unless it is ignored; then the write fails.
    const child = spawn("bash", ["-c", `trap '' XFSZ; ${command}`, process.execPath, program, at.folder]);
    let problem = "";
    child.stderr.on("data", (chunk: Buffer) => (problem += chunk.toString()));
    const code = await new Promise((resolve) => child.on("exit", resolve));
    expect(problem).toMatch(/^keyloom: [^\n]+ \([A-Z_]+\)\n$/);
    expect(code).toBe(EXIT_CODES.failed);
    expect((await readdir(at.folder)).sort()).toEqual(["a", "key", "store"]);
    expect((await at.run("show", "files")).code).toBe(0);
  });

  it("are not written when they are interrupted", async () => {
    await withKey();
    await writeFile(at.path("a"), PLAIN);
    const controller = new AbortController();
    controller.abort();
    const options = ["--store", `lmdb:${at.path("store")}`, "--raw-key-file", at.path("key")];
    const ran = await at.bare(["encrypt", at.path("a"), "--key", "files", ...options], {
      signal: controller.signal,
    });
    expectRefusal(ran, "JOB_CANCELLED", "interrupted");
    expect((await readdir(at.folder)).sort()).toEqual(["a", "key", "store"]);
  });
});

describe("jobs on the command line", () => {
  it("say how to go on when they are interrupted", async () => {
    await at.run("init");
    await at.run("create", "kek", "--usages", "wrap,unwrap");
    const controller = new AbortController();
    controller.abort();
    const options = ["--store", `lmdb:${at.path("store")}`, "--raw-key-file", at.path("key")];
    const argv = ["create", "--count", "50", "--under", "kek", ...options];
    const ran = await at.bare(argv, { signal: controller.signal });
    expectRefusal(ran, "JOB_CANCELLED", "interrupted");
    const job = /job ([0-9a-f-]{36})/.exec(ran.stderr)![1]!;
    const again = await at.run("create", "--count", "50", "--under", "kek", "--job", job);
    expect(again.stdout).toBe(`50 keys (job ${job})\n`);
  });
});

describe("bad input", () => {
  it.each([
    [[], "no command"],
    [["nothing"], "no command nothing"],
    [["show"], "show needs KEY"],
    [["show", "a", "b"], "no further argument b"],
    [["list", "--nope"], "--nope"],
    [["list", "--limit", "x"], "--limit takes"],
    [["list", "--state", "x"], "--state is one of"],
    [["create", "a", "--activation", "yesterday"], "--activation takes"],
    [["create", "a", "--passphrase", "secret"], "--passphrase"],
    [["create", "a", "--count", "3"], "without names"],
  ])("%j is a usage error that says what is wrong", async (argv, message) => {
    await at.run("init");
    const ran = await at.run(...argv);
    expectRefusal(ran, "CLI_USAGE", "usage");
    expect(ran.stderr).toContain(message);
  });

  it("of a secret: none, a wrong one, two ways at once, a key of a wrong length", async () => {
    await at.run("init");
    const store = ["--store", `lmdb:${at.path("store")}`];
    expectRefusal(await at.bare(["list", ...store]), "CLI_USAGE", "usage");
    const env = { KEYLOOM_PASSPHRASE: "no slot" };
    expectRefusal(await at.bare(["list", ...store], { env }), "UNLOCK_FAILED", "denied");
    await writeFile(at.path("other"), new Uint8Array(32).fill(4));
    expectRefusal(
      await at.bare(["list", ...store, "--raw-key-file", at.path("other")]),
      "UNLOCK_FAILED",
      "denied",
    );
    await writeFile(at.path("short"), new Uint8Array(31));
    const short = await at.bare(["list", ...store, "--raw-key-file", at.path("short")]);
    expectRefusal(short, "UNLOCK_INVALID_SECRET", "usage");
    expectRefusal(await at.run("list", "--passphrase-file", at.path("key")), "CLI_USAGE", "usage");
    expectRefusal(
      await at.bare(["list", ...store, "--raw-key-file", at.path("none")]),
      "CLI_FILE_NOT_FOUND",
      "not-found",
    );
  });

  it("of a store: none, one too many, none of ours, a driver that doesn't exist", async () => {
    expectRefusal(await at.run("list"), "STORE_NOT_FOUND", "not-found");
    await expect(stat(at.path("store"))).rejects.toThrow();
    await at.run("init");
    expectRefusal(await at.run("init"), "STORE_EXISTS", "conflict");
    const key = ["--raw-key-file", at.path("key")];
    expectRefusal(await at.bare(["list", "--store", "redis:x", ...key]), "STORAGE_URL_INVALID", "usage");
    expectRefusal(await at.bare(["list", "--store", "memory:", ...key]), "STORE_NOT_FOUND", "not-found");
    await mkdir(at.path("foreign"));
    await writeFile(join(at.path("foreign"), "data.mdb"), Buffer.alloc(8192, "garbage"));
    const foreign = await at.bare(["list", "--store", `lmdb:${at.path("foreign")}`, ...key]);
    expect(foreign.code).not.toBe(0);
    expect(foreign.stderr).toMatch(/^keyloom: [^\n]+ \(STOR(E|AGE)_[A-Z_]+\)\n$/);
    expect((await at.run("list")).code).toBe(0);
  });

  it("of a store of a newer format, or one that asks for too much work", async () => {
    const folder = at.path("pass");
    const keys = await KeyManager.open({
      storage: lmdbStorage({ path: folder }),
      unlock: passphrase("secret"),
    });
    await keys.close();
    const edit = async (key: Uint8Array, change: (body: Map<number, unknown>) => void): Promise<void> => {
      const storage = lmdbStorage({ path: folder });
      const entry = (await storage.get(key))!;
      const body = decodeCborMap(entry.value.slice(8, -32), "a record");
      change(body);
      const value = Buffer.concat([entry.value.subarray(0, 8), encodeCbor(body), entry.value.subarray(-32)]);
      await storage.commit({ id: new Uint8Array(16), checks: [], mutations: [{ kind: "put", key, value }] });
      await storage.close();
    };
    const list = (): Promise<Ran> =>
      at.bare(["list", "--store", `lmdb:${folder}`], { env: { KEYLOOM_PASSPHRASE: "secret" } });
    expect((await list()).code).toBe(0);
    await edit(keyspace.unlockSlots(), (body) => (body.get(2) as Map<number, number>[])[0]!.set(6, 1));
    expectRefusal(await list(), "UNLOCK_KDF_OUT_OF_BOUNDS", "integrity");
    await edit(keyspace.header(), (body) => body.set(1, 2));
    expectRefusal(await list(), "STORE_NEWER_FORMAT", "failed");
  });

  it("of keys: unknown ones, bad names, impossible usages, steps that the lifecycle has not", async () => {
    await withKey();
    expectRefusal(await at.run("show", "nobody"), "KEY_NOT_FOUND", "not-found");
    expectRefusal(await at.run("rotate", "nobody"), "KEY_NOT_FOUND", "not-found");
    expectRefusal(await at.run("create", "files"), "KEY_NAME_TAKEN", "conflict");
    expectRefusal(await at.run("create", "x".repeat(129)), "KEY_INVALID_NAME", "usage");
    expectRefusal(await at.run("create", "a\u001b[31mred"), "KEY_INVALID_NAME", "usage");
    expectRefusal(await at.run("create", "a", "--usages", "wrap,encrypt"), "KEY_USAGE_CONFLICT", "usage");
    expectRefusal(await at.run("create", "a", "--algorithm", "DES"), "KEY_ALGORITHM_NOT_SUPPORTED", "usage");
    expectRefusal(await at.run("destroy", "files"), "KEY_TRANSITION_NOT_ALLOWED", "conflict");
    expectRefusal(
      await at.run("deactivate", "files", "--key-version", "9"),
      "KEY_VERSION_NOT_FOUND",
      "not-found",
    );
    expectRefusal(await at.run("rewrap", "files"), "KEY_NOT_USABLE", "denied");
    expect((await at.run("list")).stdout.trimEnd().split("\n")).toHaveLength(2);
  });

  it("never reaches the terminal as it is", async () => {
    await at.run("init");
    const ran = await at.run("show", "\u001b]0;owned\u0007");
    expect(ran.stderr).not.toContain("\u001b");
    expect(safe("a\u202eb\u0000")).toBe("a\\u{202e}b\\u{0}");
  });
});

describe("help", () => {
  it("lists the commands, their options and the exit codes", async () => {
    const all = await at.bare(["--help"]);
    expect(all.code).toBe(0);
    for (const word of ["init", "rewrap", "--store", "interrupted"]) expect(all.stdout).toContain(word);
    expect((await at.bare(["create", "--help"])).stdout).toContain("--pre-active");
    expect(await at.bare(["--version"])).toEqual({ code: 0, stdout: "1.2.3\n", stderr: "" });
  });
});

it(
  "the program itself runs, and takes its passphrase from a file's first line",
  { timeout: 60_000 },
  async () => {
    const program = fileURLToPath(new URL("../../sdk/cli/index.ts", import.meta.url));
    await writeFile(at.path("pass"), "correct horse\nsecond line\n");
    const run = (...argv: string[]): Promise<{ code: number | null; output: string }> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, ["--import", "tsx", program, ...argv], {
          env: { ...process.env, KEYLOOM_STORE: `lmdb:${at.path("s")}` },
        });
        let output = "";
        for (const stream of [child.stdout, child.stderr])
          stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
        child.on("exit", (code) => resolve({ code, output }));
      });
    expect(await run("init", "--passphrase-file", at.path("pass"))).toEqual({
      code: 0,
      output: "a new store was made\n",
    });
    const keys = await KeyManager.open({
      storage: lmdbStorage({ path: at.path("s") }),
      unlock: passphrase("correct horse"),
      create: false,
    });
    await keys.close();
    expect((await run("list", "--passphrase-file", at.path("pass"))).output).toBe("no keys\n");
    await expect(
      KeyManager.open({
        storage: lmdbStorage({ path: at.path("s") }),
        unlock: rawKey(new Uint8Array(32)),
        create: false,
      }),
    ).rejects.toMatchObject({ code: "UNLOCK_FAILED" });
  },
);
